//! What a profile keeps, how parts merge to the whole, and when a verdict is refused.

use proptest::prelude::*;

use super::*;
use crate::drift::{self, NumericSample, Options, Sample, Status};

fn numbers(mut values: Vec<f64>, missing: u64) -> ColumnProfile {
    drift::sort_values(&mut values);
    let values = Values::Numbers(Numbers::of_sorted(&values));
    ColumnProfile { name: "x".into(), dtype: "f64".into(), kind: Kind::Numeric, missing, values }
}

fn categories(counts: &[(&str, u64)], missing: u64) -> ColumnProfile {
    let counts = CategoryCounts { counts: counts.iter().map(|&(n, r)| (n.to_owned(), r)).collect(), missing };
    let values = Values::Categories(Categories::of(&counts, 0));
    ColumnProfile { name: "x".into(), dtype: "str".into(), kind: Kind::Text, missing, values }
}

fn of(column: ColumnProfile) -> Profile {
    Profile { rows: column.rows(), columns: vec![column] }
}

fn grid(profile: &ColumnProfile) -> &Numbers {
    let Values::Numbers(numbers) = &profile.values else { panic!("no numbers") };
    numbers
}

/// Values that are spread evenly and never repeat, in an order that is not theirs.
fn spread(rows: usize) -> Vec<f64> {
    (0..rows).map(|i| ((i * 7_919) % rows) as f64 / rows as f64).collect()
}

#[test]
fn a_column_of_few_values_is_kept_exactly_and_comes_back_bit_for_bit() {
    let values: Vec<f64> = (0..2_000).map(|i| f64::from(i % 700) / 3.0).chain([f64::INFINITY, -0.0, 5e-324]).collect();
    let profile = of(numbers(values.clone(), 7));
    let text = serde_json::to_string(&profile).unwrap();
    let back: Profile = serde_json::from_str(&text).unwrap();
    let mut sorted = values;
    drift::sort_values(&mut sorted);
    assert_eq!(grid(&back.columns[0]).expanded(u64::MAX), sorted);
    assert_eq!((back.rows, back.columns[0].missing, back.columns[0].rank_error()), (2_010, 7, 0.0));
}

#[test]
fn a_column_of_many_values_is_a_grid_that_says_how_far_it_may_be_off() {
    let values = spread(100_000);
    let column = numbers(values.clone(), 0);
    let numbers = grid(&column);
    assert!(numbers.points.len() <= GRID, "{}", numbers.points.len());
    assert!(numbers.rank_error() > 0.0 && numbers.rank_error() <= 1.0 / GRID as f64, "{}", numbers.rank_error());
    assert_eq!(numbers.range(), Some((0.0, 99_999.0 / 100_000.0)), "the ends are kept");
    for value in [0.0, 0.1234, 0.5, 0.777_77, 0.999] {
        let exact = values.iter().filter(|v| **v <= value).count() as f64 / 100_000.0;
        assert!((numbers.share_at_most(value) - exact).abs() <= numbers.rank_error(), "{value}");
    }
}

#[test]
fn a_value_that_many_rows_share_stays_exact_on_a_grid() {
    let mut values = spread(50_000);
    values.extend(std::iter::repeat_n(0.25, 50_000));
    let column = numbers(values, 0);
    let point = grid(&column).points.iter().find(|point| point.value == 0.25).unwrap();
    assert_eq!(point.rows, 50_001);
}

#[test]
fn a_profile_stands_for_its_rows_in_every_method() {
    let values: Vec<f64> = spread(5_000).into_iter().map(|v| (v * 900.0).floor()).collect();
    let mut sorted = values.clone();
    drift::sort_values(&mut sorted);
    let now: Vec<f64> = sorted.iter().map(|value| value * 1.1 + 20.0).collect();
    let current = Sample::Numeric(NumericSample { sorted: &now, missing: 100 });
    let reference = Sample::Numeric(NumericSample { sorted: &sorted, missing: 50 });
    for method in drift::ALL.iter().filter(|method| method.applies_to().includes(false)) {
        let rows = drift::judge("x", *method, &reference, &current, &Options::default());
        let profile = judge("x", *method, &numbers(values.clone(), 50), &current, &Options::default());
        assert_eq!(profile, rows, "{}", method.name());
    }
    let counts = |rows: &[(&str, u64)]| CategoryCounts {
        counts: rows.iter().map(|&(name, rows)| (name.to_owned(), rows)).collect(),
        missing: 5,
    };
    let before = [("a", 500), ("b", 300), ("c", 20)];
    let now = counts(&[("a", 300), ("b", 450), ("d", 40)]);
    for method in drift::ALL.iter().filter(|method| method.applies_to().includes(true)) {
        let (current, options) = (Sample::Categorical(&now), Options::default());
        let rows = drift::judge("x", *method, &Sample::Categorical(&counts(&before)), &current, &options);
        assert_eq!(judge("x", *method, &categories(&before, 5), &current, &options), rows, "{}", method.name());
    }
}

#[test]
fn a_verdict_that_the_rank_error_leaves_open_is_refused() {
    let column = numbers(spread(100_000), 0);
    let error = column.rank_error();
    let mut now: Vec<f64> = spread(20_000).into_iter().map(|value| value + 0.3).collect();
    drift::sort_values(&mut now);
    let current = Sample::Numeric(NumericSample { sorted: &now, missing: 0 });
    let method = drift::method("ks_test").unwrap();
    let at = |threshold: f64| {
        judge("x", method, &column, &current, &Options { threshold: Some(threshold), ..Options::default() })
    };
    let score = at(0.2).score.unwrap();
    let mut rows = spread(100_000);
    drift::sort_values(&mut rows);
    let exact = Sample::Numeric(NumericSample { sorted: &rows, missing: 0 });
    let exact = drift::judge("x", method, &exact, &current, &Options::default()).score.unwrap();
    assert!((score - exact).abs() <= error, "{score} instead of {exact}");
    let refused = at(score - error / 2.0);
    assert_eq!((refused.status, refused.score, refused.drifted), (Status::InsufficientData, None, false));
    assert!(refused.reason.as_deref().unwrap().contains("rank error"), "{:?}", refused.reason);
    assert_eq!(at(score + error / 2.0).status, Status::InsufficientData);
    assert_eq!(at(score - 2.0 * error).status, Status::Drifted);
    assert_eq!(at(score + 2.0 * error).status, Status::Warning);
    assert_eq!((refused.n_reference, refused.n_current), (100_000, 20_000));
}

#[test]
fn many_rows_are_taken_in_proportion() {
    let column = Numbers {
        points: vec![Point { value: 1.0, rows: 9_000_000 }, Point { value: 2.0, rows: 3_000_000 }],
        ..Numbers::of_sorted(&[])
    };
    let rows = column.expanded(1_000);
    assert_eq!((rows.len(), rows.iter().filter(|value| **value == 1.0).count()), (1_000, 750));
}

#[test]
fn identifiers_are_not_kept() {
    let names: Vec<(String, u64)> = (0..500).map(|i| (format!("person {i}"), 1)).collect();
    let names: Vec<(&str, u64)> = names.iter().map(|(name, rows)| (name.as_str(), *rows)).collect();
    let kept = of(categories(&names, 3)).without_identifiers();
    assert!(!serde_json::to_string(&kept).unwrap().contains("person"));
    assert_eq!(kept.columns[0].rows(), 503);
    let now = CategoryCounts { counts: [("a".to_owned(), 4)].into(), missing: 0 };
    let method = drift::method("chi_square").unwrap();
    let check = judge("x", method, &kept.columns[0], &Sample::Categorical(&now), &Options::default());
    assert_eq!(check.status, Status::NotApplicable);
    assert!(check.reason.unwrap().starts_with("high_cardinality"));
    let few = of(categories(&[("a", 400), ("b", 100)], 0));
    assert_eq!(few.clone().without_identifiers(), few);
}

#[test]
fn a_column_that_a_part_does_not_have_is_missing_there() {
    let (first, second) = (of(numbers(vec![1.0, 2.0], 0)), Profile { rows: 3, columns: Vec::new() });
    for merged in [first.clone().merged(&second), second.merged(&first)] {
        assert_eq!((merged.rows, merged.columns[0].missing, merged.columns[0].rows()), (5, 3, 5));
    }
    let nothing = ColumnProfile { dtype: "null".into(), values: Values::None, ..numbers(vec![], 4) };
    let merged = of(nothing.clone()).merged(&first);
    assert_eq!((merged.columns[0].dtype.as_str(), merged.columns[0].rows()), ("f64", 6));
    let merged = first.merged(&of(nothing));
    assert_eq!((merged.columns[0].missing, merged.columns[0].rows()), (4, 6));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn profiles_of_parts_merge_to_the_profile_of_the_whole(
        values in prop::collection::vec(-500i32..500, 1..400), cut in 0usize..400, missing in (0u64..5, 0u64..5),
    ) {
        let values: Vec<f64> = values.into_iter().map(|v| f64::from(v) / 7.0).collect();
        let cut = cut.min(values.len());
        let part = |of: &[f64], missing| numbers(of.to_vec(), missing);
        let merged = of(part(&values[..cut], missing.0)).merged(&of(part(&values[cut..], missing.1)));
        let whole = of(part(&values, missing.0 + missing.1));
        prop_assert_eq!(&grid(&merged.columns[0]).points, &grid(&whole.columns[0]).points);
        prop_assert_eq!((merged.rows, merged.columns[0].missing), (whole.rows, whole.columns[0].missing));
        let mean = |profile: &Profile| grid(&profile.columns[0]).moments.mean().unwrap();
        prop_assert!((mean(&merged) - mean(&whole)).abs() <= 1e-12 * mean(&whole).abs().max(1.0));
    }

    #[test]
    fn merged_grids_stay_within_the_error_that_they_state(
        sizes in prop::collection::vec(1usize..6_000, 2..6), seed in 1u64..1_000,
    ) {
        let mut state = seed;
        let mut all = Vec::new();
        let mut merged: Option<Profile> = None;
        for size in sizes {
            let values: Vec<f64> = (0..size).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let unit = (state >> 11) as f64 / (1u64 << 53) as f64;
                if state % 5 == 0 { 0.5 } else { unit }
            }).collect();
            all.extend_from_slice(&values);
            let part = of(numbers(values, 0));
            merged = Some(match merged { None => part, Some(merged) => merged.merged(&part) });
        }
        let merged = merged.unwrap();
        let kept = grid(&merged.columns[0]);
        drift::sort_values(&mut all);
        prop_assert_eq!(kept.present(), all.len() as u64);
        for (index, value) in all.iter().enumerate().step_by(97) {
            let exact = all.partition_point(|v| v <= value) as f64 / all.len() as f64;
            prop_assert!((kept.share_at_most(*value) - exact).abs() <= kept.rank_error() + 1e-12, "{} at {}", value, index);
        }
        prop_assert!(kept.points.len() <= EXACT_UP_TO);
    }

    #[test]
    fn categories_of_parts_merge_to_those_of_the_whole(names in prop::collection::vec(0u16..1_400, 0..3_000), cut in 0usize..3_000) {
        let cut = cut.min(names.len());
        let count = |names: &[u16]| {
            let mut counts = CategoryCounts::default();
            for name in names {
                *counts.counts.entry(name.to_string()).or_default() += 1;
            }
            let values = Values::Categories(Categories::of(&counts, 0));
            of(ColumnProfile { name: "x".into(), dtype: "str".into(), kind: Kind::Text, missing: 0, values })
        };
        prop_assert_eq!(count(&names[..cut]).merged(&count(&names[cut..])), count(&names));
    }
}
