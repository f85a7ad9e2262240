//! Moving versions between stages.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::body::{Path, Query, as_in_path};
use super::super::caller::Caller;
use super::super::change::{Answer, Write};
use super::super::problem::Problem;
use super::super::{Api, etag};
use super::{setup, tag, wanted_revision};
use crate::access::Scope;
use crate::db::audit::Actor;
use crate::registry::ready::{self, Hashing, QUICK_BYTES, Readiness};
use crate::registry::{
    self, ApprovalState, Error, GateAnswer, ModelVersion, Order, Promoted, Promotion, PromotionCheck, Stage, Unhashed,
};

/// A move.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "target_stage": "production", "approved_by": "ml_lead" }))]
pub(super) struct PromoteRequest {
    /// The model; may be left out, since the path names it.
    model_name: Option<String>,
    /// The version; likewise.
    version: Option<String>,
    /// `staging` or `production`.
    #[schema(example = "production")]
    target_stage: String,
    /// Who approves: the caller, and nobody else. In the open API whoever is named here; without a name asking is no approval.
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
    /// Whether it was a roll-back.
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
        may_approve: approves(caller, approved_by.as_deref()),
        approved_by: named(caller, approved_by)?,
        ..Promotion::default()
    })
}

/// Who approves by the body's word: checked and trimmed where it is believed; compared with the caller where it is not.
fn named(caller: &Caller, approved_by: Option<String>) -> Result<Option<String>, Problem> {
    match approved_by {
        Some(name) if caller.is_open() => Ok(Some(caller.acting_as("approved_by", Some(&name))?.name)),
        name => Ok(name),
    }
}

/// Whether asking for a promotion approves it. In the open API nobody is known who could: somebody has to be named.
fn approves(caller: &Caller, approved_by: Option<&str>) -> bool {
    caller.principal.scopes.allow(Scope::ModelsApprove) && (!caller.is_open() || approved_by.is_some())
}

/// What the registry refuses, and where the name is to stand that is missing.
fn refused(caller: &Caller, promotion: &Promotion, error: Error) -> Problem {
    let unnamed = caller.is_open() && promotion.approved_by.is_none() && matches!(error, Error::ApprovalRequired(_));
    let problem = Problem::from(error);
    if unnamed { problem.at("/approved_by", "name who approves: the open API knows nobody") } else { problem }
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
    as_in_path("/model_name", request.body.model_name.as_deref(), &name)?;
    as_in_path("/version", request.body.version.as_deref(), &version)?;
    request.answered_before(&api).await?;
    let target = stage("/target_stage", &request.body.target_stage)?;
    let revision = wanted_revision(&api, &request.headers, &name, &version).await?;
    let body = &request.body;
    let promotion =
        promotion(&request.caller, revision, body.approved_by.clone(), body.reason.clone(), body.break_glass.clone())?;
    moved(&api, &request, &name, &version, target, promotion).await
}

async fn moved<T: serde::de::DeserializeOwned>(
    api: &Api,
    request: &Write<T>,
    name: &str,
    version: &str,
    target: Stage,
    mut promotion: Promotion,
) -> Result<Response, Problem> {
    let actor = request.caller.actor();
    let found = {
        let mut conn = api.pool().acquire().await?;
        registry::get(&mut conn, name, version).await?
    };
    let given = promotion.if_revision;
    let hashed = hashed(api, &found, target, given, &mut promotion, &actor).await?;
    // What the look wrote is no change that the caller could have read.
    promotion.if_revision = given.map(|_| hashed.revision);
    let mut change = request.begin(api).await?;
    let promoted = registry::promote(change.conn(), setup(api), name, version, target, &promotion, &actor)
        .await
        .map_err(|error| refused(&request.caller, &promotion, error))?;
    let tag = tag(&promoted.version);
    change.commit(Answer::ok(&PromotedView::from(promoted))?.tagged(tag)).await
}

/// What the move asks for is hashed before it begins: no lock is held meanwhile. What takes longer than a request may is left to
/// a run, and the move is refused until that has ended. Answers the version as it is then.
async fn hashed(
    api: &Api,
    found: &ModelVersion,
    target: Stage,
    if_revision: Option<i64>,
    promotion: &mut Promotion,
    actor: &Actor,
) -> Result<ModelVersion, Problem> {
    let mut asked = {
        let mut conn = api.pool().acquire().await?;
        ready::asked(&mut conn, setup(api), found, target, promotion).await?
    };
    if asked != ready::Asked::Nothing && !super::register::readable(api, found.model_path.as_deref())? {
        asked = ready::Asked::Nothing;
    }
    let hashing = Hashing { pool: api.pool(), storage: &api.app.storage, setup: setup(api), most: Some(QUICK_BYTES) };
    match ready::hash(hashing, asked, found, if_revision, actor).await? {
        Readiness::Ready(version) => Ok(*version),
        Readiness::TooLarge(bytes) => {
            let run = super::register::verified_by_a_run(api, found, actor).await?;
            promotion.unhashed = Some(Unhashed { bytes, run });
            Ok(found.clone())
        }
    }
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
    moved(&api, &request, &name, &version, target, promotion).await
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
    moved(&api, &request, &name, &version, Stage::Archived, promotion).await
}

/// A roll-back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackRequest {
    /// Who approves: the caller, and nobody else. In the open API whoever is named here; without a name asking is no approval.
    approved_by: Option<String>,
    /// The version that is to go: rolls back only while this one is in production (412 otherwise), and so never twice.
    from_version: Option<String>,
    /// Why.
    reason: Option<String>,
    /// Passes over the model's policy, for the reason given here. Needs the scope `admin`; people are told at once.
    break_glass: Option<String>,
}

/// Rolls back: puts the version back into production that was there before. Asked for again, it goes one step further back.
#[utoipa::path(post, path = "/governance/models/{model_name}/rollback", tag = "models", request_body = Option<RollbackRequest>,
    params(("model_name" = String, Path, description = "The model."),
           ("If-Match" = Option<String>, Header, description = "Roll back only from this state of the version in production (412 otherwise).")),
    responses((status = 200, description = "The version that is in production now.", body = PromotedView)))]
pub(super) async fn rollback(
    State(api): State<Api>,
    Path(name): Path<String>,
    request: Write<RollbackRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsPromote)?;
    request.answered_before(&api).await?;
    let body = &request.body;
    let mut promotion =
        promotion(&request.caller, None, body.approved_by.clone(), body.reason.clone(), body.break_glass.clone())?;
    promotion.from_version.clone_from(&body.from_version);
    let actor = request.caller.actor();
    let target = {
        let mut conn = api.pool().acquire().await?;
        if request.headers.contains_key(header::IF_MATCH) {
            let found = registry::latest(&mut conn, &name, Some(Stage::Production), true, Order::Precedence).await;
            let going = found.map_err(|error| match error {
                Error::NothingInStage { .. } => etag::changed(),
                error => error.into(),
            })?;
            promotion.if_revision = etag::wanted(&request.headers, going.id)?;
            promotion.from_version.get_or_insert(going.version);
        }
        registry::rollback_target(&mut conn, &name, &promotion).await?
    };
    promotion.prepared = Some(hashed(&api, &target, Stage::Production, None, &mut promotion, &actor).await?.id);
    let mut change = request.begin(&api).await?;
    let promoted = registry::rollback(change.conn(), setup(&api), &name, &promotion, &actor)
        .await
        .map_err(|error| refused(&request.caller, &promotion, error))?;
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
    /// Count the approval of this one, as the promotion would: the caller, and nobody else unless the API is open.
    approved_by: Option<String>,
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
        may_approve: approves(&caller, query.approved_by.as_deref())
            && caller.principal.scopes.allow(Scope::ModelsPromote),
        approved_by: named(&caller, query.approved_by)?,
        ..Promotion::default()
    };
    let mut conn = api.pool().acquire().await?;
    let check =
        registry::promotion_check(&mut conn, setup(&api), &name, &version, target, &promotion, &caller.actor()).await?;
    etag::json(&check)
}
