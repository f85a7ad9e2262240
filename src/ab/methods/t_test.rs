//! `t_test`: Welch's test of two means.

use super::student::{Found, errors, means};
use crate::ab::{Arms, Comparison, Needs, Question, Ratio, Test, Undefined};
use crate::stats::Moments;

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
