//! `steward models get|latest|list|approvals|history|at`: looking.

use chrono::{DateTime, Utc};
use clap::Args;

use super::super::exit;
use super::super::output::{self, Format};
use super::{How, Which, failure, stage, tag, text};
use crate::app::App;
use crate::registry::{self, ListFilter, Order, Stage};

/// Arguments of `steward models get` and `approvals`.
#[derive(Debug, Args)]
pub(super) struct Get {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
}

impl Get {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let mut conn = app.database.pool.acquire().await?;
        let found = registry::get(&mut conn, &self.which.name, &self.which.version).await.map_err(failure)?;
        match self.how.output {
            Format::Json => output::json(&found)?,
            Format::Table => output::data(&text::version(&found)),
        }
        Ok(exit::FINE)
    }

    pub(super) async fn approvals(self, app: &App) -> anyhow::Result<u8> {
        let mut conn = app.database.pool.acquire().await?;
        let found = registry::approvals(&mut conn, &self.which.name, &self.which.version).await.map_err(failure)?;
        if self.how.output == Format::Json {
            output::json(&found)?;
        } else if found.is_empty() {
            output::say("no approvals");
        } else {
            let rows = found
                .iter()
                .map(|a| {
                    vec![
                        a.row.stage.clone(),
                        a.row.approver.clone(),
                        output::time(Some(a.row.created_at)),
                        a.state.to_owned(),
                        a.why.clone().or_else(|| a.row.comment.clone()).unwrap_or_else(|| "-".to_owned()),
                    ]
                })
                .collect();
            output::data(&output::table(&["for", "approver", "given (UTC)", "state", "note"], &[], rows));
        }
        Ok(exit::FINE)
    }
}

/// Arguments of `steward models latest`.
#[derive(Debug, Args)]
pub(super) struct LatestArgs {
    /// The model.
    name: String,
    /// The latest in this stage.
    #[arg(long, value_parser = stage)]
    stage: Option<Stage>,
    /// Count pre-releases like releases.
    #[arg(long)]
    include_prerelease: bool,
    /// By the time of registration instead of by version.
    #[arg(long)]
    by_time: bool,
    #[command(flatten)]
    how: How,
}

impl LatestArgs {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let mut conn = app.database.pool.acquire().await?;
        let order = if self.by_time { Order::CreatedAt } else { Order::Precedence };
        let found = registry::latest(&mut conn, &self.name, self.stage, self.include_prerelease, order)
            .await
            .map_err(failure)?;
        match self.how.output {
            Format::Json => output::json(&found)?,
            Format::Table => output::data(&text::version(&found)),
        }
        Ok(exit::FINE)
    }
}

/// Arguments of `steward models list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only of this model.
    #[arg(long)]
    name: Option<String>,
    /// Only of models whose names begin so.
    #[arg(long, value_name = "TEXT")]
    name_prefix: Option<String>,
    /// Only in this stage.
    #[arg(long, value_parser = stage)]
    stage: Option<Stage>,
    /// Only with this tag (may be repeated).
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    tag: Vec<(String, String)>,
    /// Only of this owner.
    #[arg(long)]
    owner: Option<String>,
    /// Only registered by this one.
    #[arg(long, value_name = "NAME")]
    created_by: Option<String>,
    /// The highest version first instead of the newest; of one model.
    #[arg(long, requires = "name")]
    by_version: bool,
    /// Deleted ones too.
    #[arg(long)]
    deleted: bool,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    how: How,
}

impl ListArgs {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let filter = ListFilter {
            name: self.name,
            name_prefix: self.name_prefix,
            stage: self.stage,
            tags: self.tag.into_iter().collect(),
            owner: self.owner,
            created_by: self.created_by,
            include_deleted: self.deleted,
            by_version: self.by_version,
        };
        let mut conn = app.database.pool.acquire().await?;
        let (rows, next) = registry::list(&mut conn, &filter, None, self.limit).await.map_err(failure)?;
        if self.how.output == Format::Json {
            output::json(&rows)?;
        } else if rows.is_empty() {
            output::say("no versions");
        } else {
            output::data(&text::versions(&rows));
        }
        if next.is_some() {
            output::say("there are more: raise --limit, or narrow the list");
        }
        Ok(exit::FINE)
    }
}

/// Arguments of `steward models history`.
#[derive(Debug, Args)]
pub(super) struct History {
    /// The model.
    name: String,
    /// Only of this version.
    version: Option<String>,
    /// At most this many periods.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    #[command(flatten)]
    how: How,
}

impl History {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let mut conn = app.database.pool.acquire().await?;
        let rows = registry::history(&mut conn, &self.name, self.version.as_deref(), None, self.limit)
            .await
            .map_err(failure)?;
        match self.how.output {
            Format::Json => output::json(&rows)?,
            Format::Table => output::data(&text::history(&rows)),
        }
        Ok(exit::FINE)
    }
}

/// Arguments of `steward models at`.
#[derive(Debug, Args)]
pub(super) struct At {
    /// The model.
    name: String,
    /// The instant, with its offset: 2026-11-01T12:00:00Z.
    #[arg(value_parser = super::super::jobs::perform::instant)]
    at: DateTime<Utc>,
    #[command(flatten)]
    how: How,
}

impl At {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let mut conn = app.database.pool.acquire().await?;
        let found = registry::in_production_at(&mut conn, &self.name, self.at).await.map_err(failure)?;
        match (&found, self.how.output) {
            (found, Format::Json) => output::json(found)?,
            (Some(period), Format::Table) => output::data(&text::history(std::slice::from_ref(period))),
            (None, Format::Table) => output::say("nothing was in production then"),
        }
        Ok(if found.is_some() { exit::FINE } else { exit::FOUND })
    }
}
