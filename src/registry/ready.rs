//! What comes before a move up: the bytes of the version are hashed while nothing is locked.
//!
//! Asked before the move's transaction by whoever starts it, over HTTP and on the command line alike. Who breaks the glass is
//! never kept waiting for a store. The move then holds the caller to the version as it was hashed.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};

use super::Setup;
use super::artefact::{self, Extent};
use super::error::Error;
use super::promote::Promotion;
use super::stage::Stage;
use crate::db::audit::Actor;
use crate::db::models::{self, ModelVersion};
use crate::storage::Storage;

/// What is hashed again before every move up, whatever the policy says: it takes seconds.
pub const QUICK_BYTES: u64 = 1 << 30;

/// How old a look may be that stands for one that would take minutes.
const FRESH: TimeDelta = TimeDelta::hours(1);

/// What hashing needs.
#[derive(Clone, Copy)]
pub struct Hashing<'a> {
    /// The database.
    pub pool: &'a PgPool,
    /// Where the bytes lie.
    pub storage: &'a Storage,
    /// The registry's settings.
    pub setup: Setup<'a>,
    /// Most bytes that the caller waits for; none: whatever it takes.
    pub most: Option<u64>,
}

/// Which artefacts a move asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// None.
    Nothing,
    /// Those that are hashed within seconds.
    Quick,
    /// This one, whatever its size.
    Whole,
}

/// What is known now.
#[derive(Debug)]
pub enum Readiness {
    /// The version as it is: nothing more to do before the move.
    Ready(Box<ModelVersion>),
    /// So many bytes are more than the caller waits for, and no fresh look stands for them.
    TooLarge(u64),
}

/// Which artefact a move of this version asks for: all that a gate wants verified, and otherwise what can differ from a digest
/// that is registered.
///
/// # Errors
/// The database's.
pub async fn asked(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    version: &ModelVersion,
    target: Stage,
    promotion: &Promotion,
) -> Result<Asked, Error> {
    let up = Stage::parse(&version.stage)?.is_promotion_to(target);
    if !up || promotion.break_glass.is_some() || version.model_path.is_none() {
        return Ok(Asked::Nothing);
    }
    let policy = super::policy::get(conn, setup, &version.model_name).await?.policy;
    let gate = policy.gates.iter().any(|spec| spec.gate == "artefact_verified");
    if gate && target == Stage::Production {
        return Ok(Asked::Whole);
    }
    if version.artefact_digest.is_none() || !(gate || setup.settings.verify_artefacts) {
        return Ok(Asked::Nothing);
    }
    Ok(match version.artefact_status.as_str() {
        "none" => Asked::Nothing,
        "verified" => Asked::Quick,
        // Not known to be right: it goes nowhere before it is.
        _ => Asked::Whole,
    })
}

/// Hashes what was asked for and keeps what is found. `if_revision`: only a version that is at this revision.
///
/// # Errors
/// [`Error::RevisionMismatch`], [`Error::Artefact`] when the store cannot be reached now, or the database's.
pub async fn hash(
    hashing: Hashing<'_>,
    asked: Asked,
    version: &ModelVersion,
    if_revision: Option<i64>,
    actor: &Actor,
) -> Result<Readiness, Error> {
    super::change::revision(version, if_revision)?;
    let ready = || Readiness::Ready(Box::new(version.clone()));
    let (true, Some(path)) = (asked != Asked::Nothing, &version.model_path) else { return Ok(ready()) };
    if let Some(extent) = artefact::extent(hashing.storage, path).await? {
        // Another size is another artefact, which is not left at that.
        if asked == Asked::Quick && extent.size_bytes > QUICK_BYTES && has_size(version, &extent) {
            return Ok(ready());
        }
        if hashing.most.is_some_and(|most| extent.size_bytes > most) {
            let now = models::moment(&mut *hashing.pool.acquire().await?, &version.model_name).await?;
            return Ok(if is_fresh(version, &extent, now) { ready() } else { Readiness::TooLarge(extent.size_bytes) });
        }
    }
    let after = artefact::verify_version(hashing, version, if_revision, actor).await?;
    Ok(Readiness::Ready(Box::new(after)))
}

/// Whether there is as much as the last look found.
fn has_size(version: &ModelVersion, extent: &Extent) -> bool {
    version.artefact_size_bytes.is_some_and(|size| u64::try_from(size) == Ok(extent.size_bytes))
}

/// Whether the last look was just now, and nothing was written since.
fn is_fresh(version: &ModelVersion, extent: &Extent, now: DateTime<Utc>) -> bool {
    version.artefact_status == "verified"
        && has_size(version, extent)
        && version.artefact_checked_at.is_some_and(|at| extent.last_modified <= at && now - at <= FRESH)
}
