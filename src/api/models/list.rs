//! Listing and finding versions.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::body::{self, Query};
use super::super::caller::Caller;
use super::super::page::{self, Page};
use super::super::problem::Problem;
use super::super::{Api, etag};
use crate::access::Scope;
use crate::registry::{self, Cursor, ListFilter, ModelVersion, Stage};

/// Which versions are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Of this model.
    model_name: Option<String>,
    /// Of models whose name begins so.
    name_prefix: Option<String>,
    /// `development`, `staging`, `production` or `archived`.
    stage: Option<String>,
    /// With this tag, as `key=value`; several are separated by commas, and all must be there.
    tag: Option<String>,
    /// Of this owner.
    owner: Option<String>,
    /// Registered by this person.
    created_by: Option<String>,
    /// `created_at` (usual): the newest first; `version`: the highest version first, within one model (`model_name`).
    order: Option<String>,
    /// Also tombstones.
    #[serde(default)]
    include_deleted: bool,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists versions, newest first or, of one model, highest first.
#[utoipa::path(get, path = "/governance/models", tag = "models", params(ListQuery),
    responses((status = 200, description = "A page of versions.", body = Page<ModelVersion>)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let limit = page::limit(query.limit)?;
    let stage = query
        .stage
        .as_deref()
        .map(Stage::parse)
        .transpose()
        .map_err(|error| Problem::invalid("?stage", error.to_string()))?;
    body::one_of("?order", query.order.as_deref(), &["created_at", "version"])?;
    let by_version = query.order.as_deref() == Some("version");
    if by_version && query.model_name.is_none() {
        return Err(Problem::invalid("?order", "versions are ordered within one model: give its `model_name` too"));
    }
    let filter = ListFilter {
        name: query.model_name,
        name_prefix: query.name_prefix,
        stage,
        tags: tags(query.tag.as_deref())?,
        owner: query.owner,
        created_by: query.created_by,
        include_deleted: query.include_deleted,
        by_version,
    };
    let after = if by_version {
        page::text_place(query.cursor.as_deref())?.map(Cursor::Version)
    } else {
        page::place(query.cursor.as_deref())?.map(|(at, id)| Cursor::At(at, id))
    };
    let mut conn = api.pool().acquire().await?;
    let (items, next) = registry::list(&mut conn, &filter, after, limit).await?;
    let next_cursor = next.map(|next| match next {
        Cursor::At(at, id) => page::cursor(at, id),
        Cursor::Version(version) => page::text_cursor(&version),
    });
    etag::json(&Page { items, next_cursor })
}

fn tags(text: Option<&str>) -> Result<BTreeMap<String, String>, Problem> {
    text.into_iter()
        .flat_map(|text| text.split(','))
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(Problem::invalid("?tag", "must be `key=value`, or several of them separated by commas")),
        })
        .collect()
}
