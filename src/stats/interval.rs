//! Confidence intervals.

use super::moments::Moments;
use super::tail::{normal_quantile, student_t_upper_quantile};

/// A closed interval, `low <= high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// Wilson's score interval of a share (1927, DOI 10.1080/01621459.1927.10502953), without continuity correction.
///
/// `successes` of `trials` at `confidence` (0.95 for 95 %). `None` without trials. Never leaves 0..=1 and stays
/// informative at 0 and at all.
pub fn wilson(successes: u64, trials: u64, confidence: f64) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    let z = normal_quantile(0.5 + 0.5 * confidence)?;
    let n = trials as f64;
    let share = successes as f64 / n;
    let square = z * z;
    let centre = share + square / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    let scale = 1.0 + square / n;
    let low = if successes == 0 { 0.0 } else { ((centre - half) / scale).max(0.0) };
    let high = if successes == trials { 1.0 } else { ((centre + half) / scale).min(1.0) };
    Some(Interval { low, high })
}

/// Student's interval of a mean at `confidence`; `None` with fewer than two rows.
///
/// Assumes independent rows; right in large samples whatever the distribution with finite variance.
pub fn mean_t(moments: &Moments, confidence: f64) -> Option<Interval> {
    let variance = moments.variance()?;
    let n = moments.n() as f64;
    let critical = student_t_upper_quantile(0.5 - 0.5 * confidence, n - 1.0)?;
    let half = critical * (variance / n).sqrt();
    let (low, high) = (moments.mean()? - half, moments.mean()? + half);
    (low.is_finite() && high.is_finite()).then_some(Interval { low, high })
}

/// Fieller's interval (1954, DOI 10.1111/j.2517-6161.1954.tb00159.x) of `numerator / denominator`, two independent means
/// given with the squared standard errors, at the critical value of their difference.
///
/// Agrees with the test of "ratio = 1" at the same critical value, which the delta method does not. `None` when the
/// denominator cannot be told from zero (`g >= 1`): the set is then unbounded and no interval is honest.
pub fn fieller(
    numerator: f64,
    numerator_variance: f64,
    denominator: f64,
    denominator_variance: f64,
    critical: f64,
) -> Option<Interval> {
    let ratio = numerator / denominator;
    let g = fieller_g(denominator, denominator_variance, critical);
    if !ratio.is_finite() || g.is_nan() || g >= 1.0 {
        return None;
    }
    let inside = numerator_variance * (1.0 - g) + ratio * ratio * denominator_variance;
    let half = critical / denominator.abs() * inside.max(0.0).sqrt();
    let (low, high) = ((ratio - half) / (1.0 - g), (ratio + half) / (1.0 - g));
    (low.is_finite() && high.is_finite()).then_some(Interval { low, high })
}

/// Fieller's `g`: the squared critical value over the squared t statistic of the denominator.
pub fn fieller_g(denominator: f64, denominator_variance: f64, critical: f64) -> f64 {
    critical * critical * denominator_variance / (denominator * denominator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_unbounded_fieller_set_has_no_interval() {
        assert_eq!(fieller(0.5, 1.0 / 30.0, 0.1, 1.0 / 30.0, 1.96), None);
        assert_eq!(fieller(1.0, 0.1, 0.0, 0.1, 1.96), None);
    }

    #[test]
    fn wilson_at_the_edges() {
        assert_eq!(wilson(0, 0, 0.95), None);
        assert_eq!(wilson(0, 50, 0.95).unwrap().low, 0.0);
        assert_eq!(wilson(50, 50, 0.95).unwrap().high, 1.0);
    }

    proptest! {
        #[test]
        fn wilson_holds_the_share_and_mirrors(successes in 0u64..500, more in 0u64..500) {
            let trials = successes + more + 1;
            let interval = wilson(successes, trials, 0.95).unwrap();
            let share = successes as f64 / trials as f64;
            prop_assert!(0.0 <= interval.low && interval.low <= share && share <= interval.high && interval.high <= 1.0);
            let mirror = wilson(trials - successes, trials, 0.95).unwrap();
            prop_assert!((mirror.low - (1.0 - interval.high)).abs() < 1e-12);
        }

        #[test]
        fn fieller_excludes_one_exactly_when_the_means_differ(
            a in 1.0f64..100.0, b in 1.0f64..100.0, va in 0.0001f64..0.1, vb in 0.0001f64..0.1,
        ) {
            let interval = fieller(b, vb, a, va, 1.96).unwrap();
            let statistic = (b - a).abs() / (va + vb).sqrt();
            prop_assume!((statistic - 1.96).abs() > 1e-6);
            prop_assert_eq!(interval.low > 1.0 || interval.high < 1.0, statistic > 1.96);
        }
    }
}
