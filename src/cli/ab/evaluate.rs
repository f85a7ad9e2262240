//! `steward ab evaluate`: two variants of one dataset compared once, or two models on the same rows.
//!
//! The same judgement as that of a test that is kept: its flags make a plan that nobody froze, and this is its only look.

use super::super::output::{self, Format};
use super::super::{Context, exit};
use super::create::side_metric as parsed;
use super::inside;
use crate::ab::{self, Decision};
use crate::dataset::{Dataset, Source};
use crate::jobs::judging::ab_test::{Arm, Error as ReadError, Keys, Measure, Plan, read};
use crate::registry::ab_tests::judge::{self, Question};
use crate::registry::ab_tests::{Rules, SideMetric, rules, side_metric};
use crate::storage::Storage;

mod report;

#[derive(Debug, clap::Args)]
pub(super) struct EvaluateArgs {
    /// The data: a path or URI (file, s3, gs, az, http), globs allowed.
    #[arg(long, value_name = "URI")]
    data: String,
    /// Column that says which variant served a row.
    #[arg(long, value_name = "COL", required_unless_present = "outcome_a")]
    variant: Option<String>,
    /// Column with the outcome: a number, or true and false.
    #[arg(long, value_name = "COL", required_unless_present = "outcome_a", conflicts_with = "outcome_a")]
    outcome: Option<String>,
    /// Column with A's outcome, where both models answered every row (with --outcome-b, and a paired test).
    #[arg(long, value_name = "COL", requires = "outcome_b", conflicts_with = "variant")]
    outcome_a: Option<String>,
    /// Column with B's outcome in the same rows.
    #[arg(long, value_name = "COL", requires = "outcome_a")]
    outcome_b: Option<String>,
    /// Column with the label (0 or 1), where the outcomes are scores: with --test delong.
    #[arg(long, value_name = "COL", requires = "outcome_a")]
    label: Option<String>,
    /// Value of the variant column that is the control (A).
    #[arg(long, default_value = "a", value_name = "VALUE")]
    control: String,
    /// Value of the variant column that is the treatment (B).
    #[arg(long, default_value = "b", value_name = "VALUE")]
    treatment: String,
    /// Column with the unit that was assigned (a user, a session): its rows count as one, their mean.
    #[arg(long, value_name = "COL")]
    unit: Option<String>,
    /// Column with what tells a row from its repetition.
    #[arg(long, value_name = "COL")]
    request: Option<String>,
    /// Column with what was known before the test: it takes noise out of the outcome (CUPED).
    #[arg(long, value_name = "COL")]
    covariate: Option<String>,
    /// Column that B must not hurt: COL, COL:lower or COL:higher (which way is better), and :MARGIN (may be repeated).
    #[arg(long, value_name = "COL[:DIRECTION][:MARGIN]", value_parser = parsed)]
    guardrail: Vec<SideMetric>,
    /// Column that is reported beside, adjusted for the others (may be repeated).
    #[arg(long, value_name = "COL[:DIRECTION]", value_parser = parsed)]
    secondary: Vec<SideMetric>,
    /// Statistical test [default: t_test; paired_t_test with --outcome-a, delong with --label].
    #[arg(long, value_name = "TEST")]
    test: Option<String>,
    /// A smaller outcome is better.
    #[arg(long)]
    lower_is_better: bool,
    /// Rows that each variant needs.
    #[arg(long, default_value_t = 100, value_name = "N")]
    min_samples: u64,
    /// Relative improvement that is asked for, as a fraction.
    #[arg(long, default_value_t = 0.02, value_name = "FRACTION", allow_negative_numbers = true)]
    success_threshold: f64,
    /// What must reach the threshold: point or superiority (the lower end of the interval).
    #[arg(long, default_value = "point", value_name = "MODE")]
    threshold_mode: String,
    /// What is to be shown: superiority, non_inferiority or equivalence.
    #[arg(long, default_value = "superiority", value_name = "WHAT")]
    hypothesis: String,
    /// By how much of A B may be worse (non_inferiority) or differ (equivalence), as a fraction.
    #[arg(long, value_name = "FRACTION")]
    margin: Option<f64>,
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
    let rules = checked(&args)?;
    let storage = Storage::new(&context.settings.settings.storage);
    let data = Dataset::open(&storage, Source { uri: args.data.clone(), ..Source::default() }, &[]).await?;
    if data.row_count().await? == 0 {
        return Err(exit::Failure::unreachable(format!("no rows in {}", data.uri())).into());
    }
    let keys = Keys { unit: args.unit.clone(), request: args.request.clone(), arm: None };
    let collected = read(&data, &reading(&args, &rules), &keys).await.map_err(|error| match error {
        ReadError::Data(error) => anyhow::Error::new(error),
        wrong => exit::Failure::usage(wrong.to_string()).into(),
    })?;
    let question = Question { is_final: true, ..Question::of_rows(&rules, collected) };
    let (evaluation, _, adjusted) = question.evaluate().map_err(super::life::failure)?;
    let adjustment = adjusted.and_then(Result::ok);
    let plan = judge::plan(&rules).map_err(super::life::failure)?;
    match args.output {
        Format::Json => output::json(&report::document(&evaluation, adjustment)?)?,
        Format::Table => output::data(&report::text(&args, &plan, &evaluation, adjustment)),
    }
    Ok(match evaluation.decision {
        Decision::InvalidData => exit::UNREACHABLE,
        Decision::InvalidSrm => exit::FOUND,
        _ => exit::FINE,
    })
}

/// What is read of every row.
fn reading(args: &EvaluateArgs, rules: &Rules) -> Plan {
    let arm = |variant: &str, score: &Option<String>| Arm {
        variant: variant.to_owned(),
        score: score.clone().filter(|_| args.label.is_some()),
        prediction: None,
    };
    let column = |of_arm: &Option<String>| of_arm.clone().or_else(|| args.outcome.clone()).unwrap_or_default();
    let first = match &args.label {
        Some(label) => Measure::Score { label: label.clone() },
        None => Measure::Outcome([column(&args.outcome_a), column(&args.outcome_b)]),
    };
    let beside = rules.side_names().map(|name| Measure::Outcome([name.to_owned(), name.to_owned()]));
    Plan {
        variant_column: args.variant.clone().unwrap_or_default(),
        control: arm(&args.control, &args.outcome_a),
        treatment: arm(&args.treatment, &args.outcome_b),
        measures: std::iter::once(first).chain(beside).collect(),
        covariate: args.covariate.clone(),
        same_rows: rules.same_rows,
    }
}

fn checked(args: &EvaluateArgs) -> anyhow::Result<Rules> {
    let wrong = |message: String| -> anyhow::Error { exit::Failure::usage(message).into() };
    let same_rows = args.outcome_a.is_some();
    let default = if args.label.is_some() {
        "delong"
    } else if same_rows {
        "paired_t_test"
    } else {
        "t_test"
    };
    let name = args.test.as_deref().unwrap_or(default);
    let fits = |test: &dyn ab::Test| match same_rows {
        false => test.needs().is_met_by_separate_rows(),
        // The bootstrap draws pairs where there are pairs.
        true => !test.needs().is_met_by_separate_rows() || test.name() == "bootstrap",
    };
    let Some(test) = ab::test(name) else {
        let fitting: Vec<&str> = ab::ALL.iter().filter(|test| fits(**test)).map(|test| test.name()).collect();
        let likely = ab::likely_test(name).map(|name| format!("did you mean `{name}`?"));
        let choice = likely.unwrap_or_else(|| format!("choose one of {}", fitting.join(", ")));
        return Err(wrong(format!("--test: there is no test `{name}`; {choice}")));
    };
    if !fits(test) {
        return Err(wrong(match same_rows {
            true => format!(
                "--test: `{name}` compares rows of one variant with rows of the other; --outcome-a and --outcome-b stand in the same rows: choose paired_t_test, wilcoxon_signed_rank, mcnemar, delong or bootstrap"
            ),
            false => format!(
                "--test: `{name}` compares two models on the same rows, and a variant column gives every row one model; name both models' columns with --outcome-a and --outcome-b"
            ),
        }));
    }
    if (test.needs() == ab::Needs::Scores) != args.label.is_some() {
        return Err(wrong(
            "--label and --test delong go together: scores are compared by the labels of their rows".to_owned(),
        ));
    }
    if same_rows && !(args.guardrail.is_empty() && args.secondary.is_empty()) {
        return Err(wrong(
            "--guardrail and --secondary: one column cannot hold the values of both models in the same rows".to_owned(),
        ));
    }
    if args.control == args.treatment {
        return Err(wrong("--control and --treatment name the same variant".to_owned()));
    }
    inside("--traffic-split", args.traffic_split)?;
    inside("--significance-level", args.significance_level)?;
    if !(args.success_threshold >= 0.0 && args.success_threshold.is_finite()) {
        return Err(wrong(format!("--success-threshold must be 0 or more, not {}", args.success_threshold)));
    }
    for (flag, given, known) in [
        ("--threshold-mode", &args.threshold_mode, &rules::THRESHOLD_MODES[..]),
        ("--hypothesis", &args.hypothesis, &rules::HYPOTHESES[..]),
    ] {
        if !known.contains(&given.as_str()) {
            return Err(wrong(format!("{flag}: there is no {given:?}; choose one of {}", known.join(", "))));
        }
    }
    if let Some(problem) = rules::margin_problem(&args.hypothesis, args.margin) {
        return Err(wrong(format!("--margin {problem}")));
    }
    if let Some(problem) = rules::interval_problem(&args.hypothesis, &args.threshold_mode, name) {
        return Err(wrong(format!("--test: {problem}")));
    }
    if let Some(problem) = args.covariate.as_deref().and_then(|covariate| rules::covariate_problem(covariate, name)) {
        return Err(wrong(format!("--covariate: {problem}")));
    }
    if let Some(problem) =
        side_metric::problems(args.outcome.as_deref().unwrap_or_default(), &args.guardrail, &args.secondary)
            .into_iter()
            .next()
    {
        // `/guardrails/0/margin` of a request is `--guardrail` here, and the name says which.
        let mut parts = problem.pointer.trim_start_matches('/').split('/');
        let (flag, given) = match parts.next() {
            Some("guardrails") => ("--guardrail", &args.guardrail),
            _ => ("--secondary", &args.secondary),
        };
        let at = parts.next().and_then(|at| at.parse::<usize>().ok());
        let name = at.and_then(|at| given.get(at)).map_or_else(String::new, |metric| format!(" {}", metric.name));
        return Err(wrong(format!("{flag}{name}: {}", problem.detail)));
    }
    Ok(Rules {
        metric: args.outcome.clone().unwrap_or_default(),
        lower_is_better: args.lower_is_better,
        traffic_split: args.traffic_split,
        min_samples: i64::try_from(args.min_samples).unwrap_or(i64::MAX),
        success_threshold: args.success_threshold,
        threshold_mode: args.threshold_mode.clone(),
        hypothesis: args.hypothesis.clone(),
        margin: args.margin,
        significance_level: args.significance_level,
        statistical_test: name.to_owned(),
        guardrails: args.guardrail.clone(),
        secondary_metrics: args.secondary.clone(),
        covariate: args.covariate.clone(),
        same_rows,
        seed: format!("{:016x}", args.seed),
        ..Rules::default()
    })
}
