//! `steward jobs run`, `replay` and `backfill`: making runs of applied jobs happen.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use super::super::demo::{SimulatedStage, line};
use super::super::output::{self, Format};
use super::super::progress::Progress;
use super::super::runs::{self, Waiting};
use super::super::{Context, exit};
use crate::app::{App, DEFAULT_QUEUE, Roles};
use crate::clock::SimulatedClock;
use crate::jobs::JobDocument;
use crate::jobs::replay::{self, Job, Stage};
use crate::jobs::store;
use crate::jobs::ticks::{self, Occasion};
use crate::queue::Trigger;
use crate::schedule::{self, CronSchedule};

/// Arguments of `jobs run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The job.
    name: String,
    /// Judge as at this instant instead of now: it decides the window. A date means the job's first tick on that day, in its
    /// own time zone; RFC 3339 means that instant.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    at: Option<When>,
    #[command(flatten)]
    waiting: Waiting,
}

/// Arguments of `jobs replay` and `jobs backfill`.
#[derive(Debug, clap::Args)]
pub struct RangeArgs {
    /// The job (several names are gone through together, tick by tick).
    #[arg(required = true)]
    names: Vec<String>,
    /// First instant (a date, or RFC 3339).
    #[arg(long, value_parser = instant)]
    from: DateTime<Utc>,
    /// Last instant (a date, or RFC 3339).
    #[arg(long, value_parser = instant)]
    to: DateTime<Utc>,
    /// Only show the ticks and their windows.
    #[arg(long)]
    dry_run: bool,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// What `--at` means.
#[derive(Debug, Clone, Copy)]
enum When {
    /// The job's tick on that day.
    Day(NaiveDate),
    /// That instant.
    Instant(DateTime<Utc>),
}

fn when(text: &str) -> Result<When, String> {
    text.parse().map(When::Day).or_else(|_| instant(text).map(When::Instant))
}

impl When {
    /// The instant for a job; a day on which it has no tick is a mistake.
    fn of(self, document: &JobDocument) -> anyhow::Result<DateTime<Utc>> {
        let day = match self {
            Self::Instant(at) => return Ok(at),
            Self::Day(day) => day,
        };
        let Some(cron) = &document.schedule else {
            let message = format!(
                "{} has no schedule, so it has no tick on {day}: write an instant, such as {day}T00:00:00Z",
                document.name
            );
            return Err(exit::Failure::usage(message).into());
        };
        schedule::first_on(&CronSchedule::parse(cron, &document.timezone)?, day).map_err(|none| {
            let near: Vec<String> = [none.before, none.after]
                .into_iter()
                .flatten()
                .map(|at| at.format("%Y-%m-%d (%H:%M %Z)").to_string())
                .collect();
            let message = format!(
                "{} has no tick on {day}; the nearest are on {}. Choose one of those days, or write an instant, such as \
                 {day}T00:00:00Z",
                document.name,
                near.join(" and ")
            );
            exit::Failure::usage(message).into()
        })
    }
}

/// A date (midnight UTC) or an RFC 3339 instant.
pub(crate) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.with_timezone(&Utc));
    }
    text.parse::<NaiveDate>()
        .ok()
        .and_then(|d| d.and_hms_opt(0, 0, 0))
        .map(|t| t.and_utc())
        .ok_or_else(|| "expected a date such as 2013-04-01 or an instant such as 2013-04-01T06:00:00Z".to_owned())
}

/// Makes one run of a job.
///
/// # Errors
/// When the job is unknown or the database fails.
pub async fn run(args: RunArgs, context: &Context) -> anyhow::Result<u8> {
    let app = context.app().await?;
    let (job_id, document) = find(&app, &args.name).await?;
    let tick = args.at.map_or_else(|| Ok(app.clock.now()), |at| at.of(&document))?;
    let previous = match &document.schedule {
        Some(cron) => CronSchedule::parse(cron, &document.timezone)?.previous(tick),
        None => None,
    };
    let occasion = Occasion {
        trigger: Trigger::Manual,
        queue: args.waiting.queue(DEFAULT_QUEUE),
        tick: Some(tick),
        previous,
        window: None,
        notifies: true,
        submitted_by: runs::user(),
        idempotency_key: None,
    };
    let run = ticks::new_run(job_id, &document, &occasion)?;
    runs::submit(&app, &run, &args.waiting).await
}

/// Goes through the ticks of a range as if it were then.
///
/// # Errors
/// When a job is unknown, has no ticks in the range, or another replay is running.
pub async fn replay(args: RangeArgs, context: &Context) -> anyhow::Result<u8> {
    let app = context.app().await?;
    let clock = SimulatedClock::at(args.from);
    let simulated = App::start(context.settings.settings.clone(), clock.clone()).await?;
    let stage = SimulatedStage { simulated: simulated.clone(), present: app.database.pool.clone() };
    let code = perform(&args, &app, &stage, Some(&clock)).await;
    simulated.close().await;
    app.close().await;
    code
}

/// Goes through the ticks of a range, writing results and telling nobody.
///
/// # Errors
/// When a job is unknown or has no ticks in the range.
pub async fn backfill(args: RangeArgs, context: &Context) -> anyhow::Result<u8> {
    let app = context.app().await?;
    let code = perform(&args, &app, &PresentStage(app.clone()), None).await;
    app.close().await;
    code
}

/// A back-fill's roles: a worker of its own in the present, and no messages.
struct PresentStage(App);

impl Stage for PresentStage {
    fn start_worker(
        &self,
        queue: &str,
        tracker: &tokio_util::task::TaskTracker,
        stop: &tokio_util::sync::CancellationToken,
    ) {
        self.0.spawn(Roles { worker: true, scheduler: false, dispatcher: false }, queue, tracker, stop);
    }

    async fn deliver(&self, _queue: &str) -> u64 {
        0
    }

    fn pool(&self) -> &sqlx::PgPool {
        &self.0.database.pool
    }
}

async fn perform<S: Stage>(
    args: &RangeArgs,
    app: &App,
    stage: &S,
    clock: Option<&Arc<SimulatedClock>>,
) -> anyhow::Result<u8> {
    if args.to < args.from {
        return Err(exit::Failure::usage("--to lies before --from").into());
    }
    let mut jobs: Vec<Job> = Vec::new();
    let names: std::collections::BTreeSet<&String> = args.names.iter().collect();
    for name in names {
        jobs.push(find(app, name).await?);
    }
    let planned = replay::plan(&jobs, args.from, args.to).map_err(|e| exit::Failure::usage(e.to_string()))?;
    if args.dry_run {
        let rows = planned
            .iter()
            .map(|p| {
                let document = &jobs[p.job].1;
                let window = ticks::window_at(document, p.previous, p.tick);
                let shown = window.map_or_else(
                    |e| e.to_string(),
                    |(a, b)| format!("{} .. {}", output::time(Some(a)), output::time(Some(b))),
                );
                vec![output::time(Some(p.tick)), document.name.clone(), shown]
            })
            .collect();
        output::data(&output::table(&["tick (UTC)", "job", "window (UTC)"], &[], rows));
        return Ok(exit::FINE);
    }
    let mut progress = Progress::new(planned.len());
    let report =
        replay::perform(stage, &jobs, &planned, clock.map(Arc::as_ref), |finished| progress.step(&line(finished)))
            .await?;
    progress.finish();
    match args.output {
        Format::Json => output::json(
            &report
                .finished
                .iter()
                .map(|f| {
                    serde_json::json!({ "run_id": f.run_id, "job": f.job_name, "tick": f.tick, "state": f.state,
                                        "outcome": f.outcome, "error": f.error })
                })
                .collect::<Vec<_>>(),
        )?,
        Format::Table => {
            let rows = report
                .finished
                .iter()
                .map(|f| {
                    vec![
                        output::time(Some(f.tick)),
                        f.job_name.clone(),
                        f.state.clone(),
                        f.outcome.clone().or_else(|| f.error.clone()).unwrap_or_default(),
                        output::short(f.run_id),
                    ]
                })
                .collect();
            output::data(&output::table(&["tick (UTC)", "job", "state", "outcome", "run"], &[], rows));
        }
    }
    if clock.is_some() {
        output::say(&format!("{} messages sent, {} left in the outbox", report.sent, report.handed_over));
        if report.recorded_only > 0 {
            output::say(&format!(
                "{} evaluations are older than one already applied to their job: recorded, and nobody was told",
                report.recorded_only
            ));
        }
    } else {
        output::say("results are written; a back-fill opens no incident and tells nobody");
    }
    let failed = report.finished.iter().any(|f| f.state != "succeeded");
    Ok(if failed { exit::FOUND } else { exit::FINE })
}

async fn find(app: &App, name: &str) -> anyhow::Result<Job> {
    match store::find(&app.database.pool, name).await? {
        Some(job) => Ok(job),
        None => Err(exit::Failure::usage(format!(
            "there is no job `{name}`; see `steward jobs list`, and apply new files with `steward jobs apply`"
        ))
        .into()),
    }
}
