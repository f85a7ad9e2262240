//! Reference profiles: what a version was trained on, as counts and quantiles without rows, every edition kept.
//!
//! Drift jobs compare with the newest edition and say in their summary which one that was. How a profile is made from rows is not
//! known here (`drift::profile`, and the reading of datasets above).

use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::change::append;
use super::error::Error;
use super::read;
use crate::db::audit::Actor;
use crate::db::model_profiles::{self, NewProfile, ProfileEdition, ProfileRow};
use crate::db::models;
use crate::drift::profile::Profile;

/// Longest profile, in bytes as JSON.
const LONGEST_PROFILE: usize = 64 * 1024 * 1024;

/// What adding did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The edition.
    pub edition: ProfileEdition,
    /// False when the newest edition was this very profile.
    pub created: bool,
}

/// Adds an edition. The newest one again adds none.
///
/// # Errors
/// [`Error::Invalid`], what [`super::get`] says, or the database's.
pub async fn add_profile(
    conn: &mut PgConnection,
    name: &str,
    version: &str,
    profile: &Profile,
    source: &str,
    actor: &Actor,
) -> Result<Added, Error> {
    let document = serde_json::to_value(profile).map_err(|error| Error::invalid("/data", error.to_string()))?;
    let text = document.to_string();
    if profile.rows == 0 {
        return Err(Error::invalid("/data", "there are no rows, so there is nothing to keep a profile of"));
    }
    if text.len() > LONGEST_PROFILE {
        let problem = format!(
            "the profile of {} columns has {} MB; {} are the most: name the columns that are to be judged",
            profile.columns.len(),
            text.len() >> 20,
            LONGEST_PROFILE >> 20
        );
        return Err(Error::invalid("/columns", problem));
    }
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&text)));
    models::lock(conn, name).await?;
    let version = read::get(conn, name, version).await?;
    if let Some(newest) = model_profiles::editions(conn, version.id).await?.into_iter().next()
        && newest.digest == digest
    {
        return Ok(Added { edition: newest, created: false });
    }
    let new = NewProfile {
        profile: &document,
        digest: &digest,
        source,
        row_count: i64::try_from(profile.rows).unwrap_or(i64::MAX),
        created_by: &actor.name,
    };
    let edition = model_profiles::add(conn, version.id, &new).await?;
    let detail = json!({
        "edition": edition.edition, "digest": digest, "source": source, "rows": profile.rows,
        "columns": profile.columns.len(),
    });
    append(conn, actor, "model.profile_added", &version, detail).await?;
    Ok(Added { edition, created: true })
}

/// An edition of a profile; none asks for the newest.
///
/// # Errors
/// [`Error::NoProfile`], what [`super::get`] says, or the database's.
pub async fn profile(
    conn: &mut PgConnection,
    name: &str,
    version: &str,
    edition: Option<i32>,
) -> Result<ProfileRow, Error> {
    let version = read::get(conn, name, version).await?;
    let found = model_profiles::get(conn, version.id, edition).await?;
    found.ok_or_else(|| Error::NoProfile { subject: version.subject(), edition })
}

/// All editions of a profile, newest first.
///
/// # Errors
/// What [`super::get`] says, or the database's.
pub async fn profile_editions(
    conn: &mut PgConnection,
    name: &str,
    version: &str,
) -> Result<Vec<ProfileEdition>, Error> {
    let version = read::get(conn, name, version).await?;
    Ok(model_profiles::editions(conn, version.id).await?)
}
