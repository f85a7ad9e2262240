//! Runs a run: resolves what it means, evaluates it, and commits everything it found in one transaction.
//!
//! This is the queue's handler. What holds: result rows, incident changes, outbox deliveries and the run's own completion
//! are one transaction guarded by the run's fence, so an evaluation may happen twice and its effects cannot. Data that is
//! missing or unreadable is an outcome with an incident of its own; a service that cannot be reached is retried.
//! It judges nothing itself (see `kinds` and `judging`).

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use crate::clock::SharedClock;
use crate::config::Settings;
use crate::db::audit::Actor;
use crate::db::pool::begin;
use crate::db::{ab_tests, results};
use crate::jobs::document::JobDocument;
use crate::jobs::evaluation::{Context, Evaluated, Rows};
use crate::jobs::{kinds, trail};
use crate::notify::{self, Channels, Evaluation, Finding, FindingStatus, Severity};
use crate::queue::{self, Completion, Handler, JobError, Run, RunContext};
use crate::registry::{self, Wanted};
use crate::storage::Storage;

/// Kinds of finding that concern a run as a whole rather than one of its columns or metrics.
const INPUT_KINDS: [&str; 3] = ["no_data", "corrupt_input", "run_failed"];

/// The queue's handler.
#[derive(Clone)]
pub struct Runner {
    /// Settings of the process.
    pub settings: Arc<Settings>,
    /// Where results go.
    pub pool: PgPool,
    /// The time.
    pub clock: SharedClock,
    /// Where datasets come from.
    pub storage: Storage,
    /// Whom to tell.
    pub channels: Channels,
}

#[async_trait]
impl Handler for Runner {
    async fn handle(&self, run: Run, context: RunContext) -> Result<(), JobError> {
        let document: JobDocument = serde_json::from_value(run.document.clone())
            .map_err(|e| JobError::permanent("invalid_document", format!("the run's document cannot be read: {e}")))?;
        let kind = kinds::kind(&document.kind).ok_or_else(|| {
            JobError::permanent("invalid_document", format!("there is no job kind `{}`", document.kind))
        })?;
        let mut conn = self.pool.acquire().await.map_err(database)?;
        let model = self.resolve_model(&mut conn, &run, &document).await?;
        drop(conn);

        let evaluation_context = Context {
            settings: self.settings.clone(),
            storage: self.storage.clone(),
            pool: self.pool.clone(),
            clock: self.clock.clone(),
            cancel: context.cancel.clone(),
            window: run.window_start.zip(run.window_end),
            run: run.clone(),
            is_stored: true,
            model: model.clone(),
        };
        let evaluated = tokio::select! {
            evaluated = kind.evaluate(&document, &evaluation_context) => evaluated?,
            () = context.cancel.cancelled() => return Err(JobError::transient("cancelled", "stopped while it was evaluated")),
        };
        self.commit(&run, &document, model, evaluated).await
    }

    async fn terminal(
        &self,
        conn: &mut PgConnection,
        run: &Run,
        state: &str,
        error: &str,
        code: &str,
    ) -> Result<(), sqlx::Error> {
        if !run.notifies || state == "cancelled" {
            return Ok(());
        }
        let Ok(document) = serde_json::from_value::<JobDocument>(run.document.clone()) else {
            return Ok(());
        };
        let finding = Finding {
            kind: "run_failed",
            subject: "run".to_owned(),
            status: FindingStatus::Breach,
            severity: Severity::Critical,
            title: format!("run {}: {error}", state.replace('_', " ")),
            score: None,
            threshold: None,
            evidence: json!({ "state": state, "code": code, "error": error, "attempts": run.attempt, "crashes": run.crash_count }),
        };
        let evaluation = Evaluation { findings: vec![finding], ..self.evaluation(run, &document, None) };
        match notify::apply(conn, &self.channels, &evaluation).await {
            Ok(changes) => trail::incidents(conn, run, &changes).await,
            Err(error) => Err(error.into_sqlx()),
        }
    }
}

impl Runner {
    async fn resolve_model(
        &self,
        conn: &mut PgConnection,
        run: &Run,
        document: &JobDocument,
    ) -> Result<Option<(String, String)>, JobError> {
        let setup = registry::Setup { settings: &self.settings.registry, channels: &self.channels };
        // Whoever asked for the run is the one who registers a version through it, or they could approve their own.
        let creator = match &run.submitted_by {
            Some(name) => Actor { name: name.clone(), ..Actor::system("worker") },
            None => Actor::system("worker"),
        };
        let auto = self.settings.enable_model_registry.then_some(&creator);
        if let Some(ab) = &document.ab_test {
            // A test is about its two arms; which version is in production does not matter to it.
            for arm in [&ab.control, &ab.treatment] {
                if let Some(name) = arm.model.as_ref().or(document.model.as_ref().map(|m| &m.name)) {
                    registry::resolve(conn, setup, name, Wanted::Version(&arm.version), auto).await.map_err(unknown)?;
                }
            }
            return Ok(None);
        }
        // A job about artefacts names a model to narrow what it looks at, if it names one at all.
        if document.artefact.is_some() {
            return Ok(None);
        }
        let Some(model) = &document.model else { return Ok(None) };
        let wanted = match (&model.version, &model.stage) {
            (Some(version), _) => Wanted::Version(version),
            (None, Some(stage)) => Wanted::Stage(stage),
            (None, None) => Wanted::Stage("production"),
        };
        let version = registry::resolve(conn, setup, &model.name, wanted, auto).await.map_err(unknown)?;
        Ok(Some((model.name.clone(), version)))
    }

    fn evaluation(&self, run: &Run, document: &JobDocument, model: Option<(String, String)>) -> Evaluation {
        Evaluation {
            run_id: run.id,
            job_id: run.job_id,
            job_name: run.job_name.clone(),
            job_kind: run.kind.clone(),
            model: model
                .map(|(name, version)| (name, Some(version)))
                .or_else(|| document.model.as_ref().map(|m| (m.name.clone(), m.version.clone()))),
            at: run.tick_at.unwrap_or_else(|| self.clock.now()),
            window: run.window_start.zip(run.window_end),
            queue: run.queue.clone(),
            channels: document.notify.clone(),
            findings: Vec::new(),
            complete: false,
            kinds: Vec::new(),
        }
    }

    /// The one transaction.
    async fn commit(
        &self,
        run: &Run,
        document: &JobDocument,
        model: Option<(String, String)>,
        mut evaluated: Evaluated,
    ) -> Result<(), JobError> {
        let mut tx = begin(&self.pool).await.map_err(database)?;
        let completion = Completion {
            outcome: evaluated.outcome.clone(),
            summary: evaluated.summary.clone(),
            bytes_read: Some(i64::try_from(evaluated.bytes_read).unwrap_or(i64::MAX)),
            peak_memory: peak_memory_bytes(),
        };
        queue::complete(&mut tx, run.id, run.fence, &completion).await?;

        let origin = results::Origin {
            run_id: run.id,
            model_name: model.as_ref().map(|m| m.0.clone()),
            model_version: model.as_ref().map(|m| m.1.clone()),
            window: run.window_start.zip(run.window_end),
        };
        match &evaluated.rows {
            Rows::None | Rows::Artefacts(_) => {}
            Rows::Drift(rows) => results::insert_drift(&mut tx, &origin, rows).await.map_err(database)?,
            Rows::Metrics(rows) => results::insert_metrics(&mut tx, &origin, rows).await.map_err(database)?,
            Rows::Look { plan, look, decided, concluded } => {
                let test = ab_tests::ensure(&mut tx, plan).await.map_err(database)?;
                let look = ab_tests::LookRow { look: test.looks + 1, ..(**look).clone() };
                ab_tests::record_look(&mut tx, test.id, &look, *decided, *concluded).await.map_err(database)?;
            }
        }
        let mut changes = notify::Changes::default();
        if run.notifies {
            let input_findings = std::mem::take(&mut evaluated.findings);
            let findings = with_clear_inputs(input_findings);
            let evaluation = Evaluation {
                findings,
                complete: !evaluated.complete_kinds.is_empty(),
                kinds: evaluated.complete_kinds.clone(),
                ..self.evaluation(run, document, model.clone())
            };
            changes = notify::apply(&mut tx, &self.channels, &evaluation).await.map_err(|e| database(e.into_sqlx()))?;
            let live = changes.opened.iter().chain(&changes.continuing);
            let live: Vec<_> = live.map(|incident| (incident.subject.as_str(), incident.id)).collect();
            if let (Rows::Drift(rows), false) = (&evaluated.rows, live.is_empty()) {
                results::link_incidents(&mut tx, run.id, rows, &live).await.map_err(database)?;
            }
        }
        // Last, because it ends with the audit trail, whose head is locked until the commit.
        if let Rows::Artefacts(looks) = &evaluated.rows {
            let setup = registry::Setup { settings: &self.settings.registry, channels: &self.channels };
            let worker = Actor::system("worker");
            registry::artefact::record(&mut tx, setup, looks, &document.notify, run.notifies, &worker)
                .await
                .map_err(unknown)?;
        }
        if let (Rows::Metrics(rows), Some(model)) = (&evaluated.rows, &model) {
            trail::metrics(&mut tx, run, model, rows).await.map_err(database)?;
        }
        trail::incidents(&mut tx, run, &changes).await.map_err(database)?;
        tx.commit().await.map_err(database)
    }
}

/// A run that got as far as this has found its inputs, so whatever was wrong with them before is over.
fn with_clear_inputs(mut findings: Vec<Finding>) -> Vec<Finding> {
    let present: BTreeMap<&str, ()> = findings.iter().map(|f| (f.kind, ())).collect();
    let clear: Vec<Finding> = INPUT_KINDS
        .into_iter()
        .filter(|kind| !present.contains_key(kind))
        .map(|kind| Finding {
            kind,
            subject: if kind == "run_failed" { "run" } else { "input" }.to_owned(),
            status: FindingStatus::Clear,
            severity: Severity::Info,
            title: match kind {
                "no_data" => "the data is there again",
                "corrupt_input" => "the data can be read again",
                _ => "the job runs again",
            }
            .to_owned(),
            score: None,
            threshold: None,
            evidence: json!({}),
        })
        .collect();
    findings.extend(clear);
    findings
}

/// An outage of the database is not the job's fault: the run sleeps and burns no attempt.
fn database(error: sqlx::Error) -> JobError {
    JobError::from(error)
}

fn unknown(error: registry::Error) -> JobError {
    match error {
        registry::Error::Database(error) => database(error),
        registry::Error::Notify(error) => database(error.into_sqlx()),
        other => JobError::permanent("unknown_model", other.to_string()),
    }
}

/// The process's high-water mark of resident memory, where the system tells it.
fn peak_memory_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kilobytes: i64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
