//! Section `[drift]` of a job document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Task;

/// What a drift job compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftTarget {
    /// Features.
    Data,
    /// Scores or predicted labels.
    Prediction,
    /// The relation of features to labels: errors against the truth, or what they are estimated to be.
    Concept,
}

impl DriftTarget {
    /// The word in documents and in `model_drift_detection.drift_type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Prediction => "prediction",
            Self::Concept => "concept",
        }
    }
}

/// What the current data is compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferencePolicy {
    /// The dataset `data.reference`.
    #[default]
    Fixed,
    /// The window before the run's.
    PreviousWindow,
    /// So many windows before the run's, together.
    Rolling,
    /// The same days of so many weeks before, together.
    SameWeekday,
    /// The profile registered with the model version.
    Profile,
}

impl ReferencePolicy {
    /// Whether the reference is made of earlier windows of `data.current`.
    #[must_use]
    pub fn is_sliding(self) -> bool {
        matches!(self, Self::PreviousWindow | Self::Rolling | Self::SameWeekday)
    }
}

/// What decides whether a column drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecideOn {
    /// The score, above its threshold.
    Score,
    /// The p-value, below `alpha`.
    PValue,
}

/// Which schema the current data must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaOf {
    /// That of the reference.
    Reference,
    /// That of the profile registered with the model version.
    Registered,
}

/// How a column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// As numbers.
    Numeric,
    /// As categories.
    Categorical,
}

/// Section `[drift]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftSpec {
    /// What is compared.
    pub target: DriftTarget,
    /// What it is compared with; see [`DriftSpec::reference_policy`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferencePolicy>,
    /// Windows (`rolling`) or weeks (`same_weekday`) that the reference is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<u32>,
    /// Method of columns that name none; the configured one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A score above it is drift; the configured one when absent. Positive and finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// What decides; the score when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide_on: Option<DecideOn>,
    /// The level that p-values are held against, between 0 and 1; with `decide_on = "p_value"` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// The level, between 0 and 1, that a p-value must reach beside the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_significance: Option<f64>,
    /// Column whose values are judged each on their own, beside all rows together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<String>,
    /// The columns that are judged; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub select: Vec<String>,
    /// Columns that are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Column of scores or predicted labels; present when the target is `prediction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// Number of bins of methods that bin, 2..=100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<u32>,
    /// Rows that each side needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_samples: Option<u64>,
    /// Share of columns, 0..=1, that must drift before the run drifts; one column suffices when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_drifted_share: Option<f64>,
    /// Difference in the share of missing values, 0..=1, above which a column drifts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_threshold: Option<f64>,
    /// What the data must be like, whatever it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<QualitySpec>,
    /// How errors are judged; present exactly when the target is `concept`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concept: Option<ConceptSpec>,
    /// What single columns say for themselves, by column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnSpec>,
}

impl DriftSpec {
    /// What the current data is compared with; the dataset `data.reference` unless the document says otherwise.
    #[must_use]
    pub fn reference_policy(&self) -> ReferencePolicy {
        self.reference.unwrap_or_default()
    }
}

/// Section `[drift.columns.<name>]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnSpec {
    /// Method of this column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Threshold of this column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Number of bins, 2..=100; excludes `edges`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<u32>,
    /// Inner edges of the bins, ascending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edges: Option<Vec<f64>>,
    /// How much the column matters when drifted columns are put in order; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f64>,
    /// Lowest value that is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Highest value that is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The only values that are right, as text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// Share of the rows that may be outside of range or list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_outside_share: Option<f64>,
    /// How the column is read; by its stored type when absent.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub column_type: Option<ColumnType>,
}

/// Section `[drift.quality]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QualitySpec {
    /// Columns whose values together name a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// Share of the rows, 0..=1, that may repeat a key; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duplicate_share: Option<f64>,
    /// How old the newest row may be at the run's tick, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness_seconds: Option<i64>,
    /// Share of the rows, 0..=1, that may hold a category that the reference does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_new_share: Option<f64>,
    /// Which schema the current data must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaOf>,
}

/// Section `[drift.concept]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConceptSpec {
    /// What the model predicts.
    pub task: Task,
    /// Column with the truth; absent in the current data of methods that estimate.
    pub label: String,
    /// Column with the predicted class or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// Column with the probability of the positive class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    /// Scores from here on predict the positive class, 0..=1.
    pub decision_threshold: f64,
    /// The positive class, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<String>,
    /// Names of methods; see `drift::concept::ALL`; `metric_change` when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Numeric columns that errors are estimated from, beside the prediction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}
