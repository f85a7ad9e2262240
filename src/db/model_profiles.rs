//! Profiles of model versions: `model_profiles`. Statements only.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// An edition of a version's profile, without the profile itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[allow(missing_docs)] // the columns, of the same names
pub struct ProfileEdition {
    pub edition: i32,
    /// SHA-256 of the profile.
    pub digest: String,
    /// Where the rows lay that it was made from.
    pub source: String,
    /// How many there were.
    pub row_count: i64,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

/// An edition with its profile.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[allow(missing_docs)] // the columns, of the same names
pub struct ProfileRow {
    pub edition: i32,
    /// SHA-256 of the profile.
    pub digest: String,
    /// Where the rows lay that it was made from.
    pub source: String,
    /// How many there were.
    pub row_count: i64,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    /// Each column on its own: type, rows without a value, and values as counts or as a grid of quantiles.
    #[schema(value_type = Object)]
    pub profile: Value,
}

/// A profile to be kept.
#[derive(Debug, Clone)]
pub struct NewProfile<'a> {
    /// The profile.
    pub profile: &'a Value,
    /// Its digest.
    pub digest: &'a str,
    /// Where the rows lay.
    pub source: &'a str,
    /// How many there were.
    pub row_count: i64,
    /// Who made it.
    pub created_by: &'a str,
}

/// Adds the next edition. The caller holds the model's lock.
///
/// # Errors
/// Any error of the database.
pub async fn add(conn: &mut PgConnection, model: Uuid, new: &NewProfile<'_>) -> Result<ProfileEdition, sqlx::Error> {
    sqlx::query_as!(
        ProfileEdition,
        "INSERT INTO model_profiles (model_id, edition, profile, digest, source, row_count, created_by)
         SELECT $1, coalesce(max(edition), 0) + 1, $2, $3, $4, $5, $6 FROM model_profiles WHERE model_id = $1
         RETURNING edition, digest, source, row_count, created_by, created_at",
        model,
        new.profile,
        new.digest,
        new.source,
        new.row_count,
        new.created_by
    )
    .fetch_one(conn)
    .await
}

/// An edition; none asks for the newest one.
///
/// # Errors
/// Any error of the database.
pub async fn get(
    conn: &mut PgConnection,
    model: Uuid,
    edition: Option<i32>,
) -> Result<Option<ProfileRow>, sqlx::Error> {
    sqlx::query_as!(
        ProfileRow,
        "SELECT edition, digest, source, row_count, created_by, created_at, profile FROM model_profiles
          WHERE model_id = $1 AND ($2::integer IS NULL OR edition = $2) ORDER BY edition DESC LIMIT 1",
        model,
        edition
    )
    .fetch_optional(conn)
    .await
}

/// All editions, newest first.
///
/// # Errors
/// Any error of the database.
pub async fn editions(conn: &mut PgConnection, model: Uuid) -> Result<Vec<ProfileEdition>, sqlx::Error> {
    sqlx::query_as!(
        ProfileEdition,
        "SELECT edition, digest, source, row_count, created_by, created_at FROM model_profiles
          WHERE model_id = $1 ORDER BY edition DESC",
        model
    )
    .fetch_all(conn)
    .await
}
