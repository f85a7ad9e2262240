//! Distances between distribution functions that carry the unit of the values: Wasserstein-1 and energy.

use super::pooled::for_each_value;
use super::sum::DoubleSum;

/// What the area between two distribution functions says, in the unit of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transport {
    /// Wasserstein-1: `integral |F - G|`, how far a row has to be moved on average.
    pub wasserstein: f64,
    /// Squared energy distance: `2 integral (F - G)^2` (Szekely and Rizzo 2013, DOI 10.1016/j.jspi.2013.03.018).
    pub energy_squared: f64,
    /// Mean absolute difference of two rows of the first sample (Gini's): `2 integral F (1 - F)`.
    pub spread_first: f64,
    /// The same of the second sample.
    pub spread_second: f64,
    /// Mean absolute difference of a row of each sample: `integral F (1 - G) + G (1 - F)`.
    pub between: f64,
}

/// Of two ascending samples without NaN, each value mapped by `place` (monotone; tells where infinities lie, or scales).
///
/// `None` when a sample is empty or the result is not finite. All sums are of positive terms, so nothing cancels: an offset of 1e9
/// costs no digits. O(n + m).
pub fn transport(first: &[f64], second: &[f64], place: impl Fn(f64) -> f64) -> Option<Transport> {
    if first.is_empty() || second.is_empty() {
        return None;
    }
    let (n, m) = (first.len() as f64, second.len() as f64);
    let mut areas = Areas::default();
    let mut before: Option<(f64, usize, usize)> = None;
    for_each_value(first, second, |value, i, j| {
        let at = place(value);
        if let Some((from, i, j)) = before {
            let (i, j) = (i as f64, j as f64);
            // Whole numbers, so that equal shares differ by exactly nothing.
            areas.add(at - from, (i * m - j * n) / (n * m), (i / n, (n - i) / n), (j / m, (m - j) / m));
        }
        before = Some((at, i, j));
    });
    areas.finish()
}

/// Of two samples of `(value, weight)` in any order; weights are shares up to a common factor.
///
/// `None` when a sample is empty, a value or weight is not finite, a weight is negative, or a sample has no weight at all.
pub fn weighted_transport(first: &[(f64, f64)], second: &[(f64, f64)]) -> Option<Transport> {
    let total = |rows: &[(f64, f64)]| {
        let usable = rows.iter().all(|(value, weight)| value.is_finite() && weight.is_finite() && *weight >= 0.0);
        let total = super::sum_of(rows.iter().map(|(_, weight)| *weight));
        (usable && total > 0.0 && total.is_finite()).then_some(total)
    };
    let (of_first, of_second) = (total(first)?, total(second)?);
    let mut rows: Vec<(f64, f64, f64)> = first.iter().map(|&(value, weight)| (value + 0.0, weight, 0.0)).collect();
    rows.extend(second.iter().map(|&(value, weight)| (value + 0.0, 0.0, weight)));
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut f, mut g) = (DoubleSum::new(), DoubleSum::new());
    let mut areas = Areas::default();
    for pair in rows.windows(2) {
        f.add(pair[0].1);
        g.add(pair[0].2);
        let (f, g) = ((f.value() / of_first).min(1.0), (g.value() / of_second).min(1.0));
        areas.add(pair[1].0 - pair[0].0, f - g, (f, 1.0 - f), (g, 1.0 - g));
    }
    areas.finish()
}

#[derive(Default)]
struct Areas {
    wasserstein: DoubleSum,
    energy: DoubleSum,
    first: DoubleSum,
    second: DoubleSum,
    between: DoubleSum,
}

impl Areas {
    #[inline]
    fn add(&mut self, width: f64, difference: f64, (f, not_f): (f64, f64), (g, not_g): (f64, f64)) {
        self.wasserstein.add(difference.abs() * width);
        self.energy.add(difference * difference * width);
        self.first.add(f * not_f * width);
        self.second.add(g * not_g * width);
        self.between.add((f * not_g + g * not_f) * width);
    }

    fn finish(self) -> Option<Transport> {
        let transport = Transport {
            wasserstein: self.wasserstein.value(),
            energy_squared: 2.0 * self.energy.value(),
            spread_first: 2.0 * self.first.value(),
            spread_second: 2.0 * self.second.value(),
            between: self.between.value(),
        };
        let all = [transport.wasserstein, transport.energy_squared, transport.between];
        let finite =
            all.iter().chain([&transport.spread_first, &transport.spread_second]).all(|value| value.is_finite());
        finite.then_some(transport)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_has_no_distance() {
        assert_eq!(transport(&[], &[1.0], |value| value), None);
        assert_eq!(transport(&[f64::NEG_INFINITY, 1.0], &[1.0], |value| value), None);
        assert_eq!(weighted_transport(&[(1.0, 0.0)], &[(1.0, 1.0)]), None);
        assert_eq!(weighted_transport(&[(1.0, -1.0)], &[(1.0, 1.0)]), None);
        assert_eq!(weighted_transport(&[(f64::NAN, 1.0)], &[(1.0, 1.0)]), None);
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            first in prop::collection::vec(-9i32..9, 1..25), second in prop::collection::vec(-9i32..9, 1..25),
        ) {
            let column = |values: Vec<i32>| {
                let mut values: Vec<f64> = values.into_iter().map(|value| f64::from(value) / 4.0).collect();
                values.sort_by(f64::total_cmp);
                values
            };
            let (first, second) = (column(first), column(second));
            let mean = |a: &[f64], b: &[f64]| {
                a.iter().flat_map(|x| b.iter().map(move |y| (x - y).abs())).sum::<f64>() / (a.len() * b.len()) as f64
            };
            let got = transport(&first, &second, |value| value).unwrap();
            let (a, b, c) = (mean(&first, &first), mean(&second, &second), mean(&first, &second));
            prop_assert!((got.spread_first - a).abs() < 1e-12 && (got.spread_second - b).abs() < 1e-12);
            prop_assert!((got.between - c).abs() < 1e-12 && (got.energy_squared - (2.0 * c - a - b)).abs() < 1e-12);
            let ones = |rows: &[f64]| rows.iter().map(|&value| (value, 2.5)).collect::<Vec<_>>();
            let same = weighted_transport(&ones(&first), &ones(&second)).unwrap();
            prop_assert!((same.wasserstein - got.wasserstein).abs() < 1e-12 && (same.between - got.between).abs() < 1e-12);
            prop_assert!(got.wasserstein <= got.between + 1e-12);
        }
    }
}
