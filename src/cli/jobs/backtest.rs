//! `steward jobs backtest`: what a job would have alerted, without a database.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::super::output::{self, Format};
use super::super::progress::Progress;
use super::super::{Context, exit};
use super::perform::instant;
use crate::clock::{SharedClock, SystemClock};
use crate::config::Settings;
use crate::jobs::backtest::{self, Line, Report, Seen};
use crate::jobs::document::{DriftSpec, JobDocument, ReferencePolicy, SchemaOf};
use crate::jobs::suggest::closest;
use crate::jobs::{diagnostic, evaluation, replay};
use crate::registry::{self, Wanted};
use crate::storage::Storage;

/// Arguments of `jobs backtest`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The job, by the name in its file.
    name: String,
    /// First instant (a date, or RFC 3339).
    #[arg(long, value_parser = instant)]
    from: DateTime<Utc>,
    /// Last instant (a date, or RFC 3339).
    #[arg(long, value_parser = instant)]
    to: DateTime<Utc>,
    /// Thresholds to compare, for every column [default: those of the job].
    #[arg(long, value_delimiter = ',', value_name = "0.1,0.2", value_parser = threshold)]
    threshold: Vec<f64>,
    /// Folder with the job files [default: jobs.dir of the configuration].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

fn threshold(text: &str) -> Result<f64, String> {
    let value: f64 = text.trim().parse().map_err(|_| format!("{text:?} is no number"))?;
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err("a threshold is a positive number".to_owned()) }
}

/// Runs the command.
///
/// # Errors
/// An unknown job, a range without ticks, a job without thresholds, data that cannot be read at all.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let settings = &context.settings.settings;
    if args.to < args.from {
        return Err(exit::Failure::usage("--to lies before --from").into());
    }
    let document = find(&args, settings)?;
    backtest::check(&document, &args.threshold).map_err(usage)?;
    let planned = replay::plan(&[(None, document.clone())], args.from, args.to).map_err(usage)?;
    let Some((spec, first)) = document.drift.as_ref().zip(planned.first()) else {
        return Err(exit::Failure::usage(format!("{} judges no drift", document.name)).into());
    };
    // Profiles are registered; everything else stands in files.
    let app = if needs_profile(spec) { Some(context.app().await?) } else { None };
    let clock: SharedClock = Arc::new(SystemClock);
    let (pool, model) = match &app {
        Some(app) => (app.database.pool.clone(), Some(model(app, &document).await?)),
        // Nothing is looked up in it.
        None => (PgPool::connect_lazy("postgres://localhost/none")?, None),
    };
    let new = crate::queue::NewRun::new(document.name.clone(), document.kind.clone(), serde_json::to_value(&document)?);
    let base = evaluation::Context {
        settings: Arc::new(settings.clone()),
        storage: Storage::new(&settings.storage),
        pool,
        clock: clock.clone(),
        cancel: CancellationToken::new(),
        run: backtest::of(crate::queue::NewRun { tick_at: Some(first.tick), ..new }, clock.now()),
        is_stored: false,
        window: None,
        model,
    };
    let mut progress = Progress::new(planned.len());
    let seen = backtest::look(&document, &planned, &base, |seen| progress.step(&step(seen))).await;
    progress.finish();
    if let Some(app) = app {
        app.close().await;
    }
    let seen = seen.map_err(|error| exit::Failure::unreachable(error.to_string()))?;
    let report = backtest::count(&document.name, spec, settings.drift_threshold, &seen, &args.threshold);
    match args.output {
        Format::Json => output::json(&report)?,
        Format::Table => output::data(&render(&report)),
    }
    Ok(if report.without_data.len() == report.windows { exit::UNREACHABLE } else { exit::FINE })
}

fn usage(error: impl std::fmt::Display) -> anyhow::Error {
    exit::Failure::usage(error.to_string()).into()
}

/// The job of that name, from its file.
fn find(args: &Args, settings: &Settings) -> anyhow::Result<JobDocument> {
    let dir = args.dir.as_ref().unwrap_or(&settings.jobs.dir);
    let loaded = super::read(std::slice::from_ref(dir), settings)?;
    if let Some(found) = loaded.documents.iter().find(|found| found.document.name == args.name) {
        return Ok(found.document.clone());
    }
    if !loaded.diagnostics.is_empty() {
        output::say(diagnostic::render(&loaded.diagnostics, false).trim_end());
        let message = format!("no job file without mistakes declares `{}`", args.name);
        return Err(exit::Failure::found(message).into());
    }
    let names = || loaded.documents.iter().map(|found| found.document.name.as_str());
    let hint = match closest(&args.name, names()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; there are {}", names().collect::<Vec<_>>().join(", ")),
    };
    let message = format!("no job file in {} declares `{}`{hint}", dir.display(), args.name);
    Err(exit::Failure::usage(message).into())
}

fn needs_profile(spec: &DriftSpec) -> bool {
    let schema = spec.quality.as_ref().and_then(|quality| quality.schema);
    spec.reference_policy() == ReferencePolicy::Profile || schema == Some(SchemaOf::Registered)
}

/// The version whose profile is compared with, as it is resolved now.
async fn model(app: &crate::app::App, document: &JobDocument) -> anyhow::Result<(String, String)> {
    let Some(model) = &document.model else {
        return Err(exit::Failure::usage(format!("{} names no model, and a profile is one's", document.name)).into());
    };
    let wanted = match (&model.version, &model.stage) {
        (Some(version), _) => Wanted::Version(version),
        (None, Some(stage)) => Wanted::Stage(stage),
        (None, None) => Wanted::Stage("production"),
    };
    let mut conn = app.database.pool.acquire().await?;
    let version = registry::resolve(&mut conn, app.registry_setup(), &model.name, wanted, None).await.map_err(usage)?;
    Ok((model.name.clone(), version))
}

fn step(seen: &Seen) -> String {
    let (start, end) = (output::time(Some(seen.window.0)), output::time(Some(seen.window.1)));
    match &seen.rows {
        Ok(rows) => format!("{start} .. {end}  {} checks", rows.len()),
        Err(reason) => format!("{start} .. {end}  {reason}"),
    }
}

/// The report as a person reads it: how often anybody would have been woken, then a line for each column and threshold.
fn render(report: &Report) -> String {
    let with_data = report.windows - report.without_data.len();
    let mut text = format!("{}: {} windows, {with_data} with data", report.job, report.windows);
    for total in &report.totals {
        let which = total.threshold.map_or_else(|| "as the job is".to_owned(), |threshold| format!("at {threshold}"));
        let plural = if total.incidents == 1 { "" } else { "s" };
        text += &format!("\n{which}: alerts in {} windows, {} incident{plural}", total.alerts, total.incidents);
    }
    for gap in &report.without_data {
        text += &format!("\nno data at {}: {}", output::time(Some(gap.tick)), gap.reason);
    }
    let day = |at: Option<DateTime<Utc>>| at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d").to_string());
    let row = |line: &Line| {
        vec![
            line.subject.clone(),
            line.method.clone(),
            format!("{}{}", line.threshold, if line.is_declared { " *" } else { "  " }),
            format!("{} of {}", line.alerts, line.judged),
            line.incidents.map_or_else(|| "-".to_owned(), |incidents| incidents.to_string()),
            day(line.first),
            day(line.last),
            output::number(line.highest),
            if line.not_judged == 0 { String::new() } else { format!("{} not judged", line.not_judged) },
        ]
    };
    let header = ["column", "method", "threshold", "alerts", "incidents", "first", "last", "highest", "note"];
    let table = output::table(&header, &[2, 3, 4, 7], report.lines.iter().map(row).collect());
    format!("{text}\n\n{table}\n\n* the job's own threshold")
}
