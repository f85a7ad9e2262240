//! Section `[metrics]` of a job document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Task;

/// What changes are measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompareWith {
    /// The dataset `data.reference`.
    Reference,
    /// The window before the run's.
    PreviousWindow,
    /// So many windows before the run's, together.
    Rolling,
    /// The same days of so many weeks before, together.
    SameWeekday,
    /// The value logged for the model version.
    Registered,
}

/// What a metric of a class answers when it divides by zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZeroDivision {
    /// 0, with a reason.
    Zero,
    /// No value, with a reason.
    Undefined,
}

/// Section `[metrics]`. At least one of `prediction`, `score` and `class_scores` is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsSpec {
    /// What the model predicts.
    pub task: Task,
    /// Column with the truth, in `data.labels` where that is given.
    pub label: String,
    /// Columns whose values together name a row, in `data.current` and in `data.labels`; present exactly when the latter is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id: Vec<String>,
    /// Column with the predicted class or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// Column with the probability of the positive class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    /// Column with the probability of each class, by class.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub class_scores: BTreeMap<String, String>,
    /// Column that says how much a row counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// Scores from here on predict the positive class, 0..=1.
    pub decision_threshold: f64,
    /// The positive class, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<String>,
    /// The classes that are averaged over; those that occur when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Which metrics; the usual ones of the task when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
    /// Whether metrics are computed for each class too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_class: Option<bool>,
    /// Column whose values are judged each on their own, beside all rows together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<String>,
    /// Division by zero; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero_division: Option<ZeroDivision>,
    /// The quantile of `pinball`, between 0 and 1; 0.5 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// Classes that `top_k_accuracy` looks at; 2 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Bins of `ece` and `mce`; 10 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration_bins: Option<u32>,
    /// Labelled rows that bounds need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_samples: Option<u64>,
    /// Share of the rows, 0..=1, that must have their label before bounds are judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_coverage: Option<f64>,
    /// What changes are measured against; see [`MetricsSpec::compares_with`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare_with: Option<CompareWith>,
    /// Windows (`rolling`) or weeks (`same_weekday`) to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<u32>,
    /// The split that registered values are taken of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_split: Option<String>,
    /// Which split the values are stored under.
    pub split: String,
    /// Limits by metric; outside of them the job alerts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bounds: BTreeMap<String, Bounds>,
}

/// Limits of one metric, inclusive; at least one is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Lowest value that is fine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Highest value that is fine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// How far it may fall below what it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_drop: Option<f64>,
    /// How far it may rise above what it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rise: Option<f64>,
    /// The same as a fraction of what it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_relative_drop: Option<f64>,
    /// The same as a fraction of what it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_relative_rise: Option<f64>,
    /// Whether a change alerts only when its 95 % interval leaves out 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_significance: Option<bool>,
    /// Limits of single classes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, ClassBounds>,
}

/// Limits of a metric of one class, inclusive; at least one is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassBounds {
    /// Lowest value that is fine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Highest value that is fine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl Bounds {
    /// Whether a limit of the change is given.
    #[must_use]
    pub fn limits_change(&self) -> bool {
        [self.max_drop, self.max_rise, self.max_relative_drop, self.max_relative_rise].iter().any(Option::is_some)
    }
}

impl MetricsSpec {
    /// What changes are measured against: as the document says, else `data.reference` where it has one.
    #[must_use]
    pub fn compares_with(&self, has_reference: bool) -> Option<CompareWith> {
        self.compare_with.or_else(|| has_reference.then_some(CompareWith::Reference))
    }
}
