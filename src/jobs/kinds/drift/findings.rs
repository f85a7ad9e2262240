//! What a drift run tells: findings for incidents, with the numbers of the verdict as their evidence.

use serde_json::{Value, json};

use crate::drift::quality;
use crate::drift::{self, Check, Reliability, Report, Status};
use crate::jobs::document::DriftSpec;
use crate::notify::{Finding, FindingStatus, Severity};

/// What an incident about a check is about; a check of quality is told apart from the drift of its column.
pub(super) fn subject(check: &Check) -> String {
    if drift::concept::method(&check.method).is_some() {
        return format!("{} ({})", check.column, check.method);
    }
    if is_quality(check) { format!("{}: {}", check.column, check.method.replace('_', " ")) } else { check.subject() }
}

fn is_quality(check: &Check) -> bool {
    quality::is_check(&check.method)
}

/// Columns that cannot be judged because they are not there or not what they were; each is told once.
pub(super) fn schema_findings<'a>(checks: impl Iterator<Item = &'a Check>) -> Vec<Finding> {
    let mut told = std::collections::BTreeSet::new();
    checks
        .filter(|check| check.status == Status::SchemaError && told.insert(&check.column))
        .map(|check| Finding {
            kind: "schema_error",
            subject: check.column.clone(),
            status: FindingStatus::Breach,
            severity: Severity::Critical,
            title: format!("{} cannot be judged: {}", check.column, check.reason.as_deref().unwrap_or("schema error")),
            score: None,
            threshold: None,
            evidence: json!({ "column": check.column, "problem": check.reason }),
        })
        .collect()
}

/// What the data must be like.
pub(super) fn quality_findings(checks: &[Check]) -> Vec<Finding> {
    checks.iter().filter(|check| check.status != Status::SchemaError).map(quality_finding).collect()
}

fn quality_finding(check: &Check) -> Finding {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let column = &check.column;
    let title = match (check.score, check.method.as_str()) {
        (None, method) => format!("{column}: {} not looked at", method.replace('_', " ")),
        (Some(age), "freshness") => {
            format!("the newest row is {} old, {} allowed", duration(age), duration(check.threshold))
        }
        (Some(share), "duplicate_keys") => {
            format!("{} of the rows repeat {column}, {} allowed", percent(share), percent(check.threshold))
        }
        (Some(number), "vanished_segments") => {
            let names: Vec<&str> =
                check.details["segments"].as_array().into_iter().flatten().filter_map(|s| s["name"].as_str()).collect();
            format!("{number} segments of the reference have no row now: {}", names.join(", "))
        }
        (Some(share), "new_values") => {
            format!(
                "{} of {column} are values that the reference does not have, {} allowed",
                percent(share),
                percent(check.threshold)
            )
        }
        (Some(share), "range") => {
            format!("{} of {column} are out of range, {} allowed", percent(share), percent(check.threshold))
        }
        (Some(share), _) => {
            format!("{} of {column} are not allowed values, {} allowed", percent(share), percent(check.threshold))
        }
    };
    let mut evidence = serde_json::Map::new();
    evidence.insert("method".to_owned(), json!(check.method));
    evidence.insert("rows".to_owned(), json!(check.n_current));
    for (label, value) in check.details.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        evidence.insert(label.replace('_', " "), shown(value));
    }
    if let Some(reason) = &check.reason {
        evidence.insert("reason".to_owned(), json!(reason));
    }
    Finding {
        kind: "quality",
        subject: subject(check),
        status: match check.status {
            Status::Drifted => FindingStatus::Breach,
            Status::Ok | Status::Warning => FindingStatus::Clear,
            _ => FindingStatus::Unknown,
        },
        severity: Severity::Warning,
        title,
        score: check.score,
        threshold: Some(check.threshold),
        evidence: Value::Object(evidence),
    }
}

/// A list of values with their rows as one line: `x (12), y (3)`.
fn shown(value: &Value) -> Value {
    let Some(items) = value.as_array() else { return value.clone() };
    let item = |item: &Value| match (item["name"].as_str(), item["rows"].as_u64()) {
        (Some(name), Some(rows)) => format!("{name} ({rows})"),
        _ => item.as_str().map_or_else(|| item.to_string(), str::to_owned),
    };
    json!(items.iter().map(item).collect::<Vec<_>>().join(", "))
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s >= 172_800.0 => format!("{:.1} days", s / 86_400.0),
        s if s >= 7_200.0 => format!("{:.1} hours", s / 3_600.0),
        s if s >= 120.0 => format!("{:.1} minutes", s / 60.0),
        s => format!("{s:.0} seconds"),
    }
}

/// The columns that drifted, and those that did not.
pub(super) fn drift_findings(spec: &DriftSpec, report: &Report) -> Vec<Finding> {
    let mut findings = Vec::with_capacity(report.columns.len());
    for check in &report.columns {
        if spec.min_drifted_share.is_none() {
            findings.push(drift_finding(check));
        }
    }
    if let Some(share) = spec.min_drifted_share {
        findings.push(Finding {
            kind: "drift",
            subject: "share of drifted columns".to_owned(),
            status: if report.drifted { FindingStatus::Breach } else { FindingStatus::Clear },
            severity: Severity::Warning,
            title: format!(
                "{} of {} columns drifted ({})",
                report.drifted_columns.len(),
                report.columns.len(),
                report.drifted_columns.join(", ")
            ),
            score: Some(report.drifted_share),
            threshold: Some(share),
            evidence: json!({ "drifted_columns": report.drifted_columns, "drifted_share": report.drifted_share, "needed": share }),
        });
    }
    findings
}

fn drift_finding(check: &Check) -> Finding {
    let title = drift::method(&check.method).map_or_else(|| check.method.clone(), |m| m.title().to_owned());
    let name = check.subject();
    let status = match check.status {
        Status::Drifted => FindingStatus::Breach,
        Status::Ok | Status::Warning => FindingStatus::Clear,
        Status::NotApplicable | Status::InsufficientData | Status::SchemaError | Status::NoData => {
            FindingStatus::Unknown
        }
    };
    Finding {
        kind: "drift",
        subject: subject(check),
        status,
        severity: Severity::Warning,
        title: match (check.score, status) {
            (Some(score), FindingStatus::Breach) if check.alpha.is_some() => {
                let level = check.alpha.unwrap_or_default();
                format!("{name} drifted: {title} {score:.3}, p-value {} (alpha {level})", p_value(check))
            }
            (Some(score), FindingStatus::Breach) if check.reason.as_deref() != Some("missing") => {
                format!("{name} drifted: {title} {score:.3} > {}", check.threshold)
            }
            (_, FindingStatus::Breach) => format!(
                "{name} drifted: {:.0} % missing, {:.0} % in the reference",
                100.0 * check.missing_current,
                100.0 * check.missing_reference
            ),
            (Some(score), _) => format!("{name}: {title} {score:.3}, threshold {}", check.threshold),
            (None, _) => format!("{name}: {}", check.status.as_str()),
        },
        score: check.score,
        threshold: Some(check.threshold),
        evidence: evidence(check),
    }
}

/// The p-value for people; never 0.
fn p_value(check: &Check) -> String {
    match (check.p_value, check.log10_p_value) {
        (_, Some(log10)) if log10 < -300.0 => "< 1e-300".to_owned(),
        (Some(p), _) => format!("{p:.1e}"),
        (None, _) => "none".to_owned(),
    }
}

/// What a person is shown: the numbers of the verdict, not the method's inner workings.
fn evidence(check: &Check) -> Value {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut evidence = serde_json::Map::new();
    let mut show = |label: &str, value: Value| drop(evidence.insert(label.to_owned(), value));
    show("method", json!(check.method));
    show("rows", json!(format!("{} now, {} in the reference", check.n_current, check.n_reference)));
    show(
        "missing",
        json!(format!("{} now, {} in the reference", percent(check.missing_current), percent(check.missing_reference))),
    );
    if let Some(at) = check.details["at"].as_f64() {
        let direction = match check.details["direction"].as_str() {
            Some("current_higher") => "values are higher now",
            Some("current_lower") => "values are lower now",
            _ => "the distributions differ",
        };
        show("largest gap", json!(format!("at {at}: {direction}")));
    }
    if check.p_value.is_some() {
        show("p-value", json!(p_value(check)));
    }
    if check.reliability == Some(Reliability::Low) {
        show("reliability", json!("low: there are too few rows for this threshold"));
    }
    if let Some(reason) = &check.reason {
        show("reason", json!(reason));
    }
    Value::Object(evidence)
}
