//! The main job in real processes, and what happens when they are killed.

use std::time::Duration;

use sqlx::Row;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::database::TestDatabase;
use crate::support::s3::{ACCESS_KEY, S3Server, SECRET_KEY};
use crate::support::smtp::{Protection, SmtpServer};
use crate::support::steward::{Site, eventually};

/// Channels that write to folders, so that a test without receivers has none that fail.
const CHANNELS: &str = "[notify.channels.mail]\nkind = \"email\"\nto = [\"a@example.com\"]\n[notify.channels.hook]\nkind = \"webhook\"\nurl = \"https://example.com/\"\ntransport = \"file\"\n";
const PATIENCE: Duration = Duration::from_secs(40);

fn flights(month: u32) -> String {
    format!("{}/data/flights/month=2013-{month:02}.parquet", env!("CARGO_MANIFEST_DIR"))
}

/// A job that compares July with January to March; `current` is the URI to read.
fn drift_job(name: &str, current: &str, schedule: &str) -> String {
    format!(
        r#"name = "{name}"
kind = "drift"
{schedule}
model = {{ name = "flight_delay", version = "2.0.0" }}
notify = ["mail", "hook"]

[data]
reference = {{ uri = "{}" }}
current = {{ uri = "{current}" }}

[drift]
target = "data"
select = ["temp", "wind_speed", "carrier"]
"#,
        flights(1)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cron_tick_over_s3_becomes_an_email_and_a_webhook() {
    let database = TestDatabase::new().await;
    let s3 = S3Server::start();
    std::fs::copy(flights(7), s3.bucket("flights").join("july.parquet")).unwrap();
    let ca_folder = tempfile::tempdir().unwrap();
    let smtp = SmtpServer::start(Protection::Starttls, ca_folder.path()).await;
    smtp.require("steward", "right");
    let hook = MockServer::start().await;
    Mock::given(method("POST")).and(path("/hook")).respond_with(ResponseTemplate::new(204)).mount(&hook).await;

    let site = Site::new(
        &database.url,
        &format!(
            r#"
[storage.s3]
endpoint = "{endpoint}"
region = "us-east-1"
access_key_id = "{key}"
secret_access_key = "{secret}"
allow_http = true
[smtp]
transport = "smtp"
host = "localhost"
port = {port}
tls = "starttls"
ca_file = "{ca}"
username = "steward"
password = "right"
[notify]
allow_private_targets = ["127.0.0.1"]
[notify.channels.mail]
kind = "email"
to = ["oncall@example.com"]
[notify.channels.hook]
kind = "webhook"
url = "{hook}/hook"
secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
"#,
            endpoint = s3.endpoint,
            key = ACCESS_KEY,
            secret = SECRET_KEY,
            port = smtp.address.port(),
            ca = smtp.ca_file.display(),
            hook = hook.uri(),
        ),
    );
    site.job("july", &drift_job("july", "s3://flights/july.parquet", "schedule = \"*/5 * * * *\""));
    let mut serve = site.start("serve", &["serve"]);

    // The job is known; now let a tick have passed while nobody looked.
    eventually("the schedule", PATIENCE, || async {
        let moved = sqlx::query(
            "UPDATE schedules SET epoch = now() - interval '11 min', high_water = now() - interval '11 min'",
        )
        .execute(&database.pool)
        .await
        .unwrap();
        (moved.rows_affected() == 1).then_some(())
    })
    .await;

    let mail =
        eventually(&format!("the email\n{}", serve.log()), PATIENCE, || async { smtp.messages().into_iter().next() })
            .await;
    assert!(mail.source.contains("temp"), "{}", mail.source);
    assert!(mail.encrypted);
    assert_eq!(mail.to, ["oncall@example.com"]);
    let calls = eventually("the webhook", PATIENCE, || async {
        hook.received_requests().await.filter(|calls| !calls.is_empty())
    })
    .await;
    let body: serde_json::Value = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!(body["type"], "io.steward.incident.opened");
    assert!(calls[0].headers.contains_key("webhook-signature"));

    let row = sqlx::query(
        "SELECT r.state, r.outcome, t.verdict, d.drift_score, d.is_alert, d.incident_id IS NOT NULL AS linked
           FROM runs r JOIN ticks t ON t.run_id = r.id JOIN model_drift_detection d ON d.run_id = r.id AND d.feature_name = 'temp'",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert_eq!(row.get::<String, _>("state"), "succeeded");
    assert_eq!(row.get::<String, _>("outcome"), "drifted");
    assert_eq!(row.get::<String, _>("verdict"), "enqueued");
    assert!(row.get::<f64, _>("drift_score") > 0.9);
    assert!(row.get::<bool, _>("is_alert") && row.get::<bool, _>("linked"));
    let stage: String = sqlx::query_scalar(
        "SELECT stage FROM model_registry WHERE model_name = 'flight_delay' AND version = '2.0.0' AND auto_registered",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert_eq!(stage, "development");

    serve.signal("-TERM");
    assert_eq!(serve.wait(PATIENCE), 0, "{}", serve.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_worker_is_killed_has_exactly_one_result() {
    let database = TestDatabase::new().await;
    // An object that takes its time, so that the worker is killed in the middle of reading it.
    let store = MockServer::start().await;
    let body = std::fs::read(flights(7)).unwrap();
    let slow = serve_object(&store, &body, Duration::from_secs(30)).await;
    let site = Site::new(
        &database.url,
        &format!("{CHANNELS}[worker]\nlease_seconds = 2\nreap_seconds = 1\nretry_base_seconds = 1\n"),
    );
    let file = site.job("killed", &drift_job("killed", &format!("{}/july.parquet", store.uri()), ""));
    let mut first = site.start("first", &["worker"]);
    let id = site.ok(&["runs", "submit", file.to_str().unwrap()]).trim().to_owned();

    eventually("the run to start", PATIENCE, || async {
        let leased: i64 = sqlx::query_scalar("SELECT count(*) FROM runs WHERE state = 'leased'")
            .fetch_one(&database.pool)
            .await
            .unwrap();
        let reading = !store.received_requests().await.unwrap_or_default().is_empty();
        (leased == 1 && reading).then_some(())
    })
    .await;
    first.kill();
    drop(slow);
    store.reset().await;
    let _fast = serve_object(&store, &body, Duration::ZERO).await;
    let second = site.start("second", &["worker"]);

    let state = eventually("the second worker to finish", PATIENCE, || async {
        let state: String = sqlx::query_scalar("SELECT state FROM runs").fetch_one(&database.pool).await.unwrap();
        (!["available", "leased"].contains(&state.as_str())).then_some(state)
    })
    .await;
    assert_eq!(state, "succeeded", "{}", second.log());
    let outcomes: Vec<String> =
        sqlx::query_scalar("SELECT outcome FROM run_attempts ORDER BY fence").fetch_all(&database.pool).await.unwrap();
    assert_eq!(outcomes, ["crashed", "succeeded"], "run {id}");
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT feature_name, count(*) FROM model_drift_detection GROUP BY 1 ORDER BY 1")
            .fetch_all(&database.pool)
            .await
            .unwrap();
    assert_eq!(rows, [("carrier".into(), 1), ("temp".into(), 1), ("wind_speed".into(), 1)]);
}

/// A command that runs a run itself and is killed leaves it in a queue of its own; a service goes on with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_command_left_behind_is_adopted() {
    let database = TestDatabase::new().await;
    let store = MockServer::start().await;
    let body = std::fs::read(flights(7)).unwrap();
    let slow = serve_object(&store, &body, Duration::from_secs(30)).await;
    let site = Site::new(
        &database.url,
        &format!("{CHANNELS}[worker]\nlease_seconds = 2\nreap_seconds = 1\nretry_base_seconds = 1\n"),
    );
    let file = site.job("orphan", &drift_job("orphan", &format!("{}/july.parquet", store.uri()), ""));
    let mut here = site.start("here", &["runs", "submit", file.to_str().unwrap(), "--here", "--notify"]);
    eventually("the run to start", PATIENCE, || async {
        let leased: i64 =
            sqlx::query_scalar("SELECT count(*) FROM runs WHERE state = 'leased' AND queue LIKE 'here:%'")
                .fetch_one(&database.pool)
                .await
                .unwrap();
        (leased == 1).then_some(())
    })
    .await;
    here.kill();
    drop(slow);
    store.reset().await;
    let _fast = serve_object(&store, &body, Duration::ZERO).await;
    let worker = site.start("worker", &["worker"]);
    eventually(&format!("the run and its messages\n{}", worker.log()), PATIENCE, || async {
        let done: i64 = sqlx::query_scalar("SELECT count(*) FROM runs WHERE state = 'succeeded'")
            .fetch_one(&database.pool)
            .await
            .unwrap();
        let sent: i64 = sqlx::query_scalar("SELECT count(*) FROM deliveries WHERE state = 'sent'")
            .fetch_one(&database.pool)
            .await
            .unwrap();
        (done == 1 && sent == 2).then_some(())
    })
    .await;
}

/// A saved job file is picked up by a running service; a broken one changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn saved_job_files_are_picked_up_and_broken_ones_change_nothing() {
    let database = TestDatabase::new().await;
    let site = Site::new(&database.url, CHANNELS);
    site.job("first", &drift_job("first", &flights(7), "schedule = \"0 6 * * *\""));
    let serve = site.start("serve", &["serve"]);
    let jobs =
        || async { sqlx::query_scalar::<_, i64>("SELECT count(*) FROM jobs").fetch_one(&database.pool).await.unwrap() };
    eventually("the first job", PATIENCE, || async { (jobs().await == 1).then_some(()) }).await;
    site.job("second", &drift_job("second", &flights(7), "schedule = \"0 7 * * *\""));
    eventually("the second job", PATIENCE, || async { (jobs().await == 2).then_some(()) }).await;
    site.job("third", "name = \"third\"\nkind = \"drft\"\n");
    eventually("the mistake in the log", PATIENCE, || async {
        serve.log().contains("did you mean `drift`").then_some(())
    })
    .await;
    assert_eq!(jobs().await, 2);
}

/// Serves `body` at /july.parquet with ranges, each answer after `delay`.
async fn serve_object(server: &MockServer, body: &[u8], delay: Duration) -> wiremock::MockGuard {
    let body = body.to_vec();
    Mock::given(path("/july.parquet"))
        .respond_with(move |request: &wiremock::Request| {
            let full = || ResponseTemplate::new(200).set_body_bytes(body.clone()).insert_header("etag", "\"july\"");
            let response = match request.headers.get("range").and_then(|r| r.to_str().ok()) {
                Some(range) => {
                    let (start, end) = range.trim_start_matches("bytes=").split_once('-').unwrap();
                    let (start, end) = match (start.parse::<usize>(), end.parse::<usize>()) {
                        (Ok(start), Ok(end)) => (start, end.min(body.len() - 1)),
                        (Ok(start), Err(_)) => (start, body.len() - 1),
                        (Err(_), Ok(last)) => (body.len() - last.min(body.len()), body.len() - 1),
                        _ => return ResponseTemplate::new(416),
                    };
                    ResponseTemplate::new(206)
                        .set_body_bytes(body[start..=end].to_vec())
                        .insert_header("content-range", format!("bytes {start}-{end}/{}", body.len()))
                        .insert_header("etag", "\"july\"")
                }
                None => full(),
            };
            let response = response
                .insert_header("last-modified", "Mon, 01 Jul 2013 00:00:00 GMT")
                .insert_header("accept-ranges", "bytes");
            // The first look at the object is quick; its bytes are what takes long.
            if request.method.as_str() == "HEAD" {
                response.insert_header("content-length", body.len().to_string())
            } else {
                response.set_delay(delay)
            }
        })
        .mount_as_scoped(server)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_give_each_tick_one_row_and_one_run() {
    let database = TestDatabase::new().await;
    let site = Site::new(&database.url, &format!("{CHANNELS}[scheduler]\npoll_seconds = 1\n"));
    let job = drift_job("often", &flights(7), "schedule = \"* * * * *\"\ncatch_up = \"all\"\noverlap = \"allow\"");
    site.job("often", &job);
    site.ok(&["jobs", "apply"]);
    sqlx::query("UPDATE schedules SET epoch = now() - interval '30 min', high_water = now() - interval '30 min'")
        .execute(&database.pool)
        .await
        .unwrap();
    let _one = site.start("one", &["scheduler"]);
    let _two = site.start("two", &["scheduler"]);
    let ticks = eventually("thirty ticks", PATIENCE, || async {
        let n: i64 = sqlx::query_scalar("SELECT count(*) FROM ticks WHERE verdict = 'enqueued'")
            .fetch_one(&database.pool)
            .await
            .unwrap();
        (n >= 30).then_some(n)
    })
    .await;
    let runs: i64 = sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(&database.pool).await.unwrap();
    let distinct: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT tick_at) FROM runs").fetch_one(&database.pool).await.unwrap();
    assert!(runs >= ticks && runs == distinct, "{runs} runs for {distinct} instants");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_worker_hands_its_run_back_without_burning_an_attempt() {
    let database = TestDatabase::new().await;
    let store = MockServer::start().await;
    let body = std::fs::read(flights(7)).unwrap();
    let _slow = serve_object(&store, &body, Duration::from_secs(30)).await;
    let site = Site::new(&database.url, &format!("{CHANNELS}[worker]\ngrace_seconds = 1\n"));
    let file = site.job("stopped", &drift_job("stopped", &format!("{}/july.parquet", store.uri()), ""));
    let mut worker = site.start("worker", &["worker"]);
    site.ok(&["runs", "submit", file.to_str().unwrap()]);
    eventually("the run to start", PATIENCE, || async {
        let leased: i64 = sqlx::query_scalar("SELECT count(*) FROM runs WHERE state = 'leased'")
            .fetch_one(&database.pool)
            .await
            .unwrap();
        (leased == 1).then_some(())
    })
    .await;
    worker.signal("-TERM");
    assert_eq!(worker.wait(PATIENCE), 0, "{}", worker.log());
    let row = sqlx::query("SELECT state, attempt, crash_count FROM runs").fetch_one(&database.pool).await.unwrap();
    assert_eq!(
        (row.get::<String, _>("state").as_str(), row.get::<i32, _>("attempt"), row.get::<i32, _>("crash_count")),
        ("available", 0, 0)
    );
    let outcome: String =
        sqlx::query_scalar("SELECT outcome FROM run_attempts").fetch_one(&database.pool).await.unwrap();
    assert_eq!(outcome, "released");
}
