//! Drift: how far a column of current data has moved from a reference, and whether that is too far.
//!
//! One rule: `drifted = score > threshold` (strict), and the score is always an effect size. p-values stand beside it and never
//! decide: on a million rows every p-value rejects.
//!
//! May use: `stats`. No I/O, no clock, no async, no randomness. What holds:
//! * [`judge`] never panics and never answers NaN; a column that cannot be judged says why ([`Status`]).
//! * The answer does not depend on the order of rows or columns, and the method never depends on how many rows there are.
//! * Bins come from the reference alone.
//!
//! A method is one file in `methods/` and one line in [`ALL`]; validation of job files, listings and documentation follow from its
//! entry. Deliberately absent: where the data comes from, which columns are judged, and what happens after a verdict.

mod bins;
pub mod concept;
mod judge;
pub mod methods;
pub mod profile;
pub mod quality;
mod report;
mod sample;
mod sort;

use serde::Serialize;
use serde_json::Value;

pub use bins::{Bin, MISSING, NEW, NewCategory, OTHER};
pub use judge::{Check, DecideOn, Options, Reliability, Status, judge, not_judged};
pub use report::{Report, report};
pub use sample::{CategoryCounts, NumericSample, Sample};
pub use sort::sort_values;

use crate::stats::Tail;

/// Every drift method, in the order in which listings show them.
pub static ALL: &[&dyn Method] = &[
    &methods::ks_test::KsTest,
    &methods::psi::Psi,
    &methods::chi_square::ChiSquare,
    &methods::wasserstein::Wasserstein,
    &methods::jensen_shannon::JensenShannon,
    &methods::hellinger::Hellinger,
    &methods::total_variation::TotalVariation,
    &methods::anderson_darling::AndersonDarling,
    &methods::cramer_von_mises::CramerVonMises,
    &methods::energy::Energy,
];

/// A way to measure how far two samples of one column are apart.
///
/// The texts are the documentation: help, job-file validation and the documentation page are made from them.
pub trait Method: Sync {
    /// The name in job files, e.g. `ks_test`.
    fn name(&self) -> &'static str;
    /// The name people read, e.g. `Kolmogorov-Smirnov distance`.
    fn title(&self) -> &'static str;
    /// One sentence: what the score measures.
    fn summary(&self) -> &'static str;
    /// When it is the right choice, and when another is.
    fn when_to_use(&self) -> &'static str;
    /// The score's formula in plain text.
    fn formula(&self) -> &'static str;
    /// The score's range, e.g. `0 to 1`; 0 is always "no difference".
    fn range(&self) -> &'static str;
    /// How ties, missing values, constants and infinities are treated, and what else to know.
    fn notes(&self) -> &'static str;
    /// Citation with DOI.
    fn reference(&self) -> &'static str;
    /// The kinds of column it can judge.
    fn applies_to(&self) -> AppliesTo;
    /// The threshold when the job names none.
    fn default_threshold(&self) -> f64 {
        0.2
    }
    /// Rows per side from which two samples of the same distribution stay below the default threshold 99 times in 100.
    fn minimum_sample(&self) -> u64;
    /// Whether missing rows are part of the score; if not, their share is checked beside it.
    fn scores_missing(&self) -> bool;
    /// Whether it gives a p-value; without one it cannot be used where p-values decide.
    fn has_p_value(&self) -> bool {
        true
    }
    /// The score of `current` against `reference`.
    ///
    /// Called by [`judge`] with samples of one kind that this method applies to, each with at least one row (at least one
    /// present row unless [`Method::scores_missing`]).
    ///
    /// # Errors
    /// When the samples cannot be scored, with the status and the reason to report.
    fn judge(&self, reference: &Sample, current: &Sample, options: &Options) -> Result<Score, NotJudged>;
}

/// The kinds of column a method can judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AppliesTo {
    /// Numbers only.
    Numeric,
    /// Categories only.
    Categorical,
    /// Both.
    Any,
}

impl AppliesTo {
    /// The word in listings: `numeric`, `categorical` or `any`.
    pub fn as_str(self) -> &'static str {
        match self {
            AppliesTo::Numeric => "numeric",
            AppliesTo::Categorical => "categorical",
            AppliesTo::Any => "any",
        }
    }

    /// Whether a column of that kind can be judged.
    pub fn includes(self, is_categorical: bool) -> bool {
        match self {
            AppliesTo::Numeric => !is_categorical,
            AppliesTo::Categorical => is_categorical,
            AppliesTo::Any => true,
        }
    }
}

/// What a method found.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The effect size.
    pub value: f64,
    /// The p-value that belongs to it; beside the score, never instead of it.
    pub p_value: Option<Tail>,
    /// The 99 % quantile of the score when nothing has changed; above the threshold the verdict is of low reliability.
    pub null_quantile: f64,
    /// What people want to see with it; per method, no NaN.
    pub details: Value,
}

/// Why a method gives no score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJudged {
    /// The status to report.
    pub status: Status,
    /// Why, for people.
    pub reason: String,
}

/// The method of that name.
pub fn method(name: &str) -> Option<&'static dyn Method> {
    ALL.iter().copied().find(|method| method.name() == name)
}

/// The method for a column that names none: the `configured` one for numbers if it applies (else `ks_test`), and `chi_square` for
/// categories.
pub fn default_method(is_categorical: bool, configured: &str) -> &'static dyn Method {
    if is_categorical {
        return &methods::chi_square::ChiSquare;
    }
    method(configured).filter(|method| method.applies_to().includes(false)).unwrap_or(&methods::ks_test::KsTest)
}

#[cfg(test)]
mod tests;
