//! `steward models`: the registry from the command line.
//!
//! Nobody is authenticated here: who acts (`--by`) and who approves (`--approved-by`) stand in the trail as asserted. A failed
//! gate or a missing approval is exit code 1, and is kept in the trail as a denial. Each command is one transaction.

use clap::{Args as ClapArgs, Subcommand};
use sqlx::PgConnection;

use super::output::{self, Format};
use super::{Context, exit};
use crate::app::App;
use crate::db::audit::Actor;
use crate::registry::{self, Error};

mod look;
mod moves;
mod policy;
mod profile;
mod tend;
mod text;

/// Arguments of `steward models`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Register a version, in development.
    #[command(after_help = "Examples:
  steward models register flight_delay 2.1.0 --path s3://models/flight_delay/2.1.0.onnx --description \"with weather\"
  steward models register flight_delay 2.1.0 --hyperparameters '{\"depth\": 6}' --tag team=ops --by ada")]
    Register(Box<tend::Register>),
    /// Show a version.
    #[command(after_help = "Examples:\n  steward models get flight_delay 2.0.0 --output json")]
    Get(look::Get),
    /// Show the latest version: the highest release that is not archived.
    #[command(after_help = "Examples:
  steward models latest flight_delay
  steward models latest flight_delay --stage production --output json")]
    Latest(look::LatestArgs),
    /// List versions, newest first.
    #[command(after_help = "Examples:
  steward models list --stage production
  steward models list --name flight_delay --by-version
  steward models list --name flight_delay --tag team=ops --limit 20")]
    List(look::ListArgs),
    /// Change description, owner or tags.
    #[command(
        after_help = "Examples:\n  steward models set flight_delay 2.0.0 --owner team-ops --tag tier=1 --untag draft"
    )]
    Set(tend::Set),
    /// Promote a version to staging or production; the one in production is archived for it.
    #[command(after_help = "Examples:
  steward models promote flight_delay 2.0.0 --to staging --approved-by grace
  steward models promote flight_delay 2.0.0 --to production --approved-by grace --reason \"won the A/B test\"
  steward models promote flight_delay 2.0.0 --to production --break-glass \"checkout is down\"")]
    Promote(moves::Promote),
    /// Move a version down, to staging or development.
    #[command(
        after_help = "Examples:\n  steward models demote flight_delay 2.0.0 --to staging --reason \"errors on Mondays\""
    )]
    Demote(moves::Demote),
    /// Take a version out of use.
    #[command(after_help = "Examples:\n  steward models archive flight_delay 1.0.0 --reason \"replaced\"")]
    Archive(moves::Archive),
    /// Put the version back into production that was there before.
    #[command(
        after_help = "Examples:\n  steward models rollback flight_delay --from 2.0.0 --approved-by grace --reason \"errors after the release\""
    )]
    Rollback(moves::Rollback),
    /// Ask whether a promotion would be allowed: every gate's answer, nothing is changed.
    #[command(after_help = "Examples:\n  steward models check flight_delay 2.0.0 --to production")]
    Check(moves::Check),
    /// Approve a promotion, for the artefact and the metrics as they are now.
    #[command(
        after_help = "Examples:\n  steward models approve flight_delay 2.0.0 --for production --by grace --comment \"reviewed the card\""
    )]
    Approve(moves::Approve),
    /// List the approvals of a version.
    #[command(after_help = "Examples:\n  steward models approvals flight_delay 2.0.0 --output json")]
    Approvals(look::Get),
    /// Aliases: names that move from version to version.
    #[command(after_help = "Examples:
  steward models alias flight_delay                      list them
  steward models alias flight_delay champion             what it names
  steward models alias flight_delay champion 2.0.0       let it name 2.0.0
  steward models alias flight_delay champion --remove")]
    Alias(tend::Alias),
    /// Model cards: show one, or add an edition from a file.
    #[command(after_help = "Examples:
  steward models card flight_delay 2.0.0
  steward models card flight_delay 2.0.0 --add card.md --by ada")]
    Card(tend::Card),
    /// Reference profiles: what a version was trained on, as counts and quantiles without rows, for drift jobs to compare with.
    Profile(profile::Arguments),
    /// Which version was where, and who put it there.
    #[command(
        after_help = "Examples:\n  steward models history flight_delay\n  steward models history flight_delay 2.0.0 --output json"
    )]
    History(look::History),
    /// What was in production at an instant.
    #[command(after_help = "Examples:\n  steward models at flight_delay 2026-11-01T12:00:00Z")]
    At(look::At),
    /// What a model asks of a promotion: show it, set it from a file, or clear it.
    Policy(policy::PolicyArgs),
    /// Hash a version's artefact now.
    #[command(after_help = "Examples:\n  steward models verify flight_delay 2.0.0")]
    Verify(tend::Verify),
    /// Delete a version that is in neither staging nor production: its number is never used again.
    #[command(
        after_help = "Examples:\n  steward models delete flight_delay 0.1.0 --reason \"trained on the wrong year\""
    )]
    Delete(tend::Delete),
}

/// Who acts.
#[derive(Debug, Clone, ClapArgs)]
struct By {
    /// Who does this, by your word [default: $USER].
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl By {
    fn actor(&self) -> Actor {
        let name = self.by.clone().or_else(|| std::env::var("USER").ok()).filter(|name| !name.trim().is_empty());
        Actor::local(name.unwrap_or_else(|| "unknown".to_owned()))
    }
}

/// A model and one of its versions.
#[derive(Debug, Clone, ClapArgs)]
struct Which {
    /// The model.
    name: String,
    /// The version, such as 2.0.0.
    version: String,
}

/// How to write it.
#[derive(Debug, Clone, Copy, ClapArgs)]
struct How {
    /// How to write it.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Runs the command.
///
/// # Errors
/// What the registry refuses, an unreachable database.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let app = context.app().await?;
    let done = match args.command {
        Command::Register(args) => args.run(&app).await,
        Command::Get(args) => args.run(&app).await,
        Command::Latest(args) => args.run(&app).await,
        Command::List(args) => args.run(&app).await,
        Command::Set(args) => args.run(&app).await,
        Command::Promote(args) => args.run(&app).await,
        Command::Demote(args) => args.run(&app).await,
        Command::Archive(args) => args.run(&app).await,
        Command::Rollback(args) => args.run(&app).await,
        Command::Check(args) => args.run(&app).await,
        Command::Approve(args) => args.run(&app).await,
        Command::Approvals(args) => args.approvals(&app).await,
        Command::Alias(args) => args.run(&app).await,
        Command::Card(args) => args.run(&app).await,
        Command::Profile(args) => args.run(&app).await,
        Command::History(args) => args.run(&app).await,
        Command::At(args) => args.run(&app).await,
        Command::Policy(args) => args.run(&app).await,
        Command::Verify(args) => args.run(&app).await,
        Command::Delete(args) => args.run(&app).await,
    };
    app.close().await;
    done
}

/// Keeps a refusal in the trail when it concerns authority, and gives it its exit code.
async fn refused(app: &App, error: Error, actor: &Actor) -> anyhow::Error {
    if error.denial().is_some() {
        let kept = async {
            let mut conn: sqlx::pool::PoolConnection<_> = app.database.pool.acquire().await?;
            let conn: &mut PgConnection = &mut conn;
            registry::record_denial(conn, &error, actor).await
        };
        if let Err(problem) = kept.await {
            output::say(&format!("warning: the refusal is not in the audit trail: {problem}"));
        }
    }
    failure(error)
}

/// The exit code of an error: what a policy refuses is found, a person's mistake is wrong use.
fn failure(error: Error) -> anyhow::Error {
    match error {
        Error::Database(error) => error.into(),
        Error::Artefact(error) => error.into(),
        Error::Notify(error) => super::alerts::failure(error),
        error if error.denial().is_some() => exit::Failure::found(error.to_string()).into(),
        error => exit::Failure::usage(error.to_string()).into(),
    }
}

/// `KEY=VALUE` of a tag.
fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is no tag: write KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A word for a stage.
fn stage(text: &str) -> Result<registry::Stage, String> {
    registry::Stage::parse(text).map_err(|error| error.to_string())
}
