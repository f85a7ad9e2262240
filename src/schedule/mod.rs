//! Stand-in for the schedule's own module, to be replaced when the parts meet: only what `jobs` calls.

/// A schedule with its policies, as a job declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// Cron expression.
    pub cron: String,
    /// IANA time zone.
    pub timezone: String,
    /// `skip`, `queue_one`, `queue_all`, `cancel_running` or `allow`.
    pub overlap: String,
    /// `latest`, `all` or `none`.
    pub catch_up: String,
    /// How old a missed tick may be, in seconds.
    pub catch_up_window_seconds: i64,
    /// Runs start up to so many seconds after their tick.
    pub jitter_seconds: i64,
}
