//! Registering a version.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::Api;
use super::super::body::Path;
use super::super::change::{Answer, Nothing, Write};
use super::super::problem::{Denial, Problem};
use super::{place, setup, tag};
use crate::access::Scope;
use crate::config::server::Authentication;
use crate::db::audit::Actor;
use crate::jobs::artefacts;
use crate::registry::ready::QUICK_BYTES;
use crate::registry::{self, ModelVersion, NewVersion, Stage};
use crate::storage;

/// A version to be registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "model_name": "biodiversity_ensemble", "version": "0.2.0", "stage": "development",
    "description": "Improved biodiversity model with new features",
    "model_path": "/models/biodiversity_v0.2.0.pkl",
    "training_data_path": "/data/training_biodiversity_v2.csv",
    "hyperparameters": { "learning_rate": 0.01, "n_estimators": 100 },
    "training_metadata": { "training_date": "2024-01-15", "dataset_size": 10000 },
    "created_by": "data_scientist"
}))]
pub(super) struct RegisterRequest {
    /// The model: letters, digits, `.`, `_`, `-`.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
    model_name: String,
    /// The version, by Semantic Versioning 2.0.0.
    #[schema(example = "0.2.0", max_length = 128)]
    version: String,
    /// `development` (usual) or `archived`; further up goes only by promotion.
    #[serde(default = "development")]
    #[schema(default = "development")]
    stage: String,
    /// What it is, in words.
    description: Option<String>,
    /// Where the artefact lies: a path, or a URI of object storage.
    model_path: Option<String>,
    /// What it was trained on.
    training_data_path: Option<String>,
    /// What it was trained with.
    #[serde(default)]
    hyperparameters: Map<String, Value>,
    /// How and when it was trained.
    #[serde(default)]
    training_metadata: Map<String, Value>,
    /// Who made it; the caller when it is left out, and nobody else unless the API is open.
    created_by: Option<String>,
    /// Who answers for it.
    owner: Option<String>,
    /// Labels to find it by.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// SHA-256 of the artefact, as `sha256:` and 64 hexadecimal digits, where it is known already.
    artefact_digest: Option<String>,
}

/// Why nothing at a path is read.
const UNREAD: &str =
    "not read: `storage.allowed` is empty, and until it names roots nothing is read for callers over HTTP";

fn development() -> String {
    "development".to_owned()
}

/// Registers a version. The same content again answers 200 with what is there; other content is a conflict.
#[utoipa::path(post, path = "/governance/models/register", tag = "models", request_body = RegisterRequest,
    responses((status = 201, description = "Registered.", body = ModelVersion),
              (status = 200, description = "It was registered before, with the same content.", body = ModelVersion)))]
pub(super) async fn register(State(api): State<Api>, request: Write<RegisterRequest>) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsRegister)?;
    let actor = request.caller.acting_as("created_by", request.body.created_by.as_deref())?;
    let readable = readable(&api, request.body.model_path.as_deref())?;
    let mut change = request.begin(&api).await?;
    let body = request.body;
    let new = NewVersion {
        model_name: body.model_name,
        version: body.version,
        stage: Stage::parse(&body.stage)?,
        description: body.description,
        model_path: body.model_path,
        training_data_path: body.training_data_path,
        hyperparameters: Value::Object(body.hyperparameters),
        training_metadata: Value::Object(body.training_metadata),
        created_by: Some(actor.name.clone()),
        owner: body.owner,
        tags: body.tags,
        artefact_digest: body.artefact_digest,
        artefact_unread: (!readable).then(|| UNREAD.to_owned()),
    };
    let registered = registry::register(change.conn(), setup(&api), &new, &actor).await.map_err(taken)?;
    let version = registered.version;
    if registered.created || registered.completed {
        verify_later(&api, change.conn(), &version, &actor).await?;
    }
    let (place, tag) = (place(&version), tag(&version));
    let answer = if registered.created || registered.completed {
        Answer::created(place, &version)?
    } else {
        Answer::ok(&version)?
    };
    change.commit(answer.tagged(tag)).await
}

/// A number that belonged to a deleted version is taken for ever.
fn taken(error: registry::Error) -> Problem {
    let deleted = matches!(error, registry::Error::Deleted { .. });
    let problem = Problem::from(error);
    if deleted { problem.with_status(StatusCode::CONFLICT) } else { problem }
}

/// Whether what lies at a path may be read for a caller over HTTP. Under tokens, nothing may that no root was named for.
///
/// # Errors
/// 403, recorded, when roots are named and it lies outside of them.
pub(super) fn readable(api: &Api, path: Option<&str>) -> Result<bool, Problem> {
    let Some(path) = path else { return Ok(true) };
    let settings = &api.app.settings;
    // What is no URI at all would lie in a frozen field for ever.
    if let Err(error @ storage::Error::BadUri { .. }) = api.app.storage.check(path) {
        return Err(Problem::invalid("/model_path", error.to_string()));
    }
    if settings.storage.allowed.is_empty() {
        return Ok(settings.server.authentication == Authentication::None);
    }
    api.app.storage.check(path).map(|()| true).map_err(|error| {
        let reason = error.to_string();
        Problem::new(StatusCode::FORBIDDEN, "data_not_allowed", reason.clone()).at("/model_path", reason).denied(
            Denial {
                action: "model.registered".to_owned(),
                subject_kind: "dataset".to_owned(),
                subject: path.chars().take(300).collect(),
                detail: json!({}),
            },
        )
    })
}

/// A run hashes the artefact, enqueued with the registration.
async fn verify_later(
    api: &Api,
    conn: &mut PgConnection,
    version: &ModelVersion,
    actor: &Actor,
) -> Result<(), Problem> {
    if api.app.settings.registry.verify_artefacts && readable(api, version.model_path.as_deref())? {
        artefacts::submit_verification(conn, version, actor).await?;
    }
    Ok(())
}

/// The run that hashes an artefact which is too large for a request.
///
/// # Errors
/// The database's.
pub(super) async fn verified_by_a_run(api: &Api, version: &ModelVersion, actor: &Actor) -> Result<Uuid, Problem> {
    let run = artefacts::verification_of(api.pool(), version, actor).await?;
    run.ok_or_else(|| Problem::internal(&"a run without a window has no document"))
}

/// An artefact that a run hashes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verifying {
    /// The model.
    model_name: String,
    /// The version.
    version: String,
    /// How large the artefact is.
    size_bytes: u64,
    /// The run that hashes it; `Location` is where to follow it.
    run_id: Uuid,
}

/// Hashes the artefact now, and says whether it is still the one that was registered. More than 1 GiB is hashed by a run.
#[utoipa::path(post, path = "/governance/models/{model_name}/{version}/verify", tag = "models", request_body = Option<Nothing>,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 200, description = "The version; `artefact_status` is what was found.", body = ModelVersion),
              (status = 202, description = "It is large: a run hashes it.", body = Verifying)))]
pub(super) async fn verify(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsRegister)?;
    request.answered_before(&api).await?;
    let found = {
        let mut conn = api.pool().acquire().await?;
        registry::get(&mut conn, &name, &version).await?
    };
    if found.model_path.is_some() && !readable(&api, found.model_path.as_deref())? {
        return Err(Problem::new(StatusCode::FORBIDDEN, "data_not_allowed", UNREAD).denied(Denial {
            action: "model.artefact_checked".to_owned(),
            subject_kind: "model".to_owned(),
            subject: found.subject(),
            detail: json!({ "code": "data_not_allowed" }),
        }));
    }
    let (pool, storage) = (api.pool(), &api.app.storage);
    let actor = request.caller.actor();
    let extent = match &found.model_path {
        Some(path) => registry::artefact::extent(storage, path).await?,
        None => None,
    };
    if let Some(extent) = extent.filter(|extent| extent.size_bytes > QUICK_BYTES) {
        let run_id = verified_by_a_run(&api, &found, &actor).await?;
        let (model_name, version) = (found.model_name, found.version);
        let answer = Verifying { model_name, version, size_bytes: extent.size_bytes, run_id };
        let change = request.begin(&api).await?;
        return change.commit(Answer::created(format!("/governance/runs/{run_id}"), &answer)?.accepted()).await;
    }
    let version = registry::artefact::verify(pool, storage, setup(&api), &name, &version, &actor).await?;
    let change = request.begin(&api).await?;
    let tag = tag(&version);
    change.commit(Answer::ok(&version)?.tagged(tag)).await
}
