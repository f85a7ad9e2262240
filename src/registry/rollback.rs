//! Rolling back: the version before goes into production again, and each time one step further back.
//!
//! The way back is that of a stack: a promotion puts its version on top, a roll-back takes the top off. So a version that a
//! roll-back took out is never what the next one brings in, and a roll-back that is asked for twice does not undo itself.
//! Whoever wants only the one step names what is to go (`from_version`, `if_revision`).

use sqlx::PgConnection;

use super::Setup;
use super::error::Error;
use super::promote::{Promoted, Promotion, lock, transfer, validate};
use super::stage::Stage;
use crate::db::audit::Actor;
use crate::db::model_history::{self, Step};
use crate::db::models::{self, ModelVersion};

/// The version that a roll-back would bring back now.
///
/// # Errors
/// [`Error::ProductionChanged`] or [`Error::RevisionMismatch`] when another version is there than the one that is to go,
/// [`Error::NothingToRollBackTo`], [`Error::NoModel`], or the database's.
pub async fn rollback_target(
    conn: &mut PgConnection,
    name: &str,
    promotion: &Promotion,
) -> Result<ModelVersion, Error> {
    if name.contains('\0') {
        return Err(Error::NoModel(name.to_owned()));
    }
    going(conn, name, promotion).await?;
    let mut top = model_history::production_before(conn, name, i64::MAX, None).await?;
    let last = top.map(|step| step.model_id);
    while let Some(step) = top {
        top = below(conn, name, step).await?;
        if let Some(found) = top.filter(|found| found.can_return && Some(found.model_id) != last) {
            return Ok(models::by_id(conn, found.model_id).await?);
        }
    }
    Err(if models::exists(conn, name).await? {
        Error::NothingToRollBackTo(name.to_owned())
    } else {
        Error::NoModel(name.to_owned())
    })
}

/// What a version was put on top of when it was promoted. What came between that and its return was taken off.
async fn below(conn: &mut PgConnection, name: &str, step: Step) -> Result<Option<Step>, sqlx::Error> {
    let mut entry = step;
    while entry.returned {
        match model_history::production_before(conn, name, entry.id, Some(step.model_id)).await? {
            Some(before) => entry = before,
            None => break,
        }
    }
    model_history::production_before(conn, name, entry.id, None).await
}

/// Puts the version back into production that was there before. `promotion.if_revision` and `from_version` are of the version
/// that is to go; `promotion.prepared` names the one that is to come, once its bytes were looked at.
///
/// # Errors
/// [`Error::NothingToRollBackTo`], [`Error::ProductionChanged`], and as [`super::promote`].
pub async fn rollback(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    name: &str,
    promotion: &Promotion,
    actor: &Actor,
) -> Result<Promoted, Error> {
    validate(promotion)?;
    lock(conn, name).await?;
    let target = rollback_target(conn, name, promotion).await?;
    if promotion.prepared.is_some_and(|prepared| prepared != target.id) {
        let detail = format!("a roll-back would bring back {} now", target.version);
        return Err(Error::ProductionChanged { model: name.to_owned(), detail });
    }
    transfer(conn, setup, target, Stage::Production, promotion, actor, true).await
}

/// Whether a text names a version: without build metadata it does whatever the version's are.
fn names(text: &str, version: &str) -> bool {
    text == version || version.split_once('+').is_some_and(|(number, _)| number == text)
}

/// Whether the version that is to go is the one that the caller means.
async fn going(conn: &mut PgConnection, name: &str, promotion: &Promotion) -> Result<(), Error> {
    if promotion.from_version.is_none() && promotion.if_revision.is_none() {
        return Ok(());
    }
    let now = models::in_production(conn, name).await?;
    if let Some(wanted) = &promotion.from_version
        && !now.as_ref().is_some_and(|now| names(wanted, &now.version))
    {
        let found = now.map_or("no version".to_owned(), |now| now.version);
        let detail = format!("{found} is in production, not {wanted}");
        return Err(Error::ProductionChanged { model: name.to_owned(), detail });
    }
    match (promotion.if_revision, now) {
        (Some(given), Some(now)) => super::change::revision(&now, Some(given)),
        (Some(_), None) => {
            let detail = "no version is in production".to_owned();
            Err(Error::ProductionChanged { model: name.to_owned(), detail })
        }
        (None, _) => Ok(()),
    }
}
