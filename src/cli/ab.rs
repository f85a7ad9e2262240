//! `steward ab evaluate`: two variants of one dataset compared once, without job files or a database.

use clap::Subcommand;

use super::output::{self, Format};
use super::{Context, exit};
use crate::ab::{self, Decision, Evaluation, Looks};
use crate::dataset::{Dataset, Source};
use crate::jobs::judging::ab_test::{Arm, Error as ArmsError, Measure, Plan, read};
use crate::storage::Storage;

/// Arguments of `steward ab`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare the outcome of two variants: the decision in one sentence, then the evidence.
    #[command(after_help = "Examples:
  steward ab evaluate --data served.parquet --variant variant --outcome revenue
  steward ab evaluate --data served.parquet --variant arm --outcome latency_ms --lower-is-better --control old --treatment new --output json")]
    Evaluate(EvaluateArgs),
}

#[derive(Debug, clap::Args)]
struct EvaluateArgs {
    /// The data: a path or URI (file, s3, gs, az, http), globs allowed.
    #[arg(long, value_name = "URI")]
    data: String,
    /// Column that says which variant served a row.
    #[arg(long, value_name = "COL")]
    variant: String,
    /// Column with the outcome: a number, or true and false.
    #[arg(long, value_name = "COL")]
    outcome: String,
    /// Value of the variant column that is the control (A).
    #[arg(long, default_value = "a", value_name = "VALUE")]
    control: String,
    /// Value of the variant column that is the treatment (B).
    #[arg(long, default_value = "b", value_name = "VALUE")]
    treatment: String,
    /// Statistical test.
    #[arg(long, default_value = "t_test", value_name = "TEST")]
    test: String,
    /// A smaller outcome is better.
    #[arg(long)]
    lower_is_better: bool,
    /// Rows that each variant needs.
    #[arg(long, default_value_t = 100, value_name = "N")]
    min_samples: u64,
    /// Relative improvement that is asked for, as a fraction.
    #[arg(long, default_value_t = 0.02, value_name = "FRACTION")]
    success_threshold: f64,
    /// Two-sided significance level.
    #[arg(long, default_value_t = 0.05, value_name = "ALPHA")]
    significance_level: f64,
    /// Share of the rows that the treatment should have.
    #[arg(long, default_value_t = 0.5, value_name = "SHARE")]
    traffic_split: f64,
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
    let plan = checked(&args)?;
    let storage = Storage::new(&context.settings.settings.storage);
    let data = Dataset::open(&storage, Source { uri: args.data.clone(), ..Source::default() }, &[]).await?;
    if data.row_count().await? == 0 {
        return Err(exit::Failure::unreachable(format!("no rows in {}", data.uri())).into());
    }
    let arm = |variant: &str| Arm { variant: variant.to_owned(), score: None, prediction: None };
    let arms = read(
        &data,
        &Plan {
            variant_column: args.variant.clone(),
            control: arm(&args.control),
            treatment: arm(&args.treatment),
            measure: Measure::Outcome(args.outcome.clone()),
        },
    )
    .await
    .map_err(|e| match e {
        ArmsError::Data(error) => anyhow::Error::new(error),
        wrong => exit::Failure::usage(wrong.to_string()).into(),
    })?;
    let evaluation = ab::evaluate(&plan, &arms.a, &arms.b, Looks::ONCE).with_unknown_variants(arms.unknown);
    match args.output {
        Format::Json => output::json(&document(&evaluation)?)?,
        Format::Table => output::data(&render(&args, &evaluation)),
    }
    Ok(match evaluation.decision {
        Decision::InvalidData => exit::UNREACHABLE,
        Decision::InvalidSrm => exit::FOUND,
        _ => exit::FINE,
    })
}

fn checked(args: &EvaluateArgs) -> anyhow::Result<ab::Plan> {
    let wrong = |message: String| -> anyhow::Error { exit::Failure::usage(message).into() };
    let known: Vec<&str> = ab::ALL.iter().map(|t| t.name()).collect();
    let test = ab::test(&args.test).ok_or_else(|| {
        wrong(format!("--test: there is no test `{}`; choose one of {}", args.test, known.join(", ")))
    })?;
    if args.control == args.treatment {
        return Err(wrong("--control and --treatment name the same variant".to_owned()));
    }
    for (flag, value) in [("--traffic-split", args.traffic_split), ("--significance-level", args.significance_level)] {
        if !(value > 0.0 && value < 1.0) {
            return Err(wrong(format!("{flag} must lie between 0 and 1, not {value}")));
        }
    }
    if !(args.success_threshold >= 0.0 && args.success_threshold.is_finite()) {
        return Err(wrong(format!("--success-threshold must be 0 or more, not {}", args.success_threshold)));
    }
    Ok(ab::Plan {
        lower_is_better: args.lower_is_better,
        traffic_split: args.traffic_split,
        min_samples: args.min_samples,
        success_threshold: args.success_threshold,
        significance_level: args.significance_level,
        test,
        ..ab::Plan::default()
    })
}

/// The evaluation with its sentence, the sample-ratio check and the smallest detectable effect as their own fields.
fn document(evaluation: &Evaluation) -> anyhow::Result<serde_json::Value> {
    let mut document = serde_json::to_value(evaluation)?;
    document["reason"] = evaluation.sentence().into();
    document["reason_code"] = evaluation.reason.into();
    document["srm"] = serde_json::json!({
        "p_value": evaluation.sample_ratio_p_value, "mismatch": evaluation.sample_ratio_mismatch,
    });
    document["mde"] = evaluation.minimum_detectable_percent().into();
    Ok(document)
}

fn render(args: &EvaluateArgs, e: &Evaluation) -> String {
    let percent = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:+.2} %"));
    let interval =
        e.relative_improvement_ci.map_or_else(|| "-".to_owned(), |[low, high]| format!("{low:+.2} % .. {high:+.2} %"));
    let rows = vec![
        vec![format!("A ({})", args.control), e.n_a.to_string(), output::number(e.mean_a), e.dropped_a.to_string()],
        vec![format!("B ({})", args.treatment), e.n_b.to_string(), output::number(e.mean_b), e.dropped_b.to_string()],
    ];
    let mut lines = vec![
        format!("{}: {}", e.decision.as_str(), e.sentence()),
        String::new(),
        output::table(&["variant", "rows", &format!("mean {}", args.outcome), "without outcome"], &[1, 2, 3], rows),
        String::new(),
        format!("B is better by   {} ({interval})", percent(e.relative_improvement)),
        format!("p                {}", output::p_value(e.p_value)),
        format!(
            "smallest effect  {} that these rows could have shown",
            e.minimum_detectable_percent().map_or_else(|| "-".to_owned(), |m| format!("{m:.2} %"))
        ),
    ];
    lines.extend(e.warnings.iter().map(|w| format!("warning: {w}")));
    lines.join("\n")
}
