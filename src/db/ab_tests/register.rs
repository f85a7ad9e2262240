//! A/B tests that people create, start and end; and reading tests and their looks. Statements only.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::TestPlan;

/// A test with everything that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[allow(missing_docs)] // the columns of the specification's table, of the same names
pub struct TestRow {
    pub id: Uuid,
    pub test_name: String,
    pub model_a_name: String,
    pub model_a_version: String,
    pub model_b_name: String,
    pub model_b_version: String,
    pub success_metric: String,
    pub lower_is_better: bool,
    pub traffic_split: f64,
    pub min_samples: i64,
    pub success_threshold: f64,
    pub statistical_test: String,
    pub significance_level: f64,
    pub status: String,
    pub decision: Option<String>,
    pub winner: Option<String>,
    pub plan: Value,
    pub created_by: Option<String>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub decided_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub ended_by: Option<String>,
    pub ended_reason: Option<String>,
    /// Looks taken so far.
    pub looks: i32,
}

/// A look at a test as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[allow(missing_docs)] // the columns of the specification's table, of the same names
pub struct ResultRow {
    pub id: Uuid,
    pub test_id: Uuid,
    pub look: i32,
    pub n_a: i64,
    pub n_b: i64,
    pub mean_a: Option<f64>,
    pub mean_b: Option<f64>,
    pub absolute_difference: Option<f64>,
    pub difference_low: Option<f64>,
    pub difference_high: Option<f64>,
    pub relative_improvement: Option<f64>,
    pub statistic: Option<f64>,
    pub degrees_of_freedom: Option<f64>,
    pub p_value: Option<f64>,
    pub log10_p_value: Option<f64>,
    pub is_significant: bool,
    pub meets_threshold: bool,
    pub decision: String,
    pub winner: Option<String>,
    pub reason: String,
    pub details: Value,
    pub window_start: Option<DateTime<Utc>>,
    pub window_end: Option<DateTime<Utc>>,
    pub run_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
}

/// Inserts a draft; none when the name is taken.
///
/// # Errors
/// Any error of the database.
pub async fn insert(conn: &mut PgConnection, plan: &TestPlan, created_by: &str) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "INSERT INTO model_ab_tests (id, test_name, model_a_name, model_a_version, model_b_name, model_b_version, success_metric,
             lower_is_better, traffic_split, min_samples, success_threshold, statistical_test, significance_level, plan,
             created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (test_name) DO NOTHING
         RETURNING id",
        Uuid::now_v7(),
        plan.test_name,
        plan.model_a.0,
        plan.model_a.1,
        plan.model_b.0,
        plan.model_b.1,
        plan.success_metric,
        plan.lower_is_better,
        plan.traffic_split,
        plan.min_samples,
        plan.success_threshold,
        plan.statistical_test,
        plan.significance_level,
        plan.plan,
        created_by,
    )
    .fetch_optional(conn)
    .await
}

/// Locks a test for this transaction; whether it is there.
///
/// # Errors
/// Any error of the database.
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    let found = sqlx::query!("SELECT id FROM model_ab_tests WHERE id = $1 FOR UPDATE", id).fetch_optional(conn).await?;
    Ok(found.is_some())
}

/// The test of that id.
///
/// # Errors
/// Any error of the database.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<TestRow>, sqlx::Error> {
    sqlx::query_as!(
        TestRow,
        r#"SELECT id, test_name, model_a_name, model_a_version, model_b_name, model_b_version, success_metric, lower_is_better,
                  traffic_split, min_samples, success_threshold, statistical_test, significance_level, status, decision, winner,
                  plan, created_by, created_at, started_at, decided_at, ended_at, ended_by, ended_reason,
                  (SELECT coalesce(max(look), 0) FROM model_ab_test_results r WHERE r.test_id = t.id) AS "looks!"
             FROM model_ab_tests t WHERE id = $1"#,
        id
    )
    .fetch_optional(conn)
    .await
}

/// Tests, newest first, after the one at `before`.
///
/// # Errors
/// Any error of the database.
pub async fn list(
    pool: &PgPool,
    status: Option<&str>,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<TestRow>, sqlx::Error> {
    sqlx::query_as!(
        TestRow,
        r#"SELECT id, test_name, model_a_name, model_a_version, model_b_name, model_b_version, success_metric, lower_is_better,
                  traffic_split, min_samples, success_threshold, statistical_test, significance_level, status, decision, winner,
                  plan, created_by, created_at, started_at, decided_at, ended_at, ended_by, ended_reason,
                  (SELECT coalesce(max(look), 0) FROM model_ab_test_results r WHERE r.test_id = t.id) AS "looks!"
             FROM model_ab_tests t
            WHERE ($1::text IS NULL OR status = $1) AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3))
            ORDER BY created_at DESC, id DESC
            LIMIT $4"#,
        status,
        before.map(|b| b.0),
        before.map(|b| b.1),
        limit,
    )
    .fetch_all(pool)
    .await
}

/// The looks at a test after look number `after`, oldest first.
///
/// # Errors
/// Any error of the database.
pub async fn results(pool: &PgPool, test_id: Uuid, after: i32, limit: i64) -> Result<Vec<ResultRow>, sqlx::Error> {
    sqlx::query_as!(
        ResultRow,
        "SELECT id, test_id, look, n_a, n_b, mean_a, mean_b, absolute_difference, difference_low, difference_high,
                relative_improvement, statistic, degrees_of_freedom, p_value, log10_p_value, is_significant, meets_threshold,
                decision, winner, reason, details, window_start, window_end, run_id, created_at
           FROM model_ab_test_results WHERE test_id = $1 AND look > $2 ORDER BY look LIMIT $3",
        test_id,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// One look.
///
/// # Errors
/// Any error of the database.
pub async fn result(conn: &mut PgConnection, test_id: Uuid, look: i32) -> Result<ResultRow, sqlx::Error> {
    sqlx::query_as!(
        ResultRow,
        "SELECT id, test_id, look, n_a, n_b, mean_a, mean_b, absolute_difference, difference_low, difference_high,
                relative_improvement, statistic, degrees_of_freedom, p_value, log10_p_value, is_significant, meets_threshold,
                decision, winner, reason, details, window_start, window_end, run_id, created_at
           FROM model_ab_test_results WHERE test_id = $1 AND look = $2",
        test_id,
        look
    )
    .fetch_one(conn)
    .await
}

/// A look that used something of the plan up: it had a level to be held against, and nobody asked for it beside the schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Spent {
    /// Its number.
    pub look: i32,
    /// Rows of A.
    pub n_a: i64,
    /// Rows of B.
    pub n_b: i64,
    /// Everything about it.
    pub details: Value,
}

/// The looks that used something of the plan up, oldest first: those that were held against a level, and those that only the last look of
/// the plan would have been. A look with too few rows, a problem with the data, or by hand beside the plan used nothing up.
///
/// # Errors
/// Any error of the database.
pub async fn spent(conn: &mut PgConnection, test_id: Uuid) -> Result<Vec<Spent>, sqlx::Error> {
    sqlx::query_as!(
        Spent,
        "SELECT look, n_a, n_b, details FROM model_ab_test_results
          WHERE test_id = $1
            AND (jsonb_typeof(details -> 'level') = 'number' OR details ->> 'reason' = 'waits_for_horizon') ORDER BY look",
        test_id
    )
    .fetch_all(conn)
    .await
}

/// The latest look that was no glance by hand.
///
/// # Errors
/// Any error of the database.
pub async fn latest(conn: &mut PgConnection, test_id: Uuid) -> Result<Option<Spent>, sqlx::Error> {
    sqlx::query_as!(
        Spent,
        "SELECT look, n_a, n_b, details FROM model_ab_test_results
          WHERE test_id = $1 AND NOT coalesce((details ->> 'by_hand')::boolean, false) ORDER BY look DESC LIMIT 1",
        test_id
    )
    .fetch_optional(conn)
    .await
}

/// The test of that name.
///
/// # Errors
/// Any error of the database.
pub async fn by_name(conn: &mut PgConnection, test_name: &str) -> Result<Option<TestRow>, sqlx::Error> {
    let id = sqlx::query_scalar!("SELECT id FROM model_ab_tests WHERE test_name = $1", test_name);
    match id.fetch_optional(&mut *conn).await? {
        Some(id) => get(conn, id).await,
        None => Ok(None),
    }
}

/// The job that an open incident about the decision of a test belongs to.
///
/// # Errors
/// Any error of the database.
pub async fn told_by(conn: &mut PgConnection, test_name: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT job_name FROM incidents WHERE kind = 'ab_decision' AND subject = $1 AND state <> 'resolved' LIMIT 1",
        test_name
    )
    .fetch_optional(conn)
    .await
}

/// Starts a draft with its plan as it is from now on.
///
/// # Errors
/// Any error of the database.
pub async fn start(conn: &mut PgConnection, id: Uuid, plan: &Value) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE model_ab_tests SET status = 'running', plan = $2, started_at = steward_now() WHERE id = $1",
        id,
        plan
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Pauses a test or lets it go on.
///
/// # Errors
/// Any error of the database.
pub async fn set_status(conn: &mut PgConnection, id: Uuid, status: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE model_ab_tests SET status = $2 WHERE id = $1", id, status).execute(conn).await?;
    Ok(())
}

/// Ends a test; `decision` is taken when there is none yet.
///
/// # Errors
/// Any error of the database.
pub async fn end(
    conn: &mut PgConnection,
    id: Uuid,
    status: &str,
    decision: Option<&str>,
    by: &str,
    reason: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE model_ab_tests SET status = $2, ended_at = steward_now(), ended_by = $4, ended_reason = $5,
                decision = coalesce(decision, $3)
          WHERE id = $1",
        id,
        status,
        decision,
        by,
        reason
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What time it is.
///
/// # Errors
/// Any error of the database.
pub async fn now(conn: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT steward_now() AS "now!""#).fetch_one(conn).await
}
