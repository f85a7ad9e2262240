//! A/B tests and their looks: `model_ab_tests`, `model_ab_test_results`.
//!
//! A test row is made by the first run that names it, or by whoever creates it ([`register`]); every evaluation is a look and
//! is kept. Decides nothing.

pub mod exposures;
pub mod objects;
pub mod observations;
pub mod register;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// The plan of a test, as a job declares it.
#[derive(Debug, Clone)]
pub struct TestPlan {
    /// The test's name.
    pub test_name: String,
    /// Name and version of the control.
    pub model_a: (String, String),
    /// Name and version of the treatment.
    pub model_b: (String, String),
    /// The metric that decides.
    pub success_metric: String,
    /// Whether a smaller value of it is better.
    pub lower_is_better: bool,
    /// Share of traffic that the treatment should see.
    pub traffic_split: f64,
    /// Rows that each arm needs before a decision.
    pub min_samples: i64,
    /// Relative improvement that is asked for, as a fraction.
    pub success_threshold: f64,
    /// The statistical test's name.
    pub statistical_test: String,
    /// Two-sided significance level.
    pub significance_level: f64,
    /// Everything else that was frozen at the start.
    pub plan: Value,
}

/// The id of the test of that name, locked for this transaction, and whether it was made now: a test that is not there is made and
/// started, with the plan that is frozen by that.
///
/// # Errors
/// Any error of the database.
pub async fn ensure(conn: &mut PgConnection, plan: &TestPlan, created_by: &str) -> Result<(Uuid, bool), sqlx::Error> {
    let made = sqlx::query!(
        "INSERT INTO model_ab_tests (test_name, model_a_name, model_a_version, model_b_name, model_b_version, success_metric,
             lower_is_better, traffic_split, min_samples, success_threshold, statistical_test, significance_level, plan,
             created_by, status, started_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'running', steward_now())
         ON CONFLICT (test_name) DO NOTHING",
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
    .execute(&mut *conn)
    .await?;
    let id = sqlx::query_scalar!("SELECT id FROM model_ab_tests WHERE test_name = $1 FOR UPDATE", plan.test_name)
        .fetch_one(conn)
        .await?;
    Ok((id, made.rows_affected() == 1))
}

/// One look at a test.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // the fields are the columns of the specification's result table, of the same names
pub struct LookRow {
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
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// None when the numbers were posted.
    pub run_id: Option<Uuid>,
}

/// Stores a look and moves the test on: the first decision stands and is kept with its time, the horizon concludes the test.
///
/// # Errors
/// Any error of the database.
pub async fn record_look(
    conn: &mut PgConnection,
    test_id: Uuid,
    row: &LookRow,
    decided: bool,
    concluded: bool,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO model_ab_test_results (test_id, look, n_a, n_b, mean_a, mean_b, absolute_difference, difference_low,
             difference_high, relative_improvement, statistic, degrees_of_freedom, p_value, log10_p_value, is_significant,
             meets_threshold, decision, winner, reason, details, window_start, window_end, run_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)",
        test_id,
        row.look,
        row.n_a,
        row.n_b,
        row.mean_a,
        row.mean_b,
        row.absolute_difference,
        row.difference_low,
        row.difference_high,
        row.relative_improvement,
        row.statistic,
        row.degrees_of_freedom,
        row.p_value,
        row.log10_p_value,
        row.is_significant,
        row.meets_threshold,
        row.decision,
        row.winner,
        row.reason,
        row.details,
        row.window.map(|w| w.0),
        row.window.map(|w| w.1),
        row.run_id,
    )
    .execute(&mut *conn)
    .await?;
    if decided || concluded {
        sqlx::query!(
            "UPDATE model_ab_tests
                SET decision = CASE WHEN decided_at IS NULL THEN $4 ELSE decision END,
                    winner = CASE WHEN decided_at IS NULL THEN $5 ELSE winner END,
                    decided_at = coalesce(decided_at, CASE WHEN $2 THEN steward_now() END),
                    status = CASE WHEN $3 AND status = 'running' THEN 'concluded' ELSE status END,
                    ended_at = CASE WHEN $3 AND status = 'running' THEN steward_now() ELSE ended_at END,
                    ended_by = CASE WHEN $3 AND status = 'running' THEN $6 ELSE ended_by END
              WHERE id = $1",
            test_id,
            decided,
            concluded,
            row.decision,
            row.winner,
            by,
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}
