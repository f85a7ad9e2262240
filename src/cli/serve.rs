//! `steward serve`, `steward worker`, `steward scheduler`, `steward api`: the roles, until a signal.
//!
//! The first SIGINT or SIGTERM stops gracefully (claims end, running work gets its grace period, the rest is handed
//! back); the second one exits at once. Changed job files are picked up while a service runs; a mistake in them keeps the
//! old set.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Context, exit, output};
use crate::api;
use crate::app::{self, App, DEFAULT_QUEUE, Roles};
use crate::config::server::Authentication;
use crate::db;
use crate::db::audit::Actor;
use crate::jobs::diagnostic::Diagnostic;
use crate::jobs::{files, store};

/// How long a service waits for its database when it starts.
const PATIENCE_SECONDS: u32 = 60;
/// How often the folder of job files is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Which roles a process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// All of them.
    All,
    /// Worker and sender.
    Worker,
    /// Scheduler.
    Scheduler,
    /// The REST API.
    Api,
}

/// Arguments of the roles.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  steward serve                          apply the job files in jobs/ and run everything
  steward worker --set worker.concurrency=8
  steward scheduler                      another one is harmless: each tick exists once
  steward api                            the REST API alone; /reference shows what it can do")]
pub struct Args {
    /// Do not apply the job files when starting; run what the database has.
    #[arg(long)]
    no_apply: bool,
}

/// Runs the roles until a signal.
///
/// # Errors
/// When the database cannot be had.
pub async fn run(args: Args, role: Role, context: &Context) -> anyhow::Result<u8> {
    let app = started(context).await?;
    // Bound before anything is begun: a taken address is a mistake in how it was started.
    let listener = match role {
        Role::All | Role::Api => Some(listen(&app).await?),
        Role::Worker | Role::Scheduler => None,
    };
    let mut files = (matches!(role, Role::All | Role::Scheduler) && !args.no_apply).then(|| JobFiles::new(&app));
    if let Some(files) = &mut files {
        files.apply().await;
    }
    let roles = match role {
        Role::All => Roles { worker: true, scheduler: true, dispatcher: true },
        Role::Worker => Roles { worker: true, scheduler: false, dispatcher: true },
        Role::Scheduler => Roles { worker: false, scheduler: true, dispatcher: false },
        Role::Api => Roles { worker: false, scheduler: false, dispatcher: false },
    };
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    app.spawn(roles, DEFAULT_QUEUE, &tracker, &stop);
    if let Some(files) = files {
        tracker.spawn(files.watch(stop.clone()));
    }
    if let Some(listener) = listener {
        let (app, stop) = (app.clone(), stop.clone());
        app.spawn_housekeeping(&tracker, &stop);
        let address = listener.local_addr()?;
        tracing::info!(url = format!("http://{address}/reference"), "the API listens");
        tracker.spawn(async move { api::serve(&app, listener, stop).await });
    }
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
        _ = interrupt.recv() => return Ok(at_once()),
        _ = terminate.recv() => return Ok(at_once()),
    }
    app.close().await;
    tracing::info!("stopped");
    Ok(if by_itself { exit::BUG } else { exit::FINE })
}

/// The address of the API, when it may be listened on.
async fn listen(app: &App) -> anyhow::Result<tokio::net::TcpListener> {
    let server = &app.settings.server;
    if server.authentication == Authentication::None && !is_loopback(&server.listen) {
        let message = format!(
            "server.listen = \"{}\" can be reached from other machines, and server.authentication is \"none\": anybody there could \
             promote models; set server.authentication = \"tokens\" and make one with `steward token create`, or listen on 127.0.0.1",
            server.listen
        );
        return Err(exit::Failure::configuration(message).into());
    }
    api::bind(app).await.map_err(|error| {
        let message =
            format!("cannot listen on {}: {error}; set server.listen to a free address of this machine", server.listen);
        exit::Failure::unreachable(message).into()
    })
}

fn is_loopback(listen: &str) -> bool {
    listen.parse::<std::net::SocketAddr>().is_ok_and(|address| address.ip().is_loopback())
}

fn at_once() -> u8 {
    output::say("stopped at once; leases expire by themselves");
    exit::UNREACHABLE
}

/// The program, waiting a while for a database that is starting too, as after a power cut.
async fn started(context: &Context) -> anyhow::Result<App> {
    for wait in 1..=PATIENCE_SECONDS {
        match context.app().await {
            Err(error) if wait < PATIENCE_SECONDS && is_away(&error) => {
                if wait == 1 {
                    tracing::warn!("{error:#}; trying again for {PATIENCE_SECONDS} s");
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            answer => return answer,
        }
    }
    context.app().await
}

fn is_away(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(app::Error::Database(db::Error::Unreachable { .. })))
}

/// The folder of job files: applied when it changes. A mistake changes nothing and is said once.
#[derive(Clone)]
struct JobFiles {
    app: App,
    dir: PathBuf,
    seen: Option<Vec<(PathBuf, SystemTime, u64)>>,
}

impl JobFiles {
    fn new(app: &App) -> Self {
        Self { app: app.clone(), dir: app.settings.jobs.dir.clone(), seen: None }
    }

    /// Names, times and sizes: what tells that somebody saved a file.
    fn look(&self) -> Vec<(PathBuf, SystemTime, u64)> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries
            .filter(|e| e.path().extension().is_some_and(|x| x == "toml"))
            .filter_map(|e| {
                let about = e.metadata().ok()?;
                Some((e.path(), about.modified().ok()?, about.len()))
            })
            .collect();
        files.sort();
        files
    }

    async fn apply(&mut self) {
        self.seen = Some(self.look());
        if !self.dir.is_dir() {
            tracing::warn!(dir = %self.dir.display(), "no folder of job files; running the jobs that the database has");
            return;
        }
        let (app, actor) = (&self.app, Actor::system("serve"));
        match store::apply_dir(&app.database.pool, &app.clock, &app.settings, &self.dir, &actor).await {
            Ok(jobs) => {
                tracing::info!(jobs, dir = %self.dir.display(), "applied the job files");
                self.tell(&[]).await;
            }
            Err(store::Error::Invalid { count, rendered, mistakes }) => {
                tracing::error!(count, "the job files have mistakes; the jobs stay as they were");
                output::say(&rendered);
                self.tell(&mistakes).await;
            }
            Err(error) => {
                tracing::error!(%error, "the job files could not be applied; the jobs stay as they were");
                // Tried again at the next look.
                self.seen = None;
            }
        }
    }

    /// An incident says what the log says, to people who do not read it.
    async fn tell(&mut self, mistakes: &[Diagnostic]) {
        let (pool, settings) = (&self.app.database.pool, &self.app.settings.jobs);
        if let Err(error) = files::tell(pool, &self.app.channels, &settings.notify, &self.dir, mistakes).await {
            tracing::error!(%error, "the state of the job files could not be written down");
            self.seen = None;
        }
    }

    async fn watch(mut self, stop: CancellationToken) {
        // `apply` has noted what it saw: what was saved since then is new.
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => return,
            }
            if self.seen.as_ref() != Some(&self.look()) {
                self.apply().await;
            }
        }
    }
}
