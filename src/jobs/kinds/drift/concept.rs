//! `target = "concept"`: a model's errors against the reference, and what people are told about them.

use serde_json::{Value, json};

use super::findings::subject;
use crate::dataset;
use crate::drift::concept::{self as methods, Measure, Options};
use crate::drift::{Check, Reliability, Report, Status};
use crate::jobs::document::{ConceptSpec, DataSpec, DriftSpec, Task};
use crate::jobs::judging::concept::{Plan, judge};
use crate::jobs::judging::drift::Judged;
use crate::jobs::judging::side::Side;
use crate::notify::{Finding, FindingStatus, Severity};

/// Judges errors as the document says.
pub(super) async fn judged(
    concept: &ConceptSpec,
    spec: &DriftSpec,
    data: &DataSpec,
    reference: &Side,
    current: &Side,
) -> Result<Judged, dataset::Error> {
    let report = judge(reference, current, &plan(concept, spec, data)).await?;
    Ok(Judged { report, segments_left_out: 0 })
}

fn plan(concept: &ConceptSpec, spec: &DriftSpec, data: &DataSpec) -> Plan {
    let methods = if concept.methods.is_empty() {
        methods::ALL.iter().take(1).map(|method| method.name().to_owned()).collect()
    } else {
        concept.methods.clone()
    };
    let current_time = data.current.as_ref().and_then(|source| source.time_column.clone());
    // Earlier windows are rows of the same source; a dataset of its own may have no times, and is in order then.
    let reference_time = match spec.reference_policy().is_sliding() {
        true => current_time.clone(),
        false => data.reference.as_ref().and_then(|source| source.time_column.clone()),
    };
    Plan {
        task: match concept.task {
            Task::Classification => methods::Task::Classification,
            Task::Regression => methods::Task::Regression,
        },
        label: concept.label.clone(),
        prediction: concept.prediction.clone(),
        score: concept.score.clone(),
        decision_threshold: concept.decision_threshold,
        positive: concept.positive.clone(),
        methods,
        features: concept.features.clone(),
        options: Options { threshold: spec.threshold, min_samples: spec.min_samples },
        reference_time,
        current_time,
    }
}

/// What each method found about each measure.
pub(super) fn findings(report: &Report) -> Vec<Finding> {
    report.columns.iter().map(finding).collect()
}

fn finding(check: &Check) -> Finding {
    Finding {
        kind: "drift",
        subject: subject(check),
        status: match check.status {
            Status::Drifted => FindingStatus::Breach,
            Status::Ok | Status::Warning => FindingStatus::Clear,
            _ => FindingStatus::Unknown,
        },
        severity: Severity::Warning,
        title: title(check),
        score: check.score,
        threshold: Some(check.threshold),
        evidence: evidence(check),
    }
}

/// The sentence that people read first.
fn title(check: &Check) -> String {
    let Some(measure) = Measure::named(&check.column).filter(|_| check.score.is_some()) else {
        return format!("{} by {}: {}", check.column.replace('_', " "), check.method, check.status.as_str());
    };
    let name = measure.title();
    let method = methods::method(&check.method).map_or(check.method.as_str(), |method| method.title());
    if let Some(change) = worst_change(check) {
        let (before, after) = (&change["before"], &change["after"]);
        let time = change["since_time"].as_str().map_or_else(String::new, |time| format!(", {time}"));
        return format!(
            "the {name} {}; {method} places the change at row {} of {}{time}",
            moved(measure, before, after, ""),
            grouped(change["since_row"].as_u64().unwrap_or(0)),
            grouped(check.n_current),
        );
    }
    let (before, now) = (&check.details["reference"], &check.details["current"]);
    let is_estimate = check.details["estimated"] == true;
    if check.status == Status::Drifted {
        let estimated = if is_estimate { " by estimate" } else { "" };
        let interval = interval(measure, check).map_or_else(String::new, |text| format!(" ({text})"));
        return format!("the {name} {}{interval}", moved(measure, before, now, estimated));
    }
    let is = if is_estimate { "is estimated at" } else { "is" };
    format!("the {name} {is} {}, {} in the reference", shown(measure, now), shown(measure, before))
}

/// The detected change with the largest rise of the error.
fn worst_change(check: &Check) -> Option<&Value> {
    let rise = |change: &Value| Some(change["after"].as_f64()? - change["before"].as_f64()?);
    let changes = check.details["changes"].as_array()?;
    changes.iter().max_by(|a, b| rise(a).unwrap_or(f64::MIN).total_cmp(&rise(b).unwrap_or(f64::MIN)))
}

/// `rose from 18.2 % to 24.9 %`.
fn moved(measure: Measure, before: &Value, after: &Value, how: &str) -> String {
    let (a, b) = (before.as_f64().unwrap_or(0.0), after.as_f64().unwrap_or(0.0));
    let verb = if b >= a { "rose" } else { "fell" };
    let text = format!("{verb}{how} from {} to {}", shown(measure, before), shown(measure, after));
    if measure.is_relative() && a > 0.0 { format!("{text}, by {:.0} %", 100.0 * (b / a - 1.0).abs()) } else { text }
}

/// `95 % interval of the change 3.1 to 10.3 points`.
fn interval(measure: Measure, check: &Check) -> Option<String> {
    let ends = check.details["interval"].as_array()?;
    let (low, high) = (ends.first()?.as_f64()?, ends.get(1)?.as_f64()?);
    let ends = if is_percentage(measure) {
        format!("{:.1} to {:.1} points", 100.0 * low, 100.0 * high)
    } else {
        format!("{} to {}", rounded(low), rounded(high))
    };
    Some(format!("95 % interval of the change {ends}"))
}

fn is_percentage(measure: Measure) -> bool {
    !measure.is_relative() && !matches!(measure, Measure::F1 | Measure::RocAuc)
}

fn shown(measure: Measure, value: &Value) -> String {
    match value.as_f64() {
        Some(value) if is_percentage(measure) => format!("{:.1} %", 100.0 * value),
        Some(value) => rounded(value),
        None => "unknown".to_owned(),
    }
}

/// Four digits, whatever the unit.
fn rounded(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { value.abs().log10().floor().clamp(-9.0, 3.0) as i32 };
    format!("{value:.*}", usize::try_from(3 - digits).unwrap_or(0))
}

/// `4,211`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a person is shown: the numbers of the verdict, not the method's inner workings.
fn evidence(check: &Check) -> Value {
    let mut evidence = serde_json::Map::new();
    let mut show = |label: &str, value: Value| drop(evidence.insert(label.to_owned(), value));
    let details = &check.details;
    let count = |key: &str| details[key].as_u64().filter(|count| *count > 0);
    show("method", json!(check.method));
    show("rows", json!(format!("{} now, {} in the reference", grouped(check.n_current), grouped(check.n_reference))));
    if let Some(pending) = count("pending") {
        show("rows without a label yet", json!(pending));
    }
    if let Some(measure) = Measure::named(&check.column).filter(|_| check.score.is_some()) {
        show("reference", json!(shown(measure, &details["reference"])));
        show("now", json!(shown(measure, &details["current"])));
        if let Some(text) = interval(measure, check) {
            show("interval", json!(text));
        }
        if let Some(error) = details["sampling_error"].as_f64() {
            show("sampling error", json!(rounded(error)));
        }
        for (place, change) in details["changes"].as_array().into_iter().flatten().enumerate().take(3) {
            let time = change["time"].as_str().map_or_else(String::new, |time| format!(", {time}"));
            let row = grouped(change["row"].as_u64().unwrap_or(0));
            let levels = format!("{} to {}", shown(measure, &change["before"]), shown(measure, &change["after"]));
            show(&format!("detection {}", place + 1), json!(format!("row {row}{time}: {levels}")));
        }
    }
    if let Some(row) = count("warns_since_row") {
        show("warns since", details.get("warns_since_time").cloned().unwrap_or_else(|| json!(format!("row {row}"))));
    }
    match (check.p_value, check.log10_p_value) {
        (Some(_), Some(log10)) if log10 < -300.0 => show("p-value", json!("< 1e-300")),
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
