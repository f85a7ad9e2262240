//! `/livez`, `/readyz`, `/metrics`: for the machines that run Steward.
//!
//! Alive means that the process answers; it asks nothing of the database, or a restart of the database would kill every process.
//! Ready means that requests can be served; what is slow or late is named, and does not take the process out of service.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::caller::Caller;
use super::problem::Problem;
use crate::access::Scope;
use crate::db::gauges;

/// A queue that waits longer than this is worth a word.
const LAG_SECONDS: f64 = 300.0;

/// The state of one part.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Component {
    /// Which: `database`, `queue`, `scheduler`, `messages`, `job files`.
    pub name: String,
    /// `ok`, `degraded` or `down`.
    #[schema(example = "ok")]
    pub state: String,
    /// What that means here.
    pub detail: String,
}

/// Whether requests can be served.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// `ready`, `degraded` or `not_ready`.
    #[schema(example = "ready")]
    pub status: String,
    /// Every part.
    pub components: Vec<Component>,
}

/// Routes that need no token: they tell nothing about models.
pub(super) fn open() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(livez)).routes(routes!(readyz))
}

/// Routes that need one.
pub(super) fn closed() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(read_metrics))
}

/// The process answers.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, description = "It does.", body = String, content_type = "text/plain")))]
async fn livez() -> &'static str {
    "ok\n"
}

/// Whether requests can be served, and how each part is.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "They can.", body = Readiness),
    (status = 503, description = "They cannot: the database is away.", body = Readiness),
))]
async fn readyz(State(api): State<Api>) -> Response {
    let read = tokio::time::timeout(Duration::from_secs(3), gauges::read(api.pool())).await;
    let component =
        |name: &str, state: &str, detail: String| Component { name: name.to_owned(), state: state.to_owned(), detail };
    let gauges = match read {
        Ok(Ok(gauges)) => gauges,
        Ok(Err(_)) | Err(_) => {
            let components = vec![component("database", "down", "the database does not answer".to_owned())];
            let body = Readiness { status: "not_ready".to_owned(), components };
            return (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "application/json")], text(&body))
                .into_response();
        }
    };
    let dead: i64 = gauges.deliveries.iter().filter(|(_, state, _)| state == "dead").map(|(.., n)| n).sum();
    let stuck: i64 = gauges.deliveries.iter().filter(|(_, state, _)| state == "retry").map(|(.., n)| n).sum();
    let lag = gauges.queue_lag_seconds;
    let late = gauges.lateness_seconds;
    let components = vec![
        component("database", "ok", "answers, and every migration is applied".to_owned()),
        component(
            "queue",
            if lag > LAG_SECONDS { "degraded" } else { "ok" },
            format!("the oldest run that could start has waited {lag:.0} s"),
        ),
        component(
            "scheduler",
            if late > LAG_SECONDS { "degraded" } else { "ok" },
            format!("the latest tick was decided {late:.0} s after its time"),
        ),
        component(
            "messages",
            if dead + stuck > 0 { "degraded" } else { "ok" },
            format!("{stuck} wait for another attempt, {dead} were given up (`steward notify dead list`)"),
        ),
    ];
    let mut components = components;
    components.push(match gauges.config_error {
        None => component("job files", "ok", "no mistakes".to_owned()),
        Some(problem) => component("job files", "degraded", format!("{problem}; the jobs stay as they were")),
    });
    let degraded = components.iter().any(|c| c.state != "ok");
    let body = Readiness { status: if degraded { "degraded" } else { "ready" }.to_owned(), components };
    ([(header::CONTENT_TYPE, "application/json")], text(&body)).into_response()
}

fn text(body: &Readiness) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

/// Counters and gauges in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, description = "The text format, version 0.0.4.", body = String, content_type = "text/plain")))]
async fn read_metrics(State(api): State<Api>, caller: Caller) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let gauges = gauges::read(api.pool()).await?;
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], api.meters.render(&gauges)).into_response())
}
