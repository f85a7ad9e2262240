//! SQL of incidents, their events and the applied evaluations.
//!
//! Statements only: which transition happens is decided in `notify::lifecycle`, what is sent in `notify::outbox`. Functions
//! that take a connection run in the caller's transaction. Times come from the caller (the tick) or from `steward_now()`.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// The life of one problem of one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its id; commands also accept a unique beginning of it.
    pub id: Uuid,
    /// SHA-256 of job, kind and subject, in hexadecimal: at most one live incident has it.
    pub fingerprint: String,
    /// The declared job; none for a document that was sent on demand.
    pub job_id: Option<Uuid>,
    /// Name of the job.
    pub job_name: String,
    /// drift, metric, ab_decision, no_data, insufficient_data, schema_error, run_failed.
    pub kind: String,
    /// The column, metric or input that it is about.
    pub subject: String,
    /// open, acknowledged, resolved (pending and recovering are reserved).
    pub state: String,
    /// info, warning, critical: the worst seen.
    pub severity: String,
    /// One sentence that says what is wrong.
    pub title: String,
    /// The model that the job watches.
    pub model_name: Option<String>,
    /// Its version.
    pub model_version: Option<String>,
    /// Of the latest breach.
    pub evidence: Evidence,
    /// The worst (greatest) score seen.
    pub peak_score: Option<f64>,
    /// Evaluations in breach since it opened.
    pub breaches: i32,
    /// The tick of the first breach.
    pub opened_at: DateTime<Utc>,
    /// The tick of the latest breach.
    pub last_breach_at: DateTime<Utc>,
    /// The tick that found it gone.
    pub resolved_at: Option<DateTime<Utc>>,
    /// The run that opened it.
    pub opened_by_run: Option<Uuid>,
    /// The run that resolved it.
    pub resolved_by_run: Option<Uuid>,
    /// Who took care of it.
    pub acknowledged_by: Option<String>,
    /// When.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// What they said.
    pub acknowledge_note: Option<String>,
}

/// What a breach was judged on. Labels keep their order; `jsonb` objects would not, so they are stored as pairs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// The score that was compared.
    pub score: Option<f64>,
    /// With this threshold.
    pub threshold: Option<f64>,
    /// Further facts for people: label and value, in the order to show them.
    pub labels: Vec<(String, Value)>,
}

impl Evidence {
    /// The form in which it is stored.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let labels: Vec<Value> = self.labels.iter().map(|(label, value)| json!([label, value])).collect();
        json!({ "score": self.score, "threshold": self.threshold, "labels": labels })
    }

    /// Reads the stored form; what is not understood is left out.
    #[must_use]
    pub fn from_json(value: &Value) -> Self {
        let pairs = value.get("labels").and_then(Value::as_array).cloned().unwrap_or_default();
        Self {
            score: value.get("score").and_then(Value::as_f64),
            threshold: value.get("threshold").and_then(Value::as_f64),
            labels: pairs
                .iter()
                .filter_map(|pair| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.clone())))
                .collect(),
        }
    }
}

impl From<Value> for Evidence {
    fn from(value: Value) -> Self {
        Self::from_json(&value)
    }
}

/// One entry of an incident's history.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentEvent {
    /// Position in the history.
    pub id: i64,
    /// opened, breached, acknowledged, resolved.
    pub kind: String,
    /// The tick, or when somebody acted.
    pub at: DateTime<Utc>,
    /// The run that caused it.
    pub run_id: Option<Uuid>,
    /// Who caused it, if a person did.
    pub actor: Option<String>,
    /// Particulars: score, reason, note.
    pub detail: Value,
}

/// Which incidents to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this state; `live` means everything that is not resolved.
    pub state: Option<String>,
    /// Only of this job.
    pub job: Option<String>,
    /// At most so many.
    pub limit: i64,
    /// Only those after this (opened_at, id) of the page before.
    pub after: Option<(DateTime<Utc>, Uuid)>,
}

/// Locks the job's row of applied evaluations until the transaction ends and returns the last applied one, if any.
///
/// # Errors
/// What the database says.
pub async fn lock_evaluations(
    conn: &mut PgConnection,
    job_name: &str,
) -> Result<Option<(DateTime<Utc>, Uuid)>, sqlx::Error> {
    // The row must exist to be locked: two first runs of one job may commit at the same time.
    sqlx::query!(
        "INSERT INTO job_evaluations (job_name, last_applied, last_run) VALUES ($1, to_timestamp(0), $2)
         ON CONFLICT DO NOTHING",
        job_name,
        Uuid::nil()
    )
    .execute(&mut *conn)
    .await?;
    let row =
        sqlx::query!("SELECT last_applied, last_run FROM job_evaluations WHERE job_name = $1 FOR UPDATE", job_name)
            .fetch_one(conn)
            .await?;
    Ok((!row.last_run.is_nil()).then_some((row.last_applied, row.last_run)))
}

/// Notes that the evaluation of `run` at `at` was applied.
///
/// # Errors
/// What the database says.
pub async fn mark_applied(
    conn: &mut PgConnection,
    job_name: &str,
    at: DateTime<Utc>,
    run: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE job_evaluations SET last_applied = $2, last_run = $3 WHERE job_name = $1", job_name, at, run)
        .execute(conn)
        .await?;
    Ok(())
}

// One column list for all readers, so that a new column is added once.
macro_rules! select_incidents {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Incident,
            r#"SELECT id, fingerprint, job_id, job_name, kind, subject, state, severity, title, model_name, model_version,
                      evidence, peak_score, breaches, opened_at, last_breach_at, resolved_at, opened_by_run,
                      resolved_by_run, acknowledged_by, acknowledged_at, acknowledge_note
               FROM incidents "# + $rest,
            $($argument),*
        )
    };
}

/// The job's incidents that are not resolved, locked, in the order of kind and subject.
///
/// # Errors
/// What the database says.
pub async fn live(conn: &mut PgConnection, job_name: &str) -> Result<Vec<Incident>, sqlx::Error> {
    select_incidents!("WHERE job_name = $1 AND state <> 'resolved' ORDER BY kind, subject, id FOR UPDATE", job_name)
        .fetch_all(conn)
        .await
}

/// What `run` opened or resolved, in the order of kind and subject.
///
/// # Errors
/// What the database says.
pub async fn touched_by(conn: &mut PgConnection, run: Uuid) -> Result<Vec<Incident>, sqlx::Error> {
    select_incidents!(
        "WHERE id IN (SELECT incident_id FROM incident_events WHERE run_id = $1) ORDER BY kind, subject, id",
        run
    )
    .fetch_all(conn)
    .await
}

/// Writes a new incident. The caller has made sure that no live one has its fingerprint.
///
/// # Errors
/// What the database says.
pub async fn insert(conn: &mut PgConnection, incident: &Incident) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO incidents (id, fingerprint, job_id, job_name, kind, subject, state, severity, title, model_name,
                                model_version, evidence, peak_score, opened_at, last_breach_at, opened_by_run)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        incident.id,
        incident.fingerprint,
        incident.job_id,
        incident.job_name,
        incident.kind,
        incident.subject,
        incident.state,
        incident.severity,
        incident.title,
        incident.model_name,
        incident.model_version,
        incident.evidence.to_json(),
        incident.peak_score,
        incident.opened_at,
        incident.last_breach_at,
        incident.opened_by_run
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what a further breach changed: title, severity, evidence, peak and count.
///
/// # Errors
/// What the database says.
pub async fn update_breach(conn: &mut PgConnection, incident: &Incident) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE incidents SET severity = $2, title = $3, model_name = $4, model_version = $5, evidence = $6,
                              peak_score = $7, breaches = $8, clean = 0, last_breach_at = $9, updated_at = steward_now()
         WHERE id = $1",
        incident.id,
        incident.severity,
        incident.title,
        incident.model_name,
        incident.model_version,
        incident.evidence.to_json(),
        incident.peak_score,
        incident.breaches,
        incident.last_breach_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks an incident as resolved at `at` by `run`.
///
/// # Errors
/// What the database says.
pub async fn resolve(conn: &mut PgConnection, id: Uuid, at: DateTime<Utc>, run: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE incidents SET state = 'resolved', clean = clean + 1, resolved_at = $2, resolved_by_run = $3,
                              updated_at = steward_now()
         WHERE id = $1",
        id,
        at,
        run
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds an entry to the incident's history; `at` none means now.
///
/// # Errors
/// What the database says.
pub async fn add_event(
    conn: &mut PgConnection,
    incident: Uuid,
    kind: &str,
    at: Option<DateTime<Utc>>,
    run: Option<Uuid>,
    actor: Option<&str>,
    detail: Value,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO incident_events (incident_id, kind, at, run_id, actor, detail)
         VALUES ($1, $2, coalesce($3, steward_now()), $4, $5, $6)",
        incident,
        kind,
        at,
        run,
        actor,
        detail
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Acknowledges an open incident; returns whether this call did it (false: it was not open).
///
/// # Errors
/// What the database says.
pub async fn acknowledge(
    conn: &mut PgConnection,
    id: Uuid,
    who: &str,
    note: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE incidents SET state = 'acknowledged', acknowledged_by = $2, acknowledged_at = steward_now(),
                              acknowledge_note = $3, updated_at = steward_now()
         WHERE id = $1 AND state = 'open'",
        id,
        who,
        note
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// One incident.
///
/// # Errors
/// What the database says.
pub async fn get(from: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Incident>, sqlx::Error> {
    select_incidents!("WHERE id = $1", id).fetch_optional(from).await
}

/// Incidents, newest first.
///
/// # Errors
/// What the database says.
pub async fn list(pool: &PgPool, filter: &Filter) -> Result<Vec<Incident>, sqlx::Error> {
    let (after_at, after_id) = filter.after.unzip();
    select_incidents!(
        "WHERE ($1::text IS NULL OR state = $1 OR ($1 = 'live' AND state <> 'resolved'))
           AND ($2::text IS NULL OR job_name = $2)
           AND ($3::timestamptz IS NULL OR opened_at < $3 OR (opened_at = $3 AND id > $4))
         ORDER BY opened_at DESC, id LIMIT $5",
        filter.state.as_deref(),
        filter.job.as_deref(),
        after_at,
        after_id,
        filter.limit
    )
    .fetch_all(pool)
    .await
}

/// The history of an incident, oldest first.
///
/// # Errors
/// What the database says.
pub async fn events(pool: &PgPool, id: Uuid) -> Result<Vec<IncidentEvent>, sqlx::Error> {
    sqlx::query_as!(
        IncidentEvent,
        "SELECT id, kind, at, run_id, actor, detail FROM incident_events WHERE incident_id = $1 ORDER BY id",
        id
    )
    .fetch_all(pool)
    .await
}

/// The ids between two bounds, at most two: enough to tell whether a beginning of an id is unique.
///
/// # Errors
/// What the database says.
pub async fn ids_between(pool: &PgPool, low: Uuid, high: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("SELECT id FROM incidents WHERE id BETWEEN $1 AND $2 ORDER BY id LIMIT 2", low, high)
        .fetch_all(pool)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_keeps_the_order_of_its_labels() {
        let evidence = Evidence {
            score: Some(0.63),
            threshold: Some(0.2),
            labels: vec![("zebra".into(), json!(1)), ("method".into(), json!("ks_test")), ("a".into(), json!(null))],
        };
        assert_eq!(Evidence::from_json(&evidence.to_json()), evidence);
    }
}
