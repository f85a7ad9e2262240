//! What a run found, in the words that incidents need: the input of [`super::apply`].

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::db::incidents::Evidence;

/// The finding kinds that are about the run as a whole. `no_data` inhibits all others of its job while it is live.
pub const RUN_LEVEL: &[&str] = &["no_data", "run_failed", "schema_error", "insufficient_data", "corrupt_input"];

/// The kind that inhibits the job's other subjects.
pub const NO_DATA: &str = "no_data";

/// What one subject's judgement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingStatus {
    /// Judged, and fine.
    Clear,
    /// Not judged this time: nothing changes.
    Unknown,
    /// Judged, and wrong.
    Breach,
    /// Something that people are told of and that is over with it, such as the conclusion of an A/B test: whatever was open about it
    /// ends with these words, and what nobody had heard of is told once.
    Over,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth looking at.
    Warning,
    /// Worth stopping for.
    Critical,
}

impl Severity {
    /// `info`, `warning` or `critical`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The inverse of [`Self::as_str`]; anything else counts as `warning`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "info" => Self::Info,
            "critical" => Self::Critical,
            _ => Self::Warning,
        }
    }
}

/// One judgement of one subject.
#[derive(Debug, Clone)]
pub struct Finding {
    /// drift, metric, ab_decision, no_data, insufficient_data, schema_error, run_failed.
    pub kind: &'static str,
    /// The column, metric or input; for findings about the run as a whole any fixed word ("run").
    pub subject: String,
    /// What it says.
    pub status: FindingStatus,
    /// How bad a breach is.
    pub severity: Severity,
    /// One sentence without a full stop, "temp drifted: KS 0.63 > 0.20".
    pub title: String,
    /// The score that was compared.
    pub score: Option<f64>,
    /// With this threshold.
    pub threshold: Option<f64>,
    /// Further facts for people: an object, label to value, in the order to show them; `method` is shown in the table.
    pub evidence: Value,
}

impl Finding {
    /// Score, threshold and labels as they are kept with the incident. Numbers that JSON cannot carry are left out.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        let labels = match &self.evidence {
            Value::Object(map) => map.iter().map(|(label, value)| (label.clone(), value.clone())).collect(),
            Value::Null => Vec::new(),
            other => vec![("detail".to_owned(), other.clone())],
        };
        Evidence { score: finite(self.score), threshold: finite(self.threshold), labels }
    }
}

/// The number, unless it is infinite or not a number.
pub(super) fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|number| number.is_finite())
}

/// Everything that one run found. Runs that must not notify (`runs.notifies = false`, back-fills) are not applied at all.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The run.
    pub run_id: Uuid,
    /// Its declared job, if any.
    pub job_id: Option<Uuid>,
    /// The job's name: incidents belong to it.
    pub job_name: String,
    /// The job's kind.
    pub job_kind: String,
    /// The model that it watches: name and version.
    pub model: Option<(String, Option<String>)>,
    /// The tick, or when it ran: evaluations of a job are applied in this order.
    pub at: DateTime<Utc>,
    /// The data window, half open.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The queue of the run: its messages go out by the dispatcher of that queue.
    pub queue: String,
    /// The channels that the job names.
    pub channels: Vec<String>,
    /// What was judged.
    pub findings: Vec<Finding>,
    /// Whether `findings` holds every subject of `kinds`: live incidents of those kinds that it does not mention are
    /// resolved, with that as the reason. False for a run that ended early.
    pub complete: bool,
    /// The kinds that this run speaks about. A run that got its data should name `no_data`, `run_failed` and the like here,
    /// so that such incidents end.
    pub kinds: Vec<&'static str>,
}
