//! What holds for any data.

use proptest::prelude::*;

use super::*;

fn column() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        prop::collection::vec(-3i32..4, 1..120).prop_map(|values| values.into_iter().map(f64::from).collect()),
        prop::collection::vec(-1e3f64..1e3, 1..120),
        prop::collection::vec(prop_oneof![Just(0.0), Just(f64::INFINITY), -1.0f64..1.0], 1..120),
    ]
}

fn finite() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-300i32..300, 1..120)
        .prop_map(|values| values.into_iter().map(|value| f64::from(value) / 8.0).collect())
}

fn categories(rows: &[u64], times: u64) -> CategoryCounts {
    let counts = rows.iter().enumerate().map(|(i, rows)| (format!("c{i}"), rows * times)).collect();
    CategoryCounts { counts, missing: times }
}

fn of_categories(name: &str, a: &CategoryCounts, b: &CategoryCounts) -> f64 {
    check(name, &Sample::Categorical(a), &Sample::Categorical(b)).score.unwrap()
}

/// Ends at 1.
fn is_bounded(name: &str) -> bool {
    method(name).unwrap().range() == "0 to 1"
}

proptest! {
    #[test]
    fn scores_keep_their_bounds_and_verdicts_their_rule(
        reference in column(), current in column(), missing in (0u64..40, 0u64..40), threshold in 0.0f64..1.0,
    ) {
        let (reference, current) = (numbers(reference), numbers(current));
        for name in names(false) {
            let options = Options { threshold: Some(threshold), ..Options::default() };
            let (a, b) = (with_missing(&reference, missing.0), with_missing(&current, missing.1));
            let check = judge("x", method(name).unwrap(), &a, &b, &options);
            let score = check.score.unwrap();
            prop_assert!(score.is_finite() && score >= 0.0, "{} {}", name, score);
            prop_assert!(!is_bounded(name) || score <= 1.0, "{} {}", name, score);
            prop_assert_eq!(check.drifted, score > check.threshold);
            prop_assert_eq!(check.drifted, check.status == Status::Drifted);
            prop_assert_eq!(check.p_value.is_some(), method(name).unwrap().has_p_value());
            prop_assert!(check.p_value.is_none_or(|p| (0.0..=1.0).contains(&p)));
            prop_assert!(!serde_json::to_string(&check).unwrap().contains("NaN"));
        }
    }

    #[test]
    fn nothing_scores_above_zero_against_itself(values in column()) {
        let values = numbers(values);
        for name in names(false) {
            prop_assert_eq!(score(name, &values, &values), 0.0, "{}", name);
        }
    }

    #[test]
    fn rows_permuted(values in column(), current in column(), turn in 0usize..100) {
        let mut turned = values.clone();
        turned.rotate_left(turn % values.len());
        turned.reverse();
        for name in names(false) {
            let judged = |reference: &[f64]| check(name, &side(&numbers(reference.to_vec())), &side(&numbers(current.clone())));
            prop_assert_eq!(judged(&values), judged(&turned));
        }
    }

    #[test]
    fn reference_duplicated_k_times(values in column(), current in column(), k in 2usize..5) {
        let current = numbers(current);
        for name in BY_RANK.into_iter().chain(BY_LENGTH) {
            let of = |times: usize| score(name, &numbers(values.repeat(times)), &current);
            let (once, often) = (of(1), of(k));
            let same = if name == "ks_test" { once == often } else { (once - often).abs() <= 1e-9 * once.max(1e-3) };
            prop_assert!(same, "{}: {} {}", name, once, often);
        }
    }

    #[test]
    fn a_column_of_few_values_duplicated_k_times(
        values in prop::collection::vec(0i32..9, 20..200), current in prop::collection::vec(-1i32..9, 20..200), k in 2usize..5,
    ) {
        let column = |values: &[i32]| numbers(values.iter().copied().map(f64::from));
        // The floor of psi for empty bins is half a row.
        for name in BY_BIN.into_iter().filter(|name| *name != "psi") {
            let (once, often) = (
                score(name, &column(&values), &column(&current)), score(name, &column(&values.repeat(k)), &column(&current)),
            );
            prop_assert!((once - often).abs() < 1e-12, "{}: {} {}", name, once, often);
        }
    }

    #[test]
    fn sides_may_be_swapped(first in column(), second in column()) {
        let (first, second) = (numbers(first), numbers(second));
        for name in BY_RANK {
            let (forward, backward) = (score(name, &first, &second), score(name, &second, &first));
            prop_assert!((forward - backward).abs() < 1e-12, "{}: {} {}", name, forward, backward);
        }
    }

    #[test]
    fn monotone_transformations_change_no_rank(first in finite(), second in finite()) {
        let cubed = |values: &[f64]| numbers(values.iter().map(|value| value * value * value + value));
        let (first, second) = (numbers(first), numbers(second));
        for name in BY_RANK {
            prop_assert_eq!(score(name, &first, &second), score(name, &cubed(&first), &cubed(&second)), "{}", name);
        }
    }

    #[test]
    fn turned_around_or_moved_a_column_is_as_far_as_before(first in finite(), second in finite(), by in -1000i32..1000) {
        let map = |values: &[f64], f: &dyn Fn(f64) -> f64| numbers(values.iter().map(|value| f(*value)));
        let (first, second) = (numbers(first), numbers(second));
        for name in BY_RANK.into_iter().chain(BY_LENGTH) {
            let plain = score(name, &first, &second);
            let negated = score(name, &map(&first, &|value| -value), &map(&second, &|value| -value));
            prop_assert!((plain - negated).abs() <= 1e-9 * plain.max(1e-3), "{}: {} {}", name, plain, negated);
            let moved = |value: f64| value + f64::from(by);
            let moved = score(name, &map(&first, &moved), &map(&second, &moved));
            prop_assert!((plain - moved).abs() <= 1e-9 * plain.max(1e-3), "{}: {} {}", name, plain, moved);
        }
    }

    #[test]
    fn powers_of_two_change_no_bit_of_a_score(
        first in finite(), second in finite(), exponent in prop_oneof![Just(-300i32), Just(300), Just(900), Just(-900), -20i32..20],
    ) {
        let unit = 2f64.powi(exponent);
        let scaled = |values: &[f64]| numbers(values.iter().map(|value| value * unit));
        let (first, second) = (numbers(first), numbers(second));
        for name in names(false) {
            let (plain, large) = (score(name, &first, &second), score(name, &scaled(&first), &scaled(&second)));
            prop_assert_eq!(plain.to_bits(), large.to_bits(), "{}: {} {}", name, plain, large);
        }
    }

    #[test]
    fn a_shift_of_one_size_scores_its_size(values in finite(), by in 0.01f64..50.0) {
        let values = numbers(values);
        prop_assume!(values[0] != values[values.len() - 1]);
        let moved = numbers(values.iter().map(|value| value + by));
        let deviation = crate::stats::Moments::of(&values).population_standard_deviation().unwrap();
        let score = score("wasserstein", &values, &moved);
        prop_assert!((score / (by / deviation) - 1.0).abs() < 1e-9, "{} {}", score, by / deviation);
    }

    #[test]
    fn categories_may_be_swapped_and_duplicated(
        reference in prop::collection::vec(1u64..50, 1..12), current in prop::collection::vec(1u64..50, 1..12), k in 2u64..5,
    ) {
        let (a, b) = (categories(&reference, 1), categories(&current, 1));
        for name in BY_BIN {
            let plain = of_categories(name, &a, &b);
            if name != "psi" || reference.len() == current.len() {
                prop_assert!((plain - of_categories(name, &categories(&reference, k), &b)).abs() < 1e-12, "{}", name);
            }
            prop_assert!((plain - of_categories(name, &b, &a)).abs() < 1e-12, "{}", name);
        }
    }

    #[test]
    fn methods_by_bin_agree_on_their_order_of_size(
        reference in prop::collection::vec(0u64..50, 2..12), current in prop::collection::vec(0u64..50, 2..12),
    ) {
        let (a, b) = (categories(&reference, 1), categories(&current, 1));
        let score = |name: &str| of_categories(name, &a, &b);
        let v = score("chi_square");
        for name in ["jensen_shannon", "hellinger", "total_variation"] {
            prop_assert!(score(name) <= v + 1e-12, "{}: {} > {}", name, score(name), v);
        }
        prop_assert!(score("jensen_shannon") >= (0.5 / std::f64::consts::LN_2).sqrt() * v - 1e-12);
        prop_assert!(score("hellinger") >= v / 2f64.sqrt() - 1e-12);
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
