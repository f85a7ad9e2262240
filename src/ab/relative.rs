//! Relative improvement: how much better B is, in percent of A.
//!
//! `100 (B - A) / |A|`, sign flipped where lower is better, so positive is always better. Undefined for A = 0. Its interval is
//! Fieller's (1954, doi:10.1111/j.2517-6161.1954.tb00159.x), which excludes 0 exactly when the test of the difference
//! rejects; the delta method does not. It is solved for the difference rather than for the ratio B / A, so that an improvement of
//! 1e-10 beside an offset of 1e9 keeps its digits. With `d = (B - A) / A`, `g = c^2 v_a / A^2`, `w = c^2 v_b / A^2`:
//! `(d + g +- sqrt(g (1 + d)^2 + w (1 - g))) / (1 - g)`. Where `g >= 1`, A itself cannot be told from 0 and the set is unbounded.

use super::TestResult;
use crate::stats::{Moments, normal_quantile};

/// A relative improvement within this of the bar has reached it: 0.051 / 0.05 is not quite 1.02 in binary.
const TOLERANCE: f64 = 1e-9;

/// The power at which a detectable effect is stated.
const POWER: f64 = 0.8;

/// Why there is no relative improvement or no interval of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRelative {
    /// Nothing to divide by.
    #[error("the mean of A is 0, so there is no relative improvement")]
    ZeroMean,
    /// The interval would be unbounded.
    #[error("the mean of A cannot be told from 0, so the interval of the relative improvement is unbounded")]
    Unbounded,
    /// An arm has no rows.
    #[error("an arm has no rows")]
    NoRows,
    /// A number exceeds the largest double.
    #[error("the relative improvement exceeds the largest number")]
    Overflow,
}

/// How much better B is than A in percent; positive is better.
///
/// # Errors
/// There is none: an empty arm, a mean of A of 0, an overflow.
pub fn relative_improvement(a: &Moments, b: &Moments, lower_is_better: bool) -> Result<f64, NoRelative> {
    let mean_a = a.mean().filter(|_| b.n() > 0).ok_or(NoRelative::NoRows)?;
    if mean_a == 0.0 {
        return Err(NoRelative::ZeroMean);
    }
    let percent = 100.0 * (a.difference_to(b, 0) / mean_a.abs());
    if !percent.is_finite() {
        return Err(NoRelative::Overflow);
    }
    // Adding 0 keeps a flipped 0 from being -0.
    Ok(if lower_is_better { -percent } else { percent } + 0.0)
}

/// Fieller's interval of [`relative_improvement`], in percent and ascending, at the confidence of `result`.
///
/// # Errors
/// There is none: A is not distinguishable from 0, or an overflow.
pub fn relative_interval(
    a: &Moments,
    b: &Moments,
    result: &TestResult,
    lower_is_better: bool,
) -> Result<[f64; 2], NoRelative> {
    let mean = a.scaled_mean(result.exponent);
    if mean == 0.0 {
        return Err(NoRelative::ZeroMean);
    }
    let d = a.difference_to(b, result.exponent) / mean;
    let of_mean = result.critical / mean;
    let [g, w] = result.squared_errors.map(|squared| of_mean * of_mean * squared);
    if g.is_nan() || g >= 1.0 {
        return Err(NoRelative::Unbounded);
    }
    let half = (g * (1.0 + d) * (1.0 + d) + w * (1.0 - g)).sqrt();
    let ends = [(d + g - half) / (1.0 - g), (d + g + half) / (1.0 - g)].map(|end| 100.0 * end);
    if ends.iter().any(|end| !end.is_finite()) {
        return Err(NoRelative::Overflow);
    }
    // Relative to A, not to |A|; and better, not larger.
    Ok(if (mean < 0.0) == lower_is_better { ends } else { [-ends[1], -ends[0]] })
}

/// Whether a relative improvement in percent reaches `success_threshold`, a fraction: inclusive, within 1e-9.
pub fn meets_threshold(relative_improvement: f64, success_threshold: f64) -> bool {
    relative_improvement / 100.0 >= success_threshold - TOLERANCE
}

/// The smallest relative improvement, in percent of A, that data of this spread and size would find significant at `alpha`
/// (two-sided) with a power of 0.8: `100 (z_(1 - alpha/2) + z_0.8) se / |A|`. `None` when A is 0 or a level is no level.
pub fn minimal_detectable_effect(a: &Moments, result: &TestResult, alpha: f64) -> Option<f64> {
    let reach = normal_quantile(1.0 - 0.5 * alpha)? + normal_quantile(POWER)?;
    let error = (result.squared_errors[0] + result.squared_errors[1]).sqrt();
    let effect = 100.0 * reach * (error / a.scaled_mean(result.exponent).abs());
    effect.is_finite().then_some(effect)
}
