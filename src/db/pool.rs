//! Connections: options, the two pools of a process, and words for what goes wrong when connecting.
//!
//! With a simulated clock every connection is told the time (`steward.now`) whenever it is handed out, so that SQL and
//! Rust agree; a connection held while the clock moves keeps the old time until it is handed out again. Connections that
//! idled for more than a second are probed first, so that a restarted server costs a reconnect and not an error.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};

use super::Error;
use crate::clock::SharedClock;
use crate::config::database::DatabaseSettings;

/// How Steward's connections are called in `pg_stat_activity`.
const APPLICATION: &str = "steward";
/// The oldest PostgreSQL whose SQL is enough.
const OLDEST: u32 = 14;
/// Whoever waits longer for another's transaction is told to try again: its connection is worth more to others.
const LOCK_TIMEOUT: &str = "10s";
/// Probing costs a round trip; within this time after the last use a connection is taken as alive.
const PROBE_AFTER: Duration = Duration::from_secs(1);

/// Reads a URL.
///
/// # Errors
/// [`Error::Url`] without the text of the URL.
pub fn options(url: &str) -> Result<PgConnectOptions, Error> {
    let options = url.parse::<PgConnectOptions>().map_err(|error| Error::Url {
        reason: match error {
            sqlx::Error::Configuration(source) => source.to_string(),
            other => other.to_string(),
        },
    })?;
    Ok(options.application_name(APPLICATION))
}

/// `host:port/database` or `socket/database`, with the user and without the password.
#[must_use]
pub fn describe(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    match options.get_socket() {
        Some(socket) => format!("postgres://{}@{}/{database}", options.get_username(), socket.display()),
        None => format!("postgres://{}@{}/{database}", options.get_username(), address(options)),
    }
}

fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => format!("{}/.s.PGSQL.{}", socket.display(), options.get_port()),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// One connection outside the pools, without a statement limit: for migrations, and to learn what is wrong before a pool
/// hides it behind a time-out.
///
/// # Errors
/// [`Error::Unreachable`], [`Error::Refused`], [`Error::NoDatabase`], [`Error::TooOld`].
pub async fn connect_once(options: &PgConnectOptions, timeout: Duration) -> Result<PgConnection, Error> {
    let started = std::time::Instant::now();
    loop {
        let left = timeout.saturating_sub(started.elapsed());
        let attempt = tokio::time::timeout(left, PgConnection::connect_with(options)).await;
        let error = match attempt {
            Ok(Ok(connection)) => return new_enough(connection, options),
            Ok(Err(error)) => error,
            Err(_) => {
                let reason = format!("no answer within {} s", timeout.as_secs());
                return Err(Error::Unreachable { address: address(options), reason });
            }
        };
        // 57P03: it is there and starts up or recovers; that passes.
        if code(&error).as_deref() == Some("57P03") && started.elapsed() < timeout {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        }
        return Err(explain(error, options));
    }
}

fn new_enough(connection: PgConnection, options: &PgConnectOptions) -> Result<PgConnection, Error> {
    match connection.server_version_num().map(|number| number / 10_000) {
        Some(found) if found < OLDEST => Err(Error::TooOld { address: address(options), found }),
        _ => Ok(connection),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

fn explain(error: sqlx::Error, options: &PgConnectOptions) -> Error {
    let address = address(options);
    let database = options.get_database().unwrap_or(options.get_username()).to_owned();
    match (&error, code(&error).as_deref()) {
        (_, Some("3D000")) => Error::NoDatabase { address, database },
        (sqlx::Error::Database(source), Some(code)) if code.starts_with("28") => {
            Error::Refused { address, user: options.get_username().to_owned(), reason: source.message().to_owned() }
        }
        (sqlx::Error::Database(source), _) => Error::Unreachable { address, reason: source.message().to_owned() },
        (sqlx::Error::Io(source), _) => Error::Unreachable { address, reason: source.to_string() },
        (sqlx::Error::Tls(source), _) => {
            let reason = match options.get_ssl_mode() {
                PgSslMode::VerifyCa | PgSslMode::VerifyFull => {
                    format!("TLS with a verified certificate failed: {source}")
                }
                _ => format!("TLS failed: {source}"),
            };
            Error::Unreachable { address, reason }
        }
        (sqlx::Error::Configuration(source), _) => Error::Url { reason: source.to_string() },
        _ => Error::Unreachable { address, reason: error.to_string() },
    }
}

/// Begins a transaction that cannot be left behind. A caller that is cancelled while `BEGIN` is on its way (a client hangs up, a
/// time limit passes) would otherwise give the connection back with the transaction open: the driver counts it only when the
/// answer has arrived. On a task of its own it arrives always, and dropping the transaction then rolls it back.
///
/// # Errors
/// Any error of the database.
pub async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    match tokio::spawn(async move { pool.begin().await }).await {
        Ok(begun) => begun,
        Err(error) => Err(sqlx::Error::Io(std::io::Error::other(error))),
    }
}

/// The main pool and the pool for heartbeats. Both connect when first used.
#[must_use]
pub fn pools(options: &PgConnectOptions, settings: &DatabaseSettings, clock: &SharedClock) -> (PgPool, PgPool) {
    let mut limited = options.clone();
    if settings.statement_timeout_seconds > 0 {
        let seconds = format!("{}s", settings.statement_timeout_seconds);
        // Nothing here thinks inside a transaction for so long: whoever does has lost its owner.
        limited = limited.options([
            ("statement_timeout", seconds.as_str()),
            ("idle_in_transaction_session_timeout", &seconds),
            ("lock_timeout", LOCK_TIMEOUT),
        ]);
    }
    let acquire = Duration::from_secs(settings.connect_timeout_seconds);
    let main = pool_options(clock).max_connections(settings.max_connections).acquire_timeout(acquire);
    let heartbeat = pool_options(clock).max_connections(2).acquire_timeout(acquire);
    (main.connect_lazy_with(limited), heartbeat.connect_lazy_with(options.clone()))
}

fn pool_options(clock: &SharedClock) -> PgPoolOptions {
    let (fresh, idle) = (clock.clone(), clock.clone());
    PgPoolOptions::new()
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let clock = fresh.clone();
            Box::pin(async move { tell_time(connection, &clock).await })
        })
        .before_acquire(move |connection, meta| {
            let clock = idle.clone();
            Box::pin(async move {
                if clock.is_simulated() {
                    tell_time(connection, &clock).await?;
                } else if meta.idle_for > PROBE_AFTER {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}

/// Sets the session's time to that of a simulated clock.
async fn tell_time(connection: &mut PgConnection, clock: &SharedClock) -> Result<(), sqlx::Error> {
    if clock.is_simulated() {
        let now = clock.now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        sqlx::query!("SELECT set_config('steward.now', $1, false) AS told", now).fetch_one(connection).await?;
    }
    Ok(())
}
