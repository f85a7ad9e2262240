//! The dispatcher: leases, concurrency, wake-ups, and a database that goes away.

use std::time::{Duration, Instant};

use steward::clock::SharedClock;
use tokio_util::sync::CancellationToken;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

async fn state(pool: &PgPool, channel: &str) -> String {
    only(pool, channel).await.state
}

/// Waits until something holds, up to ten seconds.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_slow_channel_holds_nobody_up() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(20));
    Mock::given(method("POST")).respond_with(slow).mount(&server).await;
    let database = TestDatabase::new().await;
    let channels = Settings::new().webhook("hook", &server.uri()).build();
    // More messages for the slow channel than it may send at once, all of them due before the email.
    for month in 1..=9 {
        let mut evaluation = evaluation(month.max(2), &["hook"], vec![breach("temp")]);
        evaluation.job_name = format!("job-{month}");
        evaluation.run_id = Uuid::from_u128(u128::from(month));
        commit(&database.pool, &channels, &evaluation).await;
    }
    let stop = CancellationToken::new();
    let dispatcher = dispatcher(&database, &channels);
    let running = tokio::spawn({
        let (dispatcher, stop) = (dispatcher.clone(), stop.clone());
        async move { dispatcher.run(stop).await }
    });
    until("the slow channel is busy", || async { server.received_requests().await.unwrap().len() >= 4 }).await;
    commit(&database.pool, &channels, &evaluation(7, &["ml-oncall"], vec![breach("temp")])).await;
    until("the email is sent", || async { state(&database.pool, "ml-oncall").await == "sent" }).await;
    assert_eq!(server.received_requests().await.unwrap().len(), 4, "the slow channel has its own limit");
    running.abort();
    stop.cancel();
}

#[tokio::test]
async fn a_refused_webhook_does_not_hold_up_email() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().webhook("hook", "http://127.0.0.1:9/").build();
    commit(&database.pool, &channels, &evaluation(7, &["hook", "ml-oncall"], vec![breach("temp")])).await;
    let report = dispatcher(&database, &channels).drain().await.unwrap();
    assert_eq!((report.sent, report.retry), (1, 1));
    assert_eq!(state(&database.pool, "ml-oncall").await, "sent");
}

#[tokio::test]
async fn what_a_dead_process_had_taken_is_sent_again_under_the_same_id() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let database = TestDatabase::new().await;
    let channels = Settings::new().webhook("hook", &server.uri()).build();
    commit(&database.pool, &channels, &evaluation(7, &["hook"], vec![breach("temp")])).await;
    let dead = Uuid::new_v4();
    let taken = deliveries::claim(&database.pool, "default", "hook", dead, 60.0, 10, &[]).await.unwrap().remove(0);
    let dispatcher = dispatcher(&database, &channels);
    assert_eq!(dispatcher.drain().await.unwrap().total(), 0, "while the lease lasts");
    sqlx::query("UPDATE deliveries SET lease_until = now() - interval '1 second'")
        .execute(&database.pool)
        .await
        .unwrap();
    assert_eq!(dispatcher.drain().await.unwrap().sent, 1);
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(request.headers["webhook-id"], taken.id.to_string());
    let history = attempts(&database.pool, &taken).await;
    assert_eq!(history.iter().map(|a| a.outcome.as_str()).collect::<Vec<_>>(), ["retry", "sent"]);

    // The dead one was only frozen: its result changes nothing but the history.
    let late = Attempt { outcome: "dead".into(), excerpt: Some("late".into()), ..history[0].clone() };
    assert!(!deliveries::finish(&database.pool, &taken, dead, &late, "dead", None).await.unwrap());
    assert_eq!(state(&database.pool, "hook").await, "sent");
    assert_eq!(attempts(&database.pool, &taken).await[0].excerpt.as_deref(), Some("late"));
}

#[tokio::test]
async fn many_dispatchers_send_everything_once() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let database = TestDatabase::new().await;
    let channels = Settings::new().webhook("hook", &server.uri()).build();
    for job in 0..40u32 {
        let mut evaluation = evaluation(7, &["hook"], vec![breach("temp")]);
        evaluation.job_name = format!("job-{job}");
        evaluation.run_id = Uuid::from_u128(u128::from(job));
        commit(&database.pool, &channels, &evaluation).await;
    }
    let (a, b, c) =
        (dispatcher(&database, &channels), dispatcher(&database, &channels), dispatcher(&database, &channels));
    let (a, b, c) = tokio::join!(a.drain(), b.drain(), c.drain());
    assert_eq!(a.unwrap().sent + b.unwrap().sent + c.unwrap().sent, 40);
    let mut ids: Vec<_> =
        server.received_requests().await.unwrap().iter().map(|r| r.headers["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 40);
    ids.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    ids.dedup();
    assert_eq!(ids.len(), 40);
}

#[tokio::test]
async fn each_queue_sends_its_own() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    let mut replayed = evaluation(7, &["ml-oncall"], vec![breach("temp")]);
    replayed.queue = "replay".to_owned();
    commit(&database.pool, &channels, &replayed).await;
    assert_eq!(dispatcher(&database, &channels).drain().await.unwrap().total(), 0);
    let clock: SharedClock = Arc::new(SystemClock);
    let replay = Dispatcher::new(database.pool.clone(), channels, clock, "replay");
    assert_eq!(replay.drain().await.unwrap().sent, 1);
}

#[tokio::test]
async fn a_channel_that_was_removed_is_a_dead_message_with_the_reason() {
    let database = TestDatabase::new().await;
    let with = Settings::new().channel("extra", json!({ "kind": "email", "to": "a@example.com" })).build();
    commit(&database.pool, &with, &evaluation(7, &["extra"], vec![breach("temp")])).await;
    let without = Settings::new().build();
    assert_eq!(dispatcher(&database, &without).drain().await.unwrap().dead, 1);
    assert!(only(&database.pool, "extra").await.last_error.unwrap().contains("add [notify.channels.extra]"));
}

#[tokio::test]
async fn the_service_survives_a_restart_of_the_database() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    let stop = CancellationToken::new();
    let dispatcher = dispatcher(&database, &channels);
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { dispatcher.run(stop).await }
    });
    commit(&database.pool, &channels, &evaluation(6, &["ml-oncall"], vec![breach("temp")])).await;
    until("the first is sent", || async { all(&database.pool).await.iter().all(|d| d.state == "sent") }).await;
    // Every connection is cut, also the one that listens.
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        .execute(&database.pool)
        .await
        .unwrap();
    commit(&database.pool, &channels, &evaluation(7, &["ml-oncall"], vec![clear("temp"), breach("wind")])).await;
    until("the others are sent", || async {
        let all = all(&database.pool).await;
        all.len() == 3 && all.iter().all(|d| d.state == "sent")
    })
    .await;
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), running).await.expect("it ends when told").unwrap();
}

#[tokio::test]
async fn the_database_wakes_the_dispatcher_and_a_lost_wake_up_costs_a_second() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    let stop = CancellationToken::new();
    let dispatcher = dispatcher(&database, &channels);
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { dispatcher.run(stop).await }
    });
    let send = async |months: std::ops::Range<u32>| {
        let started = Instant::now();
        for month in months {
            let mut evaluation = evaluation(month, &["ml-oncall"], vec![breach("temp")]);
            evaluation.job_name = format!("job-{month}");
            commit(&database.pool, &channels, &evaluation).await;
            until("it is sent", || async { all(&database.pool).await.iter().all(|d| d.state == "sent") }).await;
        }
        started.elapsed()
    };
    send(2..3).await; // it listens by now
    let woken = send(3..8).await;
    sqlx::query("ALTER TABLE deliveries DISABLE TRIGGER deliveries_notify").execute(&database.pool).await.unwrap();
    let polled = send(8..13).await;
    // Looking once a second, five messages one after the other take about five seconds.
    assert!(woken < polled / 2, "woken {woken:?}, polled {polled:?}");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_claim_reads_its_own_channel_only() {
    let database = TestDatabase::new().await;
    sqlx::query(
        "INSERT INTO deliveries (id, event_id, event_kind, channel, channel_kind, recipient, subject, message)
         SELECT gen_random_uuid(), gen_random_uuid(), 'opened', 'channel-' || n % 100, 'email', 'a', 's', '{}'
         FROM generate_series(1, 20000) AS n",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    sqlx::query("ANALYZE deliveries").execute(&database.pool).await.unwrap();
    let plan: Vec<String> = sqlx::query_scalar(
        "EXPLAIN SELECT id FROM deliveries
         WHERE queue = 'default' AND channel = 'channel-7' AND state IN ('pending', 'retry', 'uncertain')
           AND next_attempt_at <= steward_now() ORDER BY next_attempt_at, id LIMIT 4 FOR UPDATE SKIP LOCKED",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("Index Scan using deliveries_due") && !plan.contains("Sort"), "{plan}");
}
