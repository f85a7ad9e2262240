//! Artefacts: whether the bytes behind a version's `model_path` are those that were registered.
//!
//! [`look`] reads and hashes and writes nothing: no lock is held while a gigabyte is read. [`record`] keeps what was found, in
//! the caller's transaction, and tells of it: an artefact that is missing or other than registered is one incident a version,
//! whoever looked; found right again, it ends. The first digest that is found is registered and never changes.
//!
//! One object has the SHA-256 of its bytes. A folder (or a pattern) has that of its manifest: a line
//! `path<TAB>size<TAB>sha256` for each object, sorted by path. What storage does not allow is not read.

use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};

use super::change::append;
use super::error::Error;
use super::ready::Hashing;
use super::{Setup, read, told};
use crate::db::audit::Actor;
use crate::db::models::{self, ArtefactRow, ModelVersion};
use crate::db::pool::begin;
use crate::storage::{self, ObjectInfo, Storage};

/// How much of an object is held in memory at a time.
const CHUNK: u64 = 4 * 1024 * 1024;

/// What was found behind a version's path.
#[derive(Debug, Clone)]
pub struct Look {
    /// The version as it was when the look began.
    pub version: ModelVersion,
    /// Digest and size; or why there is none.
    pub found: Result<(String, u64), String>,
}

/// Reads what lies behind the version's path and hashes it.
///
/// # Errors
/// [`Error::Invalid`] for a version without a path; [`Error::Artefact`] when the store cannot be reached now or the bytes
/// change while they are read.
pub async fn look(storage: &Storage, version: &ModelVersion) -> Result<Look, Error> {
    let Some(path) = &version.model_path else {
        let problem = format!("{} was registered without a model_path: there is nothing to verify", version.subject());
        return Err(Error::invalid("/model_path", problem));
    };
    let found = match digest(storage, path).await {
        Ok(found) => Ok(found),
        Err(error @ storage::Error::Changed { .. }) => return Err(Error::Artefact(error)),
        Err(error) if error.is_transient() => return Err(Error::Artefact(error)),
        Err(error) => Err(error.to_string()),
    };
    Ok(Look { version: version.clone(), found })
}

/// How much lies behind a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Of all objects.
    pub size_bytes: u64,
    /// When the last of them was written.
    pub last_modified: DateTime<Utc>,
}

/// How much lies behind a path; none when nothing does, or nothing that may be read.
///
/// # Errors
/// [`Error::Artefact`] when the store cannot be reached now.
pub async fn extent(storage: &Storage, path: &str) -> Result<Option<Extent>, Error> {
    match objects(storage, path).await {
        Ok((objects, _)) => Ok(Some(Extent {
            size_bytes: objects.iter().map(|object| object.size_bytes).sum(),
            last_modified: objects.iter().map(|object| object.last_modified).max().unwrap_or_default(),
        })),
        Err(error) if error.is_transient() => Err(Error::Artefact(error)),
        Err(_) => Ok(None),
    }
}

/// What lies behind a path, and whether it is one object and no folder.
async fn objects(storage: &Storage, path: &str) -> Result<(Vec<ObjectInfo>, bool), storage::Error> {
    match storage.list(path).await {
        Ok(objects) => {
            let single = objects.len() == 1 && !path.contains(['*', '?', '[', '{']);
            Ok((objects, single))
        }
        Err(error @ storage::Error::NotFound { .. }) => Ok((folder(storage, path).await.ok_or(error)?, false)),
        Err(error) => Err(error),
    }
}

/// The digest and the size of an object, or of a folder's manifest.
async fn digest(storage: &Storage, path: &str) -> Result<(String, u64), storage::Error> {
    let (objects, single) = objects(storage, path).await?;
    if let (true, Some(object)) = (single, objects.first()) {
        return Ok((format!("sha256:{}", sha256(storage, object).await?), object.size_bytes));
    }
    let base = format!("{}/", path.trim_end_matches('/'));
    let mut lines = Vec::with_capacity(objects.len());
    for object in &objects {
        let uri = object.uri.as_str();
        let name = uri.find(base.as_str()).map_or(uri, |at| &uri[at + base.len()..]);
        lines.push(format!("{name}\t{}\t{}\n", object.size_bytes, sha256(storage, object).await?));
    }
    lines.sort_unstable();
    let manifest = hex::encode(Sha256::digest(lines.concat()));
    Ok((format!("sha256:{manifest}"), objects.iter().map(|object| object.size_bytes).sum()))
}

/// Everything in a folder, also what patterns pass over (names that begin with `.` or `_`).
async fn folder(storage: &Storage, path: &str) -> Option<Vec<ObjectInfo>> {
    let base = path.trim_end_matches('/');
    let mut found = Vec::new();
    for pattern in ["**", "**/.*", "**/_*"] {
        found.extend(storage.list(&format!("{base}/{pattern}")).await.unwrap_or_default());
    }
    (!found.is_empty()).then_some(found)
}

async fn sha256(storage: &Storage, object: &ObjectInfo) -> Result<String, storage::Error> {
    let mut hasher = Sha256::new();
    let mut at = 0;
    while at < object.size_bytes {
        let end = object.size_bytes.min(at + CHUNK);
        for part in storage.read_ranges(object, std::slice::from_ref(&(at..end))).await? {
            hasher.update(&part);
        }
        at = end;
    }
    Ok(hex::encode(hasher.finalize()))
}

/// Keeps what looks found and answers the versions as they are then. `channels` are told beside the registry's own; with
/// `tell` false nobody is. All models' locks are taken before anything is written.
///
/// # Errors
/// The database's, or that of messages.
pub async fn record(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    looks: &[Look],
    channels: &[String],
    tell: bool,
    actor: &Actor,
) -> Result<Vec<ModelVersion>, Error> {
    let mut looks: Vec<&Look> = looks.iter().collect();
    looks.sort_by(|a, b| a.version.model_name.cmp(&b.version.model_name));
    let mut names: Vec<&str> = looks.iter().map(|look| look.version.model_name.as_str()).collect();
    names.dedup();
    for name in names {
        models::lock(conn, name).await?;
    }
    let mut changed = Vec::new();
    let mut after = Vec::new();
    for look in looks {
        let before = models::by_id(conn, look.version.id).await?;
        if before.deleted_at.is_some() {
            continue;
        }
        let row = judge(&before, look);
        models::set_artefact(conn, before.id, &row).await?;
        if tell {
            told::artefact(conn, setup, &before, &row, channels).await?;
        }
        let now = models::by_id(conn, before.id).await?;
        if (&before.artefact_status, &before.artefact_digest) != (&now.artefact_status, &now.artefact_digest) {
            let found = look.found.as_ref().ok().map(|(digest, _)| digest);
            let detail = json!({
                "before": before.artefact_status, "after": now.artefact_status, "registered": now.artefact_digest,
                "found": found, "size_bytes": now.artefact_size_bytes,
            });
            changed.push((now.clone(), detail));
        }
        after.push(now);
    }
    for (version, detail) in changed {
        append(conn, actor, "model.artefact_checked", &version, detail).await?;
    }
    Ok(after)
}

fn judge(version: &ModelVersion, look: &Look) -> ArtefactRow {
    let row = |digest: Option<String>, status: &str, detail: Option<String>, size: Option<u64>| ArtefactRow {
        digest,
        status: status.to_owned(),
        detail,
        size_bytes: size.and_then(|size| i64::try_from(size).ok()),
    };
    match (&look.found, &version.artefact_digest) {
        (Err(problem), _) => row(None, "missing", Some(problem.clone()), None),
        (Ok((found, _)), Some(registered)) if found != registered => {
            let detail = format!("{found} is there, {registered} is registered");
            row(None, "mismatch", Some(detail), None)
        }
        (Ok((found, size)), _) => row(Some(found.clone()), "verified", None, Some(*size)),
    }
}

/// Looks and records, for one version, by hand.
///
/// # Errors
/// What [`super::get`] and [`look`] say, or the database's.
pub async fn verify(
    pool: &PgPool,
    storage: &Storage,
    setup: Setup<'_>,
    name: &str,
    version: &str,
    actor: &Actor,
) -> Result<ModelVersion, Error> {
    let mut conn = pool.acquire().await?;
    let version = read::get(&mut conn, name, version).await?;
    drop(conn);
    verify_version(Hashing { pool, storage, setup, most: None }, &version, None, actor).await
}

/// Looks and records; with `if_revision` only when the version is still at it when the look has ended.
///
/// # Errors
/// [`Error::RevisionMismatch`], what [`look`] says, or the database's.
pub(super) async fn verify_version(
    hashing: Hashing<'_>,
    version: &ModelVersion,
    if_revision: Option<i64>,
    actor: &Actor,
) -> Result<ModelVersion, Error> {
    let look = look(hashing.storage, version).await?;
    let mut tx = begin(hashing.pool).await?;
    models::lock(&mut tx, &version.model_name).await?;
    super::change::revision(&models::by_id(&mut tx, version.id).await?, if_revision)?;
    let mut after = record(&mut tx, hashing.setup, &[look], &[], true, actor).await?;
    tx.commit().await?;
    after.pop().ok_or_else(|| Error::NoVersion { model: version.model_name.clone(), version: version.version.clone() })
}
