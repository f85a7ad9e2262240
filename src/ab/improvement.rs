//! How much better B is, relative to A.

use super::t_test::common_exponent;
use crate::stats::Moments;

/// The bar is inclusive within this, so that 0.05 -> 0.051 is an improvement of 2 %.
const TOLERANCE: f64 = 1e-9;

/// The relative improvement of B over A in percent, positive when B is better.
#[derive(Debug, Clone, PartialEq)]
pub struct Improvement {
    /// `(B - A) / |A|` in percent, sign flipped when lower is better; `None` when A is 0 or a mean is missing.
    pub percent: Option<f64>,
    /// Fieller's interval of it; `None` when unbounded or undefined.
    pub interval: Option<[f64; 2]>,
    /// Why something is `None`: `baseline_zero`, `baseline_indistinguishable_from_zero`, `no_usable_rows`.
    pub reason: Option<&'static str>,
}

/// The improvement of `b` over `a`, with its interval at the critical value of the test that compares them.
pub fn improvement(a: &Moments, b: &Moments, lower_is_better: bool, critical: Option<f64>) -> Improvement {
    let undefined = |reason| Improvement { percent: None, interval: None, reason: Some(reason) };
    if a.n() == 0 || b.n() == 0 {
        return undefined("no_usable_rows");
    }
    let unit = common_exponent(a, b).unwrap_or(0);
    let mean_a = a.scaled_mean(unit);
    if mean_a == 0.0 {
        return undefined("baseline_zero");
    }
    let sign = if lower_is_better { -1.0 } else { 1.0 };
    let percent = sign * 100.0 * a.difference_to(b, unit) / mean_a.abs();
    if !percent.is_finite() {
        return undefined("not_finite");
    }
    let mut result = Improvement { percent: Some(percent), interval: None, reason: None };
    let Some(critical) = critical else {
        return result;
    };
    // Fieller's set of B/A, less 1, times the sign of A. Centred on the difference: B/A itself loses the digits of a small one.
    let (error_a, error_b) = (a.squared_error(unit), b.squared_error(unit));
    match centred_fieller(a.difference_to(b, unit), mean_a, error_a, error_b, critical) {
        None => result.reason = Some("baseline_indistinguishable_from_zero"),
        Some((low, high)) => {
            let factor = sign * 100.0 * mean_a.signum();
            let (x, y) = (factor * low, factor * high);
            result.interval = Some([x.min(y), x.max(y)]);
        }
    }
    result
}

/// Fieller's interval of `mean_b / mean_a - 1`, from the difference of the means rather than their quotient; `None` when the set is
/// unbounded. Agrees with [`crate::stats::fieller`] less 1.
fn centred_fieller(difference: f64, mean_a: f64, error_a: f64, error_b: f64, critical: f64) -> Option<(f64, f64)> {
    let lift = difference / mean_a;
    let relative_error = critical / mean_a;
    let g = relative_error * relative_error * error_a;
    if !(g < 1.0) {
        return None;
    }
    let centre = (lift + g) / (1.0 - g);
    let inside = error_b * (1.0 - g) + (1.0 + lift) * (1.0 + lift) * error_a;
    let half = relative_error.abs() * inside.max(0.0).sqrt() / (1.0 - g);
    (centre.is_finite() && half.is_finite()).then_some((centre - half, centre + half))
}

/// Whether an improvement in percent reaches `success_threshold` (a fraction: 0.02 is 2 %), inclusive; `None` without one.
pub fn meets_threshold(percent: Option<f64>, success_threshold: f64) -> Option<bool> {
    percent.map(|percent| percent / 100.0 >= success_threshold - TOLERANCE)
}
