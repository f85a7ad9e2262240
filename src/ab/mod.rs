//! A/B tests between two model versions: is B better than A, by enough, and can the data be trusted?
//!
//! May use: `stats`. No I/O, no clock, no async; chance comes from a seed. A look is a pure function of the plan, the arms and which
//! look it is. Directions: every difference is B - A; a relative improvement is a percentage that is positive when B is better.
//! What holds:
//! * Significance fails closed: without enough rows, with the wrong sample ratio or without variance nothing is significant.
//! * The interval of the relative improvement agrees with that of the difference: Fieller's has the same critical value, and the bootstrap
//!   takes both from the same draws. So it agrees with the p-value of every test whose interval of the difference does.
//! * Looking again costs: see [`Looks`]. Planned looks together find what is not there no more often than the level says, however unevenly
//!   rows arrive between them.
//! * A claim with a margin ([`Hypothesis`]) is decided by that interval, behind the same conditions.
//!
//! A statistical test is one file in `methods` and one line in [`ALL`]. Deliberately absent: where rows come from, and when to look.

mod advice;
mod arms;
mod assignment;
mod bootstrap_distribution;
mod boundary;
mod claim;
mod comparison;
mod confidence_sequence;
mod decision;
mod effect;
mod evaluation;
mod guardrail;
mod improvement;
mod judgement;
mod looks;
mod margin;
mod methods;
mod plan;
mod posterior;
mod power;
mod progress;
mod sample_ratio;
mod secondary;
mod sentence;
mod sequential_power;
mod units;
mod warnings;

use std::fmt;

pub use arms::{Arms, Needs, Scored, Share};
pub use assignment::{bucket, sees_b};
pub use bootstrap_distribution::Bootstrap;
pub use boundary::{
    Boundary, Spending, boundaries, boundaries_by, crossing_chance, obrien_fleming_constant, pocock_constant,
};
pub use comparison::{Comparison, RelativeInterval, Undefined};
pub use confidence_sequence::{ConfidenceSequence, Monitored, Msprt, SequenceLook, monitor, msprt, tuned_rows};
pub use decision::{Decision, Winner};
pub use effect::{EffectSize, cliffs_delta, effect_size, hedges_correction};
pub use evaluation::{Circumstances, Evaluation};
pub use guardrail::{Guardrail, GuardrailResult, GuardrailRule};
pub use improvement::{Improvement, Ratio, improvement, meets_threshold};
pub use judgement::{evaluate, evaluate_under};
pub use looks::{Looks, PastLook, planned_level};
pub use margin::{Equivalence, MarginTest, beyond_margin, equivalence};
pub use methods::{
    AlwaysValid, Bayesian, BootstrapTest, ChiSquare, DeLong, DeLongTest, FisherExact, GroupSequential, MannWhitneyTest,
    McNemar, McNemarTest, PairedTTest, Permutation, PermutationTest, ProportionsZTest, StudentTTest, TTest,
    WilcoxonSignedRank, newcombe, permutation, student, welch,
};
pub use plan::{Hypothesis, LONGEST_DAYS, Monitoring, Plan, SampleRatioPolicy, ThresholdMode};
pub use posterior::{BetaBinomial, Posterior};
pub use power::{
    Outlook, PlannedRows, ShareRows, Sides, detectable_improvement, share_rows, t_test_power, t_test_rows,
};
pub use progress::{Agreed, Need, Pace, Seen, pace};
pub use sample_ratio::{MISMATCH_BELOW, SampleRatio, sample_ratio};
pub use secondary::{Secondary, SecondaryMetric};
pub use sequential_power::{Bar, Course, Prospect, Stop, course, inflation, sequential_drift};
pub use units::{Adjustment, NotAdjusted, adjusted_arms, in_both_arms, linearised, unit_means, unit_sums};

/// Every statistical test, the default first.
pub static ALL: &[&dyn Test] = &[
    &TTest,
    &StudentTTest,
    &PairedTTest,
    &MannWhitneyTest,
    &WilcoxonSignedRank,
    &ProportionsZTest,
    &ChiSquare,
    &FisherExact,
    &McNemarTest,
    &DeLongTest,
    &BootstrapTest,
    &PermutationTest,
    &GroupSequential,
    &AlwaysValid,
    &Bayesian,
];

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
    /// What it needs to know of the arms.
    fn needs(&self) -> Needs;
    /// Whether it gives the relative improvement an interval, which a margin and the threshold mode `superiority` are judged by.
    fn has_interval(&self) -> bool {
        true
    }
    /// The rule for repeated looks that goes with the test whatever the plan says; `None` leaves it to the plan.
    fn monitoring(&self) -> Option<Monitoring> {
        None
    }
    /// Compares the arms.
    ///
    /// # Errors
    /// When the comparison is undefined for these arms, or they do not hold what it needs.
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined>;
}

/// How a comparison is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// The interval is at `1 - alpha`.
    pub alpha: f64,
    /// Seed of tests that resample.
    pub seed: u64,
}

/// The test of that name.
pub fn test(name: &str) -> Option<&'static dyn Test> {
    ALL.iter().copied().find(|test| test.name() == name)
}

/// The test that somebody may have meant by `name`; `None` when none is close.
pub fn likely_test(name: &str) -> Option<&'static str> {
    let similarity = |test: &&dyn Test| strsim::jaro_winkler(&name.to_lowercase().replace('-', "_"), test.name());
    let best = ALL.iter().copied().max_by(|x, y| similarity(x).total_cmp(&similarity(y)))?;
    (similarity(&best) > 0.7).then(|| best.name())
}

#[cfg(test)]
mod boundary_tests;
#[cfg(test)]
mod claim_tests;
#[cfg(test)]
mod cuped_tests;
#[cfg(test)]
mod guardrail_tests;
#[cfg(test)]
mod looks_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod sequential_power_tests;
#[cfg(test)]
mod tests;
