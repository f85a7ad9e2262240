//! What was observed, and the looks at it.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::body::{Path, Query};
use super::super::caller::Caller;
use super::super::change::{Answer, Write};
use super::super::page::{self, Page};
use super::super::problem::Problem;
use super::super::{Api, etag};
use crate::access::Scope;
use crate::registry::ab_tests::observations::Kept;
use crate::registry::ab_tests::{self, BothArms, Error, Evidence, Observation, PostedResults, ResultRow};

/// Which page of looks is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ResultsQuery {
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the looks at a test, oldest first.
#[utoipa::path(get, path = "/governance/ab-tests/{test_id}/results", tag = "ab-tests",
    params(("test_id" = Uuid, Path, description = "The test."), ResultsQuery),
    responses((status = 200, description = "A page of looks.", body = Page<ResultRow>)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(query): Query<ResultsQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let limit = page::limit(query.limit)?;
    let after = page::number_place(query.cursor.as_deref())?.map_or(0, |n| i32::try_from(n).unwrap_or(i32::MAX));
    let rows = ab_tests::results(api.pool(), id, after, i64::from(limit) + 1).await?;
    etag::json(&Page::of(rows, limit, |row| page::number_cursor(i64::from(row.look)), |row| row))
}

/// The results of one arm.
#[derive(Debug, serde::Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)] // what is read is `ArmResults`; this says what it looks like
enum ArmResultsBody {
    /// A value of the success metric for each row; null where it is missing.
    Values(Vec<Option<f64>>),
    /// Rows, mean and sample variance.
    Moments {
        /// Rows.
        #[schema(minimum = 1)]
        n: u64,
        /// Their mean.
        mean: f64,
        /// Their sample variance (divisor n - 1).
        #[schema(minimum = 0.0)]
        variance: f64,
    },
    /// Successes among rows.
    Successes {
        /// Rows.
        #[schema(minimum = 1)]
        n: u64,
        /// Rows that succeeded.
        successes: u64,
    },
}

/// Both arms of one metric.
#[derive(Debug, serde::Serialize, ToSchema)]
#[allow(dead_code)] // what is read is `BothArms`; this says what it looks like
struct BothArmsBody {
    /// Results of model A, all of them so far.
    model_a_results: ArmResultsBody,
    /// The same of model B.
    model_b_results: ArmResultsBody,
}

/// What was observed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "model_a_results": [0.85, 0.87, 0.86], "model_b_results": [0.90, 0.91, 0.89] }))]
pub(super) struct ResultsRequest {
    /// Results of model A, all of them so far: values of the success metric, or `n` with `mean` and `variance`, or `n` with `successes`.
    /// Where the test compares both models on the same rows: values, row by row in the order of model B's.
    #[schema(value_type = ArmResultsBody)]
    model_a_results: Value,
    /// The same of model B.
    #[schema(value_type = ArmResultsBody)]
    model_b_results: Value,
    /// Labels of the rows (0 or 1), for `delong`, whose results are scores.
    #[schema(value_type = Option<Vec<Option<f64>>>)]
    labels: Option<Value>,
    /// Results of the plan's guardrails and secondary metrics, by name: all of them, each as the results above.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, BothArmsBody>)]
    metrics: BTreeMap<String, BothArms>,
    /// Whether this is the last look: it ends the test. One that comes before the last planned look has the share of the level that its place in
    /// the plan has, no more.
    #[serde(default)]
    is_final: bool,
}

/// Evaluates a running test on posted results.
#[utoipa::path(post, path = "/governance/ab-tests/{test_id}/results", tag = "ab-tests", request_body = ResultsRequest,
    params(("test_id" = Uuid, Path, description = "The test.")),
    responses((status = 201, description = "The look.", body = ResultRow)))]
pub(super) async fn post(
    State(api): State<Api>,
    Path(id): Path<Uuid>,
    request: Write<ResultsRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    let body = &request.body;
    let arms =
        BothArms { model_a_results: body.model_a_results.clone(), model_b_results: body.model_b_results.clone() };
    let posted = PostedResults::read(&arms, body.labels.as_ref(), &body.metrics);
    let posted = posted.map_err(|problem| Error::Invalid(vec![problem]))?;
    look(&api, id, &request, &Evidence::Posted(Box::new(posted)), body.is_final).await
}

/// Rows to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "rows": [
    { "request_id": "9f3c-1", "unit_id": "user-17", "variant": "a", "outcome": 0 },
    { "request_id": "9f3c-2", "unit_id": "user-18", "variant": "b", "outcome": null }
] }))]
pub(super) struct ObservationsRequest {
    /// 1 to 10,000 rows.
    #[schema(min_items = 1, max_items = 10_000)]
    rows: Vec<Observation>,
}

/// Keeps rows of what was observed: each once by its request id; an outcome that was missing may come later. Nothing is evaluated.
#[utoipa::path(post, path = "/governance/ab-tests/{test_id}/observations", tag = "ab-tests", request_body = ObservationsRequest,
    params(("test_id" = Uuid, Path, description = "The test.")),
    responses((status = 200, description = "What became of the rows.", body = Kept)))]
pub(super) async fn observe(
    State(api): State<Api>,
    Path(id): Path<Uuid>,
    request: Write<ObservationsRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    let mut change = request.begin(&api).await?;
    let kept = ab_tests::observe(change.conn(), id, &request.body.rows, &request.caller.actor()).await?;
    change.commit(Answer::ok(&kept)?).await
}

/// How to look.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LookRequest {
    /// Whether this is the last look: it ends the test. One that comes before the last planned look has the share of the level that its place in
    /// the plan has, no more.
    #[serde(default)]
    is_final: bool,
}

/// Evaluates a running test on all rows that were kept.
#[utoipa::path(post, path = "/governance/ab-tests/{test_id}/evaluate", tag = "ab-tests", request_body = Option<LookRequest>,
    params(("test_id" = Uuid, Path, description = "The test.")),
    responses((status = 201, description = "The look.", body = ResultRow)))]
pub(super) async fn evaluate(
    State(api): State<Api>,
    Path(id): Path<Uuid>,
    request: Write<LookRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    look(&api, id, &request, &Evidence::Kept, request.body.is_final).await
}

async fn look<T>(
    api: &Api,
    id: Uuid,
    request: &Write<T>,
    evidence: &Evidence,
    is_final: bool,
) -> Result<Response, Problem>
where
    T: serde::de::DeserializeOwned,
{
    let mut change = request.begin(api).await?;
    let (setup, actor) = (api.app.registry_setup(), request.caller.actor());
    let look = ab_tests::evaluate(change.conn(), setup, id, evidence, is_final, &actor).await?;
    change.commit(Answer::created(format!("/governance/ab-tests/{id}/results"), &look)?).await
}
