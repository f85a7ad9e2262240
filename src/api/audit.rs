//! `/governance/audit`: who did what, and whether the record is whole.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Query;
use super::caller::Caller;
use super::page::{self, Page};
use super::problem::Problem;
use super::{Api, etag};
use crate::access::Scope;
use crate::db::audit::{self, EventRow, Filter, Verification};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(verify))
}

/// One event of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEvent)]
struct EventView {
    /// Its place in the chain, without gaps.
    sequence: i64,
    /// When, to the microsecond.
    at: String,
    /// Who.
    actor: String,
    /// `token` (authenticated), `local` (by their own word) or `system`.
    actor_kind: String,
    /// What: `model.promoted`.
    action: String,
    /// `done` or `denied`.
    outcome: String,
    /// What kind of thing it was done to.
    subject_kind: String,
    /// Which one.
    subject: String,
    /// The HTTP request that carried it.
    request_id: Option<String>,
    /// Particulars.
    detail: Value,
    /// Hash of the event before it, in hex.
    previous_hash: String,
    /// SHA-256 over the hash before it and every field, in hex.
    hash: String,
}

impl From<EventRow> for EventView {
    fn from(row: EventRow) -> Self {
        Self {
            sequence: row.sequence,
            at: row.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            actor: row.actor,
            actor_kind: row.actor_kind,
            action: row.action,
            outcome: row.outcome,
            subject_kind: row.subject_kind,
            subject: row.subject,
            request_id: row.request_id,
            detail: serde_json::from_str(&row.detail).unwrap_or(Value::String(row.detail)),
            previous_hash: hex::encode(row.previous_hash),
            hash: hex::encode(row.hash),
        }
    }
}

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// By this principal.
    actor: Option<String>,
    /// This action, such as `model.promoted`.
    action: Option<String>,
    /// `done` or `denied`.
    outcome: Option<String>,
    /// To this kind of thing, such as `model`.
    subject_kind: Option<String>,
    /// To this thing, such as `flight_delay/2.0.0`.
    subject: Option<String>,
    /// At this time (RFC 3339) or later.
    since: Option<DateTime<Utc>>,
    /// Before this time.
    until: Option<DateTime<Utc>>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists events, newest first.
#[utoipa::path(get, path = "/governance/audit", tag = "audit", params(ListQuery),
    responses((status = 200, description = "A page of events.", body = Page<EventView>)))]
async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Response, Problem> {
    caller.need(Scope::AuditRead)?;
    let limit = page::limit(query.limit)?;
    super::body::one_of("?outcome", query.outcome.as_deref(), &["done", "denied"])?;
    let filter = Filter {
        actor: query.actor,
        action: query.action,
        outcome: query.outcome,
        subject_kind: query.subject_kind,
        subject: query.subject,
        since: query.since,
        until: query.until,
        before: page::number_place(query.cursor.as_deref())?,
        limit: i64::from(limit) + 1,
    };
    let rows = audit::list(api.pool(), &filter).await?;
    etag::json(&Page::of(rows, limit, |row| page::number_cursor(row.sequence), EventView::from))
}

/// Reads the whole chain and says whether, and where, it breaks.
#[utoipa::path(get, path = "/governance/audit/verify", tag = "audit",
    responses((status = 200, description = "What was found; `problem` is null when the chain holds.", body = Verification)))]
async fn verify(State(api): State<Api>, caller: Caller) -> Result<Response, Problem> {
    caller.need(Scope::AuditRead)?;
    let Ok(_alone) = api.verifying.try_acquire() else {
        return Err(Problem::unavailable(
            "overloaded",
            "the audit trail is being verified for somebody else; try again",
            5,
        ));
    };
    etag::json(&audit::verify(api.pool(), None).await?)
}
