//! A/B tests between two model versions: is B better than A, by enough, and can the data be trusted?
//!
//! May use: `stats`. No I/O, no clock, no async, no randomness; a look is a pure function of the plan, both arms' moments and which
//! look it is. Directions: every difference is B - A; a relative improvement is a percentage that is positive when B is better.
//! What holds:
//! * Significance fails closed: without enough rows, with the wrong sample ratio or without variance nothing is significant.
//! * The interval of the relative improvement (Fieller's) and the p-value agree.
//! * Looking again costs: see [`Looks`].
//!
//! A statistical test is one file and one line in [`ALL`]. Deliberately absent: where rows come from, who is assigned to which arm,
//! and group-sequential boundaries, which will replace Bonferroni's here.

mod decision;
mod improvement;
mod sample_ratio;
mod sentence;
mod t_test;

use std::fmt;

use serde::Serialize;

pub use decision::{Decision, Evaluation, Looks, Plan, SampleRatioPolicy, ThresholdMode, Winner, evaluate};
pub use improvement::{Improvement, improvement, meets_threshold};
pub use sample_ratio::{MISMATCH_BELOW, SampleRatio, sample_ratio};
pub use t_test::{TTest, welch};

use crate::stats::{Moments, Tail};

/// Every statistical test, the default first.
pub static ALL: &[&dyn Test] = &[&t_test::TTest];

/// A way to tell whether two arms differ. The texts are the documentation.
pub trait Test: Sync + fmt::Debug {
    /// The name in job files, e.g. `t_test`.
    fn name(&self) -> &'static str;
    /// The name people read.
    fn title(&self) -> &'static str;
    /// One sentence: what it compares, its assumptions and its minimum sample.
    fn summary(&self) -> &'static str;
    /// Citation with DOI.
    fn reference(&self) -> &'static str;
    /// Compares the arms; the interval is at `1 - alpha`.
    ///
    /// # Errors
    /// When the comparison is undefined for these arms.
    fn compare(&self, a: &Moments, b: &Moments, alpha: f64) -> Result<Comparison, Undefined>;
}

/// The test of that name.
pub fn test(name: &str) -> Option<&'static dyn Test> {
    ALL.iter().copied().find(|test| test.name() == name)
}

/// What a test found about B - A.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// B - A, in the metric's unit.
    pub difference: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// The test statistic, with the sign of the difference.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub degrees_of_freedom: f64,
    /// The critical value of the interval.
    pub critical: f64,
    /// Two-sided p-value.
    pub p_value: Tail,
    /// One-sided p-value of "B is larger".
    pub p_greater: Tail,
    /// One-sided p-value of "B is smaller".
    pub p_less: Tail,
}

/// Why two arms cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Undefined {
    /// An arm has fewer than two rows.
    #[error("insufficient_data")]
    InsufficientData,
    /// Both arms are constant, so no difference can be weighed against noise.
    #[error("zero_variance")]
    ZeroVariance,
    /// The numbers are so large that the result is none.
    #[error("not_finite")]
    NotFinite,
}

#[cfg(test)]
mod tests;
