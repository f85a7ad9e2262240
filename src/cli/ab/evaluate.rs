//! `steward ab evaluate`: two variants of one dataset compared once.

use super::super::output::{self, Format};
use super::super::{Context, exit};
use super::inside;
use crate::ab::{self, Decision, Evaluation, Looks};
use crate::dataset::{Dataset, Source};
use crate::jobs::judging::ab_test::{Arm, Error as ArmsError, Measure, Plan, read};
use crate::storage::Storage;

#[derive(Debug, clap::Args)]
pub(super) struct EvaluateArgs {
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
    /// Where tests that resample start; the same seed gives the same result.
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Runs the command.
///
/// # Errors
/// Wrong use, or data that cannot be read.
pub(super) async fn run(args: EvaluateArgs, context: &Context) -> anyhow::Result<u8> {
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
    let evaluation = ab::evaluate(&plan, &arms.arms, Looks::ONCE).with_unknown_variants(arms.unknown);
    match args.output {
        Format::Json => output::json(&document(&evaluation)?)?,
        Format::Table => output::data(&render(&args, &plan, &evaluation)),
    }
    Ok(match evaluation.decision {
        Decision::InvalidData => exit::UNREACHABLE,
        Decision::InvalidSrm => exit::FOUND,
        _ => exit::FINE,
    })
}

fn checked(args: &EvaluateArgs) -> anyhow::Result<ab::Plan> {
    let wrong = |message: String| -> anyhow::Error { exit::Failure::usage(message).into() };
    let Some(test) = ab::test(&args.test) else {
        let fitting: Vec<&str> =
            ab::ALL.iter().filter(|t| t.needs().is_met_by_separate_rows()).map(|t| t.name()).collect();
        let likely = ab::likely_test(&args.test).map(|name| format!("did you mean `{name}`?"));
        let choice = likely.unwrap_or_else(|| format!("choose one of {}", fitting.join(", ")));
        return Err(wrong(format!("--test: there is no test `{}`; {choice}", args.test)));
    };
    if !test.needs().is_met_by_separate_rows() {
        return Err(wrong(format!(
            "--test: `{}` compares two models on the same rows, and a variant column gives every row one model",
            test.name()
        )));
    }
    if args.control == args.treatment {
        return Err(wrong("--control and --treatment name the same variant".to_owned()));
    }
    inside("--traffic-split", args.traffic_split)?;
    inside("--significance-level", args.significance_level)?;
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
        seed: args.seed,
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

fn render(args: &EvaluateArgs, plan: &ab::Plan, e: &Evaluation) -> String {
    let percent = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:+.2} %"));
    let rows = vec![
        vec![format!("A ({})", args.control), e.n_a.to_string(), output::number(e.mean_a), e.dropped_a.to_string()],
        vec![format!("B ({})", args.treatment), e.n_b.to_string(), output::number(e.mean_b), e.dropped_b.to_string()],
    ];
    let confidence = 100.0 * (1.0 - args.significance_level);
    let interval = |ends: Option<String>| ends.map_or_else(String::new, |ends| format!(" ({confidence:.0} %: {ends})"));
    let relative = e.relative_improvement_ci.map(|[low, high]| format!("{low:+.2} % .. {high:+.2} %"));
    let ends = e.difference_low.zip(e.difference_high);
    let absolute = ends.map(|(low, high)| format!("{} .. {}", output::number(Some(low)), output::number(Some(high))));
    let mut facts = vec![
        ("B is better by", format!("{}{}", percent(e.relative_improvement), interval(relative))),
        ("B less A", format!("{}{}", output::number(e.absolute_difference), interval(absolute))),
        ("p", format!("{} by {}", output::p_value(e.p_value), plan.test.title())),
        ("split", format!("p {} that the arms have the rows they should", output::p_value(e.sample_ratio_p_value))),
        (
            "smallest effect",
            format!(
                "{} that these rows show in 80 of 100 cases",
                e.minimum_detectable_percent().map_or_else(|| "-".to_owned(), |m| format!("{m:.2} %"))
            ),
        ),
    ];
    if let Some(posterior) = e.posterior {
        let better =
            if args.lower_is_better { 1.0 - posterior.probability_b_larger } else { posterior.probability_b_larger };
        facts.insert(3, ("B better", format!("with probability {better:.4}")));
    }
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut lines = vec![
        format!("{}: {}", e.decision.as_str(), e.sentence()),
        String::new(),
        output::table(&["variant", "rows", &format!("mean {}", args.outcome), "without outcome"], &[1, 2, 3], rows),
        String::new(),
    ];
    lines.extend(facts.into_iter().map(|(name, fact)| format!("{name:width$}  {fact}")));
    lines.extend(e.warnings.iter().map(|w| format!("warning: {w}")));
    lines.push(String::new());
    lines.push(format!("What would change it: {}", e.what_would_change_it(plan)));
    lines.join("\n")
}
