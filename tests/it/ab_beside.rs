//! What a test may ask beside "is B better": guardrails, secondary metrics, a covariate, the same rows, a margin, a least duration.

use serde_json::{Value, json};

use crate::support::http::{Client, Service};

/// A running test.
async fn running(api: &Client, name: &str, more: Value) -> String {
    let mut body = json!({
        "test_name": name, "model_a_name": "m", "model_a_version": "1.0.0", "model_b_name": "m",
        "model_b_version": "2.0.0", "success_metric": "conversion", "notify": ["ml-oncall"],
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let test = api.post("/governance/ab-tests", body).await.expect(201);
    let path = format!("/governance/ab-tests/{}", test["id"].as_str().unwrap());
    api.post(&format!("{path}/start"), json!({})).await.expect(200);
    path
}

fn shares(n: u64, a: u64, b: u64) -> Value {
    json!({ "model_a_results": { "n": n, "successes": a }, "model_b_results": { "n": n, "successes": b } })
}

fn means(n: u64, a: f64, b: f64, variance: f64) -> Value {
    let arm = |mean: f64| json!({ "n": n, "mean": mean, "variance": variance });
    json!({ "model_a_results": arm(a), "model_b_results": arm(b) })
}

/// Results with those of side metrics.
fn with(results: &Value, metrics: &Value) -> Value {
    let mut results = results.clone();
    results["metrics"] = metrics.clone();
    results
}

#[tokio::test]
async fn a_guardrail_that_fails_leaves_the_decision_to_people() {
    let service = Service::open().await;
    let api = service.client();
    let guardrails = json!([{ "name": "latency_ms", "lower_is_better": true }, { "name": "cost", "lower_is_better": true, "margin": 0.05 }]);
    let plan = json!({ "guardrails": guardrails, "secondary_metrics": [{ "name": "depth" }, { "name": "returns" }] });
    let path = running(&api, "guarded", plan).await;
    let better = shares(10_000, 500, 600);

    // A look that lacks a guardrail is no look: nothing is used up by it.
    let problem = api.post(&format!("{path}/results"), better.clone()).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/metrics/latency_ms", "{problem}");
    let unknown = with(&better, &json!({ "speed": means(10, 1.0, 1.0, 1.0) }));
    let problem = api.post(&format!("{path}/results"), unknown).await.problem(422, "invalid_request");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("latency_ms, cost, depth, returns"), "{problem}");

    let metrics = json!({
        "latency_ms": means(10_000, 100.0, 104.0, 900.0),
        "cost": means(10_000, 10.0, 10.1, 4.0),
        "depth": means(10_000, 3.0, 3.08, 4.0),
        "returns": means(10_000, 1.0, 1.01, 4.0),
    });
    let look = api.post(&format!("{path}/results"), with(&better, &metrics)).await.expect(201);
    assert_eq!((&look["decision"], &look["winner"]), (&json!("REVIEW"), &Value::Null), "{look}");
    let details = &look["details"];
    let verdicts: Vec<_> =
        details["guardrails"].as_array().unwrap().iter().map(|g| (&g["name"], &g["passes"])).collect();
    assert_eq!(verdicts, [(&json!("latency_ms"), &json!(false)), (&json!("cost"), &json!(true))]);
    let secondary = details["secondary_metrics"].as_array().unwrap();
    // z 2.83 and 0.35: p 0.0047 and 0.72, by Holm 0.0094 and 0.72.
    let adjusted = |at: usize| secondary[at]["adjusted_p_value"].as_f64().unwrap();
    assert!((adjusted(0) - 0.0094).abs() < 2e-4 && (adjusted(1) - 0.7237).abs() < 1e-3, "{secondary:?}");
    assert_eq!((&secondary[0]["is_significant"], &secondary[1]["is_significant"]), (&json!(true), &json!(false)));
    let reason = look["reason"].as_str().unwrap();
    assert!(reason.contains("latency_ms is worse by 4.0 %"), "{reason}");

    let (subject, text): (String, String) = sqlx::query_as(
        "SELECT subject, message ->> 'text' FROM deliveries WHERE channel = 'ml-oncall' ORDER BY created_at DESC LIMIT 1",
    )
    .fetch_one(&service.database.pool)
    .await
    .unwrap();
    assert!(subject.contains("REVIEW"), "{subject}");
    assert!(text.contains("latency_ms is worse by 4.0 %"), "{text}");
    assert!(text.contains("cost holds"), "{text}");
}

#[tokio::test]
async fn guardrails_and_covariates_come_with_the_rows() {
    let service = Service::open().await;
    let api = service.client();
    let plan = json!({
        "min_samples": 50, "covariate": "spend_before",
        "guardrails": [{ "name": "latency_ms", "lower_is_better": true }],
    });
    let path = running(&api, "rows", plan.clone()).await;
    let plain = running(&api, "plain", json!({ "min_samples": 50 })).await;
    let outcome = |i: u32| f64::from(i / 2 * 37 % 100) + if i % 2 == 1 { 4.0 } else { 0.0 } + f64::from(i * 7 % 5);
    let row = |i: u32, all: bool| {
        let mut row = json!({
            "request_id": format!("r{i}"), "variant": if i % 2 == 1 { "b" } else { "a" }, "outcome": outcome(i),
        });
        if all {
            row["covariate"] = json!(f64::from(i / 2 * 37 % 100));
            row["metrics"] = json!({ "latency_ms": 20 + i / 2 % 6 });
        }
        row
    };
    let post =
        async |path: &str, rows: Vec<Value>| api.post(&format!("{path}/observations"), json!({ "rows": rows })).await;
    // First without, then with what was missing: it is filled in, and never changed.
    post(&path, (0..200).map(|i| row(i, false)).collect()).await.expect(200);
    let kept = post(&path, (0..200).map(|i| row(i, true)).collect()).await.expect(200);
    assert_eq!((&kept["completed"], &kept["conflicting"]), (&json!(200), &json!(0)), "{kept}");
    let mut other = row(0, true);
    other["metrics"]["latency_ms"] = json!(99);
    let kept = post(&path, vec![other]).await.expect(200);
    assert_eq!((&kept["completed"], &kept["conflicting"]), (&json!(0), &json!(1)), "{kept}");
    let mut unknown = row(500, true);
    unknown["metrics"] = json!({ "speed": 1 });
    let problem = post(&path, vec![unknown]).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/rows/0/metrics/speed", "{problem}");
    let problem = post(&plain, vec![row(500, true)]).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/rows/0/covariate", "{problem}");

    post(&plain, (0..200).map(|i| row(i, false)).collect()).await.expect(200);
    let without = api.post(&format!("{plain}/evaluate"), json!({})).await.expect(201);
    assert_eq!(without["is_significant"], false, "the noise hides it: {without}");
    let look = api.post(&format!("{path}/evaluate"), json!({})).await.expect(201);
    assert_eq!(look["decision"], "SHIP_B", "{look}");
    let covariate = &look["details"]["covariate"];
    assert!(covariate["variance_reduction"].as_f64().unwrap() > 0.99, "{covariate}");
    assert_eq!(covariate["without_covariate"], json!([0, 0]));
    assert_eq!(look["details"]["guardrails"][0]["passes"], true);

    let problem = api.post(&format!("{path}/results"), shares(10_000, 500, 600)).await.problem(422, "invalid_request");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("post rows with their `covariate`"), "{problem}");
}

#[tokio::test]
async fn the_same_rows_are_compared_pair_by_pair() {
    let service = Service::open().await;
    let api = service.client();
    let paired = json!({ "statistical_test": "paired_t_test", "success_metric": "mae", "min_samples": 10 });
    let path = running(&api, "paired", paired).await;
    // B is better by about one, on rows that differ by hundreds.
    let a: Vec<f64> = (0..40).map(|i| f64::from(i * i % 97) * 10.0).collect();
    let b: Vec<f64> = a.iter().enumerate().map(|(i, a)| a - 20.0 - (i % 3) as f64).collect();
    let results = json!({ "model_a_results": a, "model_b_results": b });
    let problem = api
        .post(&format!("{path}/results"), json!({ "model_a_results": a, "model_b_results": b[1..] }))
        .await
        .problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/model_b_results", "{problem}");
    let look = api.post(&format!("{path}/results"), results).await.expect(201);
    assert_eq!((&look["decision"], &look["n_a"], &look["n_b"]), (&json!("SHIP_B"), &json!(40), &json!(40)), "{look}");
    assert_eq!(look["details"]["sample_ratio_p_value"], Value::Null, "the same rows have no split");
    let rows = json!({ "rows": [{ "variant": "a", "outcome": 1 }] });
    let problem = api.post(&format!("{path}/observations"), rows).await.problem(422, "invalid_request");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("post both models' results"), "{problem}");
    api.post(&format!("{path}/evaluate"), json!({})).await.problem(422, "invalid_request");

    let path = running(
        &api,
        "scores",
        json!({ "statistical_test": "delong", "success_metric": "roc_auc", "min_samples": 10 }),
    )
    .await;
    let labels: Vec<u32> = (0..60).map(|i| u32::from(i % 3 == 0)).collect();
    let noise = |i: usize| (i * 31 % 17) as f64 / 17.0;
    let scores = |weight: f64| -> Vec<f64> {
        labels.iter().enumerate().map(|(i, label)| weight * f64::from(*label) + noise(i)).collect()
    };
    let mut results = json!({ "model_a_results": scores(0.1), "model_b_results": scores(0.9) });
    let problem = api.post(&format!("{path}/results"), results.clone()).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/labels", "{problem}");
    results["labels"] = json!(labels);
    let look = api.post(&format!("{path}/results"), results).await.expect(201);
    assert_eq!(look["decision"], "SHIP_B", "{look}");
    assert!(look["mean_b"].as_f64().unwrap() > 0.95, "the areas are what is compared: {look}");
}

#[tokio::test]
async fn a_model_that_is_not_worse_by_the_margin_is_shipped_when_that_was_the_question() {
    let service = Service::open().await;
    let api = service.client();
    let question = |hypothesis: &str| json!({ "hypothesis": hypothesis, "margin": 0.05, "success_metric": "accuracy" });
    let look = async |name: &str, question: Value, results: Value| {
        let path = running(&api, name, question).await;
        let look = api.post(&format!("{path}/results"), results).await.expect(201);
        (look["decision"].as_str().unwrap().to_owned(), look["details"]["reason"].as_str().unwrap().to_owned())
    };
    let same = shares(20_000, 16_000, 15_990);
    let (decision, reason) = look("not-worse", question("non_inferiority"), same.clone()).await;
    assert_eq!((decision.as_str(), reason.as_str()), ("SHIP_B", "not_inferior"));
    let (decision, reason) = look("equal", question("equivalence"), same).await;
    assert_eq!((decision.as_str(), reason.as_str()), ("SHIP_B", "equivalent"));
    let (decision, reason) = look("worse", question("non_inferiority"), shares(20_000, 16_000, 14_000)).await;
    assert_eq!((decision.as_str(), reason.as_str()), ("KEEP_A", "inferior"));

    for (more, pointer) in [
        (json!({ "hypothesis": "non_inferiority" }), "/margin"),
        (json!({ "margin": 0.1 }), "/margin"),
        (json!({ "hypothesis": "better" }), "/hypothesis"),
        (
            json!({ "hypothesis": "equivalence", "margin": 0.1, "statistical_test": "mann_whitney" }),
            "/statistical_test",
        ),
        (json!({ "threshold_mode": "superiority", "statistical_test": "permutation" }), "/statistical_test"),
        (json!({ "covariate": "before", "statistical_test": "chi_square" }), "/covariate"),
        (json!({ "guardrails": [{ "name": "x", "margin": 2.0 }] }), "/guardrails/0/margin"),
        (json!({ "secondary_metrics": [{ "name": "x" }, { "name": "x" }] }), "/secondary_metrics/1/name"),
        (json!({ "covariate": "before", "statistical_test": "bootstrap" }), "/covariate"),
        (json!({ "guardrails": [{ "name": "conversion" }] }), "/guardrails/0/name"),
        (json!({ "statistical_test": "group_sequential", "monitoring": "horizon" }), "/monitoring"),
        (json!({ "monitoring": "always_valid", "planned_looks": 5 }), "/planned_looks"),
        (json!({ "sample_ratio_policy": "ignore" }), "/sample_ratio_policy"),
        (json!({ "min_duration_seconds": 0 }), "/min_duration_seconds"),
    ] {
        let mut body = json!({
            "test_name": "wrong", "model_a_name": "m", "model_a_version": "1.0.0", "model_b_name": "m",
            "model_b_version": "2.0.0", "success_metric": "conversion",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let problem = api.post("/governance/ab-tests", body).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{more}: {problem}");
    }
}

#[tokio::test]
async fn nothing_is_decided_before_the_time_that_was_agreed() {
    let service = Service::open().await;
    let api = service.client();
    let path = running(&api, "a-week", json!({ "min_duration_seconds": 7 * 86_400 })).await;
    let look = api.post(&format!("{path}/results"), shares(10_000, 500, 600)).await.expect(201);
    assert_eq!(
        (&look["decision"], &look["details"]["reason"]),
        (&json!("CONTINUE"), &json!("below_min_duration")),
        "{look}"
    );
    assert_eq!(look["details"]["level"], Value::Null, "it used nothing up");
    assert!(look["reason"].as_str().unwrap().contains("uses nothing up"), "{look}");
    let earlier = "UPDATE model_ab_tests SET started_at = started_at - interval '8 days'";
    sqlx::query(earlier).execute(&service.database.pool).await.unwrap();
    let look = api.post(&format!("{path}/results"), shares(10_000, 500, 600)).await.expect(201);
    assert_eq!(look["decision"], "SHIP_B", "{look}");
}

#[tokio::test]
async fn a_few_assigned_units_do_not_speak_for_many_rows() {
    let service = Service::open().await;
    let api = service.client();
    let path = running(&api, "few", json!({})).await;
    let units: Vec<String> = (0..40).map(|i| format!("u{i}")).collect();
    api.post(&format!("{path}/assign"), json!({ "units": units })).await.expect(200);
    let results = json!({
        "model_a_results": { "n": 10_000, "successes": 500 }, "model_b_results": { "n": 8_000, "successes": 480 },
    });
    let look = api.post(&format!("{path}/results"), results.clone()).await.expect(201);
    assert_eq!(look["decision"], "INVALID_SRM", "{look}");
    let path = running(&api, "warned", json!({ "sample_ratio_policy": "warn" })).await;
    let look = api.post(&format!("{path}/results"), results).await.expect(201);
    assert_eq!(look["decision"], "SHIP_B", "{look}");
    assert!(look["details"]["warnings"][0].as_str().unwrap().contains("the split promises"), "{look}");
}

#[tokio::test]
async fn rows_that_were_lost_are_missed_though_the_assignment_was_right() {
    let service = Service::open().await;
    let api = service.client();
    let path = running(&api, "lost", json!({ "min_samples": 50 })).await;
    let units: Vec<String> = (0..2000).map(|i| format!("u{i}")).collect();
    let assigned = api.post(&format!("{path}/assign"), json!({ "units": units })).await.expect(200);
    let lost = json!({ "model_a_results": { "n": 1000, "mean": 10, "variance": 1 },
                       "model_b_results": { "n": 500, "mean": 10.5, "variance": 1 } });
    let look = api.post(&format!("{path}/results"), lost).await.expect(201);
    assert_eq!(look["decision"], "INVALID_SRM", "{look}");
    // Rows whose variant is another one than the unit's are told.
    let rows: Vec<Value> = assigned["assignments"].as_array().unwrap()[..400]
        .iter()
        .enumerate()
        .map(|(i, a)| {
            let other = if a["arm"] == "a" { "b" } else { "a" };
            json!({ "request_id": format!("r{i}"), "unit_id": a["unit_id"], "variant": other, "outcome": i % 7 })
        })
        .collect();
    api.post(&format!("{path}/observations"), json!({ "rows": rows })).await.expect(200);
    let look = api.post(&format!("{path}/evaluate"), json!({})).await.expect(201);
    assert_eq!(look["details"]["data"]["assigned_otherwise"], 400, "{look}");
    assert!(look["details"]["warnings"].to_string().contains("assigned to the other arm"), "{look}");
}

#[tokio::test]
async fn ending_a_test_when_it_looks_good_finds_no_more_than_its_place_in_the_plan_allows() {
    let service = Service::open().await;
    let api = service.client();
    let last = |mut results: Value| {
        results["is_final"] = json!(true);
        results
    };
    let path = running(&api, "early", json!({ "planned_looks": 28 })).await;
    let look = api.post(&format!("{path}/results"), shares(1000, 300, 344)).await.expect(201);
    assert!(look["p_value"].as_f64().unwrap() < 0.05);
    let look = api.post(&format!("{path}/results"), last(shares(1001, 300, 345))).await.expect(201);
    assert_eq!(look["decision"], "INCONCLUSIVE", "{look}");
    // Only the last planned look decides: by its number, whatever the looks before said.
    let path = running(&api, "horizon", json!({ "planned_looks": 3, "monitoring": "horizon" })).await;
    let mut decisions = Vec::new();
    for n in [1000, 2000, 3000] {
        let look = api.post(&format!("{path}/results"), shares(n, n / 10 * 3, n / 10 * 4)).await.expect(201);
        decisions.push((
            look["decision"].as_str().unwrap().to_owned(),
            look["details"]["reason"].as_str().unwrap().to_owned(),
        ));
    }
    let waits = ("CONTINUE".to_owned(), "waits_for_horizon".to_owned());
    assert_eq!(decisions[..2], [waits.clone(), waits]);
    assert_eq!(decisions[2].0, "SHIP_B");
    let path = running(&api, "cut", json!({ "planned_looks": 3, "monitoring": "horizon" })).await;
    let look = api.post(&format!("{path}/results"), last(shares(1000, 300, 400))).await.expect(201);
    assert_eq!(look["decision"], "INCONCLUSIVE", "{look}");

    // What was decided stands, and every later look says so.
    let path = running(&api, "stands", json!({ "planned_looks": 3 })).await;
    let first = api.post(&format!("{path}/results"), shares(4000, 1200, 1600)).await.expect(201);
    assert!(first["reason"].as_str().unwrap().contains("The decision stands"), "{first}");
    let later = api.post(&format!("{path}/results"), shares(9000, 3600, 2700)).await.expect(201);
    assert!(later["reason"].as_str().unwrap().contains("SHIP_B was decided by an earlier look and stands"), "{later}");
}

#[tokio::test]
async fn looks_whose_rows_grow_unequally_share_the_level_by_their_rows() {
    let service = Service::open().await;
    let api = service.client();
    let path = running(&api, "unequal", json!({ "planned_looks": 3 })).await;
    let mut levels = Vec::new();
    for n in [1_000, 16_000, 64_000] {
        let look = api.post(&format!("{path}/results"), shares(n, n / 20, n / 20 + n / 2_000)).await.expect(201);
        levels.push(look["details"]["level"].as_f64().unwrap());
    }
    let equal = [3, 2, 1].map(|back| steward::ab::planned_level(4 - back, 3, 0.05));
    assert!((levels[0] - equal[0]).abs() < 1e-12, "the first look knows only its number");
    assert!(levels[1] < equal[1] || levels[2] < equal[2], "{levels:?} against {equal:?}");

    // No new row, no look.
    let path = running(&api, "again", json!({ "planned_looks": 3 })).await;
    api.post(&format!("{path}/results"), shares(1_000, 50, 55)).await.expect(201);
    let look = api.post(&format!("{path}/results"), shares(900, 50, 55)).await.expect(201);
    assert_eq!(
        (&look["details"]["reason"], &look["details"]["level"]),
        (&json!("no_new_rows"), &Value::Null),
        "{look}"
    );
}

#[tokio::test]
async fn a_started_test_is_no_draft_again_and_an_assumed_direction_is_said() {
    let service = Service::open().await;
    let api = service.client();
    let path = running(&api, "frozen", json!({})).await;
    let back = "UPDATE model_ab_tests SET status = 'draft'";
    let refused = sqlx::query(back).execute(&service.database.pool).await.unwrap_err().to_string();
    assert!(refused.contains("is no draft again"), "{refused}");
    assert_eq!(api.get(&path).await.expect(200)["plan"]["direction_is_assumed"], true);
    let path = running(&api, "known", json!({ "success_metric": "mae" })).await;
    let test = api.get(&path).await.expect(200);
    assert_eq!((&test["plan"]["direction_is_assumed"], &test["lower_is_better"]), (&Value::Null, &json!(true)));
}
