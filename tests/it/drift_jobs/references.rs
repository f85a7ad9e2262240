//! What the current data is compared with.

use super::{DAILY, Watch, csv};

/// Mondays to Fridays are around 20, Saturdays and Sundays around 10. 1 January 2013 was a Tuesday.
fn on_weekday(day: u32) -> f64 {
    if matches!((day + 1) % 7, 6 | 0) { 10.0 } else { 20.0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_reference_stays_the_same() {
    let watch =
        Watch::new(&format!("{DAILY}reference = \"{{data}}/reference.csv\"\n[drift]\ntarget = \"data\"\n")).await;
    watch.file("reference.csv", &csv(600, 20.0));
    watch.day(1, &csv(500, 20.0));
    watch.day(2, &csv(500, 23.5));
    let fine = watch.judge(1).await;
    assert_eq!((fine.outcome.as_str(), fine.check("value", "ks_test").status.as_str()), ("ok", "ok"));
    let drifted = watch.judge(2).await;
    assert_eq!((drifted.outcome.as_str(), drifted.check("city", "chi_square").status.as_str()), ("drifted", "ok"));
    assert_eq!(drifted.summary["reference"]["policy"], "fixed");
    assert!(drifted.summary["reference"]["uri"].as_str().unwrap().ends_with("reference.csv"));
    assert_eq!(watch.incidents().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_window_has_nothing_to_compare_with_and_alerts_nobody() {
    let watch = Watch::new(&format!("{DAILY}[drift]\ntarget = \"data\"\nreference = \"previous_window\"\n")).await;
    watch.day(1, &csv(500, 20.0));
    watch.day(2, &csv(500, 25.0));
    watch.day(3, &csv(500, 25.0));
    let first = watch.judge(1).await;
    assert!(first.checks.is_empty() && watch.incidents().await.is_empty(), "{first:?}");
    let why = first.summary["reference"]["reason"].as_str().unwrap();
    assert!(why.starts_with("no earlier window holds any data yet"), "{why}");
    let second = watch.judge(2).await;
    assert_eq!((second.outcome.as_str(), second.check("value", "").status.as_str()), ("drifted", "drifted"));
    assert_eq!(second.summary["reference"]["windows"][0], "2013-01-01T00:00:00Z .. 2013-01-02T00:00:00Z");
    let third = watch.judge(3).await;
    assert_eq!(third.check("value", "").drift_score, Some(0.0), "the level of the day before is what is usual now");
    assert!(watch.incidents().await.is_empty(), "and the incident is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_the_windows_before_ends_no_incident() {
    let watch = Watch::new(&format!("{DAILY}[drift]\ntarget = \"data\"\nreference = \"previous_window\"\n")).await;
    for (day, centre) in [(1, 20.0), (2, 25.0), (4, 25.0)] {
        watch.day(day, &csv(500, centre));
    }
    watch.judge(2).await;
    let after_the_gap = watch.judge(4).await;
    assert!(after_the_gap.checks.is_empty());
    let open: Vec<String> = watch.incidents().await.into_iter().map(|(_, subject, _)| subject).collect();
    assert_eq!(open, ["value"], "nothing was compared, so nothing is known to be fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_reference_is_the_windows_before_together() {
    let watch = Watch::new(&format!("{DAILY}[drift]\ntarget = \"data\"\nreference = \"rolling\"\nwindows = 3\n")).await;
    for (day, centre) in [(1, 20.0), (3, 20.0), (4, 23.0)] {
        watch.day(day, &csv(500, centre));
    }
    let ran = watch.judge(4).await;
    assert_eq!(ran.summary["reference"]["windows"].as_array().unwrap().len(), 2);
    assert_eq!(ran.summary["reference"]["windows_without_data"], 1);
    let (reference, current): (i64, i64) = sqlx::query_as(
        "SELECT n_reference, n_current FROM model_drift_detection WHERE feature_name = 'value' ORDER BY id DESC LIMIT 1",
    )
    .fetch_one(&watch.database.pool)
    .await
    .unwrap();
    assert_eq!((reference, current), (1000, 500));
    assert_eq!(ran.check("value", "").status, "drifted");
    let roles: Vec<String> = sqlx::query_scalar("SELECT DISTINCT role FROM run_inputs ORDER BY role")
        .fetch_all(&watch.database.pool)
        .await
        .unwrap();
    assert_eq!(roles, ["current", "reference-1", "reference-3"], "each window is pinned under its own name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weekly_pattern_is_no_drift_against_the_same_weekday() {
    let same = format!("{DAILY}[drift]\ntarget = \"data\"\nreference = \"same_weekday\"\nwindows = 2\n");
    let watch = Watch::new(&same).await;
    for day in 1..=15 {
        watch.day(day, &csv(500, on_weekday(day)));
    }
    // 12 January was a Saturday.
    let saturday = watch.judge(12).await;
    assert_eq!((saturday.outcome.as_str(), saturday.check("value", "").drift_score), ("ok", Some(0.0)));
    assert_eq!(
        saturday.summary["reference"]["windows"],
        serde_json::json!(["2013-01-05T00:00:00Z .. 2013-01-06T00:00:00Z"])
    );
    watch.job(&same.replace("same_weekday", "previous_window").replace("windows = 2\n", ""));
    assert_eq!(watch.judge(12).await.outcome, "drifted", "against the Friday before it would be flagged");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_decides_and_what_single_columns_say() {
    let tables = format!(
        "{DAILY}reference = \"{{data}}/reference.csv\"\n[drift]\ntarget = \"data\"\nthreshold = 0.9\nmissing_threshold = 0.3\n\
         [drift.columns]\nvalue = {{ threshold = 0.1, method = \"psi\", bins = 5 }}\n"
    );
    let watch = Watch::new(&tables).await;
    watch.file("reference.csv", &csv(600, 20.0));
    watch.day(1, &csv(500, 21.5));
    let ran = watch.judge(1).await;
    let value = ran.check("value", "psi");
    assert_eq!((value.threshold, value.status.as_str()), (0.1, "drifted"));
    assert_eq!(ran.check("city", "chi_square").threshold, 0.9);

    // Half of the numbers gone is drift, whatever the others say.
    let holes: String = csv(500, 20.0)
        .lines()
        .enumerate()
        .map(
            |(row, line)| {
                if row % 2 == 1 { format!(",{}\n", line.split(',').nth(1).unwrap()) } else { format!("{line}\n") }
            },
        )
        .collect();
    watch.day(2, &holes);
    watch.job(&tables.replace("threshold = 0.1, method = \"psi\", bins = 5", "method = \"ks_test\""));
    let ran = watch.judge(2).await;
    let value = ran.check("value", "ks_test");
    assert_eq!(
        (value.status.as_str(), value.reason.as_deref(), value.drift_score),
        ("drifted", Some("missing"), Some(0.5))
    );
    let (_, _, title) = watch.incidents().await.into_iter().find(|(_, subject, _)| subject == "value").unwrap();
    assert_eq!(title, "value drifted: 50 % missing, 0 % in the reference");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_p_value_decides_where_the_job_says_so() {
    let tables = format!("{DAILY}reference = \"{{data}}/reference.csv\"\n[drift]\ntarget = \"data\"\n");
    let watch = Watch::new(&tables).await;
    watch.file("reference.csv", &csv(2000, 20.0));
    watch.day(1, &csv(2000, 21.0));
    let by_score = watch.judge(1).await;
    assert_eq!(by_score.check("value", "ks_test").status, "ok", "a tenth of the range is below 0.2");
    watch.job(&tables.replace("[drift]\n", "[drift]\ndecide_on = \"p_value\"\nalpha = 0.01\n"));
    assert_eq!(watch.judge(1).await.check("value", "ks_test").status, "drifted", "and far from chance");
    // Both keys: few rows may be above the threshold by chance.
    watch.file("reference.csv", &csv(12, 20.0));
    watch.day(1, &csv(12, 23.0));
    watch.job(&tables);
    assert_eq!(watch.judge(1).await.check("value", "ks_test").status, "drifted");
    watch.job(&tables.replace("[drift]\n", "[drift]\nrequire_significance = 0.01\n"));
    let both = watch.judge(1).await;
    assert_ne!(both.check("value", "ks_test").status, "drifted");
}
