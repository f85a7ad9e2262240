//! Metrics jobs from file to finding: labels that come later, segments, classes, weights, and changes.

use std::fmt::Write;

use serde_json::Value;
use sqlx::PgPool;

use crate::support::database::TestDatabase;
use crate::support::steward::Site;

/// 100 predictions a region: in `EU` 90 are right, in `US` 60; of the last 20 of each the label is not there yet.
fn predictions() -> (String, String) {
    let (mut rows, mut labels) = ("id,region,guess,sent\n".to_owned(), "id,late,came\n".to_owned());
    for (region, right) in [("EU", 72), ("US", 48)] {
        for i in 0..100 {
            let truth = i % 2;
            let guess = if i < right || i >= 80 { truth } else { 1 - truth };
            writeln!(rows, "{region}-{i},{region},{guess},2026-01-01T00:00:00Z").unwrap();
            if i < 80 {
                writeln!(labels, "{region}-{i},{truth},2026-01-02T00:00:00Z").unwrap();
            }
        }
    }
    // The same label again, a correction that came earlier, and an id that nobody predicted.
    labels.push_str("EU-0,0,2026-01-02T00:00:00Z\nEU-1,0,2026-01-01T00:00:00Z\nAS-1,1,2026-01-02T00:00:00Z\n");
    (rows, labels)
}

fn file(site: &Site, name: &str, text: &str) -> String {
    let path = site.path().join(name);
    std::fs::write(&path, text).unwrap();
    format!("file://{}", path.display())
}

async fn summary(pool: &PgPool) -> (String, Value) {
    sqlx::query_as("SELECT outcome, summary FROM runs ORDER BY created_at DESC, id DESC LIMIT 1")
        .fetch_one(pool)
        .await
        .unwrap()
}

async fn incidents(pool: &PgPool) -> Vec<(String, String)> {
    sqlx::query_as("SELECT subject, title FROM incidents WHERE state <> 'resolved' ORDER BY subject")
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_that_come_later_are_joined_and_each_segment_is_judged() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let site = Site::new(&database.url, "");
    let (rows, labels) = predictions();
    let (rows, labels) = (file(&site, "rows.csv", &rows), file(&site, "labels.csv", &labels));
    let job = |more: &str| {
        format!(
            "name = \"quality\"\nkind = \"metrics\"\nmodel = {{ name = \"delay\", version = \"1.0.0\" }}\n[data]\ncurrent = {{ uri = \"{rows}\", time_column = \"sent\" }}\n\
             labels = {{ uri = \"{labels}\", time_column = \"came\" }}\n[metrics]\ntask = \"classification\"\nlabel = \"late\"\n\
             id = [\"id\"]\nprediction = \"guess\"\ngroup_by = \"region\"\nper_class = true\nmin_samples = 50\n{more}\n[metrics.bounds.accuracy]\nmin = 0.7\n\
             [metrics.bounds.recall.classes.0]\nmin = 0.5\n"
        )
    };
    site.job("quality", &job(""));
    site.ok(&["jobs", "apply"]);
    site.run(&["jobs", "run", "quality", "--here"]);
    let (outcome, summary_of) = summary(pool).await;
    assert_eq!(outcome, "breached", "{summary_of}");
    assert_eq!((&summary_of["labelled"], &summary_of["pending"]), (&160.into(), &40.into()));
    assert!((summary_of["coverage"].as_f64().unwrap() - 0.8).abs() < 1e-12);
    let join = &summary_of["labels"];
    assert_eq!((&join["duplicates"], &join["unknown"], &join["contradictory"]), (&2.into(), &1.into(), &0.into()));
    assert_eq!(join["delay"]["median_seconds"].as_f64(), Some(86_400.0));
    assert_eq!(
        incidents(pool).await,
        [("accuracy [region = US]".to_owned(), "accuracy [region = US] is 0.6000, below 0.7".to_owned())]
    );
    let stored: Vec<(String, Option<String>, f64)> = sqlx::query_as(
        "SELECT metric_name, segment, round(metric_value::numeric, 6)::float8 FROM model_validation_metrics
          WHERE metric_name IN ('accuracy', 'recall') ORDER BY 1, 2 NULLS FIRST",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let places: Vec<(&str, Option<&str>)> = stored.iter().map(|(name, at, _)| (name.as_str(), at.as_deref())).collect();
    assert_eq!(
        places,
        [
            ("accuracy", None),
            ("accuracy", Some("region = EU")),
            ("accuracy", Some("region = US")),
            ("recall", None),
            ("recall", Some("class: 0")),
            ("recall", Some("class: 1")),
            ("recall", Some("region = EU")),
            ("recall", Some("region = EU, class: 0")),
            ("recall", Some("region = EU, class: 1")),
            ("recall", Some("region = US")),
            ("recall", Some("region = US, class: 0")),
            ("recall", Some("region = US, class: 1")),
        ]
    );
    assert_eq!((stored[0].2, stored[1].2, stored[2].2), (0.75, 0.9, 0.6));

    // Too few labels: nothing is judged, and what was wrong stays so.
    site.job("quality", &job("min_coverage = 0.9"));
    site.ok(&["jobs", "apply"]);
    site.run(&["jobs", "run", "quality", "--here"]);
    let (outcome, _) = summary(pool).await;
    assert_eq!(outcome, "insufficient_data");
    let open = incidents(pool).await;
    assert_eq!(open.len(), 2, "{open:?}");
    assert!(open[1].1.ends_with("80.0 % of the rows have their label, and 90.0 % are needed"), "{open:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_with_its_interval_and_may_have_to_be_significant() {
    let database = TestDatabase::new().await;
    let site = Site::new(&database.url, "");
    let rows = |right: usize, n: usize| {
        (0..n).fold("late,guess,w\n".to_owned(), |mut text, i| {
            writeln!(text, "1,{},{}", u8::from(i < right), if i == 0 { 2 } else { 1 }).unwrap();
            text
        })
    };
    let reference = file(&site, "reference.csv", &rows(900, 1000));
    for (name, n, right, strict, outcome) in
        [("few", 50, 41, true, "ok"), ("loose", 50, 41, false, "breached"), ("many", 5000, 4100, true, "breached")]
    {
        let current = file(&site, &format!("{name}.csv"), &rows(right, n));
        site.job(
            name,
            &format!(
                "name = \"{name}\"\nkind = \"metrics\"\n[data]\ncurrent = \"{current}\"\nreference = \"{reference}\"\n[metrics]\n\
                 task = \"classification\"\nlabel = \"late\"\nprediction = \"guess\"\nweight = \"w\"\nmetrics = [\"accuracy\"]\n\
                 [metrics.bounds.accuracy]\nmax_drop = 0.05\nrequire_significance = {strict}\n"
            ),
        );
        site.ok(&["jobs", "apply"]);
        site.run(&["jobs", "run", name, "--here"]);
        let (told, summary) = summary(&database.pool).await;
        assert_eq!(told, outcome, "{name}: {summary}");
        assert_eq!(summary["compared_with"]["labelled"], 1000);
    }
    let (title, evidence): (String, Value) =
        sqlx::query_as("SELECT title, evidence FROM incidents WHERE job_name = 'many'")
            .fetch_one(&database.pool)
            .await
            .unwrap();
    assert_eq!(title, "accuracy is 0.8200, 0.0801 below the reference (0.9001)");
    assert!(evidence.to_string().contains("95 % interval of the change"), "{evidence}");
}

#[test]
fn wrong_metrics_sections_are_refused_with_what_to_do() {
    use steward::jobs::vocabulary::{Calendar, words};
    use steward::jobs::{Checks, parse};
    let known = words();
    let checks = Checks { known: &known, schedule: &Calendar };
    let mut shown = String::new();
    for (data, metrics) in [
        ("labels = \"labels.csv\"", ""),
        ("", "id = [\"id\"]"),
        ("", "windows = 3\nregistered_split = \"test\"\ntop_k = 3\nper_class = true"),
        ("", "compare_with = \"registered\""),
        ("", "compare_with = \"reference\""),
        ("", "[metrics.bounds.mae]\nmax_rise = 1"),
        ("", "[metrics.bounds.mae]\nrequire_significance = true"),
        ("", "[metrics.bounds.mae.classes.late]\nmin = 0.5"),
        ("", "metrics = [\"roc_auc_ovr\", \"f2\"]"),
    ] {
        let text = format!(
            "name = \"m\"\nkind = \"metrics\"\n[data]\ncurrent = \"x.csv\"\n{data}\n[metrics]\ntask = \"regression\"\nlabel = \"y\"\nprediction = \"p\"\n{metrics}\n"
        );
        let reading = parse("m.toml", &text, checks);
        assert!(reading.document.is_none(), "{text}");
        shown.push_str(&steward::jobs::diagnostic::render(&reading.diagnostics, false));
    }
    insta::assert_snapshot!(shown);
}
