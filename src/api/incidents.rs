//! `/governance/incidents` and `/governance/deliveries`: what is wrong, who cares, and what was sent to whom.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::body::{Path, Query};
use super::caller::Caller;
use super::change::{Answer, Nothing, Write};
use super::page::{self, Page};
use super::problem::Problem;
use super::{Api, etag};
use crate::access::Scope;
use crate::db::deliveries::{self, Delivery};
use crate::db::incidents::{self, Incident, IncidentEvent};
use crate::notify;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(acknowledge))
        .routes(routes!(list_deliveries))
        .routes(routes!(show_delivery))
        .routes(routes!(retry_delivery))
}

/// One problem from its first breach to its end.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Incident)]
struct IncidentView {
    /// Its identity.
    id: Uuid,
    /// `open`, `acknowledged`, `resolved`.
    state: String,
    /// `info`, `warning`, `critical`: the worst seen.
    severity: String,
    /// The job that found it.
    job_name: String,
    /// `drift`, `metric`, `ab_decision`, `no_data`, `insufficient_data`, `schema_error`, `artefact`, `run_failed`, ...
    kind: String,
    /// The column, metric or input that it is about.
    subject: String,
    /// What is wrong, in one sentence.
    title: String,
    /// The model.
    model_name: Option<String>,
    /// Its version.
    model_version: Option<String>,
    /// The score of the latest breach.
    score: Option<f64>,
    /// The threshold it was held against.
    threshold: Option<f64>,
    /// The worst score.
    peak_score: Option<f64>,
    /// Further facts of the latest breach.
    evidence: Map<String, Value>,
    /// Evaluations in breach since it opened.
    breaches: i32,
    /// The tick of the first breach.
    opened_at: DateTime<Utc>,
    /// The tick of the latest breach.
    last_breach_at: DateTime<Utc>,
    /// The tick that found it gone.
    resolved_at: Option<DateTime<Utc>>,
    /// The run that opened it.
    opened_by_run: Option<Uuid>,
    /// The run that resolved it.
    resolved_by_run: Option<Uuid>,
    /// Who takes care of it.
    acknowledged_by: Option<String>,
    /// Since when.
    acknowledged_at: Option<DateTime<Utc>>,
    /// What they said.
    acknowledge_note: Option<String>,
}

impl From<Incident> for IncidentView {
    fn from(incident: Incident) -> Self {
        Self {
            id: incident.id,
            state: incident.state,
            severity: incident.severity,
            job_name: incident.job_name,
            kind: incident.kind,
            subject: incident.subject,
            title: incident.title,
            model_name: incident.model_name,
            model_version: incident.model_version,
            score: incident.evidence.score,
            threshold: incident.evidence.threshold,
            peak_score: incident.peak_score,
            evidence: incident.evidence.labels.into_iter().collect(),
            breaches: incident.breaches,
            opened_at: incident.opened_at,
            last_breach_at: incident.last_breach_at,
            resolved_at: incident.resolved_at,
            opened_by_run: incident.opened_by_run,
            resolved_by_run: incident.resolved_by_run,
            acknowledged_by: incident.acknowledged_by,
            acknowledged_at: incident.acknowledged_at,
            acknowledge_note: incident.acknowledge_note,
        }
    }
}

/// One entry of an incident's history.
#[derive(Debug, Serialize, ToSchema)]
struct HistoryView {
    /// `opened`, `breached`, `acknowledged`, `resolved`.
    kind: String,
    /// The tick, or when somebody acted.
    at: DateTime<Utc>,
    /// The run that caused it.
    run_id: Option<Uuid>,
    /// The person who caused it.
    actor: Option<String>,
    /// Particulars.
    detail: Value,
}

impl From<IncidentEvent> for HistoryView {
    fn from(event: IncidentEvent) -> Self {
        Self { kind: event.kind, at: event.at, run_id: event.run_id, actor: event.actor, detail: event.detail }
    }
}

/// A message to one recipient.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
struct DeliveryView {
    /// Its identity: the same message has the same id for ever.
    id: Uuid,
    /// What happened.
    event_id: Uuid,
    /// `opened`, `resolved`, `opened_and_resolved`, ...
    event_kind: String,
    /// The channel.
    channel: String,
    /// `email`, `webhook`.
    channel_kind: String,
    /// Address or endpoint.
    recipient: String,
    /// `pending`, `leased`, `sent`, `retry`, `dead`, `suppressed`, `merged`, `uncertain`.
    state: String,
    /// What it is about.
    subject: String,
    /// The run that caused it.
    run_id: Option<Uuid>,
    /// How often sending was tried.
    attempts: i32,
    /// When it is due.
    next_attempt_at: DateTime<Utc>,
    /// Why the latest attempt failed.
    last_error: Option<String>,
    /// When it was written.
    created_at: DateTime<Utc>,
    /// When it was accepted.
    sent_at: Option<DateTime<Utc>>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            event_kind: delivery.event_kind,
            channel: delivery.channel,
            channel_kind: delivery.channel_kind,
            recipient: delivery.recipient,
            state: delivery.state,
            subject: delivery.subject,
            run_id: delivery.run_id,
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_attempt_at,
            last_error: delivery.last_error,
            created_at: delivery.created_at,
            sent_at: delivery.sent_at,
        }
    }
}

/// An incident with all that belongs to it.
#[derive(Debug, Serialize, ToSchema)]
struct IncidentWhole {
    /// The incident.
    incident: IncidentView,
    /// What happened to it, oldest first.
    history: Vec<HistoryView>,
    /// The newest messages about it.
    deliveries: Vec<DeliveryView>,
}

/// Which incidents are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `open`, `acknowledged`, `resolved`, or `live` for all that are not resolved.
    state: Option<String>,
    /// Of this job.
    job: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

const STATES: [&str; 6] = ["live", "pending", "open", "acknowledged", "recovering", "resolved"];

/// Lists incidents, newest first.
#[utoipa::path(get, path = "/governance/incidents", tag = "incidents", params(ListQuery),
    responses((status = 200, description = "A page of incidents.", body = Page<IncidentView>)))]
async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let limit = page::limit(query.limit)?;
    super::body::one_of("?state", query.state.as_deref(), &STATES)?;
    let filter = incidents::Filter {
        state: query.state,
        job: query.job,
        limit: i64::from(limit) + 1,
        after: page::place(query.cursor.as_deref())?,
    };
    let rows = incidents::list(api.pool(), &filter).await?;
    etag::json(&Page::of(rows, limit, |row| page::cursor(row.opened_at, row.id), IncidentView::from))
}

/// Shows an incident with its history and messages.
#[utoipa::path(get, path = "/governance/incidents/{incident_id}", tag = "incidents",
    params(("incident_id" = Uuid, Path, description = "The incident.")),
    responses((status = 200, description = "The incident.", body = IncidentWhole)))]
async fn show(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let incident = incidents::get(api.pool(), id)
        .await?
        .ok_or_else(|| Problem::not_found(format!("there is no incident {id}")))?;
    let history = incidents::events(api.pool(), id).await?;
    let filter = deliveries::Filter { incident: Some(id), limit: 100, ..deliveries::Filter::default() };
    let messages = deliveries::list(api.pool(), &filter).await?;
    etag::json(&IncidentWhole {
        incident: incident.into(),
        history: history.into_iter().map(Into::into).collect(),
        deliveries: messages.into_iter().map(Into::into).collect(),
    })
}

/// Who takes care of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    /// Who; the caller when it is left out, and nobody else unless the API is open.
    acknowledged_by: Option<String>,
    /// What they say to the others.
    note: Option<String>,
}

/// Acknowledges an incident: somebody takes care of it. Doing it again changes nothing.
#[utoipa::path(post, path = "/governance/incidents/{incident_id}/acknowledge", tag = "incidents",
    params(("incident_id" = Uuid, Path, description = "The incident.")), request_body = Option<Acknowledgement>,
    responses((status = 200, description = "The incident as it is now.", body = IncidentView)))]
async fn acknowledge(
    State(api): State<Api>,
    Path(id): Path<Uuid>,
    request: Write<Acknowledgement>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::AlertsAck)?;
    let actor = request.caller.acting_as("acknowledged_by", request.body.acknowledged_by.as_deref())?;
    super::body::storable("/note", request.body.note.as_deref().unwrap_or_default())?;
    let mut change = request.begin(&api).await?;
    let incident = notify::acknowledge(change.conn(), id, request.body.note.as_deref(), &actor).await?;
    change.commit(Answer::ok(&IncidentView::from(incident))?).await
}

/// Which messages are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeliveryQuery {
    /// `pending`, `leased`, `sent`, `retry`, `dead`, `suppressed`, `merged`, `uncertain`.
    state: Option<String>,
    /// Of this channel.
    channel: Option<String>,
    /// About this incident.
    incident_id: Option<Uuid>,
    /// Caused by this run.
    run_id: Option<Uuid>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

const DELIVERY_STATES: [&str; 8] = ["pending", "leased", "sent", "retry", "dead", "suppressed", "merged", "uncertain"];

/// Lists messages, newest first.
#[utoipa::path(get, path = "/governance/deliveries", tag = "incidents", params(DeliveryQuery),
    responses((status = 200, description = "A page of messages.", body = Page<DeliveryView>)))]
async fn list_deliveries(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<DeliveryQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let limit = page::limit(query.limit)?;
    super::body::one_of("?state", query.state.as_deref(), &DELIVERY_STATES)?;
    let filter = deliveries::Filter {
        state: query.state,
        channel: query.channel,
        incident: query.incident_id,
        run: query.run_id,
        limit: i64::from(limit) + 1,
        after: page::place(query.cursor.as_deref())?,
    };
    let rows = deliveries::list(api.pool(), &filter).await?;
    etag::json(&Page::of(rows, limit, |row| page::cursor(row.created_at, row.id), DeliveryView::from))
}

/// Shows a message.
#[utoipa::path(get, path = "/governance/deliveries/{delivery_id}", tag = "incidents",
    params(("delivery_id" = Uuid, Path, description = "The message.")),
    responses((status = 200, description = "The message.", body = DeliveryView)))]
async fn show_delivery(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let delivery = deliveries::get(api.pool(), id)
        .await?
        .ok_or_else(|| Problem::not_found(format!("there is no message {id}")))?;
    etag::json(&DeliveryView::from(delivery))
}

/// The messages that are due again.
#[derive(Debug, Serialize, ToSchema)]
struct Due {
    /// Their ids.
    due: Vec<Uuid>,
}

/// Makes a message that was given up due again.
#[utoipa::path(post, path = "/governance/deliveries/{delivery_id}/retry", tag = "incidents",
    params(("delivery_id" = Uuid, Path, description = "The message.")), request_body = Option<Nothing>,
    responses((status = 200, description = "What is due now.", body = Due)))]
async fn retry_delivery(
    State(api): State<Api>,
    Path(id): Path<Uuid>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::JobsSubmit)?;
    let mut change = request.begin(&api).await?;
    let due = notify::retry_delivery(change.conn(), &api.app.channels, id, &request.caller.actor()).await?;
    change.commit(Answer::ok(&Due { due })?).await
}
