//! Telling people: incidents, the outbox of messages, and the channels that carry them.
//!
//! # How it hangs together
//!
//! `jobs` hands an [`Evaluation`] (what a run found) to [`apply`] inside the run's result transaction. [`lifecycle`] decides
//! which incident opens, goes on or resolves; [`outbox`] freezes one message per recipient into `deliveries`. After the
//! commit a [`Dispatcher`] claims what is due and lets the [`channels`] send it.
//!
//! # What holds
//!
//! * Effects are as durable as the run: no message without its results, no result without its message.
//! * One live incident per (job, kind, subject); all incidents that one run opens reach a recipient in one message.
//! * A message is frozen when it is written, and its id never changes: sending it twice is sending the same bytes twice.
//! * In doubt a message goes out twice rather than never.
//! * No channel waits for another one.
//!
//! # What it deliberately does not do
//!
//! It does not judge (that is `drift`, `metrics`, `ab`), keeps no clock of its own, and does not order messages of
//! different runs: an announcement that is being sent while its incident resolves may arrive after the resolution.
//!
//! The only home of lettre and reqwest.

pub mod backoff;
pub mod channels;
pub mod dispatcher;
mod email;
pub mod error;
pub mod evaluation;
pub mod event;
pub mod lifecycle;
pub mod outbox;
pub mod probe;
pub mod text;
mod webhook;

pub use channels::{Channel, Channels};
pub use dispatcher::{Dispatcher, Report};
pub use error::Error;
pub use evaluation::{Evaluation, Finding, FindingStatus, Severity};
pub use event::Event;
pub use lifecycle::{Changes, IncidentSummary, acknowledge, apply, find};
pub use outbox::retry_delivery;
pub use probe::{Probe, send_test};
