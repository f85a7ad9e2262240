//! Model versions: which one a job means, and registering those that are used before anybody registered them.
//!
//! Uses `db`. A version that a run names and nobody registered is put into development, marked `auto_registered`;
//! an existing row is never changed. Promotion, approvals and gates are not here yet.

pub mod ab_tests;
pub mod validation;

use sqlx::PgConnection;
use thiserror::Error;

use crate::db::models::{self, NewModel};

/// What can go wrong.
#[derive(Debug, Error)]
pub enum Error {
    /// A job asks for the version in a stage, and there is none.
    #[error("model `{name}` has no version in stage `{stage}`; register or promote one, or name a version in the job")]
    NothingInStage {
        /// The model.
        name: String,
        /// The stage.
        stage: String,
    },
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Which version of a model is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// This one.
    Version(&'a str),
    /// Whichever is in this stage now.
    Stage(&'a str),
}

/// The version that is meant; an unknown one is registered in development when `auto_register` says so.
///
/// # Errors
/// [`Error::NothingInStage`], or the database's.
pub async fn resolve(
    conn: &mut PgConnection,
    name: &str,
    wanted: Wanted<'_>,
    auto_register: bool,
) -> Result<String, Error> {
    match wanted {
        Wanted::Stage(stage) => models::version_in_stage(conn, name, stage)
            .await?
            .ok_or_else(|| Error::NothingInStage { name: name.to_owned(), stage: stage.to_owned() }),
        Wanted::Version(version) => {
            if auto_register {
                let made = models::register(
                    conn,
                    &NewModel {
                        model_name: name.to_owned(),
                        version: version.to_owned(),
                        stage: "development".to_owned(),
                        description: Some("registered automatically when a run first named it".to_owned()),
                        hyperparameters: serde_json::json!({}),
                        training_metadata: serde_json::json!({}),
                        auto_registered: true,
                        ..NewModel::default()
                    },
                )
                .await?;
                if made {
                    tracing::info!(model = name, version, "registered an unknown model version in development");
                }
            }
            Ok(version.to_owned())
        }
    }
}
