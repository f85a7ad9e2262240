//! Who may do what over HTTP, what is kept of those who may not, and that the service holds under pressure.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::http::{Answer, Client, Service};
use crate::support::operations::{Operation, operations};
use crate::support::steward::eventually;

const SCOPES: [&str; 9] = [
    "read",
    "models:register",
    "models:promote",
    "models:approve",
    "metrics:write",
    "jobs:submit",
    "alerts:ack",
    "audit:read",
    "admin",
];

/// The events that were refused, newest first.
async fn denied(auditor: &Client) -> Vec<Value> {
    let page = auditor.get("/governance/audit?outcome=denied&limit=1000").await.expect(200);
    page["items"].as_array().unwrap().clone()
}

fn with_token(service: &Service, token: &str) -> Client {
    service.client().with_token(token)
}

async fn register(client: &Client, name: &str, version: &str) -> Value {
    client.post("/governance/models/register", json!({ "model_name": name, "version": version })).await.expect(201)
}

#[tokio::test]
async fn who_has_no_valid_token_is_told_why_and_old_tokens_are_recorded() {
    let service = Service::with_tokens().await;
    let auditor = service.client_of("auditor", &["read", "audit:read"]);
    let refused = |answer: Answer, code: &str| {
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"steward\""), "{code}");
        answer.problem(401, code)
    };
    let path = "/governance/models";
    let missing = refused(service.client().get(path).await, "token_missing");
    assert!(missing["detail"].as_str().unwrap().contains("steward token create"), "{missing}");
    refused(service.client().send("GET", path, None, &[("authorization", "Basic dTpw")]).await, "token_malformed");
    refused(with_token(&service, "stw_short").get(path).await, "token_malformed");
    refused(with_token(&service, &format!("stw_{}", "A".repeat(43))).get(path).await, "token_unknown");
    // A path that does not exist says so only to those who may ask.
    refused(service.client().get("/governance/nothing").await, "token_missing");
    auditor.get("/governance/nothing").await.problem(404, "not_found");

    let old = service.client_of("old", &["read"]);
    let gone = service.client_of("gone", &["read"]);
    old.get(path).await.expect(200);
    for statement in [
        "UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE name = 'old'",
        "UPDATE api_tokens SET revoked_at = now(), revoked_by = 'ops' WHERE name = 'gone'",
    ] {
        sqlx::query(statement).execute(&service.database.pool).await.unwrap();
    }
    assert_eq!(denied(&auditor).await.len(), 0, "guesses could fill the trail");
    let problem = refused(old.get(path).await, "token_expired");
    refused(gone.get(path).await, "token_revoked");
    insta::with_settings!({ filters => vec![(r"[0-9a-f-]{36}", "ID")] }, {
        insta::assert_json_snapshot!("expired_token", problem);
    });
    let events = denied(&auditor).await;
    let reasons: Vec<_> =
        events.iter().map(|e| (e["action"].as_str().unwrap(), e["detail"]["reason"].clone())).collect();
    let action = "access.authenticated";
    assert_eq!(reasons, [(action, json!("token_revoked")), (action, json!("token_expired"))]);
    // Enough to find the token, not enough to use it.
    let secret = old.token.as_deref().unwrap();
    assert_eq!(events[1]["subject"].as_str().unwrap(), &secret[..12]);
    assert!(!serde_json::to_string(&events).unwrap().contains(secret));
    // What needs no token.
    service.client().get("/livez").await.expect(200);
    service.client().get("/openapi.json").await.expect(200);
}

async fn call(client: &Client, operation: &Operation, body: Option<&Value>, id: &str) -> Answer {
    let target = operation.target(|name| match name {
        "version" => "1.0.0".to_owned(),
        name if name.ends_with("_id") => "00000000-0000-0000-0000-000000000001".to_owned(),
        _ => "a".to_owned(),
    });
    client.send(&operation.method, &target, body.map(Value::to_string), &[("x-request-id", id)]).await
}

#[tokio::test]
async fn every_operation_asks_for_its_scope_and_records_who_lacks_it() {
    let service = Service::with_tokens().await;
    let document = service.client().get("/openapi.json").await.expect(200);
    let operations: Vec<_> = operations(&document)
        .into_iter()
        .filter(|operation| !["/livez", "/readyz", "/governance/whoami"].contains(&operation.path.as_str()))
        .collect();
    assert!(operations.len() > 55, "{}", operations.len());
    let clients: Vec<_> =
        SCOPES.iter().map(|scope| (*scope, service.client_of(&scope.replace(':', "-"), &[*scope]))).collect();
    let of = |scope: &str| &clients.iter().find(|(word, _)| *word == scope).unwrap().1;
    let auditor = service.client_of("auditor", &["audit:read"]);
    // Somebody who may do something else, and reads when the operation writes.
    let mut ids = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        let name = format!("{} {}", operation.method, operation.path);
        let id = format!("lacking-{index}");
        let stranger = if operation.changes() { of("read") } else { of("alerts:ack") };
        let body = operation.body.as_ref();
        service
            .client()
            .send(&operation.method, &operation.path.replace(['{', '}'], ""), None, &[])
            .await
            .problem(401, "token_missing");
        let problem = call(stranger, operation, body, &id).await.problem(403, "scope_missing");
        let needed = problem["required_scope"].as_str().unwrap_or_else(|| panic!("{name}")).to_owned();
        assert!(problem["detail"].as_str().unwrap().contains(&needed), "{name}: {problem}");
        ids.push((id, needed.clone(), name.clone()));

        // That scope alone is enough: what is refused then, is refused for another reason.
        let mut body = operation.body.clone();
        if let Some(Value::Object(fields)) = &mut body {
            fields.remove("break_glass");
        }
        let answer = call(of(&needed), operation, body.as_ref(), "holding").await;
        assert!(answer.status < 500 && answer.status != 401, "{name}: {}", answer.text);
        assert_ne!(answer.body["code"], "scope_missing", "{name}: {}", answer.text);
    }
    let events = denied(&auditor).await;
    for (id, needed, name) in ids {
        let event =
            events.iter().find(|event| event["request_id"] == *id).unwrap_or_else(|| panic!("{name} not recorded"));
        assert_eq!((&event["action"], &event["subject"]), (&json!("access.checked"), &json!(needed)), "{name}");
    }
}

#[tokio::test]
async fn nobody_approves_their_own_or_in_the_name_of_another() {
    let service = Service::with_tokens().await;
    let everything = &SCOPES[..5];
    let (ann, auditor) = (service.client_of("ann", everything), service.client_of("auditor", &["audit:read"]));
    register(&ann, "m", "1.0.0").await;
    let version = "/governance/models/m/1.0.0";
    let own = ann
        .post(&format!("{version}/promote"), json!({ "target_stage": "production" }))
        .await
        .problem(403, "self_approval");
    assert!(own["detail"].as_str().unwrap().contains("somebody else must"), "{own}");
    ann.post(&format!("{version}/approvals"), json!({})).await.problem(403, "self_approval");
    let named =
        ann.post(&format!("{version}/promote"), json!({ "target_stage": "production", "approved_by": "bob" })).await;
    named.problem(403, "approver_not_caller");
    let named =
        ann.post(&format!("{version}/approvals"), json!({ "approved_by": "bob" })).await.problem(403, "not_the_caller");
    assert_eq!(named["errors"][0]["pointer"], "/approved_by");
    let body = json!({ "model_name": "m", "version": "2.0.0", "created_by": "bob" });
    let made = ann.post("/governance/models/register", body).await.problem(403, "not_the_caller");
    insta::with_settings!({ filters => vec![(r"[0-9a-f-]{36}", "ID")] }, {
        insta::assert_json_snapshot!("self_approval", own);
        insta::assert_json_snapshot!("created_by_another", made);
    });
    let actions: Vec<_> = denied(&auditor)
        .await
        .iter()
        .map(|e| format!("{} {}", e["actor"].as_str().unwrap(), e["action"].as_str().unwrap()))
        .collect();
    assert_eq!(
        actions,
        [
            "ann access.impersonated",
            "ann access.impersonated",
            "ann model.approved",
            "ann model.approved",
            "ann model.approved"
        ]
    );
    assert_eq!(ann.get(version).await.expect(200)["stage"], "development");
    ann.get("/governance/models/m/2.0.0").await.problem(404, "version_not_found");
}

#[tokio::test]
async fn two_approvals_end_to_end() {
    let service = Service::with_tokens().await;
    let admin = service.client_of("root", &["admin"]);
    let carol = service.client_of("carol", &["read", "models:register", "metrics:write"]);
    let deploy = service.client_of("deploy", &["models:promote"]);
    let (ann, bob) = (service.client_of("ann", &["models:approve"]), service.client_of("bob", &["models:approve"]));
    register(&carol, "m", "1.0.0").await;
    let version = "/governance/models/m/1.0.0";
    let (promote, approvals) = (format!("{version}/promote"), format!("{version}/approvals"));
    let target = json!({ "target_stage": "production" });
    admin.put("/governance/models/m/policy", json!({ "approvals": 2 })).await.expect(200);

    let problem = deploy.post(&promote, target.clone()).await.problem(422, "approval_required");
    let state = &problem["check"]["approvals"];
    assert_eq!((&state["needed"], &state["missing"]), (&json!(2), &json!(2)), "{problem}");
    ann.post(&approvals, json!({ "comment": "read" })).await.expect(201);
    ann.post(&approvals, json!({})).await.problem(409, "already_approved");
    let problem = deploy.post(&promote, target.clone()).await.problem(422, "approval_required");
    assert_eq!(problem["check"]["approvals"]["missing"], 1);
    // What ann saw is not what is there now.
    carol
        .post(&format!("{version}/metrics"), json!({ "metric_name": "accuracy", "metric_value": 0.4 }))
        .await
        .expect(201);
    bob.post(&approvals, json!({})).await.expect(201);
    let problem = deploy.post(&promote, target.clone()).await.problem(422, "approval_required");
    assert_eq!(problem["check"]["approvals"]["missing"], 1);
    assert!(problem["detail"].as_str().unwrap().contains("that of ann does not count"), "{problem}");
    let check = carol.get(&format!("{version}/promotion-check")).await.expect(200);
    assert_eq!(check["approvals"]["missing"], 1, "the dry run says the same");
    ann.post(&approvals, json!({})).await.expect(201);
    let done = deploy.post(&promote, target).await.expect(200);
    let mut names: Vec<_> = done["approved_by"].as_str().unwrap().split(", ").collect();
    names.sort_unstable();
    assert_eq!((names, &done["stage"]), (vec!["ann", "bob"], &json!("production")));
}

#[tokio::test]
async fn breaking_the_glass_is_for_administrators_and_is_told() {
    let config = "[server]\nauthentication = \"tokens\"\n[registry]\nnotify = [\"ml-webhook\"]\n";
    let service = Service::start_as("api", config).await;
    let admin = service.client_of("root", &["admin", "read", "audit:read"]);
    let lead = service.client_of("lead", &["models:register", "models:promote"]);
    register(&lead, "m", "1.0.0").await;
    let path = "/governance/models/m/1.0.0/promote";
    let body = json!({ "target_stage": "production", "break_glass": "the old one is on fire" });
    let problem = lead.post(path, body.clone()).await.problem(403, "scope_missing");
    assert_eq!(problem["required_scope"], "admin");
    let empty = json!({ "target_stage": "production", "break_glass": " " });
    assert_eq!(admin.post(path, empty).await.problem(422, "invalid_request")["errors"][0]["pointer"], "/break_glass");
    assert_eq!(admin.get("/governance/deliveries").await.expect(200)["items"], json!([]));

    let done = admin.post(path, body).await.expect(200);
    assert_eq!((&done["break_glass"], &done["approved_by"]), (&json!(true), &json!("root")));
    let messages = admin.get("/governance/deliveries").await.expect(200);
    let subject = messages["items"][0]["subject"].as_str().unwrap();
    assert!(subject.contains("past its policy"), "{subject}");
    let incidents = admin.get("/governance/incidents?state=open").await.expect(200);
    let title = incidents["items"][0]["title"].as_str().unwrap();
    assert!(title.contains("by root: the old one is on fire"), "{title}");
}

#[tokio::test]
async fn an_edited_row_of_the_trail_is_found_by_both_entrances() {
    let service = Service::open().await;
    let api = service.client();
    register(&api, "m", "1.0.0").await;
    register(&api, "m", "1.1.0").await;
    let found = api.get("/governance/audit/verify").await.expect(200);
    assert_eq!((&found["events"], &found["problem"]), (&json!(2), &Value::Null));
    assert!(service.site.run(&["audit", "verify"]).status.success());
    let mut conn = service.database.pool.acquire().await.unwrap();
    for statement in [
        "ALTER TABLE governance_events DISABLE TRIGGER USER",
        "UPDATE governance_events SET actor = 'somebody' WHERE sequence = 1",
        "ALTER TABLE governance_events ENABLE TRIGGER USER",
    ] {
        sqlx::query(statement).execute(&mut *conn).await.unwrap();
    }
    let found = api.get("/governance/audit/verify").await.expect(200);
    assert!(found["problem"].as_str().unwrap().contains("event 1 "), "{found}");
    let output = service.site.run(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("event 1 "));
}

#[tokio::test]
async fn the_open_mode_is_for_this_machine_only() {
    let service = Service::open().await;
    let mut command = service.site.command(&["api"]);
    let output = command.env("STEWARD__SERVER__LISTEN", "0.0.0.0:0").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains("can be reached from other machines") && text.contains("authentication = \"tokens\""),
        "{text}"
    );

    let api = service.client();
    let list = "/governance/models";
    for host in ["evil.example", "127.0.0.1.evil.example:80", "10.0.0.1:8080"] {
        api.send("GET", list, None, &[("host", host)]).await.problem(403, "foreign_host");
    }
    api.send("GET", list, None, &[("host", "localhost:1")]).await.expect(200);
    let body = json!({ "model_name": "m", "version": "1.0.0" }).to_string();
    let register = "/governance/models/register";
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let answer = api.send("POST", register, Some(body.clone()), &[("origin", origin)]).await;
        answer.problem(403, "foreign_origin");
    }
    // A form of a web page cannot send JSON, and is refused even where the browser names no origin.
    let form = [("content-type", "text/plain")];
    let plain = reqwest::Client::new().post(format!("{}{register}", service.base)).header(form[0].0, form[0].1);
    assert_eq!(plain.body(body.clone()).send().await.unwrap().status(), 415);
    let own = service.base.clone();
    api.send("POST", register, Some(body), &[("origin", &own)]).await.expect(201);
}

#[tokio::test]
async fn tokens_never_reach_the_log() {
    let config = "[server]\nauthentication = \"tokens\"\n[log]\nlevel = \"trace\"\n";
    let service = Service::start_as("api", config).await;
    let admin = service.client_of("root", &SCOPES);
    register(&admin, "m", "1.0.0").await;
    let made = admin
        .post("/governance/tokens", json!({ "name": "svc", "kind": "service", "scopes": ["read"] }))
        .await
        .expect(201);
    let new = made["token"].as_str().unwrap().to_owned();
    with_token(&service, &new).get("/governance/models").await.expect(200);
    with_token(&service, &new).get("/governance/tokens").await.problem(403, "scope_missing");
    let unknown = format!("stw_{}", "Q".repeat(43));
    with_token(&service, &unknown).get("/governance/models").await.problem(401, "token_unknown");
    admin
        .post("/governance/runs", json!({ "document": "password = \"hunter2hunter2\"" }))
        .await
        .problem(422, "invalid_document");
    let log = service.role.log();
    assert!(log.contains("answered"), "the log is at work: {} bytes", log.len());
    for secret in [admin.token.as_deref().unwrap(), &new, &unknown, "hunter2hunter2"] {
        let secret = secret.trim_start_matches("stw_");
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{line:?}");
    }
    let listed = admin.get("/governance/tokens").await.expect(200);
    assert!(!listed.to_string().contains(&new), "{listed}");
}

#[tokio::test]
async fn one_caller_may_ask_so_often_and_no_more() {
    let service = Service::start_as("api", "[server]\nauthentication = \"tokens\"\nrequests_per_second = 5\n").await;
    let (busy, other) = (service.client_of("busy", &["read"]), service.client_of("other", &["read"]));
    let mut refused = None;
    for _ in 0..40 {
        let answer = busy.get("/governance/models").await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("forty requests in a moment are too many");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.problem(429, "rate_limited")["retryable"], true);
    other.get("/governance/models").await.expect(200);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    busy.get("/governance/models").await.expect(200);
}

#[tokio::test]
async fn what_takes_too_long_is_given_up_and_leaves_nothing() {
    let config = "[server]\nrequest_timeout_seconds = 1\nmax_concurrent_requests = 2\n[storage]\nallowed = [\"file:///srv/models\"]\n";
    let service = Service::start_as("api", config).await;
    let api = service.client();
    register(&api, "warm", "1.0.0").await;
    let pool = &service.database.pool;
    let mut held = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM governance_head FOR UPDATE").execute(&mut *held).await.unwrap();

    let body = json!({ "model_name": "m", "version": "1.0.0" }).to_string();
    let key = [("idempotency-key", "late")];
    let path = "/governance/models/register";
    let started = Instant::now();
    let answer = api.send("POST", path, Some(body.clone()), &key).await;
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(answer.header("retry-after"), Some("5"));
    let problem = answer.problem(503, "timed_out");
    assert_eq!(problem["retryable"], true);
    assert!(problem["detail"].as_str().unwrap().contains("Idempotency-Key"), "{problem}");
    insta::with_settings!({ filters => vec![(r"[0-9a-f-]{36}", "ID")] }, {
        insta::assert_json_snapshot!("timed_out", problem);
    });

    // A refusal that cannot be recorded now is still answered.
    let outside = json!({ "model_name": "m", "version": "1.0.0", "model_path": "/etc/passwd" });
    let started = Instant::now();
    api.post(path, outside).await.problem(403, "data_not_allowed");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());

    // Two that wait are as many as may be worked on.
    let waiting: Vec<_> = (0..2)
        .map(|i| {
            let api = api.clone();
            let body = json!({ "model_name": "m", "version": format!("3.{i}.0") });
            tokio::spawn(async move { api.post("/governance/models/register", body).await })
        })
        .collect();
    let overloaded = eventually("the limit is reached", Duration::from_secs(1), || async {
        let answer = api.get("/governance/whoami").await;
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert_eq!(overloaded.header("retry-after"), Some("1"));
    assert_eq!(overloaded.problem(503, "overloaded")["retryable"], true);
    api.get("/livez").await.expect(200);
    for late in waiting {
        late.await.unwrap().problem(503, "timed_out");
    }
    held.rollback().await.unwrap();

    // Nothing of them comes later, and the key is free.
    eventually("what was given up has ended", Duration::from_secs(10), || async {
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                    AND (xact_start IS NOT NULL OR wait_event_type = 'Lock')";
        let busy: i64 = sqlx::query_scalar(busy).fetch_one(pool).await.unwrap();
        (busy == 0).then_some(())
    })
    .await;
    let names: Vec<String> = sqlx::query_scalar("SELECT model_name FROM model_registry").fetch_all(pool).await.unwrap();
    assert_eq!(names, ["warm"]);
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM idempotency_keys").fetch_one(pool).await.unwrap();
    assert_eq!(keys, 0);
    api.send("POST", path, Some(body), &key).await.expect(201);
    assert_eq!(api.get("/governance/audit/verify").await.expect(200)["problem"], Value::Null);
}
