//! What a statistical test between two arms is.

use std::fmt;

use crate::stats::{Moments, Tail};

/// A two-sided test of equal means of two independent arms, from their moments.
pub trait StatisticalTest: Sync {
    /// The name in job files, e.g. `t_test`.
    fn name(&self) -> &'static str;
    /// The name people read.
    fn title(&self) -> &'static str;
    /// One sentence: what it tests and what it assumes.
    fn summary(&self) -> &'static str;
    /// Where it comes from.
    fn reference(&self) -> &'static str;
    /// Tests B against A, with intervals at confidence `1 - alpha`.
    ///
    /// # Errors
    /// The test has no answer for these arms.
    fn test(&self, a: &Moments, b: &Moments, alpha: f64) -> Result<TestResult, Undefined>;
}

impl fmt::Debug for dyn StatisticalTest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What a test came to; all numbers are finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestResult {
    /// The statistic, with the sign of the difference.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub df: f64,
    /// The two-sided p-value.
    pub p: Tail,
    /// Mean of B minus mean of A, in the unit of the outcome.
    pub difference: f64,
    /// Lower end of its interval.
    pub difference_low: f64,
    /// Upper end of its interval.
    pub difference_high: f64,
    /// The statistic at which p is alpha: intervals reach this many standard errors.
    pub critical: f64,
    /// Squared standard errors of the means of A and B, in units of `4^exponent`.
    pub(super) squared_errors: [f64; 2],
    /// Binary exponent of the unit.
    pub(super) exponent: i32,
}

/// Why a test has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undefined {
    /// Variance needs two rows.
    #[error("insufficient data: each arm needs 2 rows, A has {n_a} and B has {n_b}")]
    TooFew {
        /// Rows of A.
        n_a: u64,
        /// Rows of B.
        n_b: u64,
    },
    /// Both arms are constant, so there is nothing to measure a difference by.
    #[error("zero variance: all outcomes of A are equal and all of B are")]
    ZeroVariance,
    /// A number exceeds the largest double.
    #[error("the outcomes are too large or too far apart for double precision")]
    Overflow,
    /// Alpha is not between 0 and 1.
    #[error("the significance level must lie between 0 and 1")]
    Level,
}
