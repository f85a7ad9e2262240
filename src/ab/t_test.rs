//! Tests of means by Student's t: `t_test` (Welch's), `student_t_test` and `paired_t_test`.
//!
//! They work in units in which the larger variance is an ordinary number, on means that carry their own rounding error, so that neither an
//! offset of 1e9 nor a scale of 2^1000 changes the answer. May use: `stats`.

use super::improvement::{Ratio, common_exponent};
use super::{Arms, Comparison, Needs, Question, Test, Undefined};
use crate::stats::{Moments, scale, student_t_sf, student_t_two_sided, student_t_upper_quantile};

/// The smallest level an interval is formed at.
const SMALLEST_LEVEL: f64 = 1e-290;
/// A spread of differences below this many roundings of the values is rounding, not spread.
const ROUNDINGS: f64 = 4.0;

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
    fn needs(&self) -> Needs {
        Needs::Moments
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        welch(arms.a(), arms.b(), question.alpha)
    }
}

/// Student's two-sided t-test with one pooled variance.
#[derive(Debug, Clone, Copy)]
pub struct StudentTTest;

impl Test for StudentTTest {
    fn name(&self) -> &'static str {
        "student_t_test"
    }
    fn title(&self) -> &'static str {
        "Student's t-test"
    }
    fn summary(&self) -> &'static str {
        "compares the means of two arms that have the same variance, two-sided; independent rows, at least two in each arm; misleading \
         where variances and sizes differ, so `t_test` is the default"
    }
    fn reference(&self) -> &'static str {
        "Student (1908), The probable error of a mean, doi:10.1093/biomet/6.1.1"
    }
    fn needs(&self) -> Needs {
        Needs::Moments
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        student(arms.a(), arms.b(), question.alpha)
    }
}

/// The t-test of the differences of pairs.
#[derive(Debug, Clone, Copy)]
pub struct PairedTTest;

impl Test for PairedTTest {
    fn name(&self) -> &'static str {
        "paired_t_test"
    }
    fn title(&self) -> &'static str {
        "Paired t-test"
    }
    fn summary(&self) -> &'static str {
        "compares two models on the same rows by the mean of the differences, two-sided; at least two pairs whose differences vary; finds \
         smaller differences than two separate arms of the same size"
    }
    fn reference(&self) -> &'static str {
        "Student (1908), The probable error of a mean, doi:10.1093/biomet/6.1.1"
    }
    fn needs(&self) -> Needs {
        Needs::Pairs
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        let (a, b) = arms.pairs()?;
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
        let differences = Moments::of(&differences);
        let largest = a.iter().chain(b).fold(0.0f64, |most, value| most.max(value.abs()));
        if differences.dropped() > 0 {
            return Err(Undefined::NotFinite);
        }
        if differences.n() < 2 {
            return Err(Undefined::InsufficientData);
        }
        let spread = differences.standard_deviation().unwrap_or(0.0);
        if differences.is_constant() || spread <= ROUNDINGS * f64::EPSILON * largest {
            return Err(Undefined::ZeroVariance);
        }
        let unit = differences.exponent();
        let found = Found {
            difference: differences.scaled_mean(unit),
            error: differences.squared_error(unit),
            degrees_of_freedom: (differences.n() - 1) as f64,
            unit,
        };
        let values = [arms.a().mean().unwrap_or(0.0), arms.b().mean().unwrap_or(0.0)];
        found.comparison(values, Ratio::paired(arms.a(), arms.b(), &differences), question.alpha)
    }
}

/// Welch's t-test of B against A with the interval at `1 - alpha`.
///
/// # Errors
/// Fewer than two rows in an arm; no variance in either; a result beyond the largest double.
pub fn welch(a: &Moments, b: &Moments, alpha: f64) -> Result<Comparison, Undefined> {
    let (unit, [error_a, error_b]) = errors(a, b)?;
    let error = error_a + error_b;
    // Welch and Satterthwaite, by shares so that no fourth power is formed.
    let (share_a, share_b) = (error_a / error, error_b / error);
    let degrees_of_freedom = 1.0 / (share_a * share_a / (a.n() - 1) as f64 + share_b * share_b / (b.n() - 1) as f64);
    let found = Found { difference: a.difference_to(b, unit), error, degrees_of_freedom, unit };
    found.comparison(means(a, b), Ratio::independent(a, b), alpha)
}

/// Student's t-test with one pooled variance, with the interval at `1 - alpha`.
///
/// # Errors
/// As [`welch`].
pub fn student(a: &Moments, b: &Moments, alpha: f64) -> Result<Comparison, Undefined> {
    let (unit, [error_a, error_b]) = errors(a, b)?;
    let (n, m) = (a.n() as f64, b.n() as f64);
    let squares = error_a * n * (n - 1.0) + error_b * m * (m - 1.0);
    let degrees_of_freedom = n + m - 2.0;
    let variance = squares / degrees_of_freedom;
    let found =
        Found { difference: a.difference_to(b, unit), error: variance / n + variance / m, degrees_of_freedom, unit };
    // The same pooled variance for the ratio, so that its interval agrees with this test.
    let ratio = Ratio::independent(a, b).map(|ratio| {
        let to_ratio = 2 * (unit - common_exponent(a, b).unwrap_or(0));
        let of_a = scale(variance / n, to_ratio);
        Ratio {
            difference_variance: of_a + scale(variance / m, to_ratio),
            baseline_variance: of_a,
            covariance: -of_a,
            ..ratio
        }
    });
    found.comparison(means(a, b), ratio, alpha)
}

fn means(a: &Moments, b: &Moments) -> [f64; 2] {
    [a.mean().unwrap_or(0.0), b.mean().unwrap_or(0.0)]
}

/// The unit to compute in, and both squared standard errors in it.
fn errors(a: &Moments, b: &Moments) -> Result<(i32, [f64; 2]), Undefined> {
    if a.n() < 2 || b.n() < 2 {
        return Err(Undefined::InsufficientData);
    }
    let unit = common_exponent(a, b).ok_or(Undefined::ZeroVariance)?;
    let errors = [a.squared_error(unit), b.squared_error(unit)];
    if errors[0] + errors[1] > 0.0 { Ok((unit, errors)) } else { Err(Undefined::ZeroVariance) }
}

/// A difference with its squared standard error, in units of `2^unit`.
struct Found {
    difference: f64,
    error: f64,
    degrees_of_freedom: f64,
    unit: i32,
}

impl Found {
    fn comparison(self, values: [f64; 2], ratio: Option<Ratio>, alpha: f64) -> Result<Comparison, Undefined> {
        let Self { difference, error, degrees_of_freedom, unit } = self;
        let standard_error = error.sqrt();
        let statistic = difference / standard_error;
        let critical = student_t_upper_quantile(alpha.clamp(SMALLEST_LEVEL, 0.999) / 2.0, degrees_of_freedom);
        let critical = critical.ok_or(Undefined::NotFinite)?;
        Comparison {
            standard_error: Some(scale(standard_error, unit)),
            low: Some(scale(difference - critical * standard_error, unit)),
            high: Some(scale(difference + critical * standard_error, unit)),
            degrees_of_freedom: Some(degrees_of_freedom),
            critical: Some(critical),
            p_value: student_t_two_sided(statistic, degrees_of_freedom),
            p_greater: student_t_sf(statistic, degrees_of_freedom),
            p_less: student_t_sf(-statistic, degrees_of_freedom),
            ratio,
            ..Comparison::normal(values, scale(difference, unit), statistic)
        }
        .finite()
    }
}
