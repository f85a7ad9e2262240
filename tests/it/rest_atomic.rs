//! A killed process leaves no half-done work: whatever was asked of it has happened as a whole or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::http::{Client, Service};

const ROUNDS: u32 = 5;
const CLIENTS: u32 = 6;

/// A mutation that was asked for, and what is known of it.
#[derive(Debug, Clone)]
struct Asked {
    key: String,
    path: String,
    body: Value,
    answer: Option<(u16, Value)>,
}

async fn ask(api: &Client, asked: &mut Asked) {
    let key = [("idempotency-key", asked.key.as_str())];
    let sent = api.try_send("POST", &asked.path, Some(asked.body.to_string()), &key).await;
    asked.answer = sent.ok().map(|answer| (answer.status, answer.body));
}

/// Registers, measures and promotes until the process is gone.
async fn hammer(api: Client, numbers: Arc<AtomicU32>) -> Vec<Asked> {
    let mut all = Vec::new();
    loop {
        let version = format!("1.{}.0", numbers.fetch_add(1, Ordering::Relaxed));
        let place = format!("/governance/models/m/{version}");
        for (what, path, body) in [
            ("register", "/governance/models/register".to_owned(), json!({ "model_name": "m", "version": version })),
            ("metric", format!("{place}/metrics"), json!({ "metric_name": "a", "metric_value": 1 })),
            ("promote", format!("{place}/promote"), json!({ "target_stage": "production", "approved_by": "lead" })),
        ] {
            let mut asked = Asked { key: format!("{what}-{version}"), path, body, answer: None };
            ask(&api, &mut asked).await;
            let gone = asked.answer.is_none();
            all.push(asked);
            if gone {
                return all;
            }
        }
    }
}

async fn count(pool: &PgPool, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(pool).await.unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// What holds whenever nobody is writing.
async fn holds(service: &Service) {
    let pool = &service.database.pool;
    for (wrong, what) in [
        (
            "versions without registration event",
            "SELECT count(*) FROM model_registry r WHERE NOT EXISTS \
          (SELECT FROM governance_events e WHERE e.action = 'model.registered' AND e.subject = r.model_name || '/' || r.version)",
        ),
        (
            "registration events without version",
            "SELECT count(*) FROM governance_events e WHERE e.action = 'model.registered' \
          AND NOT EXISTS (SELECT FROM model_registry r WHERE e.subject = r.model_name || '/' || r.version)",
        ),
        (
            "history without event",
            "SELECT count(*) FROM model_stage_history h WHERE NOT EXISTS \
          (SELECT FROM governance_events e WHERE e.sequence = h.event_sequence AND e.outcome = 'done')",
        ),
        (
            "promotion events without history",
            "SELECT count(*) FROM governance_events e WHERE e.action = 'model.promoted' \
          AND e.outcome = 'done' AND NOT EXISTS (SELECT FROM model_stage_history h WHERE h.event_sequence = e.sequence)",
        ),
        (
            "versions whose stage is not that of their history",
            "SELECT count(*) FROM model_registry r WHERE NOT EXISTS \
          (SELECT FROM model_stage_history h WHERE h.model_id = r.id AND h.valid_to IS NULL AND h.stage = r.stage)",
        ),
        ("keys without answer", "SELECT count(*) FROM idempotency_keys WHERE status IS NULL OR body IS NULL"),
        (
            "keys without effect",
            "SELECT count(*) FROM idempotency_keys k WHERE NOT EXISTS (SELECT FROM governance_events e \
          WHERE e.outcome = 'done' AND e.subject = 'm/' || split_part(k.key, '-', 2)) ",
        ),
        ("metrics twice", "SELECT count(*) - count(DISTINCT model_version) FROM model_validation_metrics"),
    ] {
        assert_eq!(count(pool, what).await, 0, "{wrong}");
    }
    let production = count(pool, "SELECT count(*) FROM model_registry WHERE stage = 'production'").await;
    let open =
        count(pool, "SELECT count(*) FROM model_stage_history WHERE stage = 'production' AND valid_to IS NULL").await;
    let ever =
        count(pool, "SELECT count(*) FROM governance_events WHERE action = 'model.promoted' AND outcome = 'done'")
            .await;
    assert_eq!((production, open), (ever.min(1), ever.min(1)));
    let output = tokio::task::block_in_place(|| service.site.run(&["audit", "verify"]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_nothing_half_done() {
    let mut service = Service::open().await;
    let numbers = Arc::new(AtomicU32::new(0));
    let mut all: BTreeMap<String, Asked> = BTreeMap::new();
    let mut unanswered = 0;
    for round in 0..ROUNDS {
        let api = service.client();
        let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(hammer(api.clone(), numbers.clone()))).collect();
        tokio::time::sleep(Duration::from_millis(400 + u64::from(round) * 137)).await;
        service.role.kill();
        for client in clients {
            for asked in client.await.unwrap() {
                unanswered += usize::from(asked.answer.is_none());
                all.insert(asked.key.clone(), asked);
            }
        }
        // Statements that were on their way end with their connections.
        let pool = service.database.pool.clone();
        crate::support::steward::eventually("its connections have ended", Duration::from_secs(10), || async {
            let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL \
                          AND pid <> pg_backend_pid()";
            (count(&pool, others).await == 0).then_some(())
        })
        .await;
        holds(&service).await;
        service.restart().await;
    }
    assert!(all.len() > 30 && unanswered > 0, "{} asked, {unanswered} unanswered", all.len());

    // What was answered is there and is answered again in the same words; what was not is done now, once.
    let api = service.client();
    for asked in all.values() {
        let mut again = asked.clone();
        ask(&api, &mut again).await;
        let (status, body) = again.answer.unwrap();
        match &asked.answer {
            Some((before, known)) if (200..300).contains(before) => {
                assert_eq!((before, known), (&status, &body), "{}", asked.key)
            }
            Some(_) => {}
            // The version may not have been registered, or be in production already by way of its twin.
            None => assert!(status < 500, "{}: {status} {body}", asked.key),
        }
    }
    holds(&service).await;
    let registered = all.keys().filter(|key| key.starts_with("register")).count();
    let kept = count(&service.database.pool, "SELECT count(*) FROM model_registry").await;
    assert_eq!(usize::try_from(kept).unwrap(), registered);
}
