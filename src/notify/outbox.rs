//! The outbox: which messages a transition causes, frozen into `deliveries` in the caller's transaction.
//!
//! All incidents that one run opens make one event, all that it resolves another; each recipient gets one message an event,
//! under an id that follows from event, channel and recipient. A recipient who has not been told that an incident opened when
//! it resolves gets one message that tells both, and the announcement still waiting becomes `merged`. An announcement that
//! also tells of incidents still live goes out as it is.
//!
//! A channel that is not configured makes a dead delivery with the reason, never a failed run.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::channels::{Channel, Channels};
use super::error::Error;
use super::evaluation::Evaluation;
use super::event::{Event, IncidentView, Transition, delivery_id, event_id};
use crate::db::audit::{self, Actor};
use crate::db::deliveries::{self, NewDelivery, Opening};

/// The `channel_kind` of a delivery whose channel is not configured.
const UNKNOWN: &str = "unknown";

/// Writes the messages about what an evaluation opened and resolved.
pub(super) async fn write(
    conn: &mut PgConnection,
    channels: &Channels,
    evaluation: &Evaluation,
    opened: Vec<IncidentView>,
    resolved: Vec<IncidentView>,
) -> Result<(), sqlx::Error> {
    if !opened.is_empty() {
        let event = event(conn, evaluation, Transition::Opened, opened).await?;
        for target in targets(channels, evaluation.channels.iter()) {
            insert(conn, channels, evaluation, &event, &target, &[]).await?;
        }
    }
    if !resolved.is_empty() {
        let event = event(conn, evaluation, Transition::Resolved, resolved).await?;
        write_resolved(conn, channels, evaluation, event).await?;
    }
    Ok(())
}

/// A channel and a recipient; the recipient of a channel that is not configured is empty.
type Target = (String, String);

fn targets<'a>(channels: &Channels, names: impl Iterator<Item = &'a String>) -> BTreeSet<Target> {
    names
        .flat_map(|name| {
            let recipients = channels.get(name).map_or_else(|| vec![String::new()], Channel::recipients);
            recipients.into_iter().map(|recipient| (name.clone(), recipient))
        })
        .collect()
}

async fn event(
    conn: &mut PgConnection,
    evaluation: &Evaluation,
    transition: Transition,
    mut incidents: Vec<IncidentView>,
) -> Result<Event, sqlx::Error> {
    incidents.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then_with(|| (&a.kind, &a.subject, a.id).cmp(&(&b.kind, &b.subject, b.id)))
    });
    let (model_name, model_version) = evaluation.model.clone().unzip();
    let (window_start, window_end) = evaluation.window.unzip();
    let (composed_at, traceparent) = deliveries::now_and_trace(conn, evaluation.run_id).await?;
    Ok(Event {
        id: event_id(evaluation.run_id, transition.as_str()),
        transition,
        run_id: Some(evaluation.run_id),
        job_name: evaluation.job_name.clone(),
        job_kind: evaluation.job_kind.clone(),
        model_name,
        model_version: model_version.flatten(),
        at: evaluation.at,
        window_start,
        window_end,
        composed_at,
        traceparent,
        incidents,
    })
}

async fn write_resolved(
    conn: &mut PgConnection,
    channels: &Channels,
    evaluation: &Evaluation,
    event: Event,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = event.incidents.iter().map(|incident| incident.id).collect();
    let openings = deliveries::openings(conn, &ids).await?;
    // Who was told that it opened is told that it ended, also when the job names other channels by now.
    let earlier = openings.iter().map(|opening| &opening.channel).filter(|name| channels.get(name).is_some());
    for target in targets(channels, evaluation.channels.iter().chain(earlier)) {
        let told: Vec<&Opening> =
            openings.iter().filter(|o| (&o.channel, &o.recipient) == (&target.0, &target.1)).collect();
        let waiting = |opening: &Opening| matches!(opening.state.as_str(), "pending" | "retry");
        let (merged, kept): (Vec<&Opening>, Vec<&Opening>) =
            told.into_iter().partition(|o| waiting(o) && o.incidents.iter().all(|id| ids.contains(id)));
        let announcing: Vec<&Opening> =
            kept.into_iter().filter(|o| !matches!(o.state.as_str(), "dead" | "merged")).collect();

        let mut event = event.clone();
        for incident in &mut event.incidents {
            incident.announced = announcing.iter().any(|opening| opening.incidents.contains(&incident.id));
        }
        if event.incidents.iter().all(|incident| !incident.announced) {
            event.transition = Transition::OpenedAndResolved;
        }
        let thread: Vec<Value> = announcing.iter().map(|opening| opening.message.clone()).collect();
        let id = insert(conn, channels, evaluation, &event, &target, &thread).await?;
        if !merged.is_empty() {
            let merged: Vec<Uuid> = merged.iter().map(|opening| opening.id).collect();
            deliveries::merge(conn, &merged, id, "resolved before it was sent; one message tells both").await?;
        }
    }
    Ok(())
}

/// Writes one message and returns its id.
async fn insert(
    conn: &mut PgConnection,
    channels: &Channels,
    evaluation: &Evaluation,
    event: &Event,
    (channel, recipient): &Target,
    thread: &[Value],
) -> Result<Uuid, sqlx::Error> {
    let new = match channels.get(channel) {
        Some(found) => compose(found, event, recipient, thread, &evaluation.queue),
        None => {
            let reason = channels.unknown(channel).to_string();
            tracing::error!(job.name = evaluation.job_name, run.id = %evaluation.run_id, "message cannot be sent: {reason}");
            NewDelivery {
                id: delivery_id(event.id, channel, recipient),
                event_id: event.id,
                event_kind: event.transition.as_str().to_owned(),
                channel: channel.clone(),
                channel_kind: UNKNOWN.to_owned(),
                recipient: recipient.clone(),
                queue: evaluation.queue.clone(),
                subject: super::text::subject(event),
                message: json!({ "event": event }),
                run_id: event.run_id,
                dead: Some(reason),
            }
        }
    };
    let incidents: Vec<Uuid> = event.incidents.iter().map(|incident| incident.id).collect();
    deliveries::insert(conn, &new, &incidents).await?;
    Ok(new.id)
}

fn compose(channel: &dyn Channel, event: &Event, recipient: &str, thread: &[Value], queue: &str) -> NewDelivery {
    let composed = channel.compose(event, recipient, thread);
    NewDelivery {
        id: delivery_id(event.id, channel.name(), recipient),
        event_id: event.id,
        event_kind: event.transition.as_str().to_owned(),
        channel: channel.name().to_owned(),
        channel_kind: channel.kind().to_owned(),
        recipient: recipient.to_owned(),
        queue: queue.to_owned(),
        subject: composed.subject,
        message: composed.message,
        run_id: event.run_id,
        dead: None,
    }
}

/// Makes a dead delivery due now. One that is dead because its channel was not configured is composed for the recipients that
/// the channel has by now, and becomes `merged`. Returns the ids that are due.
///
/// # Errors
/// [`Error::NotDead`], [`Error::UnknownChannel`] if the channel is still not configured, or what the database says.
pub async fn retry_delivery(
    conn: &mut PgConnection,
    channels: &Channels,
    id: Uuid,
    actor: &Actor,
) -> Result<Vec<Uuid>, Error> {
    let delivery = deliveries::get(&mut *conn, id).await?.ok_or(Error::NotDead(id))?;
    let channel = channels.get(&delivery.channel).ok_or_else(|| channels.unknown(&delivery.channel))?;
    if !deliveries::revive(conn, id).await? {
        return Err(Error::NotDead(id));
    }
    let mut due = vec![id];
    let event = delivery.message.get("event").and_then(|event| serde_json::from_value::<Event>(event.clone()).ok());
    if let (UNKNOWN, Some(event)) = (delivery.channel_kind.as_str(), event) {
        let incidents = deliveries::incidents_of(conn, id).await?;
        due.clear();
        for recipient in channel.recipients() {
            let new = compose(channel, &event, &recipient, &[], &delivery.queue);
            deliveries::insert(conn, &new, &incidents).await?;
            due.push(new.id);
        }
        if let Some(first) = due.first() {
            deliveries::merge(conn, &[id], *first, "composed again after its channel was configured").await?;
        }
    }
    let audited = audit::Event {
        actor,
        action: "delivery.retried",
        outcome: audit::Outcome::Done,
        subject_kind: "delivery",
        subject: &id.to_string(),
        detail: json!({ "channel": delivery.channel, "recipient": delivery.recipient, "due": due }),
    };
    audit::append(conn, &audited).await?;
    Ok(due)
}
