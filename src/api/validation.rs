//! `/governance/models/{model_name}/{version}/metrics` and its neighbours: validation metrics.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::body::{Path, Query, as_in_path, one_of};
use super::caller::Caller;
use super::change::{Answer, Write};
use super::page::{self, Page};
use super::problem::Problem;
use super::{Api, etag};
use crate::access::Scope;
use crate::registry::validation::{self, Filter, Metric, NewMetric, Point};
use crate::registry::{self, Setup};

mod evaluate;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(query, log))
        .routes(routes!(log_batch))
        .routes(routes!(evaluate::classification))
        .routes(routes!(evaluate::regression))
        .routes(routes!(series))
}

const TYPES: [&str; 3] = ["classification", "regression", "custom"];

/// Which metrics are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MetricQuery {
    /// Of this name, such as `accuracy`.
    metric_name: Option<String>,
    /// `classification`, `regression` or `custom`.
    metric_type: Option<String>,
    /// Of this split, such as `test`.
    dataset_split: Option<String>,
    /// Of this segment of the rows.
    segment: Option<String>,
    /// Logged at this time (RFC 3339) or later.
    since: Option<DateTime<Utc>>,
    /// Logged before this time.
    until: Option<DateTime<Utc>>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the metrics of a version, newest first.
#[utoipa::path(get, path = "/governance/models/{model_name}/{version}/metrics", tag = "metrics",
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version."), MetricQuery),
    responses((status = 200, description = "A page of metrics.", body = Page<Metric>)))]
async fn query(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
    Query(query): Query<MetricQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let limit = page::limit(query.limit)?;
    one_of("?metric_type", query.metric_type.as_deref(), &TYPES)?;
    let version = {
        let mut conn = api.pool().acquire().await?;
        validation::known_version(&mut conn, &name, &version, None).await?
    };
    let filter = Filter {
        model_name: name,
        model_version: Some(version),
        metric_name: query.metric_name,
        metric_type: query.metric_type,
        dataset_split: query.dataset_split,
        segment: query.segment,
        since: query.since,
        until: query.until,
    };
    let before = page::place(query.cursor.as_deref())?;
    let rows = validation::query(api.pool(), &filter, before, i64::from(limit) + 1).await?;
    etag::json(&Page::of(rows, limit, |row| page::cursor(row.created_at, row.id), |row| row))
}

/// Whether, and how, an unknown version is registered.
pub(super) fn auto(api: &Api) -> Option<Setup<'_>> {
    api.app.settings.enable_model_registry.then(|| api.app.registry_setup())
}

/// A metric to be logged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "metric_name": "accuracy", "metric_value": 0.95, "metric_type": "classification", "dataset_split": "test" }))]
struct MetricRequest {
    /// The model; may be left out, since the path names it.
    model_name: Option<String>,
    /// The version; likewise.
    model_version: Option<String>,
    /// Its name: letters, digits, `_`, `.`, `@`, `-`.
    metric_name: String,
    /// Its value; null when it is undefined, and `metadata.reason` then says why.
    metric_value: Option<f64>,
    /// `classification`, `regression` or `custom`.
    #[serde(default = "custom")]
    #[schema(default = "custom")]
    metric_type: String,
    /// The split it was measured on: `train`, `validation`, `test`, `production`, ...
    dataset_split: Option<String>,
    /// Rows it stands on.
    sample_count: Option<i64>,
    /// Lower end of its interval.
    ci_low: Option<f64>,
    /// Upper end of its interval.
    ci_high: Option<f64>,
    /// The segment of the rows; all of them when it is left out.
    segment: Option<String>,
    /// Start of the time that the rows are from.
    window_start: Option<DateTime<Utc>>,
    /// End of it, exclusive.
    window_end: Option<DateTime<Utc>>,
    /// The run that measured it.
    run_id: Option<Uuid>,
    /// Where the rows lie.
    dataset_uri: Option<String>,
    /// Their digest.
    dataset_digest: Option<String>,
    /// Anything else.
    #[serde(default)]
    metadata: Map<String, Value>,
}

fn custom() -> String {
    "custom".to_owned()
}

impl MetricRequest {
    fn is_of(&self, at: &str, name: &str, version: &str) -> Result<(), Problem> {
        as_in_path(&format!("{at}/model_name"), self.model_name.as_deref(), name)?;
        as_in_path(&format!("{at}/model_version"), self.model_version.as_deref(), version)
    }

    fn of(self, name: &str, version: &str) -> NewMetric {
        NewMetric {
            model_name: name.to_owned(),
            model_version: version.to_owned(),
            metric_name: self.metric_name,
            metric_value: self.metric_value,
            metric_type: self.metric_type,
            dataset_split: self.dataset_split,
            sample_count: self.sample_count,
            ci_low: self.ci_low,
            ci_high: self.ci_high,
            segment: self.segment,
            window_start: self.window_start,
            window_end: self.window_end,
            run_id: self.run_id,
            dataset_uri: self.dataset_uri,
            dataset_digest: self.dataset_digest,
            metadata: Value::Object(self.metadata),
        }
    }
}

/// Logs a metric of a version.
#[utoipa::path(post, path = "/governance/models/{model_name}/{version}/metrics", tag = "metrics", request_body = MetricRequest,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 201, description = "The metric.", body = Metric)))]
async fn log(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    request: Write<MetricRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    request.body.is_of("", &name, &version)?;
    let mut change = request.begin(&api).await?;
    let actor = request.caller.actor();
    let new = request.body.of(&name, &version);
    let rows = validation::log(change.conn(), &[new], &actor, auto(&api)).await?;
    let row = rows.first().ok_or_else(|| Problem::internal(&"a logged metric is not there"))?;
    let location = format!("/governance/models/{}/{}/metrics", row.model_name, row.model_version);
    change.commit(Answer::created(location, row)?).await
}

/// Several metrics.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchRequest {
    /// All are logged, or none.
    #[schema(min_items = 1, max_items = 10000)]
    metrics: Vec<MetricRequest>,
}

/// Several metrics, as they were logged.
#[derive(Debug, Serialize, ToSchema)]
struct Logged {
    /// In the order of the request.
    items: Vec<Metric>,
}

/// Logs many metrics of a version: all, or none.
#[utoipa::path(post, path = "/governance/models/{model_name}/{version}/metrics/batch", tag = "metrics", request_body = BatchRequest,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 201, description = "The metrics.", body = Logged)))]
async fn log_batch(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    request: Write<BatchRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    for (place, metric) in request.body.metrics.iter().enumerate() {
        metric.is_of(&format!("/metrics/{place}"), &name, &version)?;
    }
    let mut change = request.begin(&api).await?;
    let actor = request.caller.actor();
    let new: Vec<NewMetric> = request.body.metrics.into_iter().map(|metric| metric.of(&name, &version)).collect();
    let items = match validation::log(change.conn(), &new, &actor, auto(&api)).await {
        Ok(rows) => rows,
        Err(error) => return Err(in_batch(error)),
    };
    change.commit(Answer::created(format!("/governance/models/{name}/{version}/metrics"), &Logged { items })?).await
}

/// Pointers into the batch.
fn in_batch(error: validation::Error) -> Problem {
    match error {
        validation::Error::Invalid(mut problems) => {
            for problem in &mut problems {
                problem.pointer = format!("/metrics/{}{}", problem.item, problem.pointer);
            }
            validation::Error::Invalid(problems).into()
        }
        other => other.into(),
    }
}

/// Which series is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SeriesQuery {
    /// Only of this version.
    model_version: Option<String>,
    /// Only of this split.
    dataset_split: Option<String>,
    /// Only of this segment.
    segment: Option<String>,
    /// At this time (RFC 3339) or later.
    since: Option<DateTime<Utc>>,
    /// Before this time.
    until: Option<DateTime<Utc>>,
    /// The newest so many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// One metric of a model over time, oldest first, for charts.
#[utoipa::path(get, path = "/governance/models/{model_name}/series/{metric_name}", tag = "metrics",
    params(("model_name" = String, Path, description = "The model."), ("metric_name" = String, Path, description = "The metric."), SeriesQuery),
    responses((status = 200, description = "The points; `next_cursor` is always null.", body = Page<Point>)))]
async fn series(
    State(api): State<Api>,
    caller: Caller,
    Path((name, metric)): Path<(String, String)>,
    Query(query): Query<SeriesQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let limit = page::limit(query.limit)?;
    if !crate::db::models::exists(&mut *api.pool().acquire().await?, &name).await? {
        return Err(registry::Error::NoModel(name).into());
    }
    let filter = Filter {
        model_name: name,
        model_version: query.model_version,
        metric_name: Some(metric),
        metric_type: None,
        dataset_split: query.dataset_split,
        segment: query.segment,
        since: query.since,
        until: query.until,
    };
    let items = validation::series(api.pool(), &filter, i64::from(limit)).await?;
    etag::json(&Page { items, next_cursor: None })
}
