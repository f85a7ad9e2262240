//! The REST API: what a program calls, on the same tables as the command line.
//!
//! # How it hangs together
//!
//! [`router`] puts the resources together, one folder or file each, one function an endpoint. A request passes [`layers`]
//! (request id, identity, limits), its body and query are read strictly ([`body`]), a mutation runs in one transaction with its
//! audit event and its idempotency key ([`change`]), and whatever goes wrong becomes a [`problem`]. The OpenAPI document is made
//! from the handlers themselves ([`openapi`]).
//!
//! # What holds
//!
//! * Handlers decide nothing about models: they check the scope, call the domain, and render.
//! * Every error of every endpoint is `application/problem+json`; no cause from inside (SQL, paths) reaches a caller.
//! * A write is refused rather than half understood.
//!
//! The only home of axum (but for the demo's receiver), hyper, utoipa and the metrics crates.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

mod ab_tests;
mod audit;
pub mod body;
pub mod caller;
pub mod change;
mod drift;
pub mod etag;
mod failures;
mod health;
mod incidents;
mod jobs;
pub mod layers;
pub mod meters;
mod methods;
mod models;
pub mod openapi;
pub mod page;
pub mod problem;
mod runs;
mod scopes;
mod tokens;
mod validation;
mod words;

/// Bytes that the head of a request may have.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How many long-polls there may be for one other request.
const WAITERS: usize = 8;
/// Time that a client has to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What every handler may use.
#[derive(Clone, Debug)]
pub struct Api(Arc<Parts>);

/// The parts of an [`Api`].
pub struct Parts {
    /// The program.
    pub app: App,
    meters: meters::Meters,
    limiter: Option<layers::Limiter>,
    permits: Semaphore,
    /// Long-polls mostly sleep: they are counted apart, or they would keep everybody else out.
    waiters: Semaphore,
    /// Changes may wait for one another; reads must never wait for them, so half of the connections are not for changes.
    writers: Arc<Semaphore>,
    /// Reading the whole audit trail is for one caller at a time.
    verifying: Semaphore,
    stop: CancellationToken,
    openapi: String,
    models_changed: models::Hub,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Api")
    }
}

impl std::ops::Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Parts {
    fn pool(&self) -> &PgPool {
        &self.app.database.pool
    }
}

/// The resources, each with what it says of itself: those behind the identity check, and those before it.
fn resources() -> (OpenApiRouter<Api>, OpenApiRouter<Api>) {
    let closed = OpenApiRouter::with_openapi(openapi::base())
        .merge(models::routes())
        .merge(validation::routes())
        .merge(drift::routes())
        .merge(ab_tests::routes())
        .merge(jobs::routes())
        .merge(methods::routes())
        .merge(runs::routes())
        .merge(incidents::routes())
        .merge(audit::routes())
        .merge(tokens::routes())
        .merge(health::closed());
    (closed, health::open())
}

/// The OpenAPI 3.1 document, pretty-printed: what `docs/openapi.json` holds.
#[must_use]
pub fn openapi_document() -> String {
    let (closed, open) = resources();
    let document = openapi::finished(closed.merge(open).split_for_parts().1);
    document.to_pretty_json().unwrap_or_default()
}

/// The service over a program; its long-polls end when `stop` is cancelled.
pub fn router(app: &App, stop: CancellationToken) -> Router {
    let server = &app.settings.server;
    let (closed, open) = resources();
    let api = Api(Arc::new(Parts {
        app: app.clone(),
        meters: meters::Meters::default(),
        limiter: layers::limiter(server.requests_per_second),
        permits: Semaphore::new(server.max_concurrent_requests),
        waiters: Semaphore::new(server.max_concurrent_requests.saturating_mul(WAITERS)),
        writers: Arc::new(Semaphore::new(app.settings.database.max_connections.div_ceil(2) as usize)),
        verifying: Semaphore::new(1),
        stop,
        openapi: openapi_document(),
        models_changed: models::Hub::default(),
    }));
    let closed = closed
        .split_for_parts()
        .0
        .fallback(|| async { problem::Problem::not_found("no such path; /reference lists all of them") })
        .method_not_allowed_fallback(|| async { method_not_allowed() })
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn_with_state(api.clone(), layers::admit));
    let open =
        open.split_for_parts().0.route("/openapi.json", get(openapi::document)).route("/reference", get(openapi::page));
    closed
        .merge(open)
        .layer(map_response(keep))
        .layer(from_fn_with_state(api.clone(), layers::outermost))
        .with_state(api)
}

fn method_not_allowed() -> problem::Problem {
    let detail = "this path does not take this method; the header `Allow` lists those that it takes";
    problem::Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// axum answers some mistakes (an unknown method on an open path) by itself, without a body: they become problems too.
async fn keep(response: Response) -> Response {
    use axum::response::IntoResponse as _;
    let status = response.status();
    let bare = (status.is_client_error() || status.is_server_error())
        && response.extensions().get::<problem::Unfinished>().is_none()
        && !response.headers().contains_key(axum::http::header::CONTENT_TYPE);
    if !bare {
        return response;
    }
    let allow = response.headers().get(axum::http::header::ALLOW).cloned();
    let detail = status.canonical_reason().unwrap_or("refused");
    let mut answer = match status {
        StatusCode::METHOD_NOT_ALLOWED => method_not_allowed(),
        _ => problem::Problem::new(status, "refused", detail),
    }
    .into_response();
    if let Some(allow) = allow {
        answer.headers_mut().insert(axum::http::header::ALLOW, allow);
    }
    answer
}

/// Binds the configured address.
///
/// # Errors
/// When it is taken, or not this machine's.
pub async fn bind(app: &App) -> std::io::Result<TcpListener> {
    let address: SocketAddr = app
        .settings
        .server
        .listen
        .parse()
        .map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidInput, "server.listen is not an address"))?;
    TcpListener::bind(address).await
}

/// Serves until stopped; requests in flight may finish within the grace period of workers.
pub async fn serve(app: &App, listener: TcpListener, stop: CancellationToken) {
    let router = router(app, stop.clone());
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    let graceful = GracefulShutdown::new();
    let settings = &app.settings.server;
    let write_timeout = Duration::from_secs(settings.write_timeout_seconds);
    let places = Arc::new(Semaphore::new(settings.max_connections));
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
            () = stop.cancelled() => break,
        };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: it passes, and spinning would not help.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        // Small answers must not wait for one another.
        stream.set_nodelay(true).ok();
        let service = TowerToHyperService::new(router.clone());
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(write_timeout));
        let connection = graceful.watch(server.serve_connection(TokioIo::new(Box::pin(stream)), service));
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    let grace = Duration::from_secs(app.settings.worker.grace_seconds);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still open when the grace period ended");
    }
}
