//! The history of models: which version was where, and when.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::error::Error;
use super::read;
use crate::db::model_history::{self, HistoryRow};
use crate::db::models;

/// The periods of a model, or of one version, newest first; `before` is the id that the page before ended with.
///
/// # Errors
/// [`Error::NoModel`] or [`Error::NoVersion`] when there is no history of it.
pub async fn history(
    conn: &mut PgConnection,
    name: &str,
    version: Option<&str>,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<HistoryRow>, Error> {
    if name.contains('\0') {
        return Err(Error::NoModel(name.to_owned()));
    }
    let version = version.filter(|v| !v.contains('\0'));
    let mut rows = model_history::list(conn, name, version, before, i64::from(limit)).await?;
    // Without build metadata it is the one of that number.
    if let (true, Some(version)) = (rows.is_empty(), version)
        && let Some(named) = read::named(conn, name, version).await?
    {
        rows = model_history::list(conn, name, Some(&named.version), before, i64::from(limit)).await?;
    }
    if rows.is_empty() && before.is_none() {
        return Err(match version {
            Some(version) if models::exists(conn, name).await? => {
                Error::NoVersion { model: name.to_owned(), version: version.to_owned() }
            }
            _ => Error::NoModel(name.to_owned()),
        });
    }
    Ok(rows)
}

/// What was in production at an instant: the period of the version that was; none when nothing was.
///
/// # Errors
/// [`Error::NoModel`] when there never was such a model, or the database's.
pub async fn in_production_at(
    conn: &mut PgConnection,
    name: &str,
    at: DateTime<Utc>,
) -> Result<Option<HistoryRow>, Error> {
    history(conn, name, None, None, 1).await?;
    Ok(model_history::production_at(conn, name, at).await?)
}
