//! The gates before production: one entry each, one file each.
//!
//! A gate looks at what the database holds about a version and answers yes or no, with a sentence and its evidence. It is
//! judged on the server when the promotion is asked for; the answers are kept with the decision. A new gate is one file here
//! and one line in [`ALL`].

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::policy::GateSpec;
use crate::db::models::ModelVersion;

pub mod ab_test_won;
pub mod artefact_verified;
pub mod metric;
pub mod model_card;
pub mod no_open_incidents;
pub(super) mod staging;

/// What a gate is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The version that is to go into production.
    pub version: &'a ModelVersion,
    /// The version that is there now.
    pub production: Option<&'a ModelVersion>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What a gate answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Yes or no.
    pub passed: bool,
    /// A sentence without a full stop.
    pub detail: String,
    /// What it is from.
    pub evidence: Value,
}

/// A gate's answer as it is returned and kept.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct GateAnswer {
    /// The gate.
    pub gate: String,
    /// Yes or no.
    pub passed: bool,
    /// A sentence without a full stop.
    pub detail: String,
    /// What it is from.
    pub evidence: Value,
}

/// A gate.
#[async_trait]
pub trait Gate: Sync {
    /// The word in policies.
    fn name(&self) -> &'static str;

    /// One sentence for people, with its options.
    fn summary(&self) -> &'static str;

    /// Whether it is asked also when a version that was in production before goes back: what was judged when it went in the
    /// first time is not asked again, its bytes are.
    fn asked_of_rollback(&self) -> bool {
        false
    }

    /// Checks its options.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    fn check(&self, options: &Map<String, Value>) -> Result<(), String>;

    /// Answers.
    ///
    /// # Errors
    /// Any error of the database.
    async fn judge(
        &self,
        conn: &mut PgConnection,
        question: Question<'_>,
        options: &Map<String, Value>,
    ) -> Result<Verdict, sqlx::Error>;
}

/// Every gate, in the order in which people should meet them.
pub static ALL: &[&dyn Gate] = &[
    &metric::Metric,
    &no_open_incidents::NoOpenIncidents,
    &ab_test_won::AbTestWon,
    &artefact_verified::ArtefactVerified,
    &model_card::ModelCard,
];

/// The gate of that name.
#[must_use]
pub fn gate(name: &str) -> Option<&'static dyn Gate> {
    ALL.iter().copied().find(|gate| gate.name() == name)
}

/// Asks one gate of a policy.
pub(super) async fn ask(
    conn: &mut PgConnection,
    question: Question<'_>,
    spec: &GateSpec,
) -> Result<GateAnswer, sqlx::Error> {
    let verdict = match gate(&spec.gate) {
        Some(gate) => gate.judge(conn, question, &spec.options).await?,
        // Policies are checked when they are set; one from a newer program may name a gate that is not known here.
        None => Verdict::no("this program knows no such gate", json!({})),
    };
    Ok(GateAnswer {
        gate: spec.gate.clone(),
        passed: verdict.passed,
        detail: verdict.detail,
        evidence: verdict.evidence,
    })
}

impl Verdict {
    /// Yes.
    fn yes(detail: impl Into<String>, evidence: Value) -> Self {
        Self { passed: true, detail: detail.into(), evidence }
    }

    /// No.
    fn no(detail: impl Into<String>, evidence: Value) -> Self {
        Self { passed: false, detail: detail.into(), evidence }
    }
}

/// The options of a gate in its own type.
fn options<T: DeserializeOwned>(options: &Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(options.clone())).map_err(|e| e.to_string())
}

/// What a gate says whose stored options cannot be read any more.
fn unreadable(problem: &str) -> Verdict {
    Verdict::no(format!("its options cannot be read: {problem}"), json!({}))
}

/// An age in hours that must be a positive number.
fn check_hours(hours: Option<f64>) -> Result<(), String> {
    match hours {
        Some(hours) if !(hours.is_finite() && hours > 0.0) => Err("`max_age_hours` is a number above 0".to_owned()),
        _ => Ok(()),
    }
}

/// Hours between two instants.
#[allow(clippy::cast_precision_loss)] // milliseconds of a lifetime are far below 2^53
fn hours_between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_milliseconds() as f64 / 3_600_000.0
}
