//! The folder of job files as something that can be wrong: a mistake in it opens an incident, and mending it ends that.
//!
//! The jobs stay as they were meanwhile; whoever declared a job that never ran should hear of it from Steward and not from its
//! silence. Uses `notify`; reads no files itself.

use std::path::Path;

use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::diagnostic::Diagnostic;
use crate::db::pool::begin;
use crate::db::{deliveries, incidents};
use crate::notify::{self, Channels, Evaluation, Finding, FindingStatus, Severity};

/// The kind of the incident.
pub const CONFIG_ERROR: &str = "config_error";
/// The job that its incidents belong to.
pub const JOB: &str = "job-files";

/// Says what is wrong with the folder, or that nothing is any more. Saying the same again changes nothing.
///
/// # Errors
/// Those of the database.
pub async fn tell(
    pool: &PgPool,
    channels: &Channels,
    names: &[String],
    dir: &Path,
    mistakes: &[Diagnostic],
) -> Result<(), notify::Error> {
    let mut tx = begin(pool).await?;
    let run_id = Uuid::new_v4();
    let (now, _) = deliveries::now_and_trace(&mut tx, run_id).await?;
    let last = incidents::lock_evaluations(&mut tx, JOB).await?.map(|(at, _)| at);
    let first = mistakes.first().map(Diagnostic::record);
    let title = match (&first, mistakes.len()) {
        (None, _) => "the job files have no mistakes".to_owned(),
        (Some(first), 1) => format!("a mistake in {}, line {}: {}", first.file, first.line, first.message),
        (Some(first), count) => {
            format!(
                "{count} mistakes in the job files, the first in {}, line {}: {}",
                first.file, first.line, first.message
            )
        }
    };
    let places: Vec<String> = mistakes
        .iter()
        .take(20)
        .map(Diagnostic::record)
        .map(|record| format!("{}:{}:{}: {}", record.file, record.line, record.column, record.message))
        .collect();
    let finding = Finding {
        kind: CONFIG_ERROR,
        subject: dir.display().to_string(),
        status: if mistakes.is_empty() { FindingStatus::Clear } else { FindingStatus::Breach },
        severity: Severity::Warning,
        title,
        score: None,
        threshold: None,
        evidence: json!({ "mistakes": places, "effect": "nothing was applied; the jobs stay as they were", "next": "steward jobs check" }),
    };
    let evaluation = Evaluation {
        run_id,
        job_id: None,
        job_name: JOB.to_owned(),
        job_kind: "jobs".to_owned(),
        model: None,
        at: last.map_or(now, |last| last.max(now)),
        window: None,
        queue: "default".to_owned(),
        channels: names.to_vec(),
        findings: vec![finding],
        complete: false,
        kinds: Vec::new(),
    };
    notify::apply(&mut tx, channels, &evaluation).await?;
    tx.commit().await?;
    Ok(())
}
