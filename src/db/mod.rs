//! PostgreSQL: the connection pools, the private server, the migrations, and the SQL of the domain (one file per table
//! family).
//!
//! [`connect`] is the only way to a [`Database`]: it starts or joins the private server when no URL is configured,
//! says in words what is wrong when the server cannot be reached, and migrates. May use the foundation only; knows no
//! rule of the domain. Statements ask `steward_now()` for the time, never `now()`.

pub mod ab_tests;
pub mod audit;
pub mod deliveries;
pub mod drift_alerts;
pub mod embedded;
pub mod gauges;
pub mod idempotency;
pub mod incidents;
pub mod jobs;
pub mod migrator;
pub mod model_approvals;
pub mod model_evidence;
pub mod model_history;
pub mod model_names;
pub mod model_profiles;
pub mod model_search;
pub mod models;
pub mod orphans;
pub mod overview;
pub mod pool;
pub mod replays;
pub mod results;
pub mod run_results;
pub mod schedules;
pub mod tokens;
pub mod validation_metrics;

use std::path::{Path, PathBuf};

use sqlx::PgPool;

use crate::clock::SharedClock;
use crate::config::database::DatabaseSettings;

/// The database of a process.
#[derive(Debug)]
pub struct Database {
    /// For all work.
    pub pool: PgPool,
    /// For heartbeats alone, so that an exhausted main pool loses no lease.
    pub heartbeat: PgPool,
    /// Where this is, for people: no password in it.
    pub url_redacted: String,
    /// The hold on the private server, when it is one. Dropped last.
    pub embedded: Option<embedded::Lease>,
}

impl Database {
    /// Closes the pools, then lets go of the private server.
    pub async fn close(self) {
        self.pool.close().await;
        self.heartbeat.close().await;
        drop(self.embedded);
    }
}

/// What stands between Steward and its database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL cannot be read; its text is not repeated, it holds a password.
    #[error("database.url cannot be used: {reason}; write postgres://user:password@host:port/database")]
    Url {
        /// Why, without the URL.
        reason: String,
    },
    /// Nobody answers.
    #[error(
        "cannot reach PostgreSQL at {address}: {reason}; check that it runs and that database.url (DATABASE_URL) is right, \
         or leave that empty to use a private server"
    )]
    Unreachable {
        /// `host:port` or the path of the socket.
        address: String,
        /// What the operating system or TLS said.
        reason: String,
    },
    /// The server answered and said no.
    #[error("PostgreSQL at {address} refuses user {user:?}: {reason}")]
    Refused {
        /// `host:port` or the path of the socket.
        address: String,
        /// The user of the URL.
        user: String,
        /// The server's message.
        reason: String,
    },
    /// The named database is not there.
    #[error("PostgreSQL at {address} has no database {database:?}; create it: createdb {database}")]
    NoDatabase {
        /// `host:port` or the path of the socket.
        address: String,
        /// The name in the URL.
        database: String,
    },
    /// Too old to run the statements.
    #[error("PostgreSQL at {address} is version {found}; Steward needs 14 or newer")]
    TooOld {
        /// `host:port` or the path of the socket.
        address: String,
        /// Its major version.
        found: u32,
    },
    /// The schema was made by a newer Steward.
    #[error(
        "the database has migration {found}, newer than this program knows (up to {known}); use the Steward that made it, \
         or a newer one"
    )]
    Newer {
        /// The newest applied version.
        found: i64,
        /// The newest embedded version.
        known: i64,
    },
    /// A migration did not run, or what ran is not what is embedded.
    #[error("failed to migrate the database: {0}")]
    Migration(String),
    /// The private server.
    #[error(transparent)]
    Embedded(#[from] embedded::Error),
    /// A statement.
    #[error("database: {0}")]
    Query(#[from] sqlx::Error),
}

impl Error {
    /// The exit code of a command that ends with this error: 3 for configuration, 4 for a service that cannot be had.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Url { .. } => 3,
            _ => 4,
        }
    }
}

/// Connects, or starts the private server when no URL is configured, and applies the migrations.
///
/// # Errors
/// See [`Error`]; every message names the place and what to do, never a password.
pub async fn connect(settings: &DatabaseSettings, data_dir: &Path, clock: &SharedClock) -> Result<Database, Error> {
    connect_with(settings, data_dir, clock, own_program()).await
}

/// [`connect`] with the path of the `steward` program that is to watch over the private server (tests are another
/// program). Without one the last process that leaves stops the server.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with(
    settings: &DatabaseSettings,
    data_dir: &Path,
    clock: &SharedClock,
    supervisor: Option<PathBuf>,
) -> Result<Database, Error> {
    let (url, lease) = if settings.url.is_empty() {
        let lease = embedded::acquire(&embedded_options(settings, data_dir, supervisor)).await?;
        (lease.url.clone(), Some(lease))
    } else {
        (settings.url.expose().to_owned(), None)
    };
    let options = pool::options(&url)?;
    let timeout = std::time::Duration::from_secs(settings.connect_timeout_seconds);
    let mut connection = pool::connect_once(&options, timeout).await?;
    migrator::migrate(&mut connection).await?;
    drop(connection);
    let (pool, heartbeat) = pool::pools(&options, settings, clock);
    Ok(Database { pool, heartbeat, url_redacted: pool::describe(&options), embedded: lease })
}

/// Makes the private database of `data_dir` anew: whatever was in it is gone. For the demo.
///
/// # Errors
/// [`embedded::Error`], also when another process uses that database now.
pub async fn recreate_embedded(settings: &DatabaseSettings, data_dir: &Path) -> Result<(), Error> {
    Ok(embedded::recreate(&embedded_options(settings, data_dir, own_program())).await?)
}

fn embedded_options(
    settings: &DatabaseSettings,
    data_dir: &Path,
    supervisor: Option<PathBuf>,
) -> embedded::EmbeddedOptions {
    embedded::EmbeddedOptions {
        data_dir: data_dir.to_path_buf(),
        bin_dir: (!settings.postgres_bin_dir.is_empty()).then(|| PathBuf::from(&settings.postgres_bin_dir)),
        database: "steward".to_owned(),
        supervisor,
        fsync: settings.postgres_fsync,
        linger: embedded::LINGER,
    }
}

/// This program, when it is `steward`: another one would not know what to do as the supervisor.
fn own_program() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?;
    (path.file_stem()? == "steward" && path.exists()).then_some(path)
}
