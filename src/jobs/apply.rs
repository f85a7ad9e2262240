//! Brings the database in line with the job files.
//!
//! `apply` is one transaction: all of it or nothing, and one at a time. A changed job changes later runs only: runs
//! carry their own copy of the document. Starts no runs.

use serde_json::json;
use sqlx::{Acquire, PgConnection, PgPool};

use super::actions::record;
use super::document::JobDocument;
use super::load::Loaded;
use super::plan::{Error, Plan, compare};
use crate::clock::SharedClock;
use crate::db::audit::Actor;
use crate::db::jobs::{self as store, NewJob};
use crate::schedule;

/// Makes the definitions what the files say. With `prune`, jobs whose file is gone are removed: they keep what they found
/// and run no more. Answers what was done. The audit trail gets one event for each job that was added, changed or removed.
///
/// # Errors
/// When a file has mistakes (nothing is changed then), or the database fails (neither).
pub async fn apply(
    pool: &PgPool,
    clock: &SharedClock,
    loaded: &Loaded,
    prune: bool,
    actor: &Actor,
) -> Result<Plan, Error> {
    let mut conn = pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    let now = clock.now();
    if clock.is_simulated() {
        // Whoever made the pool: in this transaction SQL and program agree on the time.
        sqlx::query_scalar!("SELECT set_config('steward.now', $1, true)", now.to_rfc3339())
            .fetch_one(&mut *transaction)
            .await?;
    }
    store::lock_definitions(&mut transaction).await?;
    let comparison = compare(&mut transaction, loaded).await?;
    for (file, (canonical, digest)) in loaded.documents.iter().zip(comparison.documents) {
        let row = comparison.rows.get(&file.document.name);
        let same = row.is_some_and(|row| {
            row.state != "removed"
                && row.digest == digest
                && row.source == file.source
                && row.path.as_ref() == Some(&file.path)
        });
        if same {
            continue;
        }
        let job = NewJob {
            name: file.document.name.clone(),
            kind: file.document.kind.clone(),
            document: canonical,
            source: file.source.clone(),
            path: Some(file.path.clone()),
            digest,
        };
        let id = store::upsert(&mut transaction, &job).await?;
        match file.document.schedule_spec() {
            Some(spec) => drop(schedule::upsert_schedule(&mut transaction, id, &spec, now).await?),
            None => drop(schedule::deactivate_schedule(&mut transaction, id, now).await?),
        }
    }
    if prune {
        for row in comparison.plan.removed.iter().filter_map(|name| comparison.rows.get(name)) {
            store::remove(&mut transaction, row.id).await?;
            schedule::deactivate_schedule(&mut transaction, row.id, now).await?;
        }
    }
    record_plan(&mut transaction, &comparison.plan, prune, actor).await?;
    transaction.commit().await?;
    Ok(comparison.plan)
}

async fn record_plan(conn: &mut PgConnection, plan: &Plan, prune: bool, actor: &Actor) -> Result<(), sqlx::Error> {
    for job in &plan.added {
        let detail = json!({ "kind": job.kind, "schedule": job.schedule, "revived": job.revived });
        record(conn, "job.created", "job", &job.name, detail, actor).await?;
    }
    for job in &plan.changed {
        record(conn, "job.changed", "job", &job.name, json!({ "fields": job.fields }), actor).await?;
    }
    for name in plan.removed.iter().filter(|_| prune) {
        record(conn, "job.removed", "job", name, json!({}), actor).await?;
    }
    Ok(())
}

/// Why a job could not be paused or resumed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// No such job.
    #[error("there is no job `{name}`{}", suggestion.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// The name.
        name: String,
        /// The nearest there is.
        suggestion: Option<String>,
    },
    /// It is not in the state that it should leave.
    #[error("the job `{name}` is {state} already")]
    Already {
        /// The name.
        name: String,
        /// Its state.
        state: String,
    },
    /// The database.
    #[error("the job definitions cannot be read or written")]
    Database(#[from] sqlx::Error),
}

/// Why a job did not leave its state.
pub(super) async fn refused(conn: &mut PgConnection, name: &str) -> Result<StateError, sqlx::Error> {
    match store::find(conn, name).await? {
        Some(row) if row.state != "removed" => Ok(StateError::Already { name: name.to_owned(), state: row.state }),
        _ => unknown(conn, name).await,
    }
}

/// The error for a name that no job has, with the nearest that one has.
///
/// # Errors
/// When the database fails.
pub async fn unknown(conn: &mut PgConnection, name: &str) -> Result<StateError, sqlx::Error> {
    let rows = store::all(conn).await?;
    let names = rows.iter().filter(|row| row.state != "removed").map(|row| row.name.as_str());
    let suggestion = super::suggest::closest(name, names).map(str::to_owned);
    Ok(StateError::Unknown { name: name.to_owned(), suggestion })
}

/// The stored job of that name, with its document; none when there is none or it was removed.
///
/// # Errors
/// When the database fails, or the document cannot be read by this version of the program.
pub async fn find(conn: &mut PgConnection, name: &str) -> Result<Option<(uuid::Uuid, JobDocument)>, Error> {
    let Some(row) = store::find(conn, name).await?.filter(|row| row.state != "removed") else { return Ok(None) };
    let document = serde_json::from_value(row.document).map_err(|error| Error::Document { name: row.name, error })?;
    Ok(Some((row.id, document)))
}
