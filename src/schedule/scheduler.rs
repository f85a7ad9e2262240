//! The loop around [`reconcile`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{RunFactory, reconcile};
use crate::clock::SharedClock;
use crate::config::scheduler::SchedulerSettings;

/// Reconciles every `poll_seconds` until `stop` is cancelled. Trouble with the database or with single schedules is
/// logged when it begins and when it ends; it never ends the loop.
pub async fn run_scheduler(
    pool: PgPool,
    clock: SharedClock,
    settings: SchedulerSettings,
    factory: Arc<dyn RunFactory>,
    stop: CancellationToken,
) {
    tracing::info!(scheduler.poll_s = settings.poll_seconds, "scheduler starts");
    let mut away = false;
    let mut broken: BTreeMap<String, String> = BTreeMap::new();
    while !stop.is_cancelled() {
        let pause = match reconcile(&pool, &clock, &settings, factory.as_ref()).await {
            Ok(done) => {
                if std::mem::take(&mut away) {
                    tracing::info!("scheduler reaches the database again");
                }
                if !done.verdicts.is_empty() {
                    tracing::info!(scheduler.verdicts = ?done.verdicts, "ticks decided");
                }
                let failures: BTreeMap<String, String> =
                    done.failures.iter().map(|failure| (failure.job_name.clone(), failure.error.to_string())).collect();
                report(&broken, &failures);
                broken = failures;
                settings.poll()
            }
            Err(error) => {
                if !std::mem::replace(&mut away, true) {
                    tracing::warn!(%error, "scheduler cannot reach the database; trying again until it can");
                }
                settings.poll().max(Duration::from_millis(500))
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
    tracing::info!("scheduler stopped");
}

/// Logs what is newly broken and what is mended.
fn report(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) {
    for (job, error) in now.iter().filter(|(job, error)| before.get(*job) != Some(*error)) {
        tracing::error!(job.name = job, error, "schedule cannot be worked off");
    }
    for job in before.keys().filter(|job| !now.contains_key(*job)) {
        tracing::info!(job.name = job, "schedule is worked off again");
    }
}
