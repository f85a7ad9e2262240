//! Rows that were posted: `ab_observations`. Statements only.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// A row as it was posted, column by column.
#[derive(Debug, Clone, Default)]
pub struct NewRows {
    /// What tells a row from its repetition.
    pub request_ids: Vec<String>,
    /// Who it is about.
    pub units: Vec<Option<String>>,
    /// `a` or `b`.
    pub variants: Vec<String>,
    /// What came out; none when that is not known yet.
    pub outcomes: Vec<Option<f64>>,
    /// Values of side metrics by name, an object each.
    pub metrics: Vec<Value>,
    /// What was known before the test.
    pub covariates: Vec<Option<f64>>,
}

/// A kept row.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the columns, of the same names
pub struct Observation {
    pub request_id: String,
    pub unit: Option<String>,
    pub variant: String,
    pub outcome: Option<f64>,
    pub metrics: Value,
    pub covariate: Option<f64>,
}

/// Keeps rows; one whose request id is known fills in what was missing of it. Answers how many rows are new and how many were filled in.
/// A request id stands in `rows` once.
///
/// # Errors
/// Any error of the database.
pub async fn keep(conn: &mut PgConnection, test_id: Uuid, rows: &NewRows) -> Result<(i64, i64), sqlx::Error> {
    let done = sqlx::query!(
        r#"WITH given AS (
               SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::float8[], $6::jsonb[], $7::float8[])
                          AS g (request_id, unit, variant, outcome, metrics, covariate)
                ORDER BY request_id COLLATE "C"
           ), kept AS (
               INSERT INTO ab_observations AS o (test_id, request_id, unit, variant, outcome, metrics, covariate)
               SELECT $1, request_id, unit, variant, outcome, metrics, covariate FROM given
               ON CONFLICT (test_id, request_id) DO UPDATE
                  SET outcome = coalesce(o.outcome, excluded.outcome),
                      metrics = excluded.metrics || o.metrics,
                      covariate = coalesce(o.covariate, excluded.covariate)
                  WHERE (o.outcome IS NULL AND excluded.outcome IS NOT NULL
                         OR o.covariate IS NULL AND excluded.covariate IS NOT NULL
                         OR excluded.metrics || o.metrics <> o.metrics)
                    AND (o.unit, o.variant) IS NOT DISTINCT FROM (excluded.unit, excluded.variant)
               RETURNING (xmax = 0) AS is_new
           )
           SELECT count(*) FILTER (WHERE is_new) AS "added!", count(*) FILTER (WHERE NOT is_new) AS "completed!" FROM kept"#,
        test_id,
        &rows.request_ids,
        &rows.units as &[Option<String>],
        &rows.variants,
        &rows.outcomes as &[Option<f64>],
        &rows.metrics,
        &rows.covariates as &[Option<f64>],
    )
    .fetch_one(conn)
    .await?;
    Ok((done.added, done.completed))
}

/// The kept rows of these request ids.
///
/// # Errors
/// Any error of the database.
pub async fn known(
    conn: &mut PgConnection,
    test_id: Uuid,
    request_ids: &[String],
) -> Result<Vec<Observation>, sqlx::Error> {
    sqlx::query_as!(
        Observation,
        "SELECT request_id, unit, variant, outcome, metrics, covariate FROM ab_observations WHERE test_id = $1 AND request_id = ANY($2)",
        test_id,
        request_ids
    )
    .fetch_all(conn)
    .await
}

/// All kept rows of a test.
///
/// # Errors
/// Any error of the database.
pub async fn all(conn: &mut PgConnection, test_id: Uuid) -> Result<Vec<Observation>, sqlx::Error> {
    sqlx::query_as!(
        Observation,
        "SELECT request_id, unit, variant, outcome, metrics, covariate FROM ab_observations WHERE test_id = $1 ORDER BY request_id",
        test_id
    )
    .fetch_all(conn)
    .await
}

/// Whether the rows that are kept name their unit; none without rows.
///
/// # Errors
/// Any error of the database.
pub async fn units(conn: &mut PgConnection, test_id: Uuid) -> Result<Option<bool>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT unit IS NOT NULL AS "named!" FROM ab_observations WHERE test_id = $1 LIMIT 1"#,
        test_id
    )
    .fetch_optional(conn)
    .await
}

/// Rows of A and of B that are kept.
///
/// # Errors
/// Any error of the database.
pub async fn counts(conn: &mut PgConnection, test_id: Uuid) -> Result<[i64; 2], sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE variant = 'a') AS "a!", count(*) FILTER (WHERE variant = 'b') AS "b!"
             FROM ab_observations WHERE test_id = $1"#,
        test_id
    )
    .fetch_one(conn)
    .await?;
    Ok([row.a, row.b])
}
