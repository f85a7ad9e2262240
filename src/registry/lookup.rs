//! Which version a job means. A version that a job names and nobody registered is registered in development.

use sqlx::PgConnection;

use super::error::Error;
use super::register::auto_register;
use super::stage::Stage;
use super::{Setup, read};
use crate::db::audit::Actor;

/// Which version of a model is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// This one.
    Version(&'a str),
    /// Whichever is in this stage now; of several the highest.
    Stage(&'a str),
}

/// The version that is meant; an unknown one is registered in development when `auto` says in whose name.
///
/// # Errors
/// [`Error::NothingInStage`], [`Error::Deleted`] for a version that was deleted, [`Error::Invalid`], or the database's.
pub async fn resolve(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    name: &str,
    wanted: Wanted<'_>,
    auto: Option<&Actor>,
) -> Result<String, Error> {
    match wanted {
        Wanted::Stage(stage) => {
            match read::latest(conn, name, Some(Stage::parse(stage)?), true, read::Order::Precedence).await {
                Ok(found) => Ok(found.version),
                Err(Error::NoModel(name)) => Err(Error::NothingInStage { name, stage: stage.to_owned() }),
                Err(error) => Err(error),
            }
        }
        Wanted::Version(version) => {
            if let Some(actor) = auto {
                let made = auto_register(conn, setup, name, version, None, actor).await?;
                if made.created {
                    tracing::info!(model = name, version, "registered an unknown model version in development");
                }
            }
            Ok(version.to_owned())
        }
    }
}
