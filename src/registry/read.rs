//! Looking versions up. Nothing here locks or writes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::Error;
use super::fields::{Checks, tags_json};
use super::stage::Stage;
use crate::db::model_search::{self, After, Filter, Latest};
use crate::db::models::{self, ModelVersion};

/// Longest page.
const LONGEST_PAGE: u32 = 1000;

/// Which of several versions comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The highest version.
    #[default]
    Precedence,
    /// The one registered last.
    CreatedAt,
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// Newest first: the last row's time and id.
    At(DateTime<Utc>, Uuid),
    /// Highest first: the last row's version.
    Version(String),
}

/// Which versions are wanted.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // each narrows the list to rows of which this is so
pub struct ListFilter {
    pub name: Option<String>,
    pub name_prefix: Option<String>,
    pub stage: Option<Stage>,
    pub tags: BTreeMap<String, String>,
    pub owner: Option<String>,
    pub created_by: Option<String>,
    /// Whether tombstones are listed too.
    pub include_deleted: bool,
    /// Highest version first instead of newest first: of one model only.
    pub by_version: bool,
}

/// A version. Without build metadata it is the one of that number, whatever its metadata: there is only one. With other
/// metadata than the registered it is none, since somebody means another build.
///
/// # Errors
/// [`Error::NoModel`], [`Error::NoVersion`], [`Error::Deleted`].
pub async fn get(conn: &mut PgConnection, name: &str, version: &str) -> Result<ModelVersion, Error> {
    let no_nul = !name.contains('\0') && !version.contains('\0');
    let found = if no_nul { named(conn, name, version).await? } else { None };
    match found {
        Some(found) => living(found),
        None if no_nul && models::exists(conn, name).await? => {
            Err(Error::NoVersion { model: name.to_owned(), version: version.to_owned() })
        }
        None => Err(Error::NoModel(name.to_owned())),
    }
}

/// The row that such a version names, also a tombstone.
pub(super) async fn named(
    conn: &mut PgConnection,
    name: &str,
    version: &str,
) -> Result<Option<ModelVersion>, sqlx::Error> {
    match models::get(conn, name, version).await? {
        None if !version.contains('+') => models::get_equal(conn, name, version).await,
        found => Ok(found),
    }
}

/// The version, unless it is a tombstone.
pub(super) fn living(found: ModelVersion) -> Result<ModelVersion, Error> {
    if found.deleted_at.is_none() {
        return Ok(found);
    }
    Err(Error::Deleted {
        model: found.model_name,
        version: found.version,
        by: found.deleted_by.unwrap_or_default(),
        reason: found.deleted_reason.unwrap_or_default(),
    })
}

/// The latest version: the highest release that is not archived; a pre-release only when there is no release or when they
/// are included.
///
/// # Errors
/// [`Error::NoModel`], [`Error::NothingInStage`].
pub async fn latest(
    conn: &mut PgConnection,
    name: &str,
    stage: Option<Stage>,
    include_prerelease: bool,
    order: Order,
) -> Result<ModelVersion, Error> {
    if name.contains('\0') {
        return Err(Error::NoModel(name.to_owned()));
    }
    let wanted = Latest { stage: stage.map(Stage::as_str), include_prerelease, by_time: order == Order::CreatedAt };
    match model_search::latest(conn, name, wanted).await? {
        Some(found) => Ok(found),
        None if models::exists(conn, name).await? => Err(Error::NothingInStage {
            name: name.to_owned(),
            stage: stage.map_or("any but archived", Stage::as_str).to_owned(),
        }),
        None => Err(Error::NoModel(name.to_owned())),
    }
}

/// A page of versions; and where the next page begins, if there is one.
///
/// # Errors
/// [`Error::Invalid`] for a limit that is none, for an order by version without a model's name and for a cursor of the other
/// order; or the database's.
pub async fn list(
    conn: &mut PgConnection,
    filter: &ListFilter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<(Vec<ModelVersion>, Option<Cursor>), Error> {
    let mut checks = Checks::default();
    if !(1..=LONGEST_PAGE).contains(&limit) {
        checks.add("/limit", format!("a page has 1 to {LONGEST_PAGE} versions, not {limit}"));
    }
    for (pointer, text) in [
        ("/model_name", &filter.name),
        ("/name_prefix", &filter.name_prefix),
        ("/owner", &filter.owner),
        ("/created_by", &filter.created_by),
    ] {
        checks.text(pointer, text.as_deref());
    }
    checks.tags("/tag", filter.tags.iter().map(|(k, v)| (k, Some(v))));
    if filter.by_version && filter.name.is_none() {
        checks.add("/order", "versions are ordered within one model: give its model_name too");
    }
    let after = match (after, filter.by_version) {
        (None, _) => None,
        (Some(Cursor::At(at, id)), false) => Some(After::Row(at, id)),
        (Some(Cursor::Version(version)), true) if !version.contains('\0') => Some(After::Version(version)),
        _ => {
            checks.add("/cursor", "not a cursor of this list; give the one of the page before, unchanged");
            None
        }
    };
    checks.finish()?;
    let mut rows = model_search::list(
        conn,
        &Filter {
            name: filter.name.clone(),
            name_prefix: filter.name_prefix.clone(),
            stage: filter.stage.map(|stage| stage.as_str().to_owned()),
            tags: (!filter.tags.is_empty()).then(|| tags_json(&filter.tags)),
            owner: filter.owner.clone(),
            created_by: filter.created_by.clone(),
            include_deleted: filter.include_deleted,
            by_version: filter.by_version,
            after,
            // One more than wanted tells whether there is a next page.
            limit: limit + 1,
        },
    )
    .await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| match filter.by_version {
        true => Cursor::Version(row.version.clone()),
        false => Cursor::At(row.created_at, row.id),
    });
    Ok((rows, next))
}
