//! `[worker]`: how one process takes and executes runs.
//!
//! Plain values; the defaults live in `config/default.toml`. What they cause is described in `queue`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the queue's worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// Name recorded with every attempt; empty means host name and process id.
    pub name: String,
    /// Queues whose runs this process takes.
    pub queues: Vec<String>,
    /// Runs executed at the same time by one process; at least 1.
    pub concurrency: usize,
    /// Columns of one run that are judged side by side; at least 1.
    pub judge_parallel: usize,
    /// Seconds a claimed run belongs to this process without a heartbeat; at least 1.
    pub lease_seconds: u64,
    /// Longest time between two looks into the queue, in milliseconds; 1 to 1000 keeps the promise of one second.
    pub poll_milliseconds: u64,
    /// Seconds between two searches for expired leases; at least 1.
    pub reap_seconds: u64,
    /// Seconds that running runs may continue after a stop signal before they are given back.
    pub grace_seconds: u64,
    /// Seconds that a cancelled or timed-out run may take to notice before it is abandoned.
    pub cancel_grace_seconds: u64,
    /// Base of the back-off after transient failures, in seconds; 0 retries at once.
    pub retry_base_seconds: u64,
    /// Longest back-off, in seconds.
    pub retry_max_seconds: u64,
    /// Seconds that a run whose data is not there yet sleeps, unless its handler says otherwise.
    pub not_ready_retry_seconds: u64,
    /// Seconds after its creation that a run without a deadline of its own may wait for its data.
    pub not_ready_limit_seconds: u64,
}

impl WorkerSettings {
    /// What is wrong with the values, as `(key, what to do)`; empty when they can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.queues.is_empty() || self.queues.iter().any(String::is_empty) {
            found.push(("worker.queues", "name at least one queue, and no empty name".to_owned()));
        }
        if self.judge_parallel == 0 {
            found.push(("worker.judge_parallel", "must be at least 1".to_owned()));
        }
        if self.concurrency == 0 {
            found.push(("worker.concurrency", "must be at least 1".to_owned()));
        }
        if self.lease_seconds == 0 {
            found.push(("worker.lease_seconds", "must be at least 1".to_owned()));
        }
        if !(1..=1000).contains(&self.poll_milliseconds) {
            found.push(("worker.poll_milliseconds", "must lie between 1 and 1000".to_owned()));
        }
        if self.reap_seconds == 0 {
            found.push(("worker.reap_seconds", "must be at least 1".to_owned()));
        }
        found
    }

    /// How long a lease lasts.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds.max(1))
    }

    /// Longest time between two looks into the queue.
    #[must_use]
    pub fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_milliseconds.clamp(1, 1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        worker: WorkerSettings,
    }

    fn shipped() -> WorkerSettings {
        toml::from_str::<File>(include_str!("../../config/default.toml")).unwrap().worker
    }

    #[test]
    fn shipped_defaults_are_complete_and_usable() {
        let settings = shipped();
        assert!(settings.problems().is_empty());
        assert_eq!(settings.lease(), Duration::from_secs(30));
        assert_eq!(settings.retry_base_seconds, 10);
    }

    #[test]
    fn unusable_values_are_all_named() {
        let settings = WorkerSettings {
            queues: vec![],
            concurrency: 0,
            judge_parallel: 0,
            lease_seconds: 0,
            poll_milliseconds: 5000,
            reap_seconds: 0,
            ..shipped()
        };
        let keys: Vec<_> = settings.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "worker.queues",
                "worker.judge_parallel",
                "worker.concurrency",
                "worker.lease_seconds",
                "worker.poll_milliseconds",
                "worker.reap_seconds"
            ]
        );
    }
}
