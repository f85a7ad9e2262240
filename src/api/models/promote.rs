//! Moving versions between stages.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::body::{Path, Query};
use super::super::caller::Caller;
use super::super::change::{Answer, Write};
use super::super::problem::Problem;
use super::super::{Api, etag};
use super::{setup, tag, wanted_revision};
use crate::access::Scope;
use crate::db::audit::Actor;
use crate::registry::{self, ApprovalState, GateAnswer, ModelVersion, Promoted, Promotion, PromotionCheck, Stage};

/// A move.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "target_stage": "production", "approved_by": "ml_lead" }))]
pub(super) struct PromoteRequest {
    /// `staging` or `production`.
    #[schema(example = "production")]
    target_stage: String,
    /// Who approves: the caller, and nobody else unless the API is open.
    approved_by: Option<String>,
    /// Why.
    reason: Option<String>,
    /// Passes over the model's policy, for the reason given here. Needs the scope `admin`; people are told at once.
    break_glass: Option<String>,
}

/// A version after its move, and how that went.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PromotedView {
    /// The version as it is now.
    #[serde(flatten)]
    version: ModelVersion,
    /// Where it was.
    from_stage: String,
    /// The version that was in production until now and is archived.
    demoted: Option<ModelVersion>,
    /// Whether it had been in production before.
    rollback: bool,
    /// Whether the policy was passed over.
    break_glass: bool,
    /// The answer of every gate.
    gates: Vec<GateAnswer>,
    /// The approvals that were counted.
    approvals: ApprovalState,
    /// The event in the audit trail.
    audit_sequence: i64,
}

impl From<Promoted> for PromotedView {
    fn from(promoted: Promoted) -> Self {
        Self {
            version: promoted.version,
            from_stage: promoted.from.as_str().to_owned(),
            demoted: promoted.demoted,
            rollback: promoted.rollback,
            break_glass: promoted.break_glass,
            gates: promoted.gates,
            approvals: promoted.approvals,
            audit_sequence: promoted.sequence,
        }
    }
}

/// How a move is asked for, once it is clear that the caller may ask.
fn promotion(
    caller: &Caller,
    revision: Option<i64>,
    approved_by: Option<String>,
    reason: Option<String>,
    break_glass: Option<String>,
) -> Result<Promotion, Problem> {
    caller.need(Scope::ModelsPromote)?;
    if break_glass.is_some() {
        caller.need(Scope::Admin)?;
    }
    Ok(Promotion {
        reason,
        break_glass,
        if_revision: revision,
        may_approve: caller.principal.scopes.allow(Scope::ModelsApprove),
        approved_by: match approved_by {
            // Checked and trimmed where it is believed; compared with the caller where it is not.
            Some(name) if caller.is_open() => Some(caller.acting_as("approved_by", Some(&name))?.name),
            name => name,
        },
    })
}

fn stage(pointer: &str, word: &str) -> Result<Stage, Problem> {
    Stage::parse(word).map_err(|error| Problem::invalid(pointer, error.to_string()))
}

/// Promotes a version. A version that is in production until now is archived in the same transaction, and named in the answer.
#[utoipa::path(post, path = "/governance/models/{model_name}/{version}/promote", tag = "models", request_body = PromoteRequest,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version."),
           ("If-Match" = Option<String>, Header, description = "Promote it only in this state (412 otherwise).")),
    responses((status = 200, description = "The version as it is now.", body = PromotedView)))]
pub(super) async fn promote(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    request: Write<PromoteRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsPromote)?;
    request.answered_before(&api).await?;
    let target = stage("/target_stage", &request.body.target_stage)?;
    let revision = wanted_revision(&api, &request.headers, &name, &version).await?;
    let body = &request.body;
    let promotion =
        promotion(&request.caller, revision, body.approved_by.clone(), body.reason.clone(), body.break_glass.clone())?;
    moved(&api, &request, &name, &version, target, &promotion).await
}

async fn moved<T: serde::de::DeserializeOwned>(
    api: &Api,
    request: &Write<T>,
    name: &str,
    version: &str,
    target: Stage,
    promotion: &Promotion,
) -> Result<Response, Problem> {
    let actor = request.caller.actor();
    hashed(api, name, version, target, &actor).await?;
    let mut change = request.begin(api).await?;
    let promoted = registry::promote(change.conn(), setup(api), name, version, target, promotion, &actor).await?;
    let tag = tag(&promoted.version);
    change.commit(Answer::ok(&PromotedView::from(promoted))?.tagged(tag)).await
}

/// Where the policy asks for a verified artefact, it is hashed before the promotion begins: no lock is held meanwhile.
async fn hashed(api: &Api, name: &str, version: &str, target: Stage, actor: &Actor) -> Result<(), Problem> {
    let found = {
        let mut conn = api.pool().acquire().await?;
        let found = registry::get(&mut conn, name, version).await?;
        if !Stage::parse(&found.stage)?.is_promotion_to(target)
            || !registry::artefact::is_asked_for(&mut conn, setup(api), &found).await?
        {
            return Ok(());
        }
        found
    };
    if super::register::readable(api, found.model_path.as_deref())? {
        registry::artefact::verify(api.pool(), &api.app.storage, setup(api), name, version, actor).await?;
    }
    Ok(())
}

/// A move downwards.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DemoteRequest {
    /// `development` or `staging`; below where it is.
    target_stage: String,
    /// Why.
    reason: Option<String>,
}

/// Demotes a version: takes it down a stage, which needs no approval.
#[utoipa::path(post, path = "/governance/models/{model_name}/{version}/demote", tag = "models", request_body = DemoteRequest,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 200, description = "The version as it is now.", body = PromotedView)))]
pub(super) async fn demote(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    request: Write<DemoteRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsPromote)?;
    request.answered_before(&api).await?;
    let target = stage("/target_stage", &request.body.target_stage)?;
    let current = {
        let mut conn = api.pool().acquire().await?;
        registry::get(&mut conn, &name, &version).await?
    };
    if Stage::parse(&current.stage)?.is_promotion_to(target) {
        let detail = format!("`{}` is above `{}`, where the version is; use `promote`", target.as_str(), current.stage);
        return Err(Problem::invalid("/target_stage", detail));
    }
    let revision = Some(etag::wanted(&request.headers, current.id)?.unwrap_or(current.revision));
    let promotion = promotion(&request.caller, revision, None, request.body.reason.clone(), None)?;
    moved(&api, &request, &name, &version, target, &promotion).await
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ArchiveRequest {
    /// For whoever asks later.
    reason: Option<String>,
}

/// Archives a version: takes it out of use.
#[utoipa::path(post, path = "/governance/models/{model_name}/{version}/archive", tag = "models", request_body = Option<ArchiveRequest>,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version."),
           ("If-Match" = Option<String>, Header, description = "Archive it only in this state (412 otherwise).")),
    responses((status = 200, description = "The version as it is now.", body = PromotedView)))]
pub(super) async fn archive(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    request: Write<ArchiveRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsPromote)?;
    request.answered_before(&api).await?;
    let revision = wanted_revision(&api, &request.headers, &name, &version).await?;
    let promotion = promotion(&request.caller, revision, None, request.body.reason.clone(), None)?;
    moved(&api, &request, &name, &version, Stage::Archived, &promotion).await
}

/// A roll-back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackRequest {
    /// Who approves: the caller, and nobody else unless the API is open.
    approved_by: Option<String>,
    /// Why.
    reason: Option<String>,
    /// Passes over the model's policy, for the reason given here. Needs the scope `admin`; people are told at once.
    break_glass: Option<String>,
}

/// Rolls back: puts the version back into production that was there before.
#[utoipa::path(post, path = "/governance/models/{model_name}/rollback", tag = "models", request_body = Option<RollbackRequest>,
    params(("model_name" = String, Path, description = "The model.")),
    responses((status = 200, description = "The version that is in production now.", body = PromotedView)))]
pub(super) async fn rollback(
    State(api): State<Api>,
    Path(name): Path<String>,
    request: Write<RollbackRequest>,
) -> Result<Response, Problem> {
    let body = &request.body;
    let promotion =
        promotion(&request.caller, None, body.approved_by.clone(), body.reason.clone(), body.break_glass.clone())?;
    let mut change = request.begin(&api).await?;
    let promoted = registry::rollback(change.conn(), setup(&api), &name, &promotion, &request.caller.actor()).await?;
    let tag = tag(&promoted.version);
    change.commit(Answer::ok(&PromotedView::from(promoted))?.tagged(tag)).await
}

/// Which promotion is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CheckQuery {
    /// `staging` or `production`; `production` when it is left out.
    target_stage: Option<String>,
}

/// Says what a promotion would need, without promoting: every gate's answer, and the approvals that count.
#[utoipa::path(get, path = "/governance/models/{model_name}/{version}/promotion-check", tag = "models",
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version."), CheckQuery),
    responses((status = 200, description = "What it needs.", body = PromotionCheck)))]
pub(super) async fn check(
    State(api): State<Api>,
    caller: Caller,
    _headers: HeaderMap,
    Path((name, version)): Path<(String, String)>,
    Query(query): Query<CheckQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let target = stage("?target_stage", query.target_stage.as_deref().unwrap_or("production"))?;
    let promotion = Promotion {
        may_approve: caller.principal.scopes.allow(Scope::ModelsApprove)
            && caller.principal.scopes.allow(Scope::ModelsPromote),
        ..Promotion::default()
    };
    let mut conn = api.pool().acquire().await?;
    let check =
        registry::promotion_check(&mut conn, setup(&api), &name, &version, target, &promotion, &caller.actor()).await?;
    etag::json(&check)
}
