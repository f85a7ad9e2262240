//! `steward notify test`: sends a real message through a channel and says what happened, step by step.
//!
//! It goes the way of every message (compose, send) but not through the database, so it also works when that is away; nothing
//! is stored or repeated.

use uuid::Uuid;

use super::channels::{Channels, Outgoing, Verdict};
use super::error::Error;
use super::event::{Event, Transition, delivery_id};
use crate::clock::SharedClock;

/// What came of trying a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The channel.
    pub channel: String,
    /// Its kind.
    pub kind: &'static str,
    /// One entry a recipient.
    pub results: Vec<ProbeResult>,
}

/// What came of trying one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeResult {
    /// To whom.
    pub recipient: String,
    /// The id of the message.
    pub id: Uuid,
    /// Whether the other side accepted it.
    pub sent: bool,
    /// HTTP status or SMTP reply code.
    pub status: Option<i32>,
    /// What was done, step by step.
    pub steps: Vec<String>,
    /// How it ended.
    pub detail: String,
}

impl Probe {
    /// Whether every recipient accepted the message.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        !self.results.is_empty() && self.results.iter().all(|result| result.sent)
    }
}

/// Sends a test message to every recipient of the channel, one after the other.
///
/// # Errors
/// [`Error::UnknownChannel`]. A message that is not accepted is a result, not an error.
pub async fn send_test(channels: &Channels, name: &str, clock: &SharedClock) -> Result<Probe, Error> {
    let channel = channels.get(name).ok_or_else(|| channels.unknown(name))?;
    let now = clock.now();
    let event = Event {
        id: super::event::event_id(Uuid::nil(), &format!("test/{name}/{}", now.timestamp_micros())),
        transition: Transition::Test,
        run_id: None,
        job_name: "test".to_owned(),
        job_kind: "test".to_owned(),
        model_name: None,
        model_version: None,
        at: now,
        window_start: None,
        window_end: None,
        composed_at: now,
        traceparent: None,
        incidents: Vec::new(),
    };
    let mut results = Vec::new();
    for recipient in channel.recipients() {
        let composed = channel.compose(&event, &recipient, &[]);
        let id = delivery_id(event.id, name, &recipient);
        let message =
            Outgoing { id, recipient: &recipient, subject: &composed.subject, message: &composed.message, at: now };
        let outcome = channel.send(&message).await;
        results.push(ProbeResult {
            id,
            sent: outcome.verdict == Verdict::Sent,
            status: outcome.status,
            steps: outcome.steps,
            detail: outcome.detail,
            recipient,
        });
    }
    Ok(Probe { channel: name.to_owned(), kind: channel.kind(), results })
}
