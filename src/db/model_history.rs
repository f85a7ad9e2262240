//! The periods of model versions: `model_stage_history`.
//!
//! One row a stage a version was in, half open in time. The last row of a version has no end. Statements only.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// A period of a version in a stage.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct HistoryRow {
    pub id: i64,
    pub model_id: Uuid,
    pub model_name: String,
    pub version: String,
    /// None: it was registered in `stage`.
    pub from_stage: Option<String>,
    pub stage: String,
    pub valid_from: DateTime<Utc>,
    /// None: still.
    pub valid_to: Option<DateTime<Utc>>,
    pub actor: String,
    pub approved_by: Option<String>,
    pub reason: Option<String>,
    pub break_glass: bool,
    /// Policy, gates and approvals as they were when it was decided.
    pub decision: Value,
    /// Of the audit trail.
    pub event_sequence: Option<i64>,
}

/// A period that begins.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct NewPeriod<'a> {
    pub model_id: Uuid,
    pub from_stage: Option<&'a str>,
    pub stage: &'a str,
    pub at: DateTime<Utc>,
    pub actor: &'a str,
    pub approved_by: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub break_glass: bool,
    pub decision: &'a Value,
    pub event_sequence: i64,
}

/// Begins a period; the one before has ended.
///
/// # Errors
/// Any error of the database.
pub async fn open(conn: &mut PgConnection, period: &NewPeriod<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO model_stage_history (model_id, model_name, version, from_stage, stage, valid_from, actor, approved_by,
             reason, break_glass, decision, event_sequence)
         SELECT id, model_name, version, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM model_registry WHERE id = $1",
        period.model_id,
        period.from_stage,
        period.stage,
        period.at,
        period.actor,
        period.approved_by,
        period.reason,
        period.break_glass,
        period.decision,
        period.event_sequence,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Ends the present period of a version and answers it.
///
/// # Errors
/// Any error of the database.
pub async fn close(conn: &mut PgConnection, model: Uuid, at: DateTime<Utc>) -> Result<Option<HistoryRow>, sqlx::Error> {
    sqlx::query_as!(
        HistoryRow,
        "UPDATE model_stage_history SET valid_to = greatest($2, valid_from) WHERE model_id = $1 AND valid_to IS NULL
         RETURNING id, model_id, model_name, version, from_stage, stage, valid_from, valid_to, actor, approved_by, reason,
                   break_glass, decision, event_sequence",
        model,
        at
    )
    .fetch_optional(conn)
    .await
}

/// The periods of a model, or of one of its versions, newest first; `before` is the id that the page before ended with.
///
/// # Errors
/// Any error of the database.
pub async fn list(
    conn: &mut PgConnection,
    name: &str,
    version: Option<&str>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<HistoryRow>, sqlx::Error> {
    sqlx::query_as!(
        HistoryRow,
        "SELECT id, model_id, model_name, version, from_stage, stage, valid_from, valid_to, actor, approved_by, reason,
                break_glass, decision, event_sequence
           FROM model_stage_history
          WHERE model_name = $1 AND ($2::text IS NULL OR version = $2) AND id < $3
          ORDER BY id DESC LIMIT $4",
        name,
        version,
        before.unwrap_or(i64::MAX),
        limit
    )
    .fetch_all(conn)
    .await
}

/// The period in production at an instant. Of periods that took no time, none is answered.
///
/// # Errors
/// Any error of the database.
pub async fn production_at(
    conn: &mut PgConnection,
    name: &str,
    at: DateTime<Utc>,
) -> Result<Option<HistoryRow>, sqlx::Error> {
    sqlx::query_as!(
        HistoryRow,
        "SELECT id, model_id, model_name, version, from_stage, stage, valid_from, valid_to, actor, approved_by, reason,
                break_glass, decision, event_sequence
           FROM model_stage_history
          WHERE model_name = $1 AND stage = 'production' AND valid_from <= $2 AND (valid_to IS NULL OR valid_to > $2)
          ORDER BY valid_from DESC, id DESC LIMIT 1",
        name,
        at
    )
    .fetch_optional(conn)
    .await
}

/// A period in production, as far as the way back is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The period.
    pub id: i64,
    /// The version.
    pub model_id: Uuid,
    /// Whether it began by a roll-back.
    pub returned: bool,
    /// Whether the version can come back: it is neither deleted nor in production now.
    pub can_return: bool,
}

/// The last period in production that began before the period `before`; of one version, or of any.
///
/// # Errors
/// Any error of the database.
pub async fn production_before(
    conn: &mut PgConnection,
    name: &str,
    before: i64,
    model: Option<Uuid>,
) -> Result<Option<Step>, sqlx::Error> {
    sqlx::query_as!(
        Step,
        r#"SELECT h.id, h.model_id, coalesce(h.decision ->> 'rollback' = 'true', false) AS "returned!",
                  (m.stage <> 'production' AND m.deleted_at IS NULL) AS "can_return!"
             FROM model_stage_history h JOIN model_registry m ON m.id = h.model_id
            WHERE h.model_name = $1 AND h.stage = 'production' AND h.id < $2 AND ($3::uuid IS NULL OR h.model_id = $3)
            ORDER BY h.id DESC LIMIT 1"#,
        name,
        before,
        model
    )
    .fetch_optional(conn)
    .await
}

/// When the version was last let into production by its policy, not past it: none if it never was.
///
/// # Errors
/// Any error of the database.
pub async fn let_into_production(conn: &mut PgConnection, model: Uuid) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT valid_from FROM model_stage_history
          WHERE model_id = $1 AND stage = 'production' AND NOT break_glass ORDER BY id DESC LIMIT 1",
        model
    )
    .fetch_optional(conn)
    .await
}

/// When the version was in a stage first and last: none if it never was.
///
/// # Errors
/// Any error of the database.
pub async fn entered(conn: &mut PgConnection, model: Uuid, stage: &str) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT valid_from FROM model_stage_history WHERE model_id = $1 AND stage = $2 ORDER BY id DESC LIMIT 1",
        model,
        stage
    )
    .fetch_optional(conn)
    .await
}
