//! Is B better by at least a margin, not worse by more than one, or as good as A within one?
//!
//! A relative margin is tested as a contrast of both means (Sasabuchi 1988; Hauschke et al. 1999, DOI 10.1002/(SICI)1097-0258(19990115)18:1<93::AID-SIM992>3.0.CO;2-8),
//! so that the noise of the baseline counts; equivalence by two one-sided tests (Schuirmann 1987, DOI 10.1007/BF01068419). May use: `stats`.

use super::improvement::common_exponent;
use super::looks::Rule;
use super::{Arms, Comparison, Undefined};
use crate::stats::{Moments, Tail, student_t_sf};

/// A one-sided test against a margin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarginTest {
    /// The t statistic; positive when B lies on the better side of the margin.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub degrees_of_freedom: f64,
    /// The one-sided p-value of "B is beyond the margin, on the better side".
    pub p_value: Tail,
}

/// Tests that B's improvement over A, relative to `|A|`, is more than `margin`: 0.02 asks for 2 % better, -0.02 for at most 2 % worse
/// (non-inferiority). Two independent arms, degrees of freedom by Welch and Satterthwaite.
///
/// # Errors
/// Fewer than two rows in an arm, no variance in either, or a result beyond the largest double.
pub fn beyond_margin(a: &Moments, b: &Moments, margin: f64, lower_is_better: bool) -> Result<MarginTest, Undefined> {
    if a.n() < 2 || b.n() < 2 {
        return Err(Undefined::InsufficientData);
    }
    let unit = common_exponent(a, b).ok_or(Undefined::ZeroVariance)?;
    let sign = if lower_is_better { -1.0 } else { 1.0 };
    let mean = a.scaled_mean(unit);
    // B - A - sign * margin * |A| with its variance.
    let shift = sign * margin * if mean < 0.0 { -1.0 } else { 1.0 };
    let factor = 1.0 + shift;
    let (of_a, of_b) = (factor * factor * a.squared_error(unit), b.squared_error(unit));
    let variance = of_a + of_b;
    if variance <= 0.0 {
        return Err(Undefined::ZeroVariance);
    }
    let statistic = sign * (a.difference_to(b, unit) - shift * mean) / variance.sqrt();
    let (share_a, share_b) = (of_a / variance, of_b / variance);
    let degrees_of_freedom = 1.0 / (share_a * share_a / (a.n() - 1) as f64 + share_b * share_b / (b.n() - 1) as f64);
    if !(statistic.is_finite() && degrees_of_freedom.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    Ok(MarginTest { statistic, degrees_of_freedom, p_value: student_t_sf(statistic, degrees_of_freedom) })
}

/// The same of any `arms`, as `found` compares them: pairs by the contrast of every pair, scores by their areas' covariance.
pub(super) fn beyond_margin_of(
    arms: &Arms,
    found: &Comparison,
    margin: f64,
    lower_is_better: bool,
) -> Result<MarginTest, Undefined> {
    if !arms.is_paired() && arms.common_noise() == 0.0 {
        return beyond_margin(arms.a(), arms.b(), margin, lower_is_better);
    }
    let ratio = found.ratio.ok_or(Undefined::NeedsPairs)?;
    let sign = if lower_is_better { -1.0 } else { 1.0 };
    let shift = sign * margin * if ratio.baseline < 0.0 { -1.0 } else { 1.0 };
    let variance = ratio.difference_variance + shift * (shift * ratio.baseline_variance - 2.0 * ratio.covariance);
    // What is left of a cancellation to nothing is rounding.
    let rounding = 8.0 * f64::EPSILON * (ratio.difference_variance + shift * shift * ratio.baseline_variance);
    if variance <= rounding {
        return Err(Undefined::ZeroVariance);
    }
    let statistic = sign * (ratio.difference - shift * ratio.baseline) / variance.sqrt();
    let degrees_of_freedom = found.degrees_of_freedom.unwrap_or(f64::INFINITY);
    if !statistic.is_finite() {
        return Err(Undefined::NotFinite);
    }
    Ok(MarginTest { statistic, degrees_of_freedom, p_value: student_t_sf(statistic, degrees_of_freedom) })
}

impl MarginTest {
    /// The test of the other side: of "B stays short of the margin".
    pub(super) fn mirrored(self) -> Self {
        let statistic = -self.statistic;
        Self { statistic, p_value: student_t_sf(statistic, self.degrees_of_freedom), ..self }
    }

    /// Its p-value under the rule of a look. Under a confidence sequence it is the sequence's, which holds at every look; that is
    /// two-sided, so one side of it is on the safe side.
    pub(super) fn p_under(&self, rule: Rule, arms: &Arms) -> Tail {
        match rule {
            Rule::Sequence(sequence) if self.statistic > 0.0 => {
                sequence.look(self.statistic, arms.independent_rows() as f64).p_value
            }
            Rule::Sequence(_) => Tail::ONE,
            Rule::Level(_) | Rule::Silent(_) => self.p_value,
        }
    }
}

/// Two one-sided tests: is the difference inside a range?
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Equivalence {
    /// Statistic and p-value of "the difference is above `low`".
    pub above_low: (f64, Tail),
    /// Statistic and p-value of "the difference is below `high`".
    pub below_high: (f64, Tail),
    /// The larger of both p-values: of "the difference is between".
    pub p_value: Tail,
}

/// Whether a `comparison` by a t-test, of two arms or of pairs, shows a difference inside `low..high` (in the metric's unit).
///
/// For margins that are fixed in the metric's unit. An evaluation has margins relative to A, whose noise counts too, so it asks
/// [`beyond_margin`] of both sides instead.
///
/// # Errors
/// [`Undefined::ZeroVariance`] when the comparison has no standard error.
pub fn equivalence(comparison: &Comparison, low: f64, high: f64) -> Result<Equivalence, Undefined> {
    let error = comparison.standard_error.filter(|error| *error > 0.0).ok_or(Undefined::ZeroVariance)?;
    let degrees_of_freedom = comparison.degrees_of_freedom.unwrap_or(f64::INFINITY);
    let distance = |bound: f64| (comparison.difference - bound) / error;
    let (from_low, from_high) = (distance(low), distance(high));
    if !(from_low.is_finite() && from_high.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    let above = student_t_sf(from_low, degrees_of_freedom);
    let below = student_t_sf(-from_high, degrees_of_freedom);
    let p_value = if above.ln() > below.ln() { above } else { below };
    Ok(Equivalence { above_low: (from_low, above), below_high: (from_high, below), p_value })
}
