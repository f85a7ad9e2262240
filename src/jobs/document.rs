//! What a job document says, once it was read and found right.
//!
//! These types are stored as they are (canonical JSON in `jobs.document` and `runs.document`) and read back from there,
//! possibly by a later version of the program: so absent options are left out, and a key that a later version no longer
//! knows is passed over. A value of [`JobDocument`] that came out of `read` has passed every check; one that came from
//! the database was checked when it was stored. Nothing here reads TOML or reports errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::schedule::{CatchUp, Overlap, ScheduleSpec};

mod ab_test;
mod drift;
mod metrics;

pub use ab_test::{AbSpec, ArmSpec, SideSpec};
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

impl JobDocument {
    /// Whether both arms of an A/B test stand in the same rows: neither a column nor an input of its own tells them apart.
    #[must_use]
    pub fn has_arms_in_the_same_rows(&self) -> bool {
        self.ab_test.as_ref().is_some_and(|spec| spec.variant_column.is_none() && self.data.reference.is_none())
    }

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
