//! `steward serve`, `steward worker`, `steward scheduler`: the roles, until a signal.
//!
//! The first SIGINT or SIGTERM stops gracefully (claims end, running work gets its grace period, the rest is handed
//! back); the second one exits at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Context, exit, output};
use crate::app::{DEFAULT_QUEUE, Roles};
use crate::jobs;

/// Which roles a process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// All of them.
    All,
    /// Worker and sender.
    Worker,
    /// Scheduler.
    Scheduler,
}

/// Arguments of the roles.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  steward serve                          apply the job files in jobs/ and run everything
  steward worker --set worker.concurrency=8
  steward scheduler                      another one is harmless: each tick exists once")]
pub struct Args {
    /// Do not apply the job files when starting; run what the database has.
    #[arg(long)]
    no_apply: bool,
}

/// Runs the roles until a signal.
///
/// # Errors
/// When the database cannot be had, or the job files are invalid.
pub async fn run(args: Args, role: Role, context: &Context) -> anyhow::Result<u8> {
    let app = context.app().await?;
    if role != Role::Worker && !args.no_apply {
        let dir = app.settings.jobs.dir.clone();
        if dir.is_dir() {
            let applied = jobs::store::apply_dir(&app.database.pool, &app.clock, &app.settings, &dir).await?;
            tracing::info!(jobs = applied, dir = %dir.display(), "applied the job files");
        } else {
            tracing::warn!(dir = %dir.display(), "no folder of job files; running the jobs that the database has");
        }
    }
    let roles = match role {
        Role::All => Roles { worker: true, scheduler: true, dispatcher: true },
        Role::Worker => Roles { worker: true, scheduler: false, dispatcher: true },
        Role::Scheduler => Roles { worker: false, scheduler: true, dispatcher: false },
    };
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    app.spawn(roles, DEFAULT_QUEUE, &tracker, &stop);
    tracker.close();
    tracing::info!(?role, database = app.database.url_redacted, "ready");

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => tracing::info!("interrupted; stopping gracefully (again to stop at once)"),
        _ = terminate.recv() => tracing::info!("terminated; stopping gracefully"),
        () = stop.cancelled() => tracing::error!("a role ended by itself; stopping"),
    }
    let by_itself = stop.is_cancelled();
    stop.cancel();
    tokio::select! {
        () = tracker.wait() => {}
        _ = interrupt.recv() => {
            output::say("stopped at once; leases expire by themselves");
            return Ok(exit::UNREACHABLE);
        }
    }
    app.close().await;
    tracing::info!("stopped");
    Ok(if by_itself { exit::BUG } else { exit::FINE })
}
