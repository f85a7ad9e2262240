//! Tables `schedules` and `ticks`: rows and statements. What they mean is decided in `schedule`.
//!
//! May use sqlx only. Nothing here begins a transaction; callers that need one bring it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A schedule with what is needed of its job.
#[derive(Debug, Clone)]
pub struct ScheduleRow {
    /// Identity.
    pub id: Uuid,
    /// Its job.
    pub job_id: Uuid,
    /// The cron expression.
    pub cron: String,
    /// IANA time zone.
    pub timezone: String,
    /// A word of `schedule::Overlap`.
    pub overlap: String,
    /// A word of `schedule::CatchUp`.
    pub catch_up: String,
    /// How far back catching up reaches, in seconds.
    pub catch_up_window_seconds: i64,
    /// Most that a run may be delayed, in seconds.
    pub jitter_seconds: i64,
    /// Ticks at or before it do not exist.
    pub epoch: DateTime<Utc>,
    /// Every tick up to here has its verdict.
    pub high_water: DateTime<Utc>,
    /// Whether it is switched on.
    pub active: bool,
    /// The job's name.
    pub job_name: String,
    /// The job's kind.
    pub job_kind: String,
    /// The job's state: active, paused, removed.
    pub job_state: String,
    /// Why the job is paused.
    pub paused_reason: Option<String>,
    /// The job's document.
    pub document: serde_json::Value,
}

/// The columns that a job's document decides.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The cron expression.
    pub cron: &'a str,
    /// IANA time zone.
    pub timezone: &'a str,
    /// A word of `schedule::Overlap`.
    pub overlap: &'a str,
    /// A word of `schedule::CatchUp`.
    pub catch_up: &'a str,
    /// How far back catching up reaches, in seconds.
    pub catch_up_window_seconds: i64,
    /// Most that a run may be delayed, in seconds.
    pub jitter_seconds: i64,
}

/// What became of a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The tick.
    pub tick: DateTime<Utc>,
    /// enqueued, skipped_overlap, missed_window, collapsed, paused, data_timeout.
    pub verdict: &'static str,
    /// Why.
    pub reason: Option<String>,
}

/// A tick as it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TickRow {
    /// The tick.
    pub tick_at: DateTime<Utc>,
    /// What became of it.
    pub verdict: String,
    /// Why.
    pub reason: Option<String>,
    /// The run it became.
    pub run_id: Option<Uuid>,
    /// When that was decided.
    pub decided_at: DateTime<Utc>,
}

/// What time it is for the database.
///
/// # Errors
/// Those of the database; this holds for all functions here.
pub async fn now(pool: &PgPool) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT steward_now() AS "now!""#).fetch_one(pool).await
}

/// All schedules that may have ticks, by the name of their job.
///
/// # Errors
/// Those of the database.
pub async fn active(pool: &PgPool) -> Result<Vec<ScheduleRow>, sqlx::Error> {
    sqlx::query_as!(
        ScheduleRow,
        "SELECT s.id, s.job_id, s.cron, s.timezone, s.overlap, s.catch_up, s.catch_up_window_seconds, s.jitter_seconds,
                s.epoch, s.high_water, s.active, j.name AS job_name, j.kind AS job_kind, j.state AS job_state,
                j.paused_reason, j.document
         FROM schedules s JOIN jobs j ON j.id = s.job_id
         WHERE s.active AND j.state <> 'removed'
         ORDER BY j.name"
    )
    .fetch_all(pool)
    .await
}

/// One schedule, locked until the transaction ends; none when it is locked already or has been switched off.
///
/// # Errors
/// Those of the database.
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Option<ScheduleRow>, sqlx::Error> {
    sqlx::query_as!(
        ScheduleRow,
        "SELECT s.id, s.job_id, s.cron, s.timezone, s.overlap, s.catch_up, s.catch_up_window_seconds, s.jitter_seconds,
                s.epoch, s.high_water, s.active, j.name AS job_name, j.kind AS job_kind, j.state AS job_state,
                j.paused_reason, j.document
         FROM schedules s JOIN jobs j ON j.id = s.job_id
         WHERE s.id = $1 AND s.active AND j.state <> 'removed'
         FOR UPDATE OF s SKIP LOCKED",
        id
    )
    .fetch_optional(conn)
    .await
}

/// The schedule of a job, locked until the transaction ends.
///
/// # Errors
/// Those of the database.
pub async fn of_job(conn: &mut PgConnection, job_id: Uuid) -> Result<Option<ScheduleRow>, sqlx::Error> {
    sqlx::query_as!(
        ScheduleRow,
        "SELECT s.id, s.job_id, s.cron, s.timezone, s.overlap, s.catch_up, s.catch_up_window_seconds, s.jitter_seconds,
                s.epoch, s.high_water, s.active, j.name AS job_name, j.kind AS job_kind, j.state AS job_state,
                j.paused_reason, j.document
         FROM schedules s JOIN jobs j ON j.id = s.job_id
         WHERE s.job_id = $1
         FOR UPDATE OF s",
        job_id
    )
    .fetch_optional(conn)
    .await
}

/// A new schedule, whose ticks begin after `now`.
///
/// # Errors
/// Those of the database.
pub async fn insert(
    conn: &mut PgConnection,
    job_id: Uuid,
    given: &Given<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO schedules (job_id, cron, timezone, overlap, catch_up, catch_up_window_seconds, jitter_seconds,
                                epoch, high_water, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8)",
        job_id,
        given.cron,
        given.timezone,
        given.overlap,
        given.catch_up,
        given.catch_up_window_seconds,
        given.jitter_seconds,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Changes a schedule and switches it on; with `epoch` its ticks begin anew after that.
///
/// # Errors
/// Those of the database.
pub async fn update(
    conn: &mut PgConnection,
    id: Uuid,
    given: &Given<'_>,
    epoch: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE schedules
         SET cron = $2, timezone = $3, overlap = $4, catch_up = $5, catch_up_window_seconds = $6, jitter_seconds = $7,
             epoch = coalesce($8, epoch), high_water = coalesce($8, high_water), active = true, updated_at = $9
         WHERE id = $1",
        id,
        given.cron,
        given.timezone,
        given.overlap,
        given.catch_up,
        given.catch_up_window_seconds,
        given.jitter_seconds,
        epoch,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Switches the schedule of a job off; false when there was none that was on.
///
/// # Errors
/// Those of the database.
pub async fn deactivate(conn: &mut PgConnection, job_id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let changed =
        sqlx::query!("UPDATE schedules SET active = false, updated_at = $2 WHERE job_id = $1 AND active", job_id, now)
            .execute(conn)
            .await?;
    Ok(changed.rows_affected() > 0)
}

/// Stores verdicts; the ticks that had none before. A verdict that is there stays.
///
/// # Errors
/// Those of the database.
pub async fn insert_ticks(
    conn: &mut PgConnection,
    schedule_id: Uuid,
    verdicts: &[Verdict],
    now: DateTime<Utc>,
) -> Result<BTreeSet<DateTime<Utc>>, sqlx::Error> {
    let ticks: Vec<DateTime<Utc>> = verdicts.iter().map(|verdict| verdict.tick).collect();
    let words: Vec<String> = verdicts.iter().map(|verdict| verdict.verdict.to_owned()).collect();
    let reasons: Vec<Option<String>> = verdicts.iter().map(|verdict| verdict.reason.clone()).collect();
    let fresh = sqlx::query_scalar!(
        "INSERT INTO ticks (schedule_id, tick_at, verdict, reason, decided_at)
         SELECT $1, u.tick_at, u.verdict, u.reason, $5
         FROM unnest($2::timestamptz[], $3::text[], $4::text[]) AS u(tick_at, verdict, reason)
         ON CONFLICT (schedule_id, tick_at) DO NOTHING
         RETURNING tick_at",
        schedule_id,
        &ticks,
        &words,
        &reasons as &[Option<String>],
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(fresh.into_iter().collect())
}

/// Completes the verdict of a tick within the transaction that inserted it.
///
/// # Errors
/// Those of the database.
pub async fn revise_tick(
    conn: &mut PgConnection,
    schedule_id: Uuid,
    tick: DateTime<Utc>,
    verdict: &str,
    reason: Option<&str>,
    run_id: Option<Uuid>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE ticks SET verdict = $3, reason = $4, run_id = $5 WHERE schedule_id = $1 AND tick_at = $2",
        schedule_id,
        tick,
        verdict,
        reason,
        run_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves the high water; never back, also when a host's or the database's clock goes back.
///
/// # Errors
/// Those of the database.
pub async fn advance(conn: &mut PgConnection, id: Uuid, high_water: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE schedules SET high_water = greatest(high_water, $2) WHERE id = $1", id, high_water)
        .execute(conn)
        .await?;
    Ok(())
}

/// The latest `limit` ticks of a job, newest first.
///
/// # Errors
/// Those of the database.
pub async fn ticks_of_job(pool: &PgPool, job_id: Uuid, limit: i64) -> Result<Vec<TickRow>, sqlx::Error> {
    sqlx::query_as!(
        TickRow,
        "SELECT t.tick_at, t.verdict, t.reason, t.run_id, t.decided_at
         FROM ticks t JOIN schedules s ON s.id = t.schedule_id
         WHERE s.job_id = $1 ORDER BY t.tick_at DESC LIMIT $2",
        job_id,
        limit,
    )
    .fetch_all(pool)
    .await
}
