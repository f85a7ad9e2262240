//! `steward drift check`: drift between two datasets, without job files or a database.

use std::collections::BTreeMap;

use clap::Subcommand;

use super::output::{self, Format};
use super::{Context, exit};
use crate::dataset::{Dataset, Source};
use crate::drift::{self, Options, Report, Status};
use crate::jobs::judging::drift::{ColumnPlan, Plan, judge};
use crate::storage::Storage;

/// Arguments of `steward drift`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge whether the current data has drifted from the reference (exit 1 when it has, or a column cannot be compared).
    #[command(after_help = "Examples:
  steward drift check --reference jan.parquet --current jul.parquet
  steward drift check --reference 's3://bucket/ref/*.parquet' --current s3://bucket/now.parquet --output json
  steward drift check --reference a.csv --current b.csv --columns age,income --column age=psi:0.25")]
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The reference: a path or URI (file, s3, gs, az, http), globs allowed.
    #[arg(long, value_name = "URI")]
    reference: String,
    /// The data to judge.
    #[arg(long, value_name = "URI")]
    current: String,
    /// Judge only these columns.
    #[arg(long, value_delimiter = ',', value_name = "a,b")]
    columns: Vec<String>,
    /// Leave these columns out.
    #[arg(long, value_delimiter = ',', value_name = "a,b")]
    exclude: Vec<String>,
    /// Method for every column that it applies to [default: ks_test for numbers, chi_square for categories].
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// A column drifts when its score is above this [default: 0.2].
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    threshold: Option<f64>,
    /// Method and threshold of one column (may be repeated).
    #[arg(long = "column", value_name = "NAME=METHOD[:THRESHOLD]")]
    overrides: Vec<String>,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Runs the command.
///
/// # Errors
/// Wrong use, or data that cannot be read.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let Command::Check(args) = args.command;
    let plan = plan(&args, context)?;
    let storage = Storage::new(&context.settings.settings.storage);
    let open = async |uri: &str| {
        let source = Source { uri: uri.to_owned(), ..Source::default() };
        Dataset::open(&storage, source, &[]).await
    };
    let reference: Dataset = open(&args.reference).await.map_err(|e| anyhow::Error::new(e).context("reference"))?;
    let current = open(&args.current).await.map_err(|e| anyhow::Error::new(e).context("current"))?;
    for (dataset, name) in [(&reference, "reference"), (&current, "current")] {
        if dataset.row_count().await? == 0 {
            return Err(exit::Failure::unreachable(format!("{name}: no rows in {}", dataset.uri())).into());
        }
    }
    for column in plan.select.iter().chain(&plan.exclude).chain(plan.columns.keys()) {
        if !reference.columns().iter().chain(current.columns()).any(|c| &c.name == column) {
            let names: Vec<&str> = reference.columns().iter().map(|c| c.name.as_str()).collect();
            return Err(exit::Failure::usage(format!(
                "there is no column `{column}`; the reference has {}",
                names.join(", ")
            ))
            .into());
        }
    }
    let report = judge(&reference.into(), &current.into(), &plan).await?.report;
    match args.output {
        Format::Json => output::json(&report)?,
        Format::Table => output::data(&render(&report)),
    }
    unfit_overrides(&plan, &report)?;
    Ok(verdict(&report))
}

/// Drift and columns that cannot be compared are findings; nothing judged at all is no answer.
fn verdict(report: &Report) -> u8 {
    if report.drifted || report.columns.iter().any(|c| c.status == Status::SchemaError) {
        exit::FOUND
    } else if report.columns.iter().all(|c| !c.status.is_result()) {
        exit::UNREACHABLE
    } else {
        exit::FINE
    }
}

/// A method that somebody asked for on a column that it cannot judge is wrong use, not a column to pass over.
fn unfit_overrides(plan: &Plan, report: &Report) -> anyhow::Result<()> {
    for check in &report.columns {
        let asked = plan.columns.get(&check.column).and_then(|c| c.method.as_deref());
        if let (Some(method), Status::NotApplicable, Some(reason)) = (asked, check.status, &check.reason)
            && method == check.method
        {
            return Err(exit::Failure::usage(format!("--column {}={method}: {reason}", check.column)).into());
        }
    }
    Ok(())
}

fn plan(args: &CheckArgs, context: &Context) -> anyhow::Result<Plan> {
    if let Some(threshold) = args.threshold {
        check_threshold("--threshold", threshold)?;
    }
    if let Some(method) = &args.method {
        check_method("--method", method)?;
    }
    let mut columns = BTreeMap::new();
    for text in &args.overrides {
        let (name, plan) = column_override(text)?;
        columns.insert(name, plan);
    }
    Ok(Plan {
        select: args.columns.clone(),
        exclude: args.exclude.clone(),
        method: args.method.clone().unwrap_or_else(|| context.settings.settings.drift_detection_method.clone()),
        method_is_explicit: args.method.is_some(),
        threshold: args.threshold.or(Some(context.settings.settings.drift_threshold)),
        options: Options::default(),
        min_drifted_share: None,
        group_by: None,
        columns,
        parallel: std::thread::available_parallelism().map_or(2, usize::from),
    })
}

fn column_override(text: &str) -> anyhow::Result<(String, ColumnPlan)> {
    let wrong =
        || exit::Failure::usage(format!("--column {text}: expected NAME=METHOD[:THRESHOLD], for example age=psi:0.25"));
    let (name, rest) = text.rsplit_once('=').ok_or_else(wrong)?;
    let (method, threshold) = match rest.split_once(':') {
        Some((method, threshold)) => (method, Some(threshold.parse::<f64>().map_err(|_| wrong())?)),
        None => (rest, None),
    };
    check_method(&format!("--column {text}"), method)?;
    if let Some(threshold) = threshold {
        check_threshold(&format!("--column {text}"), threshold)?;
    }
    Ok((name.to_owned(), ColumnPlan { method: Some(method.to_owned()), threshold, ..ColumnPlan::default() }))
}

fn check_method(flag: &str, name: &str) -> anyhow::Result<()> {
    if drift::method(name).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = drift::ALL.iter().map(|m| m.name()).collect();
    Err(exit::Failure::usage(format!("{flag}: there is no method `{name}`; choose one of {}", names.join(", "))).into())
}

fn check_threshold(flag: &str, threshold: f64) -> anyhow::Result<()> {
    if threshold.is_finite() && threshold > 0.0 {
        return Ok(());
    }
    Err(exit::Failure::usage(format!("{flag}: the threshold must be a positive number, not {threshold}")).into())
}

/// The report as a person reads it: the verdict in one sentence, then a row per column.
fn render(report: &Report) -> String {
    let judged = report.columns.iter().filter(|c| c.score.is_some()).count();
    let broken: Vec<&str> =
        report.columns.iter().filter(|c| c.status == Status::SchemaError).map(|c| c.column.as_str()).collect();
    let verdict = if judged == 0 {
        "Nothing could be judged; the notes say why.".to_owned()
    } else if report.drifted_columns.is_empty() && !broken.is_empty() {
        format!("Columns that cannot be compared: {}. None of the {judged} others has drifted.", broken.join(", "))
    } else if report.drifted_columns.is_empty() {
        format!("No drift: none of {judged} judged columns is above its threshold.")
    } else {
        format!(
            "Drift: {} of {judged} judged columns ({}).",
            report.drifted_columns.len(),
            report.drifted_columns.join(", ")
        )
    };
    let rows = report
        .columns
        .iter()
        .map(|c| {
            vec![
                c.column.clone(),
                c.method.clone(),
                output::number(c.score),
                output::number(Some(c.threshold)),
                output::p_value(c.p_value),
                c.status.as_str().to_owned(),
                c.n_reference.to_string(),
                c.n_current.to_string(),
                match (c.reliability.map(|r| r.as_str()), &c.reason) {
                    (Some("low"), Some(reason)) => format!("low reliability; {reason}"),
                    (Some("low"), None) => "low reliability: few rows".to_owned(),
                    (_, reason) => reason.clone().unwrap_or_default(),
                },
            ]
        })
        .collect();
    let table = output::table(
        &["column", "method", "score", "threshold", "p", "verdict", "reference", "current", "note"],
        &[2, 3, 4, 6, 7],
        rows,
    );
    format!("{verdict}\n\n{table}")
}
