//! `t_test`: Welch's test of two means.

use super::{Comparison, Test, Undefined};
use crate::stats::{Moments, scale, student_t_sf, student_t_two_sided, student_t_upper_quantile};

/// Welch's two-sided t-test.
#[derive(Debug, Clone, Copy)]
pub struct TTest;

impl Test for TTest {
    fn name(&self) -> &'static str {
        "t_test"
    }
    fn title(&self) -> &'static str {
        "Welch's t-test"
    }
    fn summary(&self) -> &'static str {
        "compares the means of two arms without assuming equal variances, two-sided; independent rows, at least two in each arm and \
         some variance in one; right in large samples whatever the distribution"
    }
    fn reference(&self) -> &'static str {
        "Welch (1947), The generalization of Student's problem when several different population variances are involved, \
         doi:10.1093/biomet/34.1-2.28"
    }
    fn compare(&self, a: &Moments, b: &Moments, alpha: f64) -> Result<Comparison, Undefined> {
        welch(a, b, alpha)
    }
}

/// Welch's t-test of B against A with the interval at `1 - alpha` (`alpha` is taken as 1e-12..=0.999).
///
/// Works in units in which the larger variance is an ordinary number, on means that carry their own rounding error, so that neither
/// an offset of 1e9 nor a scale of 2^1000 changes the answer.
///
/// # Errors
/// Fewer than two rows in an arm; no variance in either; a result beyond the largest double.
pub fn welch(a: &Moments, b: &Moments, alpha: f64) -> Result<Comparison, Undefined> {
    if a.n() < 2 || b.n() < 2 {
        return Err(Undefined::InsufficientData);
    }
    let Some(unit) = common_exponent(a, b) else {
        return Err(Undefined::ZeroVariance);
    };
    let (error_a, error_b) = (a.squared_error(unit), b.squared_error(unit));
    let error = error_a + error_b;
    if error <= 0.0 {
        return Err(Undefined::ZeroVariance);
    }
    let difference = a.difference_to(b, unit);
    let standard_error = error.sqrt();
    let statistic = difference / standard_error;
    // Welch and Satterthwaite, by shares so that no fourth power is formed.
    let (share_a, share_b) = (error_a / error, error_b / error);
    let degrees_of_freedom = 1.0 / (share_a * share_a / (a.n() - 1) as f64 + share_b * share_b / (b.n() - 1) as f64);
    let critical = student_t_upper_quantile(alpha.clamp(1e-12, 0.999) / 2.0, degrees_of_freedom);
    let critical = critical.ok_or(Undefined::NotFinite)?;
    let comparison = Comparison {
        difference: scale(difference, unit),
        standard_error: scale(standard_error, unit),
        low: scale(difference - critical * standard_error, unit),
        high: scale(difference + critical * standard_error, unit),
        statistic,
        degrees_of_freedom,
        critical,
        p_value: student_t_two_sided(statistic, degrees_of_freedom),
        p_greater: student_t_sf(statistic, degrees_of_freedom),
        p_less: student_t_sf(-statistic, degrees_of_freedom),
    };
    let numbers = [comparison.difference, comparison.low, comparison.high, statistic, degrees_of_freedom];
    if numbers.iter().all(|number| number.is_finite()) { Ok(comparison) } else { Err(Undefined::NotFinite) }
}

/// The unit both arms' squares fit in; `None` when both are constant.
pub(super) fn common_exponent(a: &Moments, b: &Moments) -> Option<i32> {
    [a, b].iter().filter(|arm| !arm.is_constant()).map(|arm| arm.exponent()).max()
}
