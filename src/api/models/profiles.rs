//! Reference profiles of versions, every edition kept.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::super::body::{self, Path, Query};
use super::super::caller::Caller;
use super::super::change::{Answer, Write};
use super::super::page::Page;
use super::super::problem::{Denial, Problem};
use super::super::{Api, etag};
use crate::access::Scope;
use crate::config::server::Authentication;
use crate::dataset::{self, Dataset, Format, Source};
use crate::drift::profile::Profile;
use crate::jobs::judging::profile;
use crate::registry::{self, ProfileEdition, ProfileRow};

/// Which edition.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProfileQuery {
    /// Its number; the newest when it is left out.
    #[param(minimum = 1)]
    edition: Option<i32>,
}

/// Shows the reference profile of a version: what stands for its training data when drift is judged.
#[utoipa::path(get, path = "/governance/models/{model_name}/{version}/profile", tag = "models",
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version."), ProfileQuery),
    responses((status = 200, description = "The profile.", body = ProfileRow)))]
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
    Query(query): Query<ProfileQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let edition = body::edition(query.edition)?;
    let mut conn = api.pool().acquire().await?;
    etag::json(&registry::profile(&mut conn, &name, &version, edition).await?)
}

/// Where the rows lie that a profile is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "data": "s3://training/flights/2013-0[1-3].parquet", "exclude": ["passenger_name"] }))]
pub(super) struct ProfileRequest {
    /// A path or URI; globs allowed. It must lie under `storage.allowed`.
    data: String,
    /// `parquet`, `csv` or `ndjson`; by default what the names end in.
    format: Option<String>,
    /// The columns to keep; all when it is left out.
    #[serde(default)]
    columns: Vec<String>,
    /// Columns to leave out.
    #[serde(default)]
    exclude: Vec<String>,
}

/// Reads the data and keeps its profile as the next edition: counts and quantiles of each column, no rows.
#[utoipa::path(post, path = "/governance/models/{model_name}/{version}/profile", tag = "models", request_body = ProfileRequest,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 201, description = "The edition.", body = ProfileEdition),
              (status = 200, description = "The newest edition is this very profile.", body = ProfileEdition)))]
pub(super) async fn add(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    request: Write<ProfileRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::ModelsRegister)?;
    allowed(&api, &request.body.data)?;
    request.answered_before(&api).await?;
    {
        let mut conn = api.pool().acquire().await?;
        registry::get(&mut conn, &name, &version).await?;
    }
    let profile = read(&api, &request.body).await?;
    let (source, actor) = (request.body.data.clone(), request.caller.actor());
    let mut change = request.begin(&api).await?;
    let added = registry::add_profile(change.conn(), &name, &version, &profile, &source, &actor).await?;
    let location =
        format!("/governance/models/{name}/{}/profile?edition={}", version.replace('+', "%2B"), added.edition.edition);
    let answer = if added.created { Answer::created(location, &added.edition)? } else { Answer::ok(&added.edition)? };
    change.commit(answer).await
}

/// Whoever may register versions must not thereby read every file that Steward can read.
fn allowed(api: &Api, uri: &str) -> Result<(), Problem> {
    let checked = match api.app.settings.server.authentication {
        Authentication::None => api.app.storage.check(uri),
        Authentication::Tokens => api.app.storage.check_submitted(uri),
    };
    checked.map_err(|error| {
        let reason = error.to_string();
        if matches!(error, crate::storage::Error::BadUri { .. }) {
            return Problem::invalid("/data", reason);
        }
        let problem = Problem::new(StatusCode::FORBIDDEN, "data_not_allowed", reason.clone()).at("/data", reason);
        problem.denied(Denial {
            action: "model.profile_added".to_owned(),
            subject_kind: "dataset".to_owned(),
            subject: uri.chars().take(300).collect(),
            detail: json!({}),
        })
    })
}

async fn read(api: &Api, body: &ProfileRequest) -> Result<Profile, Problem> {
    let format = match &body.format {
        Some(name) => Some(
            serde_json::from_value::<Format>(name.as_str().into())
                .map_err(|_| Problem::invalid("/format", format!("there is no format `{name}`")))?,
        ),
        None => None,
    };
    let source = Source { uri: body.data.clone(), format, ..Source::default() };
    let unread = |error: dataset::Error| {
        if error.is_transient() {
            return Problem::unavailable("data_unavailable", "the data cannot be read now; try again", 5);
        }
        let pointer = if error.is_about_a_column() { "/columns" } else { "/data" };
        Problem::invalid(pointer, error.to_string())
    };
    let dataset = Dataset::open(&api.app.storage, source, &[]).await.map_err(unread)?;
    profile::of(&dataset, &body.columns, &body.exclude).await.map_err(unread)
}

/// Lists all editions of a profile, newest first, without the profiles themselves.
#[utoipa::path(get, path = "/governance/models/{model_name}/{version}/profile/editions", tag = "models",
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 200, description = "All of them; `next_cursor` is always null.", body = Page<ProfileEdition>)))]
pub(super) async fn editions(
    State(api): State<Api>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let mut conn = api.pool().acquire().await?;
    let items = registry::profile_editions(&mut conn, &name, &version).await?;
    etag::json(&Page { items, next_cursor: None })
}
