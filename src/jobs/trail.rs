//! What a run changes that people are held to, as events of the audit trail, in the run's own transaction.
//!
//! Metrics feed gates and make approvals stale, incidents stand in the way of promotions: both are evidence. Drift checks are not
//! listed one by one; the incidents that they open are. Must come last: the trail's head stays locked until the commit.

use serde_json::json;
use sqlx::PgConnection;

use crate::db::audit::{self, Actor, Event, Outcome};
use crate::db::results::MetricRow;
use crate::notify::Changes;
use crate::queue::Run;
use crate::registry::validation::evidence::{Measured, detail};

/// Metrics that a run logged for a version.
///
/// # Errors
/// Any error of the database.
pub(super) async fn metrics(
    conn: &mut PgConnection,
    run: &Run,
    model: &(String, String),
    rows: &[MetricRow],
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let measured: Vec<Measured<'_>> = rows
        .iter()
        .map(|row| Measured {
            name: &row.metric_name,
            split: Some(&row.dataset_split),
            segment: row.segment.as_deref(),
            value: row.metric_value,
            sample_count: Some(row.sample_count),
        })
        .collect();
    let subject = format!("{}/{}", model.0, model.1);
    append(conn, "metrics.logged", "model", &subject, detail(&measured, Some(run.id))).await
}

/// Incidents that a run opened or resolved.
///
/// # Errors
/// Any error of the database.
pub(super) async fn incidents(conn: &mut PgConnection, run: &Run, changes: &Changes) -> Result<(), sqlx::Error> {
    let opened = changes.opened.iter().map(|incident| ("incident.opened", incident));
    let resolved = changes.resolved.iter().map(|incident| ("incident.resolved", incident));
    for (action, incident) in opened.chain(resolved) {
        let detail =
            json!({ "job": run.job_name, "kind": incident.kind, "subject": incident.subject, "run_id": run.id });
        append(conn, action, "incident", &incident.id.to_string(), detail).await?;
    }
    Ok(())
}

async fn append(
    conn: &mut PgConnection,
    action: &str,
    subject_kind: &str,
    subject: &str,
    detail: serde_json::Value,
) -> Result<(), sqlx::Error> {
    let actor = Actor::system("worker");
    let event = Event { actor: &actor, action, outcome: Outcome::Done, subject_kind, subject, detail };
    audit::append(conn, &event).await.map(drop)
}
