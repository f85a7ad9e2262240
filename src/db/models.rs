//! Model versions: the rows of `model_registry`.
//!
//! Statements only; which of them may run is decided in `registry`. Whoever changes anything about a model holds the
//! model's lock ([`lock`]) first, so that two changes of one model never cross. Searches stand in `model_search`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// A version of a model, as it is kept and as it is answered.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[allow(missing_docs)] // the fields are the specification's and the columns', of the same names
pub struct ModelVersion {
    pub id: Uuid,
    pub model_name: String,
    pub version: String,
    pub stage: String,
    pub description: Option<String>,
    pub model_path: Option<String>,
    pub training_data_path: Option<String>,
    pub hyperparameters: Value,
    pub training_metadata: Value,
    pub created_by: Option<String>,
    pub approved_by: Option<String>,
    pub owner: Option<String>,
    pub tags: Value,
    /// In order.
    pub aliases: Vec<String>,
    pub auto_registered: bool,
    pub is_prerelease: bool,
    pub artefact_digest: Option<String>,
    pub artefact_status: String,
    pub artefact_detail: Option<String>,
    pub artefact_size_bytes: Option<i64>,
    pub artefact_checked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub promoted_at: Option<DateTime<Utc>>,
    /// Counts the changes of the row: its ETag.
    pub revision: i64,
    pub deleted_at: Option<DateTime<Utc>>,
    pub deleted_by: Option<String>,
    pub deleted_reason: Option<String>,
}

impl ModelVersion {
    /// `name/version`: how the audit trail calls it.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}/{}", self.model_name, self.version)
    }
}

/// The columns of [`ModelVersion`], of a table that is called `m`.
macro_rules! model_columns {
    () => {
        "m.id, m.model_name, m.version, m.stage, m.description, m.model_path, m.training_data_path, m.hyperparameters, \
         m.training_metadata, m.created_by, m.approved_by, m.owner, m.tags, \
         ARRAY(SELECT a.alias FROM model_aliases a WHERE a.model_id = m.id ORDER BY a.alias) AS aliases, \
         m.auto_registered, m.is_prerelease, m.artefact_digest, m.artefact_status, m.artefact_detail, \
         m.artefact_size_bytes, m.artefact_checked_at, m.created_at, m.updated_at, m.promoted_at, m.revision, \
         m.deleted_at, m.deleted_by, m.deleted_reason"
    };
}
pub(super) use model_columns;

/// A version to register.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // columns, of the same names
pub struct NewModel {
    pub model_name: String,
    pub version: String,
    pub stage: String,
    pub description: Option<String>,
    pub model_path: Option<String>,
    pub training_data_path: Option<String>,
    pub hyperparameters: Value,
    pub training_metadata: Value,
    pub created_by: Option<String>,
    pub owner: Option<String>,
    pub tags: Value,
    pub artefact_digest: Option<String>,
    pub artefact_status: String,
    /// Why it is not verified.
    pub artefact_detail: Option<String>,
    pub auto_registered: bool,
}

/// Waits until this transaction alone may change the model of that name. It ends with the transaction.
///
/// # Errors
/// Any error of the database.
pub async fn lock(conn: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('steward.model:' || $1, 0))", name)
        .execute(conn)
        .await
        .map(drop)
}

/// The time for a change, asked for behind [`lock`]: never before anything that the model's history holds already.
///
/// # Errors
/// Any error of the database.
pub async fn moment(conn: &mut PgConnection, name: &str) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT greatest(steward_clock(), (SELECT h.valid_from FROM model_stage_history h
                                              WHERE h.model_name = $1 ORDER BY h.id DESC LIMIT 1)) AS "moment!""#,
        name
    )
    .fetch_one(conn)
    .await
}

/// Inserts a version. The caller has made sure that there is none of the same precedence.
///
/// # Errors
/// Any error of the database.
pub async fn insert(conn: &mut PgConnection, model: &NewModel, at: DateTime<Utc>) -> Result<Uuid, sqlx::Error> {
    sqlx::query_scalar!(
        "INSERT INTO model_registry (model_name, version, stage, description, model_path, training_data_path,
             hyperparameters, training_metadata, created_by, owner, tags, artefact_digest, artefact_status,
             auto_registered, artefact_detail, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16)
         RETURNING id",
        model.model_name,
        model.version,
        model.stage,
        model.description,
        model.model_path,
        model.training_data_path,
        model.hyperparameters,
        model.training_metadata,
        model.created_by,
        model.owner,
        model.tags,
        model.artefact_digest,
        model.artefact_status,
        model.auto_registered,
        model.artefact_detail,
        at,
    )
    .fetch_one(conn)
    .await
}

/// Gives an automatically registered row what its explicit registration says; a known digest stays.
///
/// # Errors
/// Any error of the database.
pub async fn complete(conn: &mut PgConnection, id: Uuid, model: &NewModel) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE model_registry
            SET description = $2, model_path = $3, training_data_path = $4, hyperparameters = $5, training_metadata = $6,
                created_by = $7, owner = coalesce($8, owner), tags = tags || $9,
                artefact_digest = coalesce(artefact_digest, $10), artefact_status = $11, artefact_detail = $12, auto_registered = false
          WHERE id = $1",
        id,
        model.description,
        model.model_path,
        model.training_data_path,
        model.hyperparameters,
        model.training_metadata,
        model.created_by,
        model.owner,
        model.tags,
        model.artefact_digest,
        model.artefact_status,
        model.artefact_detail,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The version of that text, also a deleted one.
///
/// # Errors
/// Any error of the database.
pub async fn get(conn: &mut PgConnection, name: &str, version: &str) -> Result<Option<ModelVersion>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT ",
        model_columns!(),
        " FROM model_registry m WHERE m.model_name = $1 AND m.version = $2"
    ))
    .bind(name)
    .bind(version)
    .fetch_optional(conn)
    .await
}

/// The version of the same precedence, whatever its build metadata; also a deleted one.
///
/// # Errors
/// Any error of the database.
pub async fn get_equal(
    conn: &mut PgConnection,
    name: &str,
    version: &str,
) -> Result<Option<ModelVersion>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT ",
        model_columns!(),
        " FROM model_registry m WHERE m.model_name = $1 AND m.precedence = steward_version_key($2)"
    ))
    .bind(name)
    .bind(version)
    .fetch_optional(conn)
    .await
}

/// The version of that id, also a deleted one.
///
/// # Errors
/// Any error of the database.
pub async fn by_id(conn: &mut PgConnection, id: Uuid) -> Result<ModelVersion, sqlx::Error> {
    sqlx::query_as(concat!("SELECT ", model_columns!(), " FROM model_registry m WHERE m.id = $1"))
        .bind(id)
        .fetch_one(conn)
        .await
}

/// The version in production.
///
/// # Errors
/// Any error of the database.
pub async fn in_production(conn: &mut PgConnection, name: &str) -> Result<Option<ModelVersion>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT ",
        model_columns!(),
        " FROM model_registry m WHERE m.model_name = $1 AND m.stage = 'production'"
    ))
    .bind(name)
    .fetch_optional(conn)
    .await
}

/// Whether the model has any version, tombstones not counted.
///
/// # Errors
/// Any error of the database.
pub async fn exists(conn: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM model_registry WHERE model_name = $1 AND deleted_at IS NULL) AS "exists!""#,
        name
    )
    .fetch_one(conn)
    .await
}

/// Moves a version to a stage. A promotion (`promoted_at`) sets when it was, and who approved it; back in development a
/// version has neither.
///
/// # Errors
/// Any error of the database.
pub async fn set_stage(
    conn: &mut PgConnection,
    id: Uuid,
    stage: &str,
    promoted_at: Option<DateTime<Utc>>,
    approved_by: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE model_registry
            SET stage = $2,
                promoted_at = CASE WHEN $2 = 'development' THEN NULL ELSE coalesce($3, promoted_at) END,
                approved_by = CASE WHEN $2 = 'development' THEN NULL WHEN $3::timestamptz IS NULL THEN approved_by ELSE $4 END
          WHERE id = $1",
        id,
        stage,
        promoted_at,
        approved_by,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Writes description, owner and tags.
///
/// # Errors
/// Any error of the database.
pub async fn describe(
    conn: &mut PgConnection,
    id: Uuid,
    description: Option<&str>,
    owner: Option<&str>,
    tags: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE model_registry SET description = $2, owner = $3, tags = $4 WHERE id = $1",
        id,
        description,
        owner,
        tags
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Touches the row: its revision counts on, and whoever waits for the model hears of it.
///
/// # Errors
/// Any error of the database.
pub async fn touch(conn: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE model_registry SET stage = stage WHERE id = $1", id).execute(conn).await.map(drop)
}

/// Makes a version a tombstone.
///
/// # Errors
/// Any error of the database.
pub async fn bury(
    conn: &mut PgConnection,
    id: Uuid,
    at: DateTime<Utc>,
    by: &str,
    reason: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE model_registry SET deleted_at = $2, deleted_by = $3, deleted_reason = $4 WHERE id = $1",
        id,
        at,
        by,
        reason
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What a look at the artefact found; a digest that is known already stays.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // columns, of the same names
pub struct ArtefactRow {
    pub digest: Option<String>,
    pub status: String,
    pub detail: Option<String>,
    pub size_bytes: Option<i64>,
}

/// Keeps what a look at the artefact found.
///
/// # Errors
/// Any error of the database.
pub async fn set_artefact(conn: &mut PgConnection, id: Uuid, artefact: &ArtefactRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE model_registry
            SET artefact_digest = coalesce(artefact_digest, $2), artefact_status = $3, artefact_detail = $4,
                artefact_size_bytes = coalesce($5, artefact_size_bytes), artefact_checked_at = steward_clock()
          WHERE id = $1",
        id,
        artefact.digest,
        artefact.status,
        artefact.detail,
        artefact.size_bytes,
    )
    .execute(conn)
    .await
    .map(drop)
}
