//! What may change of a version besides its stage: description, owner and tags; and its end.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::error::Error;
use super::fields::Checks;
use super::read;
use super::stage::Stage;
use super::{Setup, told};
use crate::db::audit::{self, Actor, Event, Outcome};
use crate::db::models::{self, ModelVersion};
use crate::db::{model_history, model_names};

/// A change. What is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    /// The new description; none removes it.
    pub description: Option<Option<String>>,
    /// The new owner; none removes it.
    pub owner: Option<Option<String>>,
    /// Tags to set; a tag of none is removed, the others stay.
    pub tags: BTreeMap<String, Option<String>>,
}

/// Changes a version. What changes nothing writes nothing.
///
/// # Errors
/// [`Error::Invalid`], [`Error::RevisionMismatch`], what [`super::get`] says, or the database's.
pub async fn change(
    conn: &mut PgConnection,
    name: &str,
    version: &str,
    patch: &Patch,
    if_revision: Option<i64>,
    actor: &Actor,
) -> Result<ModelVersion, Error> {
    let mut checks = Checks::default();
    checks.model_name("/model_name", name);
    checks.text("/description", patch.description.as_ref().and_then(Option::as_deref));
    checks.name("/owner", patch.owner.as_ref().and_then(Option::as_deref));
    checks.tags("/tags", patch.tags.iter().map(|(k, v)| (k, v.as_ref())));
    checks.finish()?;
    models::lock(conn, name).await?;
    let before = read::get(conn, name, version).await?;
    revision(&before, if_revision)?;
    let description = patch.description.as_ref().unwrap_or(&before.description);
    let owner = patch.owner.as_ref().unwrap_or(&before.owner);
    let mut tags = before.tags.as_object().cloned().unwrap_or_default();
    for (key, value) in &patch.tags {
        match value {
            Some(value) => drop(tags.insert(key.clone(), Value::String(value.clone()))),
            None => drop(tags.remove(key)),
        }
    }
    let tags = Value::Object(tags);
    if (description, owner, &tags) == (&before.description, &before.owner, &before.tags) {
        return Ok(before);
    }
    models::describe(conn, before.id, description.as_deref(), owner.as_deref(), &tags).await?;
    let after = models::by_id(conn, before.id).await?;
    let part = |v: &ModelVersion| json!({ "description": v.description, "owner": v.owner, "tags": v.tags });
    append(conn, actor, "model.changed", &after, json!({ "before": part(&before), "after": part(&after) })).await?;
    Ok(after)
}

/// Whether the caller has seen the version as it is.
pub(super) fn revision(version: &ModelVersion, given: Option<i64>) -> Result<(), Error> {
    match given {
        Some(given) if given != version.revision => {
            Err(Error::RevisionMismatch { what: version.subject(), current: version.revision, given })
        }
        _ => Ok(()),
    }
}

/// Deletes a version: it is a tombstone, its aliases go, its number is never used again.
///
/// # Errors
/// [`Error::InUse`] for a version in staging or production, [`Error::Invalid`] without a reason,
/// [`Error::RevisionMismatch`], what [`super::get`] says, or the database's.
pub async fn delete(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    name: &str,
    version: &str,
    reason: &str,
    if_revision: Option<i64>,
    actor: &Actor,
) -> Result<(), Error> {
    let mut checks = Checks::default();
    checks.model_name("/model_name", name);
    checks.needed("/reason", reason, "a reason for the deletion");
    checks.finish()?;
    models::lock(conn, name).await?;
    let version = read::get(conn, name, version).await?;
    revision(&version, if_revision)?;
    if [Stage::Staging, Stage::Production].iter().any(|stage| stage.as_str() == version.stage) {
        return Err(Error::InUse { model: version.model_name, version: version.version, stage: version.stage });
    }
    let at = models::moment(conn, name).await?;
    let aliases = model_names::remove_aliases_of(conn, version.id).await?;
    models::bury(conn, version.id, at, &actor.name, reason).await?;
    model_history::close(conn, version.id, at).await?;
    told::deleted(conn, setup, &version).await?;
    append(conn, actor, "model.deleted", &version, json!({ "reason": reason, "aliases": aliases })).await?;
    Ok(())
}

pub(super) async fn append(
    conn: &mut PgConnection,
    actor: &Actor,
    action: &str,
    version: &ModelVersion,
    detail: Value,
) -> Result<i64, sqlx::Error> {
    let subject = version.subject();
    let event = Event { actor, action, outcome: Outcome::Done, subject_kind: "model", subject: &subject, detail };
    audit::append(conn, &event).await
}
