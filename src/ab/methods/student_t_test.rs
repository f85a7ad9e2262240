//! `student_t_test`: Student's test of two means with one pooled variance.

use super::student::{Found, errors, means};
use crate::ab::improvement::common_exponent;
use crate::ab::{Arms, Comparison, Needs, Question, Ratio, Test, Undefined};
use crate::stats::{Moments, scale};

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

/// Student's t-test with one pooled variance, with the interval at `1 - alpha`.
///
/// # Errors
/// As [`crate::ab::welch`].
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
