//! Count, mean and variance that survive offsets, cancellation, batching and extreme scales.

use serde::{Deserialize, Serialize};

use super::sum::{DoubleSum, two_sum};

/// Deviations beyond `2^400` (or below its inverse) are squared in scaled units, so that squares neither overflow nor vanish.
const PLAIN_EXPONENT: i32 = 400;

/// Count, mean, sum of squared deviations and range of a sample of finite numbers.
///
/// The mean is kept as two doubles: with an offset of 1e9 one double moves a p-value from 0.1167 to 0.1059. The sum of squares
/// is kept in units of `4^exponent` (0 for ordinary data). Values that are not finite are left out and counted.
///
/// Two samples merge (Chan, Golub and LeVeque 1983, DOI 10.1080/00031305.1983.10483115) into the moments of their union, to the
/// last bits whatever the partition. It serialises, so partial moments can be stored and merged later.
///
/// ```
/// use steward::stats::Moments;
/// let moments = Moments::of(&[1e9, 1e9 + 1.0, 1e9, 1e9 + 1.0]);
/// assert_eq!(moments.mean(), Some(1e9 + 0.5));
/// assert_eq!(moments.variance(), Some(1.0 / 3.0));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    n: u64,
    dropped: u64,
    mean: f64,
    mean_low: f64,
    m2: f64,
    exponent: i32,
    range: Option<[f64; 2]>,
}

impl Moments {
    /// The moments of no rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// The moments of `values`, by two passes; values that are not finite are dropped and counted.
    pub fn of(values: &[f64]) -> Self {
        Self::of_finite(values.iter().copied())
    }

    /// The moments of optional values: `None` counts as dropped.
    pub fn of_options(values: &[Option<f64>]) -> Self {
        Self::of_finite(values.iter().map(|value| value.unwrap_or(f64::NAN)))
    }

    /// The moments of values that are made on the fly, by two passes like [`Moments::of`].
    pub(crate) fn of_finite_values(values: impl Iterator<Item = f64> + Clone) -> Self {
        Self::of_finite(values)
    }

    fn of_finite(values: impl Iterator<Item = f64> + Clone) -> Self {
        let (mut n, mut dropped) = (0u64, 0u64);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.clone() {
            if value.is_finite() {
                n += 1;
                low = low.min(value);
                high = high.max(value);
            } else {
                dropped += 1;
            }
        }
        if n == 0 {
            return Self { dropped, ..Self::default() };
        }
        let range = Some([low + 0.0, high + 0.0]);
        if low == high {
            // Exactly constant: a rounded mean would leave a variance of rounding errors.
            return Self { n, dropped, mean: low + 0.0, range, ..Self::default() };
        }
        let finite = values.filter(|value| value.is_finite());
        // Halve the exponent range of the sum when it could overflow.
        let shift = if low.abs().max(high.abs()) > power_of_two(900) { -100 } else { 0 };
        let mut sum = DoubleSum::new();
        for value in finite.clone() {
            sum.add(scale(value, shift));
        }
        let (mean, mean_low) = sum.divided(n as f64);
        let (mean, mean_low) = (scale(mean, -shift), scale(mean_low, -shift));
        let deviation = scale(high, -2).max(scale(mean, -2)) - scale(low, -2).min(scale(mean, -2));
        let exponent = plain_exponent(deviation);
        let (mut squares, mut rest) = (DoubleSum::new(), DoubleSum::new());
        let (centre, centre_low) = (scale(mean, -exponent), scale(mean_low, -exponent));
        for value in finite {
            let d = (scale(value, -exponent) - centre) - centre_low;
            squares.add(d * d);
            rest.add(d);
        }
        // What the rounding of the mean left over.
        let m2 = (squares.value() - rest.value() * rest.value() / n as f64).max(0.0);
        Self { n, dropped, mean, mean_low, m2, exponent, range }
    }

    /// From a published summary: rows, mean and sample variance (divisor `n - 1`). `None` unless finite and `variance >= 0`.
    pub fn from_summary(n: u64, mean: f64, variance: f64) -> Option<Self> {
        let valid = n > 0 && mean.is_finite() && variance.is_finite() && variance >= 0.0;
        let m2 = variance * n.saturating_sub(1) as f64;
        (valid && m2.is_finite()).then_some(Self { n, mean, m2, ..Self::default() })
    }

    /// Adds one value; one that is not finite is dropped and counted.
    pub fn push(&mut self, value: f64) {
        let one = if value.is_finite() {
            Self { n: 1, mean: value + 0.0, range: Some([value + 0.0; 2]), ..Self::default() }
        } else {
            Self { dropped: 1, ..Self::default() }
        };
        self.merge(&one);
    }

    /// Makes this the moments of both samples together.
    pub fn merge(&mut self, other: &Self) {
        let dropped = self.dropped + other.dropped;
        if other.n == 0 || self.n == 0 {
            let kept = if self.n == 0 { *other } else { *self };
            *self = Self { dropped, ..kept };
            return;
        }
        let n = self.n + other.n;
        let range = match (self.range, other.range) {
            (Some(a), Some(b)) => Some([a[0].min(b[0]), a[1].max(b[1])]),
            _ => None,
        };
        if let Some([low, high]) = range
            && low == high
        {
            *self = Self { n, dropped, mean: low, range, ..Self::default() };
            return;
        }
        let (na, nb, total) = (self.n as f64, other.n as f64, n as f64);
        let shift = if self.mean.abs().max(other.mean.abs()) > power_of_two(1000) { -8 } else { 0 };
        let (delta, error) = two_sum(scale(other.mean, shift), -scale(self.mean, shift));
        let delta_low = error + scale(other.mean_low - self.mean_low, shift);
        // mean + delta * nb / n in double-double: product and quotient with their exact remainders.
        let product = delta * nb;
        let product_low = delta.mul_add(nb, -product) + delta_low * nb;
        let step = product / total;
        let step_low = ((-step).mul_add(total, product) + product_low) / total;
        let (mean, error) = two_sum(scale(self.mean, shift), step);
        let (mean, mean_low) = two_sum(mean, error + scale(self.mean_low, shift) + step_low);
        let exponent = plain_exponent(delta) - shift;
        let exponent = if shift == 0 && exponent.abs() <= PLAIN_EXPONENT { 0 } else { exponent };
        let unit = scale(delta + delta_low, -exponent - shift);
        let between = (unit * unit * (na / total) * nb, exponent);
        let (m2, exponent) = add_scaled(add_scaled((self.m2, self.exponent), (other.m2, other.exponent)), between);
        *self = Self { n, dropped, mean: scale(mean, -shift), mean_low: scale(mean_low, -shift), m2, exponent, range };
    }

    /// Rows that count.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Rows left out because they were missing or not finite.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The mean; `None` without rows.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean)
    }

    /// The sum of squared deviations from the mean; `None` without rows or when it exceeds the largest double.
    pub fn m2(&self) -> Option<f64> {
        let m2 = scale(self.m2, 2 * self.exponent);
        (self.n > 0 && m2.is_finite()).then_some(m2)
    }

    /// The sample variance (divisor `n - 1`); `None` below two rows or when it exceeds the largest double.
    pub fn variance(&self) -> Option<f64> {
        let variance = scale(self.m2 / self.n.checked_sub(1).filter(|&df| df > 0)? as f64, 2 * self.exponent);
        variance.is_finite().then_some(variance)
    }

    /// The sample standard deviation (divisor `n - 1`); `None` below two rows. Right even where the variance overflows.
    pub fn standard_deviation(&self) -> Option<f64> {
        let df = self.n.checked_sub(1).filter(|&df| df > 0)? as f64;
        Some(scale((self.m2 / df).sqrt(), self.exponent)).filter(|sd| sd.is_finite())
    }

    /// The population standard deviation (divisor `n`); `None` without rows.
    pub fn population_standard_deviation(&self) -> Option<f64> {
        let deviation = scale((self.m2 / self.n.max(1) as f64).sqrt(), self.exponent);
        (self.n > 0 && deviation.is_finite()).then_some(deviation)
    }

    /// Whether all rows are equal (also true of a single row); false without rows.
    pub fn is_constant(&self) -> bool {
        self.n > 0 && self.m2 == 0.0
    }

    /// Smallest and largest row; `None` without rows or when built from a summary.
    pub fn range(&self) -> Option<[f64; 2]> {
        self.range
    }

    /// `other - self` of the means, without the rounding of either, in units of `2^exponent`.
    pub(crate) fn difference_to(&self, other: &Self, exponent: i32) -> f64 {
        let (a, b) = (scale(self.mean, -exponent), scale(other.mean, -exponent));
        let (difference, error) = two_sum(b, -a);
        difference + (error + (scale(other.mean_low, -exponent) - scale(self.mean_low, -exponent)))
    }

    /// The squared standard error of the mean in units of `4^exponent`; zero below two rows.
    pub(crate) fn squared_error(&self, exponent: i32) -> f64 {
        if self.n < 2 {
            return 0.0;
        }
        scale(self.m2, 2 * (self.exponent - exponent)) / (self.n - 1) as f64 / self.n as f64
    }

    /// The mean in units of `2^exponent`.
    pub(crate) fn scaled_mean(&self, exponent: i32) -> f64 {
        scale(self.mean, -exponent)
    }

    /// Units in which the squares of this sample are ordinary numbers.
    pub(crate) fn exponent(&self) -> i32 {
        self.exponent
    }
}

/// The exponent to square `deviation` in: 0 where its square is an ordinary double.
fn plain_exponent(deviation: f64) -> i32 {
    if deviation == 0.0 || !deviation.is_finite() {
        return 0;
    }
    let exponent = deviation.abs().log2().floor() as i32;
    if exponent.abs() <= PLAIN_EXPONENT { 0 } else { exponent.max(-1020) }
}

/// `2^exponent` for exponents of ordinary doubles.
fn power_of_two(exponent: i32) -> f64 {
    2.0f64.powi(exponent)
}

/// `value * 2^exponent`, exact unless it leaves the range of doubles.
pub(crate) fn scale(value: f64, exponent: i32) -> f64 {
    if exponent == 0 {
        return value;
    }
    let (mut value, mut rest) = (value, exponent);
    while rest != 0 {
        let step = rest.clamp(-1000, 1000);
        value *= power_of_two(step);
        rest -= step;
    }
    value
}

/// The sum of two numbers given as `value * 4^exponent`.
fn add_scaled(a: (f64, i32), b: (f64, i32)) -> (f64, i32) {
    if a.0 == 0.0 {
        return b;
    }
    if b.0 == 0.0 {
        return a;
    }
    let exponent = a.1.max(b.1);
    (scale(a.0, 2 * (a.1 - exponent)) + scale(b.0, 2 * (b.1 - exponent)), exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64, tolerance: f64) -> bool {
        (a - b).abs() <= tolerance * a.abs().max(b.abs()) || a == b
    }

    #[test]
    fn a_constant_with_rounding_has_no_variance_however_it_is_built() {
        let mut pushed = Moments::new();
        (0..10).for_each(|_| pushed.push(0.1));
        for moments in [Moments::of(&[0.1; 10]), pushed] {
            assert_eq!((moments.mean(), moments.variance(), moments.is_constant()), (Some(0.1), Some(0.0), true));
        }
    }

    #[test]
    fn not_finite_rows_are_counted_and_left_out() {
        let moments = Moments::of(&[1.0, f64::NAN, 3.0, f64::INFINITY]);
        assert_eq!((moments.n(), moments.dropped(), moments.mean()), (2, 2, Some(2.0)));
        let optional = Moments::of_options(&[Some(1.0), None, Some(3.0), None]);
        assert_eq!(optional, moments);
        assert_eq!(Moments::of(&[]).mean(), None);
        assert_eq!(Moments::of(&[1.0]).variance(), None);
    }

    #[test]
    fn cancellation_is_exact_when_pushed_one_by_one() {
        let mut moments = Moments::new();
        for value in [1e16, 1.0, -1e16, 1.0] {
            moments.push(value);
        }
        assert_eq!(moments.mean(), Some(0.5));
        assert!(close(moments.variance().unwrap(), 2e32 / 3.0, 1e-14));
    }

    #[test]
    fn extreme_scales_do_not_overflow_or_vanish() {
        for exponent in [-1000, -600, 600, 1000] {
            let unit = power_of_two(exponent);
            let values = [-unit, 0.0, unit];
            let mut pushed = Moments::new();
            values.iter().for_each(|&value| pushed.push(value));
            for moments in [Moments::of(&values), pushed] {
                assert!(close(moments.standard_deviation().unwrap(), unit, 1e-12), "2^{exponent}: {moments:?}");
            }
        }
        let widest = Moments::of(&[-f64::MAX, f64::MAX, f64::MAX]);
        assert!(close(widest.mean().unwrap(), f64::MAX / 3.0, 1e-12));
        assert_eq!(widest.standard_deviation(), None, "1.15 times the largest double is no double");
        assert!(widest.population_standard_deviation().unwrap().is_finite());
        let mut pushed = Moments::of(&[-f64::MAX]);
        pushed.push(f64::MAX);
        assert_eq!(pushed.mean(), Some(0.0));
    }

    proptest! {
        #[test]
        fn merged_parts_are_the_whole(
            values in prop::collection::vec(-1e6f64..1e6, 2..80), offset in prop::sample::select(vec![0.0, 1e9, -1e12]),
            cuts in prop::collection::vec(0usize..80, 0..5),
        ) {
            let values: Vec<f64> = values.iter().map(|value| value + offset).collect();
            let whole = Moments::of(&values);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (values.len() + 1)).collect();
            cuts.extend([0, values.len()]);
            cuts.sort_unstable();
            let mut merged = Moments::new();
            for pair in cuts.windows(2) {
                merged.merge(&Moments::of(&values[pair[0]..pair[1]]));
            }
            prop_assert_eq!(merged.n(), whole.n());
            prop_assert_eq!(merged.range(), whole.range());
            prop_assert!(close(merged.mean().unwrap(), whole.mean().unwrap(), 1e-15));
            prop_assert!(close(merged.m2().unwrap(), whole.m2().unwrap(), 1e-12), "{:?} {:?}", merged, whole);
        }

        #[test]
        fn order_of_rows_does_not_matter(mut values in prop::collection::vec(-1e3f64..1e3, 1..60)) {
            let forward = Moments::of(&values);
            values.reverse();
            let backward = Moments::of(&values);
            prop_assert!(close(forward.mean().unwrap(), backward.mean().unwrap(), 1e-15));
            prop_assert!(close(forward.m2().unwrap(), backward.m2().unwrap(), 1e-13));
        }

        #[test]
        fn stored_moments_come_back(values in prop::collection::vec(-1e3f64..1e3, 0..20)) {
            let moments = Moments::of(&values);
            let text = serde_json::to_string(&moments).unwrap();
            let back: Moments = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back.n(), moments.n());
            prop_assert!(back.n() == 0 || close(back.mean().unwrap(), moments.mean().unwrap(), 1e-15));
        }
    }
}
