//! What people do to jobs and runs: each is one effect with its audit event, in the caller's transaction.
//!
//! The command line and the API go through here; the scheduler and the worker do not (`queue` and `schedule` are theirs).
//! Call these last in the transaction: the audit trail's head is locked from then on.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::apply::{StateError, refused};
use super::document::{JobDocument, SourceSpec};
use crate::db::audit::{self, Actor, Event, Outcome};
use crate::db::jobs as store;
use crate::queue::{self, Cancelled, Enqueued, Error, NewRun};
use crate::storage::{self, Storage};

/// Puts a run into the queue. With an idempotency key that was used before it is that run again, and no event.
///
/// # Errors
/// Those of [`queue::enqueue`].
pub async fn submit(conn: &mut PgConnection, run: &NewRun, actor: &Actor) -> Result<Enqueued, Error> {
    let run = NewRun { submitted_by: Some(actor.name.clone()), ..run.clone() };
    let enqueued = queue::enqueue(conn, &run).await?;
    if enqueued.created {
        let document = Sha256::digest(run.document.to_string());
        let detail = json!({
            "job": run.job_name,
            "kind": run.kind,
            "trigger": run.trigger.as_str(),
            "declared": run.job_id.is_some(),
            "window": run.window,
            "notifies": run.notifies,
            "document_sha256": hex::encode(document),
        });
        record(conn, "run.submitted", "run", &enqueued.id.to_string(), detail, actor).await?;
    }
    Ok(enqueued)
}

/// Makes a new run like a finished one.
///
/// # Errors
/// Those of [`queue::retry`].
pub async fn retry(conn: &mut PgConnection, run_id: Uuid, queue: &str, actor: &Actor) -> Result<Enqueued, Error> {
    let enqueued = queue::retry(conn, run_id, queue, Some(&actor.name)).await?;
    record(conn, "run.retried", "run", &enqueued.id.to_string(), json!({ "repeats": run_id }), actor).await?;
    Ok(enqueued)
}

/// Cancels a run; one that has finished stays as it is, and that is no event.
///
/// # Errors
/// Those of [`queue::cancel`].
pub async fn cancel(conn: &mut PgConnection, run_id: Uuid, actor: &Actor) -> Result<Cancelled, Error> {
    let cancelled = queue::cancel(conn, run_id).await?;
    let detail = match cancelled {
        Cancelled::AtOnce => json!({ "was": "waiting" }),
        Cancelled::Requested => json!({ "was": "running" }),
        Cancelled::AlreadyFinished(_) => return Ok(cancelled),
    };
    record(conn, "run.cancelled", "run", &run_id.to_string(), detail, actor).await?;
    Ok(cancelled)
}

/// Pauses a job: its ticks are recorded as paused, unfinished runs go on.
///
/// # Errors
/// When there is no such job, it is paused already, or the database fails.
pub async fn pause(conn: &mut PgConnection, name: &str, reason: &str, actor: &Actor) -> Result<(), StateError> {
    if !store::pause(conn, name, &actor.name, reason).await? {
        return Err(refused(conn, name).await?);
    }
    Ok(record(conn, "job.paused", "job", name, json!({ "reason": reason }), actor).await?)
}

/// Resumes a paused job, from the next tick on.
///
/// # Errors
/// When there is no such job, it is not paused, or the database fails.
pub async fn resume(conn: &mut PgConnection, name: &str, actor: &Actor) -> Result<(), StateError> {
    if !store::resume(conn, name).await? {
        return Err(refused(conn, name).await?);
    }
    Ok(record(conn, "job.resumed", "job", name, json!({}), actor).await?)
}

/// What of a submitted document's data the settings do not let it read: JSON pointers into the document, each with the
/// refusal. Ask before it is put into the queue; the worker that resolves its templates asks again.
#[must_use]
pub fn check_submitted(document: &JobDocument, storage: &Storage) -> Vec<(&'static str, storage::Error)> {
    let sources = [("/data/reference/uri", &document.data.reference), ("/data/current/uri", &document.data.current)];
    let refused = |(pointer, source): (&'static str, &Option<SourceSpec>)| {
        let error = storage.check_submitted(&source.as_ref()?.uri).err()?;
        Some((pointer, error))
    };
    sources.into_iter().filter_map(refused).collect()
}

/// Writes what was done into the audit trail.
pub(super) async fn record(
    conn: &mut PgConnection,
    action: &str,
    subject_kind: &str,
    subject: &str,
    detail: Value,
    actor: &Actor,
) -> Result<(), sqlx::Error> {
    audit::append(conn, &Event { actor, action, outcome: Outcome::Done, subject_kind, subject, detail }).await?;
    Ok(())
}
