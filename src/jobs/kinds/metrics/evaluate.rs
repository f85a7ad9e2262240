//! Evaluating a metrics run: labels against predictions, bounds, findings.

use serde_json::json;

use crate::db::results::MetricRow;
use crate::jobs::document::{Bounds, JobDocument, MetricsSpec, Task};
use crate::jobs::evaluation::{Context, Evaluated, Rows};
use crate::jobs::inputs::{self, Problem};
use crate::jobs::judging::metrics::{Error, Judged, Plan, judge};
use crate::metrics::{self, Value};
use crate::notify::{Finding, FindingStatus, Severity};
use crate::queue::JobError;

/// Computes the metrics that the document asks for.
pub(super) async fn evaluate(document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
    let (Some(spec), Some(current)) = (&document.metrics, &document.data.current) else {
        return Err(JobError::permanent("invalid_document", "a metrics job needs [metrics] and data.current"));
    };
    let data = match inputs::open(context, "current", current).await {
        Ok(dataset) => dataset,
        Err(problem) => return problem.into_evaluated(),
    };
    match judge(&data, &plan(spec)).await {
        Ok(judged) if judged.labelled == 0 => Problem::NoData(format!(
            "no row has both a label (`{}`) and a prediction: {} rows wait for their label",
            spec.label, judged.pending
        ))
        .into_evaluated(),
        Ok(judged) => Ok(evaluated(spec, &judged, data.bytes_read())),
        Err(Error::Data(error)) => inputs::problem("current", error).into_evaluated(),
        Err(error) => Problem::Corrupt(error.to_string()).into_evaluated(),
    }
}

fn plan(spec: &MetricsSpec) -> Plan {
    // A metric with a bound is computed whether it was listed or not.
    let mut names = spec.metrics.clone();
    if names.is_empty() {
        let task = task(spec.task);
        names = metrics::default_names(task, spec.score.is_some()).iter().map(|m| (*m).to_owned()).collect();
    }
    names.extend(spec.bounds.keys().filter(|name| !spec.metrics.contains(name)).cloned());
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Plan {
        task: task(spec.task),
        label: spec.label.clone(),
        prediction: spec.prediction.clone(),
        score: spec.score.clone(),
        positive: spec.positive.clone(),
        decision_threshold: spec.decision_threshold,
        metrics: names,
    }
}

fn task(task: Task) -> metrics::Task {
    match task {
        Task::Classification => metrics::Task::Classification,
        Task::Regression => metrics::Task::Regression,
    }
}

fn evaluated(spec: &MetricsSpec, judged: &Judged, bytes_read: u64) -> Evaluated {
    let findings: Vec<Finding> = judged
        .values
        .iter()
        .filter_map(|value| spec.bounds.get(&value.name).map(|bounds| finding(value, *bounds, judged)))
        .collect();
    let of_kind =
        |kind| findings.iter().filter(move |f: &&Finding| f.kind == kind && f.status == FindingStatus::Breach);
    let breached: Vec<&str> = of_kind("metric").map(|f| f.subject.as_str()).collect();
    let undefined: Vec<&str> = of_kind("insufficient_data").map(|f| f.subject.as_str()).collect();
    Evaluated {
        outcome: match (breached.is_empty(), undefined.is_empty()) {
            (false, _) => "breached",
            (true, false) => "insufficient_data",
            (true, true) => "ok",
        }
        .to_owned(),
        summary: json!({
            "breached": breached,
            "undefined": undefined,
            "labelled": judged.labelled,
            "pending": judged.pending,
            "unpredicted": judged.unpredicted,
            "metrics": judged.values.iter().map(|v| (v.name.clone(), json!(v.value))).collect::<serde_json::Map<_, _>>(),
        }),
        rows: Rows::Metrics(judged.values.iter().map(|value| row(spec, value, judged)).collect()),
        findings,
        complete_kinds: vec!["metric", "insufficient_data"],
        bytes_read,
    }
}

fn finding(value: &Value, bounds: Bounds, judged: &Judged) -> Finding {
    let name = &value.name;
    let (status, threshold, title) = match value.value {
        None => {
            // A bound that cannot be checked is not a bound that holds.
            let reason = value.reason.clone().unwrap_or_default();
            (
                FindingStatus::Breach,
                None,
                format!("{name} cannot be computed, so its bounds were not checked: {reason}"),
            )
        }
        Some(v) => match (bounds.min, bounds.max) {
            (Some(min), _) if v < min => (FindingStatus::Breach, Some(min), format!("{name} is {v:.4}, below {min}")),
            (_, Some(max)) if v > max => (FindingStatus::Breach, Some(max), format!("{name} is {v:.4}, above {max}")),
            (min, max) => (FindingStatus::Clear, min.or(max), format!("{name} is {v:.4}, within its bounds")),
        },
    };
    Finding {
        kind: if value.value.is_some() { "metric" } else { "insufficient_data" },
        subject: name.clone(),
        status,
        severity: Severity::Warning,
        title,
        score: value.value,
        threshold,
        evidence: evidence(value, bounds, judged),
    }
}

/// What a person is shown; what does not exist is left out.
fn evidence(value: &Value, bounds: Bounds, judged: &Judged) -> serde_json::Value {
    let interval = value.ci_low.zip(value.ci_high).map(|(low, high)| format!("{low:.4} to {high:.4}"));
    let shown = [
        ("95 % interval", json!(interval)),
        ("minimum", json!(bounds.min)),
        ("maximum", json!(bounds.max)),
        ("labelled rows", json!(judged.labelled)),
        ("rows without a label yet", json!(judged.pending)),
        ("reason", json!(value.reason)),
    ];
    shown
        .into_iter()
        .filter(|(_, v)| !v.is_null())
        .map(|(label, v)| (label.to_owned(), v))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn row(spec: &MetricsSpec, value: &Value, judged: &Judged) -> MetricRow {
    MetricRow {
        metric_name: value.name.clone(),
        metric_value: value.value,
        metric_type: match spec.task {
            Task::Classification => "classification",
            Task::Regression => "regression",
        },
        dataset_split: spec.split.clone(),
        sample_count: i64::try_from(value.n).unwrap_or(i64::MAX),
        ci_low: value.ci_low,
        ci_high: value.ci_high,
        metadata: json!({ "reason": value.reason, "pending": judged.pending, "unpredicted": judged.unpredicted }),
    }
}
