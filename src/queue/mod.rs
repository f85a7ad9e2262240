//! The queue: runs that wait, are leased, executed and finished, in one table of PostgreSQL.
//!
//! It knows no domain: what a run does is the business of the [`Handler`]. It may use `clock`, `config`, sqlx and
//! apalis (this is its only home); all SQL on `runs`, `run_attempts` and `run_inputs` is here.
//!
//! What holds:
//! * Enqueueing is an insert in the caller's transaction.
//! * A run has one owner at a time: the lease named by its fence. Whoever writes results puts [`complete`] first in
//!   that transaction; when the lease has passed to somebody else it fails with [`Error::FencedOut`] and everything
//!   rolls back. Executions may repeat, effects cannot.
//! * A claimed run starts at once: as many are claimed as there are free slots, never more.
//! * NOTIFY is a hint; a poll of at most a second makes it dispensable.
//! * No decision is taken from a process's clock: instants come from `steward_now()`, and durations of this process
//!   from the monotonic clock.
//! * Loops survive the database going away; they say so once and again when it is back.
//!
//! States: `waiting_data -> available -> leased -> succeeded | failed | timed_out | cancelled | poisoned`. A retry is
//! `available` with a later `run_after`; there is no promoter.
//!
//! What it deliberately does not do: plan (see `schedule`), order runs across queues, or keep results.

mod backoff;
mod claim;
mod enqueue;
mod error;
mod execute;
mod finish;
mod handler;
mod inputs;
mod lease;
mod ledger;
mod listen;
mod outage;
mod reap;
mod run;
mod work;

pub use backoff::backoff;
pub use enqueue::{Enqueued, enqueue};
pub use error::Error;
pub use finish::complete;
pub use handler::{Handler, JobError, JobErrorKind, RunContext};
pub use inputs::{InputPin, all_inputs, pin_inputs, pinned_inputs, unpin_inputs};
pub use ledger::{
    Cancelled, Cursor, RunFilter, RunPage, Unfinished, attempts, cancel, find, get, list, retry, unfinished_of_job,
    wait_for,
};
pub use run::{Attempt, Completion, NewRun, Run, State, Trigger};
pub use work::{drain, work};
