//! `/governance/jobs` and `/governance/schedules`: what is declared, and running it now.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{Path, Query, storable};
use super::caller::Caller;
use super::change::{Answer, Nothing, Write};
use super::page::{self, Page};
use super::problem::Problem;
use super::runs::{RunView, enqueued, window};
use super::{Api, etag};
use crate::access::Scope;
use crate::app::DEFAULT_QUEUE;
use crate::db::jobs::{self, JobOverview};
use crate::db::schedules::{self, TickRow};
use crate::jobs::actions;
use crate::jobs::ticks::{self, Occasion};
use crate::queue::Trigger;
use crate::schedule::{CronSchedule, upcoming};

/// Ticks ahead that a schedule shows.
const AHEAD: usize = 5;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(list_ticks))
        .routes(routes!(run))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(list_schedules))
}

/// A declared job and how it is doing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
struct JobView {
    /// Its name.
    name: String,
    /// `drift`, `metrics`, `ab_test`, `artefact`.
    kind: String,
    /// `active` or `paused`.
    state: String,
    /// Who paused it.
    paused_by: Option<String>,
    /// Why.
    paused_reason: Option<String>,
    /// Its cron expression; null for a job that runs on demand only.
    schedule: Option<String>,
    /// The schedule's time zone.
    timezone: Option<String>,
    /// State of its latest run.
    last_state: Option<String>,
    /// What that found.
    last_outcome: Option<String>,
    /// The tick of its latest run.
    last_at: Option<DateTime<Utc>>,
}

impl From<JobOverview> for JobView {
    fn from(job: JobOverview) -> Self {
        Self {
            name: job.name,
            kind: job.kind,
            state: job.state,
            paused_by: job.paused_by,
            paused_reason: job.paused_reason,
            schedule: job.cron,
            timezone: job.timezone,
            last_state: job.last_state,
            last_outcome: job.last_outcome,
            last_at: job.last_at,
        }
    }
}

/// A job with its document.
#[derive(Debug, Serialize, ToSchema)]
struct JobWhole {
    /// The job.
    job: JobView,
    /// Its document, canonical.
    document: Value,
    /// SHA-256 of the canonical document.
    digest: String,
    /// The file it came from.
    path: Option<String>,
}

/// A schedule and its next ticks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
struct ScheduleView {
    /// The job.
    job_name: String,
    /// The cron expression.
    cron: String,
    /// The time zone in which it is meant.
    timezone: String,
    /// The same in words.
    description: String,
    /// What happens when a tick comes while the run before it is not finished.
    overlap: String,
    /// What happens to ticks that were missed.
    catch_up: String,
    /// Whether ticks become runs now.
    active: bool,
    /// Every tick up to here has its verdict.
    high_water: DateTime<Utc>,
    /// The next ticks.
    next_ticks: Vec<DateTime<Utc>>,
}

/// Which page is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TickQuery {
    /// So many at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// Lists the declared jobs, by name.
#[utoipa::path(get, path = "/governance/jobs", tag = "jobs",
    responses((status = 200, description = "All of them: there are as many as files.", body = Page<JobView>)))]
async fn list(State(api): State<Api>, caller: Caller) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let items = jobs::overview(api.pool()).await?.into_iter().map(JobView::from).collect();
    etag::json(&Page { items, next_cursor: None })
}

async fn overview(api: &Api, name: &str) -> Result<JobOverview, Problem> {
    match jobs::overview(api.pool()).await?.into_iter().find(|job| job.name == name) {
        Some(job) => Ok(job),
        None => {
            let mut conn = api.pool().acquire().await?;
            Err(crate::jobs::apply::unknown(&mut conn, name).await?.into())
        }
    }
}

/// Shows a job with its document.
#[utoipa::path(get, path = "/governance/jobs/{job_name}", tag = "jobs",
    params(("job_name" = String, Path, description = "The job.")),
    responses((status = 200, description = "The job.", body = JobWhole)))]
async fn show(State(api): State<Api>, caller: Caller, Path(name): Path<String>) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let job = overview(&api, &name).await?;
    let mut conn = api.pool().acquire().await?;
    let row =
        jobs::find(&mut conn, &name).await?.ok_or_else(|| Problem::not_found(format!("there is no job `{name}`")))?;
    etag::json(&JobWhole { job: job.into(), document: row.document, digest: row.digest, path: row.path })
}

/// Lists what became of a job's ticks, newest first.
#[utoipa::path(get, path = "/governance/jobs/{job_name}/ticks", tag = "jobs",
    params(("job_name" = String, Path, description = "The job."), TickQuery),
    responses((status = 200, description = "Its ticks.", body = Page<TickRow>)))]
async fn list_ticks(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<TickQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let limit = page::limit(query.limit)?;
    let job = overview(&api, &name).await?;
    let items = schedules::ticks_of_job(api.pool(), job.id, i64::from(limit)).await?;
    etag::json(&Page { items, next_cursor: None })
}

/// How a declared job is to be run now.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RunRequest {
    /// Start of the data's window; without one, the job's own as of now.
    window_start: Option<DateTime<Utc>>,
    /// End of the window, exclusive.
    window_end: Option<DateTime<Utc>>,
    /// Whether the run may open and close incidents and send messages.
    #[serde(default)]
    notifies: bool,
}

/// Runs a declared job now, on demand.
#[utoipa::path(post, path = "/governance/jobs/{job_name}/run", tag = "jobs", request_body = Option<RunRequest>,
    params(("job_name" = String, Path, description = "The job.")),
    responses((status = 202, description = "Enqueued; `Location` is where to follow it.", body = RunView)))]
async fn run(
    State(api): State<Api>,
    Path(name): Path<String>,
    request: Write<RunRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::JobsSubmit)?;
    let mut change = request.begin(&api).await?;
    let Some((id, document)) = crate::jobs::apply::find(change.conn(), &name).await? else {
        return Err(crate::jobs::apply::unknown(change.conn(), &name).await?.into());
    };
    let now = api.app.clock.now();
    let invalid = |error: crate::schedule::WindowError| Problem::invalid("/window_start", error.to_string());
    let window = match window(request.body.window_start, request.body.window_end)? {
        Some(window) => window,
        None => ticks::window_at(&document, now, now).map_err(invalid)?,
    };
    let occasion = Occasion {
        trigger: Trigger::Manual,
        queue: DEFAULT_QUEUE.to_owned(),
        tick: None,
        previous: None,
        window: Some(window),
        notifies: request.body.notifies,
        submitted_by: Some(request.caller.principal.name.clone()),
        idempotency_key: None,
    };
    let mut run = ticks::new_run(Some(id), &document, &occasion).map_err(invalid)?;
    run.traceparent = request.caller.traceparent.clone();
    let made = actions::submit(change.conn(), &run, &request.caller.actor()).await?;
    enqueued(change, made.id).await
}

/// Why a job is paused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Pause {
    /// For whoever wonders why it is silent.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// Pauses a job: its ticks are recorded as paused, and unfinished runs go on.
#[utoipa::path(post, path = "/governance/jobs/{job_name}/pause", tag = "jobs", request_body = Pause,
    params(("job_name" = String, Path, description = "The job.")),
    responses((status = 200, description = "The job as it is now.", body = JobView)))]
async fn pause(State(api): State<Api>, Path(name): Path<String>, request: Write<Pause>) -> Result<Response, Problem> {
    request.caller.need(Scope::JobsSubmit)?;
    let reason = request.body.reason.trim();
    storable("/reason", reason)?;
    if reason.is_empty() || reason.chars().count() > 1000 {
        return Err(Problem::invalid("/reason", "must have 1 to 1000 characters"));
    }
    let mut change = request.begin(&api).await?;
    actions::pause(change.conn(), &name, reason, &request.caller.actor()).await?;
    changed(change, &name).await
}

/// Resumes a paused job, from its next tick on.
#[utoipa::path(post, path = "/governance/jobs/{job_name}/resume", tag = "jobs", request_body = Option<Nothing>,
    params(("job_name" = String, Path, description = "The job.")),
    responses((status = 200, description = "The job as it is now.", body = JobView)))]
async fn resume(
    State(api): State<Api>,
    Path(name): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::JobsSubmit)?;
    let mut change = request.begin(&api).await?;
    actions::resume(change.conn(), &name, &request.caller.actor()).await?;
    changed(change, &name).await
}

async fn changed(mut change: super::change::Change, name: &str) -> Result<Response, Problem> {
    let job = jobs::overview(change.conn()).await?.into_iter().find(|job| job.name == name);
    change.commit(Answer::ok(&job.map(JobView::from))?).await
}

/// Lists the schedules with their next ticks.
#[utoipa::path(get, path = "/governance/schedules", tag = "jobs",
    responses((status = 200, description = "All of them.", body = Page<ScheduleView>)))]
async fn list_schedules(State(api): State<Api>, caller: Caller) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let now = schedules::now(api.pool()).await?;
    let rows = schedules::active(api.pool()).await?;
    let items = rows
        .into_iter()
        .map(|row| {
            let cron = CronSchedule::parse(&row.cron, &row.timezone).ok();
            let ahead = cron.as_ref().map(|cron| upcoming(cron, now, AHEAD)).unwrap_or_default();
            ScheduleView {
                job_name: row.job_name,
                description: cron.map(|cron| cron.describe()).unwrap_or_default(),
                cron: row.cron,
                timezone: row.timezone,
                overlap: row.overlap,
                catch_up: row.catch_up,
                active: row.active && row.job_state == "active",
                high_water: row.high_water,
                next_ticks: ahead.into_iter().map(|tick| tick.at_utc).collect(),
            }
        })
        .collect();
    etag::json(&Page { items, next_cursor: None })
}
