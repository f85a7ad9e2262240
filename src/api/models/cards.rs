//! Model cards, every edition kept.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::super::body::{self, Path, Query};
use super::super::caller::Caller;
use super::super::change::{Answer, Write};
use super::super::page::Page;
use super::super::problem::Problem;
use super::super::{Api, etag};
use crate::access::Scope;
use crate::registry::{self, CardRow};

/// Which edition.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CardQuery {
    /// Its number; the newest when it is left out.
    #[param(minimum = 1)]
    edition: Option<i32>,
}

/// Shows the model card of a version.
#[utoipa::path(get, path = "/governance/models/{model_name}/{version}/card", tag = "models",
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version."), CardQuery),
    responses((status = 200, description = "The card.", body = CardRow)))]
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
    Query(query): Query<CardQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let edition = body::edition(query.edition)?;
    let mut conn = api.pool().acquire().await?;
    etag::json(&registry::card(&mut conn, &name, &version, edition).await?)
}

/// A card.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CardRequest {
    /// Markdown: intended use, data, limits, who to ask.
    body: String,
}

/// Adds an edition of the model card; the ones before stay.
#[utoipa::path(post, path = "/governance/models/{model_name}/{version}/card", tag = "models", request_body = CardRequest,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 201, description = "The edition.", body = CardRow)))]
pub(super) async fn add(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    request: Write<CardRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsRegister)?;
    let mut change = request.begin(&api).await?;
    let card = registry::add_card(change.conn(), &name, &version, &request.body.body, &request.caller.actor()).await?;
    let location = format!("/governance/models/{name}/{version}/card?edition={}", card.edition);
    change.commit(Answer::created(location, &card)?).await
}

/// Lists all editions of a model card, newest first.
#[utoipa::path(get, path = "/governance/models/{model_name}/{version}/card/editions", tag = "models",
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 200, description = "All of them; `next_cursor` is always null.", body = Page<CardRow>)))]
pub(super) async fn editions(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let mut conn = api.pool().acquire().await?;
    let items = registry::card_editions(&mut conn, &name, &version).await?;
    etag::json(&Page { items, next_cursor: None })
}
