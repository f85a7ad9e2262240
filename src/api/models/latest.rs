//! The latest version of a model, and waiting for it to change.

use std::sync::OnceLock;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::broadcast;
use utoipa::IntoParams;

use super::super::body::{self, Path, Query};
use super::super::caller::Caller;
use super::super::problem::Problem;
use super::super::{Api, etag};
use super::tag;
use crate::access::Scope;
use crate::registry::{self, ModelVersion, Order, Stage};

/// Sent by a trigger; the payload is the model's name.
const CHANNEL: &str = "steward_models";
/// How often somebody who waits looks without being told to.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Tells those who wait that a model has changed. One connection listens for all of them, from the first one on.
#[derive(Debug, Default)]
pub(in crate::api) struct Hub {
    sender: OnceLock<broadcast::Sender<String>>,
}

impl Hub {
    fn subscribe(&self, pool: &PgPool) -> broadcast::Receiver<String> {
        let sender = self.sender.get_or_init(|| {
            let (sender, _) = broadcast::channel(256);
            tokio::spawn(listen(pool.clone(), sender.clone()));
            sender
        });
        sender.subscribe()
    }
}

async fn listen(pool: PgPool, sender: broadcast::Sender<String>) {
    while !pool.is_closed() {
        // A connection of its own: it would block one of the pool for ever.
        let own = PgPoolOptions::new().max_connections(1).connect_lazy_with((*pool.connect_options()).clone());
        if let Ok(mut listener) = PgListener::connect_with(&own).await
            && listener.listen(CHANNEL).await.is_ok()
        {
            while let Ok(Some(message)) = listener.try_recv().await {
                // Nobody waits: nobody is told.
                sender.send(message.payload().to_owned()).ok();
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Which version is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LatestQuery {
    /// Only versions in this stage; without one, all that are not archived.
    stage: Option<String>,
    /// Whether pre-releases count although there are releases.
    #[serde(default)]
    include_prerelease: bool,
    /// `version` (usual): the highest version; `created_at`: the one registered last.
    order: Option<String>,
    /// Wait up to so long (`30s`) until the answer is another than that of `If-None-Match`, or until there is one.
    #[param(example = "30s", pattern = r"^[0-9]{1,5}s?$")]
    wait: Option<String>,
}

/// Gets the latest version of a model: the highest release that is not archived.
#[utoipa::path(get, path = "/governance/models/{model_name}/latest", tag = "models",
    params(("model_name" = String, Path, description = "The model."), LatestQuery,
           ("If-None-Match" = Option<String>, Header, description = "The state that you have.")),
    responses((status = 200, description = "The version; `ETag` is its state.", body = ModelVersion),
              (status = 304, description = "As you have it (`If-None-Match`).")))]
pub(super) async fn latest(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Path(name): Path<String>,
    Query(query): Query<LatestQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let stage = query
        .stage
        .as_deref()
        .map(Stage::parse)
        .transpose()
        .map_err(|error| Problem::invalid("?stage", error.to_string()))?;
    body::one_of("?order", query.order.as_deref(), &["version", "created_at"])?;
    let order = if query.order.as_deref() == Some("created_at") { Order::CreatedAt } else { Order::Precedence };
    let find = async || {
        let mut conn = api.pool().acquire().await?;
        registry::latest(&mut conn, &name, stage, query.include_prerelease, order).await.map_err(Problem::from)
    };
    let Some(patience) = body::wait(&api, query.wait.as_deref())? else {
        let version = find().await?;
        return etag::answer(&headers, tag(&version), &version);
    };
    let end = tokio::time::Instant::now() + patience;
    // Subscribed before looking, so that nothing between the two is missed.
    let mut changes = api.models_changed.subscribe(api.pool());
    loop {
        let found = find().await;
        // A service that stops lets its callers go; they ask another one, or this one later.
        let over = tokio::time::Instant::now() >= end || api.stop.is_cancelled();
        match found {
            Ok(version) if over || !etag::known(&headers, &tag(&version)) => {
                return etag::answer(&headers, tag(&version), &version);
            }
            Err(problem) if over || !problem.is_not_found() => return Err(problem),
            _ => {}
        }
        let look_again = end.min(tokio::time::Instant::now() + LOOK_EVERY);
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(look_again) => break,
                () = api.stop.cancelled() => break,
                told = changes.recv() => match told {
                    Ok(changed) if changed != name => {}
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => break,
                    Err(broadcast::error::RecvError::Closed) => tokio::time::sleep_until(look_again).await,
                },
            }
        }
    }
}
