//! What an independent review found, each as the request that showed it.

use std::time::Duration;

use serde_json::json;

use crate::support::http::Service;
use crate::support::steward::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_do_a_thing_learns_only_that_whatever_the_body() {
    let service = Service::with_tokens().await;
    let reader = service.client_of("eve", &["read"]);
    for (method, path) in [
        ("POST", "/governance/models/register"),
        ("POST", "/governance/models/m/1.0.0/promote"),
        ("PATCH", "/governance/models/m/1.0.0"),
        ("PUT", "/governance/models/m/policy"),
        ("POST", "/governance/runs"),
    ] {
        let answer = reader.send(method, path, Some("{ no json".to_owned()), &[]).await;
        answer.problem(403, "scope_missing");
    }
    // And it is recorded.
    let auditor = service.client_of("ann", &["audit:read"]);
    let denied = auditor.get("/governance/audit?outcome=denied&actor=eve").await.expect(200);
    assert_eq!(denied["items"].as_array().unwrap().len(), 5, "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_a_submitted_run_registers_is_its_submitters() {
    let service =
        Service::start_as("serve", "[server]\nauthentication = \"tokens\"\n[storage]\nallowed = [\"file:///tmp/\"]\n")
            .await;
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let file = folder.path().join("a.csv");
    std::fs::write(&file, "x\n1\n2\n3\n").unwrap();
    let uri = format!("file://{}", file.display());
    let scopes = ["read", "jobs:submit", "models:register", "models:promote", "models:approve"];
    let sub = service.client_of("sub", &scopes);
    let document = json!({
        "name": "own", "kind": "drift", "model": { "name": "autob", "version": "1.0.0" },
        "data": { "reference": { "uri": uri }, "current": { "uri": uri } }, "drift": {},
    });
    sub.post("/governance/runs", json!({ "document": document })).await.expect(202);
    let path = "/governance/models/autob/1.0.0";
    let made = eventually("the version is registered", Duration::from_secs(30), || async {
        let answer = sub.get(path).await;
        (answer.status == 200).then_some(answer.body)
    })
    .await;
    assert_eq!((&made["auto_registered"], &made["created_by"]), (&json!(true), &json!("sub")));
    let refused = sub.post(&format!("{path}/promote"), json!({ "target_stage": "production" })).await;
    assert!([403, 422].contains(&refused.status), "{}", refused.text);
    assert!(refused.text.contains("self_approval") || refused.text.contains("approval"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_a_run_and_by_hand_leave_their_values_in_the_trail() {
    let service = Service::open().await;
    let api = service.client();
    let path = "/governance/models/m/1.0.0/metrics";
    let body = json!({ "metric_name": "accuracy", "metric_value": 0.9, "dataset_split": "test", "sample_count": 10 });
    api.post(path, body).await.expect(201);
    let logged = api.get("/governance/audit?action=metrics.logged").await.expect(200);
    let detail = &logged["items"][0]["detail"];
    assert_eq!(detail["metrics"], json!([["accuracy", "test", null, 0.9, 10]]), "{logged}");
    assert_eq!(detail["sha256"].as_str().unwrap().len(), 64);

    // The row itself refuses to be another one.
    let pool = &service.database.pool;
    for edit in ["UPDATE model_validation_metrics SET metric_value = 1", "DELETE FROM model_validation_metrics"] {
        let refused = sqlx::query(edit).execute(pool).await.unwrap_err().to_string();
        assert!(refused.contains("is evidence and is never changed"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metric_names_only_runs_that_were_about_its_model() {
    let service = Service::open().await;
    let api = service.client();
    let run = "7f1f1f00-0000-4000-8000-000000000000";
    let body = json!({ "metric_name": "accuracy", "metric_value": 0.9, "run_id": run });
    let problem = api.post("/governance/models/m/1.0.0/metrics", body).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/run_id", "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn repeating_a_submitted_document_needs_what_submitting_it_needs() {
    let service = Service::with_tokens().await;
    let (writer, clerk) =
        (service.client_of("w", &["jobs:submit", "metrics:write"]), service.client_of("c", &["jobs:submit"]));
    let document = json!({
        "name": "own", "kind": "metrics", "data": { "current": { "uri": "memory:///x.csv" } },
        "metrics": { "task": "classification", "label": "y", "prediction": "p" },
    });
    let answer = writer.post("/governance/runs", json!({ "document": document })).await;
    // Where nothing may be read, nothing is submitted: then there is nothing to repeat either.
    if answer.status == 202 {
        let id = answer.body["id"].as_str().unwrap().to_owned();
        writer.post(&format!("/governance/runs/{id}/cancel"), json!({})).await.expect(200);
        clerk.post(&format!("/governance/runs/{id}/retry"), json!({})).await.problem(403, "scope_missing");
    } else {
        answer.problem(403, "data_not_allowed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_token_is_where_its_location_says() {
    let service = Service::with_tokens().await;
    let admin = service.client_of("root", &["admin"]);
    let made = admin.post("/governance/tokens", json!({ "name": "svc", "scopes": ["read"] })).await;
    let location = made.header("location").unwrap().to_owned();
    let row = admin.get(&location).await.expect(200);
    assert_eq!(row["name"], "svc");
    assert!(row.get("token").is_none() && !row.to_string().contains(made.body["token"].as_str().unwrap()));
    admin.get("/governance/tokens/7f1f1f00-0000-4000-8000-000000000000").await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_a_document_sent_as_an_object_have_their_place_in_it() {
    let service = Service::open().await;
    let document = json!({
        "name": "own", "kind": "drift", "drift": { "method": "kz_test" },
        "data": { "reference": { "uri": "memory:///a.csv" }, "current": { "uri": "memory:///b.csv" } },
    });
    let problem = service.client().post("/governance/runs", json!({ "document": document })).await;
    let problem = problem.problem(422, "invalid_document");
    assert_eq!(problem["errors"][0]["pointer"], "/document/drift/method", "{problem}");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("did you mean `ks_test`"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_one_model_keeps_nobody_from_reading_another() {
    let service = Service::open().await;
    let api = service.client();
    for name in ["busy", "other"] {
        let body = json!({ "model_name": name, "version": "1.0.0", "created_by": "ann" });
        api.post("/governance/models/register", body).await.expect(201);
    }
    // Somebody holds the row of one model, as a long transaction would.
    let mut held = service.database.pool.begin().await.unwrap();
    sqlx::query("SELECT id FROM model_registry WHERE model_name = 'busy' FOR UPDATE")
        .execute(&mut *held)
        .await
        .unwrap();
    let waiting: Vec<_> = (0..40)
        .map(|_| {
            let api = api.clone();
            let body = json!({ "target_stage": "production", "approved_by": "bob" });
            tokio::spawn(async move { api.post("/governance/models/busy/1.0.0/promote", body).await.status })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let read = tokio::time::timeout(Duration::from_secs(3), api.get("/governance/models/other/latest")).await;
    assert_eq!(read.expect("reads do not wait").status, 200);
    held.rollback().await.unwrap();
    for promoted in waiting {
        let status = promoted.await.unwrap();
        assert!([200, 409, 503].contains(&status), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_arguments_of_the_specifications_examples_are_taken_as_they_stand() {
    let service = Service::open().await;
    let api = service.client();
    let of = json!({ "model_name": "biodiversity_ensemble", "model_version": "0.2.0" });
    let with = |more: serde_json::Value| {
        let mut body = of.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let path = "/governance/models/biodiversity_ensemble/0.2.0";
    let accuracy = json!({ "metric_name": "accuracy", "metric_value": 0.95, "metric_type": "classification", "dataset_split": "test" });
    api.post(&format!("{path}/metrics"), with(accuracy.clone())).await.expect(201);
    let rows = json!({ "y_true": [0, 1, 0, 1, 1, 0], "y_pred": [0, 1, 0, 1, 0, 0], "dataset_split": "test" });
    api.post(&format!("{path}/metrics/evaluate-classification"), with(rows)).await.expect(201);
    let promote = json!({
        "model_name": "biodiversity_ensemble", "version": "0.2.0", "target_stage": "production", "approved_by": "ml_lead",
    });
    api.post(&format!("{path}/promote"), promote).await.expect(200);

    let other = "/governance/models/biodiversity_ensemble/0.3.0/metrics";
    let problem = api.post(other, with(accuracy)).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/model_version", "{problem}");
    let seventeen = json!({ "metric_name": "accuracy", "metric_value": 17 });
    let problem = api.post(other, seventeen).await.problem(422, "invalid_request");
    assert!(problem["detail"].as_str().unwrap().contains("lies between 0 and 1"), "{problem}");
    for what in ["card", "profile"] {
        let problem = api.get(&format!("{path}/{what}?edition=0")).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "?edition");
    }
    api.get("/governance/models/nobody/series/accuracy").await.problem(404, "model_not_found");
}
