//! Putting a run into the queue, in the caller's transaction.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Error, NewRun};

/// The run that stands for a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    /// Its identity.
    pub id: Uuid,
    /// False when an earlier submission with the same idempotency key made it.
    pub created: bool,
}

/// Inserts a run. Workers are told when the caller's transaction commits.
///
/// # Errors
/// [`Error::KeyConflict`] when the idempotency key belongs to a run of another job, kind or document.
pub async fn enqueue(conn: &mut PgConnection, run: &NewRun) -> Result<Enqueued, Error> {
    let inserted = sqlx::query_scalar!(
        "INSERT INTO runs (id, job_id, job_name, kind, document, queue, priority, trigger, notifies, tick_at,
                           window_start, window_end, idempotency_key, parent_id, after_run, run_after, deadline,
                           max_attempts, time_limit_seconds, submitted_by, traceparent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, coalesce($16, steward_now()), $17,
                 $18, $19, $20, $21)
         ON CONFLICT (idempotency_key) DO NOTHING
         RETURNING id",
        Uuid::new_v4(),
        run.job_id,
        run.job_name,
        run.kind,
        run.document,
        run.queue,
        run.priority,
        run.trigger.as_str(),
        run.notifies,
        run.tick_at,
        run.window.map(|w| w.0),
        run.window.map(|w| w.1),
        run.idempotency_key,
        run.parent_id,
        run.after_run,
        run.run_after,
        run.deadline,
        run.max_attempts,
        run.time_limit_seconds,
        run.submitted_by,
        run.traceparent,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = inserted {
        return Ok(Enqueued { id, created: true });
    }
    // Only the key can conflict: ids are fresh. The other insert is committed, or ours would have waited for it.
    let key = run.idempotency_key.clone().unwrap_or_default();
    let existing = sqlx::query!(
        r#"SELECT id, (document = $2 AND job_name = $3 AND kind = $4 AND notifies = $5) AS "same!" FROM runs WHERE idempotency_key = $1"#,
        key,
        run.document,
        run.job_name,
        run.kind,
        run.notifies,
    )
    .fetch_one(&mut *conn)
    .await?;
    if existing.same {
        Ok(Enqueued { id: existing.id, created: false })
    } else {
        Err(Error::KeyConflict { key, existing: existing.id })
    }
}
