//! Metrics beside the one that decides: guardrails, which must not be hurt, and secondary ones, which are only reported.
//!
//! Uses `ab` and `metrics` for what they mean. What holds: each has a name of its own within a test; its values stand in the same
//! rows as the outcome. Deliberately absent: where the values come from.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::validation::{FieldProblem, checks_of_metric_name};
use super::rules::Rules;
use crate::ab;
use crate::metrics;

/// Side metrics of a test, at most: a row keeps a value for each.
pub const MOST: usize = 20;

/// A metric beside the one that decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SideMetric {
    /// Its name, under which its values are posted.
    pub name: String,
    /// Whether less of it is better; by default what the metric's name says.
    #[serde(default)]
    pub lower_is_better: Option<bool>,
    /// Of a guardrail only: B must be shown to be worse by less than this fraction of A (0.01 is 1 %). Without it B must not be
    /// significantly worse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0.0, exclusive_maximum = 1.0)]
    pub margin: Option<f64>,
}

impl SideMetric {
    /// With its direction, as it stands in the plan.
    #[must_use]
    pub fn resolved(&self) -> Self {
        Self { lower_is_better: Some(self.is_lower_better()), ..self.clone() }
    }

    fn is_lower_better(&self) -> bool {
        self.lower_is_better.unwrap_or_else(|| lower_is_better_by_name(&self.name) == Some(true))
    }

    /// As the mathematics takes a guardrail.
    #[must_use]
    pub fn guardrail(&self) -> ab::Guardrail {
        ab::Guardrail {
            name: self.name.clone(),
            rule: self.margin.map_or(ab::GuardrailRule::NoHarm, ab::GuardrailRule::NonInferiority),
            lower_is_better: self.is_lower_better(),
        }
    }

    /// As the mathematics takes a secondary metric.
    #[must_use]
    pub fn secondary(&self) -> ab::SecondaryMetric {
        ab::SecondaryMetric { name: self.name.clone(), lower_is_better: self.is_lower_better() }
    }
}

/// For people: the name, which way is better, and the margin where there is one.
impl fmt::Display for SideMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.is_lower_better() { "lower is better" } else { "higher is better" };
        match self.margin {
            Some(margin) => write!(f, "{} ({direction}, worse by less than {} %)", self.name, 100.0 * margin),
            None => write!(f, "{} ({direction})", self.name),
        }
    }
}

/// What the name of a metric says of its direction; none for a metric that this program does not know.
#[must_use]
pub fn lower_is_better_by_name(name: &str) -> Option<bool> {
    metrics::metric(name).and_then(|metric| metric.higher_is_better()).map(|higher| !higher)
}

impl Rules {
    /// The names of all side metrics, guardrails first: the order of their values in a row.
    pub fn side_names(&self) -> impl Iterator<Item = &str> {
        self.guardrails.iter().chain(&self.secondary_metrics).map(|metric| metric.name.as_str())
    }
}

/// What is wrong with the side metrics of a new test that `decides` by another metric.
#[must_use]
pub fn problems(decides: &str, guardrails: &[SideMetric], secondary: &[SideMetric]) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    let mut wrong = |pointer: String, detail: String| problems.push(FieldProblem { item: 0, pointer, detail });
    let mut seen = BTreeSet::new();
    for (list, metrics) in [("guardrails", guardrails), ("secondary_metrics", secondary)] {
        for (at, metric) in metrics.iter().enumerate() {
            if let Some(problem) = checks_of_metric_name(&metric.name) {
                wrong(format!("/{list}/{at}/name"), problem);
            } else if metric.name == decides {
                wrong(format!("/{list}/{at}/name"), format!("`{decides}` is the metric that decides"));
            } else if !seen.insert(metric.name.as_str()) {
                let detail =
                    format!("`{}` is named twice: a metric is a guardrail or a secondary metric, once", metric.name);
                wrong(format!("/{list}/{at}/name"), detail);
            }
            match metric.margin {
                Some(_) if list == "secondary_metrics" => {
                    let detail = "only guardrails have a margin: a secondary metric decides nothing";
                    wrong(format!("/{list}/{at}/margin"), detail.to_owned());
                }
                Some(margin) if !(margin > 0.0 && margin < 1.0) => {
                    let detail =
                        format!("must lie between 0 and 1, not {margin}: the share of A by which B may be worse");
                    wrong(format!("/{list}/{at}/margin"), detail);
                }
                _ => {}
            }
        }
    }
    if guardrails.len() + secondary.len() > MOST {
        let detail = format!("a test has at most {MOST} guardrails and secondary metrics together");
        wrong("/guardrails".to_owned(), detail);
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, margin: Option<f64>) -> SideMetric {
        SideMetric { name: name.to_owned(), lower_is_better: None, margin }
    }

    #[test]
    fn a_known_metric_knows_its_direction() {
        assert_eq!(metric("mae", None).resolved().lower_is_better, Some(true));
        assert_eq!(metric("accuracy", None).resolved().lower_is_better, Some(false));
        assert_eq!(lower_is_better_by_name("revenue"), None);
        let declared = SideMetric { lower_is_better: Some(true), ..metric("latency_ms", Some(0.01)) };
        let guardrail = declared.guardrail();
        assert!(guardrail.lower_is_better);
        assert_eq!(declared.to_string(), "latency_ms (lower is better, worse by less than 1 %)");
        assert_eq!(guardrail.rule, ab::GuardrailRule::NonInferiority(0.01));
    }

    #[test]
    fn every_wrong_side_metric_is_named() {
        let guardrails = [metric("latency_ms", Some(0.0)), metric("latency_ms", None)];
        let secondary = [metric("cost", Some(0.1)), metric("latency_ms", None), metric("mae", None)];
        let pointers: Vec<String> = problems("mae", &guardrails, &secondary).into_iter().map(|p| p.pointer).collect();
        let expected = [
            "/guardrails/0/margin",
            "/guardrails/1/name",
            "/secondary_metrics/0/margin",
            "/secondary_metrics/1/name",
            "/secondary_metrics/2/name",
        ];
        assert_eq!(pointers, expected);
        let many: Vec<_> = (0..=MOST).map(|i| metric(&format!("m{i}"), None)).collect();
        assert_eq!(problems("x", &many, &[]).len(), 1);
    }
}
