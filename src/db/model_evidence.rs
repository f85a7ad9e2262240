//! What gates and approvals look at: metrics, incidents and A/B tests of a model version. Statements only.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// The latest value of a metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // the columns, of the same names
pub struct MetricNow {
    pub metric: String,
    pub split: Option<String>,
    pub segment: Option<String>,
    pub value: Option<f64>,
    pub at: DateTime<Utc>,
    pub sample_count: Option<i64>,
}

/// The latest value of each metric of a version, by name, split and segment, in that order.
///
/// # Errors
/// Any error of the database.
pub async fn metrics_now(conn: &mut PgConnection, name: &str, version: &str) -> Result<Vec<MetricNow>, sqlx::Error> {
    sqlx::query_as!(
        MetricNow,
        "SELECT DISTINCT ON (metric_name, dataset_split, segment)
                metric_name AS metric, dataset_split AS split, segment, metric_value AS value, created_at AS at, sample_count
           FROM model_validation_metrics
          WHERE model_name = $1 AND model_version = $2
          ORDER BY metric_name, dataset_split, segment, created_at DESC, id DESC",
        name,
        version
    )
    .fetch_all(conn)
    .await
}

/// The latest value of one metric, of the whole rather than of a segment; without a split, of whichever split is the latest.
///
/// # Errors
/// Any error of the database.
pub async fn metric_now(
    conn: &mut PgConnection,
    name: &str,
    version: &str,
    metric: &str,
    split: Option<&str>,
) -> Result<Option<MetricNow>, sqlx::Error> {
    sqlx::query_as!(
        MetricNow,
        "SELECT metric_name AS metric, dataset_split AS split, segment, metric_value AS value, created_at AS at, sample_count
           FROM model_validation_metrics
          WHERE model_name = $1 AND model_version = $2 AND metric_name = $3 AND segment IS NULL
            AND ($4::text IS NULL OR dataset_split = $4)
          ORDER BY created_at DESC, id DESC LIMIT 1",
        name,
        version,
        metric,
        split
    )
    .fetch_optional(conn)
    .await
}

/// An incident that is not resolved.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // the columns, of the same names
pub struct LiveIncident {
    pub id: Uuid,
    pub kind: String,
    pub subject: String,
    pub severity: String,
    pub title: String,
    pub opened_at: DateTime<Utc>,
}

/// The live incidents of a version, and those of its model that name no version; oldest first.
///
/// # Errors
/// Any error of the database.
pub async fn live_incidents(
    conn: &mut PgConnection,
    name: &str,
    version: &str,
) -> Result<Vec<LiveIncident>, sqlx::Error> {
    sqlx::query_as!(
        LiveIncident,
        "SELECT id, kind, subject, severity, title, opened_at FROM incidents
          WHERE model_name = $1 AND (model_version = $2 OR model_version IS NULL) AND state <> 'resolved'
          ORDER BY opened_at, id",
        name,
        version
    )
    .fetch_all(conn)
    .await
}

/// A concluded A/B test.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // the columns, of the same names
pub struct ConcludedTest {
    pub id: Uuid,
    pub test_name: String,
    pub winner: Option<String>,
    pub decision: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
    /// `a` or `b`: which arm the version was.
    pub arm: String,
    /// What the latest look that counts decided.
    pub latest_look: Option<String>,
}

/// The A/B test of a version that was concluded last; with a name, that one.
///
/// # Errors
/// Any error of the database.
pub async fn concluded_test(
    conn: &mut PgConnection,
    name: &str,
    version: &str,
    test: Option<&str>,
) -> Result<Option<ConcludedTest>, sqlx::Error> {
    sqlx::query_as!(
        ConcludedTest,
        r#"SELECT id, test_name, winner, decision, ended_at,
                  CASE WHEN model_a_name = $1 AND model_a_version = $2 THEN 'a' ELSE 'b' END AS "arm!",
                  (SELECT r.decision FROM model_ab_test_results r
                    WHERE r.test_id = model_ab_tests.id AND NOT coalesce((r.details ->> 'by_hand')::boolean, false)
                    ORDER BY r.look DESC LIMIT 1) AS latest_look
             FROM model_ab_tests
            WHERE status = 'concluded' AND ($3::text IS NULL OR test_name = $3)
              AND ((model_a_name = $1 AND model_a_version = $2) OR (model_b_name = $1 AND model_b_version = $2))
            ORDER BY ended_at DESC NULLS LAST, id LIMIT 1"#,
        name,
        version,
        test
    )
    .fetch_optional(conn)
    .await
}
