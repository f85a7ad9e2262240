//! Validation metrics that people and programs log: checked, tied to a registered version, kept with their origin.
//!
//! Uses `db`, and `metrics` for what is computed here. What holds: a batch is logged whole or not at all, every wrong field of
//! it is named at once; a version that nobody registered is registered or refused, never merely written down; a value
//! is a finite number, or absent with a reason. Metrics are never changed afterwards. Deliberately absent: bounds and
//! alerts (jobs), gates (promotion).

mod checks;
pub mod evaluate;
pub mod evidence;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

pub use crate::db::validation_metrics::{Filter, Metric, NewMetric, Point};
pub use evaluate::{Averaging, Classification, Evaluation, Regression, Target};

pub(super) use checks::metric_name as checks_of_metric_name;

use evidence::Measured;

use super::Setup;
use crate::db::audit::{self, Actor, Event, Outcome};
use crate::db::validation_metrics;

/// The most metrics of one batch.
pub const MAX_BATCH: usize = 10_000;

/// A field that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// Which of a batch, from 0.
    pub item: usize,
    /// JSON pointer to the field, within the item: `/metric_value`.
    pub pointer: String,
    /// What is wrong with it and what it should be.
    pub detail: String,
}

/// Why metrics are not logged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields are wrong (422).
    #[error("{}", sentence(.0))]
    Invalid(Vec<FieldProblem>),
    /// The version is not registered, and unknown ones are not registered automatically (404).
    #[error("version {version} of model `{name}` is not registered; register it first")]
    NotFound {
        /// The model.
        name: String,
        /// The version.
        version: String,
    },
    /// The version was deleted (409).
    #[error("version {version} of model `{name}` was deleted; its number is never used again")]
    Deleted {
        /// The model.
        name: String,
        /// The version.
        version: String,
    },
    /// The registry (its database errors: 503).
    #[error(transparent)]
    Registry(#[from] super::Error),
    /// The database (503).
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// The stable word for it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_request",
            Self::NotFound { .. } => "model_not_found",
            Self::Deleted { .. } => "version_deleted",
            Self::Registry(_) => "registry_error",
            Self::Database(_) => "database_error",
        }
    }

    /// The fields that are wrong; empty for every other error.
    #[must_use]
    pub fn problems(&self) -> &[FieldProblem] {
        match self {
            Self::Invalid(problems) => problems,
            _ => &[],
        }
    }

    pub(super) fn field(pointer: &str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem { item: 0, pointer: pointer.to_owned(), detail: detail.into() }])
    }
}

fn sentence(problems: &[FieldProblem]) -> String {
    let shown: Vec<String> = problems.iter().take(5).map(|p| format!("{}: {}", p.pointer, p.detail)).collect();
    let more = problems.len().saturating_sub(shown.len());
    if more == 0 { shown.join("; ") } else { format!("{}; and {more} more", shown.join("; ")) }
}

/// Logs metrics, all or none, and answers their rows in the same order. One audit event for each version.
///
/// # Errors
/// [`Error::Invalid`] with every wrong field, an unknown or deleted version, the database's.
pub async fn log(
    conn: &mut PgConnection,
    metrics: &[NewMetric],
    actor: &Actor,
    auto: Option<Setup<'_>>,
) -> Result<Vec<Metric>, Error> {
    checks::all(metrics)?;
    let mut metrics = metrics.to_vec();
    let mut versions: Vec<(String, String)> =
        metrics.iter().map(|m| (m.model_name.clone(), m.model_version.clone())).collect();
    // In one order everywhere, so that two batches cannot wait for each other.
    versions.sort();
    versions.dedup();
    for (name, version) in &versions {
        let registered = known_version(conn, name, version, auto.map(|setup| (setup, actor))).await?;
        for metric in metrics.iter_mut().filter(|m| m.model_name == *name && m.model_version == *version) {
            metric.model_version.clone_from(&registered);
        }
    }
    of_runs(conn, &metrics).await?;
    let rows = validation_metrics::insert(conn, &metrics, &actor.name).await?;
    let mut subjects: Vec<String> = metrics.iter().map(subject).collect();
    subjects.sort();
    subjects.dedup();
    for subject_of in &subjects {
        let mine: Vec<&NewMetric> = metrics.iter().filter(|m| subject(m) == *subject_of).collect();
        let measured: Vec<Measured<'_>> = mine.iter().map(|metric| measured(metric)).collect();
        let detail = evidence::detail(&measured, None);
        let event = Event {
            actor,
            action: "metrics.logged",
            outcome: Outcome::Done,
            subject_kind: "model",
            subject: subject_of,
            detail,
        };
        audit::append(conn, &event).await?;
    }
    Ok(rows)
}

/// A metric that names a run must be of one that was about its model: a value must not look measured when it was typed.
async fn of_runs(conn: &mut PgConnection, metrics: &[NewMetric]) -> Result<(), Error> {
    let named: Vec<Uuid> = metrics.iter().filter_map(|metric| metric.run_id).collect();
    if named.is_empty() {
        return Ok(());
    }
    let known = validation_metrics::runs_about(conn, &named).await?;
    let mut problems = Vec::new();
    for (item, metric) in metrics.iter().enumerate() {
        let Some(run_id) = metric.run_id else { continue };
        let detail = match known.iter().find(|(id, _)| *id == run_id) {
            None => format!("there is no run {run_id}; leave it out for a value that no run of Steward measured"),
            Some((_, model)) if model.as_ref().is_some_and(|model| *model != metric.model_name) => {
                format!("run {run_id} was about another model")
            }
            Some(_) => continue,
        };
        problems.push(FieldProblem { item, pointer: "/run_id".to_owned(), detail });
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}

fn measured(metric: &NewMetric) -> Measured<'_> {
    Measured {
        name: &metric.metric_name,
        split: metric.dataset_split.as_deref(),
        segment: metric.segment.as_deref(),
        value: metric.metric_value,
        sample_count: metric.sample_count,
    }
}

fn subject(metric: &NewMetric) -> String {
    format!("{}/{}", metric.model_name, metric.model_version)
}

/// The version as it is registered (build metadata does not make another one); an unknown one is registered in
/// development where `auto` says with what, and by whom.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Deleted`], [`Error::Invalid`] for what could not be registered, the database's.
pub async fn known_version(
    conn: &mut PgConnection,
    name: &str,
    version: &str,
    auto: Option<(Setup<'_>, &Actor)>,
) -> Result<String, Error> {
    let not_found = || Error::NotFound { name: name.to_owned(), version: version.to_owned() };
    // No name or version has a NUL, and PostgreSQL's text cannot hold one.
    if name.contains('\0') || version.contains('\0') {
        return Err(not_found());
    }
    let found = sqlx::query!(
        r#"SELECT version, deleted_at IS NOT NULL AS "deleted!" FROM model_registry
            WHERE model_name = $1 AND precedence = steward_version_key($2)"#,
        name,
        version
    )
    .fetch_optional(&mut *conn)
    .await?;
    match found {
        Some(row) if row.deleted => Err(Error::Deleted { name: name.to_owned(), version: version.to_owned() }),
        Some(row) => Ok(row.version),
        None => {
            let Some((setup, actor)) = auto else { return Err(not_found()) };
            if let Some(problem) = checks::model_name(name) {
                return Err(Error::field("/model_name", problem));
            }
            if semver::Version::parse(version).is_err() || version.len() > 128 {
                let detail = format!(
                    "{version:?} is no semantic version such as 1.4.0 or 2.0.0-rc.1, so it cannot be registered"
                );
                return Err(Error::field("/model_version", detail));
            }
            super::auto_register(conn, setup, name, version, None, actor).await?;
            Ok(version.to_owned())
        }
    }
}

/// The metrics that fit, newest first, after the one at `before`.
///
/// # Errors
/// Any error of the database.
pub async fn query(
    pool: &PgPool,
    filter: &Filter,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Metric>, Error> {
    Ok(validation_metrics::query(pool, filter, before, limit).await?)
}

/// The newest `limit` points of one metric, oldest first, for a chart. `filter.metric_name` says which.
///
/// # Errors
/// [`Error::Invalid`] without a metric's name, the database's.
pub async fn series(pool: &PgPool, filter: &Filter, limit: i64) -> Result<Vec<Point>, Error> {
    if filter.metric_name.is_none() {
        return Err(Error::field("/metric_name", "a series is of one metric: name it"));
    }
    Ok(validation_metrics::series(pool, filter, limit).await?)
}
