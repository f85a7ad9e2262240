//! `steward ab`: A/B tests planned and judged once without job files or a database, and tests that live in the registry.

mod create;
mod evaluate;
mod life;
mod outlook;
mod plan;
mod serve;
mod text;

use clap::Subcommand;

use super::Context;

/// Arguments of `steward ab`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say how many rows a test needs, what they can show, and how many days they take.
    #[command(after_help = "Examples:
  steward ab plan --baseline 0.10 --lift 0.02 --per-day 20000
  steward ab plan --baseline 181 --sd 40 --lift 0.05 --split 0.1 --output json
  steward ab plan --baseline 0.10 --rows 50000
  steward ab plan --baseline 0.10 --days 14 --per-day 20000
  steward ab plan --baseline 0.10 --lift 0.05 --looks 5              five looks share the level
  steward ab plan --baseline 0.10 --lift 0.05 --success-threshold 0.03 --threshold-mode superiority")]
    Plan(plan::PlanArgs),
    /// Compare the outcome of two variants: the decision in one sentence, then the evidence.
    #[command(after_help = "Examples:
  steward ab evaluate --data served.parquet --variant variant --outcome revenue
  steward ab evaluate --data served.parquet --variant arm --outcome latency_ms --lower-is-better --control old --treatment new --output json
  steward ab evaluate --data served.parquet --variant variant --outcome revenue --unit user --covariate revenue_before --guardrail latency_ms:lower
  steward ab evaluate --data replay.parquet --outcome-a error_v1 --outcome-b error_v2 --lower-is-better
  steward ab evaluate --data replay.parquet --outcome-a score_v1 --outcome-b score_v2 --label late")]
    Evaluate(Box<evaluate::EvaluateArgs>),
    #[command(flatten)]
    Life(life::Command),
}

/// Runs the command.
///
/// # Errors
/// Wrong use, or data that cannot be read.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    match args.command {
        Command::Plan(args) => plan::run(&args),
        Command::Evaluate(args) => evaluate::run(*args, context).await,
        Command::Life(command) => life::run(command, context).await,
    }
}

/// A share that must lie inside 0..1.
fn inside(flag: &str, value: f64) -> anyhow::Result<()> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(super::exit::Failure::usage(format!("{flag} must lie between 0 and 1, not {value}")).into())
}
