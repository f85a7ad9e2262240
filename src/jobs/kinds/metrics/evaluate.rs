//! Evaluating a metrics run: labels against predictions, bounds, findings.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::baseline;
use super::check::CLASS_METRICS;
use super::findings::{Found, findings};
use crate::dataset::Dataset;
use crate::db::results::MetricRow;
use crate::jobs::document::{JobDocument, MetricsSpec, Task, ZeroDivision};
use crate::jobs::evaluation::{Context, Evaluated, Rows};
use crate::jobs::inputs::{self, Problem};
use crate::jobs::judging::metrics::{Error, Judgement, Plan, judge};
use crate::metrics::{self, Settings, Value};
use crate::notify::FindingStatus;
use crate::queue::JobError;

/// Computes the metrics that the document asks for.
pub(super) async fn evaluate(document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
    match judged(document, context).await {
        Ok(evaluated) => Ok(evaluated),
        Err(problem) => problem.into_evaluated(),
    }
}

async fn judged(document: &JobDocument, context: &Context) -> Result<Evaluated, Problem> {
    let (Some(spec), Some(current)) = (&document.metrics, &document.data.current) else {
        let error = JobError::permanent("invalid_document", "a metrics job needs [metrics] and data.current");
        return Err(Problem::Job(error));
    };
    let data = inputs::open(context, "current", current).await?;
    let labels = match &document.data.labels {
        Some(source) => Some(inputs::open(context, "labels", source).await?),
        None => None,
    };
    let plan = plan(spec, document);
    let judged =
        judge(std::slice::from_ref(&data), labels.as_ref(), &plan).await.map_err(|error| problem("current", error))?;
    if judged.whole.labelled == 0 && spec.min_coverage.is_none() && spec.min_samples.is_none() {
        return Err(Problem::NoData(format!(
            "no row has both a label (`{}`) and a prediction: {} rows wait for their label",
            spec.label, judged.whole.pending
        )));
    }
    let baseline = baseline::of(spec, document, &plan, labels.as_ref(), context).await?;
    let read = data.bytes_read() + labels.as_ref().map_or(0, Dataset::bytes_read);
    let found = Found { spec, judged: &judged, baseline: baseline.as_ref() };
    Ok(evaluated(&found, read + baseline.as_ref().map_or(0, |baseline| baseline.bytes_read)))
}

/// An error of judging as what becomes of the run.
pub(super) fn problem(role: &str, error: Error) -> Problem {
    match error {
        Error::Data(error) => inputs::problem(role, error),
        error => Problem::Corrupt(format!("{role}: {error}")),
    }
}

fn plan(spec: &MetricsSpec, document: &JobDocument) -> Plan {
    // A metric with a bound is computed whether it was listed or not.
    let mut names = spec.metrics.clone();
    if names.is_empty() {
        let usual = if spec.score.is_none() && spec.class_scores.len() > 2 {
            metrics::default_names_of_class_scores()
        } else {
            metrics::default_names(task(spec.task), spec.score.is_some() || !spec.class_scores.is_empty())
        };
        names = usual.iter().map(|m| (*m).to_owned()).collect();
    }
    names.extend(spec.bounds.keys().cloned());
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    let mut by_class: Vec<String> = Vec::new();
    if spec.per_class == Some(true) {
        let asked = CLASS_METRICS.iter().filter(|name| names.iter().any(|given| given == *name));
        by_class.extend(["precision", "recall", "f1"].iter().chain(asked).map(|name| (*name).to_owned()));
    }
    by_class.extend(spec.bounds.iter().filter(|(_, bounds)| !bounds.classes.is_empty()).map(|(name, _)| name.clone()));
    let mut seen = BTreeSet::new();
    by_class.retain(|name| seen.insert(name.clone()));
    let usual = Settings::default();
    let time = |source: &Option<crate::jobs::document::SourceSpec>| source.as_ref().and_then(|s| s.time_column.clone());
    Plan {
        prediction: spec.prediction.clone(),
        score: spec.score.clone(),
        class_scores: spec.class_scores.iter().map(|(class, column)| (class.clone(), column.clone())).collect(),
        weight: spec.weight.clone(),
        group_by: spec.group_by.clone(),
        positive: spec.positive.clone(),
        classes: spec.classes.clone(),
        settings: Settings {
            decision_threshold: spec.decision_threshold,
            zero_division: match spec.zero_division {
                Some(ZeroDivision::Undefined) => metrics::ZeroDivision::Undefined,
                Some(ZeroDivision::Zero) | None => metrics::ZeroDivision::Zero,
            },
            quantile: spec.quantile.unwrap_or(usual.quantile),
            top_k: spec.top_k.map_or(usual.top_k, |k| k as usize),
            calibration_bins: spec.calibration_bins.map_or(usual.calibration_bins, |bins| bins as usize),
        },
        metrics: names,
        by_class,
        id: spec.id.clone(),
        predicted_at: time(&document.data.current),
        labelled_at: time(&document.data.labels),
        ..Plan::new(task(spec.task), spec.label.clone())
    }
}

fn task(task: Task) -> metrics::Task {
    match task {
        Task::Classification => metrics::Task::Classification,
        Task::Regression => metrics::Task::Regression,
    }
}

fn evaluated(found: &Found<'_>, bytes_read: u64) -> Evaluated {
    let (spec, judged) = (found.spec, found.judged);
    let findings = findings(found);
    let of_kind = |kind| findings.iter().filter(move |f| f.kind == kind && f.status == FindingStatus::Breach);
    let breached: Vec<&str> = of_kind("metric").map(|f| f.subject.as_str()).collect();
    let undefined: Vec<&str> = of_kind("insufficient_data").map(|f| f.subject.as_str()).collect();
    let whole = &judged.whole;
    let mut summary = json!({
        "breached": breached,
        "undefined": undefined,
        "labelled": whole.labelled,
        "pending": whole.pending,
        "unpredicted": whole.unpredicted,
        "metrics": whole.values.iter().filter(|v| v.class.is_none()).map(|v| (v.name.clone(), json!(v.value))).collect::<Map<_, _>>(),
    });
    let more = [
        ("coverage", (whole.pending > 0 || judged.join.is_some()).then(|| json!(whole.coverage()))),
        ("unweighted", (whole.unweighted > 0).then(|| json!(whole.unweighted))),
        ("labels", judged.join.as_ref().map(|join| json!(join))),
        ("compared_with", found.baseline.map(|baseline| baseline.description.clone()).filter(|d| !d.is_null())),
        ("not_compared", found.baseline.and_then(|baseline| baseline.lacking.clone()).map(|reason| json!(reason))),
        ("segments", (!judged.segments.is_empty()).then(|| json!(judged.segments.len()))),
        ("segments_left_out", (judged.segments_left_out > 0).then(|| json!(judged.segments_left_out))),
    ];
    if let Json::Object(map) = &mut summary {
        map.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    }
    let mut rows: Vec<MetricRow> = rows(spec, None, whole, found);
    for (segment, of) in &judged.segments {
        rows.extend(self::rows(spec, Some(segment), of, found));
    }
    Evaluated {
        outcome: match (breached.is_empty(), undefined.is_empty()) {
            (false, _) => "breached",
            (true, false) => "insufficient_data",
            (true, true) => "ok",
        }
        .to_owned(),
        summary,
        rows: Rows::Metrics(rows),
        findings,
        complete_kinds: vec!["metric", "insufficient_data"],
        bytes_read,
    }
}

fn rows(spec: &MetricsSpec, segment: Option<&str>, of: &Judgement, found: &Found<'_>) -> Vec<MetricRow> {
    of.values.iter().map(|value| row(spec, segment, value, of, found)).collect()
}

fn row(spec: &MetricsSpec, segment: Option<&str>, value: &Value, of: &Judgement, found: &Found<'_>) -> MetricRow {
    let mut metadata = json!({ "reason": value.reason, "pending": of.pending, "unpredicted": of.unpredicted });
    let change = found.change(segment, value);
    let more = [
        ("class", value.class.as_ref().map(|class| json!(class))),
        ("positive_class", of.positive.as_ref().filter(|_| value.class.is_none()).map(|class| json!(class))),
        ("coverage", (of.pending > 0).then(|| json!(of.coverage()))),
        ("unweighted", (of.unweighted > 0).then(|| json!(of.unweighted))),
        ("weight", spec.weight.as_ref().map(|column| json!(column))),
        ("quantile", spec.quantile.filter(|_| value.name == "pinball").map(|quantile| json!(quantile))),
        ("top_k", spec.top_k.filter(|_| value.name == "top_k_accuracy").map(|k| json!(k))),
        (
            "change",
            change.map(|of| {
                json!({
                    "from": of.baseline.value,
                    "difference": of.change.difference,
                    "ci_low": of.change.interval.map(|interval| interval.low),
                    "ci_high": of.change.interval.map(|interval| interval.high),
                })
            }),
        ),
    ];
    if let Json::Object(map) = &mut metadata {
        map.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    }
    MetricRow {
        metric_name: value.name.clone(),
        metric_value: value.value,
        metric_type: match spec.task {
            Task::Classification => "classification",
            Task::Regression => "regression",
        },
        dataset_split: spec.split.clone(),
        segment: place(segment, value.class.as_deref()),
        sample_count: i64::try_from(value.n).unwrap_or(i64::MAX),
        ci_low: value.ci_low,
        ci_high: value.ci_high,
        metadata,
    }
}

/// Segment and class as one text: `region = EU, class: late`; none for all rows.
pub(super) fn place(segment: Option<&str>, class: Option<&str>) -> Option<String> {
    match (segment, class) {
        (None, None) => None,
        (Some(segment), None) => Some(segment.to_owned()),
        (None, Some(class)) => Some(format!("class: {class}")),
        (Some(segment), Some(class)) => Some(format!("{segment}, class: {class}")),
    }
}
