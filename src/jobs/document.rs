//! What a job document says, once it was read and found right.
//!
//! These types are stored as they are (canonical JSON in `jobs.document` and `runs.document`) and read back from there,
//! possibly by a later version of the program: so absent options are left out, and a key that a later version no longer
//! knows is passed over. A value of [`JobDocument`] that came out of `read` has passed every check; one that came from
//! the database was checked when it was stored. Nothing here reads TOML or reports errors.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::schedule::{CatchUp, Overlap, ScheduleSpec};

mod drift;
mod metrics;

pub use drift::{
    ColumnSpec, ColumnType, ConceptSpec, DecideOn, DriftSpec, DriftTarget, QualitySpec, ReferencePolicy, SchemaOf,
};
pub use metrics::{Bounds, ClassBounds, CompareWith, MetricsSpec, ZeroDivision};

/// One job: what to judge, on which data, when, and whom to tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobDocument {
    /// Unique name of the job.
    pub name: String,
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Name of an entry of `kinds::ALL`.
    pub kind: String,
    /// Cron expression; a job without one runs on demand only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// IANA time zone of the schedule and of dates without an offset.
    pub timezone: String,
    /// The model whose data is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelRef>,
    /// Channels that are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
    /// What happens when a tick comes while a run of this job is unfinished.
    pub overlap: Overlap,
    /// Which ticks are made up for after a pause of the scheduler.
    pub catch_up: CatchUp,
    /// How old a missed tick may be to be made up for, in seconds.
    pub catch_up_window_seconds: i64,
    /// Runs start up to so many seconds after their tick, always the same for one job.
    pub jitter_seconds: i64,
    /// Attempts before a run fails.
    pub max_attempts: i32,
    /// Seconds after which a run is stopped.
    pub time_limit_seconds: i64,
    /// How long a run waits for its objects, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_for_seconds: Option<i64>,
    /// The datasets.
    #[serde(default)]
    pub data: DataSpec,
    /// Present exactly when `kind` is `drift`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftSpec>,
    /// Present exactly when `kind` is `metrics`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<MetricsSpec>,
    /// Present exactly when `kind` is `ab_test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ab_test: Option<AbSpec>,
    /// Present exactly when `kind` is `artefact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artefact: Option<ArtefactSpec>,
}

/// `[artefact]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtefactSpec {
    /// Versions in these stages; in all but archived when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
}

/// A model, by version or by the stage that names one when the job runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRef {
    /// Name in the registry.
    pub name: String,
    /// A fixed version; excludes `stage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The stage whose version is meant when the job runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
}

/// The datasets of a job; each kind says which it needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSpec {
    /// What the current data is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<SourceSpec>,
    /// What is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<SourceSpec>,
    /// Labels that came later, joined by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<SourceSpec>,
}

/// One dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSpec {
    /// URI, with globs and `{window...}` templates.
    pub uri: String,
    /// `parquet`, `csv` or `ndjson`; by the file's name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Length of the data window; from tick to tick when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// Column by which rows outside the window are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_column: Option<String>,
    /// Only rows whose column has this value, as text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filter: BTreeMap<String, String>,
}

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Classes.
    Classification,
    /// Numbers.
    Regression,
}

impl Task {
    /// The word in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Regression => "regression",
        }
    }
}

/// Section `[ab_test]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AbSpec {
    /// Name of the test.
    pub test: String,
    /// Arm A.
    pub control: ArmSpec,
    /// Arm B.
    pub treatment: ArmSpec,
    /// Column that says which arm served a row.
    pub variant_column: String,
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
        self.lower_is_better.unwrap_or(!matches!(self.metric.as_str(), "accuracy" | "mean"))
    }
}

/// One arm of an A/B test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmSpec {
    /// Value of the variant column, as text.
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
}

impl JobDocument {
    /// The canonical JSON: what is stored and what the digest is taken of.
    ///
    /// # Errors
    /// Never for a document that was read; serde's signature asks for it.
    pub fn canonical(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::to_value(self)
    }

    /// SHA-256 of the canonical JSON as lowercase hex. Comments, key order and spelling of a file do not change it.
    ///
    /// # Errors
    /// Never for a document that was read; serde's signature asks for it.
    pub fn digest(&self) -> Result<String, serde_json::Error> {
        Ok(hex::encode(Sha256::digest(serde_json::to_vec(self)?)))
    }

    /// The schedule with its policies; none for a job that runs on demand only.
    #[must_use]
    pub fn schedule_spec(&self) -> Option<ScheduleSpec> {
        Some(ScheduleSpec {
            cron: self.schedule.clone()?,
            timezone: self.timezone.clone(),
            overlap: self.overlap,
            catch_up: self.catch_up,
            catch_up_window_seconds: self.catch_up_window_seconds,
            jitter_seconds: self.jitter_seconds,
        })
    }
}
