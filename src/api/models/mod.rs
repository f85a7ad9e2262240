//! `/governance/models`: the registry.
//!
//! One file for each thing that is done to a version. What is decided (policies, approvals, gates, who displaces whom) is
//! decided in `registry`; here are scopes, bodies and tags.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

mod aliases;
mod approvals;
mod cards;
mod history;
mod latest;
mod list;
mod policy;
mod profiles;
mod promote;
mod register;

pub(super) use latest::Hub;

use super::body::{Path, Query};
use super::caller::Caller;
use super::change::{Answer, Write};
use super::problem::Problem;
use super::{Api, etag};
use crate::access::Scope;
use crate::registry::{self, ModelVersion, Patch, Setup};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(register::register))
        .routes(routes!(register::verify))
        .routes(routes!(latest::latest))
        .routes(routes!(show, change, delete))
        .routes(routes!(promote::promote))
        .routes(routes!(promote::demote))
        .routes(routes!(promote::archive))
        .routes(routes!(promote::rollback))
        .routes(routes!(promote::check))
        .routes(routes!(approvals::list, approvals::approve))
        .routes(routes!(approvals::withdraw))
        .routes(routes!(history::of_version))
        .routes(routes!(history::of_model))
        .routes(routes!(history::in_production))
        .routes(routes!(policy::show, policy::set, policy::clear))
        .routes(routes!(aliases::list))
        .routes(routes!(aliases::resolve, aliases::set, aliases::remove))
        .routes(routes!(cards::show, cards::add))
        .routes(routes!(cards::editions))
        .routes(routes!(profiles::show, profiles::add))
        .routes(routes!(profiles::editions))
}

/// What the registry decides with.
fn setup(api: &Api) -> Setup<'_> {
    api.app.registry_setup()
}

/// The tag of a version's state.
fn tag(version: &ModelVersion) -> String {
    etag::of(version.id, version.revision)
}

/// Where a version is.
fn place(version: &ModelVersion) -> String {
    format!("/governance/models/{}/{}", version.model_name, version.version.replace('+', "%2B"))
}

/// The revision that `If-Match` asks for, of a version that must exist.
async fn wanted_revision(api: &Api, headers: &HeaderMap, name: &str, version: &str) -> Result<Option<i64>, Problem> {
    if !headers.contains_key(axum::http::header::IF_MATCH) {
        return Ok(None);
    }
    let mut conn = api.pool().acquire().await?;
    let found = registry::get(&mut conn, name, version).await?;
    etag::wanted(headers, found.id)
}

/// Shows a version.
#[utoipa::path(get, path = "/governance/models/{model_name}/{version}", tag = "models",
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 200, description = "The version; `ETag` is its state.", body = ModelVersion),
              (status = 304, description = "As you have it (`If-None-Match`).")))]
async fn show(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Path((name, version)): Path<(String, String)>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let mut conn = api.pool().acquire().await?;
    let version = registry::get(&mut conn, &name, &version).await?;
    etag::answer(&headers, tag(&version), &version)
}

/// What may change of a version; what is left out stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "owner": "team-flights", "tags": { "dataset": "2013" } }))]
struct ChangeRequest {
    /// What it is, in words; null takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// Who answers for it; null takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    owner: Option<Option<String>>,
    /// Tags to set; a tag of null is taken away, the others stay.
    #[serde(default)]
    tags: std::collections::BTreeMap<String, Option<String>>,
}

/// Tells null from absent.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// Changes description, owner and tags; everything else is frozen.
#[utoipa::path(patch, path = "/governance/models/{model_name}/{version}", tag = "models", request_body = ChangeRequest,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version."),
           ("If-Match" = Option<String>, Header, description = "Change it only in this state (412 otherwise).")),
    responses((status = 200, description = "The version as it is now.", body = ModelVersion)))]
async fn change(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    request: Write<ChangeRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsRegister)?;
    let revision = wanted_revision(&api, &request.headers, &name, &version).await?;
    let body = &request.body;
    let patch = Patch { description: body.description.clone(), owner: body.owner.clone(), tags: body.tags.clone() };
    let mut change = request.begin(&api).await?;
    let version = registry::change(change.conn(), &name, &version, &patch, revision, &request.caller.actor()).await?;
    let tag = tag(&version);
    change.commit(Answer::ok(&version)?.tagged(tag)).await
}

/// Why a version goes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    /// For whoever looks for it later.
    reason: String,
}

/// What is left of a version.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
struct Deleted {
    /// The model.
    model_name: String,
    /// The version; its number is never used again.
    version: String,
    /// Always true.
    deleted: bool,
}

/// Deletes a version: a tombstone stays, and its number is never used again. Not in staging or production.
#[utoipa::path(delete, path = "/governance/models/{model_name}/{version}", tag = "models",
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version."), DeleteQuery,
           ("If-Match" = Option<String>, Header, description = "Delete it only in this state (412 otherwise).")),
    responses((status = 200, description = "It is gone.", body = Deleted)))]
async fn delete(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    Query(query): Query<DeleteQuery>,
    request: Write<super::change::Nothing>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::Admin)?;
    let revision = wanted_revision(&api, &request.headers, &name, &version).await?;
    let mut change = request.begin(&api).await?;
    registry::delete(change.conn(), setup(&api), &name, &version, &query.reason, revision, &request.caller.actor())
        .await?;
    change.commit(Answer::ok(&Deleted { model_name: name, version, deleted: true })?).await
}
