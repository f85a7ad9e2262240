//! What goes into production over HTTP: which bytes, past which gates, by whose word, and back again.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::http::{Client, Service};

const MODELS: &str = "/governance/models";

/// A body that bob approves.
fn to(stage: &str) -> Value {
    json!({ "target_stage": stage, "approved_by": "bob" })
}

async fn register(api: &Client, version: &str) -> Value {
    let body = json!({ "model_name": "m", "version": version, "created_by": "ana" });
    api.post(&format!("{MODELS}/register"), body).await.expect(201)
}

/// Registers a version whose artefact holds these bytes.
async fn with_file(service: &Service, version: &str, bytes: &str, digest: Option<&str>) -> PathBuf {
    let path = service.site.path().join(format!("{version}.bin"));
    std::fs::write(&path, bytes).unwrap();
    let mut body = json!({ "model_name": "m", "version": version, "model_path": path, "created_by": "ana" });
    if let Some(digest) = digest {
        body["artefact_digest"] = digest.into();
    }
    service.client().post(&format!("{MODELS}/register"), body).await.expect(201);
    path
}

async fn promote(api: &Client, version: &str) {
    api.post(&format!("{MODELS}/m/{version}/promote"), to("production")).await.expect(200);
}

async fn production(api: &Client) -> String {
    let found = api.get(&format!("{MODELS}/m/latest?stage=production")).await.expect(200);
    found["version"].as_str().unwrap().to_owned()
}

async fn gated(api: &Client, gates: Value) {
    api.put(&format!("{MODELS}/m/policy"), json!({ "approvals": 1, "gates": gates })).await.expect(200);
}

#[tokio::test]
async fn a_roll_back_brings_back_no_other_bytes() {
    for gate in [true, false] {
        let service = Service::open().await;
        let api = service.client();
        gated(&api, if gate { json!([{ "gate": "artefact_verified" }]) } else { json!([]) }).await;
        let first = with_file(&service, "1.0.0", "good", None).await;
        with_file(&service, "2.0.0", "newer", None).await;
        for version in ["1.0.0", "2.0.0"] {
            api.post(&format!("{MODELS}/m/{version}/verify"), json!({})).await.expect(200);
            promote(&api, version).await;
        }
        std::fs::write(&first, "EVIL").unwrap();
        let back = format!("{MODELS}/m/rollback");
        let refused = api.post(&back, json!({ "approved_by": "bob" })).await.problem(422, "gates_failed");
        let said = refused["check"]["gates"].as_array().unwrap().iter().find(|gate| gate["passed"] == false).unwrap();
        assert_eq!(said["gate"], if gate { "artefact_verified" } else { "artefact_unchanged" });
        let refused = service.site.run(&["models", "rollback", "m", "--approved-by", "bob"]);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert_eq!(production(&api).await, "2.0.0");
        std::fs::write(&first, "good").unwrap();
        api.post(&back, json!({ "approved_by": "bob" })).await.expect(200);
        assert_eq!(production(&api).await, "1.0.0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_finds_the_same_is_no_change() {
    let service = Service::open().await;
    let api = service.client();
    with_file(&service, "1.0.0", "good", None).await;
    let path = format!("{MODELS}/m/1.0.0");
    let verify = async || api.post(&format!("{path}/verify"), json!({})).await;
    let first = verify().await;
    let tag = first.header("etag").unwrap().to_owned();
    let before = first.expect(200);
    let waiting = tokio::spawn({
        let (api, tag) = (api.clone(), tag.clone());
        async move {
            let path = format!("{MODELS}/m/latest?wait=3s");
            api.send("GET", &path, None, &[("if-none-match", &tag)]).await.status
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let second = verify().await;
    assert_eq!(second.header("etag"), Some(tag.as_str()));
    let after = second.expect(200);
    assert!(after["artefact_checked_at"].as_str() > before["artefact_checked_at"].as_str());
    assert_eq!((&after["revision"], &after["updated_at"]), (&before["revision"], &before["updated_at"]));
    assert_eq!(waiting.await.unwrap(), 304, "nobody is woken for it");
    // So whoever read it promotes it, though it is hashed again.
    let body = to("production").to_string();
    let done = api.send("POST", &format!("{path}/promote"), Some(body), &[("if-match", &tag)]).await;
    assert_eq!(done.expect(200)["stage"], "production");
}

#[tokio::test]
async fn the_first_look_before_a_promotion_is_no_change_that_the_caller_missed() {
    let service = Service::open().await;
    let api = service.client();
    gated(&api, json!([{ "gate": "artefact_verified" }])).await;
    with_file(&service, "1.0.0", "good", None).await;
    let path = format!("{MODELS}/m/1.0.0");
    let read = api.get(&path).await.header("etag").unwrap().to_owned();
    let body = to("production").to_string();
    let send =
        async |tag: &str| api.send("POST", &format!("{path}/promote"), Some(body.clone()), &[("if-match", tag)]).await;
    let stale = format!("{}9\"", read.trim_end_matches('"'));
    send(&stale).await.problem(412, "revision_mismatch");
    let found = api.get(&path).await.expect(200);
    assert_eq!(found["artefact_status"], "pending", "who read something else is told before anything is hashed");
    send(&read).await.expect(200);
}

#[tokio::test]
async fn bytes_that_are_not_the_registered_ones_go_nowhere() {
    let service = Service::open().await;
    let api = service.client();
    // Nobody has looked yet, and what is there is something else.
    let other = format!("sha256:{}", "ab".repeat(32));
    with_file(&service, "1.0.0", "good", Some(&other)).await;
    for stage in ["staging", "production"] {
        let refused = api.post(&format!("{MODELS}/m/1.0.0/promote"), to(stage)).await.problem(422, "gates_failed");
        assert_eq!(refused["check"]["gates"][0]["gate"], "artefact_unchanged", "{refused}");
    }
    let refused =
        service.site.run(&["models", "promote", "m", "1.0.0", "--to", "staging", "--approved-by", "bob", "--by", "cy"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(api.get(&format!("{MODELS}/m/1.0.0")).await.expect(200)["artefact_status"], "mismatch");
    // Verified once, gone now.
    let path = with_file(&service, "2.0.0", "good", None).await;
    api.post(&format!("{MODELS}/m/2.0.0/verify"), json!({})).await.expect(200);
    std::fs::remove_file(path).unwrap();
    let refused = api.post(&format!("{MODELS}/m/2.0.0/promote"), to("production")).await.problem(422, "gates_failed");
    assert_eq!(refused["check"]["gates"][0]["detail"], "the artefact that was registered is missing");
    let forced = json!({ "target_stage": "production", "approved_by": "bob", "break_glass": "the store is gone" });
    api.post(&format!("{MODELS}/m/2.0.0/promote"), forced).await.expect(200);
}

#[tokio::test]
async fn what_was_taken_down_comes_back_by_its_gates_or_by_a_roll_back() {
    let service = Service::open().await;
    let api = service.client();
    for version in ["1.0.0", "2.0.0"] {
        register(&api, version).await;
        promote(&api, version).await;
    }
    gated(&api, json!([{ "gate": "model_card" }])).await;
    let plain = format!("{MODELS}/m/1.0.0/promote");
    let refused = api.post(&plain, to("production")).await.problem(422, "gates_failed");
    assert_eq!(refused["check"]["rollback"], false);
    let check = api.get(&format!("{MODELS}/m/1.0.0/promotion-check?approved_by=bob")).await.expect(200);
    assert_eq!((&check["allowed"], &check["gates"]), (&json!(false), &refused["check"]["gates"]));
    let back = api.post(&format!("{MODELS}/m/rollback"), json!({ "approved_by": "bob" })).await.expect(200);
    assert_eq!((&back["version"], &back["rollback"], &back["gates"]), (&json!("1.0.0"), &json!(true), &json!([])));
}

#[tokio::test]
async fn each_roll_back_goes_one_step_further_back() {
    let service = Service::open().await;
    let api = service.client();
    for version in ["1.0.0", "1.0.1", "1.10.0"] {
        register(&api, version).await;
        promote(&api, version).await;
    }
    let back = format!("{MODELS}/m/rollback");
    let asked = |from: &str| json!({ "approved_by": "bob", "from_version": from });
    let send = async |tag: &str| {
        api.send("POST", &back, Some(json!({ "approved_by": "bob" }).to_string()), &[("if-match", tag)]).await
    };
    send("\"nonsense.1\"").await.problem(412, "precondition_failed");
    let tag = api.get(&format!("{MODELS}/m/1.10.0")).await.header("etag").unwrap().to_owned();
    assert_eq!(send(&tag).await.expect(200)["version"], "1.0.1");
    // Two operators, or one who asks twice: the second is told.
    send(&tag).await.problem(412, "precondition_failed");
    let told = api.post(&back, asked("1.10.0")).await.problem(412, "revision_mismatch");
    assert!(told["detail"].as_str().unwrap().contains("1.0.1 is in production, not 1.10.0"), "{told}");
    assert_eq!(api.post(&back, asked("1.0.1")).await.expect(200)["version"], "1.0.0", "never what was taken out");
    api.post(&back, json!({ "approved_by": "bob" })).await.problem(409, "nothing_to_roll_back_to");
    api.post(&back, asked("1.0.1")).await.problem(412, "revision_mismatch");
    // Mended and promoted anew it is on top again.
    promote(&api, "1.10.0").await;
    assert_eq!(api.post(&back, asked("1.10.0")).await.expect(200)["version"], "1.0.0");
}

#[tokio::test]
async fn a_large_artefact_is_hashed_by_a_run_and_break_glass_waits_for_no_store() {
    let service = Service::open().await;
    let api = service.client();
    gated(&api, json!([{ "gate": "artefact_verified" }])).await;
    let path = with_file(&service, "1.0.0", "", None).await;
    let size = 60_u64 << 30;
    std::fs::File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
    let run = async |refused: Value| {
        let gates = refused["check"]["gates"].as_array().unwrap().clone();
        let gate = gates.into_iter().find(|gate| gate["gate"] == "artefact_unchanged").unwrap();
        assert_eq!(gate["evidence"]["size_bytes"], size, "{gate}");
        gate["evidence"]["run"].as_str().unwrap().to_owned()
    };
    let promotion = format!("{MODELS}/m/1.0.0/promote");
    let first = run(api.post(&promotion, to("production")).await.problem(422, "gates_failed")).await;
    let kind = api.get(&format!("/governance/runs/{first}")).await.expect(200)["kind"].clone();
    assert_eq!(kind, "artefact");
    let again = run(api.post(&promotion, to("production")).await.problem(422, "gates_failed")).await;
    assert_eq!(again, first, "one run, however often it is asked for");
    let verifying = api.post(&format!("{MODELS}/m/1.0.0/verify"), json!({})).await.expect(202);
    assert_eq!(verifying["run_id"], first);

    // As the run leaves it.
    let done =
        "UPDATE model_registry SET artefact_status = 'verified', artefact_digest = 'sha256:' || repeat('ab', 32),
                       artefact_size_bytes = $1, artefact_checked_at = now() - make_interval(mins => $2)";
    let looked = async |bytes: u64, minutes: i32| {
        let bytes = i64::try_from(bytes).unwrap();
        sqlx::query(done).bind(bytes).bind(minutes).execute(&service.database.pool).await.unwrap();
    };
    let before = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    for (bytes, minutes) in [(size - 1, 1), (size, 61)] {
        file.set_modified(before).unwrap();
        looked(bytes, minutes).await;
        api.post(&promotion, to("production")).await.problem(422, "gates_failed");
    }
    looked(size, 1).await;
    file.set_len(size).unwrap();
    file.set_modified(before + Duration::from_secs(10_000_000_000)).unwrap();
    api.post(&promotion, to("production")).await.problem(422, "gates_failed");
    file.set_modified(before).unwrap();
    api.post(&promotion, to("production")).await.expect(200);

    // Without a gate so much is not hashed again, unless it cannot be the same.
    gated(&api, json!([])).await;
    let demoted = json!({ "target_stage": "development" });
    api.post(&format!("{MODELS}/m/1.0.0/demote"), demoted).await.expect(200);
    looked(size - 1, 61).await;
    api.post(&promotion, to("production")).await.problem(422, "gates_failed");
    looked(size, 61).await;
    api.post(&promotion, to("production")).await.expect(200);

    gated(&api, json!([{ "gate": "artefact_verified" }])).await;
    let body = json!({ "model_name": "m", "version": "2.0.0", "model_path": "http://127.0.0.1:1/x.bin" });
    api.post(&format!("{MODELS}/register"), body).await.expect(201);
    let promotion = format!("{MODELS}/m/2.0.0/promote");
    api.post(&promotion, to("production")).await.problem(503, "artefact_unreadable");
    let forced = json!({ "target_stage": "production", "approved_by": "bob", "break_glass": "checkout is down" });
    assert_eq!(api.post(&promotion, forced).await.expect(200)["break_glass"], true);
}

#[tokio::test]
async fn in_the_open_mode_somebody_is_named_who_approves() {
    let service = Service::open().await;
    let api = service.client();
    register(&api, "1.0.0").await;
    let promotion = format!("{MODELS}/m/1.0.0/promote");
    for stage in ["staging", "production"] {
        let refused = api.post(&promotion, json!({ "target_stage": stage })).await.problem(422, "approval_required");
        assert_eq!(refused["errors"][0]["pointer"], "/approved_by");
    }
    let check = format!("{MODELS}/m/1.0.0/promotion-check");
    assert_eq!(api.get(&check).await.expect(200)["allowed"], false);
    assert_eq!(api.get(&format!("{check}?approved_by=bob")).await.expect(200)["allowed"], true);
    // Who was named before counts.
    api.post(&format!("{MODELS}/m/1.0.0/approvals"), json!({ "approved_by": "grace" })).await.expect(201);
    let done = api.post(&promotion, json!({ "target_stage": "production" })).await.expect(200);
    assert_eq!(done["approved_by"], "grace");
    register(&api, "2.0.0").await;
    promote(&api, "2.0.0").await;
    let back = format!("{MODELS}/m/rollback");
    api.post(&back, json!({})).await.problem(422, "approval_required");
    api.post(&back, json!({ "approved_by": "bob" })).await.expect(200);
}

#[tokio::test]
async fn the_versions_of_a_model_are_listed_by_their_order() {
    let service = Service::open().await;
    let api = service.client();
    for version in ["1.10.0", "2.0.0-rc.1", "1.9.0", "2.0.0+b1"] {
        register(&api, version).await;
    }
    let walk = async |query: &str| {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = api.get(&format!("{MODELS}?{query}&limit=3{cursor}")).await.expect(200);
            seen.extend(
                page["items"].as_array().unwrap().iter().map(|row| row["version"].as_str().unwrap().to_owned()),
            );
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return seen,
            }
        }
    };
    assert_eq!(walk("model_name=m&order=version").await, ["2.0.0+b1", "2.0.0-rc.1", "1.10.0", "1.9.0"]);
    assert_eq!(walk("model_name=m&order=created_at").await, ["2.0.0+b1", "1.9.0", "2.0.0-rc.1", "1.10.0"]);
    for wrong in ["order=version", "model_name=m&order=precedence%3B--"] {
        let refused = api.get(&format!("{MODELS}?{wrong}")).await.problem(422, "invalid_request");
        assert_eq!(refused["errors"][0]["pointer"], "?order", "{wrong}");
    }
    let cursor = api.get(&format!("{MODELS}?limit=1")).await.expect(200)["next_cursor"].as_str().unwrap().to_owned();
    let refused = api.get(&format!("{MODELS}?model_name=m&order=version&cursor={cursor}")).await;
    assert_eq!(refused.problem(422, "invalid_request")["errors"][0]["pointer"], "?cursor");
    let listed = service.site.ok(&["models", "list", "--name", "m", "--by-version", "--output", "json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed[0]["version"], &listed[3]["version"]), (&json!("2.0.0+b1"), &json!("1.9.0")));
}

#[tokio::test]
async fn a_number_names_its_version_whatever_the_build() {
    let service = Service::open().await;
    let api = service.client();
    register(&api, "1.0.0+b7").await;
    let read = api.get(&format!("{MODELS}/m/1.0.0")).await.expect(200);
    assert_eq!(read["version"], "1.0.0+b7");
    api.get(&format!("{MODELS}/m/1.0.0%2Bb8")).await.problem(404, "version_not_found");
    api.post(&format!("{MODELS}/m/1.0.0/promote"), to("production")).await.expect(200);
    let history = api.get(&format!("{MODELS}/m/1.0.0/history")).await.expect(200);
    assert_eq!(history["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_in_development_was_promoted_by_nobody_and_no_time_is_before_its_cause() {
    let service = Service::open().await;
    let api = service.client();
    gated(&api, json!([{ "gate": "artefact_verified" }])).await;
    with_file(&service, "1.0.0", "good", None).await;
    let time = |row: &Value, field: &str| -> chrono::DateTime<chrono::Utc> {
        row[field].as_str().unwrap().parse().unwrap_or_else(|error| panic!("{field}: {error}"))
    };
    let done = api.post(&format!("{MODELS}/m/1.0.0/promote"), to("production")).await.expect(200);
    assert!(time(&done, "updated_at") >= time(&done, "promoted_at"), "{done}");
    std::fs::write(service.site.path().join("1.0.0.bin"), "other").unwrap();
    let looked = api.post(&format!("{MODELS}/m/1.0.0/verify"), json!({})).await.expect(200);
    assert!(time(&looked, "updated_at") >= time(&looked, "artefact_checked_at"), "{looked}");
    let demote = format!("{MODELS}/m/1.0.0/demote");
    let staged = api.post(&demote, json!({ "target_stage": "staging" })).await.expect(200);
    assert_eq!(staged["approved_by"], "bob", "who let it in last");
    let down = api.post(&demote, json!({ "target_stage": "development" })).await.expect(200);
    assert_eq!((&down["approved_by"], &down["promoted_at"]), (&Value::Null, &Value::Null));
}
