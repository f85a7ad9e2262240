//! What the tests of two shares have in common: their counts, and the intervals.
//!
//! That of the improvement is Fieller's with the pooled variance of the difference, so it agrees with the p-value of the z test (and of chi-square). That of the
//! difference is another one, and may disagree with both where the shares are few:
//! Newcombe's hybrid score interval (1998, DOI 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I), which
//! stays inside -1..=1 and informative at 0 and at all.

use crate::ab::{Arms, Comparison, Ratio, Share, Undefined};
use crate::stats::{Interval, normal_quantile, wilson};

/// Successes and rows of both arms, none of them empty.
pub(super) fn counted(arms: &Arms) -> Result<[Share; 2], Undefined> {
    let shares = arms.shares()?;
    if shares.iter().any(|share| share.rows == 0) { Err(Undefined::InsufficientData) } else { Ok(shares) }
}

/// The difference with Newcombe's interval, and a plain standard error for what needs one.
pub(super) fn with_newcombe([a, b]: [Share; 2], statistic: f64, alpha: f64) -> Comparison {
    let share = |share: Share| share.successes as f64 / share.rows as f64;
    let error = |p: f64, rows: u64| p * (1.0 - p) / rows as f64;
    let (p, q) = (share(a), share(b));
    let interval = newcombe(a, b, 1.0 - alpha);
    let standard_error = (error(p, a.rows) + error(q, b.rows)).sqrt();
    // The difference with the variance that the z test has, where nothing differs.
    let pooled = (a.successes + b.successes) as f64 / (a.rows + b.rows) as f64;
    let of_arm = |rows: u64| pooled * (1.0 - pooled) / rows as f64;
    let ratio = Ratio {
        difference: q - p,
        baseline: p,
        difference_variance: of_arm(a.rows) + of_arm(b.rows),
        baseline_variance: error(p, a.rows),
        covariance: -error(p, a.rows),
    };
    Comparison {
        standard_error: (standard_error > 0.0).then_some(standard_error),
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        critical: normal_quantile(1.0 - alpha / 2.0).filter(|critical| critical.is_finite()),
        ratio: Some(ratio),
        ..Comparison::normal([p, q], q - p, statistic)
    }
}

/// Newcombe's hybrid score interval of the difference of shares B - A; `None` when an arm has no rows.
///
/// ```
/// use steward::ab::{Share, newcombe};
/// let share = |successes, rows| Share { successes, rows };
/// let interval = newcombe(share(50, 1000), share(70, 1000), 0.95).unwrap();
/// assert!((interval.low + 0.000900).abs() < 1e-6 && (interval.high - 0.041158).abs() < 1e-6);
/// ```
pub fn newcombe(a: Share, b: Share, confidence: f64) -> Option<Interval> {
    let of_a = wilson(a.successes, a.rows, confidence)?;
    let of_b = wilson(b.successes, b.rows, confidence)?;
    let (p, q) = (a.successes as f64 / a.rows as f64, b.successes as f64 / b.rows as f64);
    let difference = q - p;
    let low = difference - (q - of_b.low).hypot(of_a.high - p);
    let high = difference + (of_b.high - q).hypot(p - of_a.low);
    (low.is_finite() && high.is_finite()).then_some(Interval { low, high })
}
