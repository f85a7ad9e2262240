//! Idempotency keys: `idempotency_keys`, the answers that mutations gave.
//!
//! [`claim`] and [`store`] belong into the transaction of the mutation: the key exists exactly when the effect does. A
//! concurrent twin waits at the primary key until the first one commits, and then gets its answer; when the first one rolls
//! back, the twin does the work. Knows nothing of HTTP but that an answer has a status, headers and a body.

use serde_json::Value;
use sqlx::{PgConnection, PgPool};

/// Longest key.
pub const MAX_KEY: usize = 255;

/// What a key means for this request.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// Nobody did this before: do it, [`store`] the answer, commit.
    New,
    /// It was done: give the same answer.
    Replay {
        /// The status then.
        status: u16,
        /// The headers then, as an object.
        headers: Value,
        /// The body then.
        body: Vec<u8>,
    },
    /// The key was used for another request (422).
    Conflict,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key cannot be one (400).
    #[error("an idempotency key is 1 to {MAX_KEY} visible ASCII characters; a UUID is a good one")]
    Key,
    /// The database (503).
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// The stable word for it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key => "idempotency_key_invalid",
            Self::Database(_) => "database_error",
        }
    }
}

/// Takes the key for this transaction, or says what was answered under it. `request_hash` is the SHA-256 of whatever makes
/// the request (method, path, body).
///
/// # Errors
/// [`Error::Key`], or the database's.
pub async fn claim(conn: &mut PgConnection, principal: &str, key: &str, request_hash: &[u8]) -> Result<Claim, Error> {
    if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::Key);
    }
    loop {
        let made = sqlx::query!(
            "INSERT INTO idempotency_keys (principal, key, request_hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            principal,
            key,
            request_hash
        )
        .execute(&mut *conn)
        .await?;
        if made.rows_affected() == 1 {
            return Ok(Claim::New);
        }
        let Some(row) = sqlx::query!(
            "SELECT request_hash, status, headers, body FROM idempotency_keys WHERE principal = $1 AND key = $2 FOR UPDATE",
            principal,
            key
        )
        .fetch_optional(&mut *conn)
        .await?
        else {
            continue; // pruned in between
        };
        if row.request_hash != request_hash {
            return Ok(Claim::Conflict);
        }
        return Ok(match row.status.and_then(|status| u16::try_from(status).ok()) {
            Some(status) => Claim::Replay {
                status,
                headers: row.headers.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
                body: row.body.unwrap_or_default(),
            },
            // Committed without an answer: there was no effect that could be doubled.
            None => Claim::New,
        });
    }
}

/// Keeps the answer under a key that this transaction has claimed.
///
/// # Errors
/// Any error of the database.
pub async fn store(
    conn: &mut PgConnection,
    principal: &str,
    key: &str,
    status: u16,
    headers: &Value,
    body: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE idempotency_keys SET status = $3, headers = $4, body = $5 WHERE principal = $1 AND key = $2",
        principal,
        key,
        i32::from(status),
        headers,
        body
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets keys older than `hours`; answers how many.
///
/// # Errors
/// Any error of the database.
pub async fn prune(pool: &PgPool, hours: u32) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM idempotency_keys WHERE created_at < steward_now() - make_interval(hours => $1)",
        i32::try_from(hours).unwrap_or(i32::MAX)
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
