//! The decision table: twelve lines, the first that matches wins. A claim with a margin has lines 5 to 12 of its own.

use serde::{Serialize, Serializer};

use super::plan::{Hypothesis, SampleRatioPolicy};
use super::{Plan, Undefined};

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
    /// Ship model B: what was asked for is shown.
    ShipB,
    /// B would be shipped, and a guardrail failed, or it is better than a claim of equivalence allows: people decide.
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

/// The arm that is better, or was shown to be good enough.
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
    /// Whether the improvement itself reaches it, and only the end of its interval that was asked for does not.
    pub(super) lower_end_is_short: bool,
    /// Whether that end does not exist, because A cannot be told from 0.
    pub(super) lower_end_is_unbounded: bool,
    /// Whether even the upper end of the interval stays below the bar.
    pub(super) cannot_meet_threshold: bool,
    /// The interval of the relative improvement at the level of this look, in percent.
    pub(super) interval: Option<[f64; 2]>,
    /// Why this look decides nothing, if it does not.
    pub(super) silent: Option<&'static str>,
    /// Whether no look comes after this one that could decide.
    pub(super) is_last: bool,
    /// Whether this look is one of several that could decide.
    pub(super) is_repeated: bool,
    /// Whether the test ends with this look.
    pub(super) is_final: bool,
    /// Whether a guardrail failed.
    pub(super) guardrail_failed: bool,
}

type Verdict = (Decision, Option<Winner>, &'static str);

impl Evidence {
    fn blocks(&self, plan: &Plan) -> bool {
        self.mismatch && plan.sample_ratio_policy == SampleRatioPolicy::Block
    }

    /// Whether the numbers of this look are held against anything: only then it uses something up.
    pub(super) fn is_judged(&self, plan: &Plan) -> bool {
        self.unusable.is_none()
            && self.undefined.is_none()
            && !self.below_min_samples
            && !self.below_min_duration
            && !self.blocks(plan)
            && self.silent.is_none()
    }

    /// Significance fails closed: everything has to be right. Of a claim with a margin it means that the claim is shown.
    pub(super) fn is_significant(&self, plan: &Plan) -> bool {
        let is_shown = match plan.hypothesis {
            Hypothesis::Superiority => self.is_below_level,
            Hypothesis::NonInferiority(margin) => self.interval.is_some_and(|[low, _]| low > -100.0 * margin),
            Hypothesis::Equivalence(margin) => {
                self.interval.is_some_and(|[low, high]| low > -100.0 * margin && high < 100.0 * margin)
            }
        };
        is_shown && self.is_judged(plan)
    }

    /// The first line that matches: the decision, the better arm, and the reason in one word.
    pub(super) fn decide(&self, plan: &Plan) -> Verdict {
        let significant = self.is_significant(plan);
        match (self.unusable, self.undefined) {
            (Some(reason), _) => (Decision::InvalidData, None, reason),
            _ if self.below_min_samples => (Decision::Continue, None, "below_min_samples"),
            _ if self.below_min_duration => (Decision::Continue, None, "below_min_duration"),
            _ if self.blocks(plan) => (Decision::InvalidSrm, None, "sample_ratio_mismatch"),
            (_, Some(Undefined::ZeroVariance)) => (Decision::Inconclusive, None, "zero_variance"),
            (_, Some(Undefined::InsufficientData)) => (Decision::Continue, None, "below_min_samples"),
            (_, Some(undefined)) => (Decision::InvalidData, None, undefined.as_str()),
            _ => match (self.silent, plan.hypothesis) {
                (Some("unplanned_look"), _) => (self.end(self.is_last), None, "unplanned_look"),
                (Some(reason), _) => (self.end(self.is_final), None, reason),
                (None, Hypothesis::Superiority) => self.is_better_by_enough(significant),
                (None, Hypothesis::NonInferiority(margin)) => self.is_within(margin, significant, "not_inferior"),
                (None, Hypothesis::Equivalence(margin)) => self.is_within(margin, significant, "equivalent"),
            },
        }
    }

    fn end(&self, is_over: bool) -> Decision {
        if is_over { Decision::Inconclusive } else { Decision::Continue }
    }

    /// Lines 5 to 12: is B better, and by enough?
    fn is_better_by_enough(&self, significant: bool) -> Verdict {
        let reached = self.meets_threshold == Some(true);
        let below = if self.lower_end_is_short { "lower_end_below_threshold" } else { "below_success_threshold" };
        match significant {
            true if self.directions_differ => (Decision::Inconclusive, None, "directions_differ"),
            true if !self.is_better => (Decision::KeepA, Some(Winner::A), "treatment_significantly_worse"),
            true if self.baseline_zero => (Decision::Inconclusive, None, "baseline_zero"),
            true if reached => self.ships("significant_and_meets_threshold"),
            true if self.lower_end_is_unbounded => {
                (self.end(self.is_last), None, "baseline_indistinguishable_from_zero")
            }
            true if self.is_last => (Decision::KeepA, None, below),
            _ if self.cannot_meet_threshold && self.is_repeated => (Decision::KeepA, None, "cannot_reach_threshold"),
            true => (Decision::Continue, None, below),
            false => (self.end(self.is_last), None, "not_significant"),
        }
    }

    /// The same lines of a claim with a margin: where does the whole interval lie?
    fn is_within(&self, margin: f64, shown: bool, claim: &'static str) -> Verdict {
        let margin = 100.0 * margin;
        let not_shown = if claim == "equivalent" { "equivalence_not_shown" } else { "non_inferiority_not_shown" };
        match self.interval {
            _ if self.baseline_zero => (Decision::Inconclusive, None, "baseline_zero"),
            _ if shown => self.ships(claim),
            Some([_, high]) if high < -margin => (Decision::KeepA, Some(Winner::A), "inferior"),
            Some([low, _]) if low > margin && claim == "equivalent" => {
                (Decision::Review, None, "better_than_equivalent")
            }
            _ => (self.end(self.is_last), None, not_shown),
        }
    }

    /// What was asked for is shown, so the guardrails have the last word.
    fn ships(&self, reason: &'static str) -> Verdict {
        match self.guardrail_failed {
            false => (Decision::ShipB, Some(Winner::B), reason),
            true => (Decision::Review, None, "guardrail_failed"),
        }
    }
}
