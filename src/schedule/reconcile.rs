//! One pass over all schedules: every tick that is due gets its verdict.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::policy::{Fate, Lateness, fates};
use super::{CatchUp, CronError, CronSchedule, Overlap, Window, ticks_between};
use crate::clock::SharedClock;
use crate::config::scheduler::SchedulerSettings;
use crate::db::schedules::{self, ScheduleRow, Verdict};
use crate::queue::{self, NewRun, Trigger};

/// The job of a schedule.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// Its identity.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The validated document.
    pub document: serde_json::Value,
}

/// A tick that is to become a run.
#[derive(Debug, Clone, Copy)]
pub struct Planned {
    /// The instant.
    pub tick: DateTime<Utc>,
    /// The one before it, by the same expression.
    pub previous_tick: DateTime<Utc>,
    /// From the previous tick to this one; the job may want another one, see [`window_of`](super::window_of).
    pub window: Window,
    /// The schedule's time zone.
    pub timezone: chrono_tz::Tz,
}

/// Makes runs of ticks; knows the job documents.
pub trait RunFactory: Send + Sync {
    /// The run for a tick. Job, tick, trigger, start and predecessor are set by the scheduler afterwards.
    ///
    /// # Errors
    /// Why the document cannot be run; the tick stays without verdict until that is mended.
    fn new_run(&self, job: &JobRow, planned: &Planned) -> Result<NewRun, String>;
}

impl<F> RunFactory for F
where
    F: Fn(&JobRow, &Planned) -> Result<NewRun, String> + Send + Sync,
{
    fn new_run(&self, job: &JobRow, planned: &Planned) -> Result<NewRun, String> {
        self(job, planned)
    }
}

/// What can go wrong with a schedule.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The expression or the time zone.
    #[error("schedule: {0}")]
    Cron(#[from] CronError),
    /// The job's document.
    #[error("job document: {0}")]
    Document(String),
    /// A word in the database that this version does not know.
    #[error("column {column} of schedules holds {value:?}, which is no policy: apply the job again")]
    Policy {
        /// The column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// The queue refused.
    #[error(transparent)]
    Queue(#[from] queue::Error),
    /// The database refused or could not be reached.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// A schedule that could not be worked off; the others were.
#[derive(Debug)]
pub struct ScheduleFailure {
    /// Its job.
    pub job_name: String,
    /// Why.
    pub error: Error,
}

/// What a pass did.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// Runs made, in order of their ticks within a schedule.
    pub enqueued: Vec<Uuid>,
    /// Verdicts given, by their word.
    pub verdicts: BTreeMap<&'static str, usize>,
    /// Schedules that could not be worked off.
    pub failures: Vec<ScheduleFailure>,
}

/// One pass. Any number of processes may do it at the same time.
///
/// The time is the database's, unless the clock is simulated.
///
/// # Errors
/// Only when the database cannot be reached at all; what concerns one schedule is in [`Reconciled::failures`].
pub async fn reconcile(
    pool: &PgPool,
    clock: &SharedClock,
    settings: &SchedulerSettings,
    factory: &dyn RunFactory,
) -> Result<Reconciled, Error> {
    let mut done = Reconciled::default();
    let now = if clock.is_simulated() { clock.now() } else { schedules::now(pool).await? };
    for row in schedules::active(pool).await? {
        if let Err(error) = one(pool, &row, now, settings, factory, &mut done).await {
            if matches!(&error, Error::Database(error) if !matches!(error, sqlx::Error::Database(_))) {
                return Err(error);
            }
            done.failures.push(ScheduleFailure { job_name: row.job_name, error });
        }
    }
    Ok(done)
}

/// Works off one schedule, in one transaction, when a tick is due.
async fn one(
    pool: &PgPool,
    seen: &ScheduleRow,
    now: DateTime<Utc>,
    settings: &SchedulerSettings,
    factory: &dyn RunFactory,
    done: &mut Reconciled,
) -> Result<(), Error> {
    let cron = CronSchedule::parse(&seen.cron, &seen.timezone)?;
    if cron.next(seen.high_water).is_none_or(|tick| tick > now) {
        return Ok(());
    }
    let mut tx = pool.begin().await?;
    // Locked by another scheduler: it gives the verdicts.
    let Some(row) = schedules::lock(&mut tx, seen.id).await? else { return Ok(()) };
    let cron = CronSchedule::parse(&row.cron, &row.timezone)?;
    let ticks: Vec<DateTime<Utc>> = ticks_between(&cron, row.high_water, now).collect();
    let verdicts = judge(&row, &ticks, now, settings)?;
    let fresh = schedules::insert_ticks(&mut tx, row.id, &verdicts, now).await?;
    let mut pass = Pass { conn: &mut tx, row: &row, cron: &cron, factory, chain: None, enqueued: Vec::new() };
    let mut counted: BTreeMap<&'static str, usize> = BTreeMap::new();
    let unfinished = queue::unfinished_of_job(&mut *pass.conn, row.job_id).await?;
    for verdict in verdicts.iter().filter(|verdict| fresh.contains(&verdict.tick)) {
        let given =
            if verdict.verdict == "enqueued" { pass.fire(verdict.tick, &unfinished).await? } else { verdict.verdict };
        *counted.entry(given).or_default() += 1;
    }
    let enqueued = pass.enqueued;
    schedules::advance(&mut tx, row.id, now).await?;
    tx.commit().await?;
    // Only what is committed counts.
    done.enqueued.extend(enqueued);
    for (verdict, count) in counted {
        *done.verdicts.entry(verdict).or_default() += count;
    }
    Ok(())
}

/// The verdict of each tick before overlap is looked at.
fn judge(
    row: &ScheduleRow,
    ticks: &[DateTime<Utc>],
    now: DateTime<Utc>,
    settings: &SchedulerSettings,
) -> Result<Vec<Verdict>, Error> {
    if row.job_state == "paused" {
        let reason = row.paused_reason.clone().unwrap_or_else(|| "the job is paused".to_owned());
        let paused = |tick: &DateTime<Utc>| Verdict { tick: *tick, verdict: "paused", reason: Some(reason.clone()) };
        return Ok(ticks.iter().map(paused).collect());
    }
    let unknown = |column, value: &str| Error::Policy { column, value: value.to_owned() };
    let lateness = Lateness {
        catch_up: CatchUp::parse(&row.catch_up).ok_or_else(|| unknown("catch_up", &row.catch_up))?,
        window: Duration::try_seconds(row.catch_up_window_seconds).unwrap_or(Duration::MAX),
        cap: settings.catch_up_cap,
        on_time: Duration::try_seconds(i64::try_from(settings.on_time_seconds).unwrap_or(i64::MAX))
            .unwrap_or(Duration::MAX),
    };
    let verdict = |(tick, fate): (&DateTime<Utc>, Fate)| match fate {
        Fate::Fire => Verdict { tick: *tick, verdict: "enqueued", reason: None },
        Fate::Missed(reason) => Verdict { tick: *tick, verdict: "missed_window", reason: Some(reason) },
        Fate::Collapsed(reason) => Verdict { tick: *tick, verdict: "collapsed", reason: Some(reason) },
    };
    Ok(ticks.iter().zip(fates(ticks, now, &lateness)).map(verdict).collect())
}

/// The ticks of one schedule that are fired in one transaction.
struct Pass<'a> {
    conn: &'a mut PgConnection,
    row: &'a ScheduleRow,
    cron: &'a CronSchedule,
    factory: &'a dyn RunFactory,
    /// The run made last in this pass: ticks made up for together run one after the other.
    chain: Option<Uuid>,
    enqueued: Vec<Uuid>,
}

impl Pass<'_> {
    /// Makes the run of a tick, unless unfinished runs of the job forbid it; the verdict that stands.
    ///
    /// `unfinished` are those from before this pass: ticks that are made up for together do not skip each other.
    async fn fire(&mut self, tick: DateTime<Utc>, unfinished: &[queue::Unfinished]) -> Result<&'static str, Error> {
        let overlap = Overlap::parse(&self.row.overlap)
            .ok_or_else(|| Error::Policy { column: "overlap", value: self.row.overlap.clone() })?;
        let in_the_way = match overlap {
            Overlap::Skip => unfinished.first(),
            Overlap::QueueOne => unfinished.iter().find(|run| run.state != "leased"),
            Overlap::QueueAll | Overlap::CancelRunning | Overlap::Allow => None,
        };
        if let Some(run) = in_the_way {
            let reason = format!("run {} is still {}", run.id, run.state);
            schedules::revise_tick(self.conn, self.row.id, tick, "skipped_overlap", Some(&reason), None).await?;
            return Ok("skipped_overlap");
        }
        if overlap == Overlap::CancelRunning && self.chain.is_none() {
            for run in unfinished {
                queue::cancel(&mut *self.conn, run.id).await?;
            }
        }
        let after_run = match overlap {
            Overlap::Allow => None,
            _ => self.chain.or(unfinished.last().map(|run| run.id)),
        };
        let run = self.run_of(tick, after_run)?;
        let run = queue::enqueue(&mut *self.conn, &run).await?;
        schedules::revise_tick(self.conn, self.row.id, tick, "enqueued", None, Some(run.id)).await?;
        self.chain = Some(run.id);
        self.enqueued.push(run.id);
        Ok("enqueued")
    }

    fn run_of(&self, tick: DateTime<Utc>, after_run: Option<Uuid>) -> Result<NewRun, Error> {
        let previous_tick = self.cron.previous(tick).unwrap_or(tick);
        let planned = Planned { tick, previous_tick, window: (previous_tick, tick), timezone: self.cron.timezone() };
        let job = JobRow {
            id: self.row.job_id,
            name: self.row.job_name.clone(),
            kind: self.row.job_kind.clone(),
            document: self.row.document.clone(),
        };
        let run = self.factory.new_run(&job, &planned).map_err(Error::Document)?;
        let start = run.run_after.unwrap_or(tick) + jitter(self.row.id, self.row.jitter_seconds);
        Ok(NewRun {
            job_id: Some(job.id),
            trigger: Trigger::Schedule,
            tick_at: Some(tick),
            run_after: Some(start),
            after_run,
            ..run
        })
    }
}

/// A delay of 0 to `longest` seconds that is always the same for a schedule.
fn jitter(schedule_id: Uuid, longest: i64) -> Duration {
    let digest = Sha256::digest(schedule_id.as_bytes());
    let word = u64::from_be_bytes([0, digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6]]);
    let range = u64::try_from(longest.max(0)).unwrap_or(0).saturating_add(1);
    Duration::seconds(i64::try_from(word % range).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_stable_within_bounds_and_spread() {
        let of = |n: u128| jitter(Uuid::from_u128(n), 600).num_seconds();
        assert_eq!(of(1), of(1));
        let all: Vec<i64> = (0..1000).map(of).collect();
        assert!(all.iter().all(|seconds| (0..=600).contains(seconds)));
        let mean = all.iter().sum::<i64>() / 1000;
        assert!((270..330).contains(&mean), "mean {mean}");
        assert_eq!(jitter(Uuid::from_u128(1), 0), Duration::zero());
    }
}
