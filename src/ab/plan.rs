//! What a test was planned to be, which look at it this is, and what is wrong with its data.

use super::StatisticalTest;

/// The rules of a test, fixed before it starts.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Whether a smaller mean is better.
    pub lower_is_better: bool,
    /// Share of units assigned to B, between 0 and 1.
    pub traffic_split: f64,
    /// Rows each arm needs before it is judged; at least 2 are needed whatever it says.
    pub min_samples: u64,
    /// Relative improvement B must reach, as a fraction (0.02 is 2 %); inclusive.
    pub success_threshold: f64,
    /// Probability of a false positive over the whole test, between 0 and 1.
    pub significance_level: f64,
    /// The statistical test.
    pub test: &'static dyn StatisticalTest,
}

/// Which look at an accumulating test this is.
///
/// Every look is another chance of a false positive: a daily test at 0.05 has 27.5 % over 28 days. Until there are
/// group-sequential boundaries:
/// * `planned` looks share the significance level equally (Bonferroni): each is judged, and its intervals are drawn, at level
///   divided by `planned`. The p-value reported stays raw. A look beyond the planned ones divides by its own number.
/// * without planned looks the first one is judged at the full level, and a later one only when it is final; that one warns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// The number of this look, from 1.
    pub look: u32,
    /// How many looks were planned, where that is known.
    pub planned: Option<u32>,
    /// Whether this is the end of the test, or an evaluation somebody asked for once.
    pub is_final: bool,
}

impl Looks {
    /// The only look: a one-off evaluation.
    pub const ONCE: Looks = Looks { look: 1, planned: None, is_final: true };

    /// By how much the significance level is divided.
    pub(super) fn divisor(self) -> u32 {
        self.planned.map_or(1, |planned| planned.max(self.look).max(1))
    }

    /// Whether this look may call a difference significant.
    pub(super) fn may_decide(self) -> bool {
        self.planned.is_some() || self.look <= 1 || self.is_final
    }

    /// Whether several looks share the level, so that their intervals hold together.
    pub(super) fn is_sequential(self) -> bool {
        self.planned.is_some_and(|planned| planned > 1)
    }
}

/// Rows that could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DataProblem {
    /// Rows of a variant that is neither A nor B.
    pub unknown_variants: u64,
    /// Rows assigned to A whose outcome is missing or not finite.
    pub missing_a: u64,
    /// Rows assigned to B whose outcome is missing or not finite.
    pub missing_b: u64,
}
