//! `steward runs`: list, show, submit, retry, cancel.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::jobs::perform::instant;
use super::output::{self, Format};
use super::{Context, exit, local_actor};
use crate::app::{App, DEFAULT_QUEUE, Roles};
use crate::db::run_results;
use crate::jobs::ticks::{self, Occasion};
use crate::jobs::{actions, store};
use crate::queue::{self, Cursor, NewRun, Run, RunFilter, State, Trigger};

mod show;

/// Arguments of `steward runs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List runs, newest first.
    #[command(after_help = "Examples:
  steward runs list --state failed
  steward runs list --job flights-feature-drift --limit 20 --output json")]
    List(ListArgs),
    /// Show a run: when, on what, what was found, every attempt.
    Show {
        /// Id, or its first eight or more digits.
        id: String,
        /// How to write it.
        #[arg(long, value_enum, default_value_t)]
        output: Format,
    },
    /// Run a job document once, on demand, without declaring it.
    #[command(after_help = "Examples:
  steward runs submit one-off.toml --wait
  steward runs submit one-off.toml --from 2013-04-01 --to 2013-05-01 --here")]
    Submit(SubmitArgs),
    /// Make a new run like a finished one.
    Retry {
        /// Id, or its first eight or more digits.
        id: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Cancel a run that is waiting or running.
    Cancel {
        /// Id, or its first eight or more digits.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only runs in this state (available, leased, succeeded, failed, timed_out, cancelled, poisoned).
    #[arg(long)]
    state: Option<String>,
    /// Only runs of this job.
    #[arg(long)]
    job: Option<String>,
    /// Only runs of this kind.
    #[arg(long)]
    kind: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Go on after this run (the last id of the page before).
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// How to write the list.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, clap::Args)]
struct SubmitArgs {
    /// The job document (TOML); `-` reads standard input.
    document: PathBuf,
    /// Start of the window (a date, or RFC 3339); without a window, the document's own as of now.
    #[arg(long, value_parser = instant, requires = "to")]
    from: Option<DateTime<Utc>>,
    /// End of the window (exclusive).
    #[arg(long, value_parser = instant, requires = "from")]
    to: Option<DateTime<Utc>>,
    /// A key of your own: submitting again with the same key gives the same run.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Let this run open and close incidents and send messages.
    #[arg(long)]
    notify: bool,
    #[command(flatten)]
    waiting: Waiting,
}

/// Whether and how to wait for a run.
#[derive(Debug, Clone, clap::Args)]
pub struct Waiting {
    /// Wait for a worker to finish it, and show the result.
    #[arg(long)]
    wait: bool,
    /// Run it in this process instead of leaving it to a worker (waits).
    #[arg(long)]
    here: bool,
    /// Give up waiting after so many seconds (the run goes on).
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    timeout: u64,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

impl Waiting {
    /// The queue to use: its own when this process is to run it.
    #[must_use]
    pub fn queue(&self, usual: &str) -> String {
        if self.here { format!("here:{}", Uuid::new_v4().simple()) } else { usual.to_owned() }
    }
}

/// The person at the terminal, for the record.
#[must_use]
pub fn user() -> Option<String> {
    std::env::var("USER").ok().filter(|u| !u.is_empty())
}

/// Runs the command.
///
/// # Errors
/// Unknown runs, invalid documents, an unreachable database.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    match args.command {
        Command::List(args) => list(args, context).await,
        Command::Show { id, output } => {
            let app = context.app().await?;
            let run = find(&app, &id).await?;
            show::show(&app, &run, output).await?;
            Ok(exit::FINE)
        }
        Command::Submit(args) => submit_document(args, context).await,
        Command::Retry { id, waiting } => {
            let app = context.app().await?;
            let run = find(&app, &id).await?;
            let queue_name = waiting.queue(DEFAULT_QUEUE);
            let mut tx = app.database.pool.begin().await?;
            let made = actions::retry(&mut tx, run.id, &queue_name, &local_actor())
                .await
                .map_err(|e| exit::Failure::usage(e.to_string()))?
                .id;
            tx.commit().await?;
            output::say(&format!("run {made} repeats run {}", run.id));
            await_result(&app, made, &queue_name, &waiting).await
        }
        Command::Cancel { id } => {
            let app = context.app().await?;
            let run = find(&app, &id).await?;
            let mut tx = app.database.pool.begin().await?;
            let cancelled = actions::cancel(&mut tx, run.id, &local_actor()).await?;
            tx.commit().await?;
            match cancelled {
                queue::Cancelled::AtOnce => output::say("cancelled before it started"),
                queue::Cancelled::Requested => {
                    output::say("asked the worker that runs it to stop; `runs show` tells when it has")
                }
                queue::Cancelled::AlreadyFinished(_) => {
                    return Err(
                        exit::Failure::usage(format!("run {} is already finished ({})", run.id, run.state)).into()
                    );
                }
            }
            Ok(exit::FINE)
        }
    }
}

async fn list(args: ListArgs, context: &Context) -> anyhow::Result<u8> {
    let app = context.app().await?;
    let after = match &args.after {
        Some(id) => Some(find(&app, id).await?),
        None => None,
    };
    let states = match &args.state {
        Some(name) => vec![State::parse(name).ok_or_else(|| {
            let known: Vec<&str> = State::ALL.iter().map(|s| s.as_str()).collect();
            exit::Failure::usage(format!("--state: there is no state `{name}`; choose one of {}", known.join(", ")))
        })?],
        None => Vec::new(),
    };
    let filter = RunFilter {
        states,
        job_name: args.job,
        kind: args.kind,
        before: after.map(|r| Cursor { created_at: r.created_at, id: r.id }),
    };
    let page = queue::list(&app.database.pool, &filter, args.limit.clamp(1, 1000)).await?;
    let runs = page.runs;
    match args.output {
        Format::Json => output::json(&runs.iter().map(show::document).collect::<Vec<_>>())?,
        Format::Table if runs.is_empty() => output::say("no runs"),
        Format::Table => {
            let rows = runs
                .iter()
                .map(|r| {
                    vec![
                        output::short(r.id),
                        r.job_name.clone(),
                        r.trigger.clone(),
                        output::time(r.tick_at.or(Some(r.created_at))),
                        r.state.clone(),
                        r.outcome.clone().unwrap_or_else(|| shortened(r.error.as_deref().unwrap_or("-"))),
                        show::took(r),
                    ]
                })
                .collect();
            output::data(&output::table(
                &["run", "job", "trigger", "tick (UTC)", "state", "outcome", "took"],
                &[6],
                rows,
            ));
            if let Some(next) = page.next {
                output::say(&format!("more: --after {}", next.id));
            }
        }
    }
    Ok(exit::FINE)
}

/// The beginning of an error; `runs show` has the whole.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

async fn submit_document(args: SubmitArgs, context: &Context) -> anyhow::Result<u8> {
    let (name, text) = if args.document.as_os_str() == "-" {
        ("<stdin>".to_owned(), std::io::read_to_string(std::io::stdin())?)
    } else {
        let name = args.document.display().to_string();
        let text = std::fs::read_to_string(&args.document)
            .map_err(|e| exit::Failure::unreachable(format!("cannot read {name}: {e}")))?;
        (name, text)
    };
    let document = match store::parse(&name, &text, &context.settings.settings) {
        Ok(document) => document,
        Err(rendered) => {
            output::say(&rendered);
            return Ok(exit::FOUND);
        }
    };
    let app = context.app().await?;
    let tick = app.clock.now();
    let occasion = Occasion {
        trigger: Trigger::Adhoc,
        queue: args.waiting.queue(DEFAULT_QUEUE),
        tick: None,
        previous: None,
        window: match args.from.zip(args.to) {
            Some(window) => Some(window),
            None => Some(ticks::window_at(&document, tick, tick)?),
        },
        notifies: args.notify,
        submitted_by: user(),
        idempotency_key: args.idempotency_key,
    };
    let run = ticks::new_run(None, &document, &occasion)?;
    submit(&app, &run, &args.waiting).await
}

/// Enqueues a run and waits for it as asked.
///
/// # Errors
/// When the database fails, or the idempotency key belongs to another document.
pub async fn submit(app: &App, run: &NewRun, waiting: &Waiting) -> anyhow::Result<u8> {
    let mut tx = app.database.pool.begin().await?;
    let enqueued = actions::submit(&mut tx, run, &local_actor()).await.map_err(|e| match e {
        queue::Error::Database(e) => anyhow::Error::new(e),
        other => exit::Failure::usage(other.to_string()).into(),
    })?;
    tx.commit().await?;
    let how = if enqueued.created { "submitted" } else { "already submitted" };
    output::say(&format!("{how}: run {} of {}", enqueued.id, run.job_name));
    if enqueued.created {
        return await_result(app, enqueued.id, &run.queue, waiting).await;
    }
    // It is in the queue that the first submission chose, and that one's worker has it.
    let existing = get(app, enqueued.id).await?;
    let waiting = Waiting { wait: waiting.wait || waiting.here, here: false, ..waiting.clone() };
    await_result(app, enqueued.id, &existing.queue, &waiting).await
}

async fn await_result(app: &App, id: Uuid, queue_name: &str, waiting: &Waiting) -> anyhow::Result<u8> {
    if !waiting.wait && !waiting.here {
        output::data(&id.to_string());
        return Ok(exit::FINE);
    }
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    if waiting.here {
        app.spawn(Roles { worker: true, scheduler: false, dispatcher: true }, queue_name, &tracker, &stop);
    }
    tracker.close();
    let pool = &app.database.pool;
    let patience = Duration::from_secs(waiting.timeout);
    let mut finished = queue::wait_for(pool, id, Duration::from_secs(3).min(patience)).await?;
    if finished.is_none() {
        let run = get(app, id).await?;
        if run.state == "available" && !waiting.here {
            output::say("waiting for a worker (`steward worker` starts one; `--here` runs it in this process)");
        }
        finished = queue::wait_for(pool, id, patience).await?;
    }
    if waiting.here {
        app.dispatcher(queue_name).drain().await.ok();
    }
    stop.cancel();
    tracker.wait().await;
    if waiting.here {
        run_results::hand_over_messages(pool, queue_name).await?;
    }
    let Some(run) = finished else {
        return Err(exit::Failure::unreachable(format!(
            "run {id} is not finished after {} s; it goes on, see `steward runs show {id}`",
            waiting.timeout
        ))
        .into());
    };
    show::show(app, &run, waiting.output).await?;
    Ok(match (run.state.as_str(), run.outcome.as_deref()) {
        ("succeeded", Some("ok" | "skipped" | "continue")) => exit::FINE,
        ("succeeded", Some("no_data" | "corrupt_input")) => exit::UNREACHABLE,
        ("succeeded", _) => exit::FOUND,
        _ => exit::UNREACHABLE,
    })
}

async fn get(app: &App, id: Uuid) -> anyhow::Result<Run> {
    queue::get(&app.database.pool, id).await.map_err(|e| match e {
        queue::Error::NotFound(_) => {
            exit::Failure::usage(format!("there is no run {id}; see `steward runs list`")).into()
        }
        other => anyhow::Error::new(other),
    })
}

/// The run of that id or unique prefix of it.
async fn find(app: &App, text: &str) -> anyhow::Result<Run> {
    if let Ok(id) = text.parse::<Uuid>() {
        return get(app, id).await;
    }
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() < 8 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(
            exit::Failure::usage(format!("`{text}` is not a run id (or its first eight or more digits)")).into()
        );
    }
    let ids = run_results::runs_by_prefix(&app.database.pool, &digits.to_lowercase()).await?;
    match ids.as_slice() {
        [] => Err(exit::Failure::usage(format!("there is no run {text}; see `steward runs list`")).into()),
        [id] => get(app, *id).await,
        several => Err(exit::Failure::usage(format!(
            "{text} could be {} runs; give more digits: {}",
            several.len(),
            json!(several)
        ))
        .into()),
    }
}
