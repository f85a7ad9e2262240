//! Replaying and back-filling: the ticks of a range, in order, through the real queue and workers.
//!
//! `replay` is evaluation as if it were then: a simulated clock stands at each tick, in Rust and in SQL, and incidents,
//! emails and webhooks happen. `backfill` evaluates under the real clock, writes results and can page nobody. Both use a
//! queue of their own, so a running service neither takes their runs nor reaps them; what a replay could not deliver is
//! handed to the ordinary sender when it ends, so nothing is lost. One replay at a time per database.

use std::time::Duration;

use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::clock::SimulatedClock;
use crate::db::replays;
use crate::jobs::document::JobDocument;
use crate::jobs::ticks::{self, Occasion};
use crate::queue::{self, Trigger};
use crate::schedule::{CronError, CronSchedule, WindowError, ticks_between};

/// How often the end of a tick's runs is looked for.
const POLL: Duration = Duration::from_millis(15);

/// Most evaluations of one replay or back-fill: a slip of the pen in a year must not fill the machine.
const MOST: usize = 100_000;

/// What can go wrong.
#[derive(Debug, Error)]
pub enum Error {
    /// A job has no schedule, so the range has no ticks.
    #[error("job `{0}` has no schedule, so there are no ticks to go through; use `steward jobs run {0}`")]
    NoSchedule(String),
    /// Nothing to do.
    #[error("no tick of {jobs} lies between {from} and {to}")]
    NoTicks {
        /// The jobs.
        jobs: String,
        /// Start of the range.
        from: DateTime<Utc>,
        /// End of the range.
        to: DateTime<Utc>,
    },
    /// Too much to do in one go.
    #[error("the range from {from} to {to} has more than {MOST} ticks; choose a shorter one")]
    TooMany {
        /// Start of the range.
        from: DateTime<Utc>,
        /// End of the range.
        to: DateTime<Utc>,
    },
    /// Another replay is under way.
    #[error("another replay is running on this database; wait for it, or stop it")]
    Busy,
    /// The cron expression.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// The data window.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] queue::Error),
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// One planned evaluation.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The tick.
    pub tick: DateTime<Utc>,
    /// The tick before it.
    pub previous: DateTime<Utc>,
    /// Which of the jobs.
    pub job: usize,
}

/// A job to go through: its id where it is applied, and its document.
pub type Job = (Option<Uuid>, JobDocument);

/// All ticks of the jobs in `[from, to]`, in order of time and then of the jobs as given.
///
/// # Errors
/// When a job has no schedule, its cron expression is invalid, or there is no tick.
pub fn plan(jobs: &[Job], from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    for (index, (_, document)) in jobs.iter().enumerate() {
        let expression = document.schedule.as_deref().ok_or_else(|| Error::NoSchedule(document.name.clone()))?;
        let cron = CronSchedule::parse(expression, &document.timezone)?;
        let just_before = from - chrono::Duration::microseconds(1);
        let mut previous = cron.previous(from).unwrap_or(from);
        for tick in ticks_between(&cron, just_before, to) {
            planned.push(Planned { tick, previous, job: index });
            previous = tick;
            if planned.len() > MOST {
                return Err(Error::TooMany { from, to });
            }
        }
    }
    if planned.is_empty() {
        let jobs = jobs.iter().map(|(_, d)| d.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Error::NoTicks { jobs, from, to });
    }
    planned.sort_by_key(|p| (p.tick, p.job));
    Ok(planned)
}

/// What a finished evaluation looks like to whoever watches.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The run.
    pub run_id: Uuid,
    /// The job's name.
    pub job_name: String,
    /// The tick.
    pub tick: DateTime<Utc>,
    /// How the run ended.
    pub state: String,
    /// What it found.
    pub outcome: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What a replay did.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Every evaluation in order.
    pub finished: Vec<Finished>,
    /// Deliveries that were accepted.
    pub sent: u64,
    /// Deliveries that the ordinary sender goes on with.
    pub handed_over: u64,
    /// Evaluations that were older than one already applied: recorded, nobody told.
    pub recorded_only: u64,
}

/// How the roles of a replay are started: the caller assembles the program for the simulated clock.
pub trait Stage: Send + Sync {
    /// Starts a worker on `queue`.
    fn start_worker(&self, queue: &str, tracker: &TaskTracker, stop: &CancellationToken);
    /// Sends what is due on `queue`; answers how many were accepted.
    fn deliver(&self, queue: &str) -> impl Future<Output = u64> + Send;
    /// The real pool: its sessions live in the present.
    fn pool(&self) -> &sqlx::PgPool;
}

/// Goes through `planned`; `clock` is the stage's, or none for the present (back-fill).
///
/// # Errors
/// When another replay is running, or the database fails for good. A run that fails is part of the report.
pub async fn perform<S: Stage>(
    stage: &S,
    jobs: &[Job],
    planned: &[Planned],
    clock: Option<&SimulatedClock>,
    mut watch: impl FnMut(&Finished),
) -> Result<Report, Error> {
    let pool = stage.pool();
    let lock = if clock.is_some() { Some(replays::lock(pool).await?.ok_or(Error::Busy)?) } else { None };
    let trigger = if clock.is_some() { Trigger::Replay } else { Trigger::Backfill };
    let queue_name = format!("{}:{}", trigger.as_str(), Uuid::new_v4().simple());
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    stage.start_worker(&queue_name, &tracker, &stop);
    tracker.close();

    let mut report = Report::default();
    let outcome = async {
        for group in planned.chunk_by(|a, b| a.tick == b.tick) {
            if let Some(clock) = clock {
                clock.set(group[0].tick);
            }
            let mut runs = Vec::with_capacity(group.len());
            let mut tx = pool.begin().await?;
            for one in group {
                let (job_id, document) = &jobs[one.job];
                let occasion = Occasion {
                    trigger,
                    queue: queue_name.clone(),
                    tick: Some(one.tick),
                    previous: Some(one.previous),
                    window: None,
                    notifies: clock.is_some(),
                    submitted_by: None,
                    idempotency_key: None,
                };
                let mut run = ticks::new_run(*job_id, document, &occasion)?;
                run.run_after = Some(if clock.is_some() { one.tick } else { DateTime::UNIX_EPOCH });
                let id = queue::enqueue(&mut tx, &run).await?.id;
                if let (Some(job_id), Trigger::Replay) = (job_id, trigger) {
                    replays::record_tick(&mut tx, *job_id, one.tick, id).await?;
                }
                runs.push(id);
            }
            tx.commit().await?;
            for row in wait(pool, &runs, clock).await? {
                let finished = Finished {
                    run_id: row.id,
                    job_name: row.job_name,
                    tick: group[0].tick,
                    state: row.state,
                    outcome: row.outcome,
                    error: row.error,
                };
                watch(&finished);
                report.finished.push(finished);
            }
            if clock.is_some() {
                report.sent += stage.deliver(&queue_name).await;
            }
        }
        Ok::<(), Error>(())
    }
    .await;
    stop.cancel();
    tracker.wait().await;
    let ids: Vec<Uuid> = report.finished.iter().map(|f| f.run_id).collect();
    let ended = replays::hand_over(pool, &queue_name, &ids).await;
    if let Some(lock) = lock {
        replays::unlock(lock).await;
    }
    outcome?;
    let (handed_over, recorded_only) = ended?;
    report.handed_over = handed_over;
    report.recorded_only = if clock.is_some() { recorded_only } else { 0 };
    Ok(report)
}

/// Waits until the runs are finished. Simulated time jumps to the next retry, since nothing else would move it.
async fn wait(
    pool: &sqlx::PgPool,
    runs: &[Uuid],
    clock: Option<&SimulatedClock>,
) -> Result<Vec<replays::RunState>, Error> {
    use crate::clock::Clock as _;
    loop {
        let rows = replays::states(pool, runs).await?;
        if rows.iter().all(|r| r.is_finished()) {
            return Ok(rows);
        }
        if let Some(clock) = clock {
            let waiting: Vec<DateTime<Utc>> =
                rows.iter().filter(|r| r.state == "available").map(|r| r.run_after).collect();
            let leased = rows.iter().any(|r| r.state == "leased");
            if let (false, Some(next)) = (leased, waiting.iter().min())
                && *next > clock.now()
            {
                clock.set(*next);
            }
        }
        tokio::time::sleep(POLL).await;
    }
}
