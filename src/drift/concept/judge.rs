//! From what a method found to verdicts: every rule that does not depend on the method.

use serde_json::{Value, json};

use super::super::judge::{Check, Reliability, Status};
use super::{Method, NotJudged, Outcome, Sides, Task};

/// How errors are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Options {
    /// Errors drift when they are worse by more than this; the task's default when absent.
    pub threshold: Option<f64>,
    /// Fewer labelled rows (rows, where errors are estimated) than this on either side are `insufficient_data`.
    pub min_samples: Option<u64>,
}

/// Judges the current rows by one method: a check for each measure, or one that says why there is none.
///
/// A check is drifted when its score exceeds the threshold and the method has evidence for a change; with only one of the two, or a
/// score above half the threshold with evidence, it is a warning.
///
/// ```
/// use steward::drift::concept::{Options, Side, Sides, Task, judge, method};
/// let errors = |wrong: usize| (0..1000).map(|i| Some(f64::from(u8::from(i % 10 < wrong)))).collect();
/// let side = |wrong| Side { rows: 1000, errors: errors(wrong), ..Side::default() };
/// let sides = Sides { task: Task::Classification, reference: side(1), current: side(2) };
/// let checks = judge(method("metric_change").unwrap(), &sides, &Options::default());
/// assert!(checks[0].drifted && (checks[0].score.unwrap() - 0.1).abs() < 1e-12);
/// ```
pub fn judge(method: &dyn Method, sides: &Sides, options: &Options) -> Vec<Check> {
    let task = sides.task;
    let threshold = options.threshold.filter(|t| t.is_finite()).unwrap_or(task.default_threshold());
    let outcomes = fit(method, sides, options).and_then(|()| method.judge(sides));
    let mut checks = match outcomes {
        Ok(outcomes) => outcomes.into_iter().map(|outcome| check(method, outcome, sides, threshold)).collect(),
        Err(NotJudged { status, reason }) => vec![not_judged(method, task, status, reason, threshold)],
    };
    for check in &mut checks {
        count(check, method, sides);
    }
    checks
}

/// A check without a result, for errors that could not even be read.
pub fn not_judged(method: &dyn Method, task: Task, status: Status, reason: impl Into<String>, threshold: f64) -> Check {
    super::super::not_judged(task.error().as_str(), method.name(), status, reason, threshold)
}

/// Whether there are the rows that the method needs.
fn fit(method: &dyn Method, sides: &Sides, options: &Options) -> Result<(), NotJudged> {
    let refuse = |status, reason| Err(NotJudged { status, reason });
    if method.task().is_some_and(|task| task != sides.task) {
        let reason = format!("{} does not judge {}", method.name(), sides.task.as_str());
        return refuse(Status::NotApplicable, reason);
    }
    let needed =
        [(&sides.reference, true, "reference"), (&sides.current, method.needs().current_labels, "current data")];
    for (side, needs_labels, name) in needed {
        let (rows, pending) = (side.errors.len() as u64, side.pending());
        if side.rows == 0 {
            return refuse(Status::NoData, format!("no rows in the {name}"));
        }
        if rows == 0 {
            return refuse(Status::InsufficientData, format!("no row of the {name} has a prediction"));
        }
        let usable = if needs_labels { rows - pending } else { rows };
        if usable == 0 {
            return refuse(
                Status::InsufficientData,
                format!("no row of the {name} has its label yet: {pending} rows wait for it"),
            );
        }
        if let Some(least) = options.min_samples.filter(|least| usable < *least) {
            let what = if needs_labels { "labelled rows" } else { "rows" };
            return refuse(
                Status::InsufficientData,
                format!("{usable} {what} in the {name}, at least {least} needed on each side"),
            );
        }
    }
    Ok(())
}

fn check(method: &dyn Method, outcome: Outcome, sides: &Sides, threshold: f64) -> Check {
    let name = outcome.measure.as_str();
    let mut check = super::super::not_judged(name, method.name(), Status::Ok, "", threshold);
    check.reason = None;
    if !outcome.score.is_finite() {
        check.status = Status::NotApplicable;
        check.reason = Some(format!("{} has no finite score for these errors", method.name()));
        return check;
    }
    let score = outcome.score;
    check.score = Some(score);
    check.drifted = score > threshold && outcome.is_evident;
    let is_near = outcome.is_evident && score > 0.0 && score >= threshold / 2.0;
    check.status = if check.drifted {
        Status::Drifted
    } else if is_near || outcome.warns || score > threshold {
        Status::Warning
    } else {
        Status::Ok
    };
    if score > threshold && !outcome.is_evident {
        check.reason = Some("the change is large, and it may be chance: its 95 % interval holds 0".to_owned());
    }
    check.p_value = outcome.p_value.map(|tail| tail.p());
    check.log10_p_value = outcome.p_value.map(|tail| tail.log10()).filter(|log| log.is_finite());
    let few = sides.reference.labelled().len() < 30 || sides.current.errors.len() < 30;
    let low = few || outcome.null_quantile.is_some_and(|quantile| quantile > threshold);
    check.reliability = Some(if low { Reliability::Low } else { Reliability::Normal });
    check.details = outcome.details;
    check
}

/// How many rows there are and how many of them count.
fn count(check: &mut Check, method: &dyn Method, sides: &Sides) {
    let share = |part: u64, rows: u64| if rows == 0 { 0.0 } else { part as f64 / rows as f64 };
    let (reference, current) = (&sides.reference, &sides.current);
    check.n_reference = reference.errors.len() as u64 - reference.pending();
    let uses_labels = method.needs().current_labels;
    check.n_current = current.errors.len() as u64 - if uses_labels { current.pending() } else { 0 };
    check.missing_reference = share(reference.rows.saturating_sub(check.n_reference), reference.rows);
    check.missing_current = share(current.rows.saturating_sub(check.n_current), current.rows);
    if let Value::Object(details) = &mut check.details {
        details.insert("rows".into(), json!(current.rows));
        details.insert("pending".into(), json!(current.pending()));
        details.insert("left_out".into(), json!(current.left_out));
        details.insert("coverage".into(), json!(share(check.n_current, current.rows)));
    }
}
