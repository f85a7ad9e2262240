//! `steward models profile create|show|list`: what a version was trained on, without its rows.

use clap::{Args, Subcommand};

use super::super::exit;
use super::super::output::{self, Format};
use super::{By, How, Which, failure};
use crate::app::App;
use crate::dataset::{Dataset, Source};
use crate::drift::profile::{ColumnProfile, Profile, Values};
use crate::jobs::judging::profile;
use crate::registry::{self, ProfileEdition};

/// Arguments of `steward models profile`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read data and keep its profile as the next edition.
    #[command(after_help = "Examples:
  steward models profile create flight_delay 2.0.0 --data 's3://training/flights/*.parquet'
  steward models profile create flight_delay 2.0.0 --data train.csv --columns temp,humid --by ana")]
    Create(Create),
    /// Show an edition, column by column.
    Show(Show),
    /// List the editions.
    List(List),
}

#[derive(Debug, Args)]
struct Create {
    #[command(flatten)]
    which: Which,
    /// The data: a path or URI (file, s3, gs, az, http), globs allowed.
    #[arg(long, value_name = "URI")]
    data: String,
    /// Keep only these columns.
    #[arg(long, value_delimiter = ',', value_name = "a,b")]
    columns: Vec<String>,
    /// Leave these columns out.
    #[arg(long, value_delimiter = ',', value_name = "a,b")]
    exclude: Vec<String>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    which: Which,
    /// Show this edition instead of the newest.
    #[arg(long, value_name = "NUMBER")]
    edition: Option<i32>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
}

impl Arguments {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        match self.command {
            Command::Create(args) => args.run(app).await,
            Command::Show(args) => args.run(app).await,
            Command::List(args) => args.run(app).await,
        }
    }
}

impl Create {
    async fn run(self, app: &App) -> anyhow::Result<u8> {
        let Which { name, version } = &self.which;
        let mut conn = app.database.pool.acquire().await?;
        // A version that is not there is told before gigabytes are read.
        registry::get(&mut conn, name, version).await.map_err(failure)?;
        drop(conn);
        let source = Source { uri: self.data.clone(), ..Source::default() };
        let dataset = Dataset::open(&app.storage, source, &[]).await?;
        for column in &self.exclude {
            if !dataset.columns().iter().any(|known| &known.name == column) {
                let message = format!("--exclude {column}: there is no such column in {}", self.data);
                return Err(exit::Failure::usage(message).into());
            }
        }
        let profile = profile::of(&dataset, &self.columns, &self.exclude).await?;
        let mut tx = app.database.pool.begin().await?;
        let added = registry::add_profile(&mut tx, name, version, &profile, &self.data, &self.by.actor())
            .await
            .map_err(failure)?;
        tx.commit().await?;
        if self.how.output == Format::Json {
            output::json(&added.edition)?;
            return Ok(exit::FINE);
        }
        let edition = &added.edition;
        output::say(&if added.created {
            format!("edition {} of the profile of {name} {version}: {} rows", edition.edition, edition.row_count)
        } else {
            format!("edition {} of the profile of {name} {version} is this very profile", edition.edition)
        });
        output::data(&columns(&profile));
        Ok(exit::FINE)
    }
}

impl Show {
    async fn run(self, app: &App) -> anyhow::Result<u8> {
        let Which { name, version } = &self.which;
        let mut conn = app.database.pool.acquire().await?;
        let row = registry::profile(&mut conn, name, version, self.edition).await.map_err(failure)?;
        if self.how.output == Format::Json {
            output::json(&row)?;
            return Ok(exit::FINE);
        }
        let profile: Profile = serde_json::from_value(row.profile)?;
        let when = output::time(Some(row.created_at));
        output::say(&format!(
            "edition {} of {name} {version}, made {when} UTC by {} of {} rows of {}",
            row.edition, row.created_by, row.row_count, row.source
        ));
        output::say(&row.digest);
        output::data(&columns(&profile));
        Ok(exit::FINE)
    }
}

impl List {
    async fn run(self, app: &App) -> anyhow::Result<u8> {
        let Which { name, version } = &self.which;
        let mut conn = app.database.pool.acquire().await?;
        let editions = registry::profile_editions(&mut conn, name, version).await.map_err(failure)?;
        if self.how.output == Format::Json {
            output::json(&editions)?;
        } else if editions.is_empty() {
            output::say(&format!("{name} {version} has no profile; `steward models profile create` makes one"));
        } else {
            let row = |e: ProfileEdition| {
                let digest = e.digest.chars().take(19).collect();
                vec![
                    e.edition.to_string(),
                    output::time(Some(e.created_at)),
                    e.created_by,
                    e.row_count.to_string(),
                    digest,
                    e.source,
                ]
            };
            let rows = editions.into_iter().map(row).collect();
            output::data(&output::table(&["edition", "made (UTC)", "by", "rows", "digest", "of"], &[0, 3], rows));
        }
        Ok(exit::FINE)
    }
}

/// A line for each column: what is kept of it, and how exactly.
fn columns(profile: &Profile) -> String {
    let row = |column: &ColumnProfile| {
        let number = |value: Option<f64>| output::number(value);
        let (mean, low, high, kept) = match &column.values {
            Values::Numbers(numbers) => {
                let range = numbers.range();
                let kept = match numbers.rank_error() {
                    0.0 => format!("{} values", numbers.points.len()),
                    error => format!("{} quantiles, rank error {error:.5}", numbers.points.len()),
                };
                (number(numbers.moments.mean()), number(range.map(|r| r.0)), number(range.map(|r| r.1)), kept)
            }
            Values::Categories(categories) => {
                let kept = match categories.pooled {
                    0 => format!("{} categories", categories.counts.len()),
                    rows => format!("no values: too many of them in {rows} rows"),
                };
                ("-".to_owned(), "-".to_owned(), "-".to_owned(), kept)
            }
            Values::None => ("-".to_owned(), "-".to_owned(), "-".to_owned(), "its type only".to_owned()),
        };
        vec![column.name.clone(), column.dtype.clone(), column.missing.to_string(), mean, low, high, kept]
    };
    let rows = profile.columns.iter().map(row).collect();
    output::table(&["column", "type", "missing", "mean", "lowest", "highest", "kept"], &[2, 3, 4, 5], rows)
}
