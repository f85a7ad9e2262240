//! Evaluating a drift run: datasets in, checks and findings out.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::concept;
use super::findings::{drift_findings, quality_findings, schema_findings, subject};
use super::reference::{self, Reference};
use crate::db::results::DriftRow;
use crate::drift::quality as drift_quality;
use crate::drift::{Check, DecideOn, Options, Status};
use crate::jobs::document::{self, ColumnType, DataSpec, DriftSpec, DriftTarget, JobDocument, SchemaOf};
use crate::jobs::evaluation::{Context, Evaluated, Rows};
use crate::jobs::inputs::{self, Problem};
use crate::jobs::judging::drift::{ColumnPlan, Judged, Plan, Reading, judge};
use crate::jobs::judging::profile;
use crate::jobs::judging::quality::{self, Allowed, Wanted};
use crate::jobs::judging::side::Side;
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
    match judged(spec, document, context, None).await {
        Ok(evaluated) => Ok(evaluated),
        Err(problem) => problem.into_evaluated(),
    }
}

/// Judges a run whose fixed reference, if it has one, may have been opened before.
pub(super) async fn judged(
    spec: &DriftSpec,
    document: &JobDocument,
    context: &Context,
    kept: Option<&Arc<Side>>,
) -> Result<Evaluated, Problem> {
    let Some(source) = &document.data.current else {
        let error = JobError::permanent("invalid_document", "a drift job needs data.current".to_owned());
        return Err(Problem::Job(error));
    };
    let reference = reference::open(spec, document, context, kept).await?;
    let current: Side = inputs::open(context, "current", source).await?.into();
    let plan = plan(spec, &document.data, context);
    let mut found = Found { description: Value::Null, ..Found::default() };
    let data = |error| inputs::problem("data", error);
    let side = match reference {
        Reference::Found { side, description } => {
            found.description = description;
            found.drift = Some(match &spec.concept {
                Some(errors) if spec.target == DriftTarget::Concept => {
                    concept::judged(errors, spec, &document.data, &side, &current).await.map_err(data)?
                }
                _ => judge(&side, &current, &plan).await.map_err(data)?,
            });
            Some(side)
        }
        Reference::NotYet(reason) => {
            found.description = json!({ "policy": spec.reference_policy(), "reason": reason });
            None
        }
    };
    if let (Some(column), Some(drift)) = (&plan.group_by, &found.drift) {
        found.quality.push(vanished_segments(column, &drift.report.columns));
    }
    if let Some(dataset) = current.datasets().first() {
        let mut wanted = wanted(spec, document, context, side.as_deref());
        if spec.quality.as_ref().is_some_and(|quality| quality.schema == Some(SchemaOf::Registered)) {
            let registered = reference::registered(context).await?;
            wanted.schema = Some(profile::columns(&registered.profile));
            found.schema = registered.description;
        }
        found.quality.extend(quality::look(dataset, side.as_deref(), &wanted, &plan).await.map_err(data)?);
    }
    let of_reference = side.filter(|_| kept.is_none()).map_or(0, |side| side.bytes_read());
    found.bytes_read = current.bytes_read() + of_reference;
    Ok(evaluated(spec, found))
}

/// Segments of the reference that have no row now although at least ten are to be expected: chance leaves out so many in one of
/// twenty thousand windows.
fn vanished_segments(column: &str, checks: &[Check]) -> Check {
    let rows = |of: &dyn Fn(&Check) -> bool, side: fn(&Check) -> u64| {
        checks.iter().filter(|c| of(c)).map(side).max().unwrap_or(0)
    };
    let all = |check: &Check| check.segment.is_none();
    let (reference, current) = (rows(&all, |c| c.n_reference), rows(&all, |c| c.n_current));
    let names: BTreeSet<&str> = checks.iter().filter_map(|check| check.segment.as_deref()).collect();
    let segments: Vec<(&str, u64, u64)> = names
        .into_iter()
        .map(|name| {
            let of = |check: &Check| check.segment.as_deref() == Some(name);
            (name, rows(&of, |c| c.n_reference), rows(&of, |c| c.n_current))
        })
        .collect();
    drift_quality::vanished_segments(column, (reference, current), &segments)
}

/// All that a run found.
#[derive(Default)]
struct Found {
    /// What the data was compared with.
    description: Value,
    /// None when there is nothing to compare with yet.
    drift: Option<Judged>,
    quality: Vec<Check>,
    /// Which registered schema the data was held against.
    schema: Value,
    bytes_read: u64,
}

fn plan(spec: &DriftSpec, data: &DataSpec, context: &Context) -> Plan {
    let mut options = Options {
        min_samples: spec.min_samples,
        require_significance: spec.require_significance,
        ..Options::default()
    };
    if spec.decide_on == Some(document::DecideOn::PValue) {
        options.decide_on = DecideOn::PValue;
    }
    if let Some(alpha) = spec.alpha {
        options.alpha = alpha;
    }
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
        group_by: spec.group_by.clone(),
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
                    importance: c.importance,
                    reading,
                };
                (name.clone(), plan)
            })
            .collect(),
        parallel: context.settings.worker.judge_parallel.max(1),
    }
}

/// What is looked at besides drift.
fn wanted(spec: &DriftSpec, document: &JobDocument, context: &Context, reference: Option<&Side>) -> Wanted {
    let values = spec.columns.iter().filter(|(_, c)| c.min.is_some() || c.max.is_some() || !c.allowed.is_empty());
    let values = values.map(|(name, c)| {
        let allowed = Allowed {
            limits: (c.min, c.max),
            only: c.allowed.clone(),
            max_outside_share: c.max_outside_share.unwrap_or(0.0),
        };
        (name.clone(), allowed)
    });
    let quality = spec.quality.clone().unwrap_or_default();
    let end = context.window.map_or_else(|| context.run.tick_at.unwrap_or_else(|| context.clock.now()), |w| w.1);
    let time_column = document.data.current.as_ref().and_then(|current| current.time_column.clone());
    Wanted {
        values: values.collect(),
        key: (!quality.key.is_empty()).then(|| (quality.key.clone(), quality.max_duplicate_share.unwrap_or(0.0))),
        freshness: time_column.zip(quality.freshness_seconds).map(|(column, limit)| (column, limit as f64, end)),
        max_new_share: quality.max_new_share,
        schema: match quality.schema {
            Some(SchemaOf::Reference) => reference.map(Side::columns),
            Some(SchemaOf::Registered) | None => None,
        },
    }
}

fn evaluated(spec: &DriftSpec, found: Found) -> Evaluated {
    let is_compared = found.drift.is_some();
    let drift_type = spec.target.as_str();
    let left_out = found.drift.as_ref().map_or(0, |drift| drift.segments_left_out);
    let report = found.drift.map(|drift| drift.report).unwrap_or_default();
    let checks = || report.columns.iter().chain(&found.quality);
    let judged = report.columns.iter().filter(|c| c.status.is_result()).count();
    let wrong: Vec<String> = found.quality.iter().filter(|c| c.drifted).map(subject).collect();
    let outcome = if report.drifted {
        "drifted"
    } else if !wrong.is_empty() {
        "quality"
    } else if checks().any(|c| c.status == Status::SchemaError) {
        "schema_error"
    } else if judged == 0 {
        "insufficient_data"
    } else {
        "ok"
    };
    let mut summary = json!({
        "drift_score": report.drift_score,
        "drifted_share": report.drifted_share,
        "drifted_columns": report.drifted_columns,
        "columns_judged": judged,
        "reference": found.description,
        "columns": report.columns.iter().take(SUMMARY_COLUMNS).map(|c| json!({
            "column": c.subject(), "method": c.method, "score": c.score, "threshold": c.threshold, "status": c.status.as_str(),
        })).collect::<Vec<_>>(),
    });
    if !found.quality.is_empty() {
        summary["quality"] = json!({ "checks": found.quality.len(), "wrong": wrong });
    }
    if !found.schema.is_null() {
        summary["schema"] = found.schema;
    }
    if left_out > 0 {
        summary["segments_left_out"] = json!(left_out);
    }
    let mut findings = match spec.target {
        DriftTarget::Concept => concept::findings(&report),
        DriftTarget::Data | DriftTarget::Prediction => drift_findings(spec, &report),
    };
    findings.extend(schema_findings(checks()));
    findings.extend(quality_findings(&found.quality));
    Evaluated {
        outcome: outcome.to_owned(),
        summary,
        findings,
        // Without anything to compare with, open incidents of drift are neither confirmed nor over.
        complete_kinds: if is_compared { vec!["drift", "quality", "schema_error"] } else { vec!["quality"] },
        rows: Rows::Drift(checks().map(|c| row(drift_type, c)).collect()),
        bytes_read: found.bytes_read,
    }
}

fn row(drift_type: &'static str, check: &Check) -> DriftRow {
    let mut details = check.details.clone();
    if let Value::Object(map) = &mut details {
        map.insert("missing_reference".into(), json!(check.missing_reference));
        map.insert("missing_current".into(), json!(check.missing_current));
        map.insert("log10_p_value".into(), json!(check.log10_p_value));
        map.insert("q_value".into(), json!(check.q_value));
    }
    DriftRow {
        drift_type,
        subject: subject(check),
        feature_name: check.column.clone(),
        segment: check.segment.clone(),
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
