//! What was found over time: the questions that a summary asks of the result tables.
//!
//! Read only; each is one statement over an index, however many runs there are.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

/// One drift check with its window.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // columns of `model_drift_detection`
pub struct DriftPoint {
    pub job_name: String,
    pub model_version: Option<String>,
    pub drift_type: String,
    pub feature_name: String,
    pub method: String,
    pub drift_score: Option<f64>,
    pub is_alert: bool,
    pub status: String,
    pub window_start: Option<DateTime<Utc>>,
}

/// Every check whose window starts in `[from, to)`, in order of time, job and column.
///
/// # Errors
/// Any error of the database.
pub async fn drift_points(
    pool: &PgPool,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<DriftPoint>, sqlx::Error> {
    sqlx::query_as!(
        DriftPoint,
        "SELECT r.job_name, d.model_version, d.drift_type, d.feature_name, d.method, d.drift_score, d.is_alert, d.status, d.window_start
           FROM model_drift_detection d JOIN runs r ON r.id = d.run_id
          WHERE d.window_start >= $1 AND d.window_start < $2
          ORDER BY d.window_start, r.job_name, d.drift_score DESC NULLS LAST, d.feature_name",
        from,
        to
    )
    .fetch_all(pool)
    .await
}

/// One metric with its window.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // columns of `model_validation_metrics`
pub struct MetricPoint {
    pub model_name: String,
    pub model_version: String,
    pub metric_name: String,
    pub metric_value: Option<f64>,
    pub ci_low: Option<f64>,
    pub ci_high: Option<f64>,
    pub sample_count: Option<i64>,
    pub window_start: Option<DateTime<Utc>>,
}

/// Every metric whose window starts in `[from, to)`, in order of time, model and name.
///
/// # Errors
/// Any error of the database.
pub async fn metric_points(
    pool: &PgPool,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<MetricPoint>, sqlx::Error> {
    sqlx::query_as!(
        MetricPoint,
        "SELECT model_name, model_version, metric_name, metric_value, ci_low, ci_high, sample_count, window_start
           FROM model_validation_metrics
          WHERE window_start >= $1 AND window_start < $2
          ORDER BY window_start, model_name, model_version, metric_name",
        from,
        to
    )
    .fetch_all(pool)
    .await
}

/// One look at an A/B test.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // columns of `model_ab_tests` and `model_ab_test_results`
pub struct LookPoint {
    pub test_name: String,
    pub status: String,
    pub model_a_version: String,
    pub model_b_version: String,
    pub success_metric: String,
    pub look: i32,
    pub n_a: i64,
    pub n_b: i64,
    pub mean_a: Option<f64>,
    pub mean_b: Option<f64>,
    pub relative_improvement: Option<f64>,
    pub p_value: Option<f64>,
    pub log10_p_value: Option<f64>,
    pub is_significant: bool,
    pub decision: String,
    pub reason: String,
    pub window_end: Option<DateTime<Utc>>,
    pub decided_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// Every look at every A/B test, in order.
///
/// # Errors
/// Any error of the database.
pub async fn look_points(pool: &PgPool) -> Result<Vec<LookPoint>, sqlx::Error> {
    sqlx::query_as!(
        LookPoint,
        "SELECT t.test_name, t.status, t.model_a_version, t.model_b_version, t.success_metric, r.look, r.n_a, r.n_b, r.mean_a,
                r.mean_b, r.relative_improvement, r.p_value, r.log10_p_value, r.is_significant, r.decision, r.reason,
                r.window_end, t.decided_at, t.ended_at
           FROM model_ab_test_results r JOIN model_ab_tests t ON t.id = r.test_id
          ORDER BY t.test_name, r.look"
    )
    .fetch_all(pool)
    .await
}

/// One incident, for a summary.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // columns of `incidents`
pub struct IncidentLine {
    pub id: Uuid,
    pub job_name: String,
    pub kind: String,
    pub subject: String,
    pub model_version: Option<String>,
    pub state: String,
    pub title: String,
    pub peak_score: Option<f64>,
    pub opened_at: DateTime<Utc>,
    pub resolved_at: Option<DateTime<Utc>>,
}

/// Every incident, in order of opening.
///
/// # Errors
/// Any error of the database.
pub async fn incident_lines(pool: &PgPool) -> Result<Vec<IncidentLine>, sqlx::Error> {
    sqlx::query_as!(
        IncidentLine,
        "SELECT id, job_name, kind, subject, model_version, state, title, peak_score, opened_at, resolved_at
           FROM incidents ORDER BY opened_at, job_name, subject"
    )
    .fetch_all(pool)
    .await
}
