//! What other tools get wrong, each with its name.

use super::*;

#[test]
fn evidently_0_7_calls_90_percent_nulls_no_drift() {
    let (reference, current) = (normal(1000, 0.0, 1.0), normal(100, 0.0, 1.0));
    for name in names(false) {
        assert!(check(name, &side(&reference), &with_missing(&current, 900)).drifted, "{name}");
    }
}

#[test]
fn evidently_0_7_loses_the_report_to_one_all_null_column() {
    let (values, shifted) = (normal(500, 0.0, 1.0), normal(500, 1.0, 1.0));
    for name in names(false).filter(|name| method(name).unwrap().has_p_value()) {
        let empty = Check { column: "empty".into(), ..check(name, &with_missing(&[], 5), &with_missing(&[], 5)) };
        let moved = Check { column: "moved".into(), ..check(name, &side(&values), &side(&shifted)) };
        let same = Check { column: "same".into(), ..check(name, &side(&values), &side(&values)) };
        let report = report(vec![empty, same, moved], None, &Default::default());
        assert!(report.drifted && report.drifted_columns == ["moved"], "{name}");
        assert_eq!(report.drifted_share, 0.5);
        let order: Vec<&str> = report.columns.iter().map(|check| check.column.as_str()).collect();
        assert_eq!(order, ["moved", "same", "empty"], "{name}");
        assert!(report.columns[2].p_value.is_none() && report.columns[2].q_value.is_none());
        assert_eq!(report.columns[1].q_value, Some(1.0), "{name}");
        assert_eq!(report.columns[0].q_value, report.columns[0].p_value.map(|p| 2.0 * p), "{name}");
    }
}

#[test]
fn evidently_0_7_flips_the_verdict_from_n_ref_1000_to_1001() {
    // It changes its method there. A shift that its two methods disagree on:
    let current = normal(1000, 0.15, 1.0);
    for name in names(false) {
        let verdict = |rows| check(name, &side(&normal(rows, 0.0, 1.0)), &side(&current)).status;
        assert_eq!(verdict(1000), verdict(1001), "{name}");
    }
}

#[test]
fn evidently_0_7_lets_one_outlier_hide_a_shift_of_0_8_sd() {
    let (reference, shifted) = (normal(5000, 0.0, 1.0), normal(5000, 0.8, 1.0));
    let spoiled = numbers(shifted.into_iter().skip(1).chain([1e9]));
    for name in names(false) {
        assert!(check(name, &side(&reference), &side(&spoiled)).drifted, "{name}");
    }
}

#[test]
fn nannyml_0_13_answers_ks_0_with_one_outlier() {
    // It bins the reference between its extremes, and one outlier leaves a single bin.
    let (reference, shifted) = (normal(5000, 0.0, 1.0), normal(5000, 0.8, 1.0));
    let spoiled = numbers(reference.iter().skip(1).copied().chain([1e9]));
    for name in BY_RANK.into_iter().chain(BY_BIN) {
        let (clean, dirty) = (score(name, &reference, &shifted), score(name, &spoiled, &shifted));
        assert!((clean - dirty).abs() < 0.01 && dirty > 0.2, "{name}: {clean} {dirty}");
    }
}

#[test]
fn nannyml_0_13_repeats_the_last_p_value_for_an_all_null_chunk() {
    let (reference, chunk) = (normal(500, 0.0, 1.0), normal(300, 1.0, 1.0));
    for name in names(false) {
        let before = check(name, &side(&reference), &side(&chunk));
        let all_null = check(name, &side(&reference), &with_missing(&[], 300));
        assert!(before.drifted && all_null.reason.as_deref() == Some("missing"), "{name}");
        if !method(name).unwrap().scores_missing() {
            assert_eq!((all_null.p_value, all_null.q_value), (None, None), "{name}");
        }
        assert_ne!(
            all_null.log10_p_value.map(f64::to_bits),
            Some(before.log10_p_value.unwrap_or(0.0).to_bits()),
            "{name}"
        );
    }
}

#[test]
fn scouter_answers_psi_0_for_a_constant_3_that_becomes_2() {
    for name in names(false) {
        assert!(check(name, &side(&[3.0; 400]), &side(&[2.0; 400])).drifted, "{name}");
        assert!(check(name, &side(&[2.0; 400]), &side(&[3.0; 400])).drifted, "{name}");
    }
}

#[test]
fn scouter_misses_a_zero_inflated_column_that_moves() {
    let tail: Vec<f64> = (1..=200).map(|i| f64::from(i) / 20.0).collect();
    let reference = numbers(std::iter::repeat_n(0.0, 800).chain(tail.clone()));
    let current = numbers(std::iter::repeat_n(-5.0, 800).chain(tail));
    for name in names(false) {
        assert!(check(name, &side(&reference), &side(&current)).drifted, "{name}");
    }
}

#[test]
fn scouter_ignores_new_categories() {
    let reference = counts(&[("a", 250), ("b", 250)], 0);
    let current = counts(&[("a", 175), ("b", 175), ("new", 150)], 0);
    for name in names(true) {
        let check = check(name, &Sample::Categorical(&reference), &Sample::Categorical(&current));
        assert!(check.drifted && check.details["new_categories"][0]["share"] == 0.3, "{name}");
    }
}
