//! What one run found, read back: its checks, metrics, looks and messages.
//!
//! Read only but for handing over the messages of a run that a command ran itself.

use sqlx::PgPool;
use uuid::Uuid;

/// One check of a run, whatever its kind: a name, a value, and what was made of it.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Check {
    /// The column, metric or test.
    pub name: String,
    /// The method, split or decision rule.
    pub method: String,
    /// The value.
    pub value: Option<f64>,
    /// The threshold, or the interval's lower end.
    pub low: Option<f64>,
    /// The interval's upper end.
    pub high: Option<f64>,
    /// The p-value.
    pub p_value: Option<f64>,
    /// `ok`, `drifted`, a decision, ...
    pub verdict: String,
    /// Rows it stands on.
    pub n: i64,
    /// Why.
    pub reason: Option<String>,
}

/// The checks of a run, worst first.
///
/// # Errors
/// Any error of the database.
pub async fn checks(pool: &PgPool, run_id: Uuid) -> Result<Vec<Check>, sqlx::Error> {
    sqlx::query_as!(
        Check,
        r#"SELECT feature_name || coalesce(' [' || segment || ']', '') AS "name!", method AS "method!", drift_score AS value, threshold AS low, NULL::float8 AS high, p_value,
                  status AS "verdict!", n_current AS "n!", reason
             FROM model_drift_detection WHERE run_id = $1
           UNION ALL
           SELECT metric_name || coalesce(' [' || segment || ']', ''), coalesce(dataset_split, ''), metric_value, ci_low, ci_high, NULL,
                  CASE WHEN metric_value IS NULL THEN 'undefined' ELSE '' END, coalesce(sample_count, 0), metadata->>'reason'
             FROM model_validation_metrics WHERE run_id = $1
           UNION ALL
           SELECT t.test_name, t.statistical_test, r.relative_improvement, r.difference_low, r.difference_high, r.p_value,
                  r.decision, r.n_a + r.n_b, r.reason
             FROM model_ab_test_results r JOIN model_ab_tests t ON t.id = r.test_id WHERE r.run_id = $1
           ORDER BY 3 DESC NULLS LAST, 1"#,
        run_id
    )
    .fetch_all(pool)
    .await
}

/// Ids of runs that begin with these hexadecimal digits (no dashes); at most five.
///
/// # Errors
/// Any error of the database.
pub async fn runs_by_prefix(pool: &PgPool, digits: &str) -> Result<Vec<Uuid>, sqlx::Error> {
    let (low, high) = (format!("{digits:0<32}"), format!("{digits:f<32}"));
    let (Ok(low), Ok(high)) = (Uuid::parse_str(&low), Uuid::parse_str(&high)) else { return Ok(Vec::new()) };
    sqlx::query_scalar!("SELECT id FROM runs WHERE id BETWEEN $1 AND $2 ORDER BY id LIMIT 5", low, high)
        .fetch_all(pool)
        .await
}

/// Gives what a private queue did not deliver to the ordinary sender.
///
/// # Errors
/// Any error of the database.
pub async fn hand_over_messages(pool: &PgPool, queue: &str) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE deliveries SET queue = 'default' WHERE queue = $1 AND state IN ('pending', 'retry', 'uncertain', 'leased')",
        queue
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
