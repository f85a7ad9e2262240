//! Registering versions: by hand, and by being used.
//!
//! Order of what is looked at: the fields, then (behind the model's lock) whether the number is taken, by precedence, so that
//! build metadata makes no second row. The same content again answers the row that is there.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::error::Error;
use super::fields::{Checks, object_or_empty, tags_json};
use super::stage::Stage;
use super::{Setup, read, told};
use crate::db::audit::{self, Actor, ActorKind, Event, Outcome};
use crate::db::model_approvals;
use crate::db::model_history::{self, NewPeriod};
use crate::db::models::{self, ModelVersion, NewModel};

/// A version to register.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // the specification's fields, of the same names
pub struct NewVersion {
    pub model_name: String,
    pub version: String,
    /// Development or archived; the other stages are for promotions.
    pub stage: Stage,
    pub description: Option<String>,
    pub model_path: Option<String>,
    pub training_data_path: Option<String>,
    /// An object; null counts as an empty one.
    pub hyperparameters: Value,
    /// An object; null counts as an empty one.
    pub training_metadata: Value,
    /// Who made it, by the caller's word. An authenticated caller is the creator, whatever stands here: see [`register`].
    pub created_by: Option<String>,
    pub owner: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// `sha256:` and 64 hexadecimal digits, when the caller knows it.
    pub artefact_digest: Option<String>,
    /// Why nothing may read what lies at `model_path`: then no run verifies it, and the row says so.
    pub artefact_unread: Option<String>,
}

/// What registering did.
#[derive(Debug, Clone, Serialize)]
pub struct Registered {
    /// The version as it is now.
    pub version: ModelVersion,
    /// False when it was there already.
    pub created: bool,
    /// Whether this completed a version that was registered by being used.
    pub completed: bool,
}

/// Registers a version. The creator is who is authenticated; by their own word (`ActorKind::Local`) it is `created_by` or
/// else the actor.
///
/// # Errors
/// [`Error::Invalid`], [`Error::StageNeedsPromotion`], [`Error::Conflict`], [`Error::Deleted`], or the database's.
pub async fn register(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    new: &NewVersion,
    actor: &Actor,
) -> Result<Registered, Error> {
    check(new, actor)?;
    if matches!(new.stage, Stage::Staging | Stage::Production) {
        return Err(Error::StageNeedsPromotion(new.stage));
    }
    let creator = match actor.kind {
        ActorKind::Local => new.created_by.clone().unwrap_or_else(|| actor.name.clone()),
        ActorKind::Token | ActorKind::System => actor.name.clone(),
    };
    let row = NewModel {
        model_name: new.model_name.clone(),
        version: new.version.clone(),
        stage: new.stage.as_str().to_owned(),
        description: new.description.clone(),
        model_path: new.model_path.clone(),
        training_data_path: new.training_data_path.clone(),
        hyperparameters: object_or_empty(&new.hyperparameters),
        training_metadata: object_or_empty(&new.training_metadata),
        created_by: Some(creator),
        owner: new.owner.clone(),
        tags: tags_json(&new.tags),
        artefact_digest: new.artefact_digest.clone(),
        artefact_status: artefact_status(setup, new).to_owned(),
        artefact_detail: new.artefact_unread.clone(),
        auto_registered: false,
    };
    models::lock(conn, &new.model_name).await?;
    let Some(existing) = models::get_equal(conn, &new.model_name, &new.version).await? else {
        let version = insert(conn, &row, actor).await?;
        return Ok(Registered { version, created: true, completed: false });
    };
    let existing = read::living(existing)?;
    let fields = differences(&existing, &row);
    if !fields.is_empty() {
        return Err(conflict(&existing, &row, fields));
    }
    if !existing.auto_registered {
        return Ok(Registered { version: existing, created: false, completed: false });
    }
    // What was approved or promoted was the row as it was: nobody fills it in behind their backs.
    if existing.stage != Stage::Development.as_str() {
        return Err(conflict(&existing, &row, vec!["stage".to_owned()]));
    }
    model_approvals::withdraw_all(conn, existing.id).await?;
    models::complete(conn, existing.id, &row).await?;
    append(conn, actor, &row, json!({ "completed": true })).await?;
    Ok(Registered { version: models::by_id(conn, existing.id).await?, created: false, completed: true })
}

fn artefact_status(setup: Setup<'_>, new: &NewVersion) -> &'static str {
    let read = new.model_path.is_some() && new.artefact_unread.is_none();
    if read && setup.settings.verify_artefacts { "pending" } else { "none" }
}

fn check(new: &NewVersion, actor: &Actor) -> Result<(), Error> {
    let mut checks = Checks::default();
    checks.model_name("/model_name", &new.model_name);
    checks.version("/version", &new.version);
    checks.text("/description", new.description.as_deref());
    for (pointer, path) in [("/model_path", &new.model_path), ("/training_data_path", &new.training_data_path)] {
        checks.text(pointer, path.as_deref());
        if path.as_deref().is_some_and(|path| path.trim().is_empty()) {
            checks.add(pointer, "a path is not empty; leave it out instead");
        }
    }
    checks.name("/created_by", new.created_by.as_deref());
    checks.name("/owner", new.owner.as_deref());
    checks.object("/hyperparameters", &object_or_empty(&new.hyperparameters));
    checks.object("/training_metadata", &object_or_empty(&new.training_metadata));
    checks.tags("/tags", new.tags.iter().map(|(k, v)| (k, Some(v))));
    checks.digest("/artefact_digest", new.artefact_digest.as_deref());
    if let (ActorKind::Token, Some(named)) = (actor.kind, &new.created_by)
        && named != &actor.name
    {
        let name = &actor.name;
        checks.add("/created_by", format!("the creator is whoever is authenticated, {name}: leave created_by out"));
    }
    checks.finish()
}

/// The fields in which a registration differs from what is there. What is not given of the things that may change later
/// (description, owner, tags) does not differ.
fn differences(existing: &ModelVersion, new: &NewModel) -> Vec<String> {
    let mut fields = Vec::new();
    let mut differ = |field: &str, differs: bool| {
        if differs {
            fields.push(field.to_owned());
        }
    };
    differ("version", existing.version != new.version);
    let known = |there: &Option<String>, given: &Option<String>| given.is_some() && there.is_some() && there != given;
    differ("artefact_digest", known(&existing.artefact_digest, &new.artefact_digest));
    if existing.auto_registered {
        return fields;
    }
    differ("model_path", existing.model_path != new.model_path);
    differ("training_data_path", existing.training_data_path != new.training_data_path);
    differ("hyperparameters", existing.hyperparameters != new.hyperparameters);
    differ("training_metadata", existing.training_metadata != new.training_metadata);
    differ("description", new.description.is_some() && existing.description != new.description);
    differ("owner", new.owner.is_some() && existing.owner != new.owner);
    let no_tags = new.tags.as_object().is_none_or(serde_json::Map::is_empty);
    differ("tags", !no_tags && existing.tags != new.tags);
    fields
}

fn conflict(existing: &ModelVersion, new: &NewModel, fields: Vec<String>) -> Error {
    let advice = if existing.version != new.version {
        format!(
            "{} and {} differ in build metadata only, which makes no other version: count the number up",
            existing.version, new.version
        )
    } else if fields.iter().all(|field| ["description", "owner", "tags"].contains(&field.as_str())) {
        "change the registered version instead, or leave them out".to_owned()
    } else {
        "what was registered stays as it was: count the number up".to_owned()
    };
    Error::Conflict { model: existing.model_name.clone(), existing: existing.version.clone(), fields, advice }
}

/// Inserts the row, its event and its first period.
async fn insert(conn: &mut PgConnection, row: &NewModel, actor: &Actor) -> Result<ModelVersion, Error> {
    let at = models::moment(conn, &row.model_name).await?;
    let id = models::insert(conn, row, at).await?;
    let sequence = append(conn, actor, row, json!({})).await?;
    let period = NewPeriod {
        model_id: id,
        from_stage: None,
        stage: &row.stage,
        at,
        actor: &actor.name,
        approved_by: None,
        reason: None,
        break_glass: false,
        decision: &json!({}),
        event_sequence: sequence,
    };
    model_history::open(conn, &period).await?;
    Ok(models::by_id(conn, id).await?)
}

async fn append(conn: &mut PgConnection, actor: &Actor, row: &NewModel, more: Value) -> Result<i64, Error> {
    let mut detail = json!({
        "stage": row.stage,
        "model_path": row.model_path,
        "training_data_path": row.training_data_path,
        "artefact_digest": row.artefact_digest,
        "created_by": row.created_by,
        "auto_registered": row.auto_registered,
    });
    if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), more) {
        detail.extend(more);
    }
    let subject = format!("{}/{}", row.model_name, row.version);
    let event = Event {
        actor,
        action: "model.registered",
        outcome: Outcome::Done,
        subject_kind: "model",
        subject: &subject,
        detail,
    };
    Ok(audit::append(conn, &event).await?)
}

/// What using a version did to the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AutoRegistered {
    /// Whether it was unknown and is registered now.
    pub created: bool,
    /// Whether the same version is known with another digest: an incident tells of it, nothing was overwritten.
    pub conflict: bool,
}

/// Registers a version that is used and that nobody registered, in development and marked so. A known one stays as it is;
/// known with another digest, it opens an incident. Takes no lock when there is nothing to do.
///
/// # Errors
/// [`Error::Invalid`] for what is no name or version, [`Error::Deleted`], or the database's.
pub async fn auto_register(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    name: &str,
    version: &str,
    digest: Option<&str>,
    actor: &Actor,
) -> Result<AutoRegistered, Error> {
    // A row from before the rule of versions may have any text; it is known all the same.
    let clean = !name.contains('\0') && !version.contains('\0');
    if clean && let Some(known) = models::get(conn, name, version).await? {
        let known = read::living(known)?;
        if digest.is_none() || known.artefact_digest.as_deref() == digest {
            return Ok(AutoRegistered::default());
        }
    } else {
        let mut checks = Checks::default();
        checks.model_name("/model_name", name);
        checks.version("/version", version);
        checks.digest("/artefact_digest", digest);
        checks.finish()?;
    }
    let mut tx = conn.begin().await?;
    models::lock(&mut tx, name).await?;
    let known = match models::get(&mut tx, name, version).await? {
        Some(known) => Some(known),
        None => models::get_equal(&mut tx, name, version).await?,
    };
    let done = match known {
        Some(known) => {
            let known = read::living(known)?;
            let conflict = match (digest, &known.artefact_digest) {
                (Some(given), Some(there)) if given != there => {
                    told::artefact_conflict(&mut tx, setup, &known, given, actor).await?;
                    true
                }
                _ => false,
            };
            AutoRegistered { created: false, conflict }
        }
        None => {
            let row = NewModel {
                model_name: name.to_owned(),
                version: version.to_owned(),
                stage: Stage::Development.as_str().to_owned(),
                description: Some("registered automatically when it was first used".to_owned()),
                hyperparameters: json!({}),
                training_metadata: json!({}),
                created_by: Some(actor.name.clone()),
                tags: json!({}),
                artefact_digest: digest.map(str::to_owned),
                artefact_status: "none".to_owned(),
                artefact_detail: None,
                auto_registered: true,
                ..NewModel::default()
            };
            insert(&mut tx, &row, actor).await?;
            AutoRegistered { created: true, conflict: false }
        }
    };
    tx.commit().await?;
    Ok(done)
}
