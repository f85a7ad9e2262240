//! Backtests: what a drift job would have alerted over past ticks, for this threshold and that, before anyone is woken.
//!
//! Every tick is evaluated as its run would be, by the same code, over the window that the schedule gives; nothing is written, no
//! incident opens and nobody is told. A fixed reference is read once. What is counted from the verdicts, and by which rule, is in
//! `count`, which is pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use super::document::{DecideOn, JobDocument};
use super::evaluation::{Context, Rows};
use super::inputs::Problem;
use super::kinds::drift;
use super::replay::Planned;
use super::ticks::{self, Occasion};
use crate::db::results::DriftRow;
use crate::queue::{JobError, NewRun, Run, Trigger};
use crate::schedule::{Window, WindowError};

mod count;

pub use count::{Line, NoData, Report, Total, count};

/// Windows that are judged side by side: each holds a few columns in memory.
const PARALLEL: usize = 4;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kind of job has no threshold.
    #[error(
        "{name} is a job of kind `{kind}`: a backtest asks what other thresholds would have alerted, which only drift jobs have{hint}"
    )]
    Kind {
        /// The job.
        name: String,
        /// Its kind.
        kind: String,
        /// What to do instead.
        hint: &'static str,
    },
    /// The p-value decides.
    #[error(
        "the p-value decides in {0} (`decide_on = \"p_value\"`), so other thresholds would change nothing: leave out --threshold"
    )]
    PValue(String),
    /// The window of a tick.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// A window could not be judged at all.
    #[error("the window of the tick {tick}: {error}")]
    Job {
        /// The tick.
        tick: DateTime<Utc>,
        /// What happened.
        error: JobError,
    },
    /// There is no reference to compare with.
    #[error("{0}")]
    NoReference(String),
}

/// A past tick as it was judged.
#[derive(Debug)]
pub struct Seen {
    /// The tick.
    pub tick: DateTime<Utc>,
    /// The window of its data.
    pub window: Window,
    /// The checks; or why there are none.
    pub rows: Result<Vec<DriftRow>, String>,
}

/// Whether a backtest of that job over those thresholds means anything.
///
/// # Errors
/// [`Error::Kind`], [`Error::PValue`].
pub fn check(document: &JobDocument, thresholds: &[f64]) -> Result<(), Error> {
    let Some(spec) = &document.drift else {
        let hint = match document.kind.as_str() {
            "metrics" => {
                ". Change its bounds and go through the past with `steward jobs backfill`: results are written, nobody is told"
            }
            _ => "",
        };
        return Err(Error::Kind { name: document.name.clone(), kind: document.kind.clone(), hint });
    };
    if spec.decide_on == Some(DecideOn::PValue) && !thresholds.is_empty() {
        return Err(Error::PValue(document.name.clone()));
    }
    Ok(())
}

/// Judges the ticks, in order; `base` is the context of all of them, `watch` hears of each as it is done.
///
/// # Errors
/// See [`Error`]; a window without data, or with data that cannot be read, is part of the answer.
pub async fn look(
    document: &JobDocument,
    planned: &[Planned],
    base: &Context,
    mut watch: impl FnMut(&Seen),
) -> Result<Vec<Seen>, Error> {
    let kept = match drift::keep_reference(document, base).await {
        Ok(kept) => kept,
        Err(Problem::NoData(reason) | Problem::Corrupt(reason)) => return Err(Error::NoReference(reason)),
        Err(Problem::Job(error)) => return Err(Error::NoReference(error.to_string())),
    };
    let parallel = base.settings.worker.judge_parallel.clamp(1, PARALLEL);
    futures::stream::iter(planned.iter().map(|planned| one(document, planned, base, kept.as_ref())))
        .buffered(parallel)
        .inspect_ok(|seen| watch(seen))
        .try_collect()
        .await
}

async fn one(
    document: &JobDocument,
    planned: &Planned,
    base: &Context,
    kept: Option<&Arc<super::judging::side::Side>>,
) -> Result<Seen, Error> {
    let tick = planned.tick;
    let window = ticks::window_at(document, planned.previous, tick)?;
    let run = run(document, tick, planned.previous, base)?;
    let context = Context { run, window: Some(window), ..base.clone() };
    let rows = match drift::evaluate_with(document, &context, kept).await {
        Ok(evaluated) => Ok(match evaluated.rows {
            Rows::Drift(rows) => rows,
            _ => Vec::new(),
        }),
        Err(Problem::NoData(reason) | Problem::Corrupt(reason)) => Err(reason),
        Err(Problem::Job(error)) => return Err(Error::Job { tick, error }),
    };
    Ok(Seen { tick, window, rows })
}

/// The run that a tick would have been; it stands nowhere.
///
/// # Errors
/// When the window of the job cannot be read.
pub fn run(
    document: &JobDocument,
    tick: DateTime<Utc>,
    previous: DateTime<Utc>,
    base: &Context,
) -> Result<Run, WindowError> {
    let occasion = Occasion {
        trigger: Trigger::Backfill,
        queue: "backtest".to_owned(),
        tick: Some(tick),
        previous: Some(previous),
        window: None,
        notifies: false,
        submitted_by: None,
        idempotency_key: None,
    };
    Ok(of(ticks::new_run(None, document, &occasion)?, base.clock.now()))
}

/// A run as it would be claimed.
#[must_use]
pub fn of(new: NewRun, now: DateTime<Utc>) -> Run {
    Run {
        id: Uuid::nil(),
        job_id: new.job_id,
        job_name: new.job_name,
        kind: new.kind,
        document: new.document,
        queue: new.queue,
        priority: new.priority,
        state: "leased".to_owned(),
        trigger: new.trigger.as_str().to_owned(),
        notifies: false,
        tick_at: new.tick_at,
        window_start: new.window.map(|window| window.0),
        window_end: new.window.map(|window| window.1),
        idempotency_key: None,
        parent_id: None,
        after_run: None,
        run_after: now,
        attempt: 0,
        max_attempts: 1,
        crash_count: 0,
        max_crashes: 1,
        time_limit_seconds: new.time_limit_seconds,
        // The past is not waited for.
        deadline: None,
        fence: 0,
        lease_owner: None,
        lease_until: None,
        cancel_requested: false,
        submitted_by: None,
        traceparent: None,
        created_at: now,
        started_at: Some(now),
        finished_at: None,
        outcome: None,
        summary: None,
        error: None,
        error_kind: None,
    }
}
