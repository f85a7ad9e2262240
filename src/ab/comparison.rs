//! What a test answers.

use serde::Serialize;

use super::improvement::{Improvement, Ratio};
use super::posterior::Posterior;
use crate::stats::{Tail, normal_sf, normal_two_sided};

/// What a test found about B - A.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// What is compared of A and of B: means, shares, or areas under the curve.
    pub values: [f64; 2],
    /// B - A, in the metric's unit.
    pub difference: f64,
    /// Its standard error; `None` for tests that go without one.
    pub standard_error: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end of its interval.
    pub high: Option<f64>,
    /// The test statistic.
    pub statistic: f64,
    /// Its degrees of freedom; `None` for a normal or exact one.
    pub degrees_of_freedom: Option<f64>,
    /// The interval's half width in standard errors; `None` when it is not formed from them.
    pub critical: Option<f64>,
    /// Two-sided p-value.
    pub p_value: Tail,
    /// One-sided p-value of "B is larger".
    pub p_greater: Tail,
    /// One-sided p-value of "B is smaller".
    pub p_less: Tail,
    /// What an interval of the relative improvement needs.
    pub ratio: Option<Ratio>,
    /// The interval of the relative improvement where the test forms its own; from `ratio` and `critical` otherwise.
    pub relative: Option<RelativeInterval>,
    /// What a Bayesian test believes now.
    pub posterior: Option<Posterior>,
    /// How often the data was resampled, where chance had a part in the answer.
    pub resamples: Option<u32>,
    /// What a reader should be careful about.
    pub caution: Option<&'static str>,
}

/// An interval of `(B - A) / |A|` that is not Fieller's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RelativeInterval {
    /// Its ends, as fractions.
    Bounded([f64; 2]),
    /// None, since A cannot be told from 0.
    Unbounded,
    /// None that would be honest at this level.
    Unknown,
}

impl Comparison {
    /// A comparison by a normal statistic `z`; everything that is not given is left open.
    pub(super) fn normal(values: [f64; 2], difference: f64, z: f64) -> Self {
        Self {
            values,
            difference,
            standard_error: None,
            low: None,
            high: None,
            statistic: z,
            degrees_of_freedom: None,
            critical: None,
            p_value: normal_two_sided(z),
            p_greater: normal_sf(z),
            p_less: normal_sf(-z),
            ratio: None,
            relative: None,
            posterior: None,
            resamples: None,
            caution: None,
        }
    }

    /// The relative improvement with its interval; `None` where the test gives no ratio.
    pub(super) fn improvement(&self, lower_is_better: bool) -> Option<Improvement> {
        let ratio = self.ratio?;
        let Some(own) = self.relative else {
            return Some(ratio.improvement(lower_is_better, self.critical));
        };
        let mut improvement = ratio.improvement(lower_is_better, None);
        if improvement.percent.is_some() {
            match own {
                RelativeInterval::Bounded([low, high]) if lower_is_better => {
                    improvement.interval = Some([-100.0 * high, -100.0 * low]);
                }
                RelativeInterval::Bounded([low, high]) => improvement.interval = Some([100.0 * low, 100.0 * high]),
                RelativeInterval::Unbounded => improvement.reason = Some("baseline_indistinguishable_from_zero"),
                RelativeInterval::Unknown => {}
            }
        }
        Some(improvement)
    }

    /// Whether it gives an interval of the relative improvement at any level.
    pub(super) fn has_relative_interval(&self) -> bool {
        self.ratio.is_some() && (self.relative.is_some() || self.critical.is_some())
    }

    /// Whether B has the larger values, as this test sees them.
    pub fn is_b_larger(&self) -> bool {
        self.p_greater.ln() < self.p_less.ln()
    }

    /// The comparison, if all its numbers are finite.
    pub(super) fn finite(self) -> Result<Self, Undefined> {
        let numbers = [
            Some(self.difference),
            Some(self.statistic),
            self.standard_error,
            self.low,
            self.high,
            self.degrees_of_freedom,
        ];
        if numbers.iter().flatten().all(|number| number.is_finite()) { Ok(self) } else { Err(Undefined::NotFinite) }
    }
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
    /// The test needs the rows, and there are only sufficient statistics.
    #[error("needs_rows")]
    NeedsRows,
    /// The test needs the same rows on both sides.
    #[error("needs_pairs")]
    NeedsPairs,
    /// The test needs outcomes that are 0 or 1.
    #[error("needs_outcomes_of_0_or_1")]
    NeedsShares,
    /// The test needs labels with both models' scores.
    #[error("needs_labels_and_scores")]
    NeedsScores,
    /// All labels are of one class, so scores cannot be ordered by them.
    #[error("one_class")]
    OneClass,
}

impl Undefined {
    /// The name in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Undefined::InsufficientData => "insufficient_data",
            Undefined::ZeroVariance => "zero_variance",
            Undefined::NotFinite => "not_finite",
            Undefined::NeedsRows => "needs_rows",
            Undefined::NeedsPairs => "needs_pairs",
            Undefined::NeedsShares => "needs_outcomes_of_0_or_1",
            Undefined::NeedsScores => "needs_labels_and_scores",
            Undefined::OneClass => "one_class",
        }
    }
}
