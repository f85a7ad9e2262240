//! `steward ab plan`: how many rows a test needs, what they can show, how many days they take.

mod text;

use serde::Serialize;

use super::super::exit;
use super::super::output::{self, Format};
use super::inside;
use crate::ab::{self, Bar, LONGEST_DAYS, Outlook, PlannedRows, ThresholdMode};

#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {
    /// Mean of the outcome now; a share (0.1 is 10 %) unless --sd is given.
    #[arg(long, value_name = "MEAN", allow_negative_numbers = true)]
    baseline: f64,
    /// Standard deviation of the outcome of a row [default: that of a share].
    #[arg(long, value_name = "SD", allow_negative_numbers = true)]
    sd: Option<f64>,
    /// Relative improvement to find, as a fraction (0.02 is 2 %).
    #[arg(long, value_name = "FRACTION", required_unless_present_any = ["rows", "days"], allow_negative_numbers = true)]
    lift: Option<f64>,
    /// Rows of both variants: say what these can show.
    #[arg(long, value_name = "N", conflicts_with = "lift")]
    rows: Option<u64>,
    /// Days that the test may take: say what the rows of --per-day can show by then.
    #[arg(long, value_name = "N", conflicts_with_all = ["lift", "rows"], requires = "per_day")]
    days: Option<u32>,
    /// Chance of finding the improvement when it is there.
    #[arg(long, default_value_t = 0.8, value_name = "SHARE", allow_negative_numbers = true)]
    power: f64,
    /// Two-sided significance level.
    #[arg(long, default_value_t = 0.05, value_name = "ALPHA", allow_negative_numbers = true)]
    alpha: f64,
    /// Share of the rows that the treatment gets.
    #[arg(long, default_value_t = 0.5, value_name = "SHARE", allow_negative_numbers = true)]
    split: f64,
    /// Rows of both variants that come in a day.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    per_day: Option<f64>,
    /// How many equally spaced looks share the level; each may decide.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    looks: u32,
    /// The bar: relative improvement that B must show to be shipped, as a fraction; 0 for none.
    #[arg(long, default_value_t = 0.02, value_name = "FRACTION", allow_negative_numbers = true)]
    success_threshold: f64,
    /// What must reach the bar: the improvement itself, or the lower end of its interval.
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    threshold_mode: Mode,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// What must reach the bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Mode {
    /// The improvement itself.
    #[default]
    Point,
    /// The lower end of its interval.
    Superiority,
}

impl From<Mode> for ThresholdMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Point => Self::Point,
            Mode::Superiority => Self::Superiority,
        }
    }
}

/// What a test needs.
#[derive(Debug, Serialize)]
struct Planned {
    baseline: f64,
    sd: f64,
    /// Percent, as in an evaluation.
    lift: Option<f64>,
    power: f64,
    alpha: f64,
    split: f64,
    n_a: u64,
    n_b: u64,
    n_total: u64,
    per_day: Option<f64>,
    days: Option<u64>,
    /// The smallest relative effect that these rows show with that power, in percent.
    mde: Option<f64>,
    mde_absolute: Option<f64>,
    looks: u32,
    /// How many times the rows of a single look.
    inflation: f64,
    /// Rows until a look decides, on average.
    expected_rows: Option<Expected>,
    /// A fraction, as in the plan of a test.
    success_threshold: f64,
    threshold_mode: ThresholdMode,
    /// The improvement that `ship_chance` and `expected_rows` are about, in percent: the lift, or else the mde.
    ship_lift: Option<f64>,
    /// The chance that a B with that improvement is shipped.
    ship_chance: Option<f64>,
    warnings: Vec<String>,
}

/// Rows of both variants until a look decides, on average.
#[derive(Debug, Serialize)]
struct Expected {
    with_lift: u64,
    without_difference: u64,
}

/// Runs the command.
///
/// # Errors
/// Wrong use.
pub(super) fn run(args: &PlanArgs) -> anyhow::Result<u8> {
    let planned = planned(args)?;
    match args.output {
        Format::Json => output::json(&planned)?,
        Format::Table => output::data(&text::render(&planned)),
    }
    Ok(exit::FINE)
}

fn planned(args: &PlanArgs) -> anyhow::Result<Planned> {
    let wrong = |message: String| -> anyhow::Error { exit::Failure::usage(message).into() };
    inside("--power", args.power)?;
    inside("--alpha", args.alpha)?;
    inside("--split", args.split)?;
    if !args.baseline.is_finite() {
        return Err(wrong(format!("--baseline must be a number, not {}", args.baseline)));
    }
    if args.power <= args.alpha {
        return Err(wrong(format!("--power must be larger than --alpha, not {}", args.power)));
    }
    let is_share = args.sd.is_none();
    let sd = match args.sd {
        Some(sd) if sd.is_finite() && sd > 0.0 => sd,
        Some(sd) => return Err(wrong(format!("--sd must be a positive number, not {sd}"))),
        None if args.baseline > 0.0 && args.baseline < 1.0 => (args.baseline * (1.0 - args.baseline)).sqrt(),
        None => {
            let baseline = args.baseline;
            return Err(wrong(format!(
                "--baseline {baseline} is no share between 0 and 1; name the standard deviation with --sd"
            )));
        }
    };
    if let Some(per_day) = args.per_day.filter(|per_day| !(per_day.is_finite() && *per_day > 0.0)) {
        return Err(wrong(format!("--per-day must be a positive number, not {per_day}")));
    }
    if !(args.success_threshold >= 0.0 && args.success_threshold.is_finite()) {
        return Err(wrong(format!("--success-threshold must be 0 or more, not {}", args.success_threshold)));
    }
    let outlook =
        Outlook { baseline: args.baseline, deviation: sd, split: args.split, alpha: args.alpha, power: args.power };
    let inflation = ab::inflation(args.looks, args.alpha, args.power)
        .ok_or_else(|| wrong(format!("{} looks at --alpha {} cannot be computed", args.looks, args.alpha)))?;
    let rows = match args.lift {
        Some(lift) => rows_for(&outlook, lift, is_share)?.times(inflation),
        None => given_rows(args)?,
    };
    let mde_absolute = outlook.detectable(rows.total() as f64 / inflation);
    let mde = mde_absolute.filter(|_| args.baseline != 0.0).map(|mde| mde / args.baseline.abs());
    let days = args.days.map(u64::from).or_else(|| args.per_day.and_then(|per_day| rows.days(per_day)));
    let bar = Bar { threshold: args.success_threshold, mode: args.threshold_mode.into() };
    let ship_lift = args.lift.or(mde);
    let prospect = ship_lift.and_then(|lift| outlook.prospect(rows, lift, is_share, bar, args.looks));
    let of_rows = |share: f64| (share * rows.total() as f64).round() as u64;
    let mut warnings = Vec::new();
    warnings.extend(ship_lift.zip(prospect).and_then(|(lift, prospect)| text::below_power(args, lift, &prospect)));
    if let Some(days) = days.filter(|days| *days > u64::from(LONGEST_DAYS)) {
        warnings.push(format!("{days} days is longer than a month: what is compared will have changed meanwhile"));
    }
    if let Some(days) = days.filter(|days| *days < 7) {
        warnings.push(format!("{days} days is less than a week: run whole weeks, since weekdays differ"));
    }
    if args.baseline == 0.0 {
        warnings.push("A is 0, so there is no relative improvement".to_owned());
    }
    Ok(Planned {
        baseline: args.baseline,
        sd,
        lift: args.lift.map(|lift| 100.0 * lift),
        power: args.power,
        alpha: args.alpha,
        split: args.split,
        n_a: rows.n_a,
        n_b: rows.n_b,
        n_total: rows.total(),
        per_day: args.per_day,
        days,
        mde: mde.map(|mde| 100.0 * mde),
        mde_absolute,
        looks: args.looks,
        inflation,
        expected_rows: prospect.map(|prospect| Expected {
            with_lift: of_rows(prospect.share_with_lift),
            without_difference: of_rows(prospect.share_without),
        }),
        success_threshold: args.success_threshold,
        threshold_mode: args.threshold_mode.into(),
        ship_lift: ship_lift.filter(|_| prospect.is_some()).map(|lift| 100.0 * lift),
        ship_chance: prospect.map(|prospect| prospect.ship_chance),
        warnings,
    })
}

fn rows_for(outlook: &Outlook, lift: f64, is_share: bool) -> anyhow::Result<PlannedRows> {
    let wrong = |message: String| -> anyhow::Error { exit::Failure::usage(message).into() };
    if !(lift.is_finite() && lift != 0.0) {
        return Err(wrong(format!("--lift must be a fraction other than 0, such as 0.02, not {lift}")));
    }
    if outlook.baseline == 0.0 {
        return Err(wrong(
            "--lift is relative to the baseline, which is 0; ask with --rows what can be shown".to_owned(),
        ));
    }
    let improved = outlook.baseline * (1.0 + lift);
    if is_share && !(0.0..=1.0).contains(&improved) {
        return Err(wrong(format!("a share of {} cannot improve by {} %", outlook.baseline, 100.0 * lift)));
    }
    outlook
        .rows_for(lift, is_share)
        .ok_or_else(|| wrong(format!("no number of rows that could be planned shows {} %", 100.0 * lift)))
}

/// The rows of --rows, or those that come in --days.
fn given_rows(args: &PlanArgs) -> anyhow::Result<PlannedRows> {
    let wrong = |message: String| -> anyhow::Error { exit::Failure::usage(message).into() };
    let in_days = args.days.zip(args.per_day).map(|(days, per_day)| (f64::from(days) * per_day).floor());
    let (asked, total) = match (args.rows, in_days, args.days, args.per_day) {
        (None, Some(rows), Some(days), Some(per_day)) => {
            if rows >= 1e15 {
                return Err(wrong(format!("--per-day {per_day} is more than can be planned with")));
            }
            (format!("--days {days} at --per-day {per_day}"), rows as u64)
        }
        (rows, ..) => (format!("--rows {}", rows.unwrap_or(0)), rows.unwrap_or(0)),
    };
    let n_b = (total as f64 * args.split).round() as u64;
    if n_b < 2 || total.saturating_sub(n_b) < 2 {
        return Err(wrong(format!("{asked} leaves a variant with fewer than two rows")));
    }
    Ok(PlannedRows { n_a: total - n_b, n_b })
}
