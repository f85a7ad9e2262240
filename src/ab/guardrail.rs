//! Metrics beside the one that decides: guardrails that must not be hurt, and secondary metrics that are only reported.
//!
//! May use: `stats`. Deliberately absent: a decision. A failed guardrail turns a shipment into a review, which people decide.

use serde::Serialize;

use super::margin::beyond_margin;
use super::{Arms, Undefined, welch};
use crate::stats::holm;

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
    /// Whether it holds. What cannot be shown does not hold; what cannot be computed does only under `no_harm` without variance.
    pub passes: bool,
    /// The p-value it was judged by: of harm, or of being inside the margin.
    pub p_value: Option<f64>,
    /// Why there is none.
    pub reason: Option<&'static str>,
}

impl Guardrail {
    /// Judges the metric's arms, one-sided at `alpha`: harm is searched for at that level, and so is being inside the margin.
    pub fn judge(&self, arms: &Arms, alpha: f64) -> GuardrailResult {
        let tail = match self.rule {
            GuardrailRule::NoHarm => welch(arms.a(), arms.b(), alpha)
                .map(|found| if self.lower_is_better { found.p_greater } else { found.p_less }),
            GuardrailRule::NonInferiority(margin) => {
                beyond_margin(arms.a(), arms.b(), -margin, self.lower_is_better).map(|found| found.p_value)
            }
        };
        let (passes, p_value, reason) = match (tail, self.rule) {
            (Ok(tail), GuardrailRule::NoHarm) => (tail.p() >= alpha, Some(tail.p()), None),
            (Ok(tail), GuardrailRule::NonInferiority(_)) => (tail.p() < alpha, Some(tail.p()), None),
            // Both arms constant: the values themselves say whether it got worse.
            (Err(Undefined::ZeroVariance), _) => (!self.is_worse(arms), None, Some("zero_variance")),
            (Err(undefined), _) => (false, None, Some(undefined.as_str())),
        };
        GuardrailResult { name: self.name.clone(), rule: self.rule, passes, p_value, reason }
    }

    fn is_worse(&self, arms: &Arms) -> bool {
        let difference = arms.a().difference_to(arms.b(), 0);
        if self.lower_is_better { difference > 0.0 } else { difference < 0.0 }
    }
}

/// Whether one of the guardrails failed.
pub(super) fn any_failed(results: &[GuardrailResult]) -> bool {
    results.iter().any(|result| !result.passes)
}

/// A secondary metric: its p-value, and what is left of it among all of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Secondary {
    /// The metric's name.
    pub name: String,
    /// Its own two-sided p-value.
    pub p_value: f64,
    /// Adjusted for all secondary metrics (Holm 1979): below the level, the difference holds beside the others.
    pub adjusted_p_value: f64,
    /// Whether it does.
    pub is_significant: bool,
}

/// Adjusts secondary metrics, given by name and p-value, for each other.
pub fn secondary_metrics(metrics: &[(String, f64)], alpha: f64) -> Vec<Secondary> {
    let adjusted = holm(&metrics.iter().map(|(_, p)| *p).collect::<Vec<_>>());
    metrics
        .iter()
        .zip(adjusted)
        .map(|((name, p_value), adjusted_p_value)| Secondary {
            name: name.clone(),
            p_value: *p_value,
            adjusted_p_value,
            is_significant: adjusted_p_value < alpha,
        })
        .collect()
}
