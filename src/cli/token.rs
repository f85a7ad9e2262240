//! `steward token`: make, list and revoke API tokens.
//!
//! A token is written to stdout once, when it is made; nothing shows it again.

use clap::Subcommand;

use super::output::{self, Format};
use super::{Context, exit, local_actor};
use crate::access::token::{self, Error, NewToken, TokenKind, TokenRow};
use crate::access::{Scope, Scopes};
use crate::jobs::{duration, suggest};

/// Tokens that a list shows at most.
const MOST: i64 = 1000;

/// Arguments of `steward token`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token. It is written to stdout, once; keep it, nothing shows it again.
    #[command(after_help = "Examples:
  steward token create ada --scope read --scope models:approve --expires 90d
  steward token create ci-pipeline --service --scope models:register --scope metrics:write > token.txt

Scopes:
  read             look at everything but the audit trail
  models:register  register versions; change descriptions, tags, owners, aliases, cards
  models:promote   move versions between stages
  models:approve   approve promotions
  metrics:write    log validation metrics; create and start A/B tests
  jobs:submit      submit, cancel and retry runs; pause and resume jobs
  alerts:ack       acknowledge alerts and incidents
  audit:read       read the audit trail
  admin            everything, and policies, deletions, break-glass and tokens")]
    Create(CreateArgs),
    /// List tokens, newest first: whose, for what, until when, last used.
    List {
        /// Also those that are revoked or expired.
        #[arg(long)]
        all: bool,
        /// How to write the list.
        #[arg(long, value_enum, default_value_t)]
        output: Format,
    },
    /// Revoke a token; it lets nobody in from now on.
    #[command(after_help = "Example:
  steward token revoke stw_h3Kd02aQ")]
    Revoke {
        /// Its prefix, or its id.
        token: String,
    },
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// The person or service that it stands for; the audit trail shows this name.
    name: String,
    /// What it may be used for; may be repeated.
    #[arg(long = "scope", required = true, value_name = "SCOPE")]
    scopes: Vec<String>,
    /// It belongs to a service, not to a person.
    #[arg(long)]
    service: bool,
    /// How long it is valid, such as 90d or 12h; without it, until it is revoked.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// How to write it.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Runs the command.
///
/// # Errors
/// Wrong use, an unreachable database.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    match args.command {
        Command::Create(args) => create(args, context).await,
        Command::List { all, output } => {
            let app = context.app().await?;
            let tokens = token::list(&app.database.pool, all, None, MOST).await;
            app.close().await;
            list(&tokens.map_err(failure)?, output)
        }
        Command::Revoke { token } => {
            let app = context.app().await?;
            let mut tx = app.database.pool.begin().await?;
            let row = token::revoke(&mut tx, &token, &local_actor()).await.map_err(failure)?;
            tx.commit().await?;
            app.close().await;
            let at = output::time(row.revoked_at);
            output::say(&format!("{} of {} is revoked since {at} UTC", row.prefix, row.name));
            Ok(exit::FINE)
        }
    }
}

async fn create(args: CreateArgs, context: &Context) -> anyhow::Result<u8> {
    let scopes = args.scopes.iter().map(|word| scope(word)).collect::<Result<Vec<_>, _>>()?;
    let app = context.app().await?;
    let expires_at = match &args.expires {
        None => None,
        Some(text) => {
            let seconds = duration::parse(text)
                .map_err(|wrong| exit::Failure::usage(format!("--expires: {text:?} {wrong}; write 90d or 12h")))?;
            let length = chrono::TimeDelta::try_seconds(seconds);
            let end = length.and_then(|length| app.clock.now().checked_add_signed(length));
            Some(end.ok_or_else(|| exit::Failure::usage(format!("--expires: {text:?} is too long")))?)
        }
    };
    let new = NewToken {
        name: args.name,
        kind: if args.service { TokenKind::Service } else { TokenKind::Person },
        scopes: Scopes::new(scopes),
        expires_at,
    };
    let mut tx = app.database.pool.begin().await?;
    let created = token::create(&mut tx, &new, &local_actor()).await.map_err(failure)?;
    tx.commit().await?;
    app.close().await;
    let row = &created.row;
    match args.output {
        Format::Table => output::data(created.token.expose()),
        Format::Json => {
            let mut document = serde_json::to_value(row)?;
            document["token"] = created.token.expose().into();
            output::json(&document)?;
        }
    }
    let until =
        row.expires_at.map_or_else(|| "it is revoked".to_owned(), |end| format!("{} UTC", output::time(Some(end))));
    output::say(&format!(
        "token {} for {} ({}), valid until {until}; keep it now, it is not shown again",
        row.prefix,
        row.name,
        row.scopes.join(", ")
    ));
    Ok(exit::FINE)
}

fn scope(word: &str) -> Result<Scope, exit::Failure> {
    Scope::parse(word).ok_or_else(|| {
        let known = || Scope::ALL.iter().map(|(_, word, _)| *word);
        let hint = suggest::closest(word, known()).map_or_else(
            || format!("choose one of {}", known().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        exit::Failure::usage(format!("--scope: there is no scope `{word}`; {hint}"))
    })
}

fn list(tokens: &[TokenRow], format: Format) -> anyhow::Result<u8> {
    match format {
        Format::Json => output::json(&tokens)?,
        Format::Table if tokens.is_empty() => output::say("no tokens; make one: steward token create"),
        Format::Table => {
            let rows = tokens
                .iter()
                .map(|t| {
                    let end = match t.revoked_at {
                        Some(at) => format!("revoked {}", output::time(Some(at))),
                        None => output::time(t.expires_at),
                    };
                    vec![
                        t.prefix.clone(),
                        t.name.clone(),
                        t.kind.clone(),
                        t.scopes.join(" "),
                        output::time(Some(t.created_at)),
                        end,
                        output::time(t.last_used_at),
                    ]
                })
                .collect();
            let header = ["prefix", "name", "kind", "scopes", "made (UTC)", "ends (UTC)", "last used (UTC)"];
            output::data(&output::table(&header, &[], rows));
        }
    }
    Ok(exit::FINE)
}

fn failure(error: Error) -> anyhow::Error {
    match error {
        Error::Database(error) => error.into(),
        Error::Randomness(_) => exit::Failure::unreachable(error.to_string()).into(),
        error => exit::Failure::usage(error.to_string()).into(),
    }
}
