//! The run that verifies one version's artefact: right after its registration, and when it is too large for whoever asks.
//!
//! The registry knows no jobs, so whoever registers puts the run into the queue, in the same transaction: a registered
//! version and the run that verifies it are there together or not at all.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::document::{ArtefactSpec, DataSpec, JobDocument, ModelRef};
use super::ticks::{self, Occasion};
use crate::db::audit::Actor;
use crate::queue::{self, RunFilter, State, Trigger};
use crate::registry::ModelVersion;
use crate::schedule::{CatchUp, Overlap};

/// Puts the run into the queue and answers its id; none when there is nothing to verify.
///
/// # Errors
/// Those of the queue.
pub async fn submit_verification(
    conn: &mut PgConnection,
    version: &ModelVersion,
    actor: &Actor,
) -> Result<Option<Uuid>, queue::Error> {
    if version.artefact_status != "pending" {
        return Ok(None);
    }
    submit(conn, version, actor).await
}

/// The run that looks at the version's artefact next: one that waits or works already, or a new one.
///
/// # Errors
/// Those of the queue.
pub async fn verification_of(
    pool: &PgPool,
    version: &ModelVersion,
    actor: &Actor,
) -> Result<Option<Uuid>, queue::Error> {
    let filter = RunFilter {
        states: vec![State::WaitingData, State::Available, State::Leased],
        job_name: Some(name(version)),
        ..RunFilter::default()
    };
    if let Some(run) = queue::list(pool, &filter, 1).await?.runs.first() {
        return Ok(Some(run.id));
    }
    let mut conn = pool.acquire().await?;
    submit(&mut conn, version, actor).await
}

async fn submit(conn: &mut PgConnection, version: &ModelVersion, actor: &Actor) -> Result<Option<Uuid>, queue::Error> {
    let document = document(version);
    let occasion = Occasion {
        trigger: Trigger::Adhoc,
        queue: "default".to_owned(),
        tick: None,
        previous: None,
        window: None,
        notifies: true,
        submitted_by: Some(actor.name.clone()),
        idempotency_key: None,
    };
    // Without a tick there is no window that could fail to resolve.
    let Ok(run) = ticks::new_run(None, &document, &occasion) else { return Ok(None) };
    queue::enqueue(conn, &run).await.map(|run| Some(run.id))
}

fn name(version: &ModelVersion) -> String {
    format!("artefact:{}", version.subject())
}

fn document(version: &ModelVersion) -> JobDocument {
    JobDocument {
        name: name(version),
        description: Some(format!("verifies the artefact of {}", version.subject())),
        owner: None,
        kind: "artefact".to_owned(),
        schedule: None,
        timezone: "UTC".to_owned(),
        model: Some(ModelRef { name: version.model_name.clone(), version: Some(version.version.clone()), stage: None }),
        notify: Vec::new(),
        overlap: Overlap::default(),
        catch_up: CatchUp::default(),
        catch_up_window_seconds: 0,
        jitter_seconds: 0,
        max_attempts: 5,
        time_limit_seconds: 3600,
        wait_for_seconds: None,
        data: DataSpec::default(),
        drift: None,
        metrics: None,
        ab_test: None,
        artefact: Some(ArtefactSpec::default()),
    }
}
