//! `/governance/ab-tests`: two versions held against each other: their life from draft to end.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::body::{Path, Query};
use super::caller::Caller;
use super::change::{Answer, Nothing, Write};
use super::page::{self, Page};
use super::problem::Problem;
use super::{Api, etag};
use crate::access::Scope;
use crate::registry::ab_tests::{self, NewTest, TestRow};

mod results;
mod serving;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show))
        .routes(routes!(start))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(cancel))
        .routes(routes!(conclude))
        .routes(routes!(results::list, results::post))
        .routes(routes!(results::observe))
        .routes(routes!(results::evaluate))
        .routes(routes!(serving::assignment))
        .routes(routes!(serving::assign))
        .routes(routes!(serving::exposures))
        .routes(routes!(serving::counts))
}

/// Which tests are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `draft`, `running`, `paused`, `concluded` or `cancelled`.
    status: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists A/B tests, newest first.
#[utoipa::path(get, path = "/governance/ab-tests", tag = "ab-tests", params(ListQuery),
    responses((status = 200, description = "A page of tests.", body = Page<TestRow>)))]
async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let limit = page::limit(query.limit)?;
    super::body::one_of("?status", query.status.as_deref(), &ab_tests::STATUSES)?;
    let before = page::place(query.cursor.as_deref())?;
    let rows = ab_tests::list(api.pool(), query.status.as_deref(), before, i64::from(limit) + 1).await?;
    etag::json(&Page::of(rows, limit, |row| page::cursor(row.created_at, row.id), |row| row))
}

/// Creates a test, as a draft.
#[utoipa::path(post, path = "/governance/ab-tests", tag = "ab-tests", request_body = NewTest,
    responses((status = 201, description = "The draft.", body = TestRow)))]
async fn create(State(api): State<Api>, request: Write<NewTest>) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    let actor = request.caller.acting_as("created_by", request.body.created_by.as_deref())?;
    let mut change = request.begin(&api).await?;
    let auto = api.app.settings.enable_model_registry;
    let test = ab_tests::create(change.conn(), &request.body, api.app.registry_setup(), auto, &actor).await?;
    change.commit(Answer::created(format!("/governance/ab-tests/{}", test.id), &test)?).await
}

/// Shows a test.
#[utoipa::path(get, path = "/governance/ab-tests/{test_id}", tag = "ab-tests",
    params(("test_id" = Uuid, Path, description = "The test.")),
    responses((status = 200, description = "The test.", body = TestRow)))]
async fn show(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let mut conn = api.pool().acquire().await?;
    etag::json(&ab_tests::get(&mut conn, id).await?)
}

/// Starts a draft: its plan is frozen from here on.
#[utoipa::path(post, path = "/governance/ab-tests/{test_id}/start", tag = "ab-tests", request_body = Option<Nothing>,
    params(("test_id" = Uuid, Path, description = "The test.")),
    responses((status = 200, description = "The test as it is now.", body = TestRow)))]
async fn start(State(api): State<Api>, Path(id): Path<Uuid>, request: Write<Nothing>) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    let mut change = request.begin(&api).await?;
    let test = ab_tests::start(change.conn(), id, &request.caller.actor()).await?;
    change.commit(Answer::ok(&test)?).await
}

/// Pauses a running test: nothing is evaluated, and every unit gets the control, until it is resumed.
#[utoipa::path(post, path = "/governance/ab-tests/{test_id}/pause", tag = "ab-tests", request_body = Option<Ending>,
    params(("test_id" = Uuid, Path, description = "The test.")),
    responses((status = 200, description = "The test as it is now.", body = TestRow)))]
async fn pause(State(api): State<Api>, Path(id): Path<Uuid>, request: Write<Ending>) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    super::body::storable("/reason", request.body.reason.as_deref().unwrap_or_default())?;
    let mut change = request.begin(&api).await?;
    let reason = request.body.reason.as_deref();
    let test = ab_tests::pause(change.conn(), id, reason, &request.caller.actor()).await?;
    change.commit(Answer::ok(&test)?).await
}

/// Resumes a paused test.
#[utoipa::path(post, path = "/governance/ab-tests/{test_id}/resume", tag = "ab-tests", request_body = Option<Nothing>,
    params(("test_id" = Uuid, Path, description = "The test.")),
    responses((status = 200, description = "The test as it is now.", body = TestRow)))]
async fn resume(State(api): State<Api>, Path(id): Path<Uuid>, request: Write<Nothing>) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    let mut change = request.begin(&api).await?;
    let test = ab_tests::resume(change.conn(), id, &request.caller.actor()).await?;
    change.commit(Answer::ok(&test)?).await
}

/// Why a test stops.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Ending {
    /// For whoever asks later.
    reason: Option<String>,
}

/// Gives a test up.
#[utoipa::path(post, path = "/governance/ab-tests/{test_id}/cancel", tag = "ab-tests", request_body = Option<Ending>,
    params(("test_id" = Uuid, Path, description = "The test.")),
    responses((status = 200, description = "The test as it is now.", body = TestRow)))]
async fn cancel(State(api): State<Api>, Path(id): Path<Uuid>, request: Write<Ending>) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    super::body::storable("/reason", request.body.reason.as_deref().unwrap_or_default())?;
    let mut change = request.begin(&api).await?;
    let reason = request.body.reason.as_deref();
    let test = ab_tests::cancel(change.conn(), api.app.registry_setup(), id, reason, &request.caller.actor()).await?;
    change.commit(Answer::ok(&test)?).await
}

/// Ends a test with the decision that it has reached; without one it is inconclusive. People are told; nothing is promoted by it.
#[utoipa::path(post, path = "/governance/ab-tests/{test_id}/conclude", tag = "ab-tests", request_body = Option<Ending>,
    params(("test_id" = Uuid, Path, description = "The test.")),
    responses((status = 200, description = "The test as it is now.", body = TestRow)))]
async fn conclude(State(api): State<Api>, Path(id): Path<Uuid>, request: Write<Ending>) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    super::body::storable("/reason", request.body.reason.as_deref().unwrap_or_default())?;
    let mut change = request.begin(&api).await?;
    let reason = request.body.reason.as_deref();
    let test = ab_tests::conclude(change.conn(), api.app.registry_setup(), id, reason, &request.caller.actor()).await?;
    change.commit(Answer::ok(&test)?).await
}
