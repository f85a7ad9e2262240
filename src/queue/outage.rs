//! Saying once that the database is away, and once that it is back.

use std::time::Duration;

/// The state of one loop's contact with the database.
#[derive(Debug)]
pub(super) struct Outage {
    what: &'static str,
    failures: u32,
}

impl Outage {
    /// `what` names the loop in the log: "claiming runs".
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, failures: 0 }
    }

    /// Notes a failure and says how long to wait before the next try: 0.1 s doubling to 2 s, so that a restarted
    /// server is found again within a poll or two.
    pub(super) fn failed(&mut self, error: &sqlx::Error) -> Duration {
        if self.failures == 0 {
            tracing::warn!(queue.activity = self.what, %error, "database does not answer; trying again until it does");
        } else {
            tracing::debug!(queue.activity = self.what, %error, "database still does not answer");
        }
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(100)
            .saturating_mul(1 << self.failures.min(5).saturating_sub(1))
            .min(Duration::from_secs(2))
    }

    /// Notes a success; true when it ended an outage.
    pub(super) fn worked(&mut self) -> bool {
        let was_down = self.failures > 0;
        if was_down {
            tracing::info!(queue.activity = self.what, queue.failures = self.failures, "database answers again");
        }
        self.failures = 0;
        was_down
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_up_to_two_seconds_and_starts_over_after_success() {
        let mut outage = Outage::new("testing");
        let waits: Vec<_> = (0..7).map(|_| outage.failed(&sqlx::Error::PoolTimedOut).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 1600, 1600]);
        assert!(outage.worked());
        assert!(!outage.worked());
        assert_eq!(outage.failed(&sqlx::Error::PoolTimedOut).as_millis(), 100);
    }
}
