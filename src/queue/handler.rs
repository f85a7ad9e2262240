//! What the queue asks of the domain: execute a run, and react when one ends badly.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Run;
use crate::clock::SharedClock;

/// How long a run sleeps when the database failed under it.
const DATABASE_PAUSE: Duration = Duration::from_secs(5);

/// What a failure means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobErrorKind {
    /// May work next time: an attempt is burnt, the run comes back after a back-off.
    Transient,
    /// Its data is not there yet: the run sleeps, no attempt is burnt, until its deadline.
    NotReady {
        /// How long to sleep; none means the worker's setting.
        retry_in: Option<Duration>,
    },
    /// Will never work: the run fails at once.
    Permanent,
}

/// Why an execution did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    /// What the failure means for the run.
    pub kind: JobErrorKind,
    /// A stable word: `no_data`, `schema_error`, `corrupt_input`, `unreachable`, ...
    pub code: &'static str,
    /// What happened and what to do, for people.
    pub message: String,
}

impl JobError {
    /// A failure that may work next time.
    #[must_use]
    pub fn transient(code: &'static str, message: impl Into<String>) -> Self {
        Self { kind: JobErrorKind::Transient, code, message: message.into() }
    }

    /// Data that is not there yet.
    #[must_use]
    pub fn not_ready(code: &'static str, message: impl Into<String>, retry_in: Option<Duration>) -> Self {
        Self { kind: JobErrorKind::NotReady { retry_in }, code, message: message.into() }
    }

    /// A failure that will never go away by itself.
    #[must_use]
    pub fn permanent(code: &'static str, message: impl Into<String>) -> Self {
        Self { kind: JobErrorKind::Permanent, code, message: message.into() }
    }
}

impl From<sqlx::Error> for JobError {
    /// Trouble with the database is not the job's: the run comes back when the database does, and no attempt is burnt.
    fn from(error: sqlx::Error) -> Self {
        Self::not_ready("database", format!("database: {error}"), Some(DATABASE_PAUSE))
    }
}

impl From<super::Error> for JobError {
    /// A fenced-out completion is transient too; nothing of it is written, because the fence guards that as well.
    fn from(error: super::Error) -> Self {
        match error {
            super::Error::Database(error) => error.into(),
            super::Error::FencedOut { .. } => Self::transient("fenced_out", error.to_string()),
            other => Self::permanent("internal", other.to_string()),
        }
    }
}

/// What an execution is given beside its run.
#[derive(Debug, Clone)]
pub struct RunContext {
    /// Cancelled when the run shall stop: on request, at its time limit, when the lease is lost, when the process ends.
    pub cancel: CancellationToken,
    /// The boot of the worker.
    pub worker_id: Uuid,
    /// What time it is.
    pub clock: SharedClock,
}

/// The domain's side of the queue.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Executes a run. On `Ok` the handler has committed its results together with [`complete`](super::complete).
    ///
    /// It is run on a task of its own; a panic counts as a transient failure. It should watch `context.cancel` at
    /// least once a second; after a time of grace it is abandoned.
    async fn handle(&self, run: Run, context: RunContext) -> Result<(), JobError>;

    /// Called in the transaction that ends a run as `failed`, `timed_out` or `poisoned` (the row has that state
    /// already), so that an incident can open with it.
    async fn terminal(
        &self,
        conn: &mut PgConnection,
        run: &Run,
        state: &str,
        error: &str,
        code: &str,
    ) -> Result<(), sqlx::Error>;
}
