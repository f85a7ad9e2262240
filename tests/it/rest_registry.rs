//! What the registry promises over HTTP beyond the specification's examples: what may not be read is not, what was changed does
//! not go on, what is gone stays gone.

use serde_json::json;

use crate::support::http::Service;

const REGISTER: &str = "/governance/models/register";

#[tokio::test]
async fn changed_bytes_do_not_go_into_production_whatever_the_policy_says() {
    let service = Service::open().await;
    let api = service.client();
    let path = service.site.path().join("model.bin");
    std::fs::write(&path, "weights").unwrap();
    let body = json!({ "model_name": "m", "version": "1.0.0", "model_path": path, "created_by": "ana" });
    api.post(REGISTER, body).await.expect(201);
    let verified = api.post("/governance/models/m/1.0.0/verify", json!({})).await.expect(200);
    assert_eq!(verified["artefact_status"], "verified");

    std::fs::write(&path, "other weights").unwrap();
    let promotion = json!({ "target_stage": "production", "approved_by": "grace" });
    let refused = api.post("/governance/models/m/1.0.0/promote", promotion.clone()).await.problem(422, "gates_failed");
    assert_eq!(refused["check"]["gates"][0]["gate"], "artefact_unchanged", "{refused}");
    let incidents = api.get("/governance/incidents?state=open").await.expect(200);
    assert_eq!(incidents["items"][0]["kind"], "artefact");

    std::fs::write(&path, "weights").unwrap();
    api.post("/governance/models/m/1.0.0/promote", promotion).await.expect(200);
    let live = api.get("/governance/incidents?state=live").await.expect(200);
    assert_eq!(live["items"], json!([]), "right again");
}

#[tokio::test]
async fn a_deleted_version_is_gone_for_ever_and_so_are_its_incidents() {
    let service = Service::open().await;
    let api = service.client();
    let body = json!({ "model_name": "m", "version": "1.0.0", "model_path": "/nowhere/model.bin" });
    api.post(REGISTER, body.clone()).await.expect(201);
    let missing = api.post("/governance/models/m/1.0.0/verify", json!({})).await.expect(200);
    assert_eq!(missing["artefact_status"], "missing");
    assert_eq!(api.get("/governance/incidents?state=live").await.expect(200)["items"].as_array().unwrap().len(), 1);
    api.send("DELETE", "/governance/models/m/1.0.0?reason=a%20mistake", None, &[]).await.expect(200);
    assert_eq!(api.get("/governance/incidents?state=live").await.expect(200)["items"], json!([]));
    api.get("/governance/models/m/1.0.0").await.problem(410, "version_deleted");
    api.post(REGISTER, body).await.problem(409, "version_deleted");
}

#[tokio::test]
async fn what_a_token_registers_is_not_read_without_allowed_roots() {
    let service = Service::with_tokens().await;
    let ana = service.client_of("ana", &["read", "models:register"]);
    let body = json!({ "model_name": "m", "version": "1.0.0", "model_path": "/etc/hostname" });
    let entry = ana.post(REGISTER, body).await.expect(201);
    assert_eq!(entry["artefact_status"], "none");
    assert!(entry["artefact_detail"].as_str().unwrap().contains("storage.allowed"), "{entry}");
    assert_eq!(ana.get("/governance/runs").await.expect(200)["items"], json!([]), "no run reads it");
    ana.post("/governance/models/m/1.0.0/verify", json!({})).await.problem(403, "data_not_allowed");
    // Nor does a declared job that looks at all artefacts.
    let job = "name = \"artefacts\"\nkind = \"artefact\"\n";
    std::fs::write(service.site.path().join("artefacts.toml"), job).unwrap();
    let run = service.site.ok(&["runs", "submit", "artefacts.toml", "--here", "--output", "json"]);
    let run: serde_json::Value = serde_json::from_str(&run).unwrap();
    assert_eq!(run["state"], "succeeded", "{run}");
    let after = ana.get("/governance/models/m/1.0.0").await.expect(200);
    assert_eq!((&after["artefact_status"], &after["artefact_digest"]), (&json!("none"), &json!(null)));
}

#[tokio::test]
async fn a_roll_back_never_brings_back_what_was_just_taken_down() {
    let service = Service::open().await;
    let api = service.client();
    for version in ["1.0.0", "2.0.0"] {
        api.post(REGISTER, json!({ "model_name": "m", "version": version, "created_by": "ana" })).await.expect(201);
        let promotion = json!({ "target_stage": "production", "approved_by": "grace" });
        api.post(&format!("/governance/models/m/{version}/promote"), promotion).await.expect(200);
    }
    api.post("/governance/models/m/2.0.0/demote", json!({ "target_stage": "staging" })).await.expect(200);
    let back = api.post("/governance/models/m/rollback", json!({ "approved_by": "grace" })).await.expect(200);
    assert_eq!((&back["version"], &back["rollback"]), (&json!("1.0.0"), &json!(true)));
}

#[tokio::test]
async fn the_tag_of_a_policy_never_comes_again() {
    let service = Service::open().await;
    let api = service.client();
    let path = "/governance/models/m/policy";
    let first = api.put(path, json!({ "approvals": 2 })).await;
    let tag = first.header("etag").unwrap().to_owned();
    first.expect(200);
    api.send("DELETE", path, None, &[]).await.expect(200);
    api.put(path, json!({ "approvals": 3 })).await.expect(200);
    let stale = api.send("PUT", path, Some(json!({ "approvals": 1 }).to_string()), &[("if-match", &tag)]).await;
    assert_eq!(stale.status, 412, "{}", stale.text);
}

#[tokio::test]
async fn history_and_approvals_cannot_be_edited() {
    let service = Service::open().await;
    let api = service.client();
    api.post(REGISTER, json!({ "model_name": "m", "version": "1.0.0", "created_by": "ana" })).await.expect(201);
    api.post("/governance/models/m/1.0.0/approvals", json!({ "approved_by": " grace " })).await.expect(201);
    let twice = api.post("/governance/models/m/1.0.0/approvals", json!({ "approved_by": "grace" })).await;
    twice.problem(409, "already_approved");
    for statement in [
        "DELETE FROM model_stage_history",
        "UPDATE model_stage_history SET actor = 'mallory'",
        "DELETE FROM model_approvals",
        "UPDATE model_approvals SET approver = 'mallory'",
    ] {
        let error = sqlx::query(statement).execute(&service.database.pool).await.unwrap_err().to_string();
        assert!(error.contains("only added to") || error.contains("stays what it was"), "{statement}: {error}");
    }
}

#[tokio::test]
async fn nobody_fills_in_a_version_behind_its_approvers_backs() {
    let service = Service::with_tokens().await;
    let ci = service.client_of("ci", &["read", "metrics:write"]);
    let bob = service.client_of("bob", &["read", "models:approve", "models:promote"]);
    let alice = service.client_of("alice", &["read", "models:register"]);
    let metric = json!({ "metric_name": "auc", "metric_value": 0.9 });
    ci.post("/governance/models/fraud/1.0.0/metrics", metric.clone()).await.expect(201);
    ci.post("/governance/models/fraud/1.1.0/metrics", metric).await.expect(201);
    bob.post("/governance/models/fraud/1.0.0/promote", json!({ "target_stage": "production" })).await.expect(200);
    let filled = json!({ "model_name": "fraud", "version": "1.0.0", "description": "mine" });
    alice.post(REGISTER, filled).await.problem(409, "version_conflict");
    // In development it may be filled in; what was approved before is not approved any more.
    bob.post("/governance/models/fraud/1.1.0/approvals", json!({})).await.expect(201);
    alice.post(REGISTER, json!({ "model_name": "fraud", "version": "1.1.0", "description": "mine" })).await.expect(201);
    let approvals = bob.get("/governance/models/fraud/1.1.0/approvals").await.expect(200);
    assert_eq!(approvals["items"][0]["state"], "withdrawn", "{approvals}");
}

#[tokio::test]
async fn break_glass_opens_no_way_around_the_policy_for_later() {
    let service = Service::open().await;
    let api = service.client();
    api.put("/governance/models/m/policy", json!({ "approvals": 1, "gates": [{ "gate": "model_card" }] }))
        .await
        .expect(200);
    api.post(REGISTER, json!({ "model_name": "m", "version": "1.0.0", "created_by": "ana" })).await.expect(201);
    let path = "/governance/models/m/1.0.0/promote";
    let plain = json!({ "target_stage": "production", "approved_by": "grace" });
    api.post(path, plain.clone()).await.problem(422, "gates_failed");
    let forced = json!({ "target_stage": "production", "approved_by": "grace", "break_glass": "the other one burns" });
    assert_eq!(api.post(path, forced).await.expect(200)["break_glass"], true);
    api.post("/governance/models/m/1.0.0/archive", json!({})).await.expect(200);
    api.post(path, plain).await.problem(422, "gates_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_hang_up_leave_no_transaction_open() {
    let service = Service::open().await;
    let body = json!({ "metric_name": "auc", "metric_value": 0.9 }).to_string();
    let address = service.base.trim_start_matches("http://").to_owned();
    let hang_up = async |index: u64| {
        use tokio::io::AsyncWriteExt as _;
        let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST /governance/models/m/1.{index}.0/metrics HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_micros(index % 40 * 500)).await;
    };
    for round in 0..25 {
        tokio::join!(hang_up(round * 8), hang_up(round * 8 + 1), hang_up(round * 8 + 2), hang_up(round * 8 + 3));
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let idle: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction' AND state_change < now() - interval '1 second'",
    )
    .fetch_one(&service.database.pool)
    .await
    .unwrap();
    assert_eq!(idle, 0);
    service.client().get("/governance/models").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_of_two_models_created_side_by_side_do_not_block_each_other() {
    let service = Service::open().await;
    let create = async |index: u32| {
        let (a, b) = if index.is_multiple_of(2) { ("left", "right") } else { ("right", "left") };
        let body = json!({
            "test_name": format!("t{index}"), "success_metric": "accuracy",
            "model_a_name": a, "model_a_version": format!("1.{index}.0"),
            "model_b_name": b, "model_b_version": format!("2.{index}.0")
        });
        service.client().post("/governance/ab-tests", body).await.expect(201);
    };
    for round in 0..10 {
        let n = round * 6;
        tokio::join!(create(n), create(n + 1), create(n + 2), create(n + 3), create(n + 4), create(n + 5));
    }
}

#[tokio::test]
async fn a_repeated_move_gets_its_answer_whatever_came_after() {
    let service = Service::open().await;
    let api = service.client();
    api.post(REGISTER, json!({ "model_name": "m", "version": "1.0.0", "created_by": "ana" })).await.expect(201);
    let body = json!({ "target_stage": "staging", "approved_by": "grace" }).to_string();
    let send = async |headers: &[(&str, &str)]| {
        api.send("POST", "/governance/models/m/1.0.0/promote", Some(body.clone()), headers).await
    };
    let first = send(&[("idempotency-key", "k1")]).await.expect(200);
    api.post("/governance/models/m/1.0.0/archive", json!({})).await.expect(200);
    assert_eq!(send(&[("idempotency-key", "k1")]).await.expect(200), first);
    send(&[("idempotency-key", "k1"), ("if-match", "\"000000000000.9\"")]).await.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_document_does_not_speak_for_a_declared_job() {
    let service = Service::start_as("serve", "").await;
    let api = service.client();
    let job = "name = \"watch\"\nkind = \"metrics\"\ndata.current = { uri = \"data.csv\" }\nmetrics = { task = \"regression\", label = \"y\", prediction = \"p\" }\n";
    service.site.job("watch", job);
    crate::support::steward::eventually("the job is applied", std::time::Duration::from_secs(20), || async {
        (api.get("/governance/jobs").await.expect(200)["items"].as_array()?.len() == 1).then_some(())
    })
    .await;
    let refused = api
        .post("/governance/runs", json!({ "document": job, "notifies": true }))
        .await
        .problem(422, "invalid_request");
    assert_eq!(refused["errors"][0]["pointer"], "/document/name");
    api.post("/governance/runs", json!({ "document": job })).await.expect(202);
}
