//! Who must agree to a promotion, and what passing over it leaves behind.

use super::*;

async fn approve(desk: &Desk, version: &str, stage: Stage, actor: &Actor) -> Result<registry::Approval, Error> {
    let mut tx = desk.pool().begin().await.unwrap();
    let done = registry::approve(&mut tx, desk.setup(), MODEL, version, stage, Some("looks right"), actor).await?;
    tx.commit().await.unwrap();
    Ok(done)
}

async fn states(desk: &Desk, version: &str) -> Vec<(String, &'static str)> {
    let found = registry::approvals(&mut *desk.conn().await, MODEL, version).await.unwrap();
    found.into_iter().map(|approval| (approval.row.approver, approval.state)).collect()
}

#[tokio::test]
async fn without_an_approver_nothing_is_promoted_and_the_refusal_is_kept() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    let error = desk.try_promote("1.0.0", Stage::Staging, &Promotion::default(), &person("bob")).await.unwrap_err();
    assert_eq!(error.code(), "approval_required");
    assert!(error.to_string().contains("needs 1 approval, 1 is missing"), "{error}");
    let mut conn = desk.conn().await;
    let sequence = registry::record_denial(&mut conn, &error, &person("bob")).await.unwrap().unwrap();
    let (event, detail) = desk.last_event().await;
    assert_eq!((event.sequence, event.outcome.as_str(), event.action.as_str()), (sequence, "denied", "model.promoted"));
    assert_eq!((&detail["code"], &detail["check"]["approvals"]["missing"]), (&json!("approval_required"), &json!(1)));
    assert_eq!(desk.get("1.0.0").await.stage, "development");
}

#[tokio::test]
async fn who_registered_a_version_does_not_approve_it() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    let error = desk.try_promote("1.0.0", Stage::Production, &approving(), &person("ann")).await.unwrap_err();
    assert_eq!(error.code(), "self_approval");
    assert_eq!(error.denial().unwrap().action, "model.approved");
    let error = approve(&desk, "1.0.0", Stage::Production, &person("ann")).await.unwrap_err();
    assert_eq!(error.code(), "self_approval");

    // With the approval of somebody else the creator may carry it out.
    approve(&desk, "1.0.0", Stage::Production, &person("bob")).await.unwrap();
    let done = desk.try_promote("1.0.0", Stage::Production, &approving(), &person("ann")).await.unwrap();
    assert_eq!(done.version.approved_by.as_deref(), Some("bob"));

    desk.register("2.0.0").await;
    desk.set_policy(json!({ "approvals": 1, "allow_self_approval": true })).await;
    let done = desk.try_promote("2.0.0", Stage::Production, &approving(), &person("ann")).await.unwrap();
    assert_eq!(done.version.approved_by.as_deref(), Some("ann"));
}

#[tokio::test]
async fn nobody_with_a_token_approves_in_the_name_of_another() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    let named = Promotion { approved_by: Some("ml_lead".into()), ..approving() };
    let error = desk.try_promote("1.0.0", Stage::Production, &named, &person("bob")).await.unwrap_err();
    assert_eq!(error.code(), "approver_not_caller");
    assert!(error.denial().is_some());
    let same = Promotion { approved_by: Some("bob".into()), ..approving() };
    desk.try_promote("1.0.0", Stage::Staging, &same, &person("bob")).await.unwrap();
    // Where nobody is authenticated, the name is taken as asserted.
    let done = desk.try_promote("1.0.0", Stage::Production, &named, &Actor::local("ann")).await.unwrap();
    assert_eq!(done.version.approved_by.as_deref(), Some("ml_lead"));
    assert_eq!(desk.last_event().await.0.actor_kind, "local");
}

#[tokio::test]
async fn two_approvals_are_two_people_and_are_used_up() {
    let desk = Desk::new().await;
    desk.set_policy(json!({ "approvals": 2 })).await;
    desk.register("1.0.0").await;
    approve(&desk, "1.0.0", Stage::Production, &person("bob")).await.unwrap();
    assert_eq!(
        approve(&desk, "1.0.0", Stage::Production, &person("bob")).await.unwrap_err().code(),
        "already_approved"
    );
    // Bob's own act counts no second time.
    let error = desk.try_promote("1.0.0", Stage::Production, &approving(), &person("bob")).await.unwrap_err();
    assert_eq!(error.code(), "approval_required");
    let done = desk.try_promote("1.0.0", Stage::Production, &approving(), &person("cleo")).await.unwrap();
    assert_eq!(done.approvals.approvers, ["bob", "cleo"]);
    assert_eq!(done.version.approved_by.as_deref(), Some("bob, cleo"));
    assert_eq!(states(&desk, "1.0.0").await, [("bob".to_owned(), "used")]);

    desk.promote("1.0.0", Stage::Development).await;
    let error = desk.try_promote("1.0.0", Stage::Production, &approving(), &person("cleo")).await.unwrap_err();
    assert_eq!(error.code(), "approval_required", "what was used up does not count again");
}

#[tokio::test]
async fn an_approval_for_staging_is_none_for_production() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    approve(&desk, "1.0.0", Stage::Staging, &person("bob")).await.unwrap();
    let bare = Promotion::default();
    let error = desk.try_promote("1.0.0", Stage::Production, &bare, &person("dora")).await.unwrap_err();
    assert_eq!(error.code(), "approval_required");
    desk.try_promote("1.0.0", Stage::Staging, &bare, &person("dora")).await.unwrap();
    for stage in [Stage::Development, Stage::Archived] {
        assert_eq!(pointers(&approve(&desk, "1.0.0", stage, &person("bob")).await.unwrap_err()), ["/stage"]);
    }
}

#[tokio::test]
async fn an_approval_goes_stale_when_the_metrics_change_and_can_be_given_anew() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    desk.log_metric("1.0.0", "accuracy", "test", Some(0.95)).await;
    let given = approve(&desk, "1.0.0", Stage::Production, &person("bob")).await.unwrap();
    assert_eq!(given.row.metrics[0]["value"], 0.95);
    // The same value again is no change.
    desk.log_metric("1.0.0", "accuracy", "test", Some(0.95)).await;
    assert_eq!(states(&desk, "1.0.0").await, [("bob".to_owned(), "valid")]);
    desk.log_metric("1.0.0", "accuracy", "test", Some(0.61)).await;
    assert_eq!(states(&desk, "1.0.0").await, [("bob".to_owned(), "stale")]);
    let error = desk.try_promote("1.0.0", Stage::Production, &Promotion::default(), &person("dora")).await.unwrap_err();
    assert!(error.to_string().contains("that of bob does not count: the metrics have changed since"), "{error}");
    approve(&desk, "1.0.0", Stage::Production, &person("bob")).await.unwrap();
    desk.try_promote("1.0.0", Stage::Production, &Promotion::default(), &person("dora")).await.unwrap();
    assert_eq!(states(&desk, "1.0.0").await, [("bob".to_owned(), "withdrawn"), ("bob".to_owned(), "used")]);
}

#[tokio::test]
async fn an_approval_goes_stale_when_the_digest_becomes_known() {
    let desk = Desk::new().await;
    let version = desk.register("1.0.0").await;
    approve(&desk, "1.0.0", Stage::Production, &person("bob")).await.unwrap();
    sqlx::query("UPDATE model_registry SET artefact_digest = 'sha256:' || repeat('0', 64) WHERE id = $1")
        .bind(version.id)
        .execute(desk.pool())
        .await
        .unwrap();
    let error = desk.try_promote("1.0.0", Stage::Production, &Promotion::default(), &person("dora")).await.unwrap_err();
    assert!(error.to_string().contains("the artefact's digest has changed since"), "{error}");
}

#[tokio::test]
async fn a_withdrawn_approval_does_not_count() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    approve(&desk, "1.0.0", Stage::Production, &person("bob")).await.unwrap();
    let withdraw = |who: &'static str| {
        let desk = &desk;
        async move {
            let mut tx = desk.pool().begin().await.unwrap();
            registry::withdraw(&mut tx, MODEL, "1.0.0", Stage::Production, &person(who)).await?;
            tx.commit().await.unwrap();
            Ok::<_, Error>(())
        }
    };
    assert_eq!(withdraw("cleo").await.unwrap_err().code(), "approval_not_found");
    withdraw("bob").await.unwrap();
    assert_eq!(withdraw("bob").await.unwrap_err().code(), "approval_not_found");
    let error = desk.try_promote("1.0.0", Stage::Production, &Promotion::default(), &person("dora")).await.unwrap_err();
    assert_eq!(error.code(), "approval_required");
    let actions: Vec<String> = desk.trail().await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, ["model.registered", "model.approved", "model.approval_withdrawn"]);
}

#[tokio::test]
async fn going_down_needs_nobody() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    desk.promote("1.0.0", Stage::Production).await;
    for stage in [Stage::Staging, Stage::Archived] {
        desk.try_promote("1.0.0", stage, &Promotion::default(), &person("dora")).await.unwrap();
        assert_eq!(desk.get("1.0.0").await.approved_by.as_deref(), Some("bob"), "who approved it last");
    }
    desk.try_promote("1.0.0", Stage::Development, &Promotion::default(), &person("dora")).await.unwrap();
    let now = desk.get("1.0.0").await;
    assert_eq!((now.approved_by, now.promoted_at), (None, None), "nobody let it into development");
}

#[tokio::test]
async fn a_broken_glass_passes_the_policy_is_kept_and_told_until_the_version_leaves() {
    let desk = Desk::new().await;
    desk.set_policy(json!({ "approvals": 2, "staging_first": true, "gates": [{ "gate": "model_card" }] })).await;
    desk.register("1.0.0").await;
    let empty = Promotion { break_glass: Some(" ".into()), ..approving() };
    let error = desk.try_promote("1.0.0", Stage::Production, &empty, &person("root")).await.unwrap_err();
    assert_eq!(pointers(&error), ["/break_glass"]);

    let broken = Promotion { break_glass: Some("checkout is down".into()), ..approving() };
    let done = desk.try_promote("1.0.0", Stage::Production, &broken, &person("root")).await.unwrap();
    assert!(done.break_glass);
    let failed: Vec<&str> = done.gates.iter().filter(|gate| !gate.passed).map(|gate| gate.gate.as_str()).collect();
    assert_eq!(failed, ["staging_first", "model_card"]);
    let history = registry::history(&mut *desk.conn().await, MODEL, None, None, 1).await.unwrap();
    assert!(history[0].break_glass);
    assert_eq!(history[0].reason.as_deref(), Some("checkout is down"));
    assert_eq!(history[0].decision["gates"][1]["passed"], false);

    let incident = "SELECT kind, state, severity, title FROM incidents";
    let (kind, state, severity, title): (String, String, String, String) =
        sqlx::query_as(incident).fetch_one(desk.pool()).await.unwrap();
    assert_eq!((kind.as_str(), state.as_str(), severity.as_str()), ("break_glass", "open", "critical"));
    assert!(title.contains("put into production past its policy by root: checkout is down"), "{title}");
    let told = "SELECT count(*) FROM deliveries WHERE channel = 'team' AND state = 'pending' AND event_kind = 'opened'";
    assert_eq!(count(&mut *desk.conn().await, told).await, 1);

    desk.try_promote("1.0.0", Stage::Archived, &Promotion::default(), &person("root")).await.unwrap();
    let live = "SELECT count(*) FROM incidents WHERE state <> 'resolved'";
    assert_eq!(count(&mut *desk.conn().await, live).await, 0);
    // Again is told again.
    desk.try_promote("1.0.0", Stage::Production, &broken, &person("root")).await.unwrap();
    assert_eq!(count(&mut *desk.conn().await, live).await, 1);
}
