//! Sums that do not lose small addends: two doubles carry the value and its rounding error.

/// A running sum in double-double arithmetic (about 106 bits), after Neumaier (1974) and Dekker (1971).
///
/// Infinities propagate as in plain addition; the caller filters them when that is not wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DoubleSum {
    high: f64,
    low: f64,
}

impl DoubleSum {
    /// The sum of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one value.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let sum = self.high + value;
        // Knuth's two-sum: exact error without knowing which addend is larger.
        let shadow = sum - self.high;
        let error = (self.high - (sum - shadow)) + (value - shadow);
        self.high = sum;
        // inf - inf would poison the correction; an infinite sum needs none.
        if sum.is_finite() {
            self.low += error;
        }
    }

    /// The sum as one double.
    pub fn value(&self) -> f64 {
        if self.high.is_finite() { self.high + self.low } else { self.high }
    }

    /// The sum divided by `count`, as a double and the remainder a double cannot hold.
    pub(super) fn divided(&self, count: f64) -> (f64, f64) {
        let total = self.high + self.low;
        if !total.is_finite() {
            return (total, 0.0);
        }
        let total_low = (self.high - total) + self.low;
        let quotient = total / count;
        // The remainder of the division is exact with a fused multiply-add.
        let remainder = (-quotient).mul_add(count, total) + total_low;
        two_sum(quotient, remainder / count)
    }
}

/// `a + b` as a rounded sum and its exact error.
pub(super) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    if !sum.is_finite() {
        return (sum, 0.0);
    }
    let shadow = sum - a;
    (sum, (a - (sum - shadow)) + (b - shadow))
}

/// The sum of `values`, accurate to the last bit or two whatever their signs and order.
pub fn sum_of(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = DoubleSum::new();
    for value in values {
        sum.add(value);
    }
    sum.value()
}

/// The mean of `values`; `None` when there are none or the result is not finite.
pub fn mean_of(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sum = DoubleSum::new();
    let mut count = 0u64;
    for value in values {
        sum.add(value);
        count += 1;
    }
    let mean = sum.value() / count as f64;
    (count > 0 && mean.is_finite()).then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cancellation_keeps_the_small_addends() {
        assert_eq!(sum_of([1e16, 1.0, -1e16, 1.0]), 2.0);
        assert_eq!(mean_of([1e16, 1.0, -1e16, 1.0]), Some(0.5));
        assert_eq!(mean_of([]), None);
    }

    #[test]
    fn infinities_do_not_become_nan_by_correction() {
        assert_eq!(sum_of([1.0, f64::INFINITY, 2.0]), f64::INFINITY);
    }

    proptest! {
        #[test]
        fn integers_sum_exactly(values in prop::collection::vec(-1_000_000_000i64..1_000_000_000, 0..200)) {
            let exact: i64 = values.iter().sum();
            prop_assert_eq!(sum_of(values.iter().map(|&v| v as f64)), exact as f64);
        }
    }
}
