//! Aliases and cards of models: `model_aliases`, `model_cards`. Statements only.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// A name that moves from version to version.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[allow(missing_docs)] // the columns, of the same names
pub struct AliasRow {
    pub model_name: String,
    pub alias: String,
    pub version: String,
    pub updated_by: String,
    pub updated_at: DateTime<Utc>,
}

/// The aliases of a model, in order.
///
/// # Errors
/// Any error of the database.
pub async fn aliases(conn: &mut PgConnection, name: &str) -> Result<Vec<AliasRow>, sqlx::Error> {
    sqlx::query_as!(
        AliasRow,
        "SELECT a.model_name, a.alias, m.version, a.updated_by, a.updated_at
           FROM model_aliases a JOIN model_registry m ON m.id = a.model_id
          WHERE a.model_name = $1 ORDER BY a.alias",
        name
    )
    .fetch_all(conn)
    .await
}

/// The alias of that name.
///
/// # Errors
/// Any error of the database.
pub async fn alias(conn: &mut PgConnection, name: &str, alias: &str) -> Result<Option<AliasRow>, sqlx::Error> {
    sqlx::query_as!(
        AliasRow,
        "SELECT a.model_name, a.alias, m.version, a.updated_by, a.updated_at
           FROM model_aliases a JOIN model_registry m ON m.id = a.model_id
          WHERE a.model_name = $1 AND a.alias = $2",
        name,
        alias
    )
    .fetch_optional(conn)
    .await
}

/// Lets an alias name a version.
///
/// # Errors
/// Any error of the database.
pub async fn set_alias(
    conn: &mut PgConnection,
    name: &str,
    alias: &str,
    model: Uuid,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO model_aliases (model_name, alias, model_id, updated_by) VALUES ($1, $2, $3, $4)
         ON CONFLICT (model_name, alias) DO UPDATE
            SET model_id = excluded.model_id, updated_by = excluded.updated_by, updated_at = steward_now()",
        name,
        alias,
        model,
        by
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Removes an alias.
///
/// # Errors
/// Any error of the database.
pub async fn remove_alias(conn: &mut PgConnection, name: &str, alias: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM model_aliases WHERE model_name = $1 AND alias = $2", name, alias)
        .execute(conn)
        .await
        .map(drop)
}

/// Removes all aliases of a version and answers them.
///
/// # Errors
/// Any error of the database.
pub async fn remove_aliases_of(conn: &mut PgConnection, model: Uuid) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!("DELETE FROM model_aliases WHERE model_id = $1 RETURNING alias", model).fetch_all(conn).await
}

/// An edition of a version's model card.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[allow(missing_docs)] // the columns, of the same names
pub struct CardRow {
    pub edition: i32,
    /// Markdown.
    pub body: String,
    pub author: String,
    pub created_at: DateTime<Utc>,
}

/// Adds the next edition. The caller holds the model's lock.
///
/// # Errors
/// Any error of the database.
pub async fn add_card(conn: &mut PgConnection, model: Uuid, body: &str, author: &str) -> Result<CardRow, sqlx::Error> {
    sqlx::query_as!(
        CardRow,
        "INSERT INTO model_cards (model_id, edition, body, author)
         SELECT $1, coalesce(max(edition), 0) + 1, $2, $3 FROM model_cards WHERE model_id = $1
         RETURNING edition, body, author, created_at",
        model,
        body,
        author
    )
    .fetch_one(conn)
    .await
}

/// An edition; none asks for the newest one.
///
/// # Errors
/// Any error of the database.
pub async fn card(conn: &mut PgConnection, model: Uuid, edition: Option<i32>) -> Result<Option<CardRow>, sqlx::Error> {
    sqlx::query_as!(
        CardRow,
        "SELECT edition, body, author, created_at FROM model_cards
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
pub async fn cards(conn: &mut PgConnection, model: Uuid) -> Result<Vec<CardRow>, sqlx::Error> {
    sqlx::query_as!(
        CardRow,
        "SELECT edition, body, author, created_at FROM model_cards WHERE model_id = $1 ORDER BY edition DESC",
        model
    )
    .fetch_all(conn)
    .await
}
