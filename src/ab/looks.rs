//! Which look this is, and what it is held against.

use super::boundary::{Spending, boundaries};
use super::confidence_sequence::{ConfidenceSequence, tuned_rows};
use super::plan::{Monitoring, Plan};

/// Which look this is.
///
/// Looking at a 5 % test every day for four weeks finds something in 27 % of tests without a difference. Planned looks therefore share the
/// level by the Lan-DeMets boundary of O'Brien and Fleming: little at first, most at the end, together no more than the level. A
/// look beyond the plan is never significant, not even the last one: the level is used up. Where nothing was planned, looks are
/// held against a confidence sequence, and a final look decides by the plain test, whatever its number: somebody asks for a verdict now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Number of this look, from 1.
    pub look: u32,
    /// How many looks were planned; `None` for a one-off evaluation or a test without an end.
    pub planned: Option<u32>,
    /// Whether this is the last one: the horizon is reached or someone asks for a verdict now.
    pub is_final: bool,
}

impl Looks {
    /// A single evaluation that decides.
    pub const ONCE: Looks = Looks { look: 1, planned: None, is_final: true };

    /// A glance at the numbers that no plan knows: it decides nothing, ends nothing and uses nothing up.
    pub const GLANCE: Looks = Looks { look: 1, planned: Some(0), is_final: false };

    /// Whether this look may be significant at all.
    #[must_use]
    pub fn may_decide(self) -> bool {
        self.planned.is_none_or(|planned| self.look <= planned)
    }

    /// Whether this is one of several looks, or may be.
    pub(super) fn is_repeated(self) -> bool {
        self.planned.map_or(!self.is_final, |planned| planned > 1)
    }
}

/// What a look is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// A plain p-value against this level.
    Level(f64),
    /// A confidence sequence at the plan's level.
    Sequence(ConfidenceSequence),
    /// Nothing: the look reports.
    Silent,
}

impl Rule {
    /// The rule of a look. `fractions` are the shares of the planned information at the looks so far, this one last; without them,
    /// planned looks are taken to be equally far apart.
    pub(super) fn of(plan: &Plan, looks: Looks, fractions: Option<&[f64]>) -> Self {
        let alpha = plan.significance_level;
        let sequence =
            || ConfidenceSequence::tuned(alpha, tuned_rows(plan.min_samples)).map_or(Rule::Silent, Rule::Sequence);
        if !looks.may_decide() {
            return Rule::Silent;
        }
        match plan.test.monitoring().unwrap_or(plan.monitoring) {
            Monitoring::AlwaysValid => sequence(),
            Monitoring::Horizon if looks.is_final || looks.planned == Some(looks.look) => Rule::Level(alpha),
            Monitoring::Horizon => Rule::Silent,
            Monitoring::Auto | Monitoring::GroupSequential => match (fractions, looks.planned) {
                (Some(fractions), _) => Rule::Level(level_at(fractions, alpha)),
                (None, Some(1)) => Rule::Level(alpha),
                (None, Some(planned)) => Rule::Level(planned_level(looks.look, planned, alpha)),
                (None, None) if looks.is_final => Rule::Level(alpha),
                (None, None) if plan.monitoring == Monitoring::Auto && plan.test.monitoring().is_none() => sequence(),
                // Without a plan there is no share of the information to spend by.
                (None, None) => Rule::Silent,
            },
        }
    }
}

/// The level of look `look` of `planned` equally spaced ones that share `alpha`; 0 where nothing can be significant yet.
///
/// ```
/// use steward::ab::planned_level;
/// assert!((planned_level(2, 2, 0.05) - 0.0490).abs() < 1e-4);
/// ```
pub fn planned_level(look: u32, planned: u32, alpha: f64) -> f64 {
    let planned = planned.max(1);
    let fractions: Vec<f64> = (1..=look.min(planned)).map(|k| f64::from(k) / f64::from(planned)).collect();
    level_at(&fractions, alpha)
}

fn level_at(fractions: &[f64], alpha: f64) -> f64 {
    boundaries(fractions, alpha, Spending::OBrienFleming).last().map_or(0.0, |boundary| boundary.level)
}
