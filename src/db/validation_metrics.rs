//! Validation metrics that people and programs log and ask for: `model_validation_metrics`. What runs write stands in
//! `results`. Statements only.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A metric to log.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct NewMetric {
    pub model_name: String,
    pub model_version: String,
    pub metric_name: String,
    /// None when undefined; then `metadata.reason` says why.
    pub metric_value: Option<f64>,
    /// `classification`, `regression` or `custom`.
    pub metric_type: String,
    pub dataset_split: Option<String>,
    pub sample_count: Option<i64>,
    pub ci_low: Option<f64>,
    pub ci_high: Option<f64>,
    pub segment: Option<String>,
    pub window_start: Option<DateTime<Utc>>,
    pub window_end: Option<DateTime<Utc>>,
    pub run_id: Option<Uuid>,
    pub dataset_uri: Option<String>,
    pub dataset_digest: Option<String>,
    /// An object.
    pub metadata: Value,
}

/// A metric as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct Metric {
    pub id: Uuid,
    pub model_name: String,
    pub model_version: String,
    pub metric_name: String,
    pub metric_value: Option<f64>,
    pub metric_type: String,
    pub dataset_split: Option<String>,
    pub sample_count: Option<i64>,
    pub ci_low: Option<f64>,
    pub ci_high: Option<f64>,
    pub segment: Option<String>,
    pub window_start: Option<DateTime<Utc>>,
    pub window_end: Option<DateTime<Utc>>,
    pub run_id: Option<Uuid>,
    pub dataset_uri: Option<String>,
    pub dataset_digest: Option<String>,
    pub metadata: Value,
    pub created_by: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// Which metrics of a model are wanted.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct Filter {
    pub model_name: String,
    pub model_version: Option<String>,
    pub metric_name: Option<String>,
    pub metric_type: Option<String>,
    pub dataset_split: Option<String>,
    pub segment: Option<String>,
    /// Logged not before.
    pub since: Option<DateTime<Utc>>,
    /// Logged before.
    pub until: Option<DateTime<Utc>>,
}

/// Inserts all in one statement and answers the rows in the order given.
///
/// # Errors
/// Any error of the database.
pub async fn insert(
    conn: &mut PgConnection,
    metrics: &[NewMetric],
    created_by: &str,
) -> Result<Vec<Metric>, sqlx::Error> {
    let ids: Vec<Uuid> = metrics.iter().map(|_| Uuid::now_v7()).collect();
    let text = |f: &dyn Fn(&NewMetric) -> String| metrics.iter().map(f).collect::<Vec<String>>();
    let maybe = |f: &dyn Fn(&NewMetric) -> Option<String>| metrics.iter().map(f).collect::<Vec<Option<String>>>();
    let number = |f: &dyn Fn(&NewMetric) -> Option<f64>| metrics.iter().map(f).collect::<Vec<Option<f64>>>();
    let time = |f: &dyn Fn(&NewMetric) -> Option<DateTime<Utc>>| metrics.iter().map(f).collect::<Vec<_>>();
    let mut rows = sqlx::query_as!(
        Metric,
        "INSERT INTO model_validation_metrics
             (id, model_name, model_version, metric_name, metric_value, metric_type, dataset_split, sample_count, ci_low, ci_high,
              segment, window_start, window_end, run_id, dataset_uri, dataset_digest, metadata, created_by)
         SELECT u.*, $18 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::text[], $7::text[],
              $8::int8[], $9::float8[], $10::float8[], $11::text[], $12::timestamptz[], $13::timestamptz[], $14::uuid[],
              $15::text[], $16::text[], $17::jsonb[]) AS u
         RETURNING id, model_name, model_version, metric_name, metric_value, metric_type, dataset_split, sample_count, ci_low,
              ci_high, segment, window_start, window_end, run_id, dataset_uri, dataset_digest, metadata, created_by, created_at",
        &ids,
        &text(&|m| m.model_name.clone()),
        &text(&|m| m.model_version.clone()),
        &text(&|m| m.metric_name.clone()),
        &number(&|m| m.metric_value) as &[Option<f64>],
        &text(&|m| m.metric_type.clone()),
        &maybe(&|m| m.dataset_split.clone()) as &[Option<String>],
        &metrics.iter().map(|m| m.sample_count).collect::<Vec<_>>() as &[Option<i64>],
        &number(&|m| m.ci_low) as &[Option<f64>],
        &number(&|m| m.ci_high) as &[Option<f64>],
        &maybe(&|m| m.segment.clone()) as &[Option<String>],
        &time(&|m| m.window_start) as &[Option<DateTime<Utc>>],
        &time(&|m| m.window_end) as &[Option<DateTime<Utc>>],
        &metrics.iter().map(|m| m.run_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &maybe(&|m| m.dataset_uri.clone()) as &[Option<String>],
        &maybe(&|m| m.dataset_digest.clone()) as &[Option<String>],
        &metrics.iter().map(|m| m.metadata.clone()).collect::<Vec<_>>(),
        created_by,
    )
    .fetch_all(conn)
    .await?;
    let places: std::collections::HashMap<Uuid, usize> =
        ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    rows.sort_by_key(|row| places.get(&row.id).copied());
    Ok(rows)
}

/// The metrics that fit, newest first, after the one at `before`.
///
/// # Errors
/// Any error of the database.
pub async fn query(
    pool: &PgPool,
    filter: &Filter,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Metric>, sqlx::Error> {
    sqlx::query_as!(
        Metric,
        "SELECT id, model_name, model_version, metric_name, metric_value, metric_type, dataset_split, sample_count, ci_low,
                ci_high, segment, window_start, window_end, run_id, dataset_uri, dataset_digest, metadata, created_by, created_at
           FROM model_validation_metrics
          WHERE model_name = $1 AND ($2::text IS NULL OR model_version = $2) AND ($3::text IS NULL OR metric_name = $3)
            AND ($4::text IS NULL OR metric_type = $4) AND ($5::text IS NULL OR dataset_split = $5)
            AND ($6::text IS NULL OR segment = $6) AND ($7::timestamptz IS NULL OR created_at >= $7)
            AND ($8::timestamptz IS NULL OR created_at < $8)
            AND ($9::timestamptz IS NULL OR (created_at, id) < ($9, $10))
          ORDER BY created_at DESC, id DESC
          LIMIT $11",
        filter.model_name,
        filter.model_version,
        filter.metric_name,
        filter.metric_type,
        filter.dataset_split,
        filter.segment,
        filter.since,
        filter.until,
        before.map(|b| b.0),
        before.map(|b| b.1),
        limit,
    )
    .fetch_all(pool)
    .await
}

/// A value that was logged for a version.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct Logged {
    pub metric_name: String,
    pub segment: Option<String>,
    pub metric_value: Option<f64>,
    pub ci_low: Option<f64>,
    pub ci_high: Option<f64>,
    pub sample_count: Option<i64>,
    pub created_at: DateTime<Utc>,
}

/// The latest values of a version's metrics of one split, for all rows and for segments.
///
/// # Errors
/// Any error of the database.
pub async fn latest(
    conn: &mut PgConnection,
    model: (&str, &str),
    split: &str,
    names: &[String],
) -> Result<Vec<Logged>, sqlx::Error> {
    sqlx::query_as!(
        Logged,
        "SELECT DISTINCT ON (metric_name, segment) metric_name, segment, metric_value, ci_low, ci_high, sample_count, created_at
           FROM model_validation_metrics
          WHERE model_name = $1 AND model_version = $2 AND dataset_split = $3 AND metric_name = ANY($4)
          ORDER BY metric_name, segment, created_at DESC, id DESC",
        model.0,
        model.1,
        split,
        names
    )
    .fetch_all(conn)
    .await
}

/// A point of a chart.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Point {
    /// The end of the window that it is about, or when it was logged.
    pub at: DateTime<Utc>,
    /// The version that it is about.
    pub model_version: String,
    /// The split.
    pub dataset_split: Option<String>,
    /// The segment; none: all rows.
    pub segment: Option<String>,
    /// The value; none when undefined.
    pub value: Option<f64>,
    /// Lower end of its interval.
    pub ci_low: Option<f64>,
    /// Upper end of its interval.
    pub ci_high: Option<f64>,
    /// Rows that it is from.
    pub sample_count: Option<i64>,
}

/// The newest `limit` points of one metric in `[since, until)`, oldest first.
///
/// # Errors
/// Any error of the database.
pub async fn series(pool: &PgPool, filter: &Filter, limit: i64) -> Result<Vec<Point>, sqlx::Error> {
    let mut points = sqlx::query_as!(
        Point,
        r#"SELECT coalesce(window_end, created_at) AS "at!", model_version, dataset_split, segment, metric_value AS value,
                  ci_low, ci_high, sample_count
             FROM model_validation_metrics
            WHERE model_name = $1 AND metric_name = $2 AND ($3::text IS NULL OR model_version = $3)
              AND ($4::text IS NULL OR dataset_split = $4) AND ($5::text IS NULL OR segment = $5)
              AND ($6::text IS NULL OR metric_type = $6)
              AND ($7::timestamptz IS NULL OR coalesce(window_end, created_at) >= $7)
              AND ($8::timestamptz IS NULL OR coalesce(window_end, created_at) < $8)
            ORDER BY coalesce(window_end, created_at) DESC, created_at DESC, id DESC
            LIMIT $9"#,
        filter.model_name,
        filter.metric_name,
        filter.model_version,
        filter.dataset_split,
        filter.segment,
        filter.metric_type,
        filter.since,
        filter.until,
        limit,
    )
    .fetch_all(pool)
    .await?;
    points.reverse();
    Ok(points)
}

/// Those of the runs that there are, each with the model that its document names.
///
/// # Errors
/// Any error of the database.
pub async fn runs_about(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<(Uuid, Option<String>)>, sqlx::Error> {
    let rows = sqlx::query!(r#"SELECT id, document->'model'->>'name' AS model FROM runs WHERE id = ANY($1)"#, ids)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.model)).collect())
}
