//! `steward audit`: read the audit trail, verify it, take it elsewhere.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::pin::pin;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use futures::TryStreamExt;
use serde_json::{Value, json};

use super::jobs::perform::instant;
use super::output::{self, Format};
use super::{Context, exit};
use crate::db::audit::{self, Chain, EventRow, Filter, Verification, export};

/// Arguments of `steward audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List events, newest first.
    #[command(after_help = "Examples:
  steward audit list --outcome denied
  steward audit list --subject biodiversity_ensemble/0.2.0 --output json")]
    List(ListArgs),
    /// Check the chain of hashes; exit code 1 and the first problem when it is broken.
    ///
    /// Note the head that it prints outside of the database: `--head` then also proves that nothing was cut off. Of a file it
    /// says which events hold together: what lies before its first one and after its last is not in it.
    #[command(after_help = "Examples:
  steward audit verify
  steward audit verify --head 5f0c... (a head that was noted before)
  steward audit verify --file trail.jsonl --head 5f0c...")]
    Verify {
        /// Check an exported file instead of the database, which is not needed.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// A head that was noted before: of a file, its last hash; of the database, the hash of an event that must be there.
        #[arg(long, value_name = "HEX", value_parser = head)]
        head: Option<Head>,
        /// How to write the result.
        #[arg(long, value_enum, default_value_t)]
        output: Format,
    },
    /// Write events as JSON lines, oldest first, with all that is needed to verify them elsewhere.
    #[command(after_help = "Examples:
  steward audit export > trail.jsonl
  steward audit export --from 1001 --to 2000 | gzip > trail-2.jsonl.gz")]
    Export {
        /// First event.
        #[arg(long, value_name = "SEQ", default_value_t = 1)]
        from: i64,
        /// Last event [default: the newest].
        #[arg(long, value_name = "SEQ")]
        to: Option<i64>,
    },
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only what this principal did.
    #[arg(long)]
    actor: Option<String>,
    /// Only this action, such as model.promoted.
    #[arg(long)]
    action: Option<String>,
    /// Only what was done, or only what was denied.
    #[arg(long, value_parser = ["done", "denied"])]
    outcome: Option<String>,
    /// Only this kind of thing, such as model, run, job, incident, token.
    #[arg(long)]
    subject_kind: Option<String>,
    /// Only this thing: name/version, an id.
    #[arg(long)]
    subject: Option<String>,
    /// Not before (a date, or RFC 3339).
    #[arg(long, value_parser = instant)]
    since: Option<DateTime<Utc>>,
    /// Before (a date, or RFC 3339).
    #[arg(long, value_parser = instant)]
    until: Option<DateTime<Utc>>,
    /// Go on before this event (the last number of the page before).
    #[arg(long, value_name = "SEQ")]
    before: Option<i64>,
    /// At most this many.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// How to write the list.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// The 32 bytes of a hash.
#[derive(Debug, Clone)]
struct Head(Vec<u8>);

fn head(text: &str) -> Result<Head, String> {
    let bytes = hex::decode(text.trim()).ok().filter(|bytes| bytes.len() == 32);
    bytes.map(Head).ok_or_else(|| "a head is 64 hexadecimal digits".to_owned())
}

/// Runs the command.
///
/// # Errors
/// An unreadable file, an unreachable database.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    match args.command {
        Command::List(args) => list(args, context).await,
        Command::Verify { file: Some(file), head, output } => {
            let found = verify_file(&file, head.as_ref())
                .map_err(|error| exit::Failure::unreachable(format!("cannot read {}: {error}", file.display())))?;
            tell_file(&found, output)
        }
        Command::Verify { file: None, head, output } => {
            let app = context.app().await?;
            let found = audit::verify(&app.database.pool, head.as_ref().map(|head| head.0.as_slice())).await;
            app.close().await;
            tell(&found?, output)
        }
        Command::Export { from, to } => {
            let app = context.app().await?;
            let mut events = pin!(export::events(&app.database.pool, from, to.unwrap_or(i64::MAX)));
            while let Some(event) = events.try_next().await? {
                let written = output::line(&export::to_line(&event));
                if !written
                    .map_err(|error| exit::Failure::unreachable(format!("the export is not complete: {error}")))?
                {
                    break;
                }
            }
            Ok(exit::FINE)
        }
    }
}

/// What a file proves: what is in it, and no more.
struct Part {
    /// The first event that is in it.
    first: Option<i64>,
    /// The last one that holds together with those before it.
    last: i64,
    /// Whether a head that was noted before says that this is the end.
    end_noted: bool,
    verification: Verification,
}

/// Checks an exported file line by line.
fn verify_file(path: &Path, head: Option<&Head>) -> std::io::Result<Part> {
    let mut chain = Chain::from_anywhere();
    for (number, line) in BufReader::new(std::fs::File::open(path)?).lines().enumerate() {
        match export::from_line(&line?) {
            Ok(row) if chain.feed(&row) => {}
            Ok(_) => break,
            Err(wrong) => {
                chain.fail(format!("line {} {wrong}", number + 1));
                break;
            }
        }
    }
    let (last, hash) = chain.last();
    if let Some(head) = head.filter(|head| head.0 != hash) {
        chain.fail(format!(
            "the file ends at event {last}, whose hash is not {}: lines are missing",
            hex::encode(&head.0)
        ));
    }
    let first = chain.first();
    if first.is_none() {
        chain.fail("the file holds no event".to_owned());
    }
    Ok(Part { first, last, end_noted: head.is_some(), verification: chain.finish() })
}

fn tell_file(found: &Part, format: Format) -> anyhow::Result<u8> {
    let verification = &found.verification;
    if format == Format::Json {
        let mut all = serde_json::to_value(verification)?;
        all["first"] = json!(found.first);
        all["last"] = json!(found.first.map(|_| found.last));
        all["from_the_start"] = json!(found.first == Some(1));
        all["end_noted"] = json!(found.end_noted);
        output::json(&all)?;
        return Ok(if verification.problem.is_none() { exit::FINE } else { exit::FOUND });
    }
    let (Some(first), None) = (found.first, &verification.problem) else { return tell(verification, format) };
    let (last, head) = (found.last, &verification.head);
    let events =
        if first == last { format!("event {first} holds") } else { format!("events {first} to {last} hold together") };
    let before = if first == 1 { "the trail begins there" } else { "what lies before is not in this file" };
    let after = if found.end_noted {
        "the end is the head that was noted"
    } else {
        "whether events followed is unknown: give the head that was noted with --head"
    };
    output::data(&format!("{events}; {before}; {after}; head {head}"));
    Ok(exit::FINE)
}

fn tell(found: &Verification, format: Format) -> anyhow::Result<u8> {
    match (format, &found.problem) {
        (Format::Json, _) => output::json(found)?,
        (Format::Table, None) => {
            output::data(&format!("{} events, the chain holds; head {}", found.events, found.head))
        }
        (Format::Table, Some(problem)) => output::data(&format!("BROKEN after {} events: {problem}", found.events)),
    }
    Ok(if found.problem.is_none() { exit::FINE } else { exit::FOUND })
}

async fn list(args: ListArgs, context: &Context) -> anyhow::Result<u8> {
    let app = context.app().await?;
    let filter = Filter {
        actor: args.actor,
        action: args.action,
        outcome: args.outcome,
        subject_kind: args.subject_kind,
        subject: args.subject,
        since: args.since,
        until: args.until,
        before: args.before,
        limit: i64::from(args.limit.clamp(1, 1000)),
    };
    let events = audit::list(&app.database.pool, &filter).await;
    app.close().await;
    let events = events?;
    match args.output {
        Format::Json => output::json(&events.iter().map(document).collect::<Vec<_>>())?,
        Format::Table if events.is_empty() => output::say("no events"),
        Format::Table => {
            let rows = events
                .iter()
                .map(|event| {
                    vec![
                        event.sequence.to_string(),
                        output::time(Some(event.at)),
                        event.actor.clone(),
                        event.action.clone(),
                        event.outcome.clone(),
                        crate::notify::text::one_line(&event.subject),
                    ]
                })
                .collect();
            output::data(&output::table(&["event", "at (UTC)", "actor", "action", "outcome", "subject"], &[0], rows));
        }
    }
    Ok(exit::FINE)
}

/// An event as JSON, its detail as a document.
fn document(event: &EventRow) -> Value {
    json!({
        "sequence": event.sequence,
        "at": event.at,
        "actor": event.actor,
        "actor_kind": event.actor_kind,
        "action": event.action,
        "outcome": event.outcome,
        "subject_kind": event.subject_kind,
        "subject": event.subject,
        "request_id": event.request_id,
        "detail": serde_json::from_str(&event.detail).unwrap_or(Value::Null),
        "hash": hex::encode(&event.hash),
    })
}
