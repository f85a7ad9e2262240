//! Steward's own private PostgreSQL, for everybody who has no database at hand.
//!
//! [`acquire`] starts or joins the server of a data directory and returns a [`Lease`]; the server runs as long as any
//! process holds one, and no longer.
//!
//! # How
//! * Every holder keeps a shared lock on `postgres.holders`. The operating system drops it when the process dies, however
//!   it dies, so the number of users is never wrong.
//! * A supervisor (`steward postgres-supervise DIR`, in a session of its own) is the parent of the server. It restarts a
//!   server that died, and stops it once it gets `postgres.holders` exclusively: nobody is there and nobody can come
//!   until the server is down and the lock released.
//! * Whoever wants to make the cluster or start a supervisor holds `postgres.lock` meanwhile.
//! * After a crash of everything the next start clears what is stale and PostgreSQL recovers. A server that outlived its
//!   supervisor is adopted.
//! * Started by root, the server's processes run as `postgres` or `nobody` and own the cluster, never as root.
//! * Only a Unix socket in a private directory, with a random password kept in a file for the owner alone.
//!
//! # Accepted
//! When the supervisor alone is killed, the server goes on and stays until the next start adopts it. Locks do not work on
//! some network file systems; a data directory belongs on a local disk anyway.

mod binaries;
mod cluster;
mod error;
mod server;
mod start;
pub mod supervisor;

use std::path::PathBuf;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

pub use error::Error;

/// How long the server stays after its last user: two commands in a row share it.
pub const LINGER: Duration = Duration::from_secs(2);

/// What is wanted.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Steward's data directory; absolute, or relative to the working directory.
    pub data_dir: PathBuf,
    /// Folder of `initdb` and `postgres`; `None` searches.
    pub bin_dir: Option<PathBuf>,
    /// Database that is created when it is not there: letters, digits and `_`.
    pub database: String,
    /// The `steward` program. `None`: no supervisor, the last lease that is dropped stops the server.
    pub supervisor: Option<PathBuf>,
    /// Whether a commit waits for the disk; false in tests only.
    pub fsync: bool,
    /// How long the supervisor keeps the server after the last user has gone.
    pub linger: Duration,
}

/// A hold on the running server. Dropping it lets go.
#[derive(Debug)]
pub struct Lease {
    /// `postgres://...` with the password in it: not for people.
    pub url: String,
    /// Keeps the shared lock; behind it the server, when this process is its parent.
    _hold: start::Hold,
}

/// Starts or joins the server of `options.data_dir` and makes sure that the database is there.
///
/// # Errors
/// See [`Error`]; each says what to do.
pub async fn acquire(options: &EmbeddedOptions) -> Result<Lease, Error> {
    let wanted = options.clone();
    let hold = tokio::task::spawn_blocking(move || start::hold(&wanted))
        .await
        .map_err(|error| Error::Start { output: error.to_string(), log: options.data_dir.join(cluster::LOG) })??;
    let url = hold.url(&options.database);
    create_database(&hold.url("postgres"), &options.database).await?;
    Ok(Lease { url, _hold: hold })
}

async fn create_database(admin_url: &str, name: &str) -> Result<(), Error> {
    let mut connection = PgConnection::connect(admin_url).await?;
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(name)
        .fetch_optional(&mut connection)
        .await?;
    if found.is_none() {
        let quoted = name.replace('"', "\"\"");
        match connection.execute(AssertSqlSafe(format!("CREATE DATABASE \"{quoted}\""))).await {
            // Somebody else was faster: 42P04 duplicate database, 23505 the same seen a moment earlier.
            Err(error) if error.as_database_error().is_some_and(duplicate) => {}
            other => other.map(|_| ())?,
        }
    }
    connection.close().await?;
    Ok(())
}

/// Drops the database of `options` and makes it again, empty.
///
/// # Errors
/// [`Error::InUse`] while another process is connected to it; nothing is dropped then.
pub async fn recreate(options: &EmbeddedOptions) -> Result<(), Error> {
    let lease = acquire(options).await?;
    let mut connection = PgConnection::connect(&lease._hold.url("postgres")).await?;
    let quoted = options.database.replace('"', "\"\"");
    // A process that was killed a moment ago may still have a session that is about to end.
    for patience in (0..20).rev() {
        match connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS \"{quoted}\""))).await {
            Ok(_) => break,
            Err(error) if error.as_database_error().is_some_and(|e| e.code().is_some_and(|code| code == "55006")) => {
                if patience == 0 {
                    return Err(Error::InUse { data_dir: options.data_dir.clone() });
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    connection.close().await?;
    create_database(&lease._hold.url("postgres"), &options.database).await
}

fn duplicate(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code == "42P04" || code == "23505")
}
