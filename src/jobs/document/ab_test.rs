//! `[ab_test]`: two versions, what is compared, and the rules.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Section `[ab_test]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AbSpec {
    /// Name of the test.
    pub test: String,
    /// Arm A.
    pub control: ArmSpec,
    /// Arm B.
    pub treatment: ArmSpec,
    /// Column that says which arm served a row; none where `data.reference` holds the control's rows and `data.current` the
    /// treatment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant_column: Option<String>,
    /// Column with the unit that was assigned: its rows count as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_column: Option<String>,
    /// Column with what tells a row from its repetition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_column: Option<String>,
    /// How long an outcome may take to come: rows younger than that count in neither arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_delay_seconds: Option<i64>,
    /// `brier`, `log_loss`, `accuracy`, `absolute_error`, `squared_error` or `mean`.
    pub metric: String,
    /// Column whose mean is compared; present when the metric is `mean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Column with the truth; present when the metric is not `mean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether smaller is better; see [`AbSpec::lower_is_better`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_is_better: Option<bool>,
    /// `superiority`, `non_inferiority` or `equivalence`; the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hypothesis: Option<String>,
    /// By how much B may be worse or differ, as a fraction of A.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// `point` or `superiority`; the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_mode: Option<String>,
    /// `auto`, `group_sequential`, `always_valid` or `horizon`; the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<String>,
    /// `block` or `warn`; the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_ratio_policy: Option<String>,
    /// How long the test runs at least before anything is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_duration_seconds: Option<i64>,
    /// Column with what was known of each row before the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariate: Option<String>,
    /// Metrics that must not be hurt, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guardrails: BTreeMap<String, SideSpec>,
    /// Metrics that are only reported, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secondary_metrics: BTreeMap<String, SideSpec>,
    /// Share of the traffic that the treatment should see, between 0 and 1.
    pub traffic_split: f64,
    /// Rows that each arm needs.
    pub min_samples: u64,
    /// Relative improvement that is asked for, as a fraction.
    pub success_threshold: f64,
    /// Name of the statistical test.
    pub statistical_test: String,
    /// Two-sided level, between 0 and 1.
    pub significance_level: f64,
    /// First instant that counts; evaluations are over `[starts, tick)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<DateTime<Utc>>,
    /// The horizon: from here on the plain test decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<DateTime<Utc>>,
}

impl AbSpec {
    /// Whether a smaller value of the metric is better: as the document says, else by the metric (errors and losses:
    /// yes; `accuracy` and `mean`: no).
    #[must_use]
    pub fn lower_is_better(&self) -> bool {
        self.lower_is_better.unwrap_or(lower_is_better(&self.metric))
    }

    /// The side metric of that name.
    #[must_use]
    pub fn side_metric(&self, name: &str) -> Option<&SideSpec> {
        self.guardrails.get(name).or_else(|| self.secondary_metrics.get(name))
    }
}

/// Whether a smaller value of a metric of A/B jobs is better.
fn lower_is_better(metric: &str) -> bool {
    !matches!(metric, "accuracy" | "roc_auc" | "mean")
}

/// A metric beside the one that decides: `[ab_test.guardrails.<name>]`, `[ab_test.secondary_metrics.<name>]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SideSpec {
    /// As that of the test; `mean` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Column whose mean is compared; present when the metric is `mean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Whether smaller is better; by the metric when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_is_better: Option<bool>,
    /// Of a guardrail: by how much B may be worse, as a fraction of A.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}

impl SideSpec {
    /// The metric.
    #[must_use]
    pub fn metric(&self) -> &str {
        self.metric.as_deref().unwrap_or("mean")
    }

    /// Whether a smaller value is better.
    #[must_use]
    pub fn lower_is_better(&self) -> bool {
        self.lower_is_better.unwrap_or(lower_is_better(self.metric()))
    }
}

/// One arm of an A/B test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmSpec {
    /// Value of the variant column, as text; empty where there is no such column.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Version of the model that serves this arm.
    pub version: String,
    /// The model's name; the job's model when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Column with this arm's probability of the positive class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    /// Column with this arm's predicted class or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// Column with this arm's outcome, where both models' stand in the same rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}
