//! A model's errors of one side against another: the bridge between columns and `drift::concept`.
//!
//! Columns are read once a side, one by one: a method whose column is missing or of another type says `schema_error`, and the others are
//! judged. Only an object that cannot be read at all is an error. Deliberately absent: which rows a window holds.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use self::rows::{Read, Wanted};
use super::side::Side;
use crate::dataset;
use crate::drift::concept::{self, Method, Options, Sides, Task};
use crate::drift::{self, Check, Report, Status};

mod rows;

/// What is judged and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the model predicts.
    pub task: Task,
    /// Column of the truth.
    pub label: String,
    /// Column of the predicted class or number.
    pub prediction: Option<String>,
    /// Column of the probability of the positive class.
    pub score: Option<String>,
    /// Score from which on a row counts as positive, where there is no prediction.
    pub decision_threshold: f64,
    /// The positive class; told from the labels of the reference when absent.
    pub positive: Option<String>,
    /// Names of methods.
    pub methods: Vec<String>,
    /// Columns that errors are estimated from.
    pub features: Vec<String>,
    /// Threshold and rows that are needed.
    pub options: Options,
    /// Column with the times of the reference; its rows are in order without it.
    pub reference_time: Option<String>,
    /// Column with the times of the current data.
    pub current_time: Option<String>,
}

/// Judges the errors of `current` against those of `reference`.
///
/// # Errors
/// When an object cannot be read at all (unreachable, corrupt, changed).
pub async fn judge(reference: &Side, current: &Side, plan: &Plan) -> Result<Report, dataset::Error> {
    let methods: Vec<&'static dyn Method> = plan.methods.iter().filter_map(|name| concept::method(name)).collect();
    let needs_time = methods.iter().any(|method| method.needs().time);
    let time = |column: &Option<String>| column.clone().filter(|_| needs_time);
    let (before, now) = tokio::try_join!(
        Read::of(reference, plan, time(&plan.reference_time)),
        Read::of(current, plan, time(&plan.current_time))
    )?;
    let plan = plan.clone();
    let checks = super::busy(move || {
        methods.into_iter().flat_map(|method| judge_by(method, &before, &now, &plan)).collect::<Vec<Check>>()
    })
    .await;
    Ok(drift::report(checks, None, &BTreeMap::new()))
}

/// The checks of one method.
fn judge_by(method: &'static dyn Method, before: &Read, now: &Read, plan: &Plan) -> Vec<Check> {
    let threshold = plan.options.threshold.unwrap_or(plan.task.default_threshold());
    let refuse =
        |(status, reason): (Status, String)| vec![concept::not_judged(method, plan.task, status, reason, threshold)];
    let needs = method.needs();
    let positive = plan.positive.clone().or_else(|| before.positive_class());
    let wanted = |needs_labels| Wanted {
        plan,
        needs,
        needs_labels,
        positive: positive.as_deref(),
        uses_features: method.name() == "dle",
    };
    let sides = before
        .rows(&wanted(true))
        .map_err(|(status, reason)| (status, format!("reference: {reason}")))
        .and_then(|(reference, _)| Ok((reference, now.rows(&wanted(needs.current_labels))?)));
    let (reference, (current, times)) = match sides {
        Ok(sides) => sides,
        Err(problem) => return refuse(problem),
    };
    let labelled: Vec<i64> = match &times {
        Some(times) => times.iter().zip(&current.errors).filter(|(_, e)| e.is_some()).map(|(t, _)| *t).collect(),
        None => Vec::new(),
    };
    let mut checks = concept::judge(method, &Sides { task: plan.task, reference, current }, &plan.options);
    for check in &mut checks {
        tell_times(&mut check.details, &labelled);
    }
    checks
}

/// Adds the times of the rows that a detector names.
fn tell_times(details: &mut Value, times: &[i64]) {
    let time = |row: &Value| {
        let row = usize::try_from(row.as_u64()?).ok()?.checked_sub(1)?;
        let at = DateTime::from_timestamp_micros(*times.get(row)?)?;
        Some(at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    };
    for change in details.get_mut("changes").and_then(Value::as_array_mut).into_iter().flatten() {
        let (at, since) = (time(&change["row"]), time(&change["since_row"]));
        if let Some(change) = change.as_object_mut() {
            change.insert("time".to_owned(), json!(at));
            change.insert("since_time".to_owned(), json!(since));
        }
    }
    if let Some(at) = time(&details["warns_since_row"])
        && let Some(details) = details.as_object_mut()
    {
        details.insert("warns_since_time".to_owned(), json!(at));
    }
}
