//! Putting a job's schedule into the database.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::reconcile::Error;
use super::{CatchUp, CronSchedule, Overlap};
use crate::db::schedules;

/// A job's schedule as its document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// The cron expression.
    pub cron: String,
    /// IANA time zone.
    pub timezone: String,
    /// What happens while an earlier run is unfinished.
    pub overlap: Overlap,
    /// What happens to ticks that nobody fired in time.
    pub catch_up: CatchUp,
    /// How far back catching up reaches, in seconds; not negative.
    pub catch_up_window_seconds: i64,
    /// Most that a run may be delayed so that jobs do not all start together, in seconds; not negative.
    pub jitter_seconds: i64,
}

/// What putting a schedule did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upserted {
    /// It is new: its first tick is the next one.
    Created,
    /// Its times changed, or it was switched on again: it starts anew at now.
    NewEpoch,
    /// Only policies changed.
    Changed,
    /// Nothing changed.
    Unchanged,
}

/// Creates or changes the schedule of a job. Ticks at or before `now` never exist for a new one, nor for one whose
/// expression or time zone changed.
///
/// # Errors
/// [`Error::Cron`] when the expression or the time zone cannot be used; nothing is written then.
pub async fn upsert_schedule(
    conn: &mut PgConnection,
    job_id: Uuid,
    spec: &ScheduleSpec,
    now: DateTime<Utc>,
) -> Result<Upserted, Error> {
    CronSchedule::parse(&spec.cron, &spec.timezone)?;
    let given = schedules::Given {
        cron: &spec.cron,
        timezone: &spec.timezone,
        overlap: spec.overlap.as_str(),
        catch_up: spec.catch_up.as_str(),
        catch_up_window_seconds: spec.catch_up_window_seconds,
        jitter_seconds: spec.jitter_seconds,
    };
    let Some(old) = schedules::of_job(&mut *conn, job_id).await? else {
        schedules::insert(conn, job_id, &given, now).await?;
        return Ok(Upserted::Created);
    };
    let upserted = if !old.active || old.cron != spec.cron || old.timezone != spec.timezone {
        Upserted::NewEpoch
    } else if old.overlap == given.overlap
        && old.catch_up == given.catch_up
        && old.catch_up_window_seconds == given.catch_up_window_seconds
        && old.jitter_seconds == given.jitter_seconds
    {
        return Ok(Upserted::Unchanged);
    } else {
        Upserted::Changed
    };
    let epoch = (upserted == Upserted::NewEpoch).then_some(now);
    schedules::update(conn, old.id, &given, epoch, now).await?;
    Ok(upserted)
}

/// Switches the schedule of a job off: no ticks from now on. False when it had none that was on.
///
/// # Errors
/// Those of the database.
pub async fn deactivate_schedule(conn: &mut PgConnection, job_id: Uuid, now: DateTime<Utc>) -> Result<bool, Error> {
    Ok(schedules::deactivate(conn, job_id, now).await?)
}
