//! Which look this is, and what it is held against.
//!
//! Looking at a 5 % test every day for four weeks finds something in 27 % of tests without a difference. Planned looks therefore share the
//! level by the Lan-DeMets boundary of O'Brien and Fleming: little at first, most at the end, together no more than the level. What
//! may be spent goes by a clock that was chosen beforehand (the share of the planned time, or the number of the look); how much a
//! look repeats the ones before goes by the rows they had. Where nothing was planned, looks are held against a confidence sequence.
//! May use: the boundaries and the sequence. Deliberately absent: what is done with the level, see [`super::decision`].

use super::boundary::{SMALLEST_STEP, Spending, boundaries, boundaries_by};
use super::confidence_sequence::{ConfidenceSequence, tuned_rows};
use super::evaluation::Circumstances;
use super::plan::{Monitoring, Plan};

/// Which look this is.
///
/// A look beyond the plan is never significant, not even the last one: the level is used up. The last look of a test without a plan
/// decides by the plain test where no look used anything up before it, and by the confidence sequence otherwise.
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

    /// Whether no look comes after this one that could decide: the final one, or the last that was planned.
    fn is_last(self) -> bool {
        self.is_final || self.planned == Some(self.look)
    }
}

/// What an earlier look that used something of the plan up had.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PastLook {
    /// Share of the level's spending time then, 0..=1; `None` counts as the number of the look among the planned ones.
    pub share: Option<f64>,
    /// Rows of A and of B then.
    pub rows: [u64; 2],
}

/// What a look is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// A plain p-value against this level.
    Level(f64),
    /// A confidence sequence at the plan's level.
    Sequence(ConfidenceSequence),
    /// Nothing: the look reports, for this reason.
    Silent(&'static str),
}

/// The rule of a look, and what it uses up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Held {
    pub(super) rule: Rule,
    /// The share of the spending time that is used up by this look, where looks share the level.
    pub(super) share: Option<f64>,
    /// Whether no look comes after this one that could decide.
    pub(super) is_last: bool,
    /// Whether this look is one of several that could decide, or may be.
    pub(super) is_repeated: bool,
    /// The rows of the look before, where this one has no more of them.
    pub(super) stale: Option<[u64; 2]>,
    /// Whether a confidence sequence was to monitor a test that has no standard error for it.
    pub(super) lacks_standard_error: bool,
}

impl Held {
    /// The rule of a look with `rows` of A and of B.
    pub(super) fn of(plan: &Plan, looks: Looks, rows: [u64; 2], circumstances: &Circumstances<'_>) -> Self {
        let alpha = plan.significance_level;
        let monitoring = plan.test.monitoring().unwrap_or(plan.monitoring);
        let mut held = Self {
            rule: Rule::Silent("unplanned_look"),
            share: None,
            is_last: looks.is_last(),
            is_repeated: looks.planned.map_or(!looks.is_final, |planned| planned > 1),
            stale: None,
            lacks_standard_error: false,
        };
        if !looks.may_decide() {
            // No planned look is left; a glance beside the plan says nothing of what is.
            held.is_last = looks != Looks::GLANCE;
            return held;
        }
        if let Some(level) = circumstances.level {
            return Self { rule: Rule::Level(level), share: circumstances.share, ..held };
        }
        let shares_the_level = matches!(monitoring, Monitoring::Auto | Monitoring::GroupSequential);
        if shares_the_level && looks.planned == Some(1) {
            return Self { rule: Rule::Level(alpha), ..held };
        }
        if let Some(clock) = Clock::of(looks, circumstances).filter(|_| shares_the_level) {
            clock.spend(&mut held, alpha, rows, circumstances.past, looks);
            return held;
        }
        match monitoring {
            Monitoring::Horizon if is_at_the_horizon(looks, circumstances.share) => held.rule = Rule::Level(alpha),
            Monitoring::Horizon => held.rule = Rule::Silent("waits_for_horizon"),
            // Somebody asks for a verdict of what nobody could have decided on before.
            Monitoring::Auto if looks.is_final && looks.look == 1 => held.rule = Rule::Level(alpha),
            Monitoring::GroupSequential if looks.is_final && looks.look == 1 => held.rule = Rule::Level(alpha),
            // Without a plan there is no share of the information to spend by.
            Monitoring::GroupSequential => {}
            Monitoring::Auto | Monitoring::AlwaysValid => {
                if let Some(sequence) = ConfidenceSequence::tuned(alpha, tuned_rows(plan.min_samples)) {
                    held.rule = Rule::Sequence(sequence);
                    held.is_repeated = true;
                }
            }
        }
        held
    }

    /// The rule for a test without a standard error: no confidence sequence is there for it, so it decides at no look but the final one,
    /// which is then the only one and held against the plain level.
    pub(super) fn without_standard_error(self, alpha: f64, is_final: bool) -> Self {
        let rule = match self.rule {
            Rule::Sequence(_) if is_final => Rule::Level(alpha),
            Rule::Sequence(_) => Rule::Silent("waits_for_horizon"),
            _ => return self,
        };
        Self { rule, is_repeated: false, lacks_standard_error: true, ..self }
    }

    /// Whether this look is held against a level that no other look shares.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.rule, Rule::Level(_)) && self.share.is_none()
    }

    /// Why this look decides nothing.
    pub(super) fn silent(&self) -> Option<&'static str> {
        match self.rule {
            Rule::Silent(reason) => Some(reason),
            _ => None,
        }
    }
}

/// The clock by which the level is spent: its share at the looks that used something up, and now.
struct Clock {
    before: Vec<f64>,
    now: f64,
    /// Whether what is known of the looks before is all of them.
    is_complete: bool,
}

impl Clock {
    /// `None` where nothing says how far the test is: it has no plan.
    fn of(looks: Looks, circumstances: &Circumstances<'_>) -> Option<Self> {
        let past = circumstances.past;
        let by_number = |number: u32| looks.planned.map(|planned| f64::from(number) / f64::from(planned.max(1)));
        let given = |share: Option<f64>| share.filter(|share| share.is_finite()).map(|share| share.clamp(0.0, 1.0));
        let is_complete = u32::try_from(past.len()).is_ok_and(|before| before.checked_add(1) == Some(looks.look));
        let now = given(circumstances.share).or(by_number(looks.look))?;
        let before: Option<Vec<f64>> =
            past.iter().zip(1..).map(|(look, number)| given(look.share).or(by_number(number))).collect();
        // What is left goes to the last planned look. Whoever ends a test earlier may do so because of what was seen, so that look has the
        // share of its place in the plan; a horizon that time has reached says so by its share.
        let now = if looks.planned == Some(looks.look) { 1.0 } else { now };
        let clock = Self { before: before?, now, is_complete };
        (is_complete || looks.planned.is_some()).then_some(clock)
    }

    /// The level of this look.
    fn spend(self, held: &mut Held, alpha: f64, rows: [u64; 2], past: &[PastLook], looks: Looks) {
        if self.before.iter().any(|share| *share >= 1.0) {
            // The level is used up, so this look is beyond the plan.
            held.is_last = true;
            return;
        }
        let known = self.is_complete && past.iter().map(|look| look.rows).chain([rows]).all(|[a, b]| a.min(b) > 0);
        let (shares, information) = if known {
            if let Some(last) = past.last().filter(|last| information(rows) <= information(last.rows)) {
                held.stale = Some(last.rows);
                if !looks.is_final {
                    held.rule = Rule::Silent("no_new_rows");
                    return;
                }
            }
            let all = past.iter().map(|look| look.rows).chain([rows]).map(information);
            (self.before.into_iter().chain([self.now]).collect::<Vec<_>>(), rising(all))
        } else {
            // Of looks whose rows nobody knows, the best guess is that they were equally far apart.
            let planned = looks.planned.unwrap_or(looks.look).max(1);
            let equal = (1..=looks.look.min(planned)).map(|k| f64::from(k) / f64::from(planned)).collect::<Vec<_>>();
            (equal.clone(), equal)
        };
        held.share = shares.last().copied();
        held.is_last |= looks.planned.is_some() && held.share.is_some_and(|share| share >= 1.0);
        let found = boundaries_by(&shares, &information, alpha, Spending::OBrienFleming);
        held.rule = Rule::Level(found.last().map_or(0.0, |boundary| boundary.level));
    }
}

/// Whether a look is the one that was to decide: by the time that has passed, else by its number; without a plan the one that ends the test.
fn is_at_the_horizon(looks: Looks, share: Option<f64>) -> bool {
    match (share, looks.planned) {
        (Some(share), _) => share >= 1.0,
        (None, Some(planned)) => planned == looks.look,
        (None, None) => looks.is_final,
    }
}

/// The information of a look about the difference of two means, up to a factor: `n_a n_b / (n_a + n_b)`, the inverse of the squared
/// standard error where rows of both arms vary alike. Of pairs it is half their number, which has the same ratios.
fn information([a, b]: [u64; 2]) -> f64 {
    let (a, b) = (a as f64, b as f64);
    a / (a + b) * b
}

/// Information that rises at every look: one that brought nothing, and was judged, counts as having brought very little.
fn rising(information: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut last = 0.0;
    information
        .map(|information| {
            last = information.max(last * (1.0 + SMALLEST_STEP));
            last
        })
        .collect()
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
    boundaries(&fractions, alpha, Spending::OBrienFleming).last().map_or(0.0, |boundary| boundary.level)
}
