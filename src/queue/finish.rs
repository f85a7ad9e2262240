//! How a lease ends. Every statement here is guarded by the fence: a lease that has passed on changes nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Completion, Error, Handler, Run, ledger};

/// Marks a run as succeeded. Must be the first statement of the transaction that writes its results: it locks the run,
/// so that nobody can take it before that transaction ends.
///
/// # Errors
/// [`Error::FencedOut`] when the run is not leased under `fence` any more; the caller rolls back.
pub async fn complete(conn: &mut PgConnection, run_id: Uuid, fence: i64, completion: &Completion) -> Result<(), Error> {
    let done = sqlx::query_scalar!(
        r#"WITH done AS (
               UPDATE runs
               SET state = 'succeeded', outcome = $3, summary = $4, finished_at = steward_now(),
                   lease_owner = NULL, lease_until = NULL, error = NULL, error_kind = NULL
               WHERE id = $1 AND fence = $2 AND state = 'leased'
               RETURNING id
           ), closed AS (
               UPDATE run_attempts a
               SET finished_at = steward_now(), outcome = 'succeeded', bytes_read = $5, peak_memory_bytes = $6
               FROM done WHERE a.run_id = done.id AND a.fence = $2
           )
           SELECT count(*) AS "count!" FROM done"#,
        run_id,
        fence,
        completion.outcome,
        completion.summary,
        completion.bytes_read,
        completion.peak_memory,
    )
    .fetch_one(conn)
    .await?;
    if done == 1 { Ok(()) } else { Err(Error::FencedOut { run_id, fence }) }
}

/// How a lease ends other than by success.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    /// The state that follows; `available` becomes `cancelled` when somebody asked for that meanwhile.
    pub(super) state: &'static str,
    /// What the attempt was.
    pub(super) outcome: &'static str,
    pub(super) burns_attempt: bool,
    pub(super) counts_crash: bool,
    /// Back after this time; none leaves `run_after` as it is.
    pub(super) delay: Option<Duration>,
    /// ... but not later than this.
    pub(super) not_after: Option<DateTime<Utc>>,
    pub(super) error: Option<String>,
    pub(super) code: Option<String>,
}

impl Ending {
    /// Back into the queue.
    pub(super) fn again(outcome: &'static str, delay: Option<Duration>) -> Self {
        Self {
            state: "available",
            outcome,
            burns_attempt: false,
            counts_crash: false,
            delay,
            not_after: None,
            error: None,
            code: None,
        }
    }

    /// For ever.
    pub(super) fn last(state: &'static str, outcome: &'static str) -> Self {
        Self { state, outcome, ..Self::again(outcome, None) }
    }

    pub(super) fn burning(self) -> Self {
        Self { burns_attempt: true, ..self }
    }

    pub(super) fn because(self, code: impl Into<String>, error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), code: Some(code.into()), ..self }
    }
}

/// Ends a lease; the state that followed, or none when the lease was no longer valid.
pub(super) async fn settle(
    conn: &mut PgConnection,
    run_id: Uuid,
    fence: i64,
    ending: &Ending,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"WITH ended AS (
               UPDATE runs
               SET state = CASE WHEN $3::text = 'available' AND cancel_requested THEN 'cancelled' ELSE $3 END,
                   finished_at = CASE WHEN $3 = 'available' AND NOT cancel_requested THEN NULL ELSE steward_now() END,
                   attempt = attempt + $4, crash_count = crash_count + $5,
                   run_after = CASE WHEN $6::float8 IS NULL THEN run_after
                                    ELSE least(steward_now() + make_interval(secs => $6), $7) END,
                   lease_owner = NULL, lease_until = NULL,
                   error = coalesce($8, error), error_kind = coalesce($9, error_kind)
               WHERE id = $1 AND fence = $2 AND state = 'leased'
               RETURNING id, state
           ), closed AS (
               UPDATE run_attempts a
               SET finished_at = steward_now(), error = $8, error_kind = $9,
                   outcome = CASE WHEN ended.state = 'cancelled' THEN 'cancelled' ELSE $10 END
               FROM ended WHERE a.run_id = ended.id AND a.fence = $2 AND a.outcome IS NULL
           )
           SELECT state AS "state!" FROM ended"#,
        run_id,
        fence,
        ending.state,
        i32::from(ending.burns_attempt),
        i32::from(ending.counts_crash),
        ending.delay.map(|delay| delay.as_secs_f64()),
        ending.not_after,
        ending.error,
        ending.code,
        ending.outcome,
    )
    .fetch_optional(conn)
    .await
}

/// Ends a lease and, when that ends the run badly, lets the domain react in the same transaction.
///
/// `hook` is false after the domain's reaction has failed for good: then the run ends without it rather than never.
pub(super) async fn end(
    pool: &PgPool,
    handler: &dyn Handler,
    run: &Run,
    ending: &Ending,
    hook: bool,
) -> Result<Option<String>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let state = settle(&mut tx, run.id, run.fence, ending).await?;
    if let Some(state) = &state
        && hook
    {
        react(&mut tx, handler, run.id, state, ending).await?;
    }
    tx.commit().await?;
    Ok(state)
}

/// Calls the domain when `state` is a bad end.
pub(super) async fn react(
    conn: &mut PgConnection,
    handler: &dyn Handler,
    run_id: Uuid,
    state: &str,
    ending: &Ending,
) -> Result<(), sqlx::Error> {
    if !matches!(state, "failed" | "timed_out" | "poisoned") {
        return Ok(());
    }
    let Some(run) = ledger::find(&mut *conn, run_id).await? else { return Ok(()) };
    let error = ending.error.as_deref().unwrap_or_default();
    handler.terminal(conn, &run, state, error, ending.code.as_deref().unwrap_or_default()).await
}

/// Notes that an execution came back after its lease had passed on; true when there was something to note.
///
/// The reaper has called that attempt crashed; now it is known to have been frozen or cut off.
pub(super) async fn fenced_out(pool: &PgPool, run: &Run) -> Result<bool, sqlx::Error> {
    let noted = sqlx::query!(
        "UPDATE run_attempts SET outcome = 'fenced_out', finished_at = steward_now(), error_kind = 'fenced_out',
                error = 'the lease had passed on before the execution ended; its results were discarded'
         WHERE run_id = $1 AND fence = $2 AND (outcome IS NULL OR outcome = 'crashed')",
        run.id,
        run.fence,
    )
    .execute(pool)
    .await?;
    Ok(noted.rows_affected() > 0)
}

/// Gives back whatever a boot of a worker still holds; how many runs that were.
pub(super) async fn release_all(pool: &PgPool, owner: Uuid) -> Result<u64, sqlx::Error> {
    let released = sqlx::query_scalar!(
        r#"WITH given AS (
               UPDATE runs
               SET state = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'available' END,
                   finished_at = CASE WHEN cancel_requested THEN steward_now() END,
                   lease_owner = NULL, lease_until = NULL
               WHERE lease_owner = $1 AND state = 'leased'
               RETURNING id, fence, state
           ), closed AS (
               UPDATE run_attempts a
               SET finished_at = steward_now(),
                   outcome = CASE WHEN given.state = 'cancelled' THEN 'cancelled' ELSE 'released' END
               FROM given WHERE a.run_id = given.id AND a.fence = given.fence AND a.outcome IS NULL
           )
           SELECT count(*) AS "count!" FROM given"#,
        owner,
    )
    .fetch_one(pool)
    .await?;
    Ok(u64::try_from(released).unwrap_or(0))
}
