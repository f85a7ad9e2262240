//! `steward models register|set|alias|card|verify|delete`: putting versions in, describing them, taking them out.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::super::exit;
use super::super::output::{self, Format};
use super::{By, How, Which, failure, tag, text};
use crate::app::App;
use crate::jobs::artefacts;
use crate::registry::{self, NewVersion, Patch, artefact};

/// Reads an argument as JSON; `@FILE` reads it from a file.
fn json_argument(text: &str) -> Result<Value, String> {
    let text = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| format!("not JSON: {error}"))
}

/// Arguments of `steward models register`.
#[derive(Debug, Args)]
pub(super) struct Register {
    #[command(flatten)]
    which: Which,
    /// What it is.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Where its artefact lies: a file, a folder, s3://, gs://, az:// or https://.
    #[arg(long, value_name = "URI")]
    path: Option<String>,
    /// What it was trained on.
    #[arg(long, value_name = "URI")]
    training_data: Option<String>,
    /// A JSON object, or @FILE.
    #[arg(long, value_name = "JSON", value_parser = json_argument)]
    hyperparameters: Option<Value>,
    /// A JSON object, or @FILE.
    #[arg(long, value_name = "JSON", value_parser = json_argument)]
    training_metadata: Option<Value>,
    /// Who answers for it.
    #[arg(long)]
    owner: Option<String>,
    /// A tag (may be repeated).
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    tag: Vec<(String, String)>,
    /// The artefact's digest, when you know it: sha256:...
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

impl Register {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let actor = self.by.actor();
        let new = NewVersion {
            model_name: self.which.name,
            version: self.which.version,
            description: self.description,
            model_path: self.path,
            training_data_path: self.training_data,
            hyperparameters: self.hyperparameters.unwrap_or_default(),
            training_metadata: self.training_metadata.unwrap_or_default(),
            owner: self.owner,
            tags: self.tag.into_iter().collect(),
            artefact_digest: self.digest,
            ..NewVersion::default()
        };
        let mut tx = app.database.pool.begin().await?;
        let done = registry::register(&mut tx, app.registry_setup(), &new, &actor).await.map_err(failure)?;
        let run = if done.created || done.completed {
            artefacts::submit_verification(&mut tx, &done.version, &actor).await?
        } else {
            None
        };
        tx.commit().await?;
        if self.how.output == Format::Json {
            let mut document = serde_json::to_value(&done)?;
            document["verification_run"] = json!(run);
            output::json(&document)?;
            return Ok(exit::FINE);
        }
        let version = &done.version;
        output::say(&match (done.created, done.completed) {
            (true, _) => format!("registered {} {} in {}", version.model_name, version.version, version.stage),
            (_, true) => {
                format!("completed {} {}, which had been registered by use", version.model_name, version.version)
            }
            _ => format!("{} {} is registered with the same content already", version.model_name, version.version),
        });
        if let Some(run) = run {
            output::say(&format!("run {} verifies its artefact", output::short(run)));
        }
        output::data(&text::version(version));
        Ok(exit::FINE)
    }
}

/// Arguments of `steward models set`.
#[derive(Debug, Args)]
#[group(required = true, multiple = true, args = ["description", "owner", "tag", "untag"])]
pub(super) struct Set {
    #[command(flatten)]
    which: Which,
    /// The new description; an empty one removes it.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The new owner; an empty one removes it.
    #[arg(long)]
    owner: Option<String>,
    /// A tag to set (may be repeated).
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    tag: Vec<(String, String)>,
    /// A tag to remove (may be repeated).
    #[arg(long, value_name = "KEY")]
    untag: Vec<String>,
    /// Only if the version is at this revision.
    #[arg(long, value_name = "NUMBER")]
    if_revision: Option<i64>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

impl Set {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let given = |text: Option<String>| text.map(|text| (!text.is_empty()).then_some(text));
        let mut tags: std::collections::BTreeMap<_, _> = self.tag.into_iter().map(|(k, v)| (k, Some(v))).collect();
        tags.extend(self.untag.into_iter().map(|key| (key, None)));
        let patch = Patch { description: given(self.description), owner: given(self.owner), tags };
        let mut tx = app.database.pool.begin().await?;
        let (which, actor) = (&self.which, self.by.actor());
        let after = registry::change(&mut tx, &which.name, &which.version, &patch, self.if_revision, &actor)
            .await
            .map_err(failure)?;
        tx.commit().await?;
        match self.how.output {
            Format::Json => output::json(&after)?,
            Format::Table => output::data(&text::version(&after)),
        }
        Ok(exit::FINE)
    }
}

/// Arguments of `steward models alias`.
#[derive(Debug, Args)]
pub(super) struct Alias {
    /// The model.
    name: String,
    /// The alias, such as champion.
    alias: Option<String>,
    /// The version that it is to name.
    version: Option<String>,
    /// Remove it.
    #[arg(long, requires = "alias", conflicts_with = "version")]
    remove: bool,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

impl Alias {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let (name, actor) = (&self.name, self.by.actor());
        let mut tx = app.database.pool.begin().await?;
        let rows = match (&self.alias, &self.version) {
            (Some(alias), _) if self.remove => {
                registry::remove_alias(&mut tx, name, alias, &actor).await.map_err(failure)?;
                tx.commit().await?;
                output::say(&format!("{name} has no alias {alias} any more"));
                return Ok(exit::FINE);
            }
            (Some(alias), Some(version)) => {
                vec![registry::set_alias(&mut tx, name, alias, version, &actor).await.map_err(failure)?]
            }
            (Some(alias), None) => {
                let found = registry::resolve_alias(&mut tx, name, alias).await.map_err(failure)?;
                match self.how.output {
                    Format::Json => output::json(&found)?,
                    Format::Table => output::data(&text::version(&found)),
                }
                return Ok(exit::FINE);
            }
            (None, _) => registry::alias_list(&mut tx, name).await.map_err(failure)?,
        };
        tx.commit().await?;
        if self.how.output == Format::Json {
            output::json(&rows)?;
        } else if rows.is_empty() {
            output::say(&format!("{name} has no aliases"));
        } else {
            let rows = rows
                .into_iter()
                .map(|row| vec![row.alias, row.version, output::time(Some(row.updated_at)), row.updated_by])
                .collect();
            output::data(&output::table(&["alias", "version", "since (UTC)", "by"], &[], rows));
        }
        Ok(exit::FINE)
    }
}

/// Arguments of `steward models card`.
#[derive(Debug, Args)]
pub(super) struct Card {
    #[command(flatten)]
    which: Which,
    /// Add an edition from this Markdown file.
    #[arg(long, value_name = "FILE")]
    add: Option<PathBuf>,
    /// Show this edition instead of the newest.
    #[arg(long, conflicts_with = "add", value_name = "NUMBER")]
    edition: Option<i32>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

impl Card {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let Which { name, version } = &self.which;
        let mut tx = app.database.pool.begin().await?;
        let card = match &self.add {
            Some(path) => {
                let body = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                registry::add_card(&mut tx, name, version, &body, &self.by.actor()).await.map_err(failure)?
            }
            None => registry::card(&mut tx, name, version, self.edition).await.map_err(failure)?,
        };
        tx.commit().await?;
        match (self.how.output, &self.add) {
            (Format::Json, _) => output::json(&card)?,
            (Format::Table, Some(_)) => {
                output::say(&format!("edition {} of the card of {name} {version}", card.edition))
            }
            (Format::Table, None) => output::data(card.body.trim_end()),
        }
        Ok(exit::FINE)
    }
}

/// Arguments of `steward models verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

impl Verify {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let (pool, setup, actor) = (&app.database.pool, app.registry_setup(), self.by.actor());
        let found = artefact::verify(pool, &app.storage, setup, &self.which.name, &self.which.version, &actor)
            .await
            .map_err(failure)?;
        match self.how.output {
            Format::Json => output::json(&found)?,
            Format::Table => output::data(&text::version(&found)),
        }
        Ok(if found.artefact_status == "verified" { exit::FINE } else { exit::FOUND })
    }
}

/// Arguments of `steward models delete`.
#[derive(Debug, Args)]
pub(super) struct Delete {
    #[command(flatten)]
    which: Which,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

impl Delete {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let Which { name, version } = &self.which;
        let mut tx = app.database.pool.begin().await?;
        registry::delete(&mut tx, app.registry_setup(), name, version, &self.reason, None, &self.by.actor())
            .await
            .map_err(failure)?;
        tx.commit().await?;
        match self.how.output {
            Format::Json => output::json(&json!({ "model_name": name, "version": version, "deleted": true }))?,
            Format::Table => {
                output::say(&format!("deleted {name} {version}; its history stays, its number is never used again"))
            }
        }
        Ok(exit::FINE)
    }
}
