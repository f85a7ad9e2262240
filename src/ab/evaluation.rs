//! The result of one look at a test, and what a look needs to know besides the values; [`super::judgement`] fills it.

use serde::Serialize;

use super::{
    Arms, Decision, Guardrail, GuardrailResult, Hypothesis, PastLook, Posterior, Secondary, SecondaryMetric,
    ThresholdMode, Winner,
};

/// The result of one look. A field is `None` where the number does not exist; `reason` says why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Usable rows of A.
    pub n_a: u64,
    /// Usable rows of B.
    pub n_b: u64,
    /// Rows of A without a usable value.
    pub dropped_a: u64,
    /// Rows of B without a usable value.
    pub dropped_b: u64,
    /// Mean of A (or its area under the curve, where that is compared).
    pub mean_a: Option<f64>,
    /// Mean of B.
    pub mean_b: Option<f64>,
    /// B - A, in the metric's unit.
    pub absolute_difference: Option<f64>,
    /// Lower end of its interval at `1 - level`.
    pub difference_low: Option<f64>,
    /// Upper end of its interval.
    pub difference_high: Option<f64>,
    /// Percent, positive when B is better; `None` when A is 0.
    pub relative_improvement: Option<f64>,
    /// Its interval at `1 - level`, in percent: Fieller's, or the bootstrap's; `None` when unbounded.
    pub relative_improvement_ci: Option<[f64; 2]>,
    /// The difference in pooled standard deviations (Cohen's d).
    pub effect_size: Option<f64>,
    /// The smallest difference a repetition with these rows would detect at this level in 80 of 100 cases.
    pub minimum_detectable_difference: Option<f64>,
    /// The test statistic.
    pub statistic: Option<f64>,
    /// Its degrees of freedom.
    pub df: Option<f64>,
    /// Two-sided p-value, valid at every look where a confidence sequence monitors; 0 below the smallest double.
    pub p_value: Option<f64>,
    /// Its logarithm to base 10, right even where the p-value is 0.
    pub log10_p_value: Option<f64>,
    /// The one-sided p-value of the claim with a margin (non-inferiority or equivalence). The interval decides, which is two-sided: the
    /// claim is shown where this is below half of the level, or below the level under a confidence sequence, up to rounding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_p_value: Option<f64>,
    /// The level this look was held against; none for a look that can decide nothing and uses nothing up.
    pub level: Option<f64>,
    /// The share of the level's spending time that this look uses up, 0..=1; none where looks do not share the level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// What a Bayesian test believes now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub posterior: Option<Posterior>,
    /// p-value of the sample-ratio check; `None` without rows.
    pub sample_ratio_p_value: Option<f64>,
    /// Whether the arms got rows in another ratio than planned.
    pub sample_ratio_mismatch: bool,
    /// Whether the difference is significant, all conditions included; of a claim with a margin, whether it is shown.
    pub is_significant: bool,
    /// Whether the improvement reaches the bar; `None` when it cannot be known, and where a margin is asked for instead.
    pub meets_threshold: Option<bool>,
    /// What to do now.
    pub decision: Decision,
    /// The better arm, once decided.
    pub winner: Option<Winner>,
    /// Why, in one word, e.g. `not_significant`.
    pub reason: &'static str,
    /// The guardrails, judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<GuardrailResult>,
    /// The secondary metrics.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secondary_metrics: Vec<Secondary>,
    /// What people should know besides.
    pub warnings: Vec<String>,
    /// What had to reach the threshold.
    #[serde(skip)]
    pub threshold_mode: ThresholdMode,
    /// What was to be shown.
    #[serde(skip)]
    pub hypothesis: Hypothesis,
    /// The rows of A and of B at the look before, where there are no more of them now.
    #[serde(skip)]
    pub(super) rows_before: Option<[u64; 2]>,
}

/// What is known beside the values of the metric.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances<'a> {
    /// Looks that used something of the plan up before this one, oldest first.
    pub past: &'a [PastLook],
    /// Share of the spending time at this look (elapsed time / planned time), 0..=1; `None` counts as the number of the look among the
    /// planned ones. The last look gets all that is left, whatever it says.
    pub share: Option<f64>,
    /// Units assigned to A and to B, where the rows of the metric are not the units that were assigned.
    pub assigned: Option<[u64; 2]>,
    /// Whether the test has not yet run as long as agreed.
    pub below_min_duration: bool,
    /// The guardrails with their values.
    pub guardrails: &'a [(Guardrail, Arms)],
    /// The secondary metrics with their values.
    pub secondary: &'a [(SecondaryMetric, Arms)],
    /// The level of this look, where the caller has worked the boundaries out already.
    pub level: Option<f64>,
}
