//! `steward alerts`: list, show and acknowledge incidents.
//!
//! Incident ids may be shortened to their first eight or more hexadecimal digits.

use clap::Subcommand;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::output::{self, Format};
use super::{Context, exit};
use crate::db::audit::Actor;
use crate::db::deliveries;
use crate::db::incidents::{self, Filter, Incident, IncidentEvent};
use crate::notify::{self, Error};

/// Deliveries shown with an incident.
const DELIVERIES: i64 = 100;

/// Arguments of `steward alerts`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List incidents, newest first.
    #[command(after_help = "Examples:
  steward alerts list --state live
  steward alerts list --job flights-feature-drift --limit 20 --output json")]
    List(ListArgs),
    /// Show an incident: what, since when, on what evidence, its history and its messages.
    Show {
        /// Id, or its first eight or more digits.
        id: String,
        /// How to write it.
        #[arg(long, value_enum, default_value_t)]
        output: Format,
    },
    /// Say that you take care of open incidents; their end is still told.
    #[command(after_help = "Examples:
  steward alerts ack 0cf5d618 --by ada --note \"new sensor, see the change log\"")]
    Ack {
        /// Ids, or their first eight or more digits.
        #[arg(required = true)]
        ids: Vec<String>,
        /// Who takes care of it.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// What others should know.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
}

/// Arguments of `steward alerts list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only incidents in this state; `live` means open or acknowledged.
    #[arg(long, value_parser = ["live", "open", "acknowledged", "resolved"])]
    state: Option<String>,
    /// Only incidents of this job.
    #[arg(long)]
    job: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Go on after this incident (the last id of the page before).
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// How to write the list.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Runs the command.
///
/// # Errors
/// Unknown incidents, an unreachable database.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let app = context.app().await?;
    let text = match args.command {
        Command::List(args) => list(&app.database.pool, &args).await,
        Command::Show { id, output } => show(&app.database.pool, &id, output).await,
        Command::Ack { ids, by, note } => acknowledge(&app.database.pool, &ids, &by, note.as_deref()).await,
    };
    match text.map_err(failure)?.as_str() {
        "" => output::say("no incidents"),
        text => output::data(text),
    }
    Ok(exit::FINE)
}

/// The exit code of an error: the person's mistakes are wrong use.
pub(super) fn failure(error: Error) -> anyhow::Error {
    match error {
        Error::Database(error) => error.into(),
        Error::Configuration(_) => exit::Failure::configuration(error.to_string()).into(),
        error => exit::Failure::usage(error.to_string()).into(),
    }
}

/// The list of incidents as it is written; empty when there are none and it is for people.
///
/// # Errors
/// What [`notify::find`] and the database say.
pub async fn list(pool: &PgPool, args: &ListArgs) -> Result<String, Error> {
    let after = match &args.after {
        Some(id) => Some(find(pool, id).await?),
        None => None,
    };
    let filter = Filter {
        state: args.state.clone(),
        job: args.job.clone(),
        limit: i64::from(args.limit.clamp(1, 1000)),
        after: after.map(|incident| (incident.opened_at, incident.id)),
    };
    let found = incidents::list(pool, &filter).await?;
    if args.output == Format::Json {
        return Ok(pretty(&found.iter().map(document).collect()));
    }
    if found.is_empty() {
        return Ok(String::new());
    }
    let rows = found
        .iter()
        .map(|incident| {
            vec![
                output::short(incident.id),
                incident.state.clone(),
                incident.severity.clone(),
                output::time(Some(incident.opened_at)),
                incident.job_name.clone(),
                incident.kind.clone(),
                notify::text::one_line(&incident.title),
            ]
        })
        .collect();
    Ok(output::table(&["id", "state", "severity", "opened (UTC)", "job", "kind", "latest breach"], &[], rows))
}

/// One incident with its history and messages, as it is written.
///
/// # Errors
/// What [`notify::find`] and the database say.
pub async fn show(pool: &PgPool, id: &str, format: Format) -> Result<String, Error> {
    let incident = find(pool, id).await?;
    let events = incidents::events(pool, incident.id).await?;
    let filter = deliveries::Filter { incident: Some(incident.id), limit: DELIVERIES, ..deliveries::Filter::default() };
    let messages = deliveries::list(pool, &filter).await?;
    if format == Format::Json {
        let mut document = document(&incident);
        document["events"] = events.iter().map(event_document).collect();
        document["deliveries"] = messages.iter().map(super::notify::document).collect();
        return Ok(pretty(&document));
    }
    let mut lines = summary(&incident);
    lines.extend(["".to_owned(), "HISTORY".to_owned()]);
    lines.extend(events.iter().map(|event| format!("  {}", history(event))));
    lines.extend(["".to_owned(), "MESSAGES".to_owned()]);
    if messages.is_empty() {
        lines.push("  none: its job names no channel".to_owned());
    } else {
        let table = super::notify::table(&messages);
        lines.extend(table.lines().map(|line| format!("  {line}")));
    }
    Ok(lines.join("\n"))
}

/// Acknowledges and says so.
///
/// # Errors
/// What [`notify::find`], [`notify::acknowledge`] and the database say; ids before the failing one are acknowledged.
pub async fn acknowledge(pool: &PgPool, ids: &[String], who: &str, note: Option<&str>) -> Result<String, Error> {
    let mut lines = Vec::new();
    for id in ids {
        let id = notify::find(pool, id).await?;
        let mut tx = pool.begin().await?;
        let incident = notify::acknowledge(&mut tx, id, note, &Actor::local(who)).await?;
        tx.commit().await?;
        let by = incident.acknowledged_by.as_deref().unwrap_or("-");
        let at = output::time(incident.acknowledged_at);
        lines.push(format!(
            "{} acknowledged by {by} at {at} UTC: {}",
            output::short(id),
            notify::text::one_line(&incident.title)
        ));
    }
    Ok(lines.join("\n"))
}

async fn find(pool: &PgPool, id: &str) -> Result<Incident, Error> {
    let found = notify::find(pool, id).await?;
    incidents::get(pool, found).await?.ok_or_else(|| Error::NoSuchIncident(id.to_owned()))
}

fn summary(incident: &Incident) -> Vec<String> {
    let one_line = notify::text::one_line;
    let model = match (&incident.model_name, &incident.model_version) {
        (Some(name), Some(version)) => format!("{name} {version}"),
        (Some(name), None) => name.clone(),
        _ => "-".to_owned(),
    };
    let mut facts = vec![
        ("incident", incident.id.to_string()),
        ("latest breach", one_line(&incident.title)),
        ("state", incident.state.clone()),
        ("severity", incident.severity.clone()),
        ("job", incident.job_name.clone()),
        ("kind", incident.kind.clone()),
        ("subject", one_line(&incident.subject)),
        ("model", model),
        ("opened", format!("{} UTC", output::time(Some(incident.opened_at)))),
        ("last breach", format!("{} UTC, {} in a row", output::time(Some(incident.last_breach_at)), incident.breaches)),
        (
            "score",
            format!(
                "{} (threshold {}, worst {})",
                output::number(incident.evidence.score),
                output::number(incident.evidence.threshold),
                output::number(incident.peak_score)
            ),
        ),
    ];
    if let Some(by) = &incident.acknowledged_by {
        let note = incident.acknowledge_note.as_deref().map(|note| format!(": {}", one_line(note))).unwrap_or_default();
        facts.push((
            "acknowledged",
            format!("{} UTC by {}{note}", output::time(incident.acknowledged_at), one_line(by)),
        ));
    }
    if incident.resolved_at.is_some() {
        facts.push(("resolved", format!("{} UTC", output::time(incident.resolved_at))));
    }
    let mut lines: Vec<String> = facts.into_iter().map(|(label, value)| format!("{label:<13}{value}")).collect();
    if !incident.evidence.labels.is_empty() {
        lines.extend(["".to_owned(), "EVIDENCE".to_owned()]);
        let labels = incident.evidence.labels.iter();
        lines.extend(labels.map(|(label, value)| format!("  {}: {}", one_line(label), notify::text::fact(value))));
    }
    lines
}

fn history(event: &IncidentEvent) -> String {
    let text = |key: &str| event.detail.get(key).and_then(Value::as_str).map(notify::text::one_line);
    let what = text("title").or_else(|| text("reason")).or_else(|| text("note")).unwrap_or_default();
    let who = match (&event.actor, event.run_id) {
        (Some(actor), _) => format!("by {}", notify::text::one_line(actor)),
        (None, Some(run)) => format!("run {}", output::short(run)),
        (None, None) => String::new(),
    };
    format!("{}  {:<12}  {who}  {what}", output::time(Some(event.at)), event.kind).trim_end().to_owned()
}

fn event_document(event: &IncidentEvent) -> Value {
    json!({ "kind": event.kind, "at": event.at, "run_id": event.run_id, "actor": event.actor, "detail": event.detail })
}

fn document(incident: &Incident) -> Value {
    let evidence: serde_json::Map<String, Value> = incident.evidence.labels.iter().cloned().collect();
    json!({
        "id": incident.id,
        "state": incident.state,
        "severity": incident.severity,
        "job": incident.job_name,
        "kind": incident.kind,
        "subject": incident.subject,
        "title": incident.title,
        "model": incident.model_name,
        "model_version": incident.model_version,
        "score": incident.evidence.score,
        "threshold": incident.evidence.threshold,
        "peak_score": incident.peak_score,
        "breaches": incident.breaches,
        "opened_at": incident.opened_at,
        "last_breach_at": incident.last_breach_at,
        "resolved_at": incident.resolved_at,
        "opened_by_run": incident.opened_by_run,
        "resolved_by_run": incident.resolved_by_run,
        "acknowledged_by": incident.acknowledged_by,
        "acknowledged_at": incident.acknowledged_at,
        "acknowledge_note": incident.acknowledge_note,
        "evidence": evidence,
    })
}

/// A document as text; `Display` of a JSON value cannot fail.
pub(super) fn pretty(document: &Value) -> String {
    format!("{document:#}")
}
