//! Jobs as the database has them, and documents that are not in it.

use std::path::Path;

use sqlx::PgPool;

use super::document::JobDocument;
use super::known::Checks;
use super::replay::Job;
use super::vocabulary::{self, Calendar};
use super::{diagnostic, load, plan};
use crate::clock::SharedClock;
use crate::config::Settings;
use crate::db::audit::Actor;
use crate::db::jobs as rows;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be read.
    #[error(transparent)]
    Load(#[from] load::LoadError),
    /// Job files are wrong; the text names every place.
    #[error("the job files have {count} mistakes, nothing was applied:\n{rendered}")]
    Invalid {
        /// How many.
        count: usize,
        /// All of them, for people.
        rendered: String,
        /// And one by one.
        mistakes: Vec<diagnostic::Diagnostic>,
    },
    /// A document in the database cannot be read by this version.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Reads a folder under the settings' vocabulary.
///
/// # Errors
/// When the folder cannot be read; mistakes in files are in the answer.
pub fn load_dir(dir: &Path, settings: &Settings) -> Result<load::Loaded, load::LoadError> {
    let known = vocabulary::known(settings);
    load::load_dir(dir, Checks { known: &known, schedule: &Calendar })
}

/// Applies a folder; answers how many jobs it declares. One mistake, and nothing is applied.
///
/// # Errors
/// See [`Error`].
pub async fn apply_dir(
    pool: &PgPool,
    clock: &SharedClock,
    settings: &Settings,
    dir: &Path,
    actor: &Actor,
) -> Result<usize, Error> {
    let loaded = load_dir(dir, settings)?;
    if !loaded.diagnostics.is_empty() {
        let rendered = diagnostic::render(&loaded.diagnostics, false);
        return Err(Error::Invalid { count: loaded.diagnostics.len(), rendered, mistakes: loaded.diagnostics });
    }
    super::apply(pool, clock, &loaded, false, actor).await?;
    Ok(loaded.documents.len())
}

/// Reads one document under the settings' vocabulary.
///
/// # Errors
/// Every mistake, rendered for people.
pub fn parse(name: &str, text: &str, settings: &Settings) -> Result<JobDocument, String> {
    let known = vocabulary::known(settings);
    let reading = super::parse(name, text, Checks { known: &known, schedule: &Calendar });
    reading.document.ok_or_else(|| diagnostic::render(&reading.diagnostics, false))
}

/// Reads one document under the settings' vocabulary.
///
/// # Errors
/// Every mistake, with its place.
pub fn read(name: &str, text: &str, settings: &Settings) -> Result<JobDocument, Vec<diagnostic::Diagnostic>> {
    let known = vocabulary::known(settings);
    let reading = super::parse(name, text, Checks { known: &known, schedule: &Calendar });
    reading.document.ok_or(reading.diagnostics)
}

/// The active jobs that have a schedule, by name.
///
/// # Errors
/// When the database fails, or holds a document of another version.
pub async fn active(pool: &PgPool) -> Result<Vec<Job>, Error> {
    let mut conn = pool.acquire().await?;
    let mut jobs = Vec::new();
    for row in rows::all(&mut conn).await? {
        if row.state == "active" {
            let document: JobDocument = serde_json::from_value(row.document)
                .map_err(|error| plan::Error::Document { name: row.name, error })?;
            if document.schedule.is_some() {
                jobs.push((Some(row.id), document));
            }
        }
    }
    Ok(jobs)
}

/// The job of that name, unless it was removed.
///
/// # Errors
/// When the database fails, or holds a document of another version.
pub async fn find(pool: &PgPool, name: &str) -> Result<Option<Job>, Error> {
    let mut conn = pool.acquire().await?;
    Ok(super::apply::find(&mut conn, name).await?.map(|(id, document)| (Some(id), document)))
}
