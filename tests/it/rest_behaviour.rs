//! What clients may rely on: pages, repeated requests, tags, waiting, health, and an orderly end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::database::TestDatabase;
use crate::support::http::{Answer, Client, Service};
use crate::support::steward::eventually;

const REGISTER: &str = "/governance/models/register";

async fn register(api: &Client, version: &str) -> Value {
    api.post(REGISTER, json!({ "model_name": "m", "version": version })).await.expect(201)
}

async fn promote(api: &Client, version: &str) -> Answer {
    let body = json!({ "target_stage": "production", "approved_by": "lead" });
    api.post(&format!("/governance/models/m/{version}/promote"), body).await
}

/// Every page of a list, while others write.
async fn pages(api: &Client, path: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    for _ in 0..1000 {
        let and = if path.contains('?') { '&' } else { '?' };
        let page = api.get(&format!("{path}{and}limit={limit}{cursor}")).await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        all.extend(items.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
    panic!("{path} has no end");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_lose_nor_repeat_rows_while_others_write() {
    let service = Service::open().await;
    let api = service.client();
    let metrics = "/governance/models/m/1.0.0/metrics";
    for i in 0..12 {
        register(&api, &format!("1.{i}.0")).await;
    }
    // Many of the same moment: the order among them must be certain too.
    for _ in 0..2 {
        let batch: Vec<_> = (0..20).map(|i| json!({ "metric_name": "a", "metric_value": i })).collect();
        api.post(&format!("{metrics}/batch"), json!({ "metrics": batch })).await.expect(201);
    }
    let lists = [("/governance/models?model_name=m", "id"), (metrics, "id"), ("/governance/audit", "sequence")];
    let ids = |rows: &[Value], key: &str| -> Vec<String> { rows.iter().map(|row| row[key].to_string()).collect() };
    let mut before = Vec::new();
    for (path, key) in lists {
        before.push(ids(&pages(&api, path, 1000).await, key));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (api, stop) = (api.clone(), stop.clone());
        async move {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                register(&api, &format!("2.{written}.0")).await;
                api.post(metrics, json!({ "metric_name": "b", "metric_value": 1 })).await.expect(201);
                written += 1;
            }
            written
        }
    });
    for _ in 0..3 {
        for ((path, key), before) in lists.iter().zip(&before) {
            let found = ids(&pages(&api, path, 3).await, key);
            let distinct: BTreeSet<_> = found.iter().collect();
            assert_eq!(distinct.len(), found.len(), "{path} repeats rows");
            let lost: Vec<_> = before.iter().filter(|id| !distinct.contains(id)).collect();
            assert!(lost.is_empty(), "{path} lost {lost:?}");
            // Old rows come in the order that they had.
            let old: Vec<_> = found.iter().filter(|id| before.contains(id)).collect();
            assert_eq!(old, before.iter().collect::<Vec<_>>(), "{path}");
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writing.await.unwrap() > 2, "somebody wrote meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_has_one_effect_and_one_answer() {
    let service = Service::open().await;
    let api = service.client();
    let body = json!({ "model_name": "m", "version": "1.0.0" }).to_string();
    let key = [("idempotency-key", "first")];
    let post = async |body: &str, key: &str| {
        api.send("POST", REGISTER, Some(body.to_owned()), &[("idempotency-key", key)]).await
    };
    let first = post(&body, "first").await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = post(&body, "first").await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    for header in ["location", "etag", "content-type"] {
        assert_eq!(again.header(header), first.header(header), "{header}");
    }
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    let other = post(&body.replace("1.0.0", "2.0.0"), "first").await.problem(422, "idempotency_key_reused");
    assert_eq!(other["errors"][0]["pointer"], "Idempotency-Key");
    let elsewhere = api.send("POST", "/governance/models/m/1.0.0/archive", Some(body.clone()), &key).await;
    elsewhere.problem(422, "invalid_request");
    post(&body, "with space").await.problem(422, "invalid_request");
    post(&body, &"k".repeat(256)).await.problem(422, "invalid_request");

    // What was refused has not used the key up.
    post(&body.replace("1.0.0", "one"), "second").await.problem(422, "invalid_request");
    assert_eq!(post(&body.replace("1.0.0", "1.1.0"), "second").await.status, 201);

    // Twins that arrive together.
    let metric = json!({ "metric_name": "a", "metric_value": 1 }).to_string();
    let twins: Vec<_> = (0..8)
        .map(|_| {
            let (api, metric) = (api.clone(), metric.clone());
            tokio::spawn(async move {
                let key = [("idempotency-key", "twins")];
                api.send("POST", "/governance/models/m/1.0.0/metrics", Some(metric), &key).await
            })
        })
        .collect();
    let (mut texts, mut replayed) = (BTreeSet::new(), 0);
    for twin in twins {
        let answer = twin.await.unwrap();
        replayed += usize::from(answer.header("idempotency-replayed").is_some());
        assert_eq!(answer.status, 201, "{}", answer.text);
        texts.insert(answer.text);
    }
    assert_eq!((texts.len(), replayed), (1, 7));
    assert_eq!(pages(&api, "/governance/models/m/1.0.0/metrics", 100).await.len(), 1);
    let logged = api.get("/governance/audit?action=metric.logged").await.expect(200);
    assert!(logged["items"].as_array().unwrap().len() <= 1, "{logged}");
}

#[tokio::test]
async fn a_key_belongs_to_its_caller() {
    let service = Service::with_tokens().await;
    let (ann, bob) = (service.client_of("ann", &["models:register"]), service.client_of("bob", &["models:register"]));
    let send = async |client: &Client, version: &str| {
        let body = json!({ "model_name": "m", "version": version }).to_string();
        client.send("POST", REGISTER, Some(body), &[("idempotency-key", "1")]).await
    };
    let first = send(&ann, "1.0.0").await.expect(201);
    let other = send(&bob, "1.1.0").await;
    assert_eq!(other.header("idempotency-replayed"), None);
    assert_ne!(other.expect(201)["id"], first["id"]);
    // A secret is not kept to be shown again.
    let admin = service.client_of("root", &["admin"]);
    let body = json!({ "name": "svc", "scopes": ["read"] }).to_string();
    let refused = admin.send("POST", "/governance/tokens", Some(body), &[("idempotency-key", "1")]).await;
    refused.problem(422, "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_save_transfers_and_keep_writers_apart() {
    let service = Service::open().await;
    let api = service.client();
    register(&api, "1.0.0").await;
    register(&api, "1.1.0").await;
    let path = "/governance/models/m/1.0.0";
    let read = api.get(path).await;
    let tag = read.header("etag").unwrap().to_owned();
    for header in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let known = api.send("GET", path, None, &[("if-none-match", &header)]).await;
        assert_eq!((known.status, known.text.as_str()), (304, ""), "{header}");
        assert_eq!(known.header("etag"), Some(tag.as_str()));
    }
    assert_eq!(api.send("GET", path, None, &[("if-none-match", "\"other\"")]).await.status, 200);

    let writers: Vec<_> = (0..8)
        .map(|i| {
            let (api, tag) = (api.clone(), tag.clone());
            let body = json!({ "owner": format!("team-{i}") }).to_string();
            tokio::spawn(async move { api.send("PATCH", path, Some(body), &[("if-match", &tag)]).await })
        })
        .collect();
    let mut won = Vec::new();
    for writer in writers {
        let answer = writer.await.unwrap();
        match answer.status {
            200 => won.push(answer),
            _ => {
                assert!(answer.problem(412, "revision_mismatch")["detail"].as_str().unwrap().contains("read it again"))
            }
        }
    }
    let [winner] = won.as_slice() else { panic!("{} have won", won.len()) };
    let now = api.get(path).await;
    assert_eq!((now.header("etag"), &now.body), (winner.header("etag"), &winner.body));

    let body = json!({ "target_stage": "production", "approved_by": "lead" }).to_string();
    let stale = api.send("POST", &format!("{path}/promote"), Some(body.clone()), &[("if-match", &tag)]).await;
    stale.problem(412, "revision_mismatch");
    let of_another = api.get("/governance/models/m/1.1.0").await.header("etag").unwrap().to_owned();
    for tag in [of_another.as_str(), "\"nonsense\"", "nonsense"] {
        api.send("POST", &format!("{path}/promote"), Some(body.clone()), &[("if-match", tag)])
            .await
            .problem(412, "precondition_failed");
    }
    let tag = now.header("etag").unwrap();
    let done = api.send("POST", &format!("{path}/promote"), Some(body), &[("if-match", tag)]).await;
    let after = done.header("etag").unwrap().to_owned();
    assert_eq!(done.expect(200)["stage"], "production");
    assert_eq!(api.get(path).await.header("etag"), Some(after.as_str()));
    let gone = api.send("DELETE", &format!("{path}?reason=old"), None, &[("if-match", tag)]).await;
    gone.problem(412, "revision_mismatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_production_is_told_within_a_second() {
    let service = Service::open().await;
    let api = service.client();
    register(&api, "1.0.0").await;
    register(&api, "2.0.0").await;
    let path = "/governance/models/m/latest?stage=production";
    let started = Instant::now();
    api.get(&format!("{path}&wait=1s")).await.problem(404, "nothing_in_stage");
    assert!(started.elapsed() >= Duration::from_secs(1));

    let mut known = String::new();
    for version in ["1.0.0", "2.0.0"] {
        let waiting = tokio::spawn({
            let (api, known) = (api.clone(), known.clone());
            async move {
                let header = [("if-none-match", known.as_str())];
                let answer =
                    api.send("GET", &format!("{path}&wait=30s"), None, &header[..usize::from(!known.is_empty())]).await;
                (answer, Instant::now())
            }
        });
        tokio::time::sleep(Duration::from_millis(700)).await;
        // What happens to others wakes nobody.
        api.post(REGISTER, json!({ "model_name": "other", "version": version })).await.expect(201);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!waiting.is_finished());
        promote(&api, version).await.expect(200);
        let promoted = Instant::now();
        let (answer, woken) = waiting.await.unwrap();
        assert!(woken.saturating_duration_since(promoted) < Duration::from_secs(1), "{:?}", woken - promoted);
        known = answer.header("etag").unwrap().to_owned();
        assert_eq!(answer.expect(200)["version"], version);
    }
    let started = Instant::now();
    let same = api.send("GET", &format!("{path}&wait=1s"), None, &[("if-none-match", &known)]).await;
    assert_eq!((same.status, same.text.as_str()), (304, ""));
    assert!((1..4).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    // Without a known state there is nothing to wait for.
    let started = Instant::now();
    api.get(&format!("{path}&wait=30s")).await.expect(200);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn methods_paths_and_request_ids() {
    let service = Service::open().await;
    let api = service.client();
    register(&api, "1.0.0").await;
    for path in ["/governance/models", "/governance/models/m/1.0.0", "/livez", "/openapi.json", "/governance/nothing"] {
        let (get, head) = (api.get(path).await, api.send("HEAD", path, None, &[]).await);
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        for header in ["content-type", "etag"] {
            assert_eq!(head.header(header), get.header(header), "{path}: {header}");
        }
    }
    for (method, path, allowed) in [
        ("DELETE", "/governance/models", &["GET", "HEAD"][..]),
        ("GET", REGISTER, &["POST"]),
        ("POST", "/governance/models/m/1.0.0", &["GET", "PATCH", "DELETE"]),
        ("TRACE", "/livez", &["GET", "HEAD"]),
        ("BREW", "/governance/models", &["GET"]),
    ] {
        let answer = api.send(method, path, None, &[]).await;
        let allow = answer.header("allow").unwrap_or_default().to_owned();
        answer.problem(405, "method_not_allowed");
        for method in allowed {
            assert!(allow.split(',').any(|word| word.trim() == *method), "{method} {path}: {allow}");
        }
    }
    let problem = api.get("/governance/nothing").await.problem(404, "not_found");
    assert!(problem["detail"].as_str().unwrap().contains("/reference"), "{problem}");
    assert_eq!(problem["instance"], "/governance/nothing");
    api.get("/governance/models/m/1.0.0/").await.problem(404, "not_found");

    let body = Some(json!({ "model_name": "m", "version": "1.1.0" }).to_string());
    let made = api.send("POST", REGISTER, body, &[("x-request-id", "deploy-17.a_b")]).await;
    assert_eq!((made.status, made.header("x-request-id")), (201, Some("deploy-17.a_b")));
    let events = api.get("/governance/audit?subject=m/1.1.0").await.expect(200);
    assert_eq!(events["items"][0]["request_id"], "deploy-17.a_b");
    for id in ["a b", "a;b", &"x".repeat(129), ""] {
        let answer = api.send("GET", "/livez", None, &[("x-request-id", id)]).await;
        let given = answer.header("x-request-id").unwrap();
        assert!(given != id && given.len() == 36, "{id:?}: {given:?}");
    }
    let (one, two) = (api.get("/livez").await, api.get("/livez").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    assert_eq!(one.header("x-content-type-options"), Some("nosniff"));
}

/// A way to the database that can be closed.
struct Gate {
    url: String,
    open: tokio::sync::watch::Sender<bool>,
    stop: CancellationToken,
}

impl Gate {
    async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut through = url::Url::parse(url).unwrap();
        // The private server is reached by a socket in a folder, others by host and port.
        let asked = |key: &str| through.query_pairs().find(|(k, _)| k == key).map(|(_, value)| value.into_owned());
        let there = match asked("host") {
            Some(folder) => format!("{folder}/.s.PGSQL.{}", asked("port").unwrap_or_else(|| "5432".to_owned())),
            None => format!("{}:{}", through.host_str().unwrap(), through.port().unwrap_or(5432)),
        };
        through.set_query(None);
        through.set_host(Some("127.0.0.1")).unwrap();
        through.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (open, watch) = tokio::sync::watch::channel(true);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            loop {
                let mut inbound = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    () = stopped.cancelled() => return,
                };
                let (there, mut watch) = (there.clone(), watch.clone());
                tokio::spawn(async move {
                    if *watch.borrow() {
                        if there.starts_with('/') {
                            let mut outbound = tokio::net::UnixStream::connect(there).await.unwrap();
                            tokio::select! {
                                _ = copy_bidirectional(&mut inbound, &mut outbound) => {}
                                _ = watch.wait_for(|open| !open) => {}
                            }
                        } else {
                            let mut outbound = TcpStream::connect(there).await.unwrap();
                            tokio::select! {
                                _ = copy_bidirectional(&mut inbound, &mut outbound) => {}
                                _ = watch.wait_for(|open| !open) => {}
                            }
                        }
                    }
                });
            }
        });
        Self { url: through.to_string(), open, stop }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_the_service_lives_and_is_not_ready() {
    let database = TestDatabase::new().await;
    let gate = Gate::to(&database.url).await;
    let config = "[database]\nconnect_timeout_seconds = 1\n";
    let service = Service::start_at("api", config, database, &gate.url).await;
    let api = service.client();
    let ready = api.get("/readyz").await.expect(200);
    assert_eq!(ready["status"], "ready", "{ready}");
    register(&api, "1.0.0").await;

    gate.open.send(false).unwrap();
    // The connections that are open end a moment later.
    let down = eventually("not ready", Duration::from_secs(10), || async {
        Some(api.get("/readyz").await).filter(|answer| answer.status == 503).map(|answer| answer.expect(503))
    })
    .await;
    assert_eq!((&down["status"], &down["components"][0]["name"]), (&json!("not_ready"), &json!("database")));
    assert_eq!(down["components"][0]["state"], "down");
    assert_eq!(api.get("/livez").await.expect(200), Value::Null);
    let answer = api.get("/governance/models").await;
    assert!(answer.header("retry-after").is_some());
    let problem = answer.problem(503, "database_unavailable");
    assert_eq!(problem["retryable"], true);
    assert!(!problem.to_string().contains("postgres"), "{problem}");
    let body = json!({ "model_name": "m", "version": "2.0.0" });
    api.post(REGISTER, body).await.problem(503, "database_unavailable");

    gate.open.send(true).unwrap();
    eventually("it is ready again", Duration::from_secs(15), || async {
        (api.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    register(&api, "2.0.0").await;
}

fn samples(text: &str) -> std::collections::BTreeMap<String, f64> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            let plain = name.split('{').next().unwrap();
            assert!(plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{line}");
            assert!(!name.contains('{') || name.ends_with('}'), "{line}");
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        })
        .collect()
}

#[tokio::test]
async fn metrics_can_be_read_and_move() {
    let service = Service::open().await;
    let api = service.client();
    api.get("/governance/models").await.expect(200);
    let answer = api.get("/metrics").await;
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let before = samples(&answer.text);
    let listed = "steward_http_requests_total{method=\"GET\",route=\"/governance/models\",status=\"200\"}";
    assert_eq!(before[listed], 1.0, "{}", answer.text);
    for version in ["1.0.0", "1.1.0"] {
        register(&api, version).await;
    }
    api.get("/governance/models").await.expect(200);
    // A scanner must not make a series of every path that it tries.
    for i in 0..5 {
        api.get(&format!("/wp-admin-{i}")).await.problem(404, "not_found");
        api.get(&format!("/governance/models/m{i}/1.0.0")).await.problem(404, "model_not_found");
    }
    let after = samples(&api.get("/metrics").await.text);
    assert_eq!((after[listed], after["steward_audit_events"]), (2.0, 2.0));
    let routes: BTreeSet<_> = after.keys().filter(|name| name.contains("status=\"404\"")).collect();
    assert_eq!(routes.len(), 2, "{routes:?}");
    for gauge in ["steward_queue_lag_seconds", "steward_schedule_lateness_seconds"] {
        assert_eq!(after[gauge], 0.0);
    }
    assert!(after.keys().any(|name| name.starts_with("steward_http_request_duration_seconds_bucket")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_a_request_in_flight_finish() {
    let mut service = Service::open().await;
    let api = service.client();
    let mut held = service.database.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM governance_head FOR UPDATE").execute(&mut *held).await.unwrap();
    let flying = tokio::spawn({
        let api = api.clone();
        async move { api.post(REGISTER, json!({ "model_name": "m", "version": "1.0.0" })).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    service.role.signal("-TERM");
    eventually("nobody new is let in", Duration::from_secs(5), || async {
        service.client().try_send("GET", "/livez", None, &[]).await.is_err().then_some(())
    })
    .await;
    assert!(!flying.is_finished());
    held.rollback().await.unwrap();
    flying.await.unwrap().expect(201);
    let code = tokio::task::block_in_place(|| service.role.wait(Duration::from_secs(15)));
    assert_eq!(code, 0, "{}", service.role.log());
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM model_registry").fetch_one(&service.database.pool).await.unwrap();
    assert_eq!(kept, 1);
}
