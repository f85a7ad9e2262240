//! Drift checks as people read them: `model_drift_detection`, listed and acknowledged. Writing them is `results`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, PgPool, Postgres, QueryBuilder};
use utoipa::ToSchema;
use uuid::Uuid;

/// One check of one column.
#[derive(Debug, Clone, Serialize, FromRow, ToSchema)]
pub struct DriftCheck {
    /// Its identity.
    pub id: Uuid,
    /// The model, where the job names one.
    pub model_name: Option<String>,
    /// Its version.
    pub model_version: Option<String>,
    /// `data`, `prediction` or `concept`.
    pub drift_type: String,
    /// The column that was judged.
    pub feature_name: String,
    /// The segment whose rows were judged, such as `region = EU`; all rows when null.
    pub segment: Option<String>,
    /// The method, or the check of data quality.
    pub method: String,
    /// The score; null when there is no result, and `reason` says why.
    pub drift_score: Option<f64>,
    /// The score above which it has drifted.
    pub threshold: Option<f64>,
    /// The p-value, where the method has one.
    pub p_value: Option<f64>,
    /// Whether it drifted.
    pub is_alert: bool,
    /// `ok`, `warning`, `drifted`, `not_applicable`, `insufficient_data`, `schema_error` or `no_data`.
    pub status: String,
    /// `normal` or `low`.
    pub reliability: Option<String>,
    /// Rows of the reference.
    pub n_reference: i64,
    /// Rows of the window.
    pub n_current: i64,
    /// Why, in words.
    pub reason: Option<String>,
    /// What the method says beside its score.
    pub details: Value,
    /// The run that judged.
    pub run_id: Option<Uuid>,
    /// The incident it belongs to.
    pub incident_id: Option<Uuid>,
    /// Start of the window.
    pub window_start: Option<DateTime<Utc>>,
    /// End of the window, exclusive.
    pub window_end: Option<DateTime<Utc>>,
    /// Whether somebody has seen it.
    pub acknowledged: bool,
    /// Who.
    pub acknowledged_by: Option<String>,
    /// When.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// Which checks are wanted, newest first.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this model.
    pub model_name: Option<String>,
    /// Of this version.
    pub model_version: Option<String>,
    /// Drifted, or not.
    pub is_alert: Option<bool>,
    /// `data`, `prediction`, `concept`.
    pub drift_type: Option<String>,
    /// Acknowledged, or not.
    pub acknowledged: Option<bool>,
    /// Written at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Written before this time.
    pub until: Option<DateTime<Utc>>,
    /// After this (created_at, id) of the page before.
    pub after: Option<(DateTime<Utc>, Uuid)>,
    /// At most so many.
    pub limit: i64,
}

const COLUMNS: &str = "id, model_name, model_version, drift_type, feature_name, segment, method, drift_score, threshold, p_value, is_alert, \
     status, reliability, n_reference, n_current, reason, details, run_id, incident_id, window_start, window_end, \
     acknowledged, acknowledged_by, acknowledged_at, created_at";

/// The checks that fit. Each set of filters is a statement of its own, so that each has its own plan.
///
/// # Errors
/// Any error of the database.
pub async fn list(pool: &PgPool, filter: &Filter) -> Result<Vec<DriftCheck>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT ");
    query.push(COLUMNS).push(" FROM model_drift_detection WHERE true");
    if let Some(name) = &filter.model_name {
        query.push(" AND model_name = ").push_bind(name);
    }
    if let Some(version) = &filter.model_version {
        query.push(" AND model_version = ").push_bind(version);
    }
    match filter.is_alert {
        // Written out, so that the partial index of alerts is used.
        Some(true) => query.push(" AND is_alert"),
        Some(false) => query.push(" AND NOT is_alert"),
        None => &mut query,
    };
    if let Some(kind) = &filter.drift_type {
        query.push(" AND drift_type = ").push_bind(kind);
    }
    if let Some(acknowledged) = filter.acknowledged {
        query.push(" AND acknowledged = ").push_bind(acknowledged);
    }
    if let Some(since) = filter.since {
        query.push(" AND created_at >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(" AND created_at < ").push_bind(until);
    }
    if let Some((at, id)) = filter.after {
        query.push(" AND (created_at, id) < (").push_bind(at).push(", ").push_bind(id).push(")");
    }
    query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(filter.limit);
    query.build_query_as().fetch_all(pool).await
}

/// One check.
///
/// # Errors
/// Any error of the database.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<DriftCheck>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT ");
    query.push(COLUMNS).push(" FROM model_drift_detection WHERE id = ").push_bind(id);
    query.build_query_as().fetch_optional(conn).await
}

/// Notes who has seen an alert; the first one stays. Answers whether this call did it.
///
/// # Errors
/// Any error of the database.
pub async fn acknowledge(conn: &mut PgConnection, id: Uuid, who: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE model_drift_detection SET acknowledged = true, acknowledged_by = $2, acknowledged_at = steward_now()
          WHERE id = $1 AND is_alert AND NOT acknowledged",
        id,
        who
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
