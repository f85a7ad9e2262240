//! `/governance/drift`: the alerts of drift checks.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::body::{Path, Query};
use super::caller::Caller;
use super::change::{Answer, Write};
use super::page::{self, Page};
use super::problem::Problem;
use super::{Api, etag};
use crate::access::Scope;
use crate::db::audit::{self, Event, Outcome};
use crate::db::drift_alerts::{self, DriftCheck, Filter};
use crate::db::incidents;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(acknowledge))
}

/// Which checks are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Of this model.
    model_name: Option<String>,
    /// Of this version.
    model_version: Option<String>,
    /// `true`: only what drifted (alerts); `false`: only what did not. Both when it is left out.
    is_alert: Option<bool>,
    /// `data`, `prediction` or `concept`.
    drift_type: Option<String>,
    /// Only what somebody has acknowledged, or only what nobody has.
    acknowledged: Option<bool>,
    /// Written at this time (RFC 3339) or later.
    since: Option<DateTime<Utc>>,
    /// Written before this time.
    until: Option<DateTime<Utc>>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists drift checks, newest first.
#[utoipa::path(get, path = "/governance/drift/alerts", tag = "drift", params(ListQuery),
    responses((status = 200, description = "A page of checks.", body = Page<DriftCheck>)))]
async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let limit = page::limit(query.limit)?;
    if let Some(kind) = query.drift_type.as_deref()
        && !["data", "prediction", "concept"].contains(&kind)
    {
        return Err(Problem::invalid("?drift_type", "must be `data`, `prediction` or `concept`"));
    }
    let filter = Filter {
        model_name: query.model_name,
        model_version: query.model_version,
        is_alert: query.is_alert,
        drift_type: query.drift_type,
        acknowledged: query.acknowledged,
        since: query.since,
        until: query.until,
        after: page::place(query.cursor.as_deref())?,
        limit: i64::from(limit) + 1,
    };
    let rows = drift_alerts::list(api.pool(), &filter).await?;
    etag::json(&Page::of(rows, limit, |row| page::cursor(row.created_at, row.id), |row| row))
}

/// Who has seen it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    /// Who; the caller when it is left out, and nobody else unless the API is open.
    #[schema(example = "data_scientist")]
    acknowledged_by: Option<String>,
    /// What they think of it.
    note: Option<String>,
}

/// Acknowledges an alert, and the incident it belongs to. Doing it again changes nothing.
#[utoipa::path(post, path = "/governance/drift/alerts/{alert_id}/acknowledge", tag = "drift",
    params(("alert_id" = Uuid, Path, description = "The alert.")), request_body = Option<Acknowledgement>,
    responses((status = 200, description = "The alert as it is now.", body = DriftCheck)))]
async fn acknowledge(
    State(api): State<Api>,
    Path(id): Path<Uuid>,
    request: Write<Acknowledgement>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::AlertsAck)?;
    let actor = request.caller.acting_as("acknowledged_by", request.body.acknowledged_by.as_deref())?;
    let note = request.body.note.as_deref();
    super::body::storable("/note", note.unwrap_or_default())?;
    let mut change = request.begin(&api).await?;
    let alert = drift_alerts::get(change.conn(), id)
        .await?
        .ok_or_else(|| Problem::not_found(format!("there is no drift check {id}")))?;
    if !alert.is_alert {
        let detail = format!("the check of `{}` found no drift; there is nothing to acknowledge", alert.feature_name);
        return Err(Problem::new(StatusCode::CONFLICT, "not_an_alert", detail));
    }
    if drift_alerts::acknowledge(change.conn(), id, &actor.name).await? {
        if let Some(incident) = alert.incident_id
            && incidents::acknowledge(change.conn(), incident, &actor.name, note).await?
        {
            let detail = json!({ "note": note, "alert": id });
            incidents::add_event(change.conn(), incident, "acknowledged", None, None, Some(&actor.name), detail)
                .await?;
        }
        let detail = json!({ "feature": alert.feature_name, "model": alert.model_name, "version": alert.model_version, "incident": alert.incident_id, "note": note });
        let subject = id.to_string();
        let event = Event {
            actor: &actor,
            action: "alert.acknowledged",
            outcome: Outcome::Done,
            subject_kind: "drift_alert",
            subject: &subject,
            detail,
        };
        audit::append(change.conn(), &event).await?;
    }
    let now = drift_alerts::get(change.conn(), id).await?;
    change.commit(Answer::ok(&now)?).await
}
