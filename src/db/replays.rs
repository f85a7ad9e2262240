//! What a replay needs of the database: the lock, its ticks, the end of its runs, and handing over its messages.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use uuid::Uuid;

/// "steward replay" as a number: the advisory lock's key.
const LOCK_KEY: i64 = 0x7374_6577_7265_706c;

/// The one replay lock of a database, held.
#[derive(Debug)]
pub struct Lock {
    session: PoolConnection<Postgres>,
    /// Messages of an interrupted replay that now go out as usual.
    pub handed_over: u64,
}

/// Takes the one replay lock of this database; none when somebody else has it. It ends with the connection.
///
/// # Errors
/// Any error of the database.
pub async fn lock(pool: &PgPool) -> Result<Option<Lock>, sqlx::Error> {
    let mut conn = pool.acquire().await?;
    let got =
        sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "got!""#, LOCK_KEY).fetch_one(&mut *conn).await?;
    if !got {
        return Ok(None);
    }
    // What an interrupted replay left behind: its runs will never be run, its messages go out as usual.
    sqlx::query!(
        "UPDATE runs SET state = 'cancelled', finished_at = steward_now(), error = 'the replay was interrupted', error_kind = 'interrupted'
          WHERE queue LIKE 'replay:%' AND state IN ('waiting_data', 'available', 'leased')"
    )
    .execute(&mut *conn)
    .await?;
    let handed_over = sqlx::query!(
        "UPDATE deliveries SET queue = 'default' WHERE queue LIKE 'replay:%' AND state IN ('pending', 'retry', 'uncertain', 'leased')"
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    Ok(Some(Lock { session: conn, handed_over }))
}

/// Lets go of the lock.
pub async fn unlock(mut lock: Lock) {
    let released = sqlx::query_scalar!("SELECT pg_advisory_unlock($1)", LOCK_KEY).fetch_one(&mut *lock.session).await;
    if released.is_err() {
        // The session is gone, and the lock with it.
        tracing::debug!("the replay lock ended with its session");
    }
}

/// Notes that a tick got its run, unless it already has a verdict.
///
/// # Errors
/// Any error of the database.
pub async fn record_tick(
    conn: &mut PgConnection,
    job_id: Uuid,
    tick: DateTime<Utc>,
    run_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO ticks (schedule_id, tick_at, verdict, reason, run_id)
         SELECT s.id, $2, 'enqueued', 'replay', $3 FROM schedules s WHERE s.job_id = $1
         ON CONFLICT DO NOTHING",
        job_id,
        tick,
        run_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How a run stands.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the columns of `runs`, of the same names
pub struct RunState {
    pub id: Uuid,
    pub job_name: String,
    pub state: String,
    pub run_after: DateTime<Utc>,
    pub outcome: Option<String>,
    pub error: Option<String>,
}

impl RunState {
    /// Whether it is over.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !matches!(self.state.as_str(), "waiting_data" | "available" | "leased")
    }
}

/// How these runs stand, in the order given.
///
/// # Errors
/// Any error of the database.
pub async fn states(pool: &PgPool, runs: &[Uuid]) -> Result<Vec<RunState>, sqlx::Error> {
    sqlx::query_as!(
        RunState,
        r#"SELECT r.id, r.job_name, r.state, r.run_after, r.outcome, r.error
             FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted(id, place) JOIN runs r ON r.id = wanted.id
            ORDER BY wanted.place"#,
        runs
    )
    .fetch_all(pool)
    .await
}

/// Gives what is undelivered to the ordinary sender; answers how many those are, and how many of `runs` were recorded only.
///
/// # Errors
/// Any error of the database.
pub async fn hand_over(pool: &PgPool, queue: &str, runs: &[Uuid]) -> Result<(u64, u64), sqlx::Error> {
    let moved = super::run_results::hand_over_messages(pool, queue).await?;
    let recorded = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM runs r JOIN job_evaluations e ON e.job_name = r.job_name
            WHERE r.id = ANY($1) AND r.tick_at < e.last_applied AND NOT (e.last_run = ANY($1))"#,
        runs
    )
    .fetch_one(pool)
    .await?;
    Ok((moved, u64::try_from(recorded).unwrap_or(0)))
}
