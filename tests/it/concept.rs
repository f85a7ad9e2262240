//! Drift jobs with `target = "concept"`: errors with labels and without, through files, a real database and real commands.

use serde_json::Value;
use sqlx::PgPool;

use crate::support::database::TestDatabase;
use crate::support::steward::Site;

/// A small generator: the same rows on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Time of row `i`, one a minute from 1 June 2013.
fn time(i: usize) -> String {
    format!("2013-06-{:02}T{:02}:{:02}:00Z", 1 + i / 1440, i / 60 % 24, i % 60)
}

/// Rows of a classifier with true probabilities: scores lie `near..=far` from 0.5, so rows near 0.5 are wrong more often.
fn classifier(random: &mut Random, from: usize, rows: usize, near: f64, far: f64, labelled: bool) -> String {
    let mut text = String::new();
    for i in from..from + rows {
        let apart = near + (far - near) * random.next();
        let score = if random.next() < 0.5 { 0.5 - apart } else { 0.5 + apart };
        let label = u8::from(random.next() < score);
        let label = if labelled { label.to_string() } else { String::new() };
        text.push_str(&format!("{},{label},{},{score:.5}\n", time(i), u8::from(score >= 0.5)));
    }
    text
}

const CLASSIFIER: &str = "at,y,p,s\n";

/// Rows of a regression whose errors grow with `x`; labels are off by `off` times as much again.
fn regression(random: &mut Random, from: usize, rows: usize, shift: f64, off: f64) -> String {
    let mut text = String::new();
    for i in from..from + rows {
        let x = shift + random.next();
        let noise = off * (0.2 + x) * (random.next() + random.next() + random.next() - 1.5);
        text.push_str(&format!("{},{:.5},{:.5},{x:.5}\n", time(i), 10.0 * x + noise, 10.0 * x));
    }
    text
}

const REGRESSION: &str = "at,y,p,x\n";

fn write(site: &Site, name: &str, header: &str, rows: &[String]) {
    std::fs::write(site.path().join(name), format!("{header}{}", rows.concat())).unwrap();
}

fn job(name: &str, current: &str, concept: &str) -> String {
    format!(
        r#"name = "{name}"
kind = "drift"
schedule = "0 1 * * *"
timezone = "UTC"
[data]
reference = {{ uri = "reference.csv", time_column = "at" }}
current = {{ uri = "{current}", time_column = "at", window = "3 days" }}
[drift]
target = "concept"
[drift.concept]
label = "y"
{concept}
"#
    )
}

#[derive(Debug, Clone, sqlx::FromRow)]
struct Row {
    feature_name: String,
    method: String,
    status: String,
    drift_score: Option<f64>,
    is_alert: bool,
    reason: Option<String>,
    n_current: i64,
    details: Value,
}

async fn rows(pool: &PgPool) -> Vec<Row> {
    let text = "SELECT feature_name, method, status, drift_score, is_alert, reason, n_current, details FROM model_drift_detection
                WHERE drift_type = 'concept' AND run_id = (SELECT id FROM runs ORDER BY created_at DESC LIMIT 1) ORDER BY id";
    sqlx::query_as(text).fetch_all(pool).await.unwrap()
}

/// Runs a job over 2 to 4 June, and gives its rows and the exit code.
async fn run(site: &Site, pool: &PgPool, name: &str, text: &str) -> (Vec<Row>, i32) {
    site.job(name, text);
    site.ok(&["jobs", "apply"]);
    let output = site.run(&["jobs", "run", name, "--at", "2013-06-05", "--here"]);
    let found = rows(pool).await;
    assert!(
        !found.is_empty(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (found, output.status.code().unwrap_or(-1))
}

fn of<'a>(rows: &'a [Row], method: &str) -> &'a Row {
    rows.iter().find(|row| row.method == method).unwrap_or_else(|| panic!("no row of {method}: {rows:#?}"))
}

const ALL: &str = "task = \"classification\"\nprediction = \"p\"\nscore = \"s\"\n\
                   methods = [\"metric_change\", \"adwin\", \"ddm\", \"page_hinkley\", \"kswin\", \"cbpe\"]";

#[tokio::test(flavor = "multi_thread")]
async fn every_method_finds_an_abrupt_change_and_none_where_there_is_none() {
    let database = TestDatabase::new().await;
    let site = Site::new(&database.url, "");
    let random = &mut Random(5);
    write(&site, "reference.csv", CLASSIFIER, &[classifier(random, 0, 2000, 0.2, 0.5, true)]);
    write(&site, "same.csv", CLASSIFIER, &[classifier(random, 2000, 2400, 0.2, 0.5, true)]);
    let calm = classifier(random, 2000, 1200, 0.2, 0.5, true);
    let worse = classifier(random, 3200, 1200, 0.0, 0.05, true);
    // Written the wrong way round: the time column puts rows in order.
    write(&site, "worse.csv", CLASSIFIER, &[worse, calm]);

    let (found, code) = run(&site, &database.pool, "same", &job("same", "same.csv", ALL)).await;
    assert_eq!((found.len(), code), (10, 0), "{found:#?}");
    for row in &found {
        assert!(!row.is_alert && ["ok", "warning"].contains(&row.status.as_str()), "{row:#?}");
    }
    let (found, code) = run(&site, &database.pool, "worse", &job("worse", "worse.csv", ALL)).await;
    assert_eq!(code, 1);
    for method in ["metric_change", "adwin", "ddm", "page_hinkley", "kswin"] {
        let row = of(&found, method);
        assert!(row.is_alert && row.feature_name == "error_rate" && row.n_current == 2400, "{row:#?}");
        assert!(row.drift_score.unwrap() > 0.1, "{row:#?}");
    }
    let change = &of(&found, "adwin").details["changes"][0];
    let since = change["since_row"].as_i64().unwrap();
    assert!((since - 1200).abs() < 150, "{change}");
    assert!(change["since_time"].as_str().unwrap().starts_with("2013-06-03T0"), "{change}");
    let accuracy = found.iter().find(|row| row.feature_name == "accuracy").unwrap();
    assert!(accuracy.is_alert && accuracy.details["estimated"] == true, "{accuracy:#?}");

    let told: Vec<(String, String, Value)> =
        sqlx::query_as("SELECT subject, title, evidence FROM incidents WHERE job_name = 'worse' ORDER BY subject")
            .fetch_all(&database.pool)
            .await
            .unwrap();
    let title = |subject: &str| told.iter().find(|told| told.0 == subject).map(|told| told.1.as_str()).unwrap();
    let pattern = [(r"\d{4}-\d\d-\d\dT[\d:]+Z", "[time]")];
    insta::with_settings!({ filters => pattern }, {
        insta::assert_snapshot!("concept_titles", format!(
            "{}\n{}\n{}",
            title("error_rate (metric_change)"), title("error_rate (adwin)"), title("accuracy (cbpe)")
        ));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_that_come_late_are_pending_and_estimates_do_not_wait() {
    let database = TestDatabase::new().await;
    let site = Site::new(&database.url, "");
    let random = &mut Random(6);
    write(&site, "reference.csv", CLASSIFIER, &[classifier(random, 0, 2000, 0.2, 0.5, true)]);
    write(&site, "late.csv", CLASSIFIER, &[classifier(random, 2000, 1500, 0.0, 0.2, false)]);
    let (found, code) = run(&site, &database.pool, "late", &job("late", "late.csv", ALL)).await;
    assert_eq!(code, 1);
    for method in ["metric_change", "adwin", "ddm", "page_hinkley", "kswin"] {
        let row = of(&found, method);
        assert_eq!((row.status.as_str(), row.drift_score), ("insufficient_data", None), "{row:#?}");
        assert!(row.reason.as_deref().unwrap().contains("1500 rows wait"), "{row:#?}");
    }
    let accuracy = found.iter().find(|row| row.feature_name == "accuracy").unwrap();
    assert!(accuracy.is_alert && accuracy.details["pending"] == 1500, "{accuracy:#?}");

    // A source without the column at all.
    let without: String = std::fs::read_to_string(site.path().join("late.csv"))
        .unwrap()
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{},{},{}\n", cells[0], cells[2], cells[3])
        })
        .collect();
    std::fs::write(site.path().join("without.csv"), without).unwrap();
    let (found, _) = run(&site, &database.pool, "without", &job("without", "without.csv", ALL)).await;
    assert_eq!(of(&found, "metric_change").status, "schema_error");
    assert!(of(&found, "metric_change").reason.as_deref().unwrap().contains("`y`"));
    assert!(found.iter().any(|row| row.feature_name == "accuracy" && row.is_alert));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wrong_column_hides_no_other() {
    let database = TestDatabase::new().await;
    let site = Site::new(&database.url, "");
    let random = &mut Random(7);
    write(&site, "reference.csv", REGRESSION, &[regression(random, 0, 1500, 0.0, 1.0)]);
    write(&site, "shifted.csv", REGRESSION, &[regression(random, 1500, 900, 0.6, 1.0)]);
    let dle = |features: &str| {
        format!(
            "task = \"regression\"\nprediction = \"p\"\nmethods = [\"metric_change\", \"adwin\", \"dle\"]\nfeatures = [{features}]"
        )
    };
    let (found, _) = run(&site, &database.pool, "right", &job("right", "shifted.csv", &dle("\"x\""))).await;
    let (known, estimated) = (of(&found, "metric_change"), of(&found, "dle"));
    assert!(known.is_alert && estimated.is_alert && of(&found, "adwin").is_alert, "{found:#?}");
    assert_eq!((known.feature_name.as_str(), found.iter().filter(|row| row.method == "dle").count()), ("mae", 2));
    // More than half of the rows lie beyond the reference: trees do not extrapolate, so the estimate sees about half of the change.
    let (known, estimated) = (known.drift_score.unwrap(), estimated.drift_score.unwrap());
    assert!(estimated > 0.4 * known && estimated < known, "{estimated} estimated, {known} known");

    let (found, code) = run(&site, &database.pool, "wrong", &job("wrong", "shifted.csv", &dle("\"nowhere\""))).await;
    assert_eq!(code, 1);
    assert_eq!(of(&found, "dle").status, "schema_error");
    assert!(of(&found, "dle").reason.as_deref().unwrap().contains("nowhere"));
    assert!(of(&found, "metric_change").is_alert && of(&found, "adwin").is_alert);

    let text = dle("\"x\"").replace("prediction = \"p\"", "prediction = \"at\"");
    let (found, _) = run(&site, &database.pool, "text", &job("text", "shifted.csv", &text)).await;
    assert!(found.iter().all(|row| row.status == "schema_error"), "{found:#?}");
    assert!(found[0].reason.as_deref().unwrap().contains("column `at` holds text, and a prediction is a number"));
    let kinds: Vec<String> = sqlx::query_scalar("SELECT DISTINCT kind FROM incidents WHERE job_name = 'text'")
        .fetch_all(&database.pool)
        .await
        .unwrap();
    assert_eq!(kinds, ["schema_error"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_windows_are_a_reference_too() {
    let database = TestDatabase::new().await;
    let site = Site::new(&database.url, "");
    let random = &mut Random(8);
    let (calm, worse) =
        (classifier(random, 0, 14 * 1440, 0.2, 0.5, true), classifier(random, 14 * 1440, 1440, 0.0, 0.2, true));
    write(&site, "stream.csv", CLASSIFIER, &[calm, worse]);
    for (policy, more) in [("previous_window", ""), ("rolling", "windows = 3"), ("same_weekday", "windows = 2")] {
        let name = policy.replace('_', "-");
        let text = format!(
            r#"name = "{name}"
kind = "drift"
schedule = "0 1 * * *"
timezone = "UTC"
[data]
current = {{ uri = "stream.csv", time_column = "at", window = "1 day" }}
[drift]
target = "concept"
reference = "{policy}"
{more}
[drift.concept]
task = "classification"
label = "y"
prediction = "p"
methods = ["metric_change", "adwin"]
"#
        );
        site.job(&name, &text);
        site.ok(&["jobs", "apply"]);
        site.run(&["jobs", "run", &name, "--at", "2013-06-15", "--here"]);
        let found = rows(&database.pool).await;
        assert!(
            found.len() == 2 && found.iter().all(|row| !row.is_alert && row.n_current == 1440),
            "{policy}: {found:#?}"
        );
        site.run(&["jobs", "run", &name, "--at", "2013-06-16", "--here"]);
        let found = rows(&database.pool).await;
        assert!(found.len() == 2 && found.iter().all(|row| row.is_alert), "{policy}: {found:#?}");
        // Everything before the current window is level, so ADWIN finds the change at its first rows.
        assert!(of(&found, "adwin").details["changes"][0]["since_row"].as_i64().unwrap() < 150, "{found:#?}");
    }
}
