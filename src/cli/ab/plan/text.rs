//! How a plan is written for people, and what it warns of.

use super::super::super::output;
use super::{PlanArgs, Planned};
use crate::ab::{Prospect, ThresholdMode};

/// The plan as people read it: one sentence, then the facts.
pub(super) fn render(p: &Planned) -> String {
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
    if p.looks > 1 {
        let more = percent(100.0 * (p.inflation - 1.0));
        lines.push(format!("looks            {}, equally far apart: {more} more rows than a single look", p.looks));
    }
    let better = p.ship_lift.map_or_else(String::new, |lift| format!("when it is {} better", percent(lift.abs())));
    if let Some(expected) = p.expected_rows.as_ref().filter(|_| p.looks > 1) {
        lines.push(format!(
            "decided after    {} rows on average {better}, {} when nothing differs",
            expected.with_lift, expected.without_difference
        ));
    }
    if let Some(chance) = p.ship_chance {
        let reached = match p.threshold_mode {
            ThresholdMode::Point => "",
            ThresholdMode::Superiority => ", with the lower end of the interval",
        };
        let bar = match p.success_threshold {
            0.0 => "no bar".to_owned(),
            threshold => format!("the bar is {}{reached}", percent(100.0 * threshold)),
        };
        lines.push(format!("B is shipped     in {} {better} ({bar})", cases(chance)));
    }
    if let (Some(days), Some(per_day)) = (p.days, p.per_day) {
        lines.push(format!("days             {days} at {per_day} rows a day"));
    }
    lines.extend(p.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n")
}

/// What people should know when the bar keeps back what the rows would find.
pub(super) fn below_power(args: &PlanArgs, lift: f64, prospect: &Prospect) -> Option<String> {
    /// The bar and the rows go by two approximations: what differs less does not matter.
    const LITTLE: f64 = 0.03;
    let bar = args.success_threshold;
    if bar == 0.0 || prospect.ship_chance > args.power - LITTLE {
        return None;
    }
    let chance = about(prospect.ship_chance);
    let (improvement, asked) = (percent(100.0 * lift.abs()), percent(100.0 * bar));
    Some(match lift.abs() - bar {
        distance if distance.abs() <= 1e-9 => format!(
            "a model that is exactly {improvement} better is shipped in {chance}: plan for a lift above the bar, or lower the bar \
             (--success-threshold)"
        ),
        distance if distance < 0.0 => format!(
            "a model that is {improvement} better lies below the bar of {asked} and is shipped in {chance}: plan for a lift above the \
             bar, or lower the bar (--success-threshold)"
        ),
        _ => format!(
            "a model that is {improvement} better is shipped in {chance} only, since it has to reach the bar of {asked} too: ask \
             for more rows with a higher --power, or lower the bar (--success-threshold)"
        ),
    })
}

/// `about 12 of 100 cases`.
fn about(chance: f64) -> String {
    let cases = cases(chance);
    if cases.contains("than") { cases } else { format!("about {cases}") }
}

/// `12 of 100 cases`; what rounds to nothing or to all says so.
fn cases(chance: f64) -> String {
    match chance {
        chance if chance < 0.005 => "less than 1 of 100 cases".to_owned(),
        chance if chance >= 0.995 => "more than 99 of 100 cases".to_owned(),
        chance => format!("{:.0} of 100 cases", 100.0 * chance),
    }
}

/// As many decimals as it takes, at most two: `2 %`, `1.25 %`.
fn percent(value: f64) -> String {
    let text = format!("{value:.2}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}
