//! What a model asks of a promotion.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;

use super::super::body::Path;
use super::super::caller::Caller;
use super::super::change::{Answer, Nothing, Write};
use super::super::problem::Problem;
use super::super::{Api, etag};
use super::setup;
use crate::access::Scope;
use crate::registry::{self, Policy, PolicyInForce};

fn tag(policy: &PolicyInForce) -> String {
    format!("\"policy.{}\"", policy.revision)
}

fn wanted(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim().trim_matches('"');
    if text == "*" {
        return Ok(None);
    }
    text.strip_prefix("policy.").and_then(|n| n.parse().ok()).map(Some).ok_or_else(etag::changed)
}

/// Shows the policy that holds for a model: its own, or the configured one.
#[utoipa::path(get, path = "/governance/models/{model_name}/policy", tag = "models",
    params(("model_name" = String, Path, description = "The model.")),
    responses((status = 200, description = "The policy.", body = PolicyInForce),
              (status = 304, description = "As you have it (`If-None-Match`).")))]
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let mut conn = api.pool().acquire().await?;
    let policy = registry::policy::get(&mut conn, setup(&api), &name).await?;
    etag::answer(&headers, tag(&policy), &policy)
}

/// Gives a model a policy of its own.
#[utoipa::path(put, path = "/governance/models/{model_name}/policy", tag = "models", request_body = Policy,
    params(("model_name" = String, Path, description = "The model."),
           ("If-Match" = Option<String>, Header, description = "Set it only over this one (412 otherwise).")),
    responses((status = 200, description = "The policy as it is now.", body = PolicyInForce)))]
pub(super) async fn set(
    State(api): State<Api>,
    Path(name): Path<String>,
    request: Write<serde_json::Value>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::Admin)?;
    let policy = Policy::read(&request.body)?;
    let revision = wanted(&request.headers)?;
    let mut change = request.begin(&api).await?;
    let actor = request.caller.actor();
    let policy = registry::policy::set(change.conn(), setup(&api), &name, &policy, revision, &actor).await?;
    let tag = tag(&policy);
    change.commit(Answer::ok(&policy)?.tagged(tag)).await
}

/// Takes a model's own policy away: the configured one holds again.
#[utoipa::path(delete, path = "/governance/models/{model_name}/policy", tag = "models",
    params(("model_name" = String, Path, description = "The model."),
           ("If-Match" = Option<String>, Header, description = "Clear only this one (412 otherwise).")),
    responses((status = 200, description = "The policy that holds now.", body = PolicyInForce)))]
pub(super) async fn clear(
    State(api): State<Api>,
    Path(name): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::Admin)?;
    let revision = wanted(&request.headers)?;
    let mut change = request.begin(&api).await?;
    let policy = registry::policy::clear(change.conn(), setup(&api), &name, revision, &request.caller.actor()).await?;
    let tag = tag(&policy);
    change.commit(Answer::ok(&policy)?.tagged(tag)).await
}
