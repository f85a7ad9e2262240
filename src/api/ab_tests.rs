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

/// A test to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "test_name": "biodiversity_v2_vs_v1",
    "model_a_name": "biodiversity_ensemble", "model_a_version": "0.1.0",
    "model_b_name": "biodiversity_ensemble", "model_b_version": "0.2.0",
    "success_metric": "accuracy", "traffic_split": 0.5, "min_samples": 100, "success_threshold": 0.02,
    "statistical_test": "t_test", "significance_level": 0.05, "created_by": "ml_engineer"
}))]
struct TestRequest {
    /// Its name; used once and never again.
    test_name: String,
    /// The control.
    model_a_name: String,
    /// Its version.
    model_a_version: String,
    /// The treatment.
    model_b_name: String,
    /// Its version.
    model_b_version: String,
    /// What is compared.
    success_metric: String,
    /// Whether less of it is better; by default what the metric's name says.
    lower_is_better: Option<bool>,
    /// Share of the traffic that goes to model B.
    #[serde(default = "half")]
    #[schema(default = 0.5, exclusive_minimum = 0.0, exclusive_maximum = 1.0)]
    traffic_split: f64,
    /// Samples of each model before anything is decided.
    #[serde(default = "hundred")]
    #[schema(default = 100, minimum = 2)]
    min_samples: i64,
    /// Improvement that is required, as a share: 0.02 is 2 %.
    #[serde(default = "two_percent")]
    #[schema(default = 0.02, minimum = 0.0)]
    success_threshold: f64,
    /// The statistical test.
    #[serde(default = "t_test")]
    #[schema(default = "t_test")]
    statistical_test: String,
    /// The chance of a false alarm that is accepted.
    #[serde(default = "five_percent")]
    #[schema(default = 0.05, exclusive_minimum = 0.0, exclusive_maximum = 1.0)]
    significance_level: f64,
    /// How many evaluations may decide; they share the significance level.
    #[serde(default = "one")]
    #[schema(default = 1, minimum = 1)]
    planned_looks: u32,
    /// What makes repeated looks honest: `auto` (planned looks share the level), `group_sequential`, `always_valid` (a confidence
    /// sequence: any number of looks, none planned) or `horizon` (only the last planned look decides).
    #[serde(default = "auto")]
    #[schema(default = "auto")]
    monitoring: String,
    /// What must reach the threshold: `point` (the improvement) or `superiority` (the lower end of its interval).
    #[serde(default = "point")]
    #[schema(default = "point")]
    threshold_mode: String,
    /// Channels that hear of its decision and its end, beside those that hear of everything in the registry.
    #[serde(default)]
    notify: Vec<String>,
    /// Who creates it; the caller when it is left out, and nobody else unless the API is open.
    created_by: Option<String>,
}

fn half() -> f64 {
    0.5
}
fn hundred() -> i64 {
    100
}
fn two_percent() -> f64 {
    0.02
}
fn t_test() -> String {
    "t_test".to_owned()
}
fn five_percent() -> f64 {
    0.05
}
fn one() -> u32 {
    1
}
fn auto() -> String {
    "auto".to_owned()
}
fn point() -> String {
    "point".to_owned()
}

/// Creates a test, as a draft.
#[utoipa::path(post, path = "/governance/ab-tests", tag = "ab-tests", request_body = TestRequest,
    responses((status = 201, description = "The draft.", body = TestRow)))]
async fn create(State(api): State<Api>, request: Write<TestRequest>) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    let actor = request.caller.acting_as("created_by", request.body.created_by.as_deref())?;
    let mut change = request.begin(&api).await?;
    let body = request.body;
    let new = NewTest {
        test_name: body.test_name,
        model_a_name: body.model_a_name,
        model_a_version: body.model_a_version,
        model_b_name: body.model_b_name,
        model_b_version: body.model_b_version,
        success_metric: body.success_metric,
        lower_is_better: body.lower_is_better,
        traffic_split: body.traffic_split,
        min_samples: body.min_samples,
        success_threshold: body.success_threshold,
        statistical_test: body.statistical_test,
        significance_level: body.significance_level,
        planned_looks: body.planned_looks,
        monitoring: body.monitoring,
        threshold_mode: body.threshold_mode,
        notify: body.notify,
    };
    let auto = api.app.settings.enable_model_registry;
    let test = ab_tests::create(change.conn(), &new, api.app.registry_setup(), auto, &actor).await?;
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
