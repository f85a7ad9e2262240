//! Webhooks: what is sent, and what follows from each answer.

use std::time::Duration;

use standardwebhooks::Webhook;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const HOOK: &[&str] = &["hook"];

/// A receiver that answers so, a database with one message for it, and the dispatcher.
async fn receiver(answer: ResponseTemplate) -> (MockServer, TestDatabase, Dispatcher) {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path("/hook")).respond_with(answer).mount(&server).await;
    let database = TestDatabase::new().await;
    let mut settings = Settings::new().webhook("hook", &format!("{}/hook", server.uri()));
    settings.notify.webhook_timeout_seconds = 1;
    let channels = settings.build();
    commit(&database.pool, &channels, &evaluation(7, HOOK, vec![breach("temp")])).await;
    let dispatcher = dispatcher(&database, &channels);
    (server, database, dispatcher)
}

#[tokio::test]
async fn the_request_is_signed_for_old_and_new_secrets() {
    let (server, database, dispatcher) = receiver(ResponseTemplate::new(204)).await;
    assert_eq!(dispatcher.drain().await.unwrap().sent, 1);
    let request = &server.received_requests().await.unwrap()[0];
    for secret in [NEW_SECRET, OLD_SECRET] {
        Webhook::new(secret).unwrap().verify(&request.body, &request.headers).unwrap();
    }
    let stranger = "whsec_c3RyYW5nZXItc3RyYW5nZXItc3RyYW5nZXItc3Ry";
    assert!(Webhook::new(stranger).unwrap().verify(&request.body, &request.headers).is_err());
    let delivery = only(&database.pool, "hook").await;
    assert_eq!(request.headers["webhook-id"], delivery.id.to_string());
    assert_eq!(request.headers["content-type"], "application/cloudevents+json; charset=utf-8");
    assert_eq!(attempts(&database.pool, &delivery).await[0].status, Some(204));
}

#[tokio::test]
async fn the_body_of_the_messages() {
    let database = TestDatabase::new().await;
    let settings = Settings::new();
    let channels = settings.build();
    for (month, findings) in [(7, vec![breach("temp")]), (8, vec![clear("temp")])] {
        let mut tx = database.pool.begin().await.unwrap();
        let now = format!("2013-0{month}-01T06:15:09Z");
        sqlx::query("SELECT set_config('steward.now', $1, true)").bind(now).execute(&mut *tx).await.unwrap();
        apply(&mut tx, &channels, &evaluation(month, &["ml-webhook"], findings)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(dispatcher(&database, &channels).drain().await.unwrap().sent, 1);
    }
    let requests = files(&settings.folder.path().join("webhooks"));
    assert_eq!(requests.len(), 2);
    let timestamp = header(&requests[0], "webhook-timestamp").unwrap().to_owned();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    insta::assert_snapshot!(
        "webhook_head",
        head.replace('\r', "").replace(&timestamp, "[now]").replace(env!("CARGO_PKG_VERSION"), "[version]")
    );
    let pretty = |body: &str| serde_json::to_string_pretty(&serde_json::from_str::<Value>(body).unwrap()).unwrap();
    insta::assert_snapshot!("webhook_opened", pretty(body));
    insta::assert_snapshot!("webhook_resolved", pretty(requests[1].split_once("\r\n\r\n").unwrap().1));
}

#[tokio::test]
async fn an_error_of_the_receiver_is_tried_again_with_the_same_id_and_body() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(500).set_body_string("no\ndisk"))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let database = TestDatabase::new().await;
    let channels = Settings::new().webhook("hook", &server.uri()).build();
    commit(&database.pool, &channels, &evaluation(7, HOOK, vec![breach("temp")])).await;
    let dispatcher = dispatcher(&database, &channels);
    assert_eq!(dispatcher.drain().await.unwrap().retry, 1);
    let waiting = only(&database.pool, "hook").await;
    assert_eq!(waiting.last_error.as_deref(), Some("answer 500: no disk"));
    assert!((3.0..=6.0).contains(&due_in(&database.pool, waiting.id).await));
    make_due(&database.pool).await;
    assert_eq!(dispatcher.drain().await.unwrap().sent, 1);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].headers["webhook-id"], requests[1].headers["webhook-id"]);
    assert_eq!(requests[0].body, requests[1].body);
    let sent = only(&database.pool, "hook").await;
    assert_eq!((sent.state.as_str(), sent.attempts, sent.last_error), ("sent", 2, None));
}

#[tokio::test]
async fn ten_failures_are_enough() {
    let (server, database, dispatcher) = receiver(ResponseTemplate::new(400)).await;
    for attempt in 1..=10 {
        let report = dispatcher.drain().await.unwrap();
        assert_eq!((report.retry, report.dead), if attempt < 10 { (1, 0) } else { (0, 1) }, "attempt {attempt}");
        make_due(&database.pool).await;
    }
    assert_eq!(dispatcher.drain().await.unwrap().total(), 0);
    assert_eq!(server.received_requests().await.unwrap().len(), 10);
    let dead = only(&database.pool, "hook").await;
    assert_eq!(dead.last_error.as_deref(), Some("given up after 10 attempts: answer 400"));
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let (_server, database, dispatcher) =
        receiver(ResponseTemplate::new(429).insert_header("retry-after", "120")).await;
    assert_eq!(dispatcher.drain().await.unwrap().retry, 1);
    let delivery = only(&database.pool, "hook").await;
    let seconds = due_in(&database.pool, delivery.id).await;
    assert!((118.0..=120.0).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn gone_is_gone() {
    let (_server, database, dispatcher) = receiver(ResponseTemplate::new(410)).await;
    assert_eq!(dispatcher.drain().await.unwrap().dead, 1);
    let error = only(&database.pool, "hook").await.last_error.unwrap();
    assert_eq!(error, "answer 410; the endpoint says that it is gone for good");
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let (server, database, dispatcher) =
        receiver(ResponseTemplate::new(302).insert_header("location", "/elsewhere")).await;
    assert_eq!(dispatcher.drain().await.unwrap().retry, 1);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    let error = only(&database.pool, "hook").await.last_error.unwrap();
    assert_eq!(
        error,
        "answer 302, a redirect to /elsewhere, which is not followed; put the final address into notify.channels.hook.url"
    );
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_is_left() {
    let (_server, database, dispatcher) = receiver(ResponseTemplate::new(200).set_delay(Duration::from_secs(30))).await;
    assert_eq!(dispatcher.drain().await.unwrap().retry, 1);
    let error = only(&database.pool, "hook").await.last_error.unwrap();
    assert_eq!(error, "127.0.0.1 gave no answer within 1 s");
}

#[tokio::test]
async fn a_long_answer_is_read_in_part() {
    let (_server, database, dispatcher) =
        receiver(ResponseTemplate::new(500).set_body_string("x".repeat(1 << 20))).await;
    assert_eq!(dispatcher.drain().await.unwrap().retry, 1);
    assert_eq!(only(&database.pool, "hook").await.last_error.unwrap().len(), "answer 500: ".len() + 300);
}

#[tokio::test]
async fn private_targets_are_refused_by_address_and_by_name() {
    let server = MockServer::start().await;
    let port = server.address().port();
    for target in [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "169.254.169.254",
    ] {
        let database = TestDatabase::new().await;
        let mut settings = Settings::new().webhook("hook", &format!("http://{target}:{port}/"));
        settings.notify.allow_private_targets.clear();
        let channels = settings.build();
        commit(&database.pool, &channels, &evaluation(7, HOOK, vec![breach("temp")])).await;
        assert_eq!(dispatcher(&database, &channels).drain().await.unwrap().dead, 1, "{target}");
        let error = only(&database.pool, "hook").await.last_error.unwrap();
        assert!(error.contains("allow it with notify.allow_private_targets = "), "{error}");
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_stored_of_the_endpoint_holds_no_secret() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().webhook("hook", "http://user:hunter2@127.0.0.1:9/hook?token=hunter3#x").build();
    commit(&database.pool, &channels, &evaluation(7, HOOK, vec![breach("temp")])).await;
    dispatcher(&database, &channels).drain().await.unwrap();
    let delivery = only(&database.pool, "hook").await;
    assert_eq!(delivery.recipient, "http://127.0.0.1:9/hook");
    assert!(!format!("{delivery:?} {channels:?}").contains("hunter"), "{delivery:?} {channels:?}");
}
