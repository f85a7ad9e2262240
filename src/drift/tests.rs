//! The edge cases of the drift rules, each a test with its name, and failures of other tools that must not be ours.

use proptest::prelude::*;

use super::*;

fn numbers(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    sort_values(&mut values);
    values
}

fn side(sorted: &[f64]) -> Sample<'_> {
    Sample::Numeric(NumericSample { sorted, missing: 0 })
}

fn with_missing(sorted: &[f64], missing: u64) -> Sample<'_> {
    Sample::Numeric(NumericSample { sorted, missing })
}

fn counts(categories: &[(&str, u64)], missing: u64) -> CategoryCounts {
    CategoryCounts { counts: categories.iter().map(|&(name, rows)| (name.to_owned(), rows)).collect(), missing }
}

fn check(method_name: &str, reference: &Sample, current: &Sample) -> Check {
    judge("x", method(method_name).unwrap(), reference, current, &Options::default())
}

/// Evenly spaced quantiles of the standard normal distribution: a perfect sample without randomness.
fn normal(rows: usize, mean: f64, deviation: f64) -> Vec<f64> {
    let quantile = |i: usize| crate::stats::normal_quantile((i as f64 + 0.5) / rows as f64).unwrap();
    numbers((0..rows).map(|i| mean + deviation * quantile(i)))
}

/// A deterministic sequence that behaves like draws from the uniform distribution on 0..1.
fn uniform(rows: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
    let mut next = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..rows).map(|_| next()).collect()
}

const METHODS: [&str; 3] = ["ks_test", "psi", "chi_square"];

#[test]
fn constant_equal_to_the_same_constant() {
    let constant = vec![7.0; 300];
    for name in METHODS {
        let check = check(name, &side(&constant), &side(&constant));
        assert_eq!((check.score, check.p_value, check.status), (Some(0.0), Some(1.0), Status::Ok), "{name}");
    }
}

#[test]
fn constant_a_to_b_up_and_down() {
    let (low, high) = (vec![2.0; 300], vec![3.0; 300]);
    for (reference, current) in [(&low, &high), (&high, &low)] {
        assert_eq!(check("ks_test", &side(reference), &side(current)).score, Some(1.0));
        assert_eq!(check("chi_square", &side(reference), &side(current)).score, Some(1.0));
        assert!(check("psi", &side(reference), &side(current)).score.unwrap() > 5.0);
    }
}

#[test]
fn current_all_missing() {
    let values = normal(500, 0.0, 1.0);
    for name in METHODS {
        let check = check(name, &side(&values), &with_missing(&[], 500));
        assert_eq!((check.status, check.reason.as_deref()), (Status::Drifted, Some("missing")), "{name}");
        assert!(check.drifted && check.score.unwrap() > check.threshold);
    }
    let categories = counts(&[("a", 250), ("b", 250)], 0);
    let none = counts(&[], 500);
    let check = check("chi_square", &Sample::Categorical(&categories), &Sample::Categorical(&none));
    assert_eq!((check.status, check.score), (Status::Drifted, Some(1.0)));
}

#[test]
fn all_missing_on_both_sides() {
    for name in METHODS {
        let check = check(name, &with_missing(&[], 10), &with_missing(&[], 20));
        assert_eq!((check.status, check.score, check.drifted), (Status::NotApplicable, None, false), "{name}");
    }
}

#[test]
fn ninety_percent_missing_although_the_rest_looks_the_same() {
    // Evidently 0.7 answers "no drift" here.
    let (reference, current) = (normal(1000, 0.0, 1.0), normal(100, 0.0, 1.0));
    for name in METHODS {
        let check = check(name, &side(&reference), &with_missing(&current, 900));
        assert_eq!((check.status, check.reason.as_deref()), (Status::Drifted, Some("missing")), "{name}");
        assert!(check.score.unwrap() > check.threshold);
    }
    let check = check("ks_test", &side(&reference), &with_missing(&current, 900));
    assert_eq!((check.score, check.threshold), (Some(0.9), 0.2));
    assert!(check.details["statistic"].as_f64().unwrap() < 0.02, "D itself is over present values");
}

#[test]
fn a_missing_share_at_the_threshold_does_not_drift() {
    let (reference, current) = (normal(1000, 0.0, 1.0), normal(800, 0.0, 1.0));
    let check = check("ks_test", &side(&reference), &with_missing(&current, 200));
    assert_eq!((check.status, check.reason), (Status::Ok, None));
}

#[test]
fn no_rows_are_no_data_and_never_no_drift() {
    let values = normal(100, 0.0, 1.0);
    for name in METHODS {
        for (reference, current) in [(&values[..], &[][..]), (&[], &values), (&[], &[])] {
            let check = check(name, &side(reference), &side(current));
            assert_eq!((check.status, check.score), (Status::NoData, None), "{name}");
            assert!(check.reason.unwrap().starts_with("no rows"));
        }
    }
}

#[test]
fn a_changed_type_is_a_schema_error_and_the_others_are_judged() {
    let values = normal(500, 0.0, 1.0);
    let categories = counts(&[("a", 500)], 0);
    let changed = check("psi", &side(&values), &Sample::Categorical(&categories));
    assert_eq!(changed.status, Status::SchemaError);
    let missing = not_judged("gone", "psi", Status::SchemaError, "column missing in the current data", 0.2);
    let report =
        report(vec![missing, changed, check("ks_test", &side(&values), &side(&values))], None, &Default::default());
    assert_eq!((report.columns[0].status, report.drift_score, report.drifted), (Status::Ok, Some(0.0), false));
    assert_eq!(report.columns[2].column, "x");
}

#[test]
fn one_row_on_each_side_is_computed_with_low_reliability() {
    for name in METHODS {
        let check = check(name, &side(&[1.0]), &side(&[1.0]));
        assert_eq!((check.score, check.reliability), (Some(0.0), Some(Reliability::Low)), "{name}");
    }
    let one = counts(&[("a", 1)], 0);
    let check = check("chi_square", &Sample::Categorical(&one), &Sample::Categorical(&one));
    assert_eq!((check.score, check.reliability), (Some(0.0), Some(Reliability::Low)));
}

#[test]
fn one_outlier_does_not_hide_a_shift() {
    // Evidently 0.7 and NannyML 0.13 see nothing here.
    let reference = normal(5000, 0.0, 1.0);
    let shifted = normal(5000, 0.8, 1.0);
    let mut spoiled = shifted.clone();
    spoiled[0] = 1e9;
    let spoiled = numbers(spoiled);
    for name in METHODS {
        assert!(check(name, &side(&reference), &side(&spoiled)).drifted, "{name}");
    }
    let score = |current: &[f64]| check("ks_test", &side(&reference), &side(current)).score.unwrap();
    assert!((score(&spoiled) - score(&shifted)).abs() <= 1.0 / 5000.0 + 1e-15);
}

#[test]
fn a_zero_inflated_column_that_moves_is_seen() {
    // scouter misses this move.
    let tail: Vec<f64> = (1..=200).map(|i| f64::from(i) / 20.0).collect();
    let reference = numbers(std::iter::repeat_n(0.0, 800).chain(tail.clone()));
    let current = numbers(std::iter::repeat_n(-5.0, 800).chain(tail));
    for name in METHODS {
        assert!(check(name, &side(&reference), &side(&current)).drifted, "{name}");
    }
}

#[test]
fn new_categories_are_named_and_count_by_their_share() {
    // scouter ignores new categories.
    let reference = counts(&[("a", 250), ("b", 250)], 0);
    let rare = counts(&[("a", 250), ("b", 249), ("new", 1)], 0);
    let frequent = counts(&[("a", 175), ("b", 175), ("new", 150)], 0);
    for name in ["chi_square", "psi"] {
        let one = check(name, &Sample::Categorical(&reference), &Sample::Categorical(&rare));
        assert!(!one.drifted, "{name}");
        assert_eq!(one.details["new_categories"][0], serde_json::json!({ "name": "new", "share": 0.002 }));
        assert!(check(name, &Sample::Categorical(&reference), &Sample::Categorical(&frequent)).drifted, "{name}");
    }
}

#[test]
fn a_million_rows_with_a_tiny_shift_do_not_drift_but_say_the_p_value() {
    let reference = numbers((0..1_000_000).map(f64::from));
    // 0.005 standard deviations of a uniform column.
    let current: Vec<f64> = reference.iter().map(|value| value + 0.005 * 1e6 / 12f64.sqrt()).collect();
    for name in METHODS {
        let check = check(name, &side(&reference), &side(&current));
        assert_eq!((check.status, check.reliability), (Status::Ok, Some(Reliability::Normal)), "{name}");
    }
    let shifted: Vec<f64> = reference.iter().map(|value| value + 0.02 * 1e6 / 12f64.sqrt()).collect();
    let check = check("ks_test", &side(&reference), &side(&shifted));
    assert!(!check.drifted && check.p_value.unwrap() < 1e-12 && check.details["p_value_method"] == "kolmogorov_limit");
}

#[test]
fn one_more_row_in_the_reference_does_not_flip_the_verdict() {
    // Evidently 0.7 changes its method at 1,000 rows.
    for shift in [0.3, 0.8] {
        let current = normal(1000, shift, 1.0);
        for name in METHODS {
            let verdict = |rows| check(name, &side(&normal(rows, 0.0, 1.0)), &side(&current));
            let (fewer, more) = (verdict(1000), verdict(1001));
            assert_eq!((fewer.drifted, fewer.method), (more.drifted, more.method));
            assert!((fewer.score.unwrap() - more.score.unwrap()).abs() < 0.01, "{name}");
        }
    }
}

#[test]
fn no_drift_in_small_current_samples_is_not_flagged() {
    // Evidently 0.7 flags 71 % of such features.
    let reference = numbers(uniform(5000, 1));
    let flagged = (0..40)
        .filter(|&seed| check("ks_test", &side(&reference), &side(&numbers(uniform(100, seed + 2)))).drifted)
        .count();
    assert_eq!(flagged, 0, "of 40");
}

#[test]
fn a_score_at_the_threshold_is_no_drift() {
    let reference = numbers((0..10).map(f64::from));
    let current = numbers((0..10).map(|i| f64::from(i) + 2.0));
    let check = check("ks_test", &side(&reference), &side(&current));
    assert_eq!((check.score, check.drifted, check.status), (Some(0.2), false, Status::Warning));
}

#[test]
fn the_warning_band_begins_at_half_the_threshold() {
    let reference = numbers((0..100).map(f64::from));
    let status = |shift: f64| {
        let current: Vec<f64> = reference.iter().map(|value| value + shift).collect();
        check("ks_test", &side(&reference), &side(&current)).status
    };
    assert_eq!(
        [status(9.0), status(10.0), status(20.0), status(21.0)],
        [Status::Ok, Status::Warning, Status::Warning, Status::Drifted]
    );
}

#[test]
fn large_offsets_subnormals_infinities_and_signed_zeros_are_exact() {
    let score = |reference: &[f64], current: &[f64]| check("ks_test", &side(reference), &side(current)).score;
    let offset = numbers((0..100).map(|i| 1e9 + f64::from(i % 2)));
    let ones = numbers((0..100).map(|i| 1e9 + f64::from(i % 4 != 0)));
    assert_eq!(score(&offset, &ones), Some(0.25));
    assert_eq!(check("chi_square", &side(&offset), &side(&offset)).score, Some(0.0));
    assert_eq!(score(&[5e-324, 1e-323], &[1e-323, 1.5e-323]), Some(0.5));
    let infinite = numbers([f64::NEG_INFINITY, 0.0, 1.0, f64::INFINITY]);
    assert_eq!(score(&infinite, &numbers([0.0, 1.0, f64::INFINITY, f64::INFINITY])), Some(0.25));
    let counted = check("ks_test", &side(&infinite), &side(&infinite));
    assert_eq!((counted.score, counted.details["infinite_reference"].as_u64()), (Some(0.0), Some(2)));
    assert_eq!(score(&[-0.0, 0.0], &[0.0, 0.0]), Some(0.0));
    for name in METHODS {
        let check = check(name, &side(&infinite), &side(&infinite));
        assert_eq!((check.score, check.status), (Some(0.0), Status::Ok), "{name}");
    }
}

#[test]
fn too_few_rows_are_insufficient_data() {
    let options = Options { min_samples: Some(200), ..Options::default() };
    let (few, enough) = (normal(199, 0.0, 1.0), normal(200, 0.0, 1.0));
    let judge = |current: &[f64]| judge("x", method("psi").unwrap(), &side(&enough), &side(current), &options).status;
    assert_eq!((judge(&few), judge(&enough)), (Status::InsufficientData, Status::Ok));
}

#[test]
fn ks_does_not_judge_categories_and_identifiers_are_no_categories() {
    let categories = counts(&[("a", 300), ("b", 200)], 0);
    let check_of =
        |name: &str, counts: &CategoryCounts| check(name, &Sample::Categorical(counts), &Sample::Categorical(counts));
    assert_eq!(check_of("ks_test", &categories).status, Status::NotApplicable);
    let ids = CategoryCounts { counts: (0..2000).map(|i| (i.to_string(), 1)).collect(), missing: 0 };
    for name in ["psi", "chi_square"] {
        let check = check_of(name, &ids);
        assert_eq!(check.status, Status::NotApplicable);
        assert!(check.reason.unwrap().starts_with("high_cardinality"), "{name}");
    }
}

#[test]
fn a_small_reference_makes_the_verdict_unreliable() {
    let (few, many) = (normal(30, 0.0, 1.0), normal(1000, 0.0, 1.0));
    for name in METHODS {
        assert_eq!(check(name, &side(&few), &side(&many)).reliability, Some(Reliability::Low), "{name}");
        assert_eq!(check(name, &side(&many), &side(&many)).reliability, Some(Reliability::Normal), "{name}");
        let least = method(name).unwrap().minimum_sample() as usize;
        let enough = normal(least + 1, 0.0, 1.0);
        assert_eq!(check(name, &side(&enough), &side(&enough)).reliability, Some(Reliability::Normal), "{name}");
        let short = normal(least - 3, 0.0, 1.0);
        assert_eq!(check(name, &side(&short), &side(&short)).reliability, Some(Reliability::Low), "{name}");
    }
}

#[test]
fn an_all_missing_column_does_not_spoil_the_report() {
    // One such column kills Evidently's whole report; NannyML repeats the p-value of the chunk before.
    let values = normal(500, 0.0, 1.0);
    let shifted = normal(500, 1.0, 1.0);
    let empty = Check { column: "empty".into(), ..check("ks_test", &with_missing(&[], 5), &with_missing(&[], 5)) };
    let moved = Check { column: "moved".into(), ..check("ks_test", &side(&values), &side(&shifted)) };
    let same = Check { column: "same".into(), ..check("ks_test", &side(&values), &side(&values)) };
    let report = report(vec![empty, same, moved], None, &Default::default());
    assert!(report.drifted && report.drifted_columns == ["moved"]);
    assert_eq!(report.drifted_share, 0.5);
    let order: Vec<&str> = report.columns.iter().map(|check| check.column.as_str()).collect();
    assert_eq!(order, ["moved", "same", "empty"]);
    assert!(report.columns[2].p_value.is_none() && report.columns[2].q_value.is_none());
    assert_eq!(report.columns[1].q_value, Some(1.0));
    assert_eq!(report.columns[0].q_value, report.columns[0].p_value.map(|p| 2.0 * p));
}

#[test]
fn a_share_of_columns_can_be_asked_for() {
    let drifted = |column: &str, drifted: bool| Check {
        column: column.into(),
        score: Some(0.5),
        drifted,
        status: if drifted { Status::Drifted } else { Status::Ok },
        ..not_judged("", "psi", Status::Ok, "", 0.2)
    };
    let checks = || vec![drifted("a", true), drifted("b", false), drifted("c", false), drifted("d", false)];
    assert!(report(checks(), None, &Default::default()).drifted);
    assert!(report(checks(), Some(0.25), &Default::default()).drifted);
    assert!(!report(checks(), Some(0.3), &Default::default()).drifted);
    assert!(!report(vec![], Some(0.0), &Default::default()).drifted);
}

#[test]
fn every_method_is_documented_and_found_by_name() {
    for entry in ALL {
        assert!(std::ptr::addr_eq(method(entry.name()).unwrap(), *entry));
        assert!(entry.reference().contains("doi:"), "{}", entry.name());
        for text in [entry.title(), entry.summary(), entry.formula(), entry.range(), entry.notes()] {
            assert!(!text.is_empty() && !text.contains("  "), "{}: {text:?}", entry.name());
        }
    }
    assert!(method("ks").is_none());
    assert_eq!(default_method(true, "ks_test").name(), "chi_square");
    assert_eq!(default_method(false, "psi").name(), "psi");
    assert_eq!(default_method(false, "no_such_method").name(), "ks_test");
}

#[test]
fn results_are_valid_json_without_nulls_where_numbers_belong() {
    let values = numbers([1.0, 2.0, f64::INFINITY]);
    let check = check("ks_test", &side(&values), &side(&[f64::INFINITY]));
    let json = serde_json::to_value(&check).unwrap();
    assert_eq!((json["status"].as_str(), json["drifted"].as_bool()), (Some("drifted"), Some(true)));
    assert_eq!(json["details"]["at"], 2.0);
}

fn column() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        prop::collection::vec(-3i32..4, 1..120).prop_map(|values| values.into_iter().map(f64::from).collect()),
        prop::collection::vec(-1e3f64..1e3, 1..120),
        prop::collection::vec(prop_oneof![Just(0.0), Just(f64::INFINITY), -1.0f64..1.0], 1..120),
    ]
}

proptest! {
    #[test]
    fn scores_keep_their_bounds_and_verdicts_their_rule(
        reference in column(), current in column(), missing in (0u64..40, 0u64..40), threshold in 0.0f64..1.0,
    ) {
        let (reference, current) = (numbers(reference), numbers(current));
        for name in METHODS {
            let options = Options { threshold: Some(threshold), ..Options::default() };
            let (a, b) = (with_missing(&reference, missing.0), with_missing(&current, missing.1));
            let check = judge("x", method(name).unwrap(), &a, &b, &options);
            let score = check.score.unwrap();
            prop_assert!(score.is_finite() && score >= 0.0);
            prop_assert!(name == "psi" || score <= 1.0);
            prop_assert_eq!(check.drifted, score > check.threshold);
            prop_assert_eq!(check.drifted, check.status == Status::Drifted);
            prop_assert!((0.0..=1.0).contains(&check.p_value.unwrap()));
        }
    }

    #[test]
    fn rows_permuted_give_the_same_score(values in column(), current in column(), turn in 0usize..100) {
        let mut turned = values.clone();
        turned.rotate_left(turn % values.len());
        turned.reverse();
        for name in METHODS {
            let score = |reference: &[f64]| check(name, &side(&numbers(reference.to_vec())), &side(&numbers(current.clone())));
            prop_assert_eq!(score(&values), score(&turned));
        }
    }

    #[test]
    fn a_reference_duplicated_k_times_gives_the_same_distance(values in column(), current in column(), k in 2usize..5) {
        let current = numbers(current);
        let score = |name: &str, times: usize| {
            check(name, &side(&numbers(values.repeat(times))), &side(&current)).score.unwrap()
        };
        prop_assert_eq!(score("ks_test", 1), score("ks_test", k));
    }

    #[test]
    fn categories_are_symmetric_and_do_not_care_about_duplication(
        reference in prop::collection::vec(1u64..50, 1..12), current in prop::collection::vec(1u64..50, 1..12), k in 2u64..5,
    ) {
        let side = |rows: &[u64], times: u64| CategoryCounts {
            counts: rows.iter().enumerate().map(|(i, rows)| (format!("c{i}"), rows * times)).collect(), missing: times,
        };
        let score = |a: &CategoryCounts, b: &CategoryCounts| {
            check("chi_square", &Sample::Categorical(a), &Sample::Categorical(b)).score.unwrap()
        };
        let (a, b) = (side(&reference, 1), side(&current, 1));
        prop_assert!((score(&a, &b) - score(&b, &a)).abs() < 1e-14);
        prop_assert!((score(&a, &b) - score(&side(&reference, k), &b)).abs() < 1e-14);
        if reference.len() == current.len() {
            let psi = |a: &CategoryCounts, b: &CategoryCounts| {
                check("psi", &Sample::Categorical(a), &Sample::Categorical(b)).score.unwrap()
            };
            prop_assert!((psi(&a, &b) - psi(&side(&reference, k), &b)).abs() < 1e-13);
        }
    }

    #[test]
    fn reports_do_not_depend_on_the_order_of_columns(scores in prop::collection::vec(prop::option::of(0.0f64..1.0), 1..12)) {
        let checks: Vec<Check> = scores.iter().enumerate().map(|(i, score)| Check {
            score: *score, p_value: score.map(|score| 1.0 - score), drifted: score.is_some_and(|score| score > 0.2),
            ..not_judged(format!("c{i}"), "psi", if score.is_some() { Status::Ok } else { Status::NoData }, "", 0.2)
        }).collect();
        let mut turned = checks.clone();
        turned.reverse();
        let (a, b) = (report(checks, None, &Default::default()), report(turned, None, &Default::default()));
        prop_assert_eq!(&a, &b);
        prop_assert!(a.columns.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }
}
