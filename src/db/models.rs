//! Model versions: `model_registry`.
//!
//! Registration and look-up by version or stage. Promotion policies, approvals and gates are not here yet.

use serde_json::Value;
use sqlx::PgConnection;

/// A version to register.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // the fields are the specification's, of the same names
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
    pub approved_by: Option<String>,
    pub auto_registered: bool,
}

/// Registers a version; an existing one stays as it is. Answers whether a row was made.
///
/// # Errors
/// Any error of the database, such as a second version in production.
pub async fn register(conn: &mut PgConnection, model: &NewModel) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO model_registry (model_name, version, stage, description, model_path, training_data_path,
             hyperparameters, training_metadata, created_by, approved_by, auto_registered, promoted_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, CASE WHEN $3 <> 'development' THEN steward_now() END)
         ON CONFLICT (model_name, version) DO NOTHING",
        model.model_name,
        model.version,
        model.stage,
        model.description,
        model.model_path,
        model.training_data_path,
        model.hyperparameters,
        model.training_metadata,
        model.created_by,
        model.approved_by,
        model.auto_registered,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The newest version of a model in a stage.
///
/// # Errors
/// Any error of the database.
pub async fn version_in_stage(conn: &mut PgConnection, name: &str, stage: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT version FROM model_registry WHERE model_name = $1 AND stage = $2 ORDER BY created_at DESC, version DESC LIMIT 1",
        name,
        stage
    )
    .fetch_optional(conn)
    .await
}
