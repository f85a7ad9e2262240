//! How much a metric changed between two sets of rows, and how sure that is.

use super::Value;
use crate::stats::Interval;

/// A change from a baseline to now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Value now less the baseline's.
    pub difference: f64,
    /// The 95 % interval of the difference; `None` when the value now has none.
    pub interval: Option<Interval>,
}

impl Change {
    /// Whether the interval leaves out 0; false without an interval, because nothing is known then.
    #[must_use]
    pub fn is_significant(&self) -> bool {
        self.interval.is_some_and(|of| of.low > 0.0 || of.high < 0.0)
    }

    /// The difference as a fraction of the baseline's size; `None` when the baseline is 0.
    #[must_use]
    pub fn relative(&self, baseline: f64) -> Option<f64> {
        Some(self.difference / baseline.abs()).filter(|share| share.is_finite())
    }
}

/// The change of a metric from `baseline` to `now`, of independent rows; `None` when either has no value.
///
/// The interval recovers both variances from both intervals (MOVER: Zou and Donner 2008, DOI 10.1002/sim.3095; Newcombe 1998, DOI
/// 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, for shares): `difference - sqrt((now - now_low)^2 +
/// (baseline_high - baseline)^2)` and its mirror image. It needs no formula of its own per metric and keeps their asymmetry. A
/// baseline without an interval counts as known exactly. Assumes that both sets of rows are independent of each other.
///
/// ```
/// use steward::metrics::{Value, change};
/// let value = |value, low, high| Value { value: Some(value), ci_low: Some(low), ci_high: Some(high), ..Value::default() };
/// let change = change(&value(0.90, 0.88, 0.92), &value(0.80, 0.77, 0.83)).unwrap();
/// assert!((change.difference + 0.10).abs() < 1e-12 && change.is_significant());
/// ```
#[must_use]
pub fn change(baseline: &Value, now: &Value) -> Option<Change> {
    let (before, after) = (baseline.value?, now.value?);
    let difference = after - before;
    if !difference.is_finite() {
        return None;
    }
    let interval = now.ci_low.zip(now.ci_high).map(|(low, high)| {
        let (below, above) = (baseline.ci_low.unwrap_or(before), baseline.ci_high.unwrap_or(before));
        Interval {
            low: difference - (after - low).hypot(above - before),
            high: difference + (high - after).hypot(before - below),
        }
    });
    Some(Change { difference, interval })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(value: f64, interval: Option<(f64, f64)>) -> Value {
        let (ci_low, ci_high) = interval.unzip();
        Value { value: Some(value), ci_low, ci_high, ..Value::default() }
    }

    #[test]
    fn newcombes_example_of_two_shares_is_reproduced() {
        // 56/70 against 48/80: Newcombe (1998), table II, method 10: 0.0524 to 0.3339.
        let share = |k: u64, n: u64| {
            let wilson = crate::stats::wilson(k, n, 0.95).unwrap();
            value(k as f64 / n as f64, Some((wilson.low, wilson.high)))
        };
        let change = change(&share(48, 80), &share(56, 70)).unwrap();
        let interval = change.interval.unwrap();
        assert!((change.difference - 0.2).abs() < 1e-12);
        assert!((interval.low - 0.0524).abs() < 5e-5 && (interval.high - 0.3339).abs() < 5e-5, "{interval:?}");
    }

    #[test]
    fn a_baseline_without_interval_is_known_and_a_value_without_one_is_not() {
        let sure = change(&value(0.9, None), &value(0.8, Some((0.75, 0.85)))).unwrap();
        assert!(sure.is_significant() && (sure.interval.unwrap().high + 0.05).abs() < 1e-12);
        let unsure = change(&value(0.9, Some((0.8, 0.95))), &value(0.5, None)).unwrap();
        assert_eq!((unsure.interval, unsure.is_significant()), (None, false));
        assert_eq!(change(&Value::default(), &value(0.5, None)), None);
        assert_eq!(unsure.relative(0.0), None);
    }
}
