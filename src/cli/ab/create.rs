//! `steward ab create`: everything that is agreed before the first row.

use clap::Args;

use super::super::output;
use super::life::{By, How, failure, shown};
use crate::app::App;
use crate::registry::ab_tests::{self, Error, NewTest, Rules, SideMetric};
use crate::registry::validation::FieldProblem;

/// Arguments of `steward ab create`.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its name; used once and never again.
    name: String,
    /// The control, what is in use.
    #[arg(long, value_name = "MODEL@VERSION", value_parser = model)]
    a: (String, String),
    /// The treatment, what may replace it.
    #[arg(long, value_name = "MODEL@VERSION", value_parser = model)]
    b: (String, String),
    /// What is compared, such as accuracy or mae.
    #[arg(long, value_name = "METRIC")]
    metric: String,
    /// A smaller value is better [default: what the metric's name says].
    #[arg(long)]
    lower_is_better: bool,
    /// Share of the traffic that goes to B.
    #[arg(long, default_value_t = 0.5, value_name = "SHARE")]
    split: f64,
    /// Rows that each arm needs.
    #[arg(long, default_value_t = 100, value_name = "N")]
    min_samples: i64,
    /// Relative improvement that is asked for, as a fraction.
    #[arg(long, default_value_t = 0.02, value_name = "FRACTION")]
    success_threshold: f64,
    /// Statistical test.
    #[arg(long, default_value = "t_test", value_name = "TEST")]
    test: String,
    /// Chance of a false alarm that is accepted.
    #[arg(long, default_value_t = 0.05, value_name = "ALPHA")]
    significance_level: f64,
    /// How many looks may decide; they share the significance level.
    #[arg(long, default_value_t = 1, value_name = "N")]
    planned_looks: u32,
    /// What makes repeated looks honest: auto, group_sequential, always_valid or horizon.
    #[arg(long, default_value = "auto", value_name = "RULE")]
    monitoring: String,
    /// What must reach the threshold: point or superiority (the lower end of the interval).
    #[arg(long, default_value = "point", value_name = "MODE")]
    threshold_mode: String,
    /// What it is to show: superiority, non_inferiority or equivalence.
    #[arg(long, default_value = "superiority", value_name = "WHAT")]
    hypothesis: String,
    /// By how much of A B may be worse (non_inferiority) or differ (equivalence), as a fraction.
    #[arg(long, value_name = "FRACTION")]
    margin: Option<f64>,
    /// How long it runs at least before anything is decided, such as 7d.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    min_duration: Option<i64>,
    /// What arms do that did not get their share of the rows: block or warn.
    #[arg(long, default_value = "block", value_name = "POLICY")]
    sample_ratio_policy: String,
    /// A metric that B must not hurt: NAME, NAME:lower or NAME:higher (which way is better), and :MARGIN where B must be shown to be
    /// worse by less than that, as latency_ms:lower:0.01 (may be repeated).
    #[arg(long, value_name = "NAME[:DIRECTION][:MARGIN]", value_parser = side_metric)]
    guardrail: Vec<SideMetric>,
    /// A metric that is reported beside: NAME, NAME:lower or NAME:higher (may be repeated).
    #[arg(long, value_name = "NAME[:DIRECTION]", value_parser = side_metric)]
    secondary: Vec<SideMetric>,
    /// What rows are posted with from before the test, to take noise out of the outcome (CUPED).
    #[arg(long, value_name = "NAME")]
    covariate: Option<String>,
    /// A channel that hears of its decision and its end (may be repeated).
    #[arg(long, value_name = "CHANNEL")]
    notify: Vec<String>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

/// The error with the flags of the command where a request has fields.
fn by_flag(error: Error) -> anyhow::Error {
    let Error::Invalid(problems) = error else { return failure(error) };
    let flag = |pointer: &str| match pointer.trim_start_matches('/').split('/').next().unwrap_or_default() {
        "test_name" => "the name".to_owned(),
        "model_a_name" | "model_a_version" => "--a".to_owned(),
        "model_b_name" | "model_b_version" => "--b".to_owned(),
        "success_metric" => "--metric".to_owned(),
        "traffic_split" => "--split".to_owned(),
        "statistical_test" => "--test".to_owned(),
        "guardrails" => "--guardrail".to_owned(),
        "secondary_metrics" => "--secondary".to_owned(),
        "min_duration_seconds" => "--min-duration".to_owned(),
        field => format!("--{}", field.replace('_', "-")),
    };
    let problems = problems.into_iter().map(|problem| FieldProblem { pointer: flag(&problem.pointer), ..problem });
    failure(Error::Invalid(problems.collect()))
}

/// `MODEL@VERSION`.
fn model(text: &str) -> Result<(String, String), String> {
    match text.split_once('@') {
        Some((name, version)) if !name.is_empty() && !version.is_empty() => Ok((name.to_owned(), version.to_owned())),
        _ => Err(format!("{text:?} names no version: write MODEL@VERSION, such as flight_delay@2.0.0")),
    }
}

/// A length of time in seconds.
fn seconds(text: &str) -> Result<i64, String> {
    crate::jobs::duration::parse(text).map_err(|problem| format!("{problem}; write such as 12h or 7d"))
}

/// `NAME[:lower|:higher][:MARGIN]`.
pub(super) fn side_metric(text: &str) -> Result<SideMetric, String> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default().to_owned();
    let mut metric = SideMetric { name, lower_is_better: None, margin: None };
    for part in parts {
        match (part, part.parse::<f64>()) {
            ("lower", _) => metric.lower_is_better = Some(true),
            ("higher", _) => metric.lower_is_better = Some(false),
            (_, Ok(margin)) => metric.margin = Some(margin),
            _ => return Err(format!("{part:?} is neither lower nor higher nor a margin such as 0.01")),
        }
    }
    Ok(metric)
}

impl Create {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let new = NewTest {
            test_name: self.name,
            model_a_name: self.a.0,
            model_a_version: self.a.1,
            model_b_name: self.b.0,
            model_b_version: self.b.1,
            success_metric: self.metric,
            lower_is_better: self.lower_is_better.then_some(true),
            traffic_split: self.split,
            min_samples: self.min_samples,
            success_threshold: self.success_threshold,
            statistical_test: self.test,
            significance_level: self.significance_level,
            planned_looks: self.planned_looks,
            monitoring: self.monitoring,
            threshold_mode: self.threshold_mode,
            hypothesis: self.hypothesis,
            margin: self.margin,
            min_duration_seconds: self.min_duration,
            sample_ratio_policy: self.sample_ratio_policy,
            guardrails: self.guardrail,
            secondary_metrics: self.secondary,
            covariate: self.covariate,
            notify: self.notify,
            created_by: None,
        };
        let mut tx = app.database.pool.begin().await?;
        let auto = app.settings.enable_model_registry;
        let actor = self.by.actor();
        let test = ab_tests::create(&mut tx, &new, app.registry_setup(), auto, &actor).await.map_err(by_flag)?;
        tx.commit().await?;
        output::say(&format!("created {}: `steward ab start` freezes its plan", test.test_name));
        if Rules::of(&test).direction_is_assumed {
            let metric = &test.success_metric;
            output::say(&format!(
                "note: {metric} is no metric that steward knows, so more of it is taken to be better; if less is, create the test with \
                 --lower-is-better"
            ));
        }
        shown(&test, self.how)
    }
}
