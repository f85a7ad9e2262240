//! `steward ab plan`: how many rows a test needs, what they can show, how many days they take.

use serde::Serialize;

use super::super::exit;
use super::super::output::{self, Format};
use super::inside;
use crate::ab::{LONGEST_DAYS, Outlook, PlannedRows};

#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {
    /// Mean of the outcome now; a share (0.1 is 10 %) unless --sd is given.
    #[arg(long, value_name = "MEAN", allow_negative_numbers = true)]
    baseline: f64,
    /// Standard deviation of the outcome of a row [default: that of a share].
    #[arg(long, value_name = "SD", allow_negative_numbers = true)]
    sd: Option<f64>,
    /// Relative improvement to find, as a fraction (0.02 is 2 %).
    #[arg(long, value_name = "FRACTION", required_unless_present = "rows", allow_negative_numbers = true)]
    lift: Option<f64>,
    /// Rows of both variants: say what these can show.
    #[arg(long, value_name = "N", conflicts_with = "lift")]
    rows: Option<u64>,
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
    /// How to write the result.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
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
    warnings: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// Wrong use.
pub(super) fn run(args: &PlanArgs) -> anyhow::Result<u8> {
    let planned = planned(args)?;
    match args.output {
        Format::Json => output::json(&planned)?,
        Format::Table => output::data(&render(&planned)),
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
    let outlook =
        Outlook { baseline: args.baseline, deviation: sd, split: args.split, alpha: args.alpha, power: args.power };
    let rows = match (args.lift, args.rows) {
        (Some(lift), _) => rows_for(&outlook, lift, is_share)?,
        (None, rows) => {
            let total = rows.unwrap_or(0);
            let n_b = (total as f64 * args.split).round() as u64;
            if n_b < 2 || total - n_b < 2 {
                return Err(wrong(format!("--rows {total} leaves a variant with fewer than two rows")));
            }
            PlannedRows { n_a: total - n_b, n_b }
        }
    };
    let mde_absolute = outlook.detectable(rows.total() as f64);
    let mde = mde_absolute.filter(|_| args.baseline != 0.0).map(|mde| 100.0 * mde / args.baseline.abs());
    let days = args.per_day.and_then(|per_day| rows.days(per_day));
    let mut warnings = Vec::new();
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
        mde,
        mde_absolute,
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

fn render(p: &Planned) -> String {
    let power = 100.0 * p.power;
    let first = match (p.lift, p.mde) {
        (Some(lift), _) => format!(
            "{} rows ({} of A, {} of B) show an improvement of {lift:.1} % in {power:.0} of 100 cases.",
            p.n_total, p.n_a, p.n_b
        ),
        (None, Some(mde)) => format!(
            "{} rows ({} of A, {} of B) show a difference of {mde:.2} % or more in {power:.0} of 100 cases.",
            p.n_total, p.n_a, p.n_b
        ),
        (None, None) => format!(
            "{} rows ({} of A, {} of B) show a difference of {} or more in {power:.0} of 100 cases.",
            p.n_total,
            p.n_a,
            p.n_b,
            output::number(p.mde_absolute)
        ),
    };
    let mut lines = vec![first, String::new()];
    lines.push(format!(
        "baseline         {} (standard deviation {})",
        output::number(Some(p.baseline)),
        output::number(Some(p.sd))
    ));
    lines.push(format!("level            {} two-sided, {:.0} % of the rows for B", p.alpha, 100.0 * p.split));
    let mde = p.mde.map_or_else(String::new, |mde| format!(" ({mde:.2} %)"));
    lines.push(format!("smallest effect  {}{mde}", output::number(p.mde_absolute)));
    if let (Some(days), Some(per_day)) = (p.days, p.per_day) {
        lines.push(format!("days             {days} at {per_day} rows a day"));
    }
    lines.extend(p.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n")
}
