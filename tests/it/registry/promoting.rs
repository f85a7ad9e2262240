//! From stage to stage, back, and what was where when.

use chrono::{DateTime, Duration, Utc};

use super::*;

async fn production_at(desk: &Desk, at: DateTime<Utc>) -> Option<String> {
    registry::in_production_at(&mut *desk.conn().await, MODEL, at).await.unwrap().map(|period| period.version)
}

#[tokio::test]
async fn a_promotion_to_production_archives_the_one_there_and_says_so() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    desk.register("2.0.0").await;
    let first = desk.promote("1.0.0", Stage::Production).await;
    assert_eq!((first.from, first.to), (Stage::Development, Stage::Production));
    assert!(first.demoted.is_none() && !first.rollback && !first.break_glass);
    assert_eq!(first.version.approved_by.as_deref(), Some("bob"));
    assert_eq!(first.approvals.approvers, ["bob"]);

    let second = desk.promote("2.0.0", Stage::Production).await;
    let demoted = second.demoted.as_ref().unwrap();
    assert_eq!((demoted.version.as_str(), demoted.stage.as_str()), ("1.0.0", "archived"));
    assert_eq!(desk.get("1.0.0").await.stage, "archived");
    assert_eq!(desk.get("2.0.0").await.stage, "production");

    let (event, detail) = desk.last_event().await;
    assert_eq!((event.action.as_str(), event.sequence), ("model.promoted", second.sequence));
    assert_eq!((&detail["from"], &detail["to"]), (&json!("development"), &json!("production")));
    assert_eq!(detail["decision"]["demoted"], "1.0.0");
    assert_eq!(desk.trail().await.len(), 4, "one event a mutation");
}

#[tokio::test]
async fn every_stage_leads_to_every_other_and_the_history_has_no_gap() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    let mut walk = vec![Stage::Development];
    // Each ordered pair of stages once: a walk through all twelve moves.
    use Stage::{Archived as A, Development as D, Production as P, Staging as S};
    for to in [S, P, A, D, P, S, A, S, D, A, P, D] {
        let from = *walk.last().unwrap();
        let done = desk.promote("1.0.0", to).await;
        assert_eq!((done.from, done.to), (from, to));
        assert_eq!(done.version.stage, to.as_str());
        walk.push(to);
    }
    let mut history = registry::history(&mut *desk.conn().await, MODEL, Some("1.0.0"), None, 100).await.unwrap();
    history.reverse();
    let stages: Vec<&str> = history.iter().map(|period| period.stage.as_str()).collect();
    assert_eq!(stages, walk.iter().map(|stage| stage.as_str()).collect::<Vec<_>>());
    for pair in history.windows(2) {
        assert_eq!(pair[0].valid_to, Some(pair[1].valid_from));
        assert_eq!(pair[1].from_stage.as_deref(), Some(pair[0].stage.as_str()));
    }
    let trail: Vec<String> = desk.trail().await.into_iter().skip(1).map(|(action, _)| action).collect();
    let expected = [
        "promoted", "promoted", "archived", "restored", "promoted", "demoted", "archived", "promoted", "demoted",
        "archived", "promoted", "demoted",
    ];
    assert_eq!(trail, expected.map(|verb| format!("model.{verb}")));
}

#[tokio::test]
async fn what_is_there_already_is_not_put_there_again() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    let error = desk.try_promote("1.0.0", Stage::Development, &approving(), &person("bob")).await.unwrap_err();
    assert_eq!(error.code(), "already_in_stage");
    assert!(error.denial().is_none());
}

#[tokio::test]
async fn a_stale_revision_is_refused() {
    let desk = Desk::new().await;
    let read = desk.register("1.0.0").await;
    let asked = Promotion { if_revision: Some(read.revision), ..approving() };
    let done = desk.try_promote("1.0.0", Stage::Staging, &asked, &person("bob")).await.unwrap();
    assert!(done.version.revision > read.revision);
    let error = desk.try_promote("1.0.0", Stage::Production, &asked, &person("bob")).await.unwrap_err();
    assert_eq!(error.code(), "revision_mismatch");
    assert_eq!(desk.get("1.0.0").await.stage, "staging");
}

#[tokio::test]
async fn what_was_in_production_at_an_instant_is_one_question() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    desk.register("2.0.0").await;
    let first = desk.promote("1.0.0", Stage::Production).await.version.promoted_at.unwrap();
    let second = desk.promote("2.0.0", Stage::Production).await.version.promoted_at.unwrap();
    desk.promote("2.0.0", Stage::Archived).await;
    assert!(first < second);
    let moment = Duration::microseconds(1);
    assert_eq!(production_at(&desk, first - moment).await, None);
    assert_eq!(production_at(&desk, first).await.as_deref(), Some("1.0.0"));
    assert_eq!(production_at(&desk, second - moment).await.as_deref(), Some("1.0.0"));
    assert_eq!(production_at(&desk, second).await.as_deref(), Some("2.0.0"));
    assert_eq!(production_at(&desk, second + Duration::days(1)).await, None);
    let error = registry::in_production_at(&mut *desk.conn().await, "nobody", first).await.unwrap_err();
    assert_eq!(error.code(), "model_not_found");
}

#[tokio::test]
async fn a_clock_that_was_put_back_makes_no_period_overlap() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    let up = desk.promote("1.0.0", Stage::Production).await;
    let mut tx = desk.pool().begin().await.unwrap();
    sqlx::query("SELECT set_config('steward.now', '2001-01-01T00:00:00Z', true)").execute(&mut *tx).await.unwrap();
    registry::promote(&mut tx, desk.setup(), MODEL, "1.0.0", Stage::Archived, &approving(), &person("bob"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let history = registry::history(&mut *desk.conn().await, MODEL, None, None, 10).await.unwrap();
    assert_eq!(history[0].valid_from, up.version.promoted_at.unwrap());
}

#[tokio::test]
async fn a_rollback_puts_the_version_before_back_and_twice_does_not_undo_it() {
    let desk = Desk::new().await;
    for version in ["1.0.0", "2.0.0"] {
        desk.register(version).await;
        desk.promote(version, Stage::Production).await;
    }
    let rollback = || async {
        let mut tx = desk.pool().begin().await.unwrap();
        let asked = Promotion { reason: Some("errors after the release".into()), ..approving() };
        let done = registry::rollback(&mut tx, desk.setup(), MODEL, &asked, &person("bob")).await.unwrap();
        tx.commit().await.unwrap();
        done
    };
    let back = rollback().await;
    assert!(back.rollback);
    assert_eq!((back.version.version.as_str(), back.demoted.unwrap().version.as_str()), ("1.0.0", "2.0.0"));
    let (event, detail) = desk.last_event().await;
    assert_eq!(event.action, "model.rolled_back");
    assert_eq!(
        (&detail["decision"]["rollback"], &detail["reason"]),
        (&json!(true), &json!("errors after the release"))
    );
    let mut conn = desk.conn().await;
    let error = registry::rollback(&mut conn, desk.setup(), MODEL, &approving(), &person("bob")).await.unwrap_err();
    assert_eq!(error.code(), "nothing_to_roll_back_to", "2.0.0 was taken out");
}

#[tokio::test]
async fn a_rollback_passes_over_what_is_deleted_and_what_broke_the_glass_on_its_way_back() {
    let desk = Desk::new().await;
    let broken = Promotion { break_glass: Some("a test".into()), ..approving() };
    for version in ["1.0.0", "2.0.0", "3.0.0", "4.0.0"] {
        desk.register(version).await;
        desk.try_promote(version, Stage::Production, &broken, &person("bob")).await.unwrap();
    }
    let mut conn = desk.conn().await;
    registry::delete(&mut conn, desk.setup(), MODEL, "3.0.0", "a mistake", None, &person("root")).await.unwrap();
    let mut back = async || {
        let done = registry::rollback(&mut conn, desk.setup(), MODEL, &broken, &person("bob")).await;
        done.map(|done| (done.version.version, done.rollback)).map_err(|error| error.code())
    };
    assert_eq!(back().await, Ok(("2.0.0".to_owned(), true)));
    assert_eq!(back().await, Ok(("1.0.0".to_owned(), true)));
    assert_eq!(back().await, Err("nothing_to_roll_back_to"));
}

#[tokio::test]
async fn a_rollback_brings_back_what_was_made_ready_or_nothing() {
    let desk = Desk::new().await;
    let mut versions = Vec::new();
    for version in ["1.0.0", "2.0.0"] {
        versions.push(desk.register(version).await);
        desk.promote(version, Stage::Production).await;
    }
    let mut conn = desk.conn().await;
    let asked = Promotion { prepared: Some(versions[1].id), ..approving() };
    let error = registry::rollback(&mut conn, desk.setup(), MODEL, &asked, &person("bob")).await.unwrap_err();
    assert_eq!(error.code(), "revision_mismatch");
    let asked = Promotion { prepared: Some(versions[0].id), ..approving() };
    let done = registry::rollback(&mut conn, desk.setup(), MODEL, &asked, &person("bob")).await.unwrap();
    assert_eq!(done.version.version, "1.0.0");
}

#[tokio::test]
async fn without_an_earlier_version_there_is_no_rollback() {
    let desk = Desk::new().await;
    let mut conn = desk.conn().await;
    let asked = approving();
    let error = registry::rollback(&mut conn, desk.setup(), MODEL, &asked, &person("bob")).await.unwrap_err();
    assert_eq!(error.code(), "model_not_found");
    desk.register("1.0.0").await;
    desk.promote("1.0.0", Stage::Production).await;
    let error = registry::rollback(&mut conn, desk.setup(), MODEL, &asked, &person("bob")).await.unwrap_err();
    assert_eq!(error.code(), "nothing_to_roll_back_to");
}

#[tokio::test]
async fn an_unknown_version_is_not_promoted() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    for (version, code) in
        [("9.9.9", "version_not_found"), ("1.0.0' OR true --", "version_not_found"), ("\0", "model_not_found")]
    {
        let error = desk.try_promote(version, Stage::Production, &approving(), &person("bob")).await.unwrap_err();
        assert_eq!(error.code(), code, "{version:?}");
    }
    assert_eq!(desk.get("1.0.0").await.stage, "development");
}

#[tokio::test]
async fn a_move_that_is_not_committed_leaves_nothing() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    let before = desk.trail().await;
    let mut tx = desk.pool().begin().await.unwrap();
    registry::promote(&mut tx, desk.setup(), MODEL, "1.0.0", Stage::Production, &approving(), &person("bob"))
        .await
        .unwrap();
    drop(tx);
    assert_eq!(desk.get("1.0.0").await.stage, "development");
    assert_eq!(desk.trail().await, before);
    assert_eq!(count(&mut *desk.conn().await, "SELECT count(*) FROM model_stage_history").await, 1);
    assert_eq!(audit::verify(desk.pool(), None).await.unwrap().problem, None);
}
