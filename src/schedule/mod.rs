//! Stand-in for the schedule's own module, to be replaced when the parts meet: only what `jobs` calls.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A schedule with its policies, as a job declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// Cron expression.
    pub cron: String,
    /// IANA time zone.
    pub timezone: String,
    /// `skip`, `queue_one`, `queue_all`, `cancel_running` or `allow`.
    pub overlap: String,
    /// `latest`, `all` or `none`.
    pub catch_up: String,
    /// How old a missed tick may be, in seconds.
    pub catch_up_window_seconds: i64,
    /// Runs start up to so many seconds after their tick.
    pub jitter_seconds: i64,
}

/// Makes a job's schedule this one. A schedule that is new, was inactive, or has another cron expression or time zone
/// starts a new epoch at `now`; otherwise its ticks go on.
///
/// # Errors
/// Any error of the database.
pub async fn upsert_schedule(
    conn: &mut PgConnection,
    job_id: Uuid,
    spec: &ScheduleSpec,
    now: DateTime<Utc>,
) -> Result<Uuid, sqlx::Error> {
    sqlx::query_scalar!(
        "INSERT INTO schedules AS s (job_id, cron, timezone, overlap, catch_up, catch_up_window_seconds, jitter_seconds, epoch, high_water)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         ON CONFLICT (job_id) DO UPDATE SET
             cron = excluded.cron, timezone = excluded.timezone, overlap = excluded.overlap, catch_up = excluded.catch_up,
             catch_up_window_seconds = excluded.catch_up_window_seconds, jitter_seconds = excluded.jitter_seconds,
             epoch = CASE WHEN (s.cron, s.timezone, s.active) = (excluded.cron, excluded.timezone, true)
                     THEN s.epoch ELSE excluded.epoch END,
             high_water = CASE WHEN (s.cron, s.timezone, s.active) = (excluded.cron, excluded.timezone, true)
                     THEN s.high_water ELSE excluded.high_water END,
             active = true, updated_at = steward_now()
         RETURNING id",
        job_id,
        spec.cron,
        spec.timezone,
        spec.overlap,
        spec.catch_up,
        spec.catch_up_window_seconds,
        spec.jitter_seconds,
        now
    )
    .fetch_one(conn)
    .await
}

/// Stops the ticks of a job.
///
/// # Errors
/// Any error of the database.
pub async fn deactivate_schedule(conn: &mut PgConnection, job_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE schedules SET active = false, updated_at = steward_now() WHERE job_id = $1 AND active",
        job_id
    )
    .execute(conn)
    .await?;
    Ok(())
}
