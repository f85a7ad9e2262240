//! Looking at runs, and what people do to them: cancel, repeat, wait.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::listen::CANCELS;
use super::{Attempt, Enqueued, Error, Run, State};

/// Which runs to list; none means all.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// In one of these states; empty means any.
    pub states: Vec<State>,
    /// Of this job.
    pub job_name: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Older than this one: the cursor of the previous page.
    pub before: Option<Cursor>,
}

/// A place in the list of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// When the last run of the page was created.
    pub created_at: DateTime<Utc>,
    /// Its identity.
    pub id: Uuid,
}

/// A page of runs, newest first.
#[derive(Debug, Clone)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<Run>,
    /// Where the next page begins; none after the last.
    pub next: Option<Cursor>,
}

/// What cancelling did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It had not started, and will not.
    AtOnce,
    /// It is running; its worker has been told.
    Requested,
    /// It had finished before.
    AlreadyFinished(State),
}

/// A page of at most `limit` runs.
///
/// # Errors
/// Those of the database.
pub async fn list(pool: &PgPool, filter: &RunFilter, limit: u32) -> Result<RunPage, Error> {
    let states: Vec<String> = filter.states.iter().map(|state| state.as_str().to_owned()).collect();
    let wanted = usize::try_from(limit.max(1)).unwrap_or(1);
    let mut runs = sqlx::query_as!(
        Run,
        "SELECT id, job_id, job_name, kind, document, queue, priority, state, trigger, notifies, tick_at,
                window_start, window_end, idempotency_key, parent_id, after_run, run_after, attempt,
                max_attempts, crash_count, max_crashes, time_limit_seconds, deadline, fence, lease_owner,
                lease_until, cancel_requested, submitted_by, traceparent, created_at, started_at, finished_at, outcome,
                summary, error, error_kind
         FROM runs
         WHERE (cardinality($1::text[]) = 0 OR state = ANY($1))
           AND ($2::text IS NULL OR job_name = $2)
           AND ($3::text IS NULL OR kind = $3)
           AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5::uuid))
         ORDER BY created_at DESC, id DESC LIMIT $6",
        &states,
        filter.job_name,
        filter.kind,
        filter.before.map(|cursor| cursor.created_at),
        filter.before.map(|cursor| cursor.id),
        i64::from(limit.max(1)) + 1,
    )
    .fetch_all(pool)
    .await?;
    let more = runs.len() > wanted;
    runs.truncate(wanted);
    let next = runs.last().filter(|_| more).map(|run| Cursor { created_at: run.created_at, id: run.id });
    Ok(RunPage { runs, next })
}

/// The run of that id, when there is one.
///
/// # Errors
/// Those of the database.
pub async fn find(executor: impl PgExecutor<'_>, run_id: Uuid) -> Result<Option<Run>, sqlx::Error> {
    sqlx::query_as!(
        Run,
        "SELECT id, job_id, job_name, kind, document, queue, priority, state, trigger, notifies, tick_at,
                window_start, window_end, idempotency_key, parent_id, after_run, run_after, attempt,
                max_attempts, crash_count, max_crashes, time_limit_seconds, deadline, fence, lease_owner,
                lease_until, cancel_requested, submitted_by, traceparent, created_at, started_at, finished_at, outcome,
                summary, error, error_kind
         FROM runs WHERE id = $1",
        run_id,
    )
    .fetch_optional(executor)
    .await
}

/// One run.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(pool: &PgPool, run_id: Uuid) -> Result<Run, Error> {
    find(pool, run_id).await?.ok_or(Error::NotFound(run_id))
}

/// The attempts at a run, oldest first; empty for a run that never started or does not exist.
///
/// # Errors
/// Those of the database.
pub async fn attempts(pool: &PgPool, run_id: Uuid) -> Result<Vec<Attempt>, Error> {
    Ok(sqlx::query_as!(
        Attempt,
        "SELECT run_id, fence, worker_id, worker_name, started_at, finished_at, outcome, error, error_kind,
                peak_memory_bytes, bytes_read
         FROM run_attempts WHERE run_id = $1 ORDER BY fence",
        run_id
    )
    .fetch_all(pool)
    .await?)
}

/// Cancels a run: at once when it waits, by telling its worker when it runs.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn cancel(conn: &mut PgConnection, run_id: Uuid) -> Result<Cancelled, Error> {
    // One statement: who waits for a cancelled run must wait for its predecessor in the same instant, or it overtakes.
    let state = sqlx::query_scalar!(
        "WITH gone AS (
             UPDATE runs
             SET cancel_requested = true,
                 state = CASE WHEN state = 'leased' THEN state ELSE 'cancelled' END,
                 finished_at = CASE WHEN state = 'leased' THEN NULL ELSE steward_now() END,
                 error = CASE WHEN state = 'leased' THEN error ELSE 'cancelled before it started' END,
                 error_kind = CASE WHEN state = 'leased' THEN error_kind ELSE 'cancelled' END
             WHERE id = $1 AND state IN ('waiting_data', 'available', 'leased')
             RETURNING state, after_run
         ), relinked AS (
             UPDATE runs SET after_run = (SELECT after_run FROM gone)
             WHERE after_run = $1 AND state IN ('waiting_data', 'available')
               AND (SELECT state FROM gone) = 'cancelled'
         )
         SELECT state FROM gone",
        run_id,
    )
    .fetch_optional(&mut *conn)
    .await?;
    match state.as_deref() {
        Some("leased") => {
            sqlx::query!("SELECT pg_notify($1, $2::uuid::text)", CANCELS, run_id).execute(conn).await?;
            Ok(Cancelled::Requested)
        }
        Some(_) => Ok(Cancelled::AtOnce),
        None => {
            let run = find(conn, run_id).await?.ok_or(Error::NotFound(run_id))?;
            Ok(Cancelled::AlreadyFinished(State::parse(&run.state).unwrap_or(State::Failed)))
        }
    }
}

/// A run of a job that may still do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its identity.
    pub id: Uuid,
    /// waiting_data, available or leased.
    pub state: String,
}

/// The unfinished runs of a job that stand for its present, oldest first: back-fills and replays do not count.
///
/// # Errors
/// Those of the database.
pub async fn unfinished_of_job(conn: &mut PgConnection, job_id: Uuid) -> Result<Vec<Unfinished>, Error> {
    Ok(sqlx::query_as!(
        Unfinished,
        "SELECT id, state FROM runs
         WHERE job_id = $1 AND state IN ('waiting_data', 'available', 'leased')
           AND trigger NOT IN ('backfill', 'replay')
         ORDER BY created_at, id",
        job_id,
    )
    .fetch_all(conn)
    .await?)
}

/// Repeats a finished run on `queue` as a new one with the same document and window; `parent_id` names the old one.
///
/// The new run reads its inputs afresh: what was pinned belongs to the old one.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::NotFinished`] when the run may still succeed by itself.
pub async fn retry(
    conn: &mut PgConnection,
    run_id: Uuid,
    queue: &str,
    submitted_by: Option<&str>,
) -> Result<Enqueued, Error> {
    let id = sqlx::query_scalar!(
        "INSERT INTO runs (id, job_id, job_name, kind, document, queue, priority, trigger, notifies, tick_at,
                           window_start, window_end, parent_id, max_attempts, max_crashes, time_limit_seconds,
                           submitted_by)
         SELECT $2, job_id, job_name, kind, document, $4, priority, 'retry', notifies, tick_at,
                window_start, window_end, id, max_attempts, max_crashes, time_limit_seconds, $3
         FROM runs WHERE id = $1 AND state NOT IN ('waiting_data', 'available', 'leased')
         RETURNING id",
        run_id,
        Uuid::new_v4(),
        submitted_by,
        queue,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = id {
        return Ok(Enqueued { id, created: true });
    }
    let run = find(conn, run_id).await?.ok_or(Error::NotFound(run_id))?;
    Err(Error::NotFinished { run_id, state: run.state })
}

/// Waits until a run is finished; none when `timeout` passes first.
///
/// # Errors
/// [`Error::NotFound`]. An outage of the database is waited out within `timeout`.
pub async fn wait_for(pool: &PgPool, run_id: Uuid, timeout: Duration) -> Result<Option<Run>, Error> {
    let end = tokio::time::Instant::now() + timeout;
    let mut pause = Duration::from_millis(10);
    loop {
        match get(pool, run_id).await {
            Ok(run) if run.is_finished() => return Ok(Some(run)),
            Ok(_) => {}
            Err(Error::Database(error)) => tracing::debug!(%error, "waiting for a run: database does not answer"),
            Err(error) => return Err(error),
        }
        if tokio::time::Instant::now() + pause > end {
            return Ok(None);
        }
        tokio::time::sleep(pause).await;
        // Short runs are seen soon; long ones are not asked for a hundred times a second.
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}
