//! Every migration runs over a database that is in use.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use steward::db::migrator::MIGRATOR;
use uuid::Uuid;

use crate::support::database::server;

/// Rows as the program would have left them, by the version of the migration that made their tables.
const ROWS: &[(i64, &str)] = &[
    (20261101000002, "
        INSERT INTO model_registry (model_name, version, stage, created_by, approved_by, auto_registered, created_at, promoted_at)
        VALUES ('flight_delay', '1.0.0', 'production', 'ann', 'grace', false, '2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z'),
               ('flight_delay', '1.1.0-rc.1', 'development', NULL, NULL, true, '2026-03-01T00:00:00Z', NULL),
               ('old_model', 'spring release', 'staging', NULL, NULL, false, '2025-01-01T00:00:00Z', NULL);
        INSERT INTO model_validation_metrics (model_name, model_version, metric_name, metric_value, metric_type)
        VALUES ('flight_delay', '1.0.0', 'accuracy', 0.9, 'classification');
        INSERT INTO model_drift_detection (drift_type, feature_name, method, is_alert, status) VALUES ('data', 'temp', 'ks_test', true, 'drifted');
        INSERT INTO model_ab_tests (id, test_name, model_a_name, model_a_version, model_b_name, model_b_version, success_metric)
        VALUES ('00000000-0000-0000-0000-0000000000ab', 't', 'm', '1.0.0', 'm', '2.0.0', 'accuracy');
        INSERT INTO model_ab_test_results (test_id, look, n_a, n_b, is_significant, meets_threshold, decision, reason)
        VALUES ('00000000-0000-0000-0000-0000000000ab', 1, 2, 2, false, false, 'WAIT', 'few')"),
    (20261101000003, "
        INSERT INTO jobs (id, name, kind, document, source, digest)
        VALUES ('00000000-0000-0000-0000-000000000001', 'j', 'drift', '{}', '', '');
        INSERT INTO schedules (id, job_id, cron, timezone, epoch, high_water)
        VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', '@daily', 'UTC', now(), now());
        INSERT INTO runs (id, job_id, job_name, kind, document, trigger)
        VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001', 'j', 'drift', '{}', 'manual');
        INSERT INTO run_attempts (run_id, fence, worker_id, worker_name)
        VALUES ('00000000-0000-0000-0000-000000000003', 1, '00000000-0000-0000-0000-000000000009', 'w');
        INSERT INTO run_inputs (run_id, role, object, size_bytes) VALUES ('00000000-0000-0000-0000-000000000003', 'data', 'x', 1);
        INSERT INTO ticks (schedule_id, tick_at, verdict) VALUES ('00000000-0000-0000-0000-000000000002', now(), 'enqueued')"),
    (20261101000004, "
        INSERT INTO incidents (id, fingerprint, job_name, kind, subject, title, model_name, model_version, evidence, opened_at, last_breach_at)
        VALUES ('00000000-0000-0000-0000-000000000004', 'f', 'j', 'drift', 'temp', 'temp drifted', 'flight_delay', '1.0.0', '{}', now(), now());
        INSERT INTO incident_events (incident_id, kind, at) VALUES ('00000000-0000-0000-0000-000000000004', 'opened', now());
        INSERT INTO job_evaluations VALUES ('j', now(), '00000000-0000-0000-0000-000000000003');
        INSERT INTO deliveries (id, event_id, event_kind, channel, channel_kind, recipient, subject, message)
        VALUES ('00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000006', 'opened', 'c', 'email', 'a@b', 's', '{}');
        INSERT INTO delivery_incidents VALUES ('00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000004');
        INSERT INTO delivery_attempts (delivery_id, attempt, started_at, finished_at, outcome, latency_ms)
        VALUES ('00000000-0000-0000-0000-000000000005', 1, now(), now(), 'sent', 1)"),
    (20261124000001, "SELECT append_governance_event('ann', 'local', 'model.registered', 'done', 'model', 'a/1.0.0', NULL, '{}')"),
    (20261124000002, "
        INSERT INTO model_registry (model_name, version, created_by, tags) VALUES ('flight_delay', '2.0.0+build.1', 'ann', '{\"a\": \"1\"}');
        INSERT INTO model_registry (model_name, version, approved_by, promoted_at)
        VALUES ('flight_delay', '0.9.0', 'grace', '2026-01-15T00:00:00Z')"),
];

#[tokio::test]
async fn every_migration_runs_over_a_database_with_rows() {
    let (admin, _server) = server().await;
    let name = format!("t_{}", Uuid::now_v7().simple());
    let mut connection = PgConnection::connect(&admin).await.unwrap();
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let mut url = url::Url::parse(&admin).unwrap();
    url.set_path(&name);
    let mut inside = PgConnection::connect(url.as_str()).await.unwrap();
    let mut filled = 0;
    for migration in MIGRATOR.iter() {
        // All up to this one: those before have been applied, over the rows of their time.
        MIGRATOR
            .run_to(migration.version, &mut inside)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", migration.version));
        for (_, rows) in ROWS.iter().filter(|(version, _)| *version == migration.version) {
            inside.execute(*rows).await.unwrap_or_else(|error| panic!("rows of {}: {error}", migration.version));
            filled += 1;
        }
    }
    assert_eq!(filled, ROWS.len(), "every set of rows has its migration");

    let legacy: (String, String, bool, String, Option<String>) = sqlx::query_as(
        "SELECT m.version, m.precedence, m.is_prerelease, h.stage, h.reason
           FROM model_registry m JOIN model_stage_history h ON h.model_id = m.id WHERE m.model_name = 'old_model'",
    )
    .fetch_one(&mut inside)
    .await
    .unwrap();
    assert_eq!((legacy.0.as_str(), legacy.1.as_str(), legacy.2), ("spring release", " spring release", true));
    assert_eq!((legacy.3.as_str(), legacy.4.as_deref()), ("staging", Some("registered before the history began")));
    let production: (String, chrono::DateTime<chrono::Utc>, Option<String>) = sqlx::query_as(
        "SELECT version, valid_from, approved_by FROM model_stage_history WHERE stage = 'production' AND valid_to IS NULL",
    )
    .fetch_one(&mut inside)
    .await
    .unwrap();
    assert_eq!(production.0, "1.0.0");
    assert_eq!(
        (production.1.to_rfc3339().as_str(), production.2.as_deref()),
        ("2026-02-01T00:00:00+00:00", Some("grace"))
    );
    // A row from before the rule of versions can still be described and moved.
    inside
        .execute("UPDATE model_registry SET description = 'kept', stage = 'archived' WHERE model_name = 'old_model'")
        .await
        .unwrap();
    let taken_down = "SELECT approved_by, promoted_at FROM model_registry WHERE version = '0.9.0'";
    let taken_down: (Option<String>, Option<chrono::DateTime<chrono::Utc>>) =
        sqlx::query_as(taken_down).fetch_one(&mut inside).await.unwrap();
    assert_eq!(taken_down, (None, None), "nobody let it into development");
    inside.close().await.unwrap();
    connection.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
}
