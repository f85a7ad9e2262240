//! The demo's tables: month by month what drifted, which incidents opened and closed, how the A/B test went.
//!
//! Pure: rows in, text out. Everything shown is read from what the runs wrote.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, TimeZone, Utc};

use super::super::output;
use crate::db::overview::{DriftPoint, IncidentLine, LookPoint, MetricPoint};

/// What the runs wrote.
#[derive(Debug, Clone)]
pub(super) struct Story {
    /// Checks.
    pub(super) drift: Vec<DriftPoint>,
    /// Metrics.
    pub(super) metrics: Vec<MetricPoint>,
    /// Looks at the A/B test.
    pub(super) looks: Vec<LookPoint>,
    /// Incidents.
    pub(super) incidents: Vec<IncidentLine>,
}

impl Story {
    /// The tables.
    pub(super) fn render(&self) -> String {
        [self.months(), self.incident_table(), self.performance(), self.ab_test()].join("\n\n")
    }

    fn months(&self) -> String {
        let mut months: BTreeMap<String, Vec<&DriftPoint>> = BTreeMap::new();
        for point in &self.drift {
            if let Some(start) = point.window_start {
                months.entry(start.format("%Y-%m").to_string()).or_default().push(point);
            }
        }
        let rows = months
            .into_iter()
            .map(|(month, points)| {
                let features: Vec<String> = points
                    .iter()
                    .filter(|p| p.drift_type == "data" && p.is_alert)
                    .map(|p| format!("{} {}", p.feature_name, output::number(p.drift_score)))
                    .collect();
                let score = |version: &str| {
                    points
                        .iter()
                        .find(|p| p.drift_type == "prediction" && p.model_version.as_deref() == Some(version))
                        .map_or_else(
                            || "-".to_owned(),
                            |p| format!("{}{}", output::number(p.drift_score), if p.is_alert { " DRIFT" } else { "" }),
                        )
                };
                let changes = |at: &dyn Fn(&IncidentLine) -> Option<DateTime<Utc>>| {
                    let names: Vec<String> = self
                        .incidents
                        .iter()
                        .filter(|i| i.kind == "drift" && at(i).is_some_and(|t| judged_month(t) == month))
                        .map(about)
                        .collect();
                    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
                };
                vec![
                    month.clone(),
                    if features.is_empty() { "-".to_owned() } else { features.join(", ") },
                    score("1.0.0"),
                    score("2.0.0"),
                    changes(&|i| Some(i.opened_at)),
                    changes(&|i| i.resolved_at),
                ]
            })
            .collect();
        format!(
            "What drifted, month by month (reference: January to March; above 0.2 is drift)\n\n{}",
            output::table(
                &["month", "features that drifted", "scores 1.0.0", "scores 2.0.0", "incidents opened", "closed"],
                &[],
                rows
            )
        )
    }

    fn incident_table(&self) -> String {
        let rows = self
            .incidents
            .iter()
            .map(|i| {
                vec![
                    output::short(i.id),
                    i.job_name.clone(),
                    about(i),
                    i.state.clone(),
                    i.opened_at.format("%Y-%m-%d").to_string(),
                    i.resolved_at.map_or_else(|| "-".to_owned(), |t| t.format("%Y-%m-%d").to_string()),
                    output::number(i.peak_score),
                ]
            })
            .collect();
        format!(
            "Incidents: one per problem, however often it was seen\n\n{}",
            output::table(&["id", "job", "about", "state", "opened", "closed", "worst"], &[6], rows)
        )
    }

    fn performance(&self) -> String {
        let shown = [
            ("flight_delay", "1.0.0", "roc_auc", "AUC 1.0.0"),
            ("flight_delay", "2.0.0", "roc_auc", "AUC 2.0.0"),
            ("flight_delay", "1.0.0", "brier", "Brier 1.0.0"),
            ("flight_delay", "2.0.0", "brier", "Brier 2.0.0"),
            ("arrival_delay", "1.0.0", "mae", "MAE delay (min)"),
        ];
        let mut months: BTreeMap<String, Vec<&MetricPoint>> = BTreeMap::new();
        for point in &self.metrics {
            if let Some(start) = point.window_start {
                months.entry(start.format("%Y-%m").to_string()).or_default().push(point);
            }
        }
        let rows = months
            .into_iter()
            .map(|(month, points)| {
                let mut row = vec![month];
                row.extend(shown.iter().map(|(model, version, metric, _)| {
                    let found = points
                        .iter()
                        .find(|p| p.model_name == *model && p.model_version == *version && p.metric_name == *metric);
                    output::number(found.and_then(|p| p.metric_value))
                }));
                row
            })
            .collect();
        let header: Vec<&str> = std::iter::once("month").chain(shown.iter().map(|s| s.3)).collect();
        format!("How good the models were, against what happened\n\n{}", output::table(&header, &[1, 2, 3, 4, 5], rows))
    }

    fn ab_test(&self) -> String {
        let Some(last) = self.looks.last() else { return "No A/B test was evaluated.".to_owned() };
        let rows = self
            .looks
            .iter()
            .map(|l| {
                vec![
                    l.window_end.map_or_else(String::new, |t| t.format("%Y-%m-%d").to_string()),
                    format!("{} / {}", l.n_a, l.n_b),
                    l.mean_a.map_or_else(|| "-".to_owned(), |m| format!("{m:.4}")),
                    l.mean_b.map_or_else(|| "-".to_owned(), |m| format!("{m:.4}")),
                    l.relative_improvement.map_or_else(|| "-".to_owned(), |r| format!("{r:+.1} %")),
                    output::p_value(l.p_value),
                    l.decision.clone(),
                ]
            })
            .collect();
        let ended = match (last.status.as_str(), last.ended_at) {
            ("concluded", Some(at)) => format!("It ended on {}", at.format("%Y-%m-%d")),
            _ => "It is still running".to_owned(),
        };
        let decided = last
            .decided_at
            .map_or_else(String::new, |at| format!("; the decision stands since {}", at.format("%Y-%m-%d")));
        format!(
            "A/B test {}: {} of model {} (A) against {} (B), all flights up to the date\n\n{}\n\n{ended}{decided}: {}. {}",
            last.test_name,
            last.success_metric,
            last.model_a_version,
            last.model_b_version,
            output::table(
                &["up to", "flights A / B", "mean A", "mean B", "B is better by", "p", "decision"],
                &[4],
                rows
            ),
            last.decision,
            last.reason,
        )
    }
}

/// What an incident is about; a metric says of which model.
fn about(incident: &IncidentLine) -> String {
    match (&incident.model_version, incident.kind.as_str()) {
        (Some(version), "metric") => format!("{} {version}", incident.subject),
        (_, "ab_decision") => "A/B decision".to_owned(),
        _ => incident.subject.clone(),
    }
}

/// Monthly jobs run on the first of a month and judge the month before it.
fn judged_month(tick: DateTime<Utc>) -> String {
    let first = Utc.with_ymd_and_hms(tick.year(), tick.month(), 1, 0, 0, 0).single().unwrap_or(tick);
    (first - chrono::Duration::days(1)).format("%Y-%m").to_string()
}
