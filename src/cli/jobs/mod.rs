//! `steward jobs`: the job files, and the jobs that the database has.
//!
//! `check` and `schema` need no database. What is wrong with a file is told in full, with exit code 1, before anything
//! else happens. Making runs happen (`run`, `replay`, `backfill`) is in `perform`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::output::{self, Format};
use super::{Context, exit, local_actor};
use crate::config::Settings;
use crate::db::audit::Actor;
use crate::db::jobs::{self as rows, JobOverview};
use crate::jobs::vocabulary::{self, Calendar};
use crate::jobs::{self, Checks, Diagnostic, Loaded, Plan, StateError, diagnostic, manual, schema};
use crate::schedule::{self, CronSchedule};

pub mod backtest;
pub mod perform;

/// Arguments of `steward jobs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Look for mistakes in job files, without a database.
    ///
    /// Tells every mistake of every file, with its line and a hint; exit code 1 when there is one.
    #[command(after_help = "Examples:
  steward jobs check
  steward jobs check jobs/flights-ab.toml --output json")]
    Check {
        /// Files or folders [default: jobs.dir of the configuration].
        paths: Vec<PathBuf>,
        /// How to write the mistakes.
        #[arg(long, value_enum, default_value_t)]
        output: Format,
    },
    /// Show what `apply` would change.
    Plan(Change),
    /// Bring the database in line with the job files: all of it, or nothing.
    #[command(after_help = "Example:
  steward jobs plan --prune && steward jobs apply --prune")]
    Apply(Change),
    /// List the jobs that the database has.
    List {
        /// How to write the list.
        #[arg(long, value_enum, default_value_t)]
        output: Format,
    },
    /// Show the coming ticks of a job, with what daylight saving does to them.
    Next {
        /// The job.
        name: String,
        /// How many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        count: u16,
        /// How to write the ticks.
        #[arg(long, value_enum, default_value_t)]
        output: Format,
    },
    /// Make one run of a job now, or as at another time.
    #[command(after_help = "Examples:
  steward jobs run flights-feature-drift --wait
  steward jobs run flights-feature-drift --at 2013-08-01 --here")]
    Run(perform::RunArgs),
    /// Go through the ticks of a range as if it were then: incidents, emails and webhooks happen.
    #[command(after_help = "Examples:
  steward jobs replay flights-feature-drift --from 2013-05-01 --to 2014-01-02
  steward jobs replay flights-feature-drift flights-ab --from 2013-05-01 --to 2014-01-02 --dry-run")]
    Replay(perform::RangeArgs),
    /// Go through the ticks of a range and only write the results: nobody is told.
    #[command(after_help = "Example:
  steward jobs backfill flights-feature-drift --from 2013-05-01 --to 2014-01-02")]
    Backfill(perform::RangeArgs),
    /// Ask what a drift job would have alerted over the ticks of a range, at several thresholds: nothing is written.
    #[command(after_help = "Examples:
  steward jobs backtest flights-feature-drift --from 2013-04-01 --to 2014-01-02
  steward jobs backtest flights-feature-drift --from 2013-04-01 --to 2014-01-02 --threshold 0.1,0.2,0.3")]
    Backtest(backtest::Args),
    /// Stop a job's ticks until it is resumed; its unfinished runs go on.
    Pause {
        /// The job.
        name: String,
        /// Why, for those who wonder later.
        #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
        reason: String,
        /// Who pauses it.
        #[arg(long, env = "USER", default_value = "unknown")]
        by: String,
    },
    /// Let a paused job go on, from its next tick.
    Resume {
        /// The job.
        name: String,
    },
    /// Print the JSON schema of job files, for editors.
    Schema {
        /// Print the reference of all keys in Markdown instead.
        #[arg(long)]
        markdown: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Change {
    /// Folder with the job files [default: jobs.dir of the configuration].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Remove jobs whose file is gone; what they found stays.
    #[arg(long)]
    prune: bool,
    /// How to write the changes.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Runs the command.
///
/// # Errors
/// An unreadable folder, an unknown job, an unreachable database.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let settings = &context.settings.settings;
    match args.command {
        Command::Check { paths, output } => check(&paths, output, settings),
        Command::Plan(change) => {
            let Some(loaded) = load(&change, settings)? else { return Ok(exit::FOUND) };
            let app = context.app().await?;
            let plan = jobs::plan(&app.database.pool, &loaded).await;
            app.close().await;
            show(&plan?, &change)
        }
        Command::Apply(change) => {
            let Some(loaded) = load(&change, settings)? else { return Ok(exit::FOUND) };
            let app = context.app().await?;
            let plan = jobs::apply(&app.database.pool, &app.clock, &loaded, change.prune, &local_actor()).await;
            app.close().await;
            show(&plan?, &change)
        }
        Command::List { output } => {
            let app = context.app().await?;
            let (jobs, now) = (rows::overview(&app.database.pool).await, app.clock.now());
            app.close().await;
            list(&jobs?, now, output)
        }
        Command::Next { name, count, output } => {
            let app = context.app().await?;
            let (found, now) = (find(&app.database.pool, &name).await, app.clock.now());
            app.close().await;
            next(&found?, now, usize::from(count), output)
        }
        Command::Run(args) => perform::run(args, context).await,
        Command::Replay(args) => perform::replay(args, context).await,
        Command::Backfill(args) => perform::backfill(args, context).await,
        Command::Backtest(args) => backtest::run(args, context).await,
        Command::Pause { name, reason, by } => {
            let app = context.app().await?;
            let mut tx = app.database.pool.begin().await?;
            jobs::actions::pause(&mut tx, &name, &reason, &Actor::local(by)).await.map_err(failure)?;
            tx.commit().await?;
            app.close().await;
            told(&format!("paused {name}; `steward jobs resume {name}` lets it go on"))
        }
        Command::Resume { name } => {
            let app = context.app().await?;
            let mut tx = app.database.pool.begin().await?;
            jobs::actions::resume(&mut tx, &name, &local_actor()).await.map_err(failure)?;
            tx.commit().await?;
            app.close().await;
            told(&format!("resumed {name}"))
        }
        Command::Schema { markdown: true } => {
            output::data(manual::markdown().trim_end());
            Ok(exit::FINE)
        }
        Command::Schema { markdown: false } => {
            let words = vocabulary::words();
            output::data(schema::schema_text(Checks { known: &words, schedule: &Calendar }).trim_end());
            Ok(exit::FINE)
        }
    }
}

fn check(paths: &[PathBuf], format: Format, settings: &Settings) -> anyhow::Result<u8> {
    let folder = [settings.jobs.dir.clone()];
    let loaded = read(if paths.is_empty() { &folder } else { paths }, settings)?;
    match format {
        Format::Json => output::json(&loaded.diagnostics.iter().map(Diagnostic::record).collect::<Vec<_>>())?,
        Format::Table if loaded.diagnostics.is_empty() => {}
        Format::Table => output::data(diagnostic::render(&loaded.diagnostics, coloured(&std::io::stdout())).trim_end()),
    }
    if loaded.diagnostics.is_empty() {
        let plural = if loaded.files == 1 { " is" } else { "s are" };
        output::say(&format!("{} job file{plural} right", loaded.files));
        return Ok(exit::FINE);
    }
    output::say(&diagnostic::count(&loaded.diagnostics));
    Ok(exit::FOUND)
}

/// The files of a folder; none when there are mistakes, which are told.
fn load(change: &Change, settings: &Settings) -> anyhow::Result<Option<Loaded>> {
    let dir = change.dir.as_ref().unwrap_or(&settings.jobs.dir);
    let loaded = read(std::slice::from_ref(dir), settings)?;
    if loaded.files == 0 && change.prune {
        // An unmounted volume or a slip in a path must not end all monitoring.
        let message = format!("there is no job file in {}; --prune would remove every job", dir.display());
        return Err(exit::Failure::usage(message).into());
    }
    if loaded.diagnostics.is_empty() {
        return Ok(Some(loaded));
    }
    output::say(diagnostic::render(&loaded.diagnostics, coloured(&std::io::stderr())).trim_end());
    output::say(&format!("{}; nothing was changed", diagnostic::count(&loaded.diagnostics)));
    Ok(None)
}

fn read(paths: &[PathBuf], settings: &Settings) -> anyhow::Result<Loaded> {
    let known = vocabulary::known(settings);
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    Ok(jobs::load_paths(&paths, Checks { known: &known, schedule: &Calendar })?)
}

/// Colours are for terminals, unless somebody says no.
fn coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn show(plan: &Plan, change: &Change) -> anyhow::Result<u8> {
    match change.output {
        Format::Json => output::json(plan)?,
        Format::Table => output::data(&plan.render(change.prune)),
    }
    Ok(exit::FINE)
}

fn list(jobs: &[JobOverview], now: chrono::DateTime<chrono::Utc>, format: Format) -> anyhow::Result<u8> {
    let next_of = |job: &JobOverview| {
        let schedule = CronSchedule::parse(job.cron.as_deref()?, job.timezone.as_deref()?).ok()?;
        (job.state == "active").then(|| schedule.next(now)).flatten()
    };
    if format == Format::Json {
        let entries: Vec<_> = jobs
            .iter()
            .map(|job| {
                json!({ "name": job.name, "kind": job.kind, "schedule": job.cron, "timezone": job.timezone,
                        "next_tick": next_of(job), "state": job.state, "paused_by": job.paused_by,
                        "paused_reason": job.paused_reason,
                        "last_run": { "at": job.last_at, "state": job.last_state, "outcome": job.last_outcome } })
            })
            .collect();
        output::json(&entries)?;
        return Ok(exit::FINE);
    }
    if jobs.is_empty() {
        output::say("the database has no jobs; `steward jobs apply` puts those of the job files there");
        return Ok(exit::FINE);
    }
    let lines = jobs
        .iter()
        .map(|job| {
            let schedule = match (&job.cron, &job.timezone) {
                (Some(cron), Some(timezone)) => format!("{cron} ({timezone})"),
                _ => "on demand".to_owned(),
            };
            let state = match (&job.paused_by, &job.paused_reason) {
                (Some(by), Some(reason)) => format!("{} by {by}: {reason}", job.state),
                _ => job.state.clone(),
            };
            let last = job.last_outcome.clone().or_else(|| job.last_state.clone()).unwrap_or_else(|| "-".to_owned());
            vec![
                job.name.clone(),
                job.kind.clone(),
                schedule,
                output::time(next_of(job)),
                last,
                output::time(job.last_at),
                state,
            ]
        })
        .collect();
    output::data(&output::table(
        &["name", "kind", "schedule", "next tick (UTC)", "found last", "at (UTC)", "state"],
        &[],
        lines,
    ));
    Ok(exit::FINE)
}

async fn find(pool: &sqlx::PgPool, name: &str) -> anyhow::Result<jobs::JobDocument> {
    let mut conn = pool.acquire().await?;
    match jobs::apply::find(&mut conn, name).await? {
        Some((_, document)) => Ok(document),
        None => Err(failure(jobs::apply::unknown(&mut conn, name).await?)),
    }
}

fn next(
    document: &jobs::JobDocument,
    now: chrono::DateTime<chrono::Utc>,
    count: usize,
    format: Format,
) -> anyhow::Result<u8> {
    let Some(cron) = &document.schedule else {
        output::say(&format!("{} has no schedule: it runs on demand", document.name));
        return Ok(exit::FINE);
    };
    let schedule = CronSchedule::parse(cron, &document.timezone)?;
    let ticks = schedule::upcoming(&schedule, now, count);
    if format == Format::Json {
        let entries: Vec<_> = ticks
            .iter()
            .map(|tick| json!({ "tick": tick.at_utc, "local": tick.local.to_rfc3339(), "note": tick.note }))
            .collect();
        output::json(&entries)?;
        return Ok(exit::FINE);
    }
    output::say(&schedule.describe());
    let lines = ticks
        .into_iter()
        .map(|tick| {
            let local = tick.local.format("%a %Y-%m-%d %H:%M %Z").to_string();
            vec![local, output::time(Some(tick.at_utc)), tick.note.unwrap_or_default()]
        })
        .collect();
    output::data(&output::table(&["local", "UTC", "note"], &[], lines));
    Ok(exit::FINE)
}

fn told(message: &str) -> anyhow::Result<u8> {
    output::say(message);
    Ok(exit::FINE)
}

/// A job that is not there, or is so already, was asked for wrongly.
fn failure(error: StateError) -> anyhow::Error {
    match error {
        StateError::Database(error) => error.into(),
        wrong => exit::Failure::usage(wrong.to_string()).into(),
    }
}
