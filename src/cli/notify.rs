//! `steward notify`: try a channel, see what was sent and what could not be.

use std::sync::Arc;

use clap::Subcommand;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::alerts::{failure, pretty};
use super::output::{self, Format};
use super::{Context, exit, local_actor};
use crate::clock::{SharedClock, SystemClock};
use crate::db::deliveries::{self, Delivery, Filter};
use crate::notify::{self, Channels, Error, Probe};

/// Arguments of `steward notify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send a real message through a channel and say what happened, step by step.
    Test {
        /// The channel.
        #[arg(long)]
        channel: String,
        /// How to write it.
        #[arg(long, value_enum, default_value_t)]
        output: Format,
    },
    /// List messages, newest first.
    List(ListArgs),
    /// Messages that were given up.
    Dead {
        #[command(subcommand)]
        command: DeadCommand,
    },
}

#[derive(Debug, Subcommand)]
enum DeadCommand {
    /// List messages that were given up, with the reason.
    List {
        /// Only of this channel.
        #[arg(long)]
        channel: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// How to write the list.
        #[arg(long, value_enum, default_value_t)]
        output: Format,
    },
    /// Send messages again that were given up, under the same ids; a running `steward serve` does it.
    Retry {
        /// Ids of messages.
        #[arg(required_unless_present = "all")]
        ids: Vec<Uuid>,
        /// All that were given up.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

/// Arguments of `steward notify list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only messages in this state.
    #[arg(long, value_parser = ["pending", "leased", "sent", "retry", "dead", "merged", "uncertain"])]
    state: Option<String>,
    /// Only of this channel.
    #[arg(long)]
    channel: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// How to write the list.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Runs the command.
///
/// # Errors
/// Unknown channels and messages, an unreachable database.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    if let Command::Test { channel, output } = args.command {
        // Without the database, so that a channel can be tried while that is away.
        let settings = &context.settings.settings;
        let channels = Channels::new(&settings.notify, &settings.smtp, &settings.data_dir).map_err(failure)?;
        let clock: SharedClock = Arc::new(SystemClock);
        let (text, is_fine) = test(&channels, &clock, &channel, output).await.map_err(failure)?;
        output::data(&text);
        return Ok(if is_fine { exit::FINE } else { exit::UNREACHABLE });
    }
    let app = context.app().await?;
    let pool = &app.database.pool;
    let text = match args.command {
        Command::List(args) => list(pool, args.state, args.channel, args.limit, args.output).await,
        Command::Dead { command: DeadCommand::List { channel, limit, output } } => {
            list(pool, Some("dead".to_owned()), channel, limit, output).await
        }
        Command::Dead { command: DeadCommand::Retry { ids, all } } => retry(pool, &app.channels, ids, all).await,
        Command::Test { .. } => Ok(String::new()),
    };
    match text.map_err(failure)?.as_str() {
        "" => output::say("no messages"),
        text => output::data(text),
    }
    Ok(exit::FINE)
}

/// Sends a test message; the text that is written, and whether everybody got it.
///
/// # Errors
/// [`Error::UnknownChannel`].
pub async fn test(
    channels: &Channels,
    clock: &SharedClock,
    channel: &str,
    format: Format,
) -> Result<(String, bool), Error> {
    let probe = notify::send_test(channels, channel, clock).await?;
    let text = if format == Format::Json { pretty(&probe_document(&probe)) } else { probe_text(&probe) };
    Ok((text, probe.is_fine()))
}

fn probe_text(probe: &Probe) -> String {
    let mut lines = Vec::new();
    for result in &probe.results {
        lines.push(format!("{} ({}) to {}, message {}", probe.channel, probe.kind, result.recipient, result.id));
        lines.extend(result.steps.iter().map(|step| format!("  {step}")));
        let end = if result.sent { "sent" } else { "not sent" };
        lines.push(format!("  {end}: {}", result.detail));
    }
    lines.join("\n")
}

fn probe_document(probe: &Probe) -> Value {
    let results = probe.results.iter().map(|result| {
        json!({
            "recipient": result.recipient,
            "id": result.id,
            "sent": result.sent,
            "status": result.status,
            "steps": result.steps,
            "detail": result.detail,
        })
    });
    json!({ "channel": probe.channel, "kind": probe.kind, "results": results.collect::<Vec<_>>() })
}

/// The list of messages as it is written; empty when there are none and it is for people.
///
/// # Errors
/// What the database says.
pub async fn list(
    pool: &PgPool,
    state: Option<String>,
    channel: Option<String>,
    limit: u32,
    format: Format,
) -> Result<String, Error> {
    let filter = Filter { state, channel, limit: i64::from(limit.clamp(1, 1000)), ..Filter::default() };
    let found = deliveries::list(pool, &filter).await?;
    Ok(match format {
        Format::Json => pretty(&found.iter().map(document).collect()),
        Format::Table if found.is_empty() => String::new(),
        Format::Table => table(&found),
    })
}

/// Makes messages due that were given up, and says so.
///
/// # Errors
/// What [`notify::retry_delivery`] says; messages before the failing one are due.
pub async fn retry(pool: &PgPool, channels: &Channels, ids: Vec<Uuid>, all: bool) -> Result<String, Error> {
    let ids = if all {
        let filter = Filter { state: Some("dead".to_owned()), limit: 1000, ..Filter::default() };
        deliveries::list(pool, &filter).await?.into_iter().map(|delivery| delivery.id).collect()
    } else {
        ids
    };
    let mut lines = Vec::new();
    for id in ids {
        let mut tx = pool.begin().await?;
        let made_due = notify::retry_delivery(&mut tx, channels, id, &local_actor()).await?;
        tx.commit().await?;
        for due in made_due {
            lines.push(format!("{due} is due now"));
        }
    }
    Ok(lines.join("\n"))
}

/// Messages as a table.
pub(super) fn table(deliveries: &[Delivery]) -> String {
    let rows = deliveries
        .iter()
        .map(|delivery| {
            vec![
                delivery.id.to_string(),
                delivery.state.clone(),
                output::time(Some(delivery.created_at)),
                delivery.channel.clone(),
                if delivery.recipient.is_empty() { "-".to_owned() } else { delivery.recipient.clone() },
                delivery.attempts.to_string(),
                delivery.subject.clone(),
                delivery.last_error.as_deref().map(notify::text::one_line).unwrap_or_default(),
            ]
        })
        .collect();
    output::table(&["id", "state", "made (UTC)", "channel", "to", "tries", "subject", "why"], &[5], rows)
}

/// A message as JSON, without its body.
pub(super) fn document(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "event_id": delivery.event_id,
        "event": delivery.event_kind,
        "state": delivery.state,
        "channel": delivery.channel,
        "channel_kind": delivery.channel_kind,
        "recipient": delivery.recipient,
        "subject": delivery.subject,
        "run_id": delivery.run_id,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at,
        "merged_into": delivery.merged_into,
        "last_error": delivery.last_error,
        "created_at": delivery.created_at,
        "sent_at": delivery.sent_at,
    })
}
