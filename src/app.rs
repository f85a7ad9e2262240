//! The assembled program: settings, database, storage, channels and clock, built once and used by every entrance.
//!
//! Tests build the same thing. Roles (`worker`, `scheduler`, `dispatcher`) are started from here and stopped by one token.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::SharedClock;
use crate::config::Settings;
use crate::db::{self, Database};
use crate::jobs::{runner::Runner, ticks::DocumentRuns};
use crate::notify::{self, Channels, Dispatcher};
use crate::queue;
use crate::registry;
use crate::schedule;
use crate::storage::Storage;

/// The queue that scheduled and submitted runs go through; a replay has its own.
pub const DEFAULT_QUEUE: &str = "default";

/// How often a service looks for what killed commands left behind.
const ORPHANS_EVERY: Duration = Duration::from_secs(5);

/// How often answers that were kept under idempotency keys are forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// What can go wrong when the program starts.
#[derive(Debug, Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// Channels or mail settings.
    #[error(transparent)]
    Notify(#[from] notify::Error),
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Claims and runs runs.
    pub worker: bool,
    /// Turns cron ticks into runs.
    pub scheduler: bool,
    /// Sends deliveries.
    pub dispatcher: bool,
}

/// Everything that a running Steward holds.
#[derive(Clone)]
pub struct App {
    /// The settings in force.
    pub settings: Arc<Settings>,
    /// The time.
    pub clock: SharedClock,
    /// The database, embedded or not.
    pub database: Arc<Database>,
    /// Datasets.
    pub storage: Storage,
    /// Whom to tell.
    pub channels: Channels,
}

impl App {
    /// Connects (starting the embedded database when no other is named), migrates, and checks the channels.
    ///
    /// # Errors
    /// When the database cannot be had or a channel's settings are wrong.
    pub async fn start(settings: Settings, clock: SharedClock) -> Result<Self, Error> {
        let settings = Arc::new(settings);
        let channels = Channels::new(&settings.notify, &settings.smtp, &settings.data_dir)?;
        let storage = Storage::new(&settings.storage);
        let database = Arc::new(db::connect(&settings.database, &settings.data_dir, &clock).await?);
        Ok(Self { settings, clock, database, storage, channels })
    }

    /// What the registry's decisions are made with.
    #[must_use]
    pub fn registry_setup(&self) -> registry::Setup<'_> {
        registry::Setup { settings: &self.settings.registry, channels: &self.channels }
    }

    /// The queue's handler over this program's parts.
    #[must_use]
    pub fn runner(&self) -> Runner {
        Runner {
            settings: self.settings.clone(),
            pool: self.database.pool.clone(),
            clock: self.clock.clone(),
            storage: self.storage.clone(),
            channels: self.channels.clone(),
        }
    }

    /// Starts the roles on `queue`; they end when `stop` is cancelled.
    pub fn spawn(&self, roles: Roles, queue_name: &str, tracker: &TaskTracker, stop: &CancellationToken) {
        if roles.worker {
            let (app, stop, queues) = (self.clone(), stop.clone(), vec![queue_name.to_owned()]);
            tracker.spawn(async move {
                let handler = Arc::new(app.runner());
                let (pool, heartbeat) = (app.database.pool.clone(), app.database.heartbeat.clone());
                let settings = app.settings.worker.clone();
                if let Err(error) =
                    queue::work(pool, heartbeat, app.clock.clone(), settings, queues, handler, stop.clone()).await
                {
                    tracing::error!(%error, "the worker ended");
                    stop.cancel();
                }
            });
        }
        if roles.scheduler {
            let (app, stop) = (self.clone(), stop.clone());
            tracker.spawn(async move {
                let pool = app.database.pool.clone();
                let factory = Arc::new(DocumentRuns::new(DEFAULT_QUEUE));
                schedule::run_scheduler(pool, app.clock.clone(), app.settings.scheduler.clone(), factory, stop).await;
            });
        }
        if roles.worker && queue_name == DEFAULT_QUEUE {
            tracker.spawn(adopt_orphans(self.database.pool.clone(), stop.clone()));
        }
        if roles.dispatcher {
            let (app, stop, queue_name) = (self.clone(), stop.clone(), queue_name.to_owned());
            tracker.spawn(async move { app.dispatcher(&queue_name).run(stop).await });
        }
    }

    /// Starts what keeps the tables of the API small; it ends when `stop` is cancelled.
    pub fn spawn_housekeeping(&self, tracker: &TaskTracker, stop: &CancellationToken) {
        let (pool, hours, stop) = (self.database.pool.clone(), self.settings.server.idempotency_hours, stop.clone());
        tracker.spawn(async move {
            loop {
                match db::idempotency::prune(&pool, hours).await {
                    Ok(0) => {}
                    Ok(forgotten) => tracing::debug!(forgotten, "forgot old idempotency keys"),
                    Err(error) => tracing::debug!(%error, "could not forget old idempotency keys"),
                }
                tokio::select! {
                    () = tokio::time::sleep(PRUNE_EVERY) => {}
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    /// The sender of deliveries of one queue.
    #[must_use]
    pub fn dispatcher(&self, queue_name: &str) -> Dispatcher {
        Dispatcher::new(self.database.pool.clone(), self.channels.clone(), self.clock.clone(), queue_name.to_owned())
    }

    /// Closes connections and lets go of the embedded database.
    pub async fn close(self) {
        self.database.pool.close().await;
        self.database.heartbeat.close().await;
    }
}

/// Looks every few seconds for what a killed command left in a queue of its own.
async fn adopt_orphans(pool: sqlx::PgPool, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(ORPHANS_EVERY) => {}
            () = stop.cancelled() => return,
        }
        match db::orphans::adopt(&pool).await {
            Ok(adopted) if adopted.runs + adopted.deliveries > 0 => {
                tracing::warn!(adopted.runs, adopted.deliveries, "went on with what a killed command left behind");
            }
            Ok(_) => {}
            // The other loops say when the database is away.
            Err(error) => tracing::debug!(%error, "could not look for orphans"),
        }
    }
}
