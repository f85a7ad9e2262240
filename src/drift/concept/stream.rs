//! Detectors: one pass over a stream of errors, one number at a time.
//!
//! What holds: a detector answers where river 0.26 answers on the same stream with the same
//! parameters, and forgets everything after a detection. Deliberately absent: what the numbers are and whether a change matters.

use serde_json::json;

use super::side::Sides;
use super::{NotJudged, Outcome};
use crate::drift::Status;
use crate::stats::mean_of;

/// What a detector says after a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// The mean of the stream has changed.
    pub drift: bool,
    /// It may be about to change.
    pub warning: bool,
    /// With `drift`: how many of the last numbers, this one included, belong to what is new.
    pub recent: usize,
}

/// A detector of change.
pub trait Detector {
    /// Takes the next number. After a step with `drift` it starts anew with the next one.
    fn push(&mut self, value: f64) -> Step;
    /// Numbers that it has to see before it can find anything.
    fn looks_from(&self) -> usize;
}

/// A change that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detection {
    /// Index of the number at which it was found.
    pub at: usize,
    /// Index of the first number that belongs to what is new, as the detector sees it.
    pub since: usize,
}

/// What a detector said about a whole stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course {
    /// The changes, in order.
    pub detections: Vec<Detection>,
    /// Indices at which the detector warned.
    pub warnings: Vec<usize>,
}

/// Sends a stream through a detector.
///
/// ```
/// use steward::drift::concept::{Ddm, follow};
/// let errors = (0..400).map(|i| f64::from(u8::from(if i < 200 { i % 10 == 0 } else { i % 2 == 0 })));
/// let course = follow(&mut Ddm::default(), errors);
/// assert!(course.detections[0].at > 200 && course.detections[0].at < 240);
/// ```
pub fn follow(detector: &mut dyn Detector, stream: impl IntoIterator<Item = f64>) -> Course {
    let mut course = Course::default();
    for (at, value) in stream.into_iter().enumerate() {
        let step = detector.push(value);
        if step.drift {
            course.detections.push(Detection { at, since: (at + 1).saturating_sub(step.recent.max(1)) });
        }
        if step.warning {
            course.warnings.push(at);
        }
    }
    course
}

/// Judges the errors of the current rows, in the order of time, by a detector that has seen those of the reference first.
///
/// The reference only sets the level: what is found in it does not count. Errors of a regression are divided by their mean in the
/// reference, so that one set of parameters fits every unit.
pub(super) fn judge_stream(detector: &mut dyn Detector, sides: &Sides) -> Result<Vec<Outcome>, NotJudged> {
    let (reference, current) = (sides.reference.labelled(), sides.current.labelled());
    let measure = sides.task.error();
    let level = mean_of(reference.iter().copied()).filter(|level| level.is_finite());
    let unit = if measure.is_relative() { level.unwrap_or(0.0) } else { 1.0 };
    let stream: Vec<f64> = reference.iter().chain(&current).map(|error| error / unit).collect();
    if !stream.iter().all(|value| value.is_finite()) {
        let reason = "errors are not finite, or all 0 in the reference, so they have no level to rise from".to_owned();
        return Err(NotJudged { status: Status::NotApplicable, reason });
    }
    let start = reference.len();
    if stream.len() < detector.looks_from() {
        let reason = format!("{} labelled rows together, at least {} needed", stream.len(), detector.looks_from());
        return Err(NotJudged { status: Status::InsufficientData, reason });
    }
    let course = follow(detector, stream.iter().copied());
    let in_reference = course.detections.iter().filter(|detection| detection.at < start).count();
    let found: Vec<Detection> = course.detections.into_iter().filter(|detection| detection.at >= start).collect();
    let changes = changes(&stream, start, &found);
    let worst = changes.iter().map(|change| change.after - change.before).max_by(f64::total_cmp);
    let warnings: Vec<usize> = course.warnings.iter().filter_map(|at| at.checked_sub(start)).collect();
    let warns = warnings.last().is_some_and(|last| *last + 1 == current.len());
    let shown = changes.iter().take(MOST_SHOWN).map(|change| {
        json!({
            "row": change.detection.at - start + 1,
            "since_row": change.detection.since.saturating_sub(start) + 1,
            "before": change.before * unit,
            "after": change.after * unit,
        })
    });
    let details = json!({
        "reference": level,
        "current": mean_of(current.iter().copied()),
        "detections": found.len(),
        "changes": shown.collect::<Vec<_>>(),
        "detections_in_reference": in_reference,
        "warning_rows": warnings.len(),
        "warns_since_row": warns.then(|| run_start(&warnings) + 1),
        "rows_in_order": current.len(),
    });
    Ok(vec![Outcome {
        measure,
        score: worst.unwrap_or(0.0),
        is_evident: !changes.is_empty(),
        warns,
        p_value: None,
        null_quantile: None,
        details,
    }])
}

/// Changes that details list at most.
const MOST_SHOWN: usize = 20;

/// A detection with the mean error before it (back to the detection before) and after it (up to the next one).
struct Changed {
    detection: Detection,
    before: f64,
    after: f64,
}

/// What changed at each detection. A change cannot be older than the current rows.
fn changes(stream: &[f64], start: usize, found: &[Detection]) -> Vec<Changed> {
    let since = |detection: &Detection| detection.since.max(start);
    let mean = |from: usize, to: usize| mean_of(stream.get(from..to).unwrap_or(&[]).iter().copied());
    let mut from = 0;
    let mut changes = Vec::with_capacity(found.len());
    for (index, &detection) in found.iter().enumerate() {
        let cut = since(&detection);
        let end = found.get(index + 1).map_or(stream.len(), |next| since(next).max(detection.at + 1));
        if let (Some(before), Some(after)) = (mean(from, cut), mean(cut, end)) {
            changes.push(Changed { detection, before, after });
        }
        from = cut;
    }
    changes
}

/// Where the run of warnings that goes on to the end began.
fn run_start(warnings: &[usize]) -> usize {
    let mut start = warnings.last().copied().unwrap_or(0);
    for warning in warnings.iter().rev().skip(1) {
        if *warning + 1 != start {
            break;
        }
        start = *warning;
    }
    start
}
