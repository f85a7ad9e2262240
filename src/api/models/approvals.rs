//! Approvals of promotions.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::body::Path;
use super::super::caller::Caller;
use super::super::change::{Answer, Write};
use super::super::page::Page;
use super::super::problem::Problem;
use super::super::{Api, etag};
use super::setup;
use crate::access::Scope;
use crate::registry::{self, Approval, Stage};

/// Lists the approvals of a version, with what has become of each.
#[utoipa::path(get, path = "/governance/models/{model_name}/{version}/approvals", tag = "models",
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 200, description = "All of them; `next_cursor` is always null.", body = Page<Approval>)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let mut conn = api.pool().acquire().await?;
    let items = registry::approvals(&mut conn, &name, &version).await?;
    etag::json(&Page { items, next_cursor: None })
}

/// An approval. It holds for the artefact's digest and the metrics as they are now.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "stage": "production", "comment": "metrics and card read" }))]
pub(super) struct ApproveRequest {
    /// The stage that it is approved for: `staging` or `production`.
    #[serde(default = "production")]
    #[schema(default = "production")]
    stage: String,
    /// What the approver says.
    comment: Option<String>,
    /// Who approves: the caller, and nobody else unless the API is open.
    approved_by: Option<String>,
}

fn production() -> String {
    "production".to_owned()
}

/// Approves the promotion of a version.
#[utoipa::path(post, path = "/governance/models/{model_name}/{version}/approvals", tag = "models", request_body = Option<ApproveRequest>,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 201, description = "The approval.", body = Approval)))]
pub(super) async fn approve(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    request: Write<ApproveRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsApprove)?;
    let body = &request.body;
    let actor = request.caller.acting_as("approved_by", body.approved_by.as_deref())?;
    let stage = Stage::parse(&body.stage)?;
    let mut change = request.begin(&api).await?;
    let comment = body.comment.as_deref();
    let approval = registry::approve(change.conn(), setup(&api), &name, &version, stage, comment, &actor).await?;
    let location = format!("/governance/models/{name}/{version}/approvals");
    change.commit(Answer::created(location, &approval)?).await
}

/// Which approval is withdrawn.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WithdrawRequest {
    /// The stage that it was for.
    #[serde(default = "production")]
    #[schema(default = "production")]
    stage: String,
    /// Whose: the caller's, and nobody else's unless the API is open.
    approved_by: Option<String>,
}

/// Withdraws an approval of one's own that was not used yet.
#[utoipa::path(post, path = "/governance/models/{model_name}/{version}/approvals/withdraw", tag = "models", request_body = Option<WithdrawRequest>,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 200, description = "The approvals as they are now.", body = Page<Approval>)))]
pub(super) async fn withdraw(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    request: Write<WithdrawRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsApprove)?;
    let actor = request.caller.acting_as("approved_by", request.body.approved_by.as_deref())?;
    let stage = Stage::parse(&request.body.stage)?;
    let mut change = request.begin(&api).await?;
    registry::withdraw(change.conn(), &name, &version, stage, &actor).await?;
    let items = registry::approvals(change.conn(), &name, &version).await?;
    change.commit(Answer::ok(&Page { items, next_cursor: None })?).await
}
