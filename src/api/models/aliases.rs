//! Names that move between versions.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::body::Path;
use super::super::caller::Caller;
use super::super::change::{Answer, Nothing, Write};
use super::super::page::Page;
use super::super::problem::Problem;
use super::super::{Api, etag};
use super::tag;
use crate::access::Scope;
use crate::registry::{self, AliasRow, ModelVersion};

/// Lists the aliases of a model.
#[utoipa::path(get, path = "/governance/models/{model_name}/aliases", tag = "models",
    params(("model_name" = String, Path, description = "The model.")),
    responses((status = 200, description = "All of them; `next_cursor` is always null.", body = Page<AliasRow>)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let mut conn = api.pool().acquire().await?;
    let items = registry::alias_list(&mut conn, &name).await?;
    etag::json(&Page { items, next_cursor: None })
}

/// Shows the version that an alias names.
#[utoipa::path(get, path = "/governance/models/{model_name}/aliases/{alias}", tag = "models",
    params(("model_name" = String, Path, description = "The model."), ("alias" = String, Path, description = "The alias.")),
    responses((status = 200, description = "The version; `ETag` is its state.", body = ModelVersion),
              (status = 304, description = "As you have it (`If-None-Match`).")))]
pub(super) async fn resolve(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Path((name, alias)): Path<(String, String)>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let mut conn = api.pool().acquire().await?;
    let version = registry::resolve_alias(&mut conn, &name, &alias).await?;
    etag::answer(&headers, tag(&version), &version)
}

/// What an alias is to name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AliasRequest {
    /// The version.
    version: String,
}

/// Sets an alias, or moves it.
#[utoipa::path(put, path = "/governance/models/{model_name}/aliases/{alias}", tag = "models", request_body = AliasRequest,
    params(("model_name" = String, Path, description = "The model."), ("alias" = String, Path, description = "The alias.")),
    responses((status = 200, description = "The alias as it is now.", body = AliasRow)))]
pub(super) async fn set(
    State(api): State<Api>,
    Path((name, alias)): Path<(String, String)>,
    request: Write<AliasRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsRegister)?;
    let mut change = request.begin(&api).await?;
    let row = registry::set_alias(change.conn(), &name, &alias, &request.body.version, &request.caller.actor()).await?;
    change.commit(Answer::ok(&row)?).await
}

/// An alias that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Removed {
    /// The model.
    model_name: String,
    /// The alias.
    alias: String,
    /// Always true.
    removed: bool,
}

/// Removes an alias.
#[utoipa::path(delete, path = "/governance/models/{model_name}/aliases/{alias}", tag = "models",
    params(("model_name" = String, Path, description = "The model."), ("alias" = String, Path, description = "The alias.")),
    responses((status = 200, description = "It is gone.", body = Removed)))]
pub(super) async fn remove(
    State(api): State<Api>,
    Path((name, alias)): Path<(String, String)>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsRegister)?;
    let mut change = request.begin(&api).await?;
    registry::remove_alias(change.conn(), &name, &alias, &request.caller.actor()).await?;
    change.commit(Answer::ok(&Removed { model_name: name, alias, removed: true })?).await
}
