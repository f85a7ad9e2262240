//! What runs found: rows of the specification's result tables.
//!
//! Written only inside the transaction that completes a run, by the run that holds the lease, and in one statement per
//! table however many rows there are. Judges nothing and knows no datasets.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// Which run wrote a result, for which model and window.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The run.
    pub run_id: Uuid,
    /// The model's name, where the job names one.
    pub model_name: Option<String>,
    /// The model's version as it was resolved when the run was evaluated.
    pub model_version: Option<String>,
    /// The window that was judged, half open.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Origin {
    fn window_start(&self) -> Option<DateTime<Utc>> {
        self.window.map(|(start, _)| start)
    }

    fn window_end(&self) -> Option<DateTime<Utc>> {
        self.window.map(|(_, end)| end)
    }
}

/// One row of `model_drift_detection`: one column judged by one method.
#[derive(Debug, Clone)]
pub struct DriftRow {
    /// `data`, `prediction` or `concept`.
    pub drift_type: &'static str,
    /// What an incident about it is about; not stored.
    pub subject: String,
    /// The column.
    pub feature_name: String,
    /// The segment whose rows were judged; all rows when absent.
    pub segment: Option<String>,
    /// The method's name.
    pub method: String,
    /// The score, where there is one.
    pub drift_score: Option<f64>,
    /// The threshold it was held against.
    pub threshold: f64,
    /// The p-value, reported beside the score.
    pub p_value: Option<f64>,
    /// Whether it drifted.
    pub is_alert: bool,
    /// `ok`, `warning`, `drifted` or the name of a non-result.
    pub status: &'static str,
    /// `normal` or `low`.
    pub reliability: Option<&'static str>,
    /// Rows of the reference.
    pub n_reference: i64,
    /// Rows of the current window.
    pub n_current: i64,
    /// Why, in words.
    pub reason: Option<String>,
    /// What the method says beside its score.
    pub details: Value,
}

/// Writes the checks of a drift run.
///
/// # Errors
/// Any error of the database.
pub async fn insert_drift(conn: &mut PgConnection, origin: &Origin, rows: &[DriftRow]) -> Result<(), sqlx::Error> {
    let column = |f: &dyn Fn(&DriftRow) -> String| rows.iter().map(f).collect::<Vec<String>>();
    let numbers = |f: &dyn Fn(&DriftRow) -> Option<f64>| rows.iter().map(f).collect::<Vec<Option<f64>>>();
    sqlx::query!(
        r#"INSERT INTO model_drift_detection
               (model_name, model_version, run_id, window_start, window_end,
                drift_type, feature_name, segment, method, drift_score, threshold, p_value, is_alert, status, reliability,
                n_reference, n_current, reason, details)
           SELECT $1, $2, $3, $4, $5, r.* FROM unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::float8[],
                $11::float8[], $12::float8[], $13::bool[], $14::text[], $15::text[], $16::int8[], $17::int8[], $18::text[], $19::jsonb[]) AS r"#,
        origin.model_name,
        origin.model_version,
        origin.run_id,
        origin.window_start(),
        origin.window_end(),
        &column(&|r| r.drift_type.to_owned()),
        &column(&|r| r.feature_name.clone()),
        &rows.iter().map(|r| r.segment.clone()).collect::<Vec<_>>() as &[Option<String>],
        &column(&|r| r.method.clone()),
        &numbers(&|r| r.drift_score) as &[Option<f64>],
        &numbers(&|r| Some(r.threshold)) as &[Option<f64>],
        &numbers(&|r| r.p_value) as &[Option<f64>],
        &rows.iter().map(|r| r.is_alert).collect::<Vec<_>>(),
        &column(&|r| r.status.to_owned()),
        &rows.iter().map(|r| r.reliability.map(str::to_owned)).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|r| r.n_reference).collect::<Vec<_>>(),
        &rows.iter().map(|r| r.n_current).collect::<Vec<_>>(),
        &rows.iter().map(|r| r.reason.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|r| r.details.clone()).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ties a run's alert rows to the incidents that they belong to, of the same subject.
///
/// # Errors
/// Any error of the database.
pub async fn link_incidents(
    conn: &mut PgConnection,
    run_id: Uuid,
    rows: &[DriftRow],
    incidents: &[(&str, Uuid)],
) -> Result<(), sqlx::Error> {
    let linked: Vec<(&DriftRow, Uuid)> = rows
        .iter()
        .filter(|row| row.is_alert)
        .filter_map(|row| Some((row, incidents.iter().find(|(subject, _)| *subject == row.subject)?.1)))
        .collect();
    sqlx::query!(
        "UPDATE model_drift_detection d SET incident_id = i.id
           FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[]) AS i(feature_name, segment, method, id)
          WHERE d.run_id = $1 AND d.is_alert AND d.feature_name = i.feature_name AND d.method = i.method
            AND d.segment IS NOT DISTINCT FROM i.segment",
        run_id,
        &linked.iter().map(|(row, _)| row.feature_name.clone()).collect::<Vec<_>>(),
        &linked.iter().map(|(row, _)| row.segment.clone()).collect::<Vec<_>>() as &[Option<String>],
        &linked.iter().map(|(row, _)| row.method.clone()).collect::<Vec<_>>(),
        &linked.iter().map(|(_, id)| *id).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One row of `model_validation_metrics`.
#[derive(Debug, Clone)]
pub struct MetricRow {
    /// The metric's name.
    pub metric_name: String,
    /// Its value; none when undefined, then `metadata` says why.
    pub metric_value: Option<f64>,
    /// `classification`, `regression` or `custom`.
    pub metric_type: &'static str,
    /// The split, such as `test` or `production`.
    pub dataset_split: String,
    /// The segment (`region = EU`), the class (`class: late`), or both; all rows when absent.
    pub segment: Option<String>,
    /// Labelled rows that it was computed from.
    pub sample_count: i64,
    /// Lower end of the 95 % interval.
    pub ci_low: Option<f64>,
    /// Upper end of the 95 % interval.
    pub ci_high: Option<f64>,
    /// Reason, pending rows and the like.
    pub metadata: Value,
}

/// Writes the metrics of a run, with where its rows lie and a digest of what was pinned there: SHA-256 of the lines `role object etag
/// version size`, in their order.
///
/// # Errors
/// Any error of the database.
pub async fn insert_metrics(conn: &mut PgConnection, origin: &Origin, rows: &[MetricRow]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"WITH read AS (
               SELECT min(object) || CASE WHEN count(*) > 1 THEN ' and ' || count(*) - 1 || ' more' ELSE '' END AS uri,
                      'sha256:' || encode(sha256(convert_to(string_agg(
                          concat_ws(' ', role, object, etag, version, size_bytes), E'\n' ORDER BY role, object), 'UTF8')), 'hex') AS digest
                 FROM run_inputs WHERE run_id = $3 AND role IN ('current', 'labels'))
           INSERT INTO model_validation_metrics
               (model_name, model_version, run_id, window_start, window_end, dataset_uri, dataset_digest,
                metric_name, metric_value, metric_type, dataset_split, sample_count, ci_low, ci_high, metadata, segment)
           SELECT $1, $2, $3, $4, $5, read.uri, read.digest, r.* FROM read, unnest($6::text[], $7::float8[], $8::text[], $9::text[],
                $10::int8[], $11::float8[], $12::float8[], $13::jsonb[], $14::text[]) AS r"#,
        origin.model_name.clone().unwrap_or_default(),
        origin.model_version.clone().unwrap_or_default(),
        origin.run_id,
        origin.window_start(),
        origin.window_end(),
        &rows.iter().map(|r| r.metric_name.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|r| r.metric_value).collect::<Vec<_>>() as &[Option<f64>],
        &rows.iter().map(|r| r.metric_type.to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|r| r.dataset_split.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|r| r.sample_count).collect::<Vec<_>>(),
        &rows.iter().map(|r| r.ci_low).collect::<Vec<_>>() as &[Option<f64>],
        &rows.iter().map(|r| r.ci_high).collect::<Vec<_>>() as &[Option<f64>],
        &rows.iter().map(|r| r.metadata.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|r| r.segment.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(conn)
    .await?;
    Ok(())
}
