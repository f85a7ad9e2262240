//! `steward ab plan` and `steward ab evaluate`: what a person and a program read, and what they are told when the input is wrong.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::support::steward::bare;

/// A file with one row per outcome: `(variant, outcomes)`.
fn served(dir: &Path, name: &str, arms: &[(&str, Vec<String>)]) {
    let mut text = String::from("variant,outcome\n");
    for (variant, outcomes) in arms {
        for outcome in outcomes {
            writeln!(text, "{variant},{outcome}").unwrap();
        }
    }
    std::fs::write(dir.join(name), text).unwrap();
}

/// `ones` ones among `rows`.
fn share(ones: usize, rows: usize) -> Vec<String> {
    (0..rows).map(|i| usize::from(i < ones).to_string()).collect()
}

fn same(value: &str, rows: usize) -> Vec<String> {
    vec![value.to_owned(); rows]
}

fn run(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let output = bare(args).current_dir(dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

const EVALUATE: [&str; 8] = ["ab", "evaluate", "--data", "served.csv", "--variant", "variant", "--outcome", "outcome"];

fn evaluate(dir: &Path, more: &[&str]) -> (i32, String, String) {
    run(dir, &[&EVALUATE[..], more].concat())
}

/// The JSON document of an evaluation of these arms, with its exit code.
fn judged(arms: &[(&str, Vec<String>)], more: &[&str]) -> (i32, Value) {
    let dir = tempfile::tempdir().unwrap();
    served(dir.path(), "served.csv", arms);
    let (code, out, err) = evaluate(dir.path(), &[&["--output", "json"], more].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}")))
}

fn verdict(document: &Value) -> (&str, &str) {
    (document["decision"].as_str().unwrap(), document["reason_code"].as_str().unwrap())
}

#[test]
fn a_person_reads_the_decision_then_the_evidence_then_what_would_change_it() {
    let dir = tempfile::tempdir().unwrap();
    served(dir.path(), "served.csv", &[("a", share(500, 1000)), ("b", share(575, 1000))]);
    let (code, out, _) = evaluate(dir.path(), &[]);
    assert_eq!(code, 0);
    insta::assert_snapshot!("ships", out);
    served(dir.path(), "served.csv", &[("a", share(500, 1000)), ("b", share(515, 1000))]);
    insta::assert_snapshot!("inconclusive", evaluate(dir.path(), &["--test", "fisher_exact"]).1);
    insta::assert_snapshot!("worse", evaluate(dir.path(), &["--lower-is-better", "--test", "bayesian"]).1);
}

#[test]
fn a_program_reads_every_field() {
    let (code, document) = judged(&[("a", share(500, 1000)), ("b", share(575, 1000))], &[]);
    assert_eq!(code, 0);
    for field in [
        "n_a",
        "n_b",
        "mean_a",
        "mean_b",
        "absolute_difference",
        "relative_improvement",
        "relative_improvement_ci",
        "statistic",
        "df",
        "p_value",
        "log10_p_value",
        "is_significant",
        "meets_threshold",
        "decision",
        "winner",
        "reason",
        "srm",
        "mde",
        "warnings",
    ] {
        assert!(document.get(field).is_some_and(|value| !value.is_null()), "{field}: {document}");
    }
    assert_eq!(verdict(&document), ("SHIP_B", "significant_and_meets_threshold"));
    assert_eq!(document["srm"]["mismatch"], false);
    let near = |field: &str, expected: f64| {
        let got = document[field].as_f64().unwrap();
        assert!((got / expected - 1.0).abs() < 1e-9, "{field}: {got}");
    };
    near("relative_improvement", 15.0);
    near("p_value", 0.000_762_002_450_777_512_9);
    near("log10_p_value", document["p_value"].as_f64().unwrap().log10());
}

#[test]
fn rows_that_cannot_be_judged_get_a_named_non_decision() {
    let outcomes = |n: usize, offset: f64| (0..n).map(|i| (offset + (i % 7) as f64).to_string()).collect::<Vec<_>>();
    let (code, empty) = judged(&[("b", share(10, 200))], &[]);
    assert_eq!((code, verdict(&empty)), (4, ("INVALID_DATA", "no_usable_rows")));
    let (code, single) = judged(&[("a", outcomes(1, 0.0)), ("b", outcomes(1, 1.0))], &["--min-samples", "1"]);
    assert_eq!((code, verdict(&single)), (0, ("CONTINUE", "below_min_samples")));
    assert!(single["p_value"].is_null() && single["is_significant"] == false);
    let (code, constant) = judged(&[("a", same("1.5", 200)), ("b", same("2.5", 200))], &[]);
    assert_eq!((code, verdict(&constant)), (0, ("INCONCLUSIVE", "zero_variance")));
    assert!(constant["p_value"].is_null() && constant["winner"].is_null());
    let (_, one_constant) = judged(&[("a", same("1", 200)), ("b", outcomes(200, 1.0))], &[]);
    assert_eq!(verdict(&one_constant), ("SHIP_B", "significant_and_meets_threshold"), "one constant arm is fine");
    let (_, zero) = judged(&[("a", share(0, 500)), ("b", share(40, 500))], &[]);
    assert_eq!(verdict(&zero), ("INCONCLUSIVE", "baseline_zero"));
    assert!(zero["relative_improvement"].is_null());
    let (_, negative) = judged(&[("a", outcomes(500, -10.0)), ("b", outcomes(500, -9.0))], &[]);
    assert_eq!(verdict(&negative).0, "SHIP_B");
    assert!(
        (negative["relative_improvement"].as_f64().unwrap() - 14.24).abs() < 0.1,
        "relative to its size: {negative}"
    );
    let (code, ratio) = judged(&[("a", share(500, 1000)), ("b", share(690, 1200))], &[]);
    assert_eq!((code, verdict(&ratio)), (1, ("INVALID_SRM", "sample_ratio_mismatch")));
    let with = |mut rows: Vec<String>, more: &[&str]| {
        rows.extend(more.iter().map(|&value| value.to_owned()));
        rows
    };
    let (_, odd) =
        judged(&[("a", with(outcomes(300, 0.0), &["NaN", "inf"])), ("b", with(outcomes(300, 2.0), &["-inf"]))], &[]);
    assert_eq!((verdict(&odd).0, &odd["dropped_a"], &odd["dropped_b"]), ("SHIP_B", &2.into(), &1.into()));
    let (code, lost) = judged(&[("a", outcomes(400, 0.0)), ("b", with(outcomes(300, 0.0), &["NaN"; 100]))], &[]);
    assert_eq!((code, verdict(&lost)), (4, ("INVALID_DATA", "missing_values_differ")));
    let (code, strangers) = judged(&[("a", share(5, 100)), ("b", share(5, 100)), ("c", share(5, 100))], &[]);
    assert_eq!((code, verdict(&strangers)), (4, ("INVALID_DATA", "unknown_variants")));
    let (_, unfit) = judged(&[("a", outcomes(200, 0.0)), ("b", outcomes(200, 0.0))], &["--test", "fisher_exact"]);
    assert_eq!(verdict(&unfit), ("INVALID_DATA", "needs_outcomes_of_0_or_1"));
}

#[test]
fn every_test_that_fits_two_variants_runs() {
    for test in steward::ab::ALL.iter().filter(|test| test.needs().is_met_by_separate_rows()) {
        let arms = [("a", share(500, 1000)), ("b", share(600, 1000))];
        let (code, document) = judged(&arms, &["--test", test.name(), "--seed", "3"]);
        let silent = test.name() == "group_sequential";
        let decision = document["decision"].as_str().unwrap();
        assert_eq!((code, decision), (0, "SHIP_B"), "{} {silent}: {document}", test.name());
    }
}

#[test]
fn wrong_use_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    served(dir.path(), "served.csv", &[("a", share(5, 10)), ("b", share(5, 10))]);
    let mut told = String::new();
    for more in [
        vec!["--test", "t-test"],
        vec!["--test", "frobnicate"],
        vec!["--test", "paired_t_test"],
        vec!["--control", "a", "--treatment", "a"],
        vec!["--traffic-split", "0"],
        vec!["--traffic-split", "1"],
        vec!["--significance-level", "NaN"],
        vec!["--success-threshold", "inf"],
        vec!["--outcome", "revenue"],
    ] {
        let args =
            if more[0] == "--outcome" { [&EVALUATE[..6], &more].concat() } else { [&EVALUATE[..], &more].concat() };
        let (code, out, err) = run(dir.path(), &args);
        let err = err.replace(&dir.path().canonicalize().unwrap().display().to_string(), "DIR");
        writeln!(told, "{}: exit {code}\n{}{}", more.join(" "), out, err.trim_end()).unwrap();
    }
    insta::assert_snapshot!("wrong_use", told);
}

#[test]
fn a_plan_says_rows_effects_and_days() {
    let dir = tempfile::tempdir().unwrap();
    let plan = |more: &[&str]| run(dir.path(), &[&["ab", "plan"], more].concat());
    insta::assert_snapshot!(
        "plan",
        [
            plan(&["--baseline", "0.1", "--lift", "0.02", "--per-day", "20000"]).1,
            plan(&["--baseline", "181", "--sd", "40", "--lift", "0.05", "--split", "0.1"]).1,
            plan(&["--baseline", "0.1", "--rows", "50000"]).1,
            plan(&["--baseline", "0.1", "--lift", "0.05", "--looks", "5"]).1,
            plan(&["--baseline", "0.1", "--days", "14", "--per-day", "20000", "--looks", "2"]).1,
            plan(&["--baseline", "0.1", "--lift", "0.05", "--threshold-mode", "superiority"]).1,
            plan(&["--baseline", "0.1", "--lift", "-0.01", "--success-threshold", "0.0125"]).1,
            plan(&["--baseline", "0.1", "--lift", "0.01", "--success-threshold", "0"]).1,
        ]
        .join("\n")
    );
    let (code, out, _) = plan(&["--baseline", "0.1", "--lift", "0.02", "--per-day", "20000", "--output", "json"]);
    let document: Value = serde_json::from_str(&out).unwrap();
    // 356,334 rows in each arm, as in the known answers.
    assert_eq!(
        (code, &document["n_a"], &document["n_b"], &document["days"]),
        (0, &356_335.into(), &356_335.into(), &36.into())
    );
    assert!((document["mde"].as_f64().unwrap() - 2.0).abs() < 0.02, "{document}");
    // Exactly at the bar: half of such models are shipped.
    assert_eq!((&document["looks"], &document["inflation"]), (&1.into(), &1.0.into()));
    assert_eq!((&document["success_threshold"], &document["threshold_mode"]), (&0.02.into(), &"point".into()));
    assert!((document["ship_chance"].as_f64().unwrap() - 0.5).abs() < 1e-9, "{document}");
    assert_eq!(document["expected_rows"]["with_lift"], document["n_total"]);
    let (_, out, _) = plan(&["--baseline", "0.1", "--lift", "0.02", "--looks", "5", "--output", "json"]);
    let several: Value = serde_json::from_str(&out).unwrap();
    let share = several["n_total"].as_f64().unwrap() / document["n_total"].as_f64().unwrap();
    assert!((share - several["inflation"].as_f64().unwrap()).abs() < 1e-5, "{several}");
    assert!((share - 1.0247).abs() < 1e-4, "{several}");
    assert!(several["expected_rows"]["with_lift"].as_u64().unwrap() < several["n_total"].as_u64().unwrap());
    let (_, out, _) = plan(&["--baseline", "0", "--sd", "3", "--rows", "1000", "--looks", "3", "--output", "json"]);
    let unknown: Value = serde_json::from_str(&out).unwrap();
    assert!(unknown["ship_chance"].is_null() && unknown["expected_rows"].is_null(), "{unknown}");
    let mut told = String::new();
    for more in [
        "--baseline 0.1",
        "--baseline 0.1 --lift 0",
        "--baseline 0.9 --lift 0.2",
        "--baseline 12 --lift 0.1",
        "--baseline 0 --sd 1 --lift 0.1",
        "--baseline 5 --sd 0 --lift 0.1",
        "--baseline NaN --lift 0.1",
        "--baseline 0.1 --lift 0.1 --split 1",
        "--baseline 0.1 --lift 0.1 --power 1",
        "--baseline 0.1 --lift 0.1 --power 0.04",
        "--baseline 0.1 --lift 0.1 --per-day 0",
        "--baseline 0.1 --rows 3",
        "--baseline 0.1 --lift 0.1 --looks 0",
        "--baseline 0.1 --lift 0.1 --success-threshold -0.02",
        "--baseline 0.1 --lift 0.1 --threshold-mode lower",
        "--baseline 0.1 --days 14",
        "--baseline 0.1 --days 0 --per-day 1000",
        "--baseline 0.1 --days 14 --per-day 1000 --rows 14000",
    ] {
        let (code, _, err) = plan(&more.split(' ').collect::<Vec<_>>());
        writeln!(told, "{more}: exit {code}\n{}", err.trim_end()).unwrap();
    }
    insta::assert_snapshot!("plan_wrong_use", told);
}
