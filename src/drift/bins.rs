//! Bins: how `psi` and `chi_square` turn a column into counts.
//!
//! The bins of a numeric column depend on the reference alone, so a drifting current sample cannot move them. What holds: every
//! row of either side falls into exactly one bin, missing rows included; bins that are empty on both sides do not exist.

use serde::Serialize;

use super::sample::{CategoryCounts, NumericSample};
use crate::stats::quantile_sorted;

/// A numeric column with at most this many distinct values is discrete: each of them is a bin of its own.
const DISCRETE_UP_TO: usize = 20;
/// Categories of the reference that are judged one by one; the rest is `__other__`.
const TOP_CATEGORIES: usize = 50;
/// Distinct categories beyond which a column is an identifier rather than a category.
const MOST_CATEGORIES: usize = 1000;
/// With fewer categories than this a column is never an identifier, however few rows it has.
const ALWAYS_CATEGORIES: usize = 20;

/// The bin of rare categories of the reference.
pub const OTHER: &str = "__other__";
/// The bin of new categories beyond the first fifty.
pub const NEW: &str = "__new__";
/// The bin of missing rows.
pub const MISSING: &str = "__missing__";

/// One bin with the rows of both sides in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    /// What people see: `(1.5, 3]`, `= 0`, a category, `__missing__`.
    pub label: String,
    /// Lower edge (exclusive) of a numeric interval; null when open or not an interval.
    pub low: Option<f64>,
    /// Upper edge (inclusive) of a numeric interval, or the value of a single-value bin; null when open or not numeric.
    pub high: Option<f64>,
    /// Rows of the reference.
    pub reference: u64,
    /// Rows of the current sample.
    pub current: u64,
}

/// A category that the reference does not have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewCategory {
    /// The category.
    pub name: String,
    /// Its share of the current rows, 0..=1.
    pub share: f64,
}

/// Both sides counted on the same bins.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Binned {
    /// Bins in ascending order (numbers) or by falling share in the reference (categories); missing rows last.
    pub bins: Vec<Bin>,
    /// Categories the reference does not have, by falling share; empty for numbers.
    pub new_categories: Vec<NewCategory>,
}

impl Binned {
    fn push(&mut self, label: String, low: Option<f64>, high: Option<f64>, reference: u64, current: u64) {
        if reference + current > 0 {
            self.bins.push(Bin { label, low, high, reference, current });
        }
    }

    /// Rows of each side: `(reference, current)`.
    pub(super) fn totals(&self) -> (u64, u64) {
        self.bins.iter().fold((0, 0), |(reference, current), bin| (reference + bin.reference, current + bin.current))
    }
}

/// Counts both sides on bins made from the reference.
///
/// Inner edges are the unique type-7 quantiles at `1/bins, 2/bins, ...` or the explicit `edges`; intervals are right-closed and
/// the outer ones open. Unless edges are given, every value that holds at least `1/bins` of the reference, and every value of a
/// reference with at most 20 distinct values, is a bin of its own (values that never repeat say nothing about
/// being discrete, so a tiny continuous sample is not treated so). `bins` is taken as 2..=100.
pub(super) fn numeric(
    reference: &NumericSample,
    current: &NumericSample,
    bins: usize,
    edges: Option<&[f64]>,
) -> Binned {
    let points = match edges {
        Some(edges) => explicit_points(edges),
        None => points_of(reference.sorted, bins.clamp(2, 100)),
    };
    let mut binned = Binned::default();
    let mut low: Option<f64> = None;
    let (mut from_reference, mut from_current) = (0usize, 0usize);
    for point in &points {
        let value = point.value;
        if point.single {
            let below = (at_most_below(reference.sorted, value), at_most_below(current.sorted, value));
            let label = interval_label(low, Some(value), true);
            binned.push(label, low, Some(value), (below.0 - from_reference) as u64, (below.1 - from_current) as u64);
            (from_reference, from_current) = below;
        }
        let up_to = (at_most(reference.sorted, value), at_most(current.sorted, value));
        let label = if point.single { format!("= {value}") } else { interval_label(low, Some(value), false) };
        let edge = if point.single { None } else { low };
        binned.push(label, edge, Some(value), (up_to.0 - from_reference) as u64, (up_to.1 - from_current) as u64);
        (from_reference, from_current) = up_to;
        low = Some(value);
    }
    let rest = (reference.sorted.len() - from_reference, current.sorted.len() - from_current);
    binned.push(interval_label(low, None, false), low, None, rest.0 as u64, rest.1 as u64);
    binned.push(MISSING.to_owned(), None, None, reference.missing, current.missing);
    binned
}

/// Counts both sides on the union of their categories: the fifty largest of the reference, the rest of the reference as
/// `__other__`, the fifty largest new ones, the rest of those as `__new__`, missing rows. Ties in size go by name.
pub(super) fn categorical(reference: &CategoryCounts, current: &CategoryCounts) -> Binned {
    let count = |counts: &CategoryCounts, name: &str| counts.counts.get(name).copied().unwrap_or(0);
    let mut known: Vec<(&str, u64)> = present(reference).collect();
    known.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let mut new: Vec<(&str, u64)> = present(current).filter(|(name, _)| count(reference, name) == 0).collect();
    new.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));

    let mut binned = Binned::default();
    let (mut other_reference, mut other_current) = (0, 0);
    for (index, &(name, rows)) in known.iter().enumerate() {
        if index < TOP_CATEGORIES {
            binned.push(name.to_owned(), None, None, rows, count(current, name));
        } else {
            other_reference += rows;
            other_current += count(current, name);
        }
    }
    binned.push(OTHER.to_owned(), None, None, other_reference, other_current);
    for &(name, rows) in new.iter().take(TOP_CATEGORIES) {
        binned.push(name.to_owned(), None, None, 0, rows);
    }
    binned.push(NEW.to_owned(), None, None, 0, new.iter().skip(TOP_CATEGORIES).map(|&(_, rows)| rows).sum());
    binned.push(MISSING.to_owned(), None, None, reference.missing, current.missing);
    let total = current.total().max(1) as f64;
    binned.new_categories =
        new.iter().map(|&(name, rows)| NewCategory { name: name.to_owned(), share: rows as f64 / total }).collect();
    binned
}

/// Why the categories of the reference are no categories, if so: more than 1,000 of them, or (beyond 20) more than half of its rows
/// distinct. The current sample does not matter: a flood of new values there is drift, not an identifier.
pub(super) fn high_cardinality(reference: &CategoryCounts) -> Option<String> {
    let distinct = present(reference).count();
    let rows = reference.present();
    let mostly_distinct = distinct > ALWAYS_CATEGORIES && distinct as u64 * 2 > rows;
    (distinct > MOST_CATEGORIES || mostly_distinct)
        .then(|| format!("high_cardinality: {distinct} distinct values in {rows} rows of the reference"))
}

fn present(counts: &CategoryCounts) -> impl Iterator<Item = (&str, u64)> {
    counts.counts.iter().filter(|(_, rows)| **rows > 0).map(|(name, rows)| (name.as_str(), *rows))
}

/// Where a bin ends, and whether the value itself is a bin.
struct Point {
    value: f64,
    single: bool,
}

fn explicit_points(edges: &[f64]) -> Vec<Point> {
    let mut edges: Vec<f64> = edges.iter().copied().filter(|edge| edge.is_finite()).collect();
    edges.sort_unstable_by(f64::total_cmp);
    edges.dedup();
    edges.into_iter().map(|value| Point { value, single: false }).collect()
}

fn points_of(sorted: &[f64], bins: usize) -> Vec<Point> {
    let single = |value| Point { value, single: true };
    let distinct = first_distinct(sorted, DISCRETE_UP_TO + 1);
    if distinct.len() <= DISCRETE_UP_TO && distinct.len() < sorted.len() {
        // Interpolated quantiles would cut the gaps between the values at meaningless places.
        return distinct.into_iter().map(single).collect();
    }
    let quantiles = (1..bins).filter_map(|k| quantile_sorted(sorted, k as f64 / bins as f64));
    let mut points: Vec<Point> = quantiles.map(|value| Point { value, single: false }).collect();
    points.extend(heavy_values(sorted, bins).into_iter().map(single));
    // A value that is both an edge and a bin of its own is the latter.
    points.sort_by(|a, b| a.value.total_cmp(&b.value).then(b.single.cmp(&a.single)));
    points.dedup_by(|next, kept| next.value == kept.value);
    points
}

/// Up to `limit` distinct values, ascending, by galloping from one to the next.
fn first_distinct(sorted: &[f64], limit: usize) -> Vec<f64> {
    let mut distinct = Vec::new();
    let mut rest = sorted;
    while let Some(&value) = rest.first() {
        distinct.push(value);
        if distinct.len() == limit {
            break;
        }
        rest = &rest[at_most(rest, value)..];
    }
    distinct
}

/// The values that hold at least `1/bins` of the rows. Such a run is long enough to cover a probe every `rows / bins / 2`
/// positions, so only the probes are looked at.
fn heavy_values(sorted: &[f64], bins: usize) -> Vec<f64> {
    let rows = sorted.len();
    let step = (rows / bins / 2).max(1);
    let mut heavy: Vec<f64> = Vec::new();
    for index in (0..rows).step_by(step) {
        let value = sorted[index];
        if heavy.last() == Some(&value) {
            continue;
        }
        let run = at_most(sorted, value) - at_most_below(sorted, value);
        if run * bins >= rows {
            heavy.push(value);
        }
    }
    heavy
}

/// How many values are `<= bound`.
fn at_most(sorted: &[f64], bound: f64) -> usize {
    sorted.partition_point(|&value| value <= bound)
}

/// How many values are `< bound`.
fn at_most_below(sorted: &[f64], bound: f64) -> usize {
    sorted.partition_point(|&value| value < bound)
}

fn interval_label(low: Option<f64>, high: Option<f64>, right_open: bool) -> String {
    let close = if right_open { ')' } else { ']' };
    match (low, high) {
        (None, None) => "all".to_owned(),
        (None, Some(high)) if right_open => format!("< {high}"),
        (None, Some(high)) => format!("<= {high}"),
        (Some(low), None) => format!("> {low}"),
        (Some(low), Some(high)) => format!("({low}, {high}{close}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(sorted: &[f64]) -> NumericSample<'_> {
        NumericSample { sorted, missing: 0 }
    }

    fn labels(binned: &Binned) -> Vec<&str> {
        binned.bins.iter().map(|bin| bin.label.as_str()).collect()
    }

    #[test]
    fn deciles_of_a_continuous_reference() {
        let reference: Vec<f64> = (1..=100).map(f64::from).collect();
        let binned = numeric(&sample(&reference), &sample(&reference), 10, None);
        assert_eq!(binned.bins.iter().map(|bin| bin.reference).collect::<Vec<_>>(), vec![10; 10]);
        assert_eq!((binned.bins[0].low, binned.bins[0].high), (None, Some(10.9)));
        assert_eq!(binned.bins[9].high, None);
    }

    #[test]
    fn zero_inflation_gets_a_bin_of_its_own() {
        let mut reference = vec![0.0; 800];
        reference.extend((1..=200).map(f64::from));
        let current = [-5.0, 0.0, 3.0];
        let binned = numeric(&sample(&reference), &sample(&current), 10, None);
        assert_eq!(labels(&binned)[..2], ["< 0", "= 0"]);
        assert_eq!((binned.bins[0].current, binned.bins[1].reference, binned.bins[1].current), (1, 800, 1));
    }

    #[test]
    fn a_discrete_column_has_one_bin_per_value_and_gaps_for_the_rest() {
        let reference = [1.0, 1.0, 2.0, 3.0];
        let current = [1.5, 2.0, 4.0];
        let binned = numeric(&sample(&reference), &sample(&current), 10, None);
        assert_eq!(labels(&binned), ["= 1", "(1, 2)", "= 2", "= 3", "> 3"]);
    }

    #[test]
    fn explicit_edges_are_used_as_they_are() {
        let values = [0.0, 1.0, 1.0, 2.0, f64::INFINITY];
        let binned = numeric(&sample(&values), &sample(&values), 10, Some(&[1.0, f64::NAN, 0.5]));
        assert_eq!(labels(&binned), ["<= 0.5", "(0.5, 1]", "> 1"]);
        assert_eq!(binned.bins[1].reference, 2);
    }

    #[test]
    fn rare_categories_are_pooled_and_new_ones_named() {
        let reference = CategoryCounts { counts: (0..60).map(|i| (format!("c{i:02}"), 100 - i)).collect(), missing: 0 };
        let current = CategoryCounts {
            counts: [("c59".to_owned(), 5), ("x".to_owned(), 15), ("gone".to_owned(), 0)].into(),
            missing: 0,
        };
        let binned = categorical(&reference, &current);
        assert_eq!(binned.bins.len(), 52);
        let other = binned.bins.iter().find(|bin| bin.label == OTHER).unwrap();
        assert_eq!((other.reference, other.current), ((41..=50).sum::<u64>(), 5));
        assert_eq!(binned.new_categories, vec![NewCategory { name: "x".to_owned(), share: 0.75 }]);
    }

    #[test]
    fn identifiers_are_told_from_categories() {
        let distinct = |names: u64, rows: u64| CategoryCounts {
            counts: (0..names).map(|i| (i.to_string(), rows / names)).collect(),
            missing: 0,
        };
        assert!(high_cardinality(&distinct(1001, 1_001_000)).is_some());
        assert!(high_cardinality(&distinct(30, 30)).is_some());
        assert!(high_cardinality(&distinct(30, 300)).is_none());
        assert!(high_cardinality(&distinct(2, 2)).is_none(), "a tiny sample is no identifier");
    }

    proptest! {
        #[test]
        fn every_row_is_in_exactly_one_bin(
            reference in prop::collection::vec(-20i32..20, 1..200), current in prop::collection::vec(-30i32..30, 0..200),
            bins in 0usize..120, missing in (0u64..5, 0u64..5), fine in any::<bool>(),
        ) {
            let column = |values: Vec<i32>| {
                let mut values: Vec<f64> =
                    values.iter().enumerate().map(|(i, &v)| f64::from(v) + if fine { i as f64 * 0.01 } else { 0.0 }).collect();
                super::super::sort_values(&mut values);
                values
            };
            let (reference, current) = (column(reference), column(current));
            let binned = numeric(
                &NumericSample { sorted: &reference, missing: missing.0 },
                &NumericSample { sorted: &current, missing: missing.1 }, bins, None,
            );
            prop_assert_eq!(binned.totals(), (reference.len() as u64 + missing.0, current.len() as u64 + missing.1));
            prop_assert!(binned.bins.iter().all(|bin| bin.reference + bin.current > 0));
        }

        #[test]
        fn every_heavy_value_is_found(values in prop::collection::vec(0i32..12, 21..300), bins in 2usize..30) {
            let mut values: Vec<f64> = values.into_iter().map(f64::from).collect();
            super::super::sort_values(&mut values);
            let rows = values.len();
            let mut expected = values.clone();
            expected.dedup();
            expected.retain(|value| values.iter().filter(|v| *v == value).count() * bins >= rows);
            prop_assert_eq!(heavy_values(&values, bins), expected);
        }
    }
}
