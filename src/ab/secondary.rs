//! Secondary metrics: what else is looked at. They are reported, adjusted for each other, and never decide.
//!
//! May use: `stats`. Deliberately absent: the looks before. Of a metric that decides nothing every look reports what it sees.

use serde::Serialize;

use super::Arms;
use super::guardrail::{compared, read};
use crate::stats::holm;

/// A metric that is reported only.
#[derive(Debug, Clone, PartialEq)]
pub struct SecondaryMetric {
    /// The metric's name.
    pub name: String,
    /// Whether lower values are better.
    pub lower_is_better: bool,
}

/// A secondary metric: its p-value, and what is left of it among all of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Secondary {
    /// The metric's name.
    pub name: String,
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
    /// Fieller's interval of it at the plan's level, in percent; not adjusted for the other metrics.
    pub relative_improvement_ci: Option<[f64; 2]>,
    /// Its own two-sided p-value, of this look alone; `None` where the comparison is undefined.
    pub p_value: Option<f64>,
    /// Adjusted for all secondary metrics that have one (Holm 1979): below the level, the difference holds beside the others.
    pub adjusted_p_value: Option<f64>,
    /// Whether it does.
    pub is_significant: bool,
    /// Why there is no p-value.
    pub reason: Option<&'static str>,
}

/// Compares secondary metrics at `alpha`, and adjusts them for each other.
pub(super) fn secondary_metrics(metrics: &[(SecondaryMetric, Arms)], alpha: f64) -> Vec<Secondary> {
    let mut all: Vec<Secondary> = metrics
        .iter()
        .map(|(metric, arms)| {
            let found = compared(arms, alpha);
            let (means, improvement) = read(arms, found.as_ref().ok(), metric.lower_is_better);
            Secondary {
                name: metric.name.clone(),
                n_a: arms.a().n(),
                n_b: arms.b().n(),
                mean_a: means[0],
                mean_b: means[1],
                relative_improvement: improvement.percent,
                relative_improvement_ci: improvement.interval,
                p_value: found.ok().map(|found| found.p_value.p()),
                adjusted_p_value: None,
                is_significant: false,
                reason: found.err().map(super::Undefined::as_str),
            }
        })
        .collect();
    let adjusted = holm(&all.iter().filter_map(|metric| metric.p_value).collect::<Vec<_>>());
    for (metric, adjusted) in all.iter_mut().filter(|metric| metric.p_value.is_some()).zip(adjusted) {
        metric.adjusted_p_value = Some(adjusted);
        metric.is_significant = adjusted < alpha;
    }
    all
}
