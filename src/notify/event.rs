//! What happened, in the form that channels compose messages from, and the ids that never change.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::evaluation::Severity;
use crate::db::incidents::Incident;

/// The namespace of all ids that this module derives.
const NAMESPACE: Uuid = Uuid::from_bytes(*b"steward.notify.1");

/// What kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// Incidents opened.
    Opened,
    /// Incidents resolved.
    Resolved,
    /// Incidents resolved of which the recipient had not heard: this message tells both.
    OpenedAndResolved,
    /// Somebody tries a channel.
    Test,
}

impl Transition {
    /// As stored in `deliveries.event_kind`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Resolved => "resolved",
            Self::OpenedAndResolved => "opened_and_resolved",
            Self::Test => "test",
        }
    }
}

/// Something that people are told of, complete: channels need nothing else to compose their message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// UUIDv5 of the run and the transition.
    pub id: Uuid,
    /// What happened.
    pub transition: Transition,
    /// The run that found it.
    pub run_id: Option<Uuid>,
    /// The job's name.
    pub job_name: String,
    /// The job's kind.
    pub job_kind: String,
    /// The model's name.
    pub model_name: Option<String>,
    /// The model's version.
    pub model_version: Option<String>,
    /// The tick.
    pub at: DateTime<Utc>,
    /// Start of the data window.
    pub window_start: Option<DateTime<Utc>>,
    /// End of the data window (exclusive).
    pub window_end: Option<DateTime<Utc>>,
    /// When the message was composed: its date.
    pub composed_at: DateTime<Utc>,
    /// The trace that the run belongs to (W3C trace context), where it was submitted with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What it is about, worst first, then by kind and subject.
    pub incidents: Vec<IncidentView>,
}

/// An incident as messages show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IncidentView {
    /// Its id.
    pub id: Uuid,
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// How bad.
    pub severity: Severity,
    /// open, acknowledged or resolved.
    pub state: String,
    /// One sentence.
    pub title: String,
    /// The score of the latest breach.
    pub score: Option<f64>,
    /// Its threshold.
    pub threshold: Option<f64>,
    /// When it opened.
    pub opened_at: DateTime<Utc>,
    /// When it was resolved.
    pub resolved_at: Option<DateTime<Utc>>,
    /// Evaluations in breach.
    pub breaches: i32,
    /// The worst score.
    pub peak_score: Option<f64>,
    /// Why it is resolved.
    pub resolution: Option<String>,
    /// Whether the recipient was told when it opened.
    pub announced: bool,
    /// Further facts, label to value, in order.
    pub evidence: Map<String, Value>,
}

impl IncidentView {
    /// The view of a stored incident; `resolution` says why it is resolved.
    #[must_use]
    pub fn new(incident: &Incident, resolution: Option<String>) -> Self {
        Self {
            id: incident.id,
            kind: incident.kind.clone(),
            subject: incident.subject.clone(),
            severity: Severity::parse(&incident.severity),
            state: incident.state.clone(),
            title: incident.title.clone(),
            score: incident.evidence.score,
            threshold: incident.evidence.threshold,
            opened_at: incident.opened_at,
            resolved_at: incident.resolved_at,
            breaches: incident.breaches,
            peak_score: incident.peak_score,
            resolution,
            announced: true,
            evidence: incident.evidence.labels.iter().cloned().collect(),
        }
    }

    /// Whether it tells of the end of an A/B test: what it says is what it ends with.
    #[must_use]
    pub fn is_conclusion(&self) -> bool {
        self.kind == "ab_decision" && self.resolution.as_ref() == Some(&self.title)
    }

    /// The method that judged it, if the evidence says so.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.evidence.get("method").and_then(Value::as_str)
    }
}

/// The id of what a run did: the same run says the same again.
#[must_use]
pub fn event_id(run: Uuid, transition: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("event/{run}/{transition}").as_bytes())
}

/// The id of the message about an event to one recipient through one channel.
#[must_use]
pub fn delivery_id(event: Uuid, channel: &str, recipient: &str) -> Uuid {
    Uuid::new_v5(&event, format!("{channel}\n{recipient}").as_bytes())
}

/// The id of the incident that `run` opens.
#[must_use]
pub fn incident_id(run: Uuid, fingerprint: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("incident/{run}/{fingerprint}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_tell_apart() {
        let run = Uuid::from_u128(7);
        let opened = event_id(run, "opened");
        assert_eq!(opened, event_id(run, "opened"));
        assert_ne!(opened, event_id(run, "resolved"));
        assert_ne!(delivery_id(opened, "a", "b"), delivery_id(opened, "a", "c"));
        assert_ne!(delivery_id(opened, "a", "b"), delivery_id(opened, "ab", ""));
        // Receivers collapse repeated messages by this value: it must survive every release.
        assert_eq!(delivery_id(opened, "ops", "a@example.com").to_string(), "8769ec78-3d1b-5379-83bf-5e4610d9d913");
    }
}
