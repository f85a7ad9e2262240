//! Registering a version.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::super::Api;
use super::super::change::{Answer, Write};
use super::super::problem::{Denial, Problem};
use super::{place, setup, tag};
use crate::access::Scope;
use crate::registry::{self, ModelVersion, NewVersion, Stage};

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
    readable(&api, request.body.model_path.as_deref())?;
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
    };
    let registered = registry::register(change.conn(), setup(&api), &new, &actor).await?;
    let version = registered.version;
    let (place, tag) = (place(&version), tag(&version));
    let answer = if registered.created || registered.completed {
        Answer::created(place, &version)?
    } else {
        Answer::ok(&version)?
    };
    change.commit(answer.tagged(tag)).await
}

/// An artefact is read by a run later: what may not be read is refused now, with the reason.
fn readable(api: &Api, path: Option<&str>) -> Result<(), Problem> {
    let Some(path) = path else { return Ok(()) };
    let settings = &api.app.settings;
    // Without allowed roots, what a caller with a token names is only written down: no run reads it.
    if !settings.registry.verify_artefacts || settings.storage.allowed.is_empty() {
        return Ok(());
    }
    api.app.storage.check(path).map_err(|error| {
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
