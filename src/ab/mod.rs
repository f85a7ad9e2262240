//! A/B tests between two models: A is the control, B the treatment; differences are always B - A.
//!
//! May use: `stats`. No I/O, no clock, no async, no randomness. What holds:
//! * Every judgement is a pure function of the plan, the moments of both arms, which look it is, and what is wrong with the data.
//! * `is_significant` fails closed: too few rows, a wrong sample ratio, bad data or an unplanned repeated look make it false,
//!   however small the p-value is.
//! * No number is NaN: it is `None` and a warning or the reason says why.
//!
//! A test is one entry in [`ALL`]. Deliberately absent: reading rows, assigning units to arms, keeping looks; and for now
//! group-sequential boundaries (repeated looks are corrected by Bonferroni instead, see [`Looks`]) and guardrails.

mod decision;
mod evaluation;
mod plan;
mod ratio;
mod relative;
mod statistical;
mod t_test;

pub use decision::Decision;
pub use evaluation::{Evaluation, evaluate};
pub use plan::{DataProblem, Looks, Plan};
pub use ratio::{SampleRatio, missingness, sample_ratio};
pub use relative::{NoRelative, meets_threshold, minimal_detectable_effect, relative_improvement, relative_interval};
pub use statistical::{StatisticalTest, TestResult, Undefined};

use crate::stats::Moments;

/// Every statistical test, the default first.
pub static ALL: &[&dyn StatisticalTest] = &[&t_test::WELCH, &t_test::STUDENT];

/// The statistical test of that name, e.g. `t_test`.
pub fn statistical_test(name: &str) -> Option<&'static dyn StatisticalTest> {
    ALL.iter().copied().find(|test| test.name() == name)
}

/// Why outcomes cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An outcome is NaN or infinite.
    #[error("the outcome is no finite number in {rows} of {of} rows; leave those rows out and count them as missing")]
    NotFinite {
        /// How many rows.
        rows: u64,
        /// Of how many.
        of: u64,
    },
}

/// The moments of one arm's outcomes.
///
/// # Errors
/// Outcomes that are not finite, with their count: leaving them out silently would hide that an arm fails to answer.
pub fn moments_of(values: &[f64]) -> Result<Moments, Error> {
    let moments = Moments::of(values);
    match moments.dropped() {
        0 => Ok(moments),
        rows => Err(Error::NotFinite { rows, of: values.len() as u64 }),
    }
}

#[cfg(test)]
mod tests;
