//! Taking runs back from workers that stopped answering. Any process does it for any other.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::finish::{self, Ending};
use super::outage::Outage;
use super::{Handler, backoff};
use crate::config::worker::WorkerSettings;

/// Runs looked at in one pass: a mass extinction is worked off without one long transaction.
const BATCH: i64 = 100;

/// What a pass takes back with.
pub(super) struct Reaper {
    pub(super) pool: PgPool,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) queues: Vec<String>,
    pub(super) settings: WorkerSettings,
}

impl Reaper {
    /// Looks for expired leases until stopped.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut outage = Outage::new("looking for expired leases");
        let every = Duration::from_secs(self.settings.reap_seconds.max(1));
        let mut pause = every;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
            pause = match self.pass(outage.worked()).await {
                Ok(_) => every,
                Err(error) => outage.failed(&error).max(Duration::from_millis(500)),
            };
        }
    }

    /// Takes back what has expired; how many runs that were.
    ///
    /// After an outage the leases of healthy workers have expired too, because nobody could renew them. They get half
    /// a lease to say so before they are called dead.
    async fn pass(&self, after_outage: bool) -> Result<usize, sqlx::Error> {
        if after_outage {
            sqlx::query!("SELECT 1 AS one").fetch_one(&self.pool).await?;
            tokio::time::sleep(self.settings.lease() / 2).await;
        }
        let expired = sqlx::query!(
            "SELECT id, fence FROM runs
             WHERE state = 'leased' AND lease_until <= steward_now() AND queue = ANY($1)
             ORDER BY lease_until LIMIT $2",
            &self.queues,
            BATCH,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut taken = 0;
        for row in expired {
            if self.take_back(row.id, row.fence).await? {
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// One run, in its own transaction: a reaction that fails keeps no other run waiting.
    async fn take_back(&self, id: uuid::Uuid, fence: i64) -> Result<bool, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        let held = sqlx::query!(
            "SELECT crash_count, max_crashes, lease_owner FROM runs
             WHERE id = $1 AND fence = $2 AND state = 'leased' AND lease_until <= steward_now()
             FOR UPDATE SKIP LOCKED",
            id,
            fence,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(held) = held else { return Ok(false) };
        let crashes = held.crash_count + 1;
        let owner = held.lease_owner.unwrap_or_default();
        let ending = if crashes >= held.max_crashes {
            Ending::last("poisoned", "crashed").because(
                "poisoned",
                format!("{crashes} workers died or froze while executing it, the last was {owner}"),
            )
        } else {
            let base = Duration::from_secs(self.settings.retry_base_seconds);
            let longest = Duration::from_secs(self.settings.retry_max_seconds);
            Ending::again("crashed", Some(backoff(base, longest, id, crashes)))
                .because("crashed", format!("worker {owner} stopped answering"))
        };
        let ending = Ending { counts_crash: true, ..ending };
        let Some(state) = finish::settle(&mut tx, id, fence, &ending).await? else { return Ok(false) };
        finish::react(&mut tx, self.handler.as_ref(), id, &state, &ending).await?;
        tx.commit().await?;
        tracing::warn!(run.id = %id, run.crashes = crashes, run.state = state, worker.id = %owner, "lease expired; run taken back");
        Ok(true)
    }
}
