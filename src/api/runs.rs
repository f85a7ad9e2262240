//! `/governance/runs`: submit a document once, follow a run, repeat or cancel it.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::body::{Path, Query, one_of};
use super::caller::Caller;
use super::change::{Answer, Nothing, Write};
use super::page::{self, Page};
use super::problem::Problem;
use super::{Api, etag};
use crate::access::Scope;
use crate::app::DEFAULT_QUEUE;
use crate::db::run_results::{self, Check};
use crate::jobs::actions;
use crate::jobs::ticks::{self, Occasion};
use crate::queue::{self, Attempt, Cursor, InputPin, Run, RunFilter, State as RunState, Trigger};

mod document;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, submit))
        .routes(routes!(show))
        .routes(routes!(results))
        .routes(routes!(cancel))
        .routes(routes!(retry))
}

/// One execution of a job or of a document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub(super) struct RunView {
    /// Its identity.
    id: Uuid,
    /// The job's name, or the document's.
    job_name: String,
    /// `drift`, `metrics`, `ab_test`, `artefact`.
    kind: String,
    /// `waiting_data`, `available`, `leased`, `succeeded`, `failed`, `timed_out`, `cancelled`, `poisoned`.
    state: String,
    /// What it found: `ok`, `drifted`, `breached`, `no_data`, ...
    outcome: Option<String>,
    /// What a person reads first.
    summary: Option<Value>,
    /// `schedule`, `manual`, `adhoc`, `backfill`, `replay`, `retry`.
    trigger: String,
    /// Whether it may open incidents and send messages.
    notifies: bool,
    /// The tick it stands for.
    tick_at: Option<DateTime<Utc>>,
    /// Start of the data's window.
    window_start: Option<DateTime<Utc>>,
    /// End of it, exclusive.
    window_end: Option<DateTime<Utc>>,
    /// Attempts burnt so far.
    attempt: i32,
    /// Attempts that may be burnt.
    max_attempts: i32,
    /// Who asked for it.
    submitted_by: Option<String>,
    /// The run that it repeats.
    parent_id: Option<Uuid>,
    /// When it was enqueued.
    created_at: DateTime<Utc>,
    /// When its latest attempt started.
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// Why it failed.
    error: Option<String>,
    /// The same as one word.
    error_kind: Option<String>,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            job_name: run.job_name,
            kind: run.kind,
            state: run.state,
            outcome: run.outcome,
            summary: run.summary,
            trigger: run.trigger,
            notifies: run.notifies,
            tick_at: run.tick_at,
            window_start: run.window_start,
            window_end: run.window_end,
            attempt: run.attempt,
            max_attempts: run.max_attempts,
            submitted_by: run.submitted_by,
            parent_id: run.parent_id,
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            error: run.error,
            error_kind: run.error_kind,
        }
    }
}

/// A run with everything that it judged and read.
#[derive(Debug, Serialize, ToSchema)]
struct RunResults {
    /// The run.
    run: RunView,
    /// The document that it executed.
    document: Value,
    /// What it judged, worst first.
    checks: Vec<Check>,
    /// The objects it read.
    inputs: Vec<InputView>,
    /// Its attempts, oldest first.
    attempts: Vec<Attempt>,
}

/// An object that a run read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunInput)]
struct InputView {
    /// `reference` or `current`.
    role: String,
    /// Its URI.
    object: String,
    /// Its tag in the store, where there is one.
    etag: Option<String>,
    /// Its size in bytes.
    size_bytes: i64,
    /// Its rows.
    row_count: Option<i64>,
}

/// Which runs are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// In this state.
    state: Option<String>,
    /// Of this job.
    job: Option<String>,
    /// Of this kind.
    kind: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists runs, newest first.
#[utoipa::path(get, path = "/governance/runs", tag = "runs", params(ListQuery),
    responses((status = 200, description = "A page of runs.", body = Page<RunView>)))]
async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let limit = page::limit(query.limit)?;
    let words: Vec<&str> = RunState::ALL.iter().map(|state| state.as_str()).collect();
    one_of("?state", query.state.as_deref(), &words)?;
    let filter = RunFilter {
        states: query.state.as_deref().and_then(RunState::parse).into_iter().collect(),
        job_name: query.job,
        kind: query.kind,
        before: page::place(query.cursor.as_deref())?.map(|(created_at, id)| Cursor { created_at, id }),
    };
    let found = queue::list(api.pool(), &filter, limit).await?;
    etag::json(&Page {
        items: found.runs.into_iter().map(RunView::from).collect(),
        next_cursor: found.next.map(|next| page::cursor(next.created_at, next.id)),
    })
}

/// How to look at a run.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ShowQuery {
    /// Wait up to so long (`30s`) for the run to end.
    #[param(example = "30s", pattern = r"^[0-9]{1,5}s?$")]
    wait: Option<String>,
}

/// Shows a run; with `wait`, as soon as it has ended.
#[utoipa::path(get, path = "/governance/runs/{run_id}", tag = "runs",
    params(("run_id" = Uuid, Path, description = "The run."), ShowQuery),
    responses((status = 200, description = "The run.", body = RunView)))]
async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(query): Query<ShowQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let patience = super::body::wait(&api, query.wait.as_deref())?.unwrap_or(Duration::ZERO);
    let ended = tokio::select! {
        ended = queue::wait_for(api.pool(), id, patience) => ended?,
        () = api.stop.cancelled() => None,
    };
    let run = match ended {
        Some(run) => run,
        None => queue::get(api.pool(), id).await?,
    };
    etag::json(&RunView::from(run))
}

/// Shows what a run judged, on which objects, in which attempts.
#[utoipa::path(get, path = "/governance/runs/{run_id}/results", tag = "runs",
    params(("run_id" = Uuid, Path, description = "The run.")),
    responses((status = 200, description = "The run and its results.", body = RunResults)))]
async fn results(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let run = queue::get(api.pool(), id).await?;
    let mut inputs = Vec::new();
    {
        let mut conn = api.pool().acquire().await?;
        let view = |(role, pin): (String, InputPin)| InputView {
            role,
            object: pin.object,
            etag: pin.etag,
            size_bytes: pin.size_bytes,
            row_count: pin.row_count,
        };
        inputs.extend(queue::all_inputs(&mut conn, id).await?.into_iter().map(view));
    }
    let checks = run_results::checks(api.pool(), id).await?;
    let attempts = queue::attempts(api.pool(), id).await?;
    let document = run.document.clone();
    etag::json(&RunResults { run: run.into(), document, checks, inputs, attempts })
}

/// A document to be run once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Submission {
    /// The job document: its TOML text, or the same as a JSON object. It needs no schedule.
    #[schema(schema_with = document_schema)]
    document: Value,
    /// Start of the data's window; without one, the document's own as of now.
    window_start: Option<DateTime<Utc>>,
    /// End of the window, exclusive.
    window_end: Option<DateTime<Utc>>,
    /// Whether the run may open and close incidents and send messages.
    #[serde(default)]
    notifies: bool,
}

/// A text or an object.
fn document_schema() -> Schema {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    let object = ObjectBuilder::new().schema_type(Type::Object).build();
    OneOfBuilder::new().item(text).item(object).into()
}

/// Submits a document once, without declaring a job. Answers at once; a worker runs it.
#[utoipa::path(post, path = "/governance/runs", tag = "runs", request_body = Submission,
    responses((status = 202, description = "Enqueued; `Location` is where to follow it.", body = RunView)))]
async fn submit(State(api): State<Api>, request: Write<Submission>) -> Result<Response, Problem> {
    request.caller.need(Scope::JobsSubmit)?;
    let body = &request.body;
    let document = document::read(&api, &body.document)?;
    if writes_metrics(&document.kind) {
        request.caller.need(Scope::MetricsWrite)?;
    }
    if body.notifies {
        document::own_name(&api, &document).await?;
    }
    let now = api.app.clock.now();
    let window = match window(body.window_start, body.window_end)? {
        Some(window) => Some(window),
        None => Some(
            ticks::window_at(&document, now, now).map_err(|error| Problem::invalid("/document", error.to_string()))?,
        ),
    };
    let occasion = Occasion {
        trigger: Trigger::Adhoc,
        queue: DEFAULT_QUEUE.to_owned(),
        tick: None,
        previous: None,
        window,
        notifies: body.notifies,
        submitted_by: Some(request.caller.principal.name.clone()),
        idempotency_key: None,
    };
    let mut run =
        ticks::new_run(None, &document, &occasion).map_err(|error| Problem::invalid("/document", error.to_string()))?;
    run.traceparent = request.caller.traceparent.clone();
    let mut change = request.begin(&api).await?;
    let made = actions::submit(change.conn(), &run, &request.caller.actor()).await?;
    enqueued(change, made.id).await
}

/// Whether runs of a kind do what needs `metrics:write` by hand.
fn writes_metrics(kind: &str) -> bool {
    matches!(kind, "metrics" | "ab_test")
}

/// Start, and end, exclusive.
type Window = (DateTime<Utc>, DateTime<Utc>);

/// Both ends of a window, or none.
pub(super) fn window(start: Option<DateTime<Utc>>, end: Option<DateTime<Utc>>) -> Result<Option<Window>, Problem> {
    match (start, end) {
        (None, None) => Ok(None),
        (Some(start), Some(end)) if start < end => Ok(Some((start, end))),
        (Some(_), Some(_)) => Err(Problem::invalid("/window_end", "must be after window_start")),
        (Some(_), None) => Err(Problem::invalid("/window_end", "is needed with window_start")),
        (None, Some(_)) => Err(Problem::invalid("/window_start", "is needed with window_end")),
    }
}

/// 202 with the run as it was enqueued.
pub(super) async fn enqueued(mut change: super::change::Change, id: Uuid) -> Result<Response, Problem> {
    let run =
        queue::find(change.conn(), id).await?.ok_or_else(|| Problem::internal(&"an enqueued run is not there"))?;
    let answer = Answer::created(format!("/governance/runs/{id}"), &RunView::from(run))?;
    change.commit(answer.accepted()).await
}

/// Cancels a run: at once when it waits, by telling its worker when it runs.
#[utoipa::path(post, path = "/governance/runs/{run_id}/cancel", tag = "runs", request_body = Option<Nothing>,
    params(("run_id" = Uuid, Path, description = "The run.")),
    responses((status = 200, description = "The run as it is now; one that a worker holds ends a little later.", body = RunView)))]
async fn cancel(State(api): State<Api>, Path(id): Path<Uuid>, request: Write<Nothing>) -> Result<Response, Problem> {
    request.caller.need(Scope::JobsSubmit)?;
    let mut change = request.begin(&api).await?;
    if let queue::Cancelled::AlreadyFinished(state) =
        actions::cancel(change.conn(), id, &request.caller.actor()).await?
    {
        let detail = format!("run {id} is already finished ({}); there is nothing to cancel", state.as_str());
        return Err(Problem::new(axum::http::StatusCode::CONFLICT, "already_finished", detail));
    }
    let run =
        queue::find(change.conn(), id).await?.ok_or_else(|| Problem::not_found(format!("there is no run {id}")))?;
    change.commit(Answer::ok(&RunView::from(run))?).await
}

/// Makes a new run like a finished one; its inputs are read afresh.
#[utoipa::path(post, path = "/governance/runs/{run_id}/retry", tag = "runs", request_body = Option<Nothing>,
    params(("run_id" = Uuid, Path, description = "The finished run.")),
    responses((status = 202, description = "The new run; `Location` is where to follow it.", body = RunView)))]
async fn retry(State(api): State<Api>, Path(id): Path<Uuid>, request: Write<Nothing>) -> Result<Response, Problem> {
    request.caller.need(Scope::JobsSubmit)?;
    let mut change = request.begin(&api).await?;
    let run = queue::find(change.conn(), id).await?;
    // A document that somebody submitted: repeating it needs what submitting it needs.
    if run.is_some_and(|run| run.job_id.is_none() && writes_metrics(&run.kind)) {
        request.caller.need(Scope::MetricsWrite)?;
    }
    let made = actions::retry(change.conn(), id, DEFAULT_QUEUE, &request.caller.actor()).await?;
    enqueued(change, made.id).await
}
