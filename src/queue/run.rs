//! The rows: a run, an attempt at it, and what is given to make one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a run exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A tick of its job's schedule.
    Schedule,
    /// A person ran the job by hand.
    Manual,
    /// A document that is no job.
    Adhoc,
    /// A past window, made up for by hand.
    Backfill,
    /// A replay of past data.
    Replay,
    /// A finished run repeated by hand.
    Retry,
}

impl Trigger {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
            Self::Adhoc => "adhoc",
            Self::Backfill => "backfill",
            Self::Replay => "replay",
            Self::Retry => "retry",
        }
    }
}

/// Where a run is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its data is not there yet.
    WaitingData,
    /// May be claimed from `run_after` on.
    Available,
    /// A worker holds it.
    Leased,
    /// Its results are committed.
    Succeeded,
    /// It will not be tried again.
    Failed,
    /// It exceeded its time limit.
    TimedOut,
    /// Somebody cancelled it.
    Cancelled,
    /// Its workers died too often.
    Poisoned,
}

impl State {
    /// Every state, in the order of a run's life.
    pub const ALL: [Self; 8] = [
        Self::WaitingData,
        Self::Available,
        Self::Leased,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Poisoned,
    ];

    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WaitingData => "waiting_data",
            Self::Available => "available",
            Self::Leased => "leased",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Poisoned => "poisoned",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether a run in this state never changes again.
    #[must_use]
    pub fn is_finished(self) -> bool {
        !matches!(self, Self::WaitingData | Self::Available | Self::Leased)
    }
}

/// A run to be enqueued.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The job it belongs to; none for an ad-hoc document.
    pub job_id: Option<Uuid>,
    /// Name shown to people.
    pub job_name: String,
    /// What the handler dispatches on.
    pub kind: String,
    /// What is to be done; frozen from now on.
    pub document: serde_json::Value,
    /// The queue whose workers may take it.
    pub queue: String,
    /// Smaller is earlier; 100 is usual.
    pub priority: i16,
    /// Why it exists.
    pub trigger: Trigger,
    /// Whether it may open and close incidents.
    pub notifies: bool,
    /// The tick it stands for.
    pub tick_at: Option<DateTime<Utc>>,
    /// The data window, half open.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// A second run with the same key and document is the same run.
    pub idempotency_key: Option<String>,
    /// The run that this one repeats.
    pub parent_id: Option<Uuid>,
    /// Starts only when that run is finished.
    pub after_run: Option<Uuid>,
    /// Not before; none means now.
    pub run_after: Option<DateTime<Utc>>,
    /// Until when the handler may answer "not ready"; none means the worker's limit after creation.
    pub deadline: Option<DateTime<Utc>>,
    /// Attempts that may fail before the run does; at least 1.
    pub max_attempts: i32,
    /// Longest time one attempt may take, in seconds; above 0.
    pub time_limit_seconds: i64,
    /// Who asked for it.
    pub submitted_by: Option<String>,
    /// The trace that the submission belongs to: a valid `traceparent` of W3C trace context.
    pub traceparent: Option<String>,
}

impl NewRun {
    /// A run with usual values: queue `default`, priority 100, now, 5 attempts, an hour each, triggered by hand.
    #[must_use]
    pub fn new(job_name: impl Into<String>, kind: impl Into<String>, document: serde_json::Value) -> Self {
        Self {
            job_id: None,
            job_name: job_name.into(),
            kind: kind.into(),
            document,
            queue: "default".to_owned(),
            priority: 100,
            trigger: Trigger::Manual,
            notifies: true,
            tick_at: None,
            window: None,
            idempotency_key: None,
            parent_id: None,
            after_run: None,
            run_after: None,
            deadline: None,
            max_attempts: 5,
            time_limit_seconds: 3600,
            submitted_by: None,
            traceparent: None,
        }
    }
}

/// A run: every column of `runs`.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
pub struct Run {
    /// Its identity.
    pub id: Uuid,
    /// The job it belongs to; none for an ad-hoc document.
    pub job_id: Option<Uuid>,
    /// Name shown to people.
    pub job_name: String,
    /// What the handler dispatches on.
    pub kind: String,
    /// What is to be done, as it was when enqueued.
    pub document: serde_json::Value,
    /// The queue whose workers may take it.
    pub queue: String,
    /// Smaller is earlier.
    pub priority: i16,
    /// A word of [`State`].
    pub state: String,
    /// A word of [`Trigger`].
    pub trigger: String,
    /// Whether it may open and close incidents.
    pub notifies: bool,
    /// The tick it stands for.
    pub tick_at: Option<DateTime<Utc>>,
    /// Start of the data window, included.
    pub window_start: Option<DateTime<Utc>>,
    /// End of the data window, not included.
    pub window_end: Option<DateTime<Utc>>,
    /// The key it was submitted with.
    pub idempotency_key: Option<String>,
    /// The run that this one repeats.
    pub parent_id: Option<Uuid>,
    /// Starts only when that run is finished.
    pub after_run: Option<Uuid>,
    /// Not before.
    pub run_after: DateTime<Utc>,
    /// Attempts burnt so far.
    pub attempt: i32,
    /// Attempts that may be burnt.
    pub max_attempts: i32,
    /// Leases that expired with a run in progress.
    pub crash_count: i32,
    /// Crashes that poison it.
    pub max_crashes: i32,
    /// Longest time one attempt may take, in seconds.
    pub time_limit_seconds: i64,
    /// Until when "not ready" is accepted.
    pub deadline: Option<DateTime<Utc>>,
    /// Which lease is the valid one.
    pub fence: i64,
    /// The worker that holds it.
    pub lease_owner: Option<Uuid>,
    /// When the lease expires.
    pub lease_until: Option<DateTime<Utc>>,
    /// Whether somebody asked for its end.
    pub cancel_requested: bool,
    /// Who asked for it.
    pub submitted_by: Option<String>,
    /// The trace that its submission belongs to.
    pub traceparent: Option<String>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When it was first claimed.
    pub started_at: Option<DateTime<Utc>>,
    /// When it reached its last state.
    pub finished_at: Option<DateTime<Utc>>,
    /// What it found.
    pub outcome: Option<String>,
    /// Its result in short.
    pub summary: Option<serde_json::Value>,
    /// The latest error.
    pub error: Option<String>,
    /// The code of the latest error: `no_data`, `unreachable`, `panic`, ...
    pub error_kind: Option<String>,
}

impl Run {
    /// Whether it never changes again.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        State::parse(&self.state).is_some_and(State::is_finished)
    }

    /// The data window, half open, when it has one.
    #[must_use]
    pub fn window(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        self.window_start.zip(self.window_end)
    }
}

/// One lease of a run and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Attempt {
    /// The run.
    pub run_id: Uuid,
    /// Which lease.
    pub fence: i64,
    /// The boot of the worker.
    pub worker_id: Uuid,
    /// Its configured name.
    pub worker_name: String,
    /// When the run was claimed.
    pub started_at: DateTime<Utc>,
    /// When the lease ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// succeeded, failed, retried, snoozed, released, timed_out, cancelled, crashed, fenced_out; none while it runs.
    pub outcome: Option<String>,
    /// The error, in words.
    pub error: Option<String>,
    /// The error's code.
    pub error_kind: Option<String>,
    /// Peak memory of the execution, in bytes.
    pub peak_memory_bytes: Option<i64>,
    /// Bytes read from storage.
    pub bytes_read: Option<i64>,
}

/// What a finished run reports.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    /// What it found: `ok`, `drifted`, `breached`, ...
    pub outcome: String,
    /// Its result in short.
    pub summary: serde_json::Value,
    /// Bytes read from storage.
    pub bytes_read: Option<i64>,
    /// Peak memory, in bytes.
    pub peak_memory: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_words_round_trip_and_three_are_unfinished() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("done"), None);
        let unfinished: Vec<_> = State::ALL.into_iter().filter(|s| !s.is_finished()).map(State::as_str).collect();
        assert_eq!(unfinished, ["waiting_data", "available", "leased"]);
    }
}
