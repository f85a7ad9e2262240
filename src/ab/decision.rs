//! The decision table: twelve lines, the first that matches wins.

use serde::{Serialize, Serializer};

use super::plan::SampleRatioPolicy;
use super::{Looks, Plan, Undefined};

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The data cannot be used.
    InvalidData,
    /// The arms did not get the rows they should have.
    InvalidSrm,
    /// Collect more rows.
    Continue,
    /// Keep model A.
    KeepA,
    /// Ship model B.
    ShipB,
    /// B is better by enough, and a guardrail failed: people decide.
    Review,
    /// The test is over and says neither.
    Inconclusive,
}

impl Decision {
    /// The name in results and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::InvalidData => "INVALID_DATA",
            Decision::InvalidSrm => "INVALID_SRM",
            Decision::Continue => "CONTINUE",
            Decision::KeepA => "KEEP_A",
            Decision::ShipB => "SHIP_B",
            Decision::Review => "REVIEW",
            Decision::Inconclusive => "INCONCLUSIVE",
        }
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The arm that is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Winner {
    /// The control.
    A,
    /// The treatment.
    B,
}

impl Winner {
    /// The name in the database: `a` or `b`.
    pub fn as_str(self) -> &'static str {
        match self {
            Winner::A => "a",
            Winner::B => "b",
        }
    }
}

/// What the table looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// Why the data itself cannot be used.
    pub(super) unusable: Option<&'static str>,
    /// Whether an arm has too few rows.
    pub(super) below_min_samples: bool,
    /// Whether the test has not run as long as agreed.
    pub(super) below_min_duration: bool,
    /// Whether the arms got rows in another ratio than planned.
    pub(super) mismatch: bool,
    /// Why the test is undefined.
    pub(super) undefined: Option<Undefined>,
    /// Whether the p-value is below its level.
    pub(super) is_below_level: bool,
    /// Whether B is on the better side.
    pub(super) is_better: bool,
    /// Whether the test finds one side better and the sizes the other: ranks and means may contradict each other.
    pub(super) directions_differ: bool,
    /// Whether A is exactly 0.
    pub(super) baseline_zero: bool,
    /// Whether the improvement reaches the bar.
    pub(super) meets_threshold: Option<bool>,
    /// Whether even the upper end of the interval stays below the bar.
    pub(super) cannot_meet_threshold: bool,
    /// Whether this look may be significant at all.
    pub(super) may_decide: bool,
    /// Whether a guardrail failed.
    pub(super) guardrail_failed: bool,
}

impl Evidence {
    fn blocks(&self, plan: &Plan) -> bool {
        self.mismatch && plan.sample_ratio_policy == SampleRatioPolicy::Block
    }

    /// Significance fails closed: everything has to be right.
    pub(super) fn is_significant(&self, plan: &Plan) -> bool {
        self.is_below_level
            && self.unusable.is_none()
            && !self.below_min_samples
            && !self.below_min_duration
            && !self.blocks(plan)
            && self.may_decide
    }

    /// The first line that matches: the decision, the better arm, and the reason in one word.
    pub(super) fn decide(&self, plan: &Plan, looks: Looks) -> (Decision, Option<Winner>, &'static str) {
        let significant = self.is_significant(plan);
        let reached = self.meets_threshold == Some(true);
        let end = if looks.is_final { Decision::Inconclusive } else { Decision::Continue };
        match (self.unusable, self.undefined) {
            (Some(reason), _) => (Decision::InvalidData, None, reason),
            _ if self.below_min_samples => (Decision::Continue, None, "below_min_samples"),
            _ if self.below_min_duration => (Decision::Continue, None, "below_min_duration"),
            _ if self.blocks(plan) => (Decision::InvalidSrm, None, "sample_ratio_mismatch"),
            (_, Some(Undefined::ZeroVariance)) => (Decision::Inconclusive, None, "zero_variance"),
            (_, Some(Undefined::InsufficientData)) => (Decision::Continue, None, "below_min_samples"),
            (_, Some(undefined)) => (Decision::InvalidData, None, undefined.as_str()),
            _ if significant && self.directions_differ => (Decision::Inconclusive, None, "directions_differ"),
            _ if significant && !self.is_better => (Decision::KeepA, Some(Winner::A), "treatment_significantly_worse"),
            _ if significant && self.baseline_zero => (Decision::Inconclusive, None, "baseline_zero"),
            _ if significant && reached && !self.guardrail_failed => {
                (Decision::ShipB, Some(Winner::B), "significant_and_meets_threshold")
            }
            _ if significant && reached => (Decision::Review, None, "guardrail_failed"),
            _ if significant && looks.is_final => (Decision::KeepA, None, "below_success_threshold"),
            _ if self.cannot_meet_threshold && self.may_decide && looks.is_repeated() => {
                (Decision::KeepA, None, "cannot_reach_threshold")
            }
            _ if significant => (Decision::Continue, None, "below_success_threshold"),
            _ if !self.may_decide => (end, None, "unplanned_look"),
            _ => (end, None, "not_significant"),
        }
    }
}
