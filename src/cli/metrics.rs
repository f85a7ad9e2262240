//! `steward metrics evaluate`: validation metrics of a dataset, without job files or a database.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::output::{self, Format};
use super::{Context, exit};
use crate::dataset::{Dataset, Source};
use crate::jobs::judging::metrics::{Error as JudgeError, Judged, Plan, judge};
use crate::metrics;
use crate::storage::Storage;

/// Arguments of `steward metrics`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compute validation metrics of labels against predictions or scores.
    #[command(after_help = "Examples:
  steward metrics evaluate --data july.parquet --task classification --label late --score score_v2
  steward metrics evaluate --data july.parquet --task regression --label actual_delay --prediction predicted_delay --output json")]
    Evaluate(EvaluateArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Task {
    Classification,
    Regression,
}

#[derive(Debug, clap::Args)]
struct EvaluateArgs {
    /// The data: a path or URI (file, s3, gs, az, http), globs allowed.
    #[arg(long, value_name = "URI")]
    data: String,
    /// What the model predicts.
    #[arg(long, value_enum)]
    task: Task,
    /// Column of the truth; rows without it are counted as pending.
    #[arg(long, value_name = "COL")]
    label: String,
    /// Column of the predicted class or number.
    #[arg(long, value_name = "COL", required_unless_present = "score")]
    prediction: Option<String>,
    /// Column of the score of the positive class.
    #[arg(long, value_name = "COL")]
    score: Option<String>,
    /// The positive class [default: 1 or true, else the larger of two].
    #[arg(long, value_name = "CLASS")]
    positive: Option<String>,
    /// Score from which on a row counts as positive.
    #[arg(long, value_name = "T", default_value_t = 0.5)]
    decision_threshold: f64,
    /// Only these metrics [default: the usual ones of the task; `steward methods` lists all].
    #[arg(long, value_delimiter = ',', value_name = "a,b")]
    metrics: Vec<String>,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Runs the command.
///
/// # Errors
/// Wrong use, or data that cannot be read.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let Command::Evaluate(args) = args.command;
    for name in &args.metrics {
        if metrics::metric(name).is_none() {
            let known: Vec<&str> = metrics::ALL.iter().map(|m| m.name()).collect();
            let message = format!("--metrics: there is no metric `{name}`; choose from {}", known.join(", "));
            return Err(exit::Failure::usage(message).into());
        }
    }
    if !(0.0..=1.0).contains(&args.decision_threshold) {
        let message = format!("--decision-threshold must lie between 0 and 1, not {}", args.decision_threshold);
        return Err(exit::Failure::usage(message).into());
    }
    let storage = Storage::new(&context.settings.settings.storage);
    let source = Source { uri: args.data.clone(), ..Source::default() };
    let data = Dataset::open(&storage, source, &[]).await?;
    let plan = Plan {
        task: match args.task {
            Task::Classification => metrics::Task::Classification,
            Task::Regression => metrics::Task::Regression,
        },
        label: args.label,
        prediction: args.prediction,
        score: args.score,
        positive: args.positive,
        decision_threshold: args.decision_threshold,
        metrics: args.metrics,
    };
    if data.row_count().await? == 0 {
        return Err(exit::Failure::unreachable(format!("no rows in {}", data.uri())).into());
    }
    let judged = judge(&data, &plan).await.map_err(|e| match e {
        JudgeError::Data(error) => anyhow::Error::new(error),
        wrong => exit::Failure::usage(wrong.to_string()).into(),
    })?;
    if judged.labelled == 0 {
        let message = format!("no row has both a label and a prediction ({} rows have no label yet)", judged.pending);
        return Err(exit::Failure::unreachable(message).into());
    }
    match args.output {
        Format::Json => output::json(&json!({
            "task": plan.task.as_str(),
            "labelled": judged.labelled,
            "pending": judged.pending,
            "unpredicted": judged.unpredicted,
            "metrics": judged.values,
        }))?,
        Format::Table => output::data(&render(&judged)),
    }
    Ok(exit::FINE)
}

fn render(judged: &Judged) -> String {
    let rows = judged
        .values
        .iter()
        .map(|v| {
            let interval = match (v.ci_low, v.ci_high) {
                (Some(low), Some(high)) => format!("{} .. {}", output::number(Some(low)), output::number(Some(high))),
                _ => "-".to_owned(),
            };
            vec![
                v.name.clone(),
                output::number(v.value),
                interval,
                v.n.to_string(),
                v.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let table = output::table(&["metric", "value", "95 % interval", "rows", "note"], &[1, 3], rows);
    format!(
        "{} rows with label and prediction; {} without a label yet, {} without a prediction\n\n{table}",
        judged.labelled, judged.pending, judged.unpredicted
    )
}
