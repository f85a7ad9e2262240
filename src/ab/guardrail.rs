//! Guardrails: metrics beside the one that decides, which must not be hurt.
//!
//! May use: `stats`. Deliberately absent: a decision. A failed guardrail turns a shipment into a review, which people decide.

use serde::Serialize;

use super::confidence_sequence::SEQUENCE_FROM;
use super::judgement::unusable;
use super::looks::Rule;
use super::margin::beyond_margin_of;
use super::methods::{DeLongTest, PairedTTest};
use super::sentence::{p_in_words, percent_in_words};
use super::{Arms, Comparison, Improvement, Plan, Question, Test, Undefined, improvement, welch};

/// What a guardrail asks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardrailRule {
    /// B must not be significantly worse.
    NoHarm,
    /// B must be shown to be worse by less than this fraction of A (0.01 is 1 %).
    NonInferiority(f64),
}

/// A metric that must not be hurt.
#[derive(Debug, Clone, PartialEq)]
pub struct Guardrail {
    /// The metric's name.
    pub name: String,
    /// What it asks.
    pub rule: GuardrailRule,
    /// Whether lower values are better.
    pub lower_is_better: bool,
}

/// A guardrail, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GuardrailResult {
    /// The metric's name.
    pub name: String,
    /// What it asks.
    pub rule: GuardrailRule,
    /// Whether it holds. What cannot be shown does not hold; what cannot be computed does only without variance and without loss.
    pub passes: bool,
    /// Usable rows of A.
    pub n_a: u64,
    /// Usable rows of B.
    pub n_b: u64,
    /// Mean of A (or its area under the curve, where that is compared).
    pub mean_a: Option<f64>,
    /// Mean of B.
    pub mean_b: Option<f64>,
    /// Percent, positive when B is better; `None` when A is 0.
    pub relative_improvement: Option<f64>,
    /// Fieller's interval of it, in percent, at one minus twice the level: each of its ends is as certain as the one-sided judgement.
    pub relative_improvement_ci: Option<[f64; 2]>,
    /// The one-sided p-value it was judged by: of harm, or of being inside the margin.
    pub p_value: Option<f64>,
    /// Why there is none.
    pub reason: Option<&'static str>,
}

impl Guardrail {
    /// Judges the metric's arms, one-sided. Harm is searched for at the plan's level at every look, for finding it is what is to be easy.
    /// Being inside the margin is held against the rule of the look, for it is what may ship: against half of its level, as the same
    /// margin is where it is the question of the test. It fails closed: with fewer rows than the plan asks for in an arm, or values that are
    /// missing in one arm more than in the other, nothing is known of it.
    pub(super) fn judge(&self, arms: &Arms, plan: &Plan, rule: Rule) -> GuardrailResult {
        let alpha = plan.significance_level;
        let (level, rule) = match (self.rule, rule) {
            (GuardrailRule::NonInferiority(_), Rule::Level(level)) => (level / 2.0, rule),
            (GuardrailRule::NonInferiority(_), Rule::Silent(_)) => (alpha / 2.0, rule),
            (GuardrailRule::NonInferiority(_), Rule::Sequence(_)) => (alpha, rule),
            (GuardrailRule::NoHarm, _) => (alpha, Rule::Level(alpha)),
        };
        let found = compared(arms, 2.0 * if level > 0.0 { level } else { alpha });
        let tail = found.and_then(|found| match (self.rule, rule) {
            (GuardrailRule::NoHarm, _) => Ok(if self.lower_is_better { found.p_greater } else { found.p_less }),
            (_, Rule::Sequence(_)) if arms.a().n().min(arms.b().n()) < SEQUENCE_FROM => {
                Err(Undefined::InsufficientData)
            }
            (GuardrailRule::NonInferiority(margin), _) => {
                beyond_margin_of(arms, &found, -margin, self.lower_is_better).map(|test| test.p_under(rule, arms))
            }
        });
        let too_few = arms.a().n().min(arms.b().n()) < plan.min_samples.max(2);
        let (passes, p_value, reason) = match (tail, self.rule) {
            _ if unusable(arms).is_some() => (false, None, unusable(arms)),
            _ if too_few => (false, None, Some("below_min_samples")),
            (Ok(tail), GuardrailRule::NoHarm) => (tail.p() >= level, Some(tail.p()), None),
            (Ok(tail), GuardrailRule::NonInferiority(_)) => (tail.p() < level, Some(tail.p()), None),
            // Both arms constant: the values themselves say whether it got worse.
            (Err(Undefined::ZeroVariance), _) => (!self.is_worse(arms), None, Some("zero_variance")),
            (Err(undefined), _) => (false, None, Some(undefined.as_str())),
        };
        let critical = match rule {
            Rule::Sequence(sequence) => Some(sequence.look(0.0, arms.independent_rows() as f64).critical),
            Rule::Level(_) | Rule::Silent(_) => found.ok().and_then(|found| found.critical),
        };
        let found = found.ok().map(|found| Comparison { critical, ..found });
        let (means, improvement) = read(arms, found.as_ref(), self.lower_is_better);
        GuardrailResult {
            name: self.name.clone(),
            rule: self.rule,
            passes,
            n_a: arms.a().n(),
            n_b: arms.b().n(),
            mean_a: means[0],
            mean_b: means[1],
            relative_improvement: improvement.percent,
            relative_improvement_ci: improvement.interval,
            p_value,
            reason,
        }
    }

    fn is_worse(&self, arms: &Arms) -> bool {
        let difference = arms.a().difference_to(arms.b(), 0);
        // The means of scores say nothing of the areas.
        arms.is_scores() || if self.lower_is_better { difference > 0.0 } else { difference < 0.0 }
    }
}

impl GuardrailResult {
    /// Whether it holds and why not, for people: what follows the metric's name.
    #[must_use]
    pub fn verdict(&self) -> String {
        if self.passes { "holds".to_owned() } else { self.failure() }
    }

    /// Why it failed, for people: the end of a sentence that begins with the metric's name.
    pub(super) fn failure(&self) -> String {
        let by = self.relative_improvement.map_or_else(String::new, |percent| format!(" by {:.1} %", percent.abs()));
        match (self.rule, self.p_value, self.reason) {
            (_, _, Some("zero_variance")) => format!("is worse{by}"),
            (_, _, Some("insufficient_data" | "below_min_samples")) => {
                format!("has too few rows to be judged ({} of A, {} of B)", self.n_a, self.n_b)
            }
            (_, _, Some("no_usable_rows")) => "has no rows in both arms to be judged by".to_owned(),
            (_, _, Some("missing_values_differ")) => "is missing in one arm more than in the other".to_owned(),
            (_, _, Some(reason)) => format!("cannot be judged ({reason})"),
            (GuardrailRule::NoHarm, p, None) => format!("is worse{by} (p {})", p_in_words(p)),
            (GuardrailRule::NonInferiority(margin), ..) => {
                format!("cannot be shown to be within {} %", percent_in_words(margin))
            }
        }
    }
}

/// How a metric beside the deciding one is compared: by its means, of pairs where the arms share their rows; scores by their areas.
pub(super) fn compared(arms: &Arms, alpha: f64) -> Result<Comparison, Undefined> {
    let question = Question { alpha, seed: 0 };
    match (arms.is_scores(), arms.is_paired()) {
        (true, _) => DeLongTest.compare(arms, &question),
        (false, true) => PairedTTest.compare(arms, &question),
        (false, false) => welch(arms.a(), arms.b(), alpha),
    }
}

/// Both means and the improvement, also where no test is defined.
pub(super) fn read(arms: &Arms, found: Option<&Comparison>, lower_is_better: bool) -> ([Option<f64>; 2], Improvement) {
    match found {
        Some(found) => {
            let improvement = found.improvement(lower_is_better);
            (found.values.map(Some), improvement.unwrap_or_else(|| Improvement::undefined("undefined")))
        }
        None if arms.is_scores() => ([None; 2], Improvement::undefined("undefined")),
        None => ([arms.a().mean(), arms.b().mean()], improvement(arms.a(), arms.b(), lower_is_better, None)),
    }
}
