//! `ks_test`: the largest distance between two empirical distribution functions.

use serde_json::{Value, json};

use super::super::{AppliesTo, Method, NotJudged, Options, Sample, Score, Status};
use crate::stats::{Tail, kolmogorov_limit, ks_two_sample_exact};

/// Up to this product of rows the p-value is counted exactly.
const EXACT_UP_TO: u64 = 1_000_000;
/// The 99 % point of the Kolmogorov distribution, to the digits commonly published.
const NULL_99: f64 = 1.63;

/// The Kolmogorov-Smirnov distance.
#[derive(Debug, Clone, Copy)]
pub struct KsTest;

impl Method for KsTest {
    fn name(&self) -> &'static str {
        "ks_test"
    }
    fn title(&self) -> &'static str {
        "Kolmogorov-Smirnov distance"
    }
    fn summary(&self) -> &'static str {
        "the largest difference between the shares of rows at or below a value, over all values"
    }
    fn when_to_use(&self) -> &'static str {
        "The default for numbers: needs no bins, feels no outlier, means the same for every column (0.2: at some value the shares of rows \
         at or below it differ by 20 percentage points) and says where the largest gap is. Slow to see changes in the tails: see \
         anderson_darling."
    }
    fn formula(&self) -> &'static str {
        "D = sup over x of |F_reference(x) - F_current(x)|"
    }
    fn range(&self) -> &'static str {
        "0 to 1"
    }
    fn notes(&self) -> &'static str {
        "Ties are compared after all rows of a value, so discrete data are right. D is over present values; when the shares of \
         missing rows differ by more than missing_threshold the column drifts with reason `missing`. Infinities keep their \
         rank. One outlier moves D by at most 1/n. The p-value is an exact count conditional on ties while the product of the row \
         counts is at most 1e6, and the Kolmogorov limit beyond."
    }
    fn reference(&self) -> &'static str {
        "Smirnov (1948), Table for estimating the goodness of fit of empirical distributions, doi:10.1214/aoms/1177730256"
    }
    fn applies_to(&self) -> AppliesTo {
        AppliesTo::Numeric
    }
    fn minimum_sample(&self) -> u64 {
        133
    }
    fn scores_missing(&self) -> bool {
        false
    }

    fn judge(&self, reference: &Sample, current: &Sample, _options: &Options) -> Result<Score, NotJudged> {
        let (Sample::Numeric(reference), Sample::Numeric(current)) = (reference, current) else {
            let reason = "ks_test compares numbers; use chi_square or psi for categories".to_owned();
            return Err(NotJudged { status: Status::NotApplicable, reason });
        };
        let Some(distance) = distance(reference.sorted, current.sorted) else {
            let reason = "no present values to compare".to_owned();
            return Err(NotJudged { status: Status::InsufficientData, reason });
        };
        let (n, m) = (reference.sorted.len() as f64, current.sorted.len() as f64);
        let (p_value, exact) = distance.p_value(reference.sorted, current.sorted);
        Ok(Score {
            value: distance.value(),
            p_value: Some(p_value),
            null_quantile: NULL_99 * ((n + m) / (n * m)).sqrt(),
            details: json!({
                "statistic": distance.value(),
                "at": distance.at.map(number),
                "direction": distance.direction(),
                "p_value_method": if exact { "exact" } else { "kolmogorov_limit" },
                "present_reference": reference.sorted.len(),
                "present_current": current.sorted.len(),
                "infinite_reference": super::infinities(reference.sorted),
                "infinite_current": super::infinities(current.sorted),
            }),
        })
    }
}

/// The Kolmogorov-Smirnov distance of two samples as whole numbers: no rounding until someone asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    /// `max |i m - j n|` with `i` of `n` and `j` of `m` rows at or below a value.
    pub units: u64,
    /// Rows of the first sample.
    pub n: u64,
    /// Rows of the second sample.
    pub m: u64,
    /// The smallest value at which the distance is reached; `None` when it is 0.
    pub at: Option<f64>,
    /// Whether the second sample's values are the higher ones there (its distribution function is below).
    pub second_is_higher: bool,
}

impl Distance {
    /// `D`, 0..=1, correctly rounded for all realistic row counts.
    pub fn value(&self) -> f64 {
        self.units as f64 / (self.n as f64 * self.m as f64)
    }

    fn direction(&self) -> Option<&'static str> {
        (self.units > 0).then_some(if self.second_is_higher { "current_higher" } else { "current_lower" })
    }

    /// The p-value and whether it is exact; `first` and `second` are the sorted samples this distance is of.
    pub fn p_value(&self, first: &[f64], second: &[f64]) -> (Tail, bool) {
        if self.n * self.m <= EXACT_UP_TO {
            return (ks_two_sample_exact(self.n, self.m, self.units, &ties(first, second)), true);
        }
        let (n, m) = (self.n as f64, self.m as f64);
        (kolmogorov_limit(self.value() * (n * m / (n + m)).sqrt()), false)
    }
}

/// The distance of two ascending samples; `None` when one is empty or their product of rows exceeds 2^63.
pub fn distance(first: &[f64], second: &[f64]) -> Option<Distance> {
    let (n, m) = (i64::try_from(first.len()).ok()?, i64::try_from(second.len()).ok()?);
    if n == 0 || m == 0 {
        return None;
    }
    n.checked_mul(m)?;
    // F_first - F_second is largest at a value of `first`, its negative at a value of `second`. Both merges run in one loop: each
    // is a chain of dependent steps, and two chains side by side cost little more than one.
    let (mut above, mut below) = (Merge::new(first, second), Merge::new(second, first));
    while above.is_unfinished() && below.is_unfinished() {
        above.step();
        below.step();
    }
    let ((above, above_at), (below, below_at)) = (above.finish(), below.finish());
    let second_is_higher = above > below || (above == below && above_at <= below_at);
    let (units, at) = if second_is_higher { (above, above_at) } else { (below, below_at) };
    Some(Distance {
        units: units.unsigned_abs(),
        n: n.unsigned_abs(),
        m: m.unsigned_abs(),
        at: (units > 0).then_some(at),
        second_is_higher,
    })
}

/// `max (i m - j n)` over the values of `first`, and where it is reached first.
///
/// A merge without data-dependent jumps: among equal values all of `second` go before any of `first`, so a step in the middle of
/// a group of ties can only show too small a difference, never too large a one, and no group boundary has to be found.
struct Merge<'a> {
    first: &'a [f64],
    second: &'a [f64],
    i: usize,
    j: usize,
    difference: i64,
    largest: i64,
    largest_at: usize,
}

impl<'a> Merge<'a> {
    fn new(first: &'a [f64], second: &'a [f64]) -> Self {
        Self { first, second, i: 0, j: 0, difference: 0, largest: 0, largest_at: 0 }
    }

    #[inline(always)]
    fn is_unfinished(&self) -> bool {
        self.i < self.first.len() && self.j < self.second.len()
    }

    #[inline(always)]
    fn step(&mut self) {
        let take_second = self.second[self.j] <= self.first[self.i];
        self.difference += if take_second { -(self.first.len() as i64) } else { self.second.len() as i64 };
        self.i += usize::from(!take_second);
        self.j += usize::from(take_second);
        let is_larger = self.difference > self.largest;
        self.largest = if is_larger { self.difference } else { self.largest };
        self.largest_at = if is_larger { self.i } else { self.largest_at };
    }

    /// When `second` is used up the difference climbs from a negative value to 0; when `first` is, it only falls: neither rest can
    /// hold the largest.
    fn finish(mut self) -> (i64, f64) {
        while self.is_unfinished() {
            self.step();
        }
        (self.largest, self.first[self.largest_at.saturating_sub(1)])
    }
}

/// The pooled counts at each distinct value, ascending.
fn ties(first: &[f64], second: &[f64]) -> Vec<(u64, u64)> {
    let mut groups = Vec::with_capacity(first.len() + second.len());
    let (mut i, mut j) = (0, 0);
    while i < first.len() || j < second.len() {
        let value = match (first.get(i), second.get(j)) {
            (Some(&a), Some(&b)) => a.min(b),
            (Some(&a), None) => a,
            (None, Some(&b)) => b,
            (None, None) => break,
        };
        let (start_i, start_j) = (i, j);
        while first.get(i).is_some_and(|&next| next <= value) {
            i += 1;
        }
        while second.get(j).is_some_and(|&next| next <= value) {
            j += 1;
        }
        if (i, j) == (start_i, start_j) {
            // Only NaN gets here; callers may not pass it, and it must not loop for ever.
            break;
        }
        groups.push(((i - start_i) as u64, (j - start_j) as u64));
    }
    groups
}

/// A number for JSON, which has no infinities.
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, without any cleverness.
    fn naive(first: &[f64], second: &[f64]) -> u64 {
        let (n, m) = (first.len() as i64, second.len() as i64);
        first
            .iter()
            .chain(second)
            .map(|&x| {
                let i = first.iter().filter(|&&v| v <= x).count() as i64;
                let j = second.iter().filter(|&&v| v <= x).count() as i64;
                (i * m - j * n).unsigned_abs()
            })
            .max()
            .unwrap()
    }

    #[test]
    fn where_and_in_which_direction() {
        let first: Vec<f64> = (0..10).map(f64::from).collect();
        let second: Vec<f64> = first.iter().map(|value| value + 3.0).collect();
        let distance = distance(&first, &second).unwrap();
        assert_eq!((distance.value(), distance.at, distance.direction()), (0.3, Some(2.0), Some("current_higher")));
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition_and_is_symmetric(
            first in prop::collection::vec(-5i8..6, 1..40), second in prop::collection::vec(-5i8..6, 1..40),
        ) {
            let column = |values: Vec<i8>| {
                let mut values: Vec<f64> = values.into_iter().map(f64::from).collect();
                values.sort_by(f64::total_cmp);
                values
            };
            let (first, second) = (column(first), column(second));
            let forward = distance(&first, &second).unwrap();
            let backward = distance(&second, &first).unwrap();
            prop_assert_eq!(forward.units, naive(&first, &second));
            prop_assert_eq!(forward.units, backward.units);
            prop_assert!((0.0..=1.0).contains(&forward.value()));
            let (p, q) = (forward.p_value(&first, &second).0.p(), backward.p_value(&second, &first).0.p());
            prop_assert!(p > 0.0 && p <= 1.0 && (p - q).abs() <= 1e-12 * p);
        }
    }

    #[test]
    fn the_exact_p_value_tends_to_the_limit() {
        let first: Vec<f64> = (0..900).map(|i| f64::from(i) * 10.0).collect();
        for shift in [0.5, 150.5, 400.5] {
            let second: Vec<f64> = (0..1000).map(|i| f64::from(i) * 9.0 + shift).collect();
            let distance = distance(&first, &second).unwrap();
            let (exact, is_exact) = distance.p_value(&first, &second);
            let limit = kolmogorov_limit(distance.value() * (900.0f64 * 1000.0 / 1900.0).sqrt());
            assert!(is_exact && (exact.p() - limit.p()).abs() < 0.03, "{shift}");
        }
    }
}
