//! How tests and looks are written for people.

use super::outlook::Outlook;
use crate::cli::output;
use crate::notify::text::one_line;
use crate::registry::ab_tests::{ResultRow, Rules, SideMetric, TestRow};

/// A list of tests.
pub(super) fn tests(rows: &[TestRow]) -> String {
    let rows = rows
        .iter()
        .map(|t| {
            vec![
                t.test_name.clone(),
                t.status.clone(),
                format!("{} {}", t.model_a_name, t.model_a_version),
                format!("{} {}", t.model_b_name, t.model_b_version),
                t.success_metric.clone(),
                t.looks.to_string(),
                t.decision.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        })
        .collect();
    output::table(&["test", "status", "A", "B", "metric", "looks", "decision"], &[5], rows)
}

/// One test.
pub(super) fn test(t: &TestRow) -> String {
    let rules = Rules::of(t);
    let direction = if t.lower_is_better { "lower is better" } else { "higher is better" };
    let assumed = if rules.direction_is_assumed { ", assumed" } else { "" };
    let by = t.created_by.as_deref().unwrap_or("-");
    let mut facts = vec![
        ("test", t.test_name.clone()),
        ("id", t.id.to_string()),
        ("status", t.status.clone()),
        ("A", format!("{} {}", t.model_a_name, t.model_a_version)),
        ("B", format!("{} {}, for {:.0} % of the traffic", t.model_b_name, t.model_b_version, 100.0 * t.traffic_split)),
        ("metric", format!("{} ({direction}{assumed})", t.success_metric)),
        ("asks for", format!("{}, by {}", claim(&rules), t.statistical_test)),
        ("level", format!("{}, from {} rows of each arm{}", t.significance_level, t.min_samples, duration(&rules))),
    ];
    facts.extend(beside(&rules));
    facts.extend([
        ("looks", looks(t, &rules)),
        ("created", format!("{} UTC by {by}", output::time(Some(t.created_at)))),
    ]);
    if t.started_at.is_some() {
        facts.push(("started", format!("{} UTC", output::time(t.started_at))));
    }
    let decision = t.decision.clone().unwrap_or_else(|| "none yet".to_owned());
    let since = t.decided_at.map_or_else(String::new, |at| format!(", since {} UTC", output::time(Some(at))));
    facts.push(("decision", format!("{decision}{since}")));
    if t.ended_at.is_some() {
        let by = t.ended_by.as_deref().unwrap_or("-");
        let reason = t.ended_reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
        facts.push(("ended", format!("{} UTC by {by}{reason}", output::time(t.ended_at))));
    }
    let lines: Vec<String> =
        facts.into_iter().map(|(label, value)| format!("{label:<10}{}", one_line(&value))).collect();
    lines.join("\n")
}

/// One test, and how long it is likely to go on.
pub(super) fn test_and_outlook(t: &TestRow, outlook: Option<&Outlook>) -> String {
    let left = outlook.map_or_else(String::new, |outlook| format!("\n{:<10}{}", "left", outlook.text()));
    test(t) + &left
}

/// What B has to show.
fn claim(rules: &Rules) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let margin = percent(rules.margin.unwrap_or(0.0));
    match (rules.hypothesis.as_str(), rules.threshold_mode.as_str()) {
        ("non_inferiority", _) => format!("worse by less than {margin}"),
        ("equivalence", _) => format!("within {margin} either way"),
        (_, "superiority") => {
            format!("{} better for sure (the interval's lower end)", percent(rules.success_threshold))
        }
        _ => format!("{} better", percent(rules.success_threshold)),
    }
}

fn duration(rules: &Rules) -> String {
    match rules.min_duration_seconds {
        Some(seconds) if seconds % 86_400 == 0 => format!(", after {} days", seconds / 86_400),
        Some(seconds) => format!(", after {:.1} hours", seconds as f64 / 3600.0),
        None => String::new(),
    }
}

/// What is looked at beside the metric, a line each.
fn beside(rules: &Rules) -> Vec<(&'static str, String)> {
    let list = |metrics: &[SideMetric]| metrics.iter().map(SideMetric::to_string).collect::<Vec<_>>().join(", ");
    let mut facts = Vec::new();
    if !rules.guardrails.is_empty() {
        facts.push(("guards", list(&rules.guardrails)));
    }
    if !rules.secondary_metrics.is_empty() {
        facts.push(("beside", list(&rules.secondary_metrics)));
    }
    if let Some(covariate) = &rules.covariate {
        facts.push(("adjusts", format!("outcomes by {covariate}")));
    }
    if rules.sample_ratio_policy == "warn" {
        facts.push(("split", "a wrong one is said and does not stop the test".to_owned()));
    }
    facts
}

fn looks(t: &TestRow, rules: &Rules) -> String {
    match (rules.planned_looks, rules.monitoring.as_str()) {
        (_, "horizon") => format!("{} taken, the last one decides", t.looks),
        (_, "always_valid") => format!("{} taken, each may decide (confidence sequence)", t.looks),
        (Some(planned), _) => format!("{} taken, {planned} planned", t.looks),
        (None, _) => format!("{} taken", t.looks),
    }
}

/// The looks at a test: one line each, then why the last one says what it says.
pub(super) fn results(test: &TestRow, rows: &[ResultRow]) -> String {
    let percent = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:+.2} %"));
    let lines = rows
        .iter()
        .map(|r| {
            vec![
                r.look.to_string(),
                output::time(Some(r.window_end.unwrap_or(r.created_at))),
                format!("{} / {}", r.n_a, r.n_b),
                output::number(r.mean_a),
                output::number(r.mean_b),
                percent(r.relative_improvement),
                output::p_value(r.p_value),
                r.decision.clone(),
            ]
        })
        .collect();
    let table = output::table(
        &["look", "up to (UTC)", "rows A / B", "mean A", "mean B", "B is better by", "p", "decision"],
        &[0, 3, 4, 5],
        lines,
    );
    let last = rows.last().map_or_else(String::new, |last| one_line(&last.reason));
    let decision = test.decision.as_deref().unwrap_or("no decision yet");
    format!("{}: {}, {decision}\n\n{table}\n\n{last}", test.test_name, test.status)
}
