//! What became of versions, and what was in production when.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::body::{Path, Query};
use super::super::caller::Caller;
use super::super::page::{self, Page};
use super::super::problem::Problem;
use super::super::{Api, etag};
use crate::access::Scope;
use crate::registry::{self, HistoryRow};

/// Which page is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

async fn answered(api: &Api, name: &str, version: Option<&str>, query: HistoryQuery) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let before = page::number_place(query.cursor.as_deref())?;
    let mut conn = api.pool().acquire().await?;
    let rows = registry::history(&mut conn, name, version, before, limit + 1).await?;
    etag::json(&Page::of(rows, limit, |row: &HistoryRow| page::number_cursor(row.id), |row| row))
}

/// Lists the periods of a version's life, newest first: from where to where, by whom, on what decision.
#[utoipa::path(get, path = "/governance/models/{model_name}/{version}/history", tag = "models",
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version."), HistoryQuery),
    responses((status = 200, description = "A page of periods.", body = Page<HistoryRow>)))]
pub(super) async fn of_version(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    answered(&api, &name, Some(&version), query).await
}

/// Lists the periods of all versions of a model, newest first.
#[utoipa::path(get, path = "/governance/models/{model_name}/history", tag = "models",
    params(("model_name" = String, Path, description = "The model."), HistoryQuery),
    responses((status = 200, description = "A page of periods.", body = Page<HistoryRow>)))]
pub(super) async fn of_model(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    answered(&api, &name, None, query).await
}

/// When.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AtQuery {
    /// The instant (RFC 3339); now when it is left out.
    at: Option<DateTime<Utc>>,
}

/// What was in production.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InProduction {
    /// The model.
    model_name: String,
    /// The instant that was asked for.
    at: DateTime<Utc>,
    /// The period that it lies in; null when nothing was in production then.
    production: Option<HistoryRow>,
}

/// Says which version was in production at an instant, since when, and on whose approval.
#[utoipa::path(get, path = "/governance/models/{model_name}/production", tag = "models",
    params(("model_name" = String, Path, description = "The model."), AtQuery),
    responses((status = 200, description = "The version.", body = InProduction)))]
pub(super) async fn in_production(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<AtQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let at = query.at.unwrap_or_else(|| api.app.clock.now());
    let mut conn = api.pool().acquire().await?;
    let production = registry::in_production_at(&mut conn, &name, at).await?;
    etag::json(&InProduction { model_name: name, at, production })
}
