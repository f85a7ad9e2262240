//! What verdicts add up to, column by column and threshold by threshold. Pure.
//!
//! The rule is that of incidents: one opens with the first window that alerts and ends with the first that is judged and does not; a
//! window that cannot be judged, or has no data, leaves it as it is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Seen;
use crate::db::results::DriftRow;
use crate::drift::quality;
use crate::jobs::document::DriftSpec;
use crate::schedule::Window;

/// What a job would have alerted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The job.
    pub job: String,
    /// Windows that were looked at.
    pub windows: usize,
    /// Those without data that can be read.
    pub without_data: Vec<NoData>,
    /// Windows in which anybody would have been told, by threshold.
    pub totals: Vec<Total>,
    /// Each column (and check of quality) at each threshold, the highest scores first.
    pub lines: Vec<Line>,
}

/// A window without data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoData {
    /// Its tick.
    pub tick: DateTime<Utc>,
    /// The window.
    pub window: Window,
    /// Why there is none.
    pub reason: String,
}

/// A threshold, over all columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Total {
    /// The threshold of all columns; none for those that the job gives them.
    pub threshold: Option<f64>,
    /// Windows with at least one alert.
    pub alerts: u64,
    /// Incidents that would have opened.
    pub incidents: u64,
}

/// A column at a threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// What an incident would be about: the column, with its segment or its check of quality.
    pub subject: String,
    /// The method or check.
    pub method: String,
    /// The threshold.
    pub threshold: f64,
    /// Whether it is the one that the job has for this column.
    pub is_declared: bool,
    /// Windows above it.
    pub alerts: u64,
    /// Incidents that would have opened; none where alerts are about the share of drifted columns.
    pub incidents: Option<u64>,
    /// Tick of the first alert.
    pub first: Option<DateTime<Utc>>,
    /// Tick of the last alert.
    pub last: Option<DateTime<Utc>>,
    /// The highest score of any window.
    pub highest: Option<f64>,
    /// Windows in which it was judged.
    pub judged: u64,
    /// Windows in which it was not, although there was data.
    pub not_judged: u64,
}

/// Counts; without `thresholds` those that the job has. `default` is that of columns for which it says none.
#[must_use]
pub fn count(job: &str, spec: &DriftSpec, default: f64, seen: &[Seen], thresholds: &[f64]) -> Report {
    let mut subjects: BTreeMap<&str, &DriftRow> = BTreeMap::new();
    for row in seen.iter().filter_map(|seen| seen.rows.as_ref().ok()).flatten() {
        // Of a column that was not always judged, the row that says by which method.
        let known = subjects.entry(&row.subject).or_insert(row);
        if known.drift_score.is_none() {
            *known = row;
        }
    }
    let asked: Vec<Option<f64>> =
        if thresholds.is_empty() { vec![None] } else { thresholds.iter().copied().map(Some).collect() };
    let mut lines = Vec::new();
    let mut totals = Vec::new();
    for &asked in &asked {
        let mut incidents = 0;
        for (subject, row) in &subjects {
            let is_quality = is_quality(row);
            let declared = if is_quality { row.threshold } else { declared(spec, &row.feature_name, default) };
            let counted = line(subject, row, declared, seen, spec, asked.filter(|_| !is_quality));
            incidents += counted.incidents.unwrap_or_default();
            // A check of quality has its own limit, whatever the threshold of drift.
            if !(is_quality && lines.iter().any(|line: &Line| line.subject == *subject)) {
                lines.push(counted);
            }
        }
        let (alerts, of_share) = windows(seen, spec, asked);
        let incidents = incidents + of_share;
        totals.push(Total { threshold: asked, alerts, incidents });
    }
    lines.sort_by(|a, b| {
        let highest = |line: &Line| line.highest.unwrap_or(f64::NEG_INFINITY);
        let by_score = highest(b).total_cmp(&highest(a));
        by_score.then_with(|| a.subject.cmp(&b.subject)).then_with(|| a.threshold.total_cmp(&b.threshold))
    });
    let without_data = seen.iter().filter_map(|seen| {
        let reason = seen.rows.as_ref().err()?.clone();
        Some(NoData { tick: seen.tick, window: seen.window, reason })
    });
    Report { job: job.to_owned(), windows: seen.len(), without_data: without_data.collect(), totals, lines }
}

fn declared(spec: &DriftSpec, column: &str, default: f64) -> f64 {
    let own = spec.columns.get(column).and_then(|column| column.threshold);
    own.or(spec.threshold).unwrap_or(default)
}

fn is_quality(row: &DriftRow) -> bool {
    quality::is_check(&row.method)
}

fn line(subject: &str, row: &DriftRow, declared: f64, seen: &[Seen], spec: &DriftSpec, asked: Option<f64>) -> Line {
    let mut line = Line {
        subject: subject.to_owned(),
        method: row.method.clone(),
        threshold: asked.unwrap_or(declared),
        is_declared: asked.is_none_or(|asked| asked == declared),
        alerts: 0,
        incidents: (spec.min_drifted_share.is_none() || is_quality(row)).then_some(0),
        first: None,
        last: None,
        highest: None,
        judged: 0,
        not_judged: 0,
    };
    let mut is_open = false;
    for (tick, rows) in seen.iter().filter_map(|seen| Some((seen.tick, seen.rows.as_ref().ok()?))) {
        let Some(row) = rows.iter().find(|row| row.subject == subject) else {
            // Not looked at any more: its incident ends. Where nothing was, it stays.
            is_open &= rows.is_empty();
            continue;
        };
        if row.reason.as_deref() != Some("missing") {
            line.highest = match (line.highest, row.drift_score) {
                (Some(highest), Some(score)) => Some(highest.max(score)),
                (highest, score) => highest.or(score),
            };
        }
        match verdict(row, spec, asked) {
            None => line.not_judged += 1,
            Some(alerts) => {
                line.judged += 1;
                if alerts {
                    line.alerts += 1;
                    line.first = line.first.or(Some(tick));
                    line.last = Some(tick);
                    if let (false, Some(incidents)) = (is_open, &mut line.incidents) {
                        *incidents += 1;
                    }
                }
                is_open = alerts;
            }
        }
    }
    line
}

/// Whether a check alerts at a threshold; none when it was not judged.
fn verdict(row: &DriftRow, spec: &DriftSpec, asked: Option<f64>) -> Option<bool> {
    let Some(threshold) = asked else {
        return match row.status {
            "drifted" => Some(true),
            "ok" | "warning" => Some(false),
            _ => None,
        };
    };
    if row.reason.as_deref() == Some("missing") {
        // Too many missing rows are drift whatever the score.
        return Some(true);
    }
    let above = match (row.details["score_from"].as_f64(), row.details["score_to"].as_f64()) {
        // Against a profile the score is known within a range; a threshold inside leaves it open.
        (Some(from), Some(to)) if from <= threshold && threshold < to => return None,
        (Some(from), Some(_)) => from > threshold,
        _ => row.drift_score? > threshold,
    };
    let significant = spec.require_significance.is_none_or(|level| {
        row.details["log10_p_value"].as_f64().map_or_else(|| row.p_value == Some(0.0), |log| log < level.log10())
    });
    Some(above && significant)
}

/// Windows in which at least one alert would have been, and incidents about the share of drifted columns.
fn windows(seen: &[Seen], spec: &DriftSpec, asked: Option<f64>) -> (u64, u64) {
    let (mut alerts, mut incidents, mut is_open) = (0, 0, false);
    for rows in seen.iter().filter_map(|seen| seen.rows.as_ref().ok()) {
        let (mut judged, mut drifted, mut wrong) = (0u64, 0u64, false);
        for row in rows {
            let is_quality = is_quality(row);
            match verdict(row, spec, asked.filter(|_| !is_quality)) {
                Some(alert) if is_quality => wrong |= alert,
                Some(alert) => {
                    judged += 1;
                    drifted += u64::from(alert);
                }
                None => {}
            }
        }
        let by_drift = match spec.min_drifted_share {
            None => drifted > 0,
            Some(share) => drifted > 0 && drifted as f64 / judged as f64 >= share,
        };
        alerts += u64::from(by_drift || wrong);
        if spec.min_drifted_share.is_some() && judged > 0 {
            incidents += u64::from(by_drift && !is_open);
            is_open = by_drift;
        }
    }
    (alerts, incidents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(column: &str, score: Option<f64>) -> DriftRow {
        DriftRow {
            drift_type: "data",
            subject: column.to_owned(),
            feature_name: column.to_owned(),
            segment: None,
            method: "ks_test".to_owned(),
            drift_score: score,
            threshold: 0.2,
            p_value: None,
            is_alert: score.is_some_and(|score| score > 0.2),
            status: match score {
                Some(score) if score > 0.2 => "drifted",
                Some(_) => "ok",
                None => "insufficient_data",
            },
            reliability: None,
            n_reference: 10,
            n_current: 10,
            reason: None,
            details: json!({}),
        }
    }

    fn seen(rows: Vec<Result<Vec<DriftRow>, String>>) -> Vec<Seen> {
        let at = |day: i64| DateTime::from_timestamp(1_356_998_400 + day * 86_400, 0).unwrap();
        let windows = rows.into_iter().zip(1i64..);
        windows.map(|(rows, day)| Seen { tick: at(day), window: (at(day - 1), at(day)), rows }).collect()
    }

    fn spec() -> DriftSpec {
        serde_json::from_value(json!({ "target": "data" })).unwrap()
    }

    #[test]
    fn an_incident_lasts_until_a_window_is_judged_and_fine() {
        let x = |score| Ok(vec![row("x", score)]);
        let seen = seen(vec![
            x(Some(0.25)),
            x(Some(0.35)),
            Err("no object".to_owned()),
            x(None),
            x(Some(0.25)),
            x(Some(0.05)),
            x(Some(0.3)),
        ]);
        let report = count("j", &spec(), 0.2, &seen, &[0.2, 0.3]);
        let at = |threshold: f64| report.lines.iter().find(|line| line.threshold == threshold).unwrap();
        assert_eq!((at(0.2).alerts, at(0.2).incidents, at(0.2).judged, at(0.2).not_judged), (4, Some(2), 5, 1));
        assert_eq!((at(0.3).alerts, at(0.3).incidents), (1, Some(1)), "a score of exactly 0.3 is not above 0.3");
        assert_eq!((at(0.3).first, at(0.3).last), (Some(seen[1].tick), Some(seen[1].tick)));
        assert!(at(0.2).is_declared && !at(0.3).is_declared);
        assert_eq!(at(0.2).highest, Some(0.35));
        assert_eq!((report.windows, report.without_data.len()), (7, 1));
        assert_eq!(report.totals[0], Total { threshold: Some(0.2), alerts: 4, incidents: 2 });
        let declared = count("j", &spec(), 0.2, &seen, &[]);
        assert_eq!(declared.lines, [at(0.2).clone()], "the job's own threshold is the default of the question");
    }

    #[test]
    fn missing_rows_alert_at_every_threshold_and_a_profile_may_leave_it_open() {
        let missing = DriftRow { reason: Some("missing".to_owned()), ..row("x", Some(0.9)) };
        let open = DriftRow { details: json!({ "score_from": 0.28, "score_to": 0.32 }), ..row("y", None) };
        let seen = seen(vec![Ok(vec![missing, open])]);
        let report = count("j", &spec(), 0.2, &seen, &[0.2, 0.3, 0.95]);
        let alerts = |subject: &str| {
            let of = report.lines.iter().filter(|line| line.subject == subject);
            of.map(|line| (line.alerts, line.not_judged)).collect::<Vec<_>>()
        };
        assert_eq!(alerts("x"), [(1, 0), (1, 0), (1, 0)]);
        assert_eq!(alerts("y"), [(1, 0), (0, 1), (0, 0)]);
    }

    #[test]
    fn a_share_of_columns_alerts_as_one_and_quality_keeps_its_own_limit() {
        let spec = DriftSpec { min_drifted_share: Some(0.5), ..spec() };
        let broken = DriftRow { method: "range".to_owned(), threshold: 0.0, ..row("z: range", Some(0.21)) };
        let day = |x, y| Ok(vec![row("x", Some(x)), row("y", Some(y)), broken.clone()]);
        let seen = seen(vec![day(0.1, 0.1), day(0.1, 0.3), day(0.3, 0.3)]);
        let report = count("j", &spec, 0.2, &seen, &[0.05, 0.2]);
        assert_eq!(report.lines.iter().filter(|line| line.method == "range").count(), 1);
        let quality = report.lines.iter().find(|line| line.method == "range").unwrap();
        assert_eq!((quality.alerts, quality.incidents, quality.threshold), (3, Some(1), 0.0));
        assert!(report.lines.iter().filter(|line| line.method == "ks_test").all(|line| line.incidents.is_none()));
        assert_eq!(report.totals[1], Total { threshold: Some(0.2), alerts: 3, incidents: 2 });
    }

    #[test]
    fn both_keys_are_asked_at_every_threshold() {
        let spec = DriftSpec { require_significance: Some(0.01), ..spec() };
        let with = |log: f64| DriftRow { details: json!({ "log10_p_value": log }), ..row("x", Some(0.3)) };
        let seen = seen(vec![Ok(vec![with(-1.0)]), Ok(vec![with(-5.0)])]);
        assert_eq!(count("j", &spec, 0.2, &seen, &[0.1]).lines[0].alerts, 1);
    }
}
