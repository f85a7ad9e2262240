//! Job definitions: `jobs`.
//!
//! Stores what it is given; what a document means is known by `crate::jobs`. A job is never deleted: results refer to it.
//! Time is `steward_now()`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// A definition to be stored.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Unique name.
    pub name: String,
    /// Kind of job.
    pub kind: String,
    /// Canonical document.
    pub document: Value,
    /// The text as it was written.
    pub source: String,
    /// The file it came from.
    pub path: Option<String>,
    /// SHA-256 of the canonical document, lowercase hex.
    pub digest: String,
}

/// A stored definition.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// Its id.
    pub id: Uuid,
    /// Unique name.
    pub name: String,
    /// Kind of job.
    pub kind: String,
    /// Canonical document.
    pub document: Value,
    /// The text as it was written.
    pub source: String,
    /// The file it came from.
    pub path: Option<String>,
    /// SHA-256 of the canonical document, lowercase hex.
    pub digest: String,
    /// `active`, `paused` or `removed`.
    pub state: String,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// Why it is paused.
    pub paused_reason: Option<String>,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
}

/// A job with its schedule and what became of its last run, for lists.
#[derive(Debug, Clone)]
pub struct JobOverview {
    /// Its id.
    pub id: Uuid,
    /// Unique name.
    pub name: String,
    /// Kind of job.
    pub kind: String,
    /// `active`, `paused` or `removed`.
    pub state: String,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// Why it is paused.
    pub paused_reason: Option<String>,
    /// Cron expression of its active schedule.
    pub cron: Option<String>,
    /// Time zone of its active schedule.
    pub timezone: Option<String>,
    /// Up to here every tick has its verdict.
    pub high_water: Option<DateTime<Utc>>,
    /// State of the last run, unfinished ones included.
    pub last_state: Option<String>,
    /// What the last run found.
    pub last_outcome: Option<String>,
    /// When the last run was for (its tick), else when it was made.
    pub last_at: Option<DateTime<Utc>>,
}

/// Lets one `apply` at a time go on; held to the end of the transaction.
///
/// # Errors
/// Any error of the database.
pub async fn lock_definitions(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('steward.jobs.definitions', 0))").execute(conn).await?;
    Ok(())
}

/// All definitions, removed ones too, by name.
///
/// # Errors
/// Any error of the database.
pub async fn all(conn: &mut PgConnection) -> Result<Vec<JobRow>, sqlx::Error> {
    sqlx::query_as!(
        JobRow,
        "SELECT id, name, kind, document, source, path, digest, state, paused_by, paused_reason, paused_at
         FROM jobs ORDER BY name COLLATE \"C\""
    )
    .fetch_all(conn)
    .await
}

/// The definition of that name, removed or not.
///
/// # Errors
/// Any error of the database.
pub async fn find(conn: &mut PgConnection, name: &str) -> Result<Option<JobRow>, sqlx::Error> {
    sqlx::query_as!(
        JobRow,
        "SELECT id, name, kind, document, source, path, digest, state, paused_by, paused_reason, paused_at
         FROM jobs WHERE name = $1",
        name
    )
    .fetch_optional(conn)
    .await
}

/// Stores a definition under its name; a removed job of that name is active again, a paused one stays paused.
/// Answers the job's id.
///
/// # Errors
/// Any error of the database.
pub async fn upsert(conn: &mut PgConnection, job: &NewJob) -> Result<Uuid, sqlx::Error> {
    sqlx::query_scalar!(
        "INSERT INTO jobs (name, kind, document, source, path, digest) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (name) DO UPDATE SET
             kind = excluded.kind, document = excluded.document, source = excluded.source, path = excluded.path,
             digest = excluded.digest, updated_at = steward_now(),
             state = CASE WHEN jobs.state = 'removed' THEN 'active' ELSE jobs.state END
         RETURNING id",
        job.name,
        job.kind,
        job.document,
        job.source,
        job.path,
        job.digest
    )
    .fetch_one(conn)
    .await
}

/// Marks a job as removed; what it found stays.
///
/// # Errors
/// Any error of the database.
pub async fn remove(conn: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE jobs SET state = 'removed', paused_by = NULL, paused_reason = NULL, paused_at = NULL, updated_at = steward_now()
         WHERE id = $1",
        id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Pauses an active job. False when there is no active job of that name.
///
/// # Errors
/// Any error of the database.
pub async fn pause(conn: &mut PgConnection, name: &str, by: &str, reason: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE jobs SET state = 'paused', paused_by = $2, paused_reason = $3, paused_at = steward_now(), updated_at = steward_now()
         WHERE name = $1 AND state = 'active'",
        name,
        by,
        reason
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Resumes a paused job. False when there is no paused job of that name.
///
/// # Errors
/// Any error of the database.
pub async fn resume(conn: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE jobs SET state = 'active', paused_by = NULL, paused_reason = NULL, paused_at = NULL, updated_at = steward_now()
         WHERE name = $1 AND state = 'paused'",
        name
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Every job that is not removed, by name, with its schedule and its last run (back-fills and replays aside).
///
/// # Errors
/// Any error of the database.
pub async fn overview(executor: impl PgExecutor<'_>) -> Result<Vec<JobOverview>, sqlx::Error> {
    sqlx::query_as!(
        JobOverview,
        "SELECT j.id, j.name, j.kind, j.state, j.paused_by, j.paused_reason,
                s.cron AS \"cron?\", s.timezone AS \"timezone?\", s.high_water AS \"high_water?\",
                r.state AS \"last_state?\", r.outcome AS last_outcome, coalesce(r.tick_at, r.created_at) AS last_at
         FROM jobs j
         LEFT JOIN schedules s ON s.job_id = j.id AND s.active
         LEFT JOIN LATERAL (
             SELECT state, outcome, tick_at, created_at FROM runs
             WHERE job_name = j.name AND job_id = j.id AND trigger <> 'backfill'
             ORDER BY created_at DESC, id DESC LIMIT 1
         ) r ON true
         WHERE j.state <> 'removed'
         ORDER BY j.name COLLATE \"C\""
    )
    .fetch_all(executor)
    .await
}
