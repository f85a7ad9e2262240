//! The specification's examples, one by one, over HTTP: its paths, its field names, the numbers that it implies.

use serde_json::{Value, json};

use crate::support::http::{Client, Service};

/// The specification's first example.
fn registration() -> Value {
    json!({
        "model_name": "biodiversity_ensemble",
        "version": "0.2.0",
        "stage": "development",
        "description": "Improved biodiversity model with new features",
        "model_path": "/models/biodiversity_v0.2.0.pkl",
        "training_data_path": "/data/training_biodiversity_v2.csv",
        "hyperparameters": { "learning_rate": 0.01, "n_estimators": 100 },
        "training_metadata": { "training_date": "2024-01-15", "dataset_size": 10000 },
        "created_by": "data_scientist"
    })
}

const VERSION: &str = "/governance/models/biodiversity_ensemble/0.2.0";

#[tokio::test]
async fn registering_promoting_and_retrieving_models() {
    let service = Service::open().await;
    let api = service.client();

    let answer = api.post("/governance/models/register", registration()).await;
    assert_eq!(answer.header("location"), Some(VERSION));
    let entry = answer.expect(201);
    for (field, value) in registration().as_object().unwrap() {
        assert_eq!(entry[field], *value, "{field}");
    }

    let promoted = api
        .post(&format!("{VERSION}/promote"), json!({ "target_stage": "production", "approved_by": "ml_lead" }))
        .await
        .expect(200);
    assert_eq!((promoted["stage"].as_str(), promoted["approved_by"].as_str()), (Some("production"), Some("ml_lead")));

    let model = api.get(VERSION).await.expect(200);
    assert_eq!((&model["version"], &model["stage"]), (&json!("0.2.0"), &json!("production")));
    let latest = api.get("/governance/models/biodiversity_ensemble/latest?stage=production").await.expect(200);
    assert_eq!(latest, model);
    let listed = api.get("/governance/models?model_name=biodiversity_ensemble&limit=10").await.expect(200);
    assert_eq!(listed["items"], json!([model]));
    assert_eq!(listed["next_cursor"], Value::Null);
}

#[tokio::test]
async fn logging_and_retrieving_metrics() {
    let service = Service::open().await;
    let api = service.client();
    api.post("/governance/models/register", registration()).await.expect(201);
    let metrics = format!("{VERSION}/metrics");

    let logged = api
        .post(
            &metrics,
            json!({ "metric_name": "accuracy", "metric_value": 0.95, "metric_type": "classification", "dataset_split": "test" }),
        )
        .await
        .expect(201);
    assert_eq!((logged["metric_value"].as_f64(), logged["model_version"].as_str()), (Some(0.95), Some("0.2.0")));

    // y_true and y_pred of the specification: 5 of 6 right, no false alarm, 2 of 3 positives found.
    let classified = api
        .post(
            &format!("{metrics}/evaluate-classification"),
            json!({ "y_true": [0, 1, 0, 1, 1, 0], "y_pred": [0, 1, 0, 1, 0, 0], "dataset_split": "test" }),
        )
        .await
        .expect(201);
    near(&classified["metrics"], &[("accuracy", 5.0 / 6.0), ("precision", 1.0), ("recall", 2.0 / 3.0), ("f1", 0.8)]);

    // Errors -0.1, -0.1, 0.1, -0.2: mae 0.5/4, mse 0.07/4, r2 1 - 0.07/5.
    let regressed = api
        .post(
            "/governance/models/resm_ensemble/0.1.0/metrics/evaluate-regression",
            json!({ "y_true": [1.0, 2.0, 3.0, 4.0], "y_pred": [1.1, 2.1, 2.9, 4.2], "dataset_split": "validation" }),
        )
        .await
        .expect(201);
    near(&regressed["metrics"], &[("mae", 0.125), ("mse", 0.0175), ("rmse", 0.0175_f64.sqrt()), ("r2", 0.986)]);
    let unknown_before = api.get("/governance/models/resm_ensemble/0.1.0").await.expect(200);
    assert_eq!((&unknown_before["auto_registered"], &unknown_before["stage"]), (&json!(true), &json!("development")));

    let found = api.get(&format!("{metrics}?dataset_split=test")).await.expect(200);
    let names: Vec<&str> =
        found["items"].as_array().unwrap().iter().map(|m| m["metric_name"].as_str().unwrap()).collect();
    for name in ["accuracy", "precision", "recall", "f1"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let none = api.get(&format!("{metrics}?dataset_split=train")).await.expect(200);
    assert_eq!(none["items"], json!([]));
}

fn near(metrics: &Value, expected: &[(&str, f64)]) {
    for (name, value) in expected {
        let found = metrics[name].as_f64().unwrap_or(f64::NAN);
        assert!((found - value).abs() < 1e-12, "{name}: {found}, not {value}");
    }
}

/// Two samples of the specification's size whose drift is certain: means two standard deviations apart.
fn drift_document(dir: &std::path::Path) -> Value {
    let quantile = |i: usize| ((f64::from(u32::try_from(i).unwrap()) + 0.5) / 1000.0 - 0.5) * 3.4;
    let csv = |shift: f64| {
        let rows: String =
            (0..1000).map(|i| format!("{},{}\n", quantile(i) + shift, quantile(i) * 2.0 + 5.0)).collect();
        format!("feature1,feature2\n{rows}")
    };
    std::fs::write(dir.join("reference.csv"), csv(0.0)).unwrap();
    std::fs::write(dir.join("current.csv"), csv(2.0)).unwrap();
    json!({
        "name": "biodiversity-drift", "kind": "drift",
        "model": { "name": "biodiversity_ensemble", "version": "0.2.0" },
        "data": {
            "reference": { "uri": dir.join("reference.csv") },
            "current": { "uri": dir.join("current.csv") }
        },
        "drift": { "target": "data", "method": "ks_test", "threshold": 0.2 }
    })
}

#[tokio::test]
async fn detecting_drift_and_acknowledging_alerts() {
    let service = Service::start_as("serve", "").await;
    let api = service.client();
    let document = drift_document(service.site.path());
    let answer = api.post("/governance/runs", json!({ "document": document, "notifies": true })).await;
    let location = answer.header("location").unwrap().to_owned();
    assert_eq!(answer.expect(202)["state"], "available");
    let run = api.get(&format!("{location}?wait=30s")).await.expect(200);
    assert_eq!((&run["state"], &run["outcome"]), (&json!("succeeded"), &json!("drifted")), "{run}");

    let alerts =
        api.get("/governance/drift/alerts?model_name=biodiversity_ensemble&is_alert=true&limit=100").await.expect(200);
    let [alert] = alerts["items"].as_array().unwrap().as_slice() else { panic!("{alerts}") };
    assert_eq!(alert["feature_name"], "feature1");
    assert_eq!((&alert["method"], &alert["threshold"]), (&json!("ks_test"), &json!(0.2)));
    // The two uniform samples of width 3.4 overlap but for 2/3.4 of their width.
    assert!((alert["drift_score"].as_f64().unwrap() - 2.0 / 3.4).abs() < 2e-3, "{alert}");

    let id = alert["id"].as_str().unwrap();
    let path = format!("/governance/drift/alerts/{id}/acknowledge");
    let seen = api.post(&path, json!({ "acknowledged_by": "data_scientist" })).await.expect(200);
    assert_eq!((&seen["acknowledged"], &seen["acknowledged_by"]), (&json!(true), &json!("data_scientist")));
    let again = api.post(&path, json!({ "acknowledged_by": "somebody_else" })).await.expect(200);
    assert_eq!(again, seen, "the first acknowledgement stays");
    let incidents = api.get("/governance/incidents?state=acknowledged").await.expect(200);
    assert_eq!(incidents["items"][0]["acknowledged_by"], "data_scientist");

    let quiet = api.get("/governance/drift/alerts?is_alert=false").await.expect(200);
    let id = quiet["items"][0]["id"].as_str().unwrap();
    assert_eq!(quiet["items"][0]["feature_name"], "feature2");
    let refused = api.post(&format!("/governance/drift/alerts/{id}/acknowledge"), json!({})).await;
    refused.problem(409, "not_an_alert");
}

async fn ab_test(api: &Client) -> Value {
    api.post(
        "/governance/ab-tests",
        json!({
            "test_name": "biodiversity_v2_vs_v1",
            "model_a_name": "biodiversity_ensemble", "model_a_version": "0.1.0",
            "model_b_name": "biodiversity_ensemble", "model_b_version": "0.2.0",
            "success_metric": "accuracy", "traffic_split": 0.5, "min_samples": 100, "success_threshold": 0.02,
            "statistical_test": "t_test", "significance_level": 0.05, "created_by": "ml_engineer"
        }),
    )
    .await
    .expect(201)
}

#[tokio::test]
async fn running_an_ab_test() {
    let service = Service::open().await;
    let api = service.client();
    let test = ab_test(&api).await;
    assert_eq!((&test["status"], &test["created_by"]), (&json!("draft"), &json!("ml_engineer")));
    let path = format!("/governance/ab-tests/{}", test["id"].as_str().unwrap());

    let early =
        api.post(&format!("{path}/results"), json!({ "model_a_results": [0.8], "model_b_results": [0.9] })).await;
    early.problem(409, "ab_test_state");
    let started = api.post(&format!("{path}/start"), json!({})).await.expect(200);
    assert_eq!(started["status"], "running");
    assert!(started["started_at"].is_string());

    // Accuracies around 0.86 and 0.90, a hundred and fifty each: better by 4.65 percent.
    let around = |mean: f64| -> Vec<f64> { (0..150).map(|i| mean + f64::from(i % 3 - 1) * 0.01).collect() };
    let result = api
        .post(&format!("{path}/results"), json!({ "model_a_results": around(0.86), "model_b_results": around(0.90) }))
        .await
        .expect(201);
    assert!((result["relative_improvement"].as_f64().unwrap() - 100.0 * 0.04 / 0.86).abs() < 1e-9, "{result}");
    assert_eq!((&result["is_significant"], &result["winner"]), (&json!(true), &json!("b")), "{result}");
    assert!(result["p_value"].as_f64().unwrap() < 1e-20);

    let details = api.get(&path).await.expect(200);
    assert_eq!(details["winner"], "b", "{details}");
    let results = api.get(&format!("{path}/results")).await.expect(200);
    assert_eq!(results["items"].as_array().unwrap().len(), 1);
    let running =
        api.get(&format!("/governance/ab-tests?status={}", details["status"].as_str().unwrap())).await.expect(200);
    assert_eq!(running["items"][0]["test_name"], "biodiversity_v2_vs_v1");
}

#[tokio::test]
async fn every_endpoint_of_the_specification_exists() {
    let service = Service::open().await;
    let document = service.client().get("/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    for (verb, path) in [
        ("post", "/governance/models/register"),
        ("get", "/governance/models"),
        ("get", "/governance/models/{model_name}/{version}"),
        ("get", "/governance/models/{model_name}/latest"),
        ("post", "/governance/models/{model_name}/{version}/promote"),
        ("post", "/governance/models/{model_name}/{version}/metrics"),
        ("get", "/governance/models/{model_name}/{version}/metrics"),
        ("get", "/governance/drift/alerts"),
        ("post", "/governance/drift/alerts/{alert_id}/acknowledge"),
        ("post", "/governance/ab-tests"),
        ("post", "/governance/ab-tests/{test_id}/start"),
        ("get", "/governance/ab-tests"),
        ("get", "/governance/ab-tests/{test_id}"),
        ("get", "/governance/ab-tests/{test_id}/results"),
    ] {
        assert!(document["paths"][path][verb].is_object(), "{verb} {path}");
    }
}

#[tokio::test]
async fn a_unit_is_always_served_by_the_same_model() {
    let service = Service::open().await;
    let api = service.client();
    let path = format!("/governance/ab-tests/{}", ab_test(&api).await["id"].as_str().unwrap());
    let arm = async |unit: &str| api.get(&format!("{path}/assignment?unit_id={unit}")).await.expect(200);
    assert_eq!(arm("u1").await["arm"], "a", "a draft serves the control");
    api.post(&format!("{path}/start"), json!({})).await.expect(200);
    let mut to_b = 0;
    for unit in 0..200 {
        let first = arm(&format!("u{unit}")).await;
        assert_eq!(first, arm(&format!("u{unit}")).await);
        let version = if first["arm"] == "b" { "0.2.0" } else { "0.1.0" };
        assert_eq!(first["model_version"], version);
        to_b += u32::from(first["arm"] == "b");
    }
    // 100 expected, with a standard deviation of 7.
    assert!((65..=135).contains(&to_b), "{to_b} of 200");
    api.get(&format!("{path}/assignment?unit_id=")).await.problem(422, "invalid_request");
}
