//! Hearing of new and of cancelled runs at once. Everything works without it, a second later.

use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::lease::Leases;
use super::outage::Outage;

/// A run became available; the payload is its queue. Sent by triggers.
const RUNS: &str = "steward_runs";
/// A leased run was cancelled; the payload is its id.
pub(super) const CANCELS: &str = "steward_cancels";

/// Who is to be told.
pub(super) struct Ear {
    pub(super) pool: PgPool,
    pub(super) queues: Vec<String>,
    pub(super) wake: Arc<Notify>,
    pub(super) leases: Arc<Leases>,
}

impl Ear {
    /// Listens until stopped.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut outage = Outage::new("listening for runs");
        while !stop.is_cancelled() {
            let pause = tokio::select! {
                error = self.listen(&mut outage) => outage.failed(&error),
                () = stop.cancelled() => return,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Listens on a connection of its own (it would block a pool's for ever) until that breaks.
    async fn listen(&self, outage: &mut Outage) -> sqlx::Error {
        let options = (*self.pool.connect_options()).clone();
        let own = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
        let mut listener = match PgListener::connect_with(&own).await {
            Ok(listener) => listener,
            Err(error) => return error,
        };
        if let Err(error) = listener.listen_all([RUNS, CANCELS]).await {
            return error;
        }
        loop {
            outage.worked();
            match listener.try_recv().await {
                Ok(Some(message)) if message.channel() == CANCELS => {
                    if let Ok(run_id) = message.payload().parse::<Uuid>() {
                        self.leases.cancel(run_id);
                    }
                }
                Ok(Some(message)) => {
                    if self.queues.iter().any(|queue| queue == message.payload()) {
                        self.wake.notify_one();
                    }
                }
                // Reconnected: something may have been missed.
                Ok(None) => self.wake.notify_one(),
                Err(error) => return error,
            }
        }
    }
}
