//! The schema: embedded migrations, applied when a process starts.
//!
//! sqlx takes an advisory lock, so processes that start together wait for each other. Migrations are never edited once
//! released; a database that knows more of them than this program is refused rather than guessed at.

use sqlx::PgConnection;
use sqlx::migrate::{MigrateError, Migrator};

use super::Error;

/// All migrations of this program.
pub static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Applies what is missing.
///
/// # Errors
/// [`Error::Newer`] when the database was made by a newer program, [`Error::Migration`] for all else.
pub async fn migrate(connection: &mut PgConnection) -> Result<(), Error> {
    MIGRATOR.run_direct(None, connection, false).await.map_err(|error| explain(&error))
}

/// The newest version this program has.
#[must_use]
pub fn newest() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn explain(error: &MigrateError) -> Error {
    let known = newest();
    match error {
        MigrateError::VersionMissing(found) if *found > known => Error::Newer { found: *found, known },
        MigrateError::VersionMissing(found) => Error::Migration(format!(
            "the database has migration {found}, which this program does not: is it Steward's database?"
        )),
        MigrateError::VersionMismatch(version) => Error::Migration(format!(
            "migration {version} was applied with another text than this program has; it must never be edited"
        )),
        MigrateError::Execute(sqlx::Error::Database(source)) => Error::Migration(source.message().to_owned()),
        MigrateError::ExecuteMigration(sqlx::Error::Database(source), version) => {
            Error::Migration(format!("migration {version}: {}", source.message()))
        }
        other => Error::Migration(other.to_string()),
    }
}
