//! Validation metrics on a real database: logged, asked for, computed from labels.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use steward::db::audit::Actor;
use steward::registry::validation::evaluate::{evaluate_classification, evaluate_regression};
use steward::registry::validation::{
    self, Averaging, Classification, Error, Evaluation, Filter, NewMetric, Regression, Target,
};

use crate::support::database::TestDatabase;
use crate::support::registry::Desk;

const MODEL: &str = "biodiversity_ensemble";

fn metric(name: &str, value: f64) -> NewMetric {
    NewMetric {
        model_name: MODEL.into(),
        model_version: "0.2.0".into(),
        metric_name: name.into(),
        metric_value: Some(value),
        metric_type: "classification".into(),
        dataset_split: Some("test".into()),
        metadata: json!({}),
        ..NewMetric::default()
    }
}

async fn log(pool: &PgPool, metrics: &[NewMetric], auto: bool) -> Result<Vec<validation::Metric>, Error> {
    let mut tx = pool.begin().await.unwrap();
    let desk = Desk::default();
    let rows = validation::log(&mut tx, metrics, &Actor::local("ada"), auto.then(|| desk.setup())).await?;
    tx.commit().await.unwrap();
    Ok(rows)
}

fn list(value: Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}

fn of_model() -> Filter {
    Filter { model_name: MODEL.into(), ..Filter::default() }
}

#[tokio::test]
async fn a_logged_metric_is_kept_with_its_origin_and_recorded() {
    let database = TestDatabase::new().await;
    let full = NewMetric {
        sample_count: Some(500),
        ci_low: Some(0.93),
        ci_high: Some(0.97),
        segment: Some("country=DE".into()),
        dataset_uri: Some("s3://bucket/test.parquet".into()),
        dataset_digest: Some("sha256:00".into()),
        metadata: json!({"note": "first"}),
        ..metric("accuracy", 0.95)
    };
    let rows = log(&database.pool, &[full, metric("f1@0.5", 0.8)], true).await.unwrap();
    assert_eq!(
        rows.iter().map(|r| r.metric_name.as_str()).collect::<Vec<_>>(),
        ["accuracy", "f1@0.5"],
        "in the order given"
    );
    let shown = serde_json::to_value(&rows[0]).unwrap();
    for (field, value) in [
        ("model_name", json!(MODEL)),
        ("model_version", json!("0.2.0")),
        ("metric_value", json!(0.95)),
        ("metric_type", json!("classification")),
        ("dataset_split", json!("test")),
        ("sample_count", json!(500)),
        ("ci_high", json!(0.97)),
        ("segment", json!("country=DE")),
        ("dataset_uri", json!("s3://bucket/test.parquet")),
        ("metadata", json!({"note": "first"})),
        ("created_by", json!("ada")),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    let event: (String, String, String) =
        sqlx::query_as("SELECT action, subject, detail FROM governance_events WHERE action = 'metrics.logged'")
            .fetch_one(&database.pool)
            .await
            .unwrap();
    assert_eq!(event.1, format!("{MODEL}/0.2.0"));
    let detail: Value = serde_json::from_str(&event.2).unwrap();
    assert_eq!((&detail["count"], &detail["names"]), (&json!(2), &json!(["accuracy", "f1@0.5"])));
    let values = json!([["accuracy", "test", "country=DE", 0.95, 500], ["f1@0.5", "test", null, 0.8, null]]);
    assert_eq!(detail["metrics"], values, "the values are in the chain");
    let stage: (String, bool) =
        sqlx::query_as("SELECT stage, auto_registered FROM model_registry").fetch_one(&database.pool).await.unwrap();
    assert_eq!(stage, ("development".to_owned(), true), "the unknown version is registered");
}

#[tokio::test]
async fn wrong_fields_are_all_named_and_nothing_is_kept() {
    let database = TestDatabase::new().await;
    let wrong = |change: fn(&mut NewMetric)| {
        let mut metric = metric("accuracy", 0.9);
        change(&mut metric);
        metric
    };
    let at = |error: Error| error.problems().iter().map(|p| (p.item, p.pointer.clone())).collect::<Vec<_>>();
    for (bad, pointer) in [
        (wrong(|m| m.metric_value = Some(f64::NAN)), "/metric_value"),
        (wrong(|m| m.metric_value = Some(f64::NEG_INFINITY)), "/metric_value"),
        (wrong(|m| m.metric_value = None), "/metric_value"),
        (wrong(|m| m.metric_name = "9lives".into()), "/metric_name"),
        (wrong(|m| m.metric_name = "a'; DROP TABLE runs --".into()), "/metric_name"),
        (wrong(|m| m.metric_name = "x".repeat(129)), "/metric_name"),
        (wrong(|m| m.metric_type = "ranking".into()), "/metric_type"),
        (wrong(|m| m.model_name = "../etc".into()), "/model_name"),
        (wrong(|m| m.model_version = "one".into()), "/model_version"),
        (wrong(|m| m.sample_count = Some(-1)), "/sample_count"),
        (wrong(|m| m.ci_low = Some(0.91)), "/ci_low"),
        (wrong(|m| m.ci_high = Some(0.89)), "/ci_high"),
        (wrong(|m| m.ci_high = Some(f64::INFINITY)), "/ci_high"),
        (wrong(|m| m.dataset_split = Some(String::new())), "/dataset_split"),
        (wrong(|m| m.segment = Some("a\0b".into())), "/segment"),
        (wrong(|m| m.metadata = json!(["no"])), "/metadata"),
        (wrong(|m| m.metadata = json!({"deep": [{"k": "a\0b"}]})), "/metadata"),
    ] {
        let error = log(&database.pool, &[metric("f1", 0.5), bad.clone()], true).await.unwrap_err();
        assert_eq!(error.code(), "invalid_request");
        let found = at(error);
        assert!(found.iter().any(|(_, p)| p == pointer), "{bad:?}: {found:?}");
    }
    let several = [wrong(|m| m.metric_type = String::new()), wrong(|m| m.metric_value = Some(f64::NAN))];
    let found = at(log(&database.pool, &several, true).await.unwrap_err());
    assert_eq!(found, [(0, "/metric_type".to_owned()), (1, "/metric_value".to_owned())]);
    assert!(matches!(log(&database.pool, &[], true).await, Err(Error::Invalid(_))));
    let left: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM model_validation_metrics) + (SELECT count(*) FROM governance_events)
              + (SELECT count(*) FROM model_registry)",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert_eq!(left, 0);
    let undefined = NewMetric { metadata: json!({"reason": "one class"}), ..wrong(|m| m.metric_value = None) };
    log(&database.pool, &[undefined], true).await.unwrap();
}

#[tokio::test]
async fn unknown_versions_are_refused_when_they_are_not_to_be_registered() {
    let database = TestDatabase::new().await;
    let error = log(&database.pool, &[metric("accuracy", 0.9)], false).await.unwrap_err();
    assert_eq!(error.code(), "model_not_found");
    log(&database.pool, &[metric("accuracy", 0.9)], true).await.unwrap();
    // Build metadata does not make another version.
    let built = NewMetric { model_version: "0.2.0+build.7".into(), ..metric("accuracy", 0.91) };
    let rows = log(&database.pool, &[built], false).await.unwrap();
    assert_eq!(rows[0].model_version, "0.2.0");
    sqlx::query("UPDATE model_registry SET deleted_at = steward_now(), deleted_by = 'root'")
        .execute(&database.pool)
        .await
        .unwrap();
    let error = log(&database.pool, &[metric("accuracy", 0.9)], true).await.unwrap_err();
    assert_eq!(error.code(), "version_deleted");
}

#[tokio::test]
async fn metrics_are_found_by_every_filter_and_page_by_page() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let batch: Vec<NewMetric> = (0..7)
        .map(|i| NewMetric {
            dataset_split: Some(if i % 2 == 0 { "test" } else { "validation" }.into()),
            segment: (i == 3).then(|| "DE".to_owned()),
            metric_type: if i == 5 { "custom".into() } else { "classification".into() },
            model_version: if i == 6 { "0.3.0".into() } else { "0.2.0".into() },
            ..metric(if i < 4 { "accuracy" } else { "f1" }, f64::from(i) / 10.0)
        })
        .collect();
    log(pool, &batch, true).await.unwrap();
    let values = |rows: Vec<validation::Metric>| {
        let mut values: Vec<i64> = rows.iter().map(|r| (r.metric_value.unwrap() * 10.0).round() as i64).collect();
        values.sort_unstable();
        values
    };
    for (filter, expected) in [
        (of_model(), vec![0, 1, 2, 3, 4, 5, 6]),
        (Filter { model_version: Some("0.3.0".into()), ..of_model() }, vec![6]),
        (Filter { metric_name: Some("f1".into()), ..of_model() }, vec![4, 5, 6]),
        (Filter { dataset_split: Some("validation".into()), ..of_model() }, vec![1, 3, 5]),
        (Filter { metric_type: Some("custom".into()), ..of_model() }, vec![5]),
        (Filter { segment: Some("DE".into()), ..of_model() }, vec![3]),
        (Filter { model_name: "another".into(), ..of_model() }, vec![]),
        (Filter { until: Some(DateTime::UNIX_EPOCH), ..of_model() }, vec![]),
        (Filter { since: Some(DateTime::UNIX_EPOCH), ..of_model() }, vec![0, 1, 2, 3, 4, 5, 6]),
    ] {
        assert_eq!(values(validation::query(pool, &filter, None, 100).await.unwrap()), expected, "{filter:?}");
    }
    // All were logged at one instant: pages must still neither repeat nor leave out.
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = validation::query(pool, &of_model(), before, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some((last.created_at, last.id));
        seen.extend(page);
    }
    assert_eq!(values(seen), [0, 1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_series_is_in_the_order_of_its_windows() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let day: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
    let batch: Vec<NewMetric> = [3, 1, 2]
        .into_iter()
        .map(|days| NewMetric {
            window_start: Some(day + TimeDelta::days(days - 1)),
            window_end: Some(day + TimeDelta::days(days)),
            ..metric("mae", days as f64)
        })
        .collect();
    log(pool, &batch, true).await.unwrap();
    let filter = Filter { metric_name: Some("mae".into()), ..of_model() };
    let values = |points: Vec<validation::Point>| points.iter().map(|p| p.value.unwrap()).collect::<Vec<_>>();
    assert_eq!(values(validation::series(pool, &filter, 10).await.unwrap()), [1.0, 2.0, 3.0]);
    assert_eq!(values(validation::series(pool, &filter, 2).await.unwrap()), [2.0, 3.0], "the newest, oldest first");
    let later = Filter { since: Some(day + TimeDelta::days(2)), until: Some(day + TimeDelta::days(3)), ..filter };
    assert_eq!(values(validation::series(pool, &later, 10).await.unwrap()), [2.0]);
    assert!(validation::series(pool, &of_model(), 10).await.is_err(), "a series is of one metric");
}

fn value(evaluation: &Evaluation, name: &str) -> f64 {
    evaluation.metrics[name].as_f64().unwrap_or_else(|| panic!("{name}: {evaluation:?}"))
}

#[tokio::test]
async fn the_specifications_classification_example_gives_its_numbers_and_logs_them() {
    let database = TestDatabase::new().await;
    let input = Classification {
        y_true: list(json!([0, 1, 0, 1, 1, 0])),
        y_pred: list(json!([0, 1, 0, 1, 0, 0])),
        ..Classification::default()
    };
    let target = Target {
        model_name: MODEL.into(),
        model_version: "0.2.0".into(),
        dataset_split: Some("test".into()),
        ..Target::default()
    };
    let mut tx = database.pool.begin().await.unwrap();
    let result = evaluate_classification(&mut tx, &target, &input, &Actor::local("ada"), Some(Desk::default().setup()))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let answered: Vec<&str> = result.metrics.keys().map(String::as_str).collect();
    assert_eq!(answered, ["accuracy", "precision", "recall", "f1", "balanced_accuracy", "mcc"]);
    assert_eq!(result.confusion_matrix, Some(vec![vec![3.0, 0.0], vec![1.0, 2.0]]));
    for (name, expected) in [("accuracy", 5.0 / 6.0), ("precision", 1.0), ("recall", 2.0 / 3.0), ("f1", 0.8)] {
        assert!((value(&result, name) - expected).abs() < 1e-15, "{name}");
    }
    assert_eq!((result.averaging, result.positive_class.as_deref()), (Some(Averaging::Binary), Some("1")));
    let logged = validation::query(&database.pool, &of_model(), None, 100).await.unwrap();
    assert_eq!(logged.len(), 6);
    assert!(logged.iter().all(|m| m.sample_count == Some(6) && m.dataset_split.as_deref() == Some("test")));
    assert!(logged.iter().any(|m| m.metric_name == "f1" && m.metric_value == Some(0.8)));
}

#[tokio::test]
async fn the_specifications_regression_example_gives_its_numbers_and_logs_them() {
    let database = TestDatabase::new().await;
    let input = Regression {
        y_true: list(json!([1.0, 2.0, 3.0, 4.0])),
        y_pred: list(json!([1.1, 2.1, 2.9, 4.2])),
        ..Regression::default()
    };
    let target = Target { model_name: "resm_ensemble".into(), model_version: "0.1.0".into(), ..Target::default() };
    let mut tx = database.pool.begin().await.unwrap();
    let result = evaluate_regression(&mut tx, &target, &input, &Actor::local("ada"), Some(Desk::default().setup()))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for (name, expected) in [("mae", 0.125), ("mse", 0.0175), ("rmse", 0.0175_f64.sqrt()), ("r2", 0.986)] {
        assert!((value(&result, name) - expected).abs() < 1e-12, "{name}: {}", value(&result, name));
    }
    assert_eq!(result.logged.len(), 6);
    assert!(result.logged.iter().all(|m| m.metric_type == "regression"));
}

#[test]
fn weights_classes_and_other_metrics_are_answered_when_asked_for() {
    let input = Classification {
        y_true: list(json!(["a", "b", "c", "a", "c"])),
        y_pred: list(json!(["a", "b", "b", "a", "c"])),
        class_scores: ["a", "b", "c"]
            .map(|class| (class.to_owned(), vec![Some(0.3), Some(0.3), Some(0.3), Some(0.4), Some(0.4)]))
            .into(),
        sample_weight: Some(vec![Some(1.0), Some(2.0), Some(1.0), None, Some(1.0)]),
        metrics: Some(vec!["accuracy".to_owned(), "f2_macro".to_owned(), "top_k_accuracy".to_owned()]),
        per_class: true,
        ..Classification::default()
    };
    let result = input.compute().unwrap();
    assert_eq!((result.sample_count, result.unweighted), (4, 1));
    assert!((value(&result, "accuracy") - 0.8).abs() < 1e-15, "4 of 5 by weight");
    assert!(result.metrics.contains_key("f2_macro"), "{result:?}");
    let recall = result.details.iter().find(|of| of.name == "recall" && of.class.as_deref() == Some("c")).unwrap();
    assert_eq!(recall.value, Some(0.5));
    let wrong = Classification { metrics: Some(vec!["f3".to_owned()]), ..input.clone() };
    assert_eq!(wrong.compute().unwrap_err().problems()[0].pointer, "/metrics");
    let short = Classification { sample_weight: Some(vec![Some(1.0)]), ..input };
    assert_eq!(short.compute().unwrap_err().problems()[0].pointer, "/sample_weight");
}

#[test]
fn classes_may_be_texts_numbers_or_booleans() {
    for (y_true, y_pred, positive, expected) in [
        (json!([true, false, true]), json!([true, true, true]), "true", 2.0 / 3.0),
        (json!([true, false, true]), json!([1, 1, 1.0]), "1", 2.0 / 3.0),
        (json!(["spam", "ham", "spam"]), json!(["spam", "spam", "spam"]), "spam", 2.0 / 3.0),
        (json!([1, -1, null]), json!([1, 1, 1]), "1", 0.5),
    ] {
        let input = Classification { y_true: list(y_true), y_pred: list(y_pred), ..Classification::default() };
        let result = input.compute().unwrap();
        assert_eq!(result.positive_class.as_deref(), Some(positive));
        assert!((value(&result, "precision") - expected).abs() < 1e-15, "{result:?}");
    }
    // Whole numbers beyond a double's digits are different classes.
    let input = Classification {
        y_true: list(json!([9_007_199_254_740_993_i64, 9_007_199_254_740_992_i64])),
        y_pred: list(json!([9_007_199_254_740_992_i64, 9_007_199_254_740_992_i64])),
        ..Classification::default()
    };
    assert!((value(&input.compute().unwrap(), "accuracy") - 0.5).abs() < 1e-15);
}

#[test]
fn more_than_two_classes_are_averaged_and_it_is_said_how() {
    let input = |averaging, positive: Option<&str>| Classification {
        y_true: list(json!(["a", "b", "c", "a"])),
        y_pred: list(json!(["a", "b", "b", "a"])),
        averaging,
        positive: positive.map(|p| json!(p)),
        ..Classification::default()
    };
    let result = input(None, None).compute().unwrap();
    assert_eq!((result.averaging, result.positive_class), (Some(Averaging::Macro), None));
    assert_eq!(result.classes, ["a", "b", "c"]);
    let result = input(None, None).compute().unwrap();
    assert!((value(&result, "precision") - 0.5).abs() < 1e-15, "(1 + 1/2 + 0) / 3");
    let weighted = input(Some(Averaging::Weighted), None).compute().unwrap();
    assert!((value(&weighted, "precision") - 0.625).abs() < 1e-15, "(2 * 1 + 1/2 + 0) / 4");
    assert_eq!(
        weighted.details[1].name, "precision_weighted",
        "logged under its own name: a series never mixes the two"
    );
    let of_one = input(None, Some("b")).compute().unwrap();
    assert_eq!(of_one.averaging, Some(Averaging::Binary));
    assert!((value(&of_one, "precision") - 0.5).abs() < 1e-15);
    assert!(matches!(input(Some(Averaging::Binary), None).compute(), Err(Error::Invalid(_))));
    assert!(matches!(input(None, Some("z")).compute(), Err(Error::Invalid(_))), "nobody is a z");
}

#[test]
fn what_cannot_be_evaluated_is_refused_at_its_place() {
    let classification = |y_true: Value, y_pred: Value, y_score| Classification {
        y_true: list(y_true),
        y_pred: list(y_pred),
        y_score,
        ..Classification::default()
    };
    let pointer = |error: Error| error.problems()[0].pointer.clone();
    for (input, at) in [
        (classification(json!([]), json!([]), None), "/y_true"),
        (classification(json!([1, 0]), json!([1]), None), "/y_pred"),
        (classification(json!([1, [0]]), json!([1, 0]), None), "/y_true/1"),
        (classification(json!([1, 0]), json!([{}, 0]), None), "/y_pred/0"),
        (classification(json!([1, 0]), json!([1, 0]), Some(vec![Some(0.5)])), "/y_score"),
        (classification(json!([1, 0, 2]), json!([1, 0, 2]), Some(vec![Some(0.5); 3])), "/y_score"),
    ] {
        assert_eq!(pointer(input.compute().unwrap_err()), at, "{input:?}");
    }
    for (y_true, y_pred, at) in [
        (json!([1.0, "2"]), json!([1.0, 2.0]), "/y_true/1"),
        (json!([1.0, 2.0]), json!([true, 2.0]), "/y_pred/0"),
        (json!([1.0]), json!([1.0, 2.0]), "/y_pred"),
    ] {
        let input = Regression { y_true: list(y_true), y_pred: list(y_pred), ..Regression::default() };
        assert_eq!(pointer(input.compute().unwrap_err()), at);
    }
}

#[tokio::test]
async fn an_undefined_metric_is_null_with_its_reason_in_answer_and_log() {
    let database = TestDatabase::new().await;
    let input =
        Regression { y_true: list(json!([5.0, 5.0])), y_pred: list(json!([5.0, 6.0])), ..Regression::default() };
    let target = Target { model_name: MODEL.into(), model_version: "0.2.0".into(), ..Target::default() };
    let mut tx = database.pool.begin().await.unwrap();
    let single = Regression { y_true: list(json!([5.0])), y_pred: list(json!([6.0])), ..Regression::default() };
    evaluate_regression(&mut tx, &target, &input, &Actor::local("ada"), Some(Desk::default().setup())).await.unwrap();
    let result = evaluate_regression(&mut tx, &target, &single, &Actor::local("ada"), Some(Desk::default().setup()))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(result.metrics["r2"], Value::Null, "one row has no R²");
    let r2 = result.logged.iter().find(|m| m.metric_name == "r2").unwrap();
    assert!(r2.metric_value.is_none() && r2.metadata["reason"].is_string(), "{r2:?}");
}
