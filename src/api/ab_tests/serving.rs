//! Who is served by which model, and who was.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::body::{Path, Query};
use super::super::caller::Caller;
use super::super::change::{Answer, Write};
use super::super::page::{self, Page};
use super::super::problem::Problem;
use super::super::{Api, etag};
use crate::access::Scope;
use crate::registry::ab_tests::assignment::{self, Assigned, Exposed, Exposure};
use crate::registry::ab_tests::{self};

/// Who or what is to be served.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AssignmentQuery {
    /// The unit: a user, a session, whatever must always get the same model.
    #[param(min_length = 1, max_length = 256)]
    unit_id: String,
}

/// The model that serves a unit.
#[derive(Debug, Serialize, ToSchema)]
struct Assignment {
    /// The test.
    test_id: Uuid,
    /// The unit.
    unit_id: String,
    /// `a` or `b`.
    arm: String,
    /// The model of that arm.
    model_name: String,
    /// Its version.
    model_version: String,
}

/// Says which model serves a unit: the same answer every time, from the test's seed and the unit's name. When the split changes,
/// only as many units move as must. A test that does not run serves model A. Nothing is noted; see `assign`.
#[utoipa::path(get, path = "/governance/ab-tests/{test_id}/assignment", tag = "ab-tests",
    params(("test_id" = Uuid, Path, description = "The test."), AssignmentQuery),
    responses((status = 200, description = "The arm and its model.", body = Assignment)))]
pub(super) async fn assignment(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(query): Query<AssignmentQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    if query.unit_id.is_empty() || query.unit_id.len() > 256 {
        return Err(Problem::invalid("?unit_id", "must have 1 to 256 bytes"));
    }
    let mut conn = api.pool().acquire().await?;
    let test = ab_tests::get(&mut conn, id).await?;
    let Assigned { unit_id, arm, model_name, model_version } = assignment::served(&test, &query.unit_id);
    etag::json(&Assignment { test_id: id, unit_id, arm, model_name, model_version })
}

/// Units to be assigned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "units": ["user-17", "user-18"] }))]
pub(super) struct AssignRequest {
    /// 1 to 10,000 units: users, sessions, whatever must always get the same model.
    #[schema(min_items = 1, max_items = 10_000)]
    units: Vec<String>,
    /// Whether they are noted as having seen their arm.
    #[serde(default = "yes")]
    #[schema(default = true)]
    record: bool,
}

fn yes() -> bool {
    true
}

/// The models that serve units.
#[derive(Debug, Serialize, ToSchema)]
struct Assignments {
    /// The test.
    test_id: Uuid,
    /// Where it stands.
    status: String,
    /// Why every unit gets the control; null while the test runs.
    reason: Option<String>,
    /// The units as they were given.
    assignments: Vec<Assigned>,
}

/// Assigns units to the arms and notes it, one row a unit. The same unit gets the same arm every time. A test that does not run
/// assigns nobody: every unit gets the control, with the reason, so that serving goes on.
#[utoipa::path(post, path = "/governance/ab-tests/{test_id}/assign", tag = "ab-tests", request_body = AssignRequest,
    params(("test_id" = Uuid, Path, description = "The test.")),
    responses((status = 200, description = "Each unit's arm and model.", body = Assignments)))]
pub(super) async fn assign(
    State(api): State<Api>,
    Path(id): Path<Uuid>,
    request: Write<AssignRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    let mut change = request.begin(&api).await?;
    let (units, record) = (&request.body.units, request.body.record);
    let (test, assignments) = assignment::assign_units(change.conn(), id, units, record).await?;
    let reason = assignment::not_assigning(&test);
    change.commit(Answer::ok(&Assignments { test_id: id, status: test.status, reason, assignments })?).await
}

/// Which page of units is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExposuresQuery {
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the units that were assigned, in their order: the arm, when first and last, how often.
#[utoipa::path(get, path = "/governance/ab-tests/{test_id}/exposures", tag = "ab-tests",
    params(("test_id" = Uuid, Path, description = "The test."), ExposuresQuery),
    responses((status = 200, description = "A page of units.", body = Page<Exposure>)))]
pub(super) async fn exposures(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(query): Query<ExposuresQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let limit = page::limit(query.limit)?;
    let after = page::text_place(query.cursor.as_deref())?.unwrap_or_default();
    let rows = assignment::exposures(api.pool(), id, &after, i64::from(limit) + 1).await?;
    etag::json(&Page::of(rows, limit, |row| page::text_cursor(&row.unit), |row| row))
}

/// Counts the units that were assigned and holds their ratio against the split.
#[utoipa::path(get, path = "/governance/ab-tests/{test_id}/exposures/counts", tag = "ab-tests",
    params(("test_id" = Uuid, Path, description = "The test.")),
    responses((status = 200, description = "Units of each arm.", body = Exposed)))]
pub(super) async fn counts(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let mut conn = api.pool().acquire().await?;
    etag::json(&assignment::exposed(&mut conn, id).await?)
}
