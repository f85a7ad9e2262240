//! Approvals and policies of models: `model_approvals`, `model_policies`.
//!
//! Statements only; which approvals count is decided in `registry`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// An approval: it holds for the artefact and the metrics that the approver saw.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct ApprovalRow {
    pub id: Uuid,
    pub model_id: Uuid,
    pub stage: String,
    pub approver: String,
    pub approver_kind: String,
    pub comment: Option<String>,
    pub artefact_digest: Option<String>,
    pub metrics_fingerprint: String,
    pub metrics: Value,
    pub created_at: DateTime<Utc>,
    pub withdrawn_at: Option<DateTime<Utc>>,
    pub used_at: Option<DateTime<Utc>>,
}

/// Keeps an approval, made now.
///
/// # Errors
/// Any error of the database.
pub async fn insert(conn: &mut PgConnection, row: &ApprovalRow) -> Result<ApprovalRow, sqlx::Error> {
    sqlx::query_as!(
        ApprovalRow,
        "INSERT INTO model_approvals (id, model_id, stage, approver, approver_kind, comment, artefact_digest,
             metrics_fingerprint, metrics, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, steward_clock())
         RETURNING id, model_id, stage, approver, approver_kind, comment, artefact_digest, metrics_fingerprint, metrics,
                   created_at, withdrawn_at, used_at",
        row.id,
        row.model_id,
        row.stage,
        row.approver,
        row.approver_kind,
        row.comment,
        row.artefact_digest,
        row.metrics_fingerprint,
        row.metrics,
    )
    .fetch_one(conn)
    .await
}

/// The approvals of a version, oldest first.
///
/// # Errors
/// Any error of the database.
pub async fn list(conn: &mut PgConnection, model: Uuid) -> Result<Vec<ApprovalRow>, sqlx::Error> {
    sqlx::query_as!(
        ApprovalRow,
        "SELECT id, model_id, stage, approver, approver_kind, comment, artefact_digest, metrics_fingerprint, metrics,
                created_at, withdrawn_at, used_at
           FROM model_approvals WHERE model_id = $1 ORDER BY created_at, id",
        model
    )
    .fetch_all(conn)
    .await
}

/// Withdraws an approval that was neither withdrawn nor used; answers whether there was one.
///
/// # Errors
/// Any error of the database.
pub async fn withdraw(conn: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE model_approvals SET withdrawn_at = steward_clock()
          WHERE id = $1 AND withdrawn_at IS NULL AND used_at IS NULL",
        id
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Marks approvals as counted: they never count again.
///
/// # Errors
/// Any error of the database.
pub async fn mark_used(conn: &mut PgConnection, ids: &[Uuid], at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE model_approvals SET used_at = $2 WHERE id = ANY($1)", ids, at).execute(conn).await.map(drop)
}

/// Withdraws every approval of a version that was not used.
///
/// # Errors
/// Any error of the database.
pub async fn withdraw_all(conn: &mut PgConnection, model: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE model_approvals SET withdrawn_at = steward_clock()
          WHERE model_id = $1 AND withdrawn_at IS NULL AND used_at IS NULL",
        model
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The policy of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct PolicyRow {
    pub model_name: String,
    pub policy: Value,
    pub revision: i64,
    pub updated_by: String,
    pub updated_at: DateTime<Utc>,
}

/// The policy of a model, if it has one of its own.
///
/// # Errors
/// Any error of the database.
pub async fn policy(conn: &mut PgConnection, name: &str) -> Result<Option<PolicyRow>, sqlx::Error> {
    sqlx::query_as!(
        PolicyRow,
        "SELECT model_name, policy, revision, updated_by, updated_at FROM model_policies WHERE model_name = $1",
        name
    )
    .fetch_optional(conn)
    .await
}

/// Gives a model its policy; its revision counts on.
///
/// # Errors
/// Any error of the database.
pub async fn set_policy(
    conn: &mut PgConnection,
    name: &str,
    policy: &Value,
    by: &str,
) -> Result<PolicyRow, sqlx::Error> {
    sqlx::query_as!(
        PolicyRow,
        "INSERT INTO model_policies (model_name, policy, updated_by) VALUES ($1, $2, $3)
         ON CONFLICT (model_name) DO UPDATE
            SET policy = excluded.policy, updated_by = excluded.updated_by, updated_at = steward_now(),
                revision = nextval('model_policy_revision')
         RETURNING model_name, policy, revision, updated_by, updated_at",
        name,
        policy,
        by
    )
    .fetch_one(conn)
    .await
}

/// Takes a model's policy away.
///
/// # Errors
/// Any error of the database.
pub async fn clear_policy(conn: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM model_policies WHERE model_name = $1", name).execute(conn).await.map(drop)
}
