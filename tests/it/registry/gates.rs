//! Policies and gates: each one's yes and no, and that a dry run and the promotion say the same.

use registry::{GateAnswer, PromotionCheck};
use uuid::Uuid;

use super::*;

async fn check(desk: &Desk, version: &str, target: Stage) -> PromotionCheck {
    let mut conn = desk.conn().await;
    registry::promotion_check(&mut conn, desk.setup(), MODEL, version, target, &approving(), &person("bob"))
        .await
        .unwrap()
}

/// The only gate's answer for production; a promotion is refused or done accordingly.
async fn answer(desk: &Desk, version: &str) -> GateAnswer {
    let mut judged = check(desk, version, Stage::Production).await;
    assert_eq!(judged.gates.len(), 1);
    let answer = judged.gates.remove(0);
    assert_eq!(judged.allowed, answer.passed);
    answer
}

async fn gate(desk: &Desk, gate: Value) {
    desk.set_policy(json!({ "approvals": 1, "gates": [gate] })).await;
}

#[tokio::test]
async fn failed_gates_refuse_with_every_answer_and_the_answers_are_kept() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    desk.set_policy(json!({ "approvals": 1, "gates": [
        { "gate": "metric", "metric": "accuracy", "split": "test", "min": 0.9 },
        { "gate": "no_open_incidents" },
        { "gate": "model_card" },
    ] }))
    .await;
    let error = desk.try_promote("1.0.0", Stage::Production, &approving(), &person("bob")).await.unwrap_err();
    assert_eq!(error.code(), "gates_failed");
    let text = error.to_string();
    assert!(text.contains("2 of 3 gates") && text.contains("no value of accuracy (test) has been logged"), "{text}");
    let Error::GatesFailed(judged) = &error else { panic!("{error}") };
    assert_eq!(judged.gates.iter().map(|g| g.passed).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(error.denial().unwrap().detail["check"]["gates"][2]["gate"], "model_card");
    // Staging asks no gate.
    desk.promote("1.0.0", Stage::Staging).await;

    desk.log_metric("1.0.0", "accuracy", "test", Some(0.95)).await;
    let mut tx = desk.pool().begin().await.unwrap();
    registry::add_card(&mut tx, MODEL, "1.0.0", "# Flight delay\n", &person("ann")).await.unwrap();
    tx.commit().await.unwrap();
    assert!(check(&desk, "1.0.0", Stage::Production).await.allowed);
    let done = desk.promote("1.0.0", Stage::Production).await;
    assert!(done.gates.iter().all(|gate| gate.passed));
    let history = registry::history(&mut *desk.conn().await, MODEL, None, None, 1).await.unwrap();
    assert_eq!(history[0].decision["gates"][0]["evidence"]["value"], 0.95);
    assert_eq!(history[0].decision["policy"]["gates"][0]["min"], 0.9);
}

#[tokio::test]
async fn the_metric_gate_looks_at_the_latest_value_of_its_split() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    gate(&desk, json!({ "gate": "metric", "metric": "accuracy", "split": "test", "min": 0.9, "max": 0.99 })).await;
    let rows = [
        ("train", Some(0.95), "no value of accuracy (test) has been logged"),
        ("test", Some(0.85), "accuracy (test) is 0.85, below 0.9"),
        ("test", Some(0.999), "accuracy (test) is 0.999, above 0.99"),
        ("test", None, "the latest value of accuracy (test) is undefined"),
    ];
    for (split, value, detail) in rows {
        desk.log_metric("1.0.0", "accuracy", split, value).await;
        let answer = answer(&desk, "1.0.0").await;
        assert_eq!((answer.passed, answer.detail.as_str()), (false, detail));
    }
    desk.log_metric("1.0.0", "accuracy", "test", Some(0.9)).await;
    let answer = answer(&desk, "1.0.0").await;
    assert_eq!((answer.passed, answer.detail.as_str()), (true, "accuracy (test) is 0.9"));
}

#[tokio::test]
async fn the_metric_gate_refuses_values_that_are_too_old() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    gate(&desk, json!({ "gate": "metric", "metric": "accuracy", "max_age_hours": 24 })).await;
    desk.log_metric("1.0.0", "accuracy", "test", Some(0.9)).await;
    assert!(answer(&desk, "1.0.0").await.passed);
    // The table refuses it, and time does not stand still for tests.
    let allow = "ALTER TABLE model_validation_metrics DISABLE TRIGGER model_validation_metrics_kept";
    sqlx::query(allow).execute(desk.pool()).await.unwrap();
    sqlx::query("UPDATE model_validation_metrics SET created_at = created_at - interval '25 hours'")
        .execute(desk.pool())
        .await
        .unwrap();
    assert_eq!(answer(&desk, "1.0.0").await.detail, "accuracy is 0.9, but 25.0 hours old; 24 are the most");
}

#[tokio::test]
async fn the_metric_gate_compares_with_production_in_the_metrics_own_direction() {
    let desk = Desk::new().await;
    for version in ["1.0.0", "2.0.0"] {
        desk.register(version).await;
    }
    for (metric, production, worse, better) in [("roc_auc", 0.80, 0.77, 0.79), ("mae", 10.0, 10.1, 9.0)] {
        let margin = json!({ "gate": "metric", "metric": metric, "not_worse_than_production_by": 0.02 });
        gate(&desk, margin).await;
        desk.log_metric("2.0.0", metric, "test", Some(worse)).await;
        if metric == "roc_auc" {
            assert!(answer(&desk, "2.0.0").await.detail.contains("nothing is in production to compare with"));
            desk.try_promote(
                "1.0.0",
                Stage::Production,
                &Promotion { break_glass: Some("first".into()), ..approving() },
                &person("bob"),
            )
            .await
            .unwrap();
        }
        assert!(answer(&desk, "2.0.0").await.detail.contains(&format!("production's 1.0.0 has no value of {metric}")));
        desk.log_metric("1.0.0", metric, "test", Some(production)).await;
        let no = answer(&desk, "2.0.0").await;
        assert!(!no.passed && no.detail.ends_with("worse by more than 0.02"), "{no:?}");
        assert_eq!(no.evidence["production_version"], "1.0.0");
        desk.log_metric("2.0.0", metric, "test", Some(better)).await;
        assert!(answer(&desk, "2.0.0").await.passed);
    }
}

#[tokio::test]
async fn the_incident_gate_counts_what_is_open_of_the_version_and_of_its_model() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    gate(&desk, json!({ "gate": "no_open_incidents" })).await;
    let incident = |version: Option<&'static str>, severity: &'static str| {
        let pool = desk.pool().clone();
        async move {
            let id = Uuid::new_v4();
            sqlx::query(
                "INSERT INTO incidents (id, fingerprint, job_name, kind, subject, severity, title, model_name, model_version,
                     evidence, opened_at, last_breach_at)
                 VALUES ($1, $1::text, 'job', 'drift', 'temp', $2, 'temp drifted', $3, $4, '{}', now(), now())",
            )
            .bind(id)
            .bind(severity)
            .bind(MODEL)
            .bind(version)
            .execute(&pool)
            .await
            .unwrap();
            id
        }
    };
    incident(Some("1.0.0"), "info").await;
    incident(Some("2.0.0"), "critical").await;
    assert!(answer(&desk, "1.0.0").await.passed);
    let own = incident(Some("1.0.0"), "warning").await;
    assert_eq!(answer(&desk, "1.0.0").await.detail, "an incident is open: temp drifted");
    sqlx::query("UPDATE incidents SET state = 'resolved' WHERE id = $1").bind(own).execute(desk.pool()).await.unwrap();
    assert!(answer(&desk, "1.0.0").await.passed);
    incident(None, "warning").await;
    assert!(!answer(&desk, "1.0.0").await.passed);
    gate(&desk, json!({ "gate": "no_open_incidents", "severity": "critical" })).await;
    assert!(answer(&desk, "1.0.0").await.passed);
}

#[tokio::test]
async fn the_test_gate_asks_for_a_win() {
    let desk = Desk::new().await;
    desk.register("2.0.0").await;
    gate(&desk, json!({ "gate": "ab_test_won" })).await;
    assert!(answer(&desk, "2.0.0").await.detail.contains("no A/B test of this version has been concluded"));
    for (name, winner, passed) in [("first", Some("a"), false), ("second", None, false), ("third", Some("b"), true)] {
        sqlx::query(
            "INSERT INTO model_ab_tests (test_name, model_a_name, model_a_version, model_b_name, model_b_version,
                 success_metric, status, winner, ended_at)
             VALUES ($1, $2, '1.0.0', $2, '2.0.0', 'accuracy', 'concluded', $3, clock_timestamp())",
        )
        .bind(name)
        .bind(MODEL)
        .bind(winner)
        .execute(desk.pool())
        .await
        .unwrap();
        let answer = answer(&desk, "2.0.0").await;
        assert_eq!((answer.passed, answer.evidence["test"]["test_name"].as_str()), (passed, Some(name)));
    }
    gate(&desk, json!({ "gate": "ab_test_won", "test": "first" })).await;
    assert_eq!(answer(&desk, "2.0.0").await.detail, "it lost first");
}

#[tokio::test]
async fn the_artefact_gate_wants_verified_bytes_also_on_the_way_back() {
    let desk = Desk::new().await;
    let version = desk.register("1.0.0").await;
    gate(&desk, json!({ "gate": "artefact_verified", "max_age_hours": 1 })).await;
    let status = |status: &'static str, hours: i32| {
        let pool = desk.pool().clone();
        async move {
            sqlx::query("UPDATE model_registry SET artefact_status = $2, artefact_checked_at = now() - make_interval(hours => $3) WHERE id = $1")
                .bind(version.id)
                .bind(status)
                .bind(hours)
                .execute(&pool)
                .await
                .unwrap();
        }
    };
    for (word, hours, detail) in [
        ("none", 0, "no artefact has been verified"),
        ("pending", 0, "the artefact has not been verified yet"),
        ("missing", 0, "the artefact is missing"),
        ("mismatch", 0, "the artefact is not what was registered"),
        ("verified", 2, "the artefact was verified 2.0 hours ago"),
    ] {
        status(word, hours).await;
        let answer = answer(&desk, "1.0.0").await;
        assert!(!answer.passed && answer.detail.starts_with(detail), "{answer:?}");
    }
    status("verified", 0).await;
    desk.promote("1.0.0", Stage::Production).await;
    desk.promote("1.0.0", Stage::Archived).await;
    status("mismatch", 0).await;
    let back = check(&desk, "1.0.0", Stage::Production).await;
    assert!(back.rollback && !back.allowed);
}

#[tokio::test]
async fn staging_first_asks_for_the_stage_and_the_hours() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    desk.set_policy(json!({ "approvals": 1, "staging_first": true, "min_hours_in_staging": 24 })).await;
    assert_eq!(answer(&desk, "1.0.0").await.detail, "the version is in development, not in staging");
    desk.promote("1.0.0", Stage::Staging).await;
    assert_eq!(answer(&desk, "1.0.0").await.detail, "the version has been in staging for 0.0 hours; 24 are needed");
    let mut tx = desk.pool().begin().await.unwrap();
    sqlx::query("SELECT set_config('steward.now', (now() + interval '24 hours')::text, true)")
        .execute(&mut *tx)
        .await
        .unwrap();
    let done =
        registry::promote(&mut tx, desk.setup(), MODEL, "1.0.0", Stage::Production, &approving(), &person("bob")).await;
    assert!(done.unwrap().gates[0].passed);
}

#[tokio::test]
async fn a_version_that_goes_back_is_not_judged_again() {
    let desk = Desk::new().await;
    for version in ["1.0.0", "2.0.0"] {
        desk.register(version).await;
        desk.promote(version, Stage::Production).await;
    }
    desk.set_policy(json!({ "approvals": 1, "staging_first": true, "gates": [{ "gate": "model_card" }] })).await;
    let back = check(&desk, "1.0.0", Stage::Production).await;
    assert!(back.rollback && back.allowed && back.gates.is_empty());
    assert_eq!(back.demotes.as_deref(), Some("2.0.0"));
    // One that was archived and never in production is not coming back.
    desk.register("3.0.0").await;
    desk.promote("3.0.0", Stage::Archived).await;
    let never = check(&desk, "3.0.0", Stage::Production).await;
    assert!(!never.rollback && !never.allowed);
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_says_what_is_missing() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    let before = desk.trail().await;
    let mut conn = desk.conn().await;
    let bare = Promotion::default();
    let judged =
        registry::promotion_check(&mut conn, desk.setup(), MODEL, "1.0.0", Stage::Production, &bare, &person("bob"))
            .await
            .unwrap();
    assert!(!judged.allowed);
    assert_eq!((judged.approvals.needed, judged.approvals.have, judged.approvals.missing), (1, 0, 1));
    assert_eq!(desk.trail().await, before);
}

#[tokio::test]
async fn a_policy_is_checked_when_it_is_set() {
    for (policy, pointer) in [
        (json!({ "approvals": 99 }), "/approvals"),
        (json!({ "approvals": 1, "aprovals": 2 }), ""),
        (json!({ "approvals": -1 }), ""),
        (json!({ "approvals": 1, "min_hours_in_staging": 2 }), "/min_hours_in_staging"),
        (json!({ "approvals": 1, "gates": [{ "gate": "metrics" }] }), "/gates/0/gate"),
        (json!({ "approvals": 1, "gates": [{ "gate": "metric" }] }), "/gates/0"),
        (json!({ "approvals": 1, "gates": [{ "gate": "metric", "metric": "accuracy" }] }), "/gates/0"),
        (
            json!({ "approvals": 1, "gates": [{ "gate": "metric", "metric": "accuracy", "min": 2, "max": 1 }] }),
            "/gates/0",
        ),
        (
            json!({ "approvals": 1, "gates": [{ "gate": "metric", "metric": "home_made", "not_worse_than_production_by": 1 }] }),
            "/gates/0",
        ),
        (json!({ "approvals": 1, "gates": [{ "gate": "model_card", "edition": 1 }] }), "/gates/0"),
        (json!({ "approvals": 1, "gates": [{ "gate": "artefact_verified", "max_age_hours": 0 }] }), "/gates/0"),
    ] {
        let error = Policy::read(&policy).unwrap_err();
        assert_eq!(pointers(&error), [pointer], "{policy}");
    }
}

#[tokio::test]
async fn a_policy_is_set_by_revision_and_cleared_and_both_are_kept() {
    let desk = Desk::new().await;
    let mut tx = desk.pool().begin().await.unwrap();
    let setup = desk.setup();
    let configured = registry::policy::get(&mut tx, setup, MODEL).await.unwrap();
    assert_eq!((configured.own, configured.revision, configured.policy.approvals), (false, 0, 1));
    let strict = Policy::read(&json!({ "approvals": 2 })).unwrap();
    let set = registry::policy::set(&mut tx, setup, MODEL, &strict, Some(0), &person("root")).await.unwrap();
    assert_eq!((set.own, set.revision, set.updated_by.as_deref()), (true, 1, Some("root")));
    let error = registry::policy::set(&mut tx, setup, MODEL, &strict, Some(0), &person("root")).await.unwrap_err();
    assert_eq!(error.code(), "revision_mismatch");
    let cleared = registry::policy::clear(&mut tx, setup, MODEL, Some(1), &person("root")).await.unwrap();
    assert_eq!(cleared, configured);
    tx.commit().await.unwrap();
    let trail = desk.trail().await;
    assert_eq!(trail, [("policy.set".to_owned(), MODEL.to_owned()), ("policy.cleared".to_owned(), MODEL.to_owned())]);
}
