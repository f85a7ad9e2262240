//! Evaluating a drift run: datasets in, checks and findings out.

use serde_json::{Value, json};

use crate::drift::{self, Check, Options, Reliability, Report, Status};
use crate::jobs::document::{ColumnType, DataSpec, DriftSpec, DriftTarget, JobDocument};
use crate::jobs::evaluation::{Context, Evaluated, Rows};
use crate::jobs::inputs;
use crate::jobs::judging::drift::{ColumnPlan, Plan, Reading, judge};
use crate::notify::{Finding, FindingStatus, Severity};
use crate::queue::JobError;

/// Columns that a summary names at most; the rows have them all.
const SUMMARY_COLUMNS: usize = 10;

/// Judges drift as the document says.
pub(super) async fn evaluate(document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
    let Some(spec) = &document.drift else {
        return Err(JobError::permanent("invalid_document", "the document has no [drift] section".to_owned()));
    };
    if !context.settings.enable_drift_detection {
        return Ok(switched_off());
    }
    let (Some(reference), Some(current)) = (&document.data.reference, &document.data.current) else {
        return Err(JobError::permanent(
            "invalid_document",
            "a drift job needs data.reference and data.current".to_owned(),
        ));
    };
    let reference = match inputs::open(context, "reference", reference).await {
        Ok(dataset) => dataset,
        Err(problem) => return problem.into_evaluated(),
    };
    let current = match inputs::open(context, "current", current).await {
        Ok(dataset) => dataset,
        Err(problem) => return problem.into_evaluated(),
    };
    let report = match judge(&reference, &current, &plan(spec, &document.data, context)).await {
        Ok(report) => report,
        Err(error) => return inputs::problem("data", error).into_evaluated(),
    };
    Ok(evaluated(spec, &report, reference.bytes_read() + current.bytes_read()))
}

fn plan(spec: &DriftSpec, data: &DataSpec, context: &Context) -> Plan {
    let mut options = Options { min_samples: spec.min_samples, ..Options::default() };
    if let Some(bins) = spec.bins {
        options.bins = bins as usize;
    }
    if let Some(share) = spec.missing_threshold {
        options.missing_threshold = share;
    }
    let select = match (&spec.target, &spec.prediction) {
        (DriftTarget::Prediction, Some(column)) => vec![column.clone()],
        _ => spec.select.clone(),
    };
    // The time by which rows are chosen moves by nature.
    let times = [&data.reference, &data.current].into_iter().flatten().filter_map(|s| s.time_column.clone());
    Plan {
        select,
        exclude: spec.exclude.iter().cloned().chain(times).collect(),
        method: spec.method.clone().unwrap_or_else(|| context.settings.drift_detection_method.clone()),
        method_is_explicit: spec.method.is_some(),
        threshold: spec.threshold.or(Some(context.settings.drift_threshold)),
        options,
        min_drifted_share: spec.min_drifted_share,
        columns: spec
            .columns
            .iter()
            .map(|(name, c)| {
                let reading = c.column_type.map(|kind| match kind {
                    ColumnType::Categorical => Reading::Categorical,
                    ColumnType::Numeric => Reading::Numeric,
                });
                let plan = ColumnPlan {
                    method: c.method.clone(),
                    threshold: c.threshold,
                    bins: c.bins.map(|n| n as usize),
                    edges: c.edges.clone(),
                    reading,
                };
                (name.clone(), plan)
            })
            .collect(),
        parallel: context.settings.worker.judge_parallel.max(1),
    }
}

fn evaluated(spec: &DriftSpec, report: &Report, bytes_read: u64) -> Evaluated {
    let drift_type = spec.target.as_str();
    let judged =
        report.columns.iter().filter(|c| matches!(c.status, Status::Ok | Status::Warning | Status::Drifted)).count();
    let outcome = if report.drifted {
        "drifted"
    } else if report.columns.iter().any(|c| c.status == Status::SchemaError) {
        "schema_error"
    } else if judged == 0 {
        "insufficient_data"
    } else {
        "ok"
    };
    Evaluated {
        outcome: outcome.to_owned(),
        summary: json!({
            "drift_score": report.drift_score,
            "drifted_share": report.drifted_share,
            "drifted_columns": report.drifted_columns,
            "columns_judged": judged,
            "columns": report.columns.iter().take(SUMMARY_COLUMNS).map(|c| json!({
                "column": c.column, "method": c.method, "score": c.score, "threshold": c.threshold, "status": c.status.as_str(),
            })).collect::<Vec<_>>(),
        }),
        findings: findings(spec, report),
        complete_kinds: vec!["drift", "schema_error"],
        rows: Rows::Drift(report.columns.iter().map(|c| row(drift_type, c)).collect()),
        bytes_read,
    }
}

fn findings(spec: &DriftSpec, report: &Report) -> Vec<Finding> {
    let mut findings = Vec::with_capacity(report.columns.len() * 2);
    for check in &report.columns {
        if check.status == Status::SchemaError {
            findings.push(Finding {
                kind: "schema_error",
                subject: check.column.clone(),
                status: FindingStatus::Breach,
                severity: Severity::Critical,
                title: format!(
                    "{} cannot be judged: {}",
                    check.column,
                    check.reason.as_deref().unwrap_or("schema error")
                ),
                score: None,
                threshold: None,
                evidence: json!({ "column": check.column, "problem": check.reason }),
            });
        }
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
    let status = match check.status {
        Status::Drifted => FindingStatus::Breach,
        Status::Ok | Status::Warning => FindingStatus::Clear,
        Status::NotApplicable | Status::InsufficientData | Status::SchemaError | Status::NoData => {
            FindingStatus::Unknown
        }
    };
    Finding {
        kind: "drift",
        subject: check.column.clone(),
        status,
        severity: Severity::Warning,
        title: match (check.score, status) {
            (Some(score), FindingStatus::Breach) if check.reason.as_deref() != Some("missing") => {
                format!("{} drifted: {title} {score:.3} > {}", check.column, check.threshold)
            }
            (_, FindingStatus::Breach) => format!(
                "{} drifted: {:.0} % missing, {:.0} % in the reference",
                check.column,
                100.0 * check.missing_current,
                100.0 * check.missing_reference
            ),
            (Some(score), _) => format!("{}: {title} {score:.3}, threshold {}", check.column, check.threshold),
            (None, _) => format!("{}: {}", check.column, check.status.as_str()),
        },
        score: check.score,
        threshold: Some(check.threshold),
        evidence: evidence(check),
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
    match (check.p_value, check.log10_p_value) {
        (_, Some(log10)) if log10 < -300.0 => show("p-value", json!("< 1e-300")),
        (Some(p), _) => show("p-value", json!(format!("{p:.1e}"))),
        _ => {}
    }
    if check.reliability == Some(Reliability::Low) {
        show("reliability", json!("low: there are too few rows for this threshold"));
    }
    if let Some(reason) = &check.reason {
        show("reason", json!(reason));
    }
    Value::Object(evidence)
}

fn row(drift_type: &'static str, check: &Check) -> crate::db::results::DriftRow {
    let mut details = check.details.clone();
    if let Value::Object(map) = &mut details {
        map.insert("missing_reference".into(), json!(check.missing_reference));
        map.insert("missing_current".into(), json!(check.missing_current));
        map.insert("log10_p_value".into(), json!(check.log10_p_value));
        map.insert("q_value".into(), json!(check.q_value));
    }
    crate::db::results::DriftRow {
        drift_type,
        feature_name: check.column.clone(),
        method: check.method.clone(),
        drift_score: check.score,
        threshold: check.threshold,
        p_value: check.p_value,
        is_alert: check.drifted,
        status: check.status.as_str(),
        reliability: check.reliability.map(|r| r.as_str()),
        n_reference: i64::try_from(check.n_reference).unwrap_or(i64::MAX),
        n_current: i64::try_from(check.n_current).unwrap_or(i64::MAX),
        reason: check.reason.clone(),
        details,
    }
}

fn switched_off() -> Evaluated {
    Evaluated {
        outcome: "skipped".to_owned(),
        summary: json!({ "reason": "drift detection is switched off (enable_drift_detection = false)" }),
        rows: Rows::None,
        findings: Vec::new(),
        complete_kinds: Vec::new(),
        bytes_read: 0,
    }
}
