//! Finding model versions: the latest one, and lists page by page.
//!
//! Each combination of filters is a statement of its own, so that a prepared one's plan fits it: `$1 IS NULL OR ...` would
//! make the planner read the whole table. What is put into the text itself comes from enums and numbers, everything else is
//! bound. Tests ask the server for the plans of exactly these statements.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::models::{ModelVersion, model_columns};

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// After the row of this time and id, newest first.
    Row(DateTime<Utc>, Uuid),
    /// Below this version, highest first.
    Version(String),
}

/// Which versions are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this model.
    pub name: Option<String>,
    /// Of models whose names begin so.
    pub name_prefix: Option<String>,
    /// In this stage.
    pub stage: Option<String>,
    /// With these tags: an object.
    pub tags: Option<Value>,
    /// Of this owner.
    pub owner: Option<String>,
    /// Registered by this principal.
    pub created_by: Option<String>,
    /// Whether tombstones are wanted too.
    pub include_deleted: bool,
    /// Highest version first instead of newest first; of one model.
    pub by_version: bool,
    /// Only what comes after this one: the page after it. It fits the order.
    pub after: Option<After>,
    /// At most so many.
    pub limit: u32,
}

/// Which version of a model is the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latest {
    /// In this stage; none means in any but archived. One of the four stages, or nothing is found.
    pub stage: Option<&'static str>,
    /// Whether a pre-release counts beside releases.
    pub include_prerelease: bool,
    /// The newest by time instead of the highest by version.
    pub by_time: bool,
}

/// The statement of [`latest`].
#[must_use]
pub fn latest_statement(name: &str, wanted: Latest) -> QueryBuilder<Postgres> {
    let condition = match wanted.stage {
        // A literal, so that the planner knows which index holds these rows.
        Some(stage) => format!("stage = '{stage}' AND deleted_at IS NULL"),
        None => "stage <> 'archived' AND deleted_at IS NULL".to_owned(),
    };
    let mut query = QueryBuilder::new(concat!("SELECT ", model_columns!(), " FROM model_registry m WHERE m.id = ("));
    if wanted.by_time {
        query.push("SELECT id FROM model_registry WHERE model_name = ").push_bind(name.to_owned());
        query.push(format!(" AND {condition} ORDER BY created_at DESC, id DESC LIMIT 1)"));
        return query;
    }
    query.push("SELECT id FROM (");
    for (index, prerelease) in ["false", "true"].into_iter().enumerate() {
        query.push(if index == 0 { "" } else { " UNION ALL " });
        query.push("(SELECT id, is_prerelease, precedence FROM model_registry WHERE model_name = ");
        query.push_bind(name.to_owned());
        query.push(format!(" AND is_prerelease = {prerelease} AND {condition} ORDER BY precedence DESC LIMIT 1)"));
    }
    query.push(if wanted.include_prerelease {
        ") u ORDER BY precedence DESC LIMIT 1)"
    } else {
        ") u ORDER BY is_prerelease, precedence DESC LIMIT 1)"
    });
    query
}

/// The latest version of a model.
///
/// # Errors
/// Any error of the database.
pub async fn latest(conn: &mut PgConnection, name: &str, wanted: Latest) -> Result<Option<ModelVersion>, sqlx::Error> {
    latest_statement(name, wanted).build_query_as().fetch_optional(conn).await
}

/// The statement of [`list`].
#[must_use]
pub fn list_statement(filter: &Filter) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(concat!("SELECT ", model_columns!(), " FROM model_registry m WHERE true"));
    if !filter.include_deleted {
        query.push(" AND m.deleted_at IS NULL");
    }
    for (column, value) in [
        ("model_name", &filter.name),
        ("stage", &filter.stage),
        ("owner", &filter.owner),
        ("created_by", &filter.created_by),
    ] {
        if let Some(value) = value {
            query.push(format!(" AND m.{column} = ")).push_bind(value.clone());
        }
    }
    if let Some(prefix) = &filter.name_prefix {
        query.push(r#" AND m.model_name COLLATE "C" >= "#).push_bind(prefix.clone());
        // Names are ASCII up to `z`: `~` follows all of them.
        query.push(r#" AND m.model_name COLLATE "C" < "#).push_bind(format!("{prefix}~"));
    }
    if let Some(tags) = &filter.tags {
        query.push(" AND m.tags @> ").push_bind(tags.clone());
    }
    match &filter.after {
        Some(After::Row(at, id)) => {
            query.push(" AND (m.created_at, m.id) < (").push_bind(*at).push(", ").push_bind(*id).push(")");
        }
        Some(After::Version(version)) => {
            query.push(" AND m.precedence < steward_version_key(").push_bind(version.clone()).push(")");
        }
        None => {}
    }
    query.push(if filter.by_version {
        " ORDER BY m.precedence DESC"
    } else {
        " ORDER BY m.created_at DESC, m.id DESC"
    });
    query.push(" LIMIT ").push_bind(i64::from(filter.limit));
    query
}

/// A page of versions.
///
/// # Errors
/// Any error of the database.
pub async fn list(conn: &mut PgConnection, filter: &Filter) -> Result<Vec<ModelVersion>, sqlx::Error> {
    list_statement(filter).build_query_as().fetch_all(conn).await
}
