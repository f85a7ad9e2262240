//! `[scheduler]`: how ticks become runs.
//!
//! Plain values; the defaults live in `config/default.toml`. What they cause is described in `schedule`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the scheduler.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchedulerSettings {
    /// Longest time between two looks at the schedules, in seconds; at least 1.
    pub poll_seconds: u64,
    /// Most ticks that `catch_up = "all"` makes up for in one go; older ones are recorded as missed.
    pub catch_up_cap: usize,
    /// With `catch_up = "none"`: seconds that a tick may be late and still be fired.
    pub on_time_seconds: u64,
}

impl SchedulerSettings {
    /// What is wrong with the values, as `(key, what to do)`; empty when they can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.poll_seconds == 0 {
            found.push(("scheduler.poll_seconds", "must be at least 1".to_owned()));
        }
        if self.catch_up_cap == 0 {
            found.push(("scheduler.catch_up_cap", "must be at least 1".to_owned()));
        }
        if self.on_time_seconds < self.poll_seconds {
            found.push(("scheduler.on_time_seconds", "must not be below scheduler.poll_seconds".to_owned()));
        }
        found
    }

    /// Longest time between two looks at the schedules.
    #[must_use]
    pub fn poll(&self) -> Duration {
        Duration::from_secs(self.poll_seconds.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        scheduler: SchedulerSettings,
    }

    #[test]
    fn shipped_defaults_are_complete_and_usable() {
        let file: File = toml::from_str(include_str!("../../config/default.toml")).unwrap();
        assert!(file.scheduler.problems().is_empty());
    }

    #[test]
    fn a_tick_is_not_late_just_because_the_scheduler_slept() {
        let settings = SchedulerSettings { poll_seconds: 10, catch_up_cap: 0, on_time_seconds: 5 };
        let keys: Vec<_> = settings.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["scheduler.catch_up_cap", "scheduler.on_time_seconds"]);
    }
}
