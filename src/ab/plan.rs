//! What is agreed before the first row.

use serde::Serialize;

use super::Test;

/// What was agreed before the first row.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The statistical test.
    pub test: &'static dyn Test,
    /// Chance of a false positive over all looks, 0..1.
    pub significance_level: f64,
    /// Improvement B must show, as a fraction of A (0.02 is 2 %); inclusive.
    pub success_threshold: f64,
    /// What has to reach the threshold.
    pub threshold_mode: ThresholdMode,
    /// Whether lower values of the metric are better.
    pub lower_is_better: bool,
    /// Usable rows each arm needs before anything is decided.
    pub min_samples: u64,
    /// Share of rows assigned to B, between 0 and 1.
    pub traffic_split: f64,
    /// What a sample-ratio mismatch does.
    pub sample_ratio_policy: SampleRatioPolicy,
    /// What makes repeated looks honest.
    pub monitoring: Monitoring,
    /// What is to be shown.
    pub hypothesis: Hypothesis,
    /// Seed of the tests that resample.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            test: &super::TTest,
            significance_level: 0.05,
            success_threshold: 0.02,
            threshold_mode: ThresholdMode::Point,
            lower_is_better: false,
            min_samples: 100,
            traffic_split: 0.5,
            sample_ratio_policy: SampleRatioPolicy::Block,
            monitoring: Monitoring::Auto,
            hypothesis: Hypothesis::Superiority,
            seed: 0,
        }
    }
}

/// What is to be shown.
///
/// A margin is a fraction of `|A|`, agreed beforehand like the level: 0.01 is 1 %. Claims with a margin are decided by the interval of
/// the relative improvement at the look's level; the success threshold plays no part in them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hypothesis {
    /// That B is better.
    #[default]
    Superiority,
    /// That B is worse by less than this fraction of `|A|`.
    NonInferiority(f64),
    /// That B differs by less than this fraction of `|A|` either way.
    Equivalence(f64),
}

/// What has to reach the success threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdMode {
    /// The relative improvement itself.
    Point,
    /// The lower end of its interval.
    Superiority,
}

/// What a sample-ratio mismatch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleRatioPolicy {
    /// Nothing is significant and the decision is `INVALID_SRM`.
    Block,
    /// A warning only.
    Warn,
}

/// What makes repeated looks honest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitoring {
    /// Group-sequential where looks or an end are planned, else a confidence sequence; plain for a single look.
    Auto,
    /// Looks share the level by the Lan-DeMets boundary of O'Brien and Fleming.
    GroupSequential,
    /// A confidence sequence, valid at every look.
    AlwaysValid,
    /// Looks report; only the last one decides.
    Horizon,
}

/// Days after which a test without a planned end is over, whatever it found.
pub const LONGEST_DAYS: u32 = 30;
