//! What a command left behind that ran runs itself and died: its private queue has no worker and no sender any more.
//!
//! `jobs run --here`, `backfill` and `replay` use queues of their own (`here:`, `backfill:`, `replay:`). Any service adopts
//! what is left there: expired leases and things that nobody has taken for a minute. A replay lives in simulated time, so
//! its leases say nothing; whether it lives is what its lock says.

use sqlx::PgPool;

/// How much was adopted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Runs that ordinary workers go on with.
    pub runs: u64,
    /// Messages that the ordinary sender goes on with.
    pub deliveries: u64,
}

/// Moves orphans to the `default` queue; runs of a dead replay are cancelled instead, because their time has passed.
///
/// # Errors
/// Any error of the database.
pub async fn adopt(pool: &PgPool) -> Result<Adopted, sqlx::Error> {
    let runs = sqlx::query!(
        "UPDATE runs SET queue = 'default'
          WHERE (queue LIKE 'here:%' OR queue LIKE 'backfill:%')
            AND state IN ('waiting_data', 'available', 'leased')
            AND ((state = 'leased' AND lease_until < steward_now())
                 OR (state = 'available' AND greatest(run_after, created_at) < steward_now() - interval '1 minute'))"
    )
    .execute(pool)
    .await?
    .rows_affected();
    let mut deliveries = sqlx::query!(
        "UPDATE deliveries SET queue = 'default'
          WHERE queue LIKE 'here:%'
            AND state IN ('pending', 'leased', 'retry', 'uncertain')
            AND ((state = 'leased' AND lease_until < steward_now())
                 OR (state IN ('pending', 'retry', 'uncertain') AND next_attempt_at < steward_now() - interval '1 minute'))"
    )
    .execute(pool)
    .await?
    .rows_affected();
    if let Some(lock) = super::replays::lock(pool).await? {
        // Taking the lock has cleared what a dead replay left.
        deliveries += lock.handed_over;
        super::replays::unlock(lock).await;
    }
    Ok(Adopted { runs, deliveries })
}
