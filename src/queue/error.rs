//! What can go wrong in the queue itself (not in a run: see [`JobError`](super::JobError)).

use uuid::Uuid;

/// Errors of the queue's functions.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The idempotency key was used for another document.
    #[error(
        "idempotency key {key:?} already belongs to run {existing}, which was submitted with another document: \
         use a new key for a new run"
    )]
    KeyConflict {
        /// The key.
        key: String,
        /// The run that has it.
        existing: Uuid,
    },
    /// The lease under which the work was done has passed to somebody else, or the run is finished.
    #[error("run {run_id} is no longer held under fence {fence}: its results were discarded")]
    FencedOut {
        /// The run.
        run_id: Uuid,
        /// The fence that was shown.
        fence: i64,
    },
    /// There is no such run.
    #[error("run {0} does not exist")]
    NotFound(Uuid),
    /// Only finished runs can be retried.
    #[error("run {run_id} is {state}: only a finished run can be retried; cancel it first")]
    NotFinished {
        /// The run.
        run_id: Uuid,
        /// The state it is in.
        state: String,
    },
    /// The settings cannot be used.
    #[error("{key}: {hint}")]
    Settings {
        /// The key in the configuration.
        key: &'static str,
        /// What to do.
        hint: String,
    },
    /// The worker runtime ended although nobody asked it to.
    #[error("worker runtime ended: {0}")]
    Runtime(String),
    /// The database refused or could not be reached.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}
