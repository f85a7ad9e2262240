//! API tokens: `api_tokens`. Rows and statements only; what a token is stands in `access::token`.
//!
//! The secret never comes here, only its SHA-256. Rows are revoked, never removed: the audit trail names them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A row to insert.
#[derive(Debug)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct NewRow<'a> {
    pub id: Uuid,
    pub name: &'a str,
    pub kind: &'a str,
    pub prefix: &'a str,
    pub secret_hash: &'a [u8],
    pub scopes: &'a [String],
    pub created_by: &'a str,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token as people see it: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct TokenRow {
    pub id: Uuid,
    pub name: String,
    /// `person` or `service`.
    pub kind: String,
    pub prefix: String,
    pub scopes: Vec<String>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub revoked_by: Option<String>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// What belongs to a hash.
#[derive(Debug)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct Presented {
    pub id: Uuid,
    pub name: String,
    pub scopes: Vec<String>,
    pub expired: bool,
    pub revoked: bool,
    /// Whether its last use was noted a minute ago or longer.
    pub stale: bool,
}

/// Inserts a token.
///
/// # Errors
/// Any error of the database.
pub async fn insert(conn: &mut PgConnection, row: &NewRow<'_>) -> Result<TokenRow, sqlx::Error> {
    sqlx::query_as!(
        TokenRow,
        "INSERT INTO api_tokens (id, name, kind, prefix, secret_hash, scopes, created_by, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         RETURNING id, name, kind, prefix, scopes, created_by, created_at, expires_at, revoked_at, revoked_by, last_used_at",
        row.id,
        row.name,
        row.kind,
        row.prefix,
        row.secret_hash,
        row.scopes,
        row.created_by,
        row.expires_at,
    )
    .fetch_one(conn)
    .await
}

/// Tokens, newest first, after the one at `before`; without those that are revoked or expired unless `all`.
///
/// # Errors
/// Any error of the database.
pub async fn list(
    pool: &PgPool,
    all: bool,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<TokenRow>, sqlx::Error> {
    sqlx::query_as!(
        TokenRow,
        "SELECT id, name, kind, prefix, scopes, created_by, created_at, expires_at, revoked_at, revoked_by, last_used_at
           FROM api_tokens
          WHERE ($1 OR (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > steward_now())))
            AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3))
          ORDER BY created_at DESC, id DESC
          LIMIT $4",
        all,
        before.map(|b| b.0),
        before.map(|b| b.1),
        limit,
    )
    .fetch_all(pool)
    .await
}

/// The token with that id.
///
/// # Errors
/// Any error of the database.
pub async fn get(pool: &PgPool, id: Uuid) -> Result<Option<TokenRow>, sqlx::Error> {
    sqlx::query_as!(
        TokenRow,
        "SELECT id, name, kind, prefix, scopes, created_by, created_at, expires_at, revoked_at, revoked_by, last_used_at
           FROM api_tokens WHERE id = $1",
        id,
    )
    .fetch_optional(pool)
    .await
}

/// The tokens with that id or prefix, locked.
///
/// # Errors
/// Any error of the database.
pub async fn lock(conn: &mut PgConnection, id: Option<Uuid>, prefix: &str) -> Result<Vec<TokenRow>, sqlx::Error> {
    sqlx::query_as!(
        TokenRow,
        "SELECT id, name, kind, prefix, scopes, created_by, created_at, expires_at, revoked_at, revoked_by, last_used_at
           FROM api_tokens WHERE id = $1 OR prefix = $2 ORDER BY id FOR UPDATE",
        id,
        prefix,
    )
    .fetch_all(conn)
    .await
}

/// Revokes a token.
///
/// # Errors
/// Any error of the database.
pub async fn revoke(conn: &mut PgConnection, id: Uuid, by: &str) -> Result<TokenRow, sqlx::Error> {
    sqlx::query_as!(
        TokenRow,
        "UPDATE api_tokens SET revoked_at = steward_now(), revoked_by = $2 WHERE id = $1
         RETURNING id, name, kind, prefix, scopes, created_by, created_at, expires_at, revoked_at, revoked_by, last_used_at",
        id,
        by,
    )
    .fetch_one(conn)
    .await
}

/// The token of that hash. One look into a unique index: what a wrong token costs says nothing about the right ones.
///
/// # Errors
/// Any error of the database.
pub async fn by_hash(pool: &PgPool, hash: &[u8]) -> Result<Option<Presented>, sqlx::Error> {
    sqlx::query_as!(
        Presented,
        r#"SELECT id, name, scopes, coalesce(expires_at <= steward_clock(), false) AS "expired!",
                  revoked_at IS NOT NULL AS "revoked!",
                  coalesce(last_used_at <= steward_clock() - interval '1 minute', true) AS "stale!"
             FROM api_tokens WHERE secret_hash = $1"#,
        hash
    )
    .fetch_optional(pool)
    .await
}

/// Notes that a token was used, once a minute at most.
///
/// # Errors
/// Any error of the database.
pub async fn touch(pool: &PgPool, id: Uuid) -> Result<(), sqlx::Error> {
    // SKIP LOCKED: of many requests at once one notes it and none waits.
    sqlx::query!(
        "UPDATE api_tokens SET last_used_at = steward_clock()
          WHERE id = (SELECT id FROM api_tokens
                       WHERE id = $1 AND coalesce(last_used_at <= steward_clock() - interval '1 minute', true)
                         FOR UPDATE SKIP LOCKED)",
        id
    )
    .execute(pool)
    .await?;
    Ok(())
}
