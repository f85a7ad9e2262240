//! `steward metrics evaluate`: validation metrics of a dataset, without job files or a database.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::output::{self, Format};
use super::{Context, exit};
use crate::dataset::{Dataset, Source};
use crate::jobs::judging::metrics::{Error as JudgeError, Judged, Judgement, Plan, judge};
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
    #[arg(long, value_name = "COL", required_unless_present_any = ["score", "class_scores"])]
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
    /// Column of how much a row counts.
    #[arg(long, value_name = "COL")]
    weight: Option<String>,
    /// A class and the column of its score, for each class (repeatable).
    #[arg(long = "class-score", value_name = "CLASS=COL", value_parser = class_score)]
    class_scores: Vec<(String, String)>,
    /// Compute precision, recall and F1 (and others of --metrics that have such a form) for each class too.
    #[arg(long)]
    per_class: bool,
    /// Judge the rows of each value of this column on their own too (the 50 with the most rows).
    #[arg(long, value_name = "COL")]
    group_by: Option<String>,
    /// Labels that came later than the predictions, joined by --id.
    #[arg(long, value_name = "URI", requires = "id")]
    labels: Option<String>,
    /// Columns that together name a row in --data and --labels.
    #[arg(long, value_delimiter = ',', value_name = "a,b", requires = "labels")]
    id: Vec<String>,
    /// Answer no value instead of 0 where a metric of a class divides by zero.
    #[arg(long)]
    undefined: bool,
    /// The quantile that predictions stand for, for `pinball`.
    #[arg(long, value_name = "Q", default_value_t = 0.5)]
    quantile: f64,
    /// How many of the highest-scored classes `top_k_accuracy` looks at.
    #[arg(long, value_name = "K", default_value_t = 2)]
    top_k: usize,
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
    if !(args.quantile > 0.0 && args.quantile < 1.0) {
        let message = format!("--quantile must lie between 0 and 1, not {}", args.quantile);
        return Err(exit::Failure::usage(message).into());
    }
    if args.top_k == 0 {
        return Err(exit::Failure::usage("--top-k must be 1 or more".to_owned()).into());
    }
    let storage = Storage::new(&context.settings.settings.storage);
    let open =
        async |uri: &str| Dataset::open(&storage, Source { uri: uri.to_owned(), ..Source::default() }, &[]).await;
    let data = open(&args.data).await?;
    let labels = match &args.labels {
        Some(uri) => Some(open(uri).await?),
        None => None,
    };
    let output = args.output;
    let plan = plan(args);
    if data.row_count().await? == 0 {
        return Err(exit::Failure::unreachable(format!("no rows in {}", data.uri())).into());
    }
    let judged = judge(std::slice::from_ref(&data), labels.as_ref(), &plan).await.map_err(|e| match e {
        JudgeError::Data(error) => anyhow::Error::new(error),
        wrong => exit::Failure::usage(wrong.to_string()).into(),
    })?;
    let whole = &judged.whole;
    if whole.labelled == 0 {
        let message = format!("no row has both a label and a prediction ({} rows have no label yet)", whole.pending);
        return Err(exit::Failure::unreachable(message).into());
    }
    match output {
        Format::Json => output::json(&document(&plan, &judged))?,
        Format::Table => output::data(&render(&judged)),
    }
    Ok(exit::FINE)
}

fn class_score(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((class, column)) if !class.is_empty() && !column.is_empty() => Ok((class.to_owned(), column.to_owned())),
        _ => Err("write CLASS=COL, such as late=p_late".to_owned()),
    }
}

fn plan(args: EvaluateArgs) -> Plan {
    let task = match args.task {
        Task::Classification => metrics::Task::Classification,
        Task::Regression => metrics::Task::Regression,
    };
    let mut by_class: Vec<String> = Vec::new();
    if args.per_class {
        by_class.extend(["precision", "recall", "f1"].map(str::to_owned));
        by_class.extend(args.metrics.iter().filter(|name| !by_class.contains(name)).cloned().collect::<Vec<_>>());
    }
    Plan {
        prediction: args.prediction,
        score: args.score,
        class_scores: args.class_scores,
        weight: args.weight,
        group_by: args.group_by,
        positive: args.positive,
        settings: metrics::Settings {
            decision_threshold: args.decision_threshold,
            zero_division: if args.undefined { metrics::ZeroDivision::Undefined } else { metrics::ZeroDivision::Zero },
            quantile: args.quantile,
            top_k: args.top_k,
            ..metrics::Settings::default()
        },
        metrics: args.metrics,
        by_class,
        id: args.id,
        ..Plan::new(task, args.label)
    }
}

fn document(plan: &Plan, judged: &Judged) -> Value {
    let whole = &judged.whole;
    let mut document = json!({
        "task": plan.task.as_str(),
        "labelled": whole.labelled,
        "pending": whole.pending,
        "unpredicted": whole.unpredicted,
        "metrics": whole.values,
    });
    let segments = judged.segments.iter().map(|(segment, of)| {
        json!({ "segment": segment, "labelled": of.labelled, "pending": of.pending, "unpredicted": of.unpredicted,
                "metrics": of.values, "problem": of.problem })
    });
    let more = [
        ("unweighted", (whole.unweighted > 0).then(|| json!(whole.unweighted))),
        ("labels", judged.join.as_ref().map(|join| json!(join))),
        ("segments", plan.group_by.as_ref().map(|_| segments.collect())),
        ("segments_left_out", (judged.segments_left_out > 0).then(|| json!(judged.segments_left_out))),
    ];
    if let Value::Object(map) = &mut document {
        map.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    }
    document
}

fn render(judged: &Judged) -> String {
    let whole = &judged.whole;
    let mut rows = lines(None, whole);
    for (segment, of) in &judged.segments {
        rows.extend(lines(Some(segment), of));
    }
    let table = output::table(&["metric", "value", "95 % interval", "rows", "note"], &[1, 3], rows);
    let mut head = format!(
        "{} rows with label and prediction; {} without a label yet, {} without a prediction",
        whole.labelled, whole.pending, whole.unpredicted
    );
    if whole.unweighted > 0 {
        head.push_str(&format!(", {} without a usable weight", whole.unweighted));
    }
    if let Some(join) = &judged.join {
        head.push_str(&format!(
            "\n{} labels: {} repeat an id, {} ids contradict themselves, {} belong to no prediction, {} have no id or value",
            join.labels, join.duplicates, join.contradictory, join.unknown, join.unusable
        ));
    }
    if judged.segments_left_out > 0 {
        head.push_str(&format!("\n{} smaller segments are not shown", judged.segments_left_out));
    }
    format!("{head}\n\n{table}")
}

fn lines(segment: Option<&str>, of: &Judgement) -> Vec<Vec<String>> {
    let line = |v: &metrics::Value| {
        let interval = match (v.ci_low, v.ci_high) {
            (Some(low), Some(high)) => format!("{} .. {}", output::number(Some(low)), output::number(Some(high))),
            _ => "-".to_owned(),
        };
        let class = v.class.as_ref().map(|class| format!("class: {class}"));
        let place: Vec<String> = segment.map(str::to_owned).into_iter().chain(class).collect();
        let name = if place.is_empty() { v.name.clone() } else { format!("{} [{}]", v.name, place.join(", ")) };
        vec![name, output::number(v.value), interval, v.n.to_string(), v.reason.clone().unwrap_or_default()]
    };
    let problem = of.problem.as_ref().map(|problem| {
        let name = segment.map_or_else(String::new, |segment| format!("[{segment}]"));
        vec![name, "-".to_owned(), "-".to_owned(), "0".to_owned(), problem.clone()]
    });
    of.values.iter().map(line).chain(problem).collect()
}
