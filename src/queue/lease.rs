//! The leases of this process: who is told to stop, and the heartbeat that keeps them.
//!
//! The heartbeat has a task and a connection of its own, so that neither busy handlers nor an exhausted pool keep it
//! from going out. A lease counts as lost when the database says so, or when the monotonic clock says that its time
//! has passed without a word from the database: then somebody else may have it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::outage::Outage;

/// Why an execution is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Somebody cancelled the run.
    Cancelled,
    /// Its time limit has passed.
    TimeLimit,
    /// Somebody else may have it.
    Lost,
    /// The process ends.
    Released,
}

/// One lease held by this process.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) run_id: Uuid,
    pub(super) fence: i64,
    /// Cancelled when the execution shall stop; [`Lease::reason`] says why.
    pub(super) token: CancellationToken,
    reason: Mutex<Option<Stop>>,
    confirmed: Mutex<Instant>,
}

impl Lease {
    /// Tells the execution to stop; the first reason counts.
    pub(super) fn stop(&self, why: Stop) {
        lock(&self.reason).get_or_insert(why);
        self.token.cancel();
    }

    /// Why it was told to stop.
    pub(super) fn reason(&self) -> Option<Stop> {
        *lock(&self.reason)
    }
}

/// All leases held by this process.
#[derive(Debug, Default)]
pub(super) struct Leases {
    held: Mutex<BTreeMap<(Uuid, i64), Arc<Lease>>>,
}

impl Leases {
    /// Notes a lease that was asked for at `asked`.
    pub(super) fn add(&self, run_id: Uuid, fence: i64, asked: Instant) -> Arc<Lease> {
        let lease = Arc::new(Lease {
            run_id,
            fence,
            token: CancellationToken::new(),
            reason: Mutex::new(None),
            confirmed: Mutex::new(asked),
        });
        lock(&self.held).insert((run_id, fence), Arc::clone(&lease));
        lease
    }

    /// Forgets a lease: its run is done, or somebody else's.
    pub(super) fn remove(&self, lease: &Lease) {
        lock(&self.held).remove(&(lease.run_id, lease.fence));
    }

    /// Tells the execution of a run to stop because somebody cancelled it; nothing when it is not here.
    pub(super) fn cancel(&self, run_id: Uuid) {
        for lease in self.all().iter().filter(|lease| lease.run_id == run_id) {
            lease.stop(Stop::Cancelled);
        }
    }

    /// Tells every execution to stop.
    pub(super) fn stop_all(&self, why: Stop) {
        for lease in self.all() {
            lease.stop(why);
        }
    }

    /// Declares leases lost whose time has passed without confirmation.
    fn expire(&self, ttl: Duration) {
        for lease in self.all() {
            if lock(&lease.confirmed).elapsed() >= ttl {
                lease.stop(Stop::Lost);
            }
        }
    }

    fn all(&self) -> Vec<Arc<Lease>> {
        lock(&self.held).values().cloned().collect()
    }
}

/// Renews all leases every quarter of `ttl` until stopped.
pub(super) async fn heartbeat(pool: PgPool, leases: Arc<Leases>, ttl: Duration, stop: CancellationToken) {
    let mut outage = Outage::new("renewing leases");
    let every = ttl / 4;
    let mut timer = tokio::time::interval(every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = stop.cancelled() => return,
        }
        let held = leases.all();
        if held.is_empty() {
            continue;
        }
        // A connection that hangs (a firewall that drops packets) must not hold up the next beat.
        match tokio::time::timeout(every, renew(&pool, &held, ttl)).await {
            Ok(Ok(())) => {
                outage.worked();
            }
            Ok(Err(error)) => {
                outage.failed(&error);
            }
            Err(_) => {
                outage.failed(&sqlx::Error::PoolTimedOut);
            }
        }
    }
}

/// Declares leases lost by the monotonic clock, also while the heartbeat waits for the database.
pub(super) async fn watch(leases: Arc<Leases>, ttl: Duration, stop: CancellationToken) {
    let mut timer = tokio::time::interval((ttl / 10).min(Duration::from_secs(1)));
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = timer.tick() => leases.expire(ttl),
            () = stop.cancelled() => return,
        }
    }
}

/// One statement for all leases of the process.
///
/// Rows that a result transaction has locked are not waited for (all other leases would expire meanwhile); they count
/// as held as long as they can be seen to be, because whoever has locked them decides within that transaction.
async fn renew(pool: &PgPool, held: &[Arc<Lease>], ttl: Duration) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = held.iter().map(|lease| lease.run_id).collect();
    let fences: Vec<i64> = held.iter().map(|lease| lease.fence).collect();
    let asked = Instant::now();
    let rows = sqlx::query!(
        r#"WITH mine AS (
               SELECT r.id, r.fence, r.cancel_requested
               FROM unnest($1::uuid[], $2::bigint[]) AS l(id, fence)
               JOIN runs r ON r.id = l.id AND r.fence = l.fence AND r.state = 'leased'
           ), free AS (
               SELECT r.id FROM runs r WHERE r.id IN (SELECT id FROM mine) AND r.state = 'leased'
               FOR UPDATE SKIP LOCKED
           ), renewed AS (
               UPDATE runs r SET lease_until = steward_now() + make_interval(secs => $3)
               FROM free, mine
               WHERE r.id = free.id AND r.id = mine.id AND r.fence = mine.fence AND r.state = 'leased'
           )
           SELECT id AS "id!", fence AS "fence!", cancel_requested AS "cancel_requested!" FROM mine"#,
        &ids,
        &fences,
        ttl.as_secs_f64(),
    )
    .fetch_all(pool)
    .await?;
    let confirmed: BTreeMap<(Uuid, i64), bool> =
        rows.into_iter().map(|row| ((row.id, row.fence), row.cancel_requested)).collect();
    for lease in held {
        match confirmed.get(&(lease.run_id, lease.fence)) {
            Some(cancel_requested) => {
                *lock(&lease.confirmed) = asked;
                if *cancel_requested {
                    lease.stop(Stop::Cancelled);
                }
            }
            None => lease.stop(Stop::Lost),
        }
    }
    Ok(())
}

/// A poisoned lock only says that another thread panicked; the data are single values and always whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_lost_when_its_time_passes_without_confirmation() {
        let leases = Leases::default();
        let ttl = Duration::from_millis(50);
        let now = Instant::now();
        let fresh = leases.add(Uuid::from_u128(1), 1, now + Duration::from_secs(60));
        let stale = leases.add(Uuid::from_u128(2), 1, now.checked_sub(ttl).unwrap());
        leases.expire(ttl);
        assert_eq!((fresh.reason(), stale.reason()), (None, Some(Stop::Lost)));
        assert!(stale.token.is_cancelled() && !fresh.token.is_cancelled());
    }

    #[test]
    fn the_first_reason_to_stop_counts() {
        let leases = Leases::default();
        let lease = leases.add(Uuid::from_u128(1), 1, Instant::now());
        leases.cancel(lease.run_id);
        leases.stop_all(Stop::Released);
        assert_eq!(lease.reason(), Some(Stop::Cancelled));
    }

    #[test]
    fn a_run_claimed_again_is_another_lease() {
        let leases = Leases::default();
        let old = leases.add(Uuid::from_u128(1), 1, Instant::now());
        let new = leases.add(Uuid::from_u128(1), 2, Instant::now());
        leases.remove(&old);
        leases.stop_all(Stop::Released);
        assert_eq!((old.reason(), new.reason()), (None, Some(Stop::Released)));
    }
}
