//! One execution: the handler on a task of its own, watched, and its end written down.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use super::claim::Claimed;
use super::finish::{self, Ending};
use super::lease::{Lease, Leases, Stop};
use super::outage::Outage;
use super::{Handler, JobError, JobErrorKind, Run, RunContext, backoff};
use crate::clock::SharedClock;
use crate::config::worker::WorkerSettings;

/// How often writing down the end may fail for another reason than the database being away.
const TRIES_WITH_HOOK: u32 = 4;

/// What every execution of a process shares.
pub(super) struct Executor {
    pub(super) pool: PgPool,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) leases: Arc<Leases>,
    pub(super) settings: WorkerSettings,
    pub(super) clock: SharedClock,
    pub(super) worker_id: Uuid,
    /// Cancelled when the process cannot wait any longer: what is not written down now is given back.
    pub(super) abandon: CancellationToken,
}

/// How the handler's task ended.
enum End {
    /// The handler has committed its results.
    Committed,
    /// It said why not.
    Failed(JobError),
    /// It was told to stop, and did or was abandoned.
    Stopped(Stop),
}

impl Executor {
    /// Executes one claimed run to its end; keeps its slot until then.
    pub(super) async fn execute(&self, claimed: Claimed) {
        let Claimed { run, lease, slot } = claimed;
        let context = RunContext { cancel: lease.token.clone(), worker_id: self.worker_id, clock: self.clock.clone() };
        let handler = Arc::clone(&self.handler);
        let given = run.clone();
        let span = tracing::info_span!("run", run.id = %run.id, traceparent = run.traceparent);
        let work = tokio::spawn(async move { handler.handle(given, context).await }.instrument(span));
        match self.watch(&run, &lease, work).await {
            End::Committed => {}
            End::Failed(error) => self.failed(&run, &error).await,
            End::Stopped(why) => self.stopped(&run, why).await,
        }
        self.leases.remove(&lease);
        drop(slot);
    }

    /// Waits for the handler, its time limit, or a reason to stop.
    async fn watch(&self, run: &Run, lease: &Lease, mut work: JoinHandle<Result<(), JobError>>) -> End {
        let limit = Duration::from_secs(u64::try_from(run.time_limit_seconds).unwrap_or(1));
        tokio::select! {
            biased;
            result = &mut work => return match (ended(result), lease.reason()) {
                // It heard of the stop before we did; its error is only the way it stopped.
                (End::Failed(_), Some(why)) => End::Stopped(why),
                (end, _) => end,
            },
            () = lease.token.cancelled() => {}
            () = tokio::time::sleep(limit) => lease.stop(Stop::TimeLimit),
        }
        let why = lease.reason().unwrap_or(Stop::Released);
        let grace = Duration::from_secs(self.settings.cancel_grace_seconds);
        match tokio::time::timeout(grace, &mut work).await {
            Ok(Ok(Ok(()))) => End::Committed,
            Ok(_) => End::Stopped(why),
            Err(_) => {
                // Its transaction, if any, rolls back; blocking work goes on without effect until it ends by itself.
                work.abort();
                tracing::warn!(run.id = %run.id, run.reason = ?why, run.grace_s = grace.as_secs(), "run did not stop in time; abandoned");
                End::Stopped(why)
            }
        }
    }

    /// Writes down a failure that the handler reported.
    async fn failed(&self, run: &Run, error: &JobError) {
        tracing::warn!(run.id = %run.id, run.job = %run.job_name, run.attempt = run.attempt + 1, error.code, error.message = %error, "run failed");
        let fail = || Ending::last("failed", "failed").burning();
        let ending = match error.kind {
            JobErrorKind::Permanent => fail(),
            JobErrorKind::Transient if run.attempt + 1 >= run.max_attempts => fail(),
            JobErrorKind::Transient => {
                let base = Duration::from_secs(self.settings.retry_base_seconds);
                let longest = Duration::from_secs(self.settings.retry_max_seconds);
                Ending::again("retried", Some(backoff(base, longest, run.id, run.attempt + 1))).burning()
            }
            JobErrorKind::NotReady { retry_in } => {
                let pause = retry_in.unwrap_or(Duration::from_secs(self.settings.not_ready_retry_seconds));
                let limit = i64::try_from(self.settings.not_ready_limit_seconds).unwrap_or(i64::MAX / 1000);
                let deadline = run.deadline.unwrap_or(run.created_at + chrono::Duration::seconds(limit));
                let snooze = Ending { not_after: Some(deadline), ..Ending::again("snoozed", Some(pause)) };
                // The database says whether the deadline has passed: `last` replaces a snooze after it.
                return self.write(run, snooze.because(error.code, &error.message), Some((deadline, fail()))).await;
            }
        };
        self.write(run, ending.because(error.code, &error.message), None).await;
    }

    /// Writes down that an execution was told to stop.
    async fn stopped(&self, run: &Run, why: Stop) {
        let ending = match why {
            Stop::Cancelled => Ending::last("cancelled", "cancelled").because("cancelled", "cancelled on request"),
            Stop::TimeLimit => Ending::last("timed_out", "timed_out").burning().because(
                "timed_out",
                format!("exceeded its time limit of {} s: raise `time_limit` or read less", run.time_limit_seconds),
            ),
            // After an outage nobody else may have noticed; then the run is given back unharmed.
            Stop::Lost | Stop::Released => Ending::again("released", None),
        };
        self.write(run, ending, None).await;
    }

    /// Writes until it is written, the lease turns out to have passed on, or the process cannot wait.
    async fn write(&self, run: &Run, mut ending: Ending, after: Option<(chrono::DateTime<chrono::Utc>, Ending)>) {
        let mut outage = Outage::new("ending a run");
        let mut refused = 0;
        let mut hook = true;
        loop {
            let result = async {
                if let Some((deadline, instead)) = &after
                    && self.passed(*deadline).await?
                {
                    ending = Ending { error: ending.error.clone(), code: ending.code.clone(), ..instead.clone() };
                }
                finish::end(&self.pool, self.handler.as_ref(), run, &ending, hook).await
            }
            .await;
            let error = match result {
                Ok(Some(state)) => {
                    outage.worked();
                    tracing::debug!(run.id = %run.id, run.state = state, "run ended");
                    return;
                }
                Ok(None) => match finish::fenced_out(&self.pool, run).await {
                    Ok(noted) => {
                        if noted {
                            tracing::warn!(run.id = %run.id, run.fence = run.fence, "run was fenced out: its lease had passed on");
                        }
                        return;
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            if matches!(&error, sqlx::Error::Database(refusal) if !transient(refusal.code().as_deref())) {
                refused += 1;
                if refused == TRIES_WITH_HOOK {
                    tracing::error!(run.id = %run.id, %error, "reaction to a failed run was refused; the run ends without it");
                    hook = false;
                } else if refused > 2 * TRIES_WITH_HOOK {
                    tracing::error!(run.id = %run.id, %error, "end of a run was refused; its lease will expire");
                    return;
                }
            }
            let pause = outage.failed(&error);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.abandon.cancelled() => return,
            }
        }
    }

    async fn passed(&self, deadline: chrono::DateTime<chrono::Utc>) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar!(r#"SELECT (steward_now() >= $1) AS "passed!""#, deadline).fetch_one(&self.pool).await
    }
}

/// Whether a server's refusal may go away by itself: connection trouble, roll-backs, no resources, shutting down.
fn transient(code: Option<&str>) -> bool {
    code.is_some_and(|code| ["08", "40", "53", "55", "57"].iter().any(|class| code.starts_with(class)))
}

fn ended(result: Result<Result<(), JobError>, tokio::task::JoinError>) -> End {
    match result {
        Ok(Ok(())) => End::Committed,
        Ok(Err(error)) => End::Failed(error),
        Err(error) if error.is_panic() => {
            let payload = error.into_panic();
            let text = payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".to_owned());
            End::Failed(JobError::transient("panic", format!("panicked: {text}")))
        }
        // Only a runtime that shuts down cancels tasks that we have not aborted.
        Err(_) => End::Stopped(Stop::Released),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraint_violations_do_not_go_away_and_shutdowns_do() {
        assert!(transient(Some("57P01")) && transient(Some("40P01")) && transient(Some("53100")));
        assert!(!transient(Some("23505")) && !transient(Some("42703")) && !transient(None));
    }
}
