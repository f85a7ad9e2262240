//! Taking due runs: exactly as many as can start at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Run;
use super::lease::{Lease, Leases};
use super::outage::Outage;

/// A run with its lease and the slot it occupies until it is done.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) run: Run,
    pub(super) lease: Arc<Lease>,
    pub(super) slot: OwnedSemaphorePermit,
}

/// One boot of a worker, as it is written into rows.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) id: Uuid,
    pub(super) name: String,
}

/// Claims up to `limit` runs of one queue, in the order in which they shall start.
pub(super) async fn claim(
    pool: &PgPool,
    queue: &str,
    limit: i64,
    owner: &Identity,
    lease: Duration,
) -> Result<Vec<Run>, sqlx::Error> {
    let mut runs =
        sqlx::query_file_as!(Run, "src/queue/claim.sql", queue, limit, owner.id, owner.name, lease.as_secs_f64())
            .fetch_all(pool)
            .await?;
    runs.sort_by(|a, b| (a.priority, a.run_after, a.id).cmp(&(b.priority, b.run_after, b.id)));
    Ok(runs)
}

/// The loop that feeds the worker.
pub(super) struct Claimer {
    pub(super) pool: PgPool,
    pub(super) queues: Vec<String>,
    pub(super) owner: Identity,
    pub(super) lease: Duration,
    pub(super) poll: Duration,
    pub(super) slots: Arc<Semaphore>,
    pub(super) leases: Arc<Leases>,
    pub(super) wake: Arc<Notify>,
    pub(super) stop: CancellationToken,
}

impl Claimer {
    /// Claims until stopped. Its statements are never dropped half way, so that no lease exists that nobody knows of.
    pub(super) async fn run(self, out: mpsc::UnboundedSender<Claimed>) {
        let mut outage = Outage::new("claiming runs");
        let mut first_queue = 0;
        let mut rounds: u32 = 0;
        while !self.stop.is_cancelled() {
            let Some(mut slots) = self.free_slots().await else { break };
            let pause = match self.round(&mut slots, first_queue, &out).await {
                Ok(0) => {
                    outage.worked();
                    Some(self.idle(rounds))
                }
                Ok(_) => {
                    outage.worked();
                    None
                }
                Err(error) => Some(outage.failed(&error)),
            };
            drop(slots);
            first_queue = (first_queue + 1) % self.queues.len().max(1);
            rounds = rounds.wrapping_add(1);
            if let Some(pause) = pause {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.wake.notified() => {}
                    () = self.stop.cancelled() => break,
                }
            }
        }
    }

    /// Waits for a free slot and takes all that are free; none when stopped.
    async fn free_slots(&self) -> Option<Vec<OwnedSemaphorePermit>> {
        let first = tokio::select! {
            slot = Arc::clone(&self.slots).acquire_owned() => slot.ok()?,
            () = self.stop.cancelled() => return None,
        };
        let mut slots = vec![first];
        while let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            slots.push(slot);
        }
        Some(slots)
    }

    /// Asks each queue once, beginning with another one each time so that none starves; how many runs were claimed.
    async fn round(
        &self,
        slots: &mut Vec<OwnedSemaphorePermit>,
        first_queue: usize,
        out: &mpsc::UnboundedSender<Claimed>,
    ) -> Result<usize, sqlx::Error> {
        let mut claimed = 0;
        for offset in 0..self.queues.len() {
            if slots.is_empty() {
                break;
            }
            let queue = &self.queues[(first_queue + offset) % self.queues.len()];
            // Read before the statement is sent: the lease cannot end earlier than this says.
            let asked = Instant::now();
            let limit = i64::try_from(slots.len()).unwrap_or(i64::MAX);
            for run in claim(&self.pool, queue, limit, &self.owner, self.lease).await? {
                let Some(slot) = slots.pop() else { break };
                let lease = self.leases.add(run.id, run.fence, asked);
                claimed += 1;
                // The receiver lives as long as the worker; afterwards everything leased is given back anyway.
                let _ = out.send(Claimed { run, lease, slot });
            }
        }
        Ok(claimed)
    }

    /// Half to all of the poll interval: the workers of a fleet do not ask at the same instant.
    fn idle(&self, round: u32) -> Duration {
        let n = i32::try_from(round % 1024).unwrap_or(0);
        super::backoff(self.poll, self.poll, self.owner.id, n + 1)
    }
}
