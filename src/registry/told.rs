//! What people are told of at once: a promotion past the policy, an artefact that is not what was registered, a version
//! that is used with other bytes.
//!
//! All are incidents of the job `registry:<model>`, so that they are listed, delivered, acknowledged and resolved like any
//! other. A break-glass incident ends when the version leaves the stage that it got into that way.

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Error, Setup};
use crate::db::audit::{self, Actor, Event, Outcome};
use crate::db::incidents;
use crate::db::model_history::HistoryRow;
use crate::db::models::{self, ArtefactRow, ModelVersion};
use crate::notify::{self, Evaluation, Finding, FindingStatus, Severity};

/// The kind of incident of a promotion past the policy.
pub(super) const BREAK_GLASS: &str = "break_glass";
/// The kind of incident of a version that is used with another digest.
const ARTEFACT_CONFLICT: &str = "artefact_conflict";

/// The kind of incident of an artefact that is not what was registered.
const ARTEFACT: &str = "artefact";

/// Opens or resolves an incident of the registry.
async fn tell(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    (name, version): (&str, &str),
    finding: Finding,
    channels: &[String],
) -> Result<(), Error> {
    let job_name = format!("registry:{name}");
    let now = models::moment(conn, name).await?;
    // Evaluations of a job are applied in the order of their times; a clock that was put back must not silence this one.
    let last = incidents::lock_evaluations(conn, &job_name).await?.map(|(at, _)| at);
    let evaluation = Evaluation {
        run_id: Uuid::new_v4(),
        job_id: None,
        job_name,
        job_kind: "registry".to_owned(),
        model: Some((name.to_owned(), Some(version.to_owned()))),
        at: last.map_or(now, |last| last.max(now)),
        window: None,
        queue: "default".to_owned(),
        channels: setup.settings.notify.iter().chain(channels).cloned().collect(),
        findings: vec![finding],
        complete: false,
        kinds: Vec::new(),
    };
    notify::apply(conn, setup.channels, &evaluation).await?;
    Ok(())
}

fn finding(kind: &'static str, subject: String, status: FindingStatus, title: String, evidence: Value) -> Finding {
    Finding { kind, subject, status, severity: Severity::Critical, title, score: None, threshold: None, evidence }
}

/// The subject of a period's break-glass incident: one for each period.
fn period_subject(version: &str, stage: &str, since: chrono::DateTime<chrono::Utc>) -> String {
    format!("{version} in {stage} since {}", since.format("%Y-%m-%dT%H:%M:%S%.6fZ"))
}

/// A version got into a stage past the policy.
pub(super) async fn break_glass(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    version: &ModelVersion,
    stage: &str,
    since: chrono::DateTime<chrono::Utc>,
    evidence: Value,
) -> Result<(), Error> {
    let title = format!(
        "{} {} was put into {stage} past its policy by {}: {}",
        version.model_name,
        version.version,
        evidence["by"].as_str().unwrap_or_default(),
        evidence["reason"].as_str().unwrap_or_default()
    );
    let subject = period_subject(&version.version, stage, since);
    let finding = finding(BREAK_GLASS, subject, FindingStatus::Breach, title, evidence);
    tell(conn, setup, (&version.model_name, &version.version), finding, &[]).await
}

/// A period that began past the policy is over.
pub(super) async fn break_glass_over(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    period: &HistoryRow,
) -> Result<(), Error> {
    let subject = period_subject(&period.version, &period.stage, period.valid_from);
    let title = format!("{} {} has left {}", period.model_name, period.version, period.stage);
    let finding = finding(BREAK_GLASS, subject, FindingStatus::Clear, title, Value::Null);
    tell(conn, setup, (&period.model_name, &period.version), finding, &[]).await
}

/// An artefact was looked at: what is wrong with it is told once, and that it is right again.
pub(super) async fn artefact(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    before: &ModelVersion,
    now: &ArtefactRow,
    channels: &[String],
) -> Result<(), Error> {
    let wrong = |status: &str| matches!(status, "missing" | "mismatch");
    if !wrong(&now.status) && !wrong(&before.artefact_status) {
        return Ok(());
    }
    let subject = format!("{} {}", before.model_name, before.version);
    let detail = now.detail.as_deref().unwrap_or_default();
    let (status, title) = match now.status.as_str() {
        "missing" => (FindingStatus::Breach, format!("the artefact of {subject} is missing: {detail}")),
        "mismatch" => (FindingStatus::Breach, format!("the artefact of {subject} has changed: {detail}")),
        _ => (FindingStatus::Clear, format!("the artefact of {subject} is what was registered")),
    };
    let evidence = json!({ "path": before.model_path, "registered": before.artefact_digest, "stage": before.stage });
    let finding = finding(ARTEFACT, subject, status, title, evidence);
    tell(conn, setup, (&before.model_name, &before.version), finding, channels).await
}

/// What was wrong with the artefact of a deleted version is nobody's problem any more.
pub(super) async fn deleted(conn: &mut PgConnection, setup: Setup<'_>, version: &ModelVersion) -> Result<(), Error> {
    let subject = format!("{} {}", version.model_name, version.version);
    for (kind, subject) in [(ARTEFACT, subject.clone()), (ARTEFACT_CONFLICT, version.version.clone())] {
        let title = format!("{} {} was deleted", version.model_name, version.version);
        let finding = finding(kind, subject, FindingStatus::Clear, title, Value::Null);
        tell(conn, setup, (&version.model_name, &version.version), finding, &[]).await?;
    }
    Ok(())
}

/// A version is used with other bytes than those that are registered.
pub(super) async fn artefact_conflict(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    version: &ModelVersion,
    given: &str,
    actor: &Actor,
) -> Result<(), Error> {
    let registered = version.artefact_digest.as_deref().unwrap_or_default();
    let title = format!(
        "{} {} is used with the artefact {given}, but {registered} is registered",
        version.model_name, version.version
    );
    let evidence = json!({ "used": given, "registered": registered, "by": actor.name });
    let finding = finding(ARTEFACT_CONFLICT, version.version.clone(), FindingStatus::Breach, title, evidence.clone());
    tell(conn, setup, (&version.model_name, &version.version), finding, &[]).await?;
    let subject = version.subject();
    let event = Event {
        actor,
        action: "model.artefact_conflict",
        outcome: Outcome::Done,
        subject_kind: "model",
        subject: &subject,
        detail: evidence,
    };
    audit::append(conn, &event).await?;
    Ok(())
}
