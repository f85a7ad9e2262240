//! `cbpe`: how good a binary classifier is expected to be, from its probabilities alone.

use serde_json::json;

use super::isotonic::Isotonic;
use super::measure::{Counts, Measure, Sampled};
use super::metric_change::{change, outcome};
use super::side::{Binary, Sides};
use super::{Entry, Needs, NotJudged, Outcome, RANGE, Task};
use crate::drift::Status;

pub(super) static CBPE: Entry = Entry {
    name: "cbpe",
    title: "Performance estimated from confidence",
    summary: "the accuracy, precision, recall, F1 and ROC AUC that a binary classifier is expected to have, from its calibrated \
              probabilities, against what it had in the reference",
    when_to_use: "labels arrive late: it says today what the labels will say in weeks, as long as only the mix of rows changes.",
    formula: "a row with calibrated probability p that is predicted positive counts p as a hit and 1 - p as a false alarm (predicted \
              negative: p as a miss); the measures are those of the expected counts. Drifted when worse than in the reference by more than \
              the threshold and the 95 % interval of the change does not hold 0",
    range: RANGE,
    notes: "Scores are calibrated by isotonic regression on the reference when that makes the expected calibration error (10 bins, \
            10 folds) smaller. The sampling error is that of so many rows with the reference's spread; the interval has the error of the \
            reference too. What it cannot see: a change of the labels at the same score. If fraudsters learn to score low, the estimate stays \
            where it is; so confirm with `metric_change` when labels arrive. Five measures are five chances to alert.",
    reference: "Kivimäki, Białek, Kuberski, Nurminen (2025), Performance estimation in binary classification using calibrated confidence, \
                arXiv:2505.05295; isotonic calibration: Zadrozny and Elkan (2002), doi:10.1145/775047.775151",
    task: Some(Task::Classification),
    needs: Needs { score: true, prediction: false, time: false, current_labels: false },
    judge: judged,
};

/// The measures that are estimated.
const MEASURES: [Measure; 5] = [Measure::Accuracy, Measure::Precision, Measure::Recall, Measure::F1, Measure::RocAuc];
/// Folds and bins that decide whether scores are calibrated.
const FOLDS: usize = 10;
const BINS: usize = 10;

fn judged(sides: &Sides) -> Result<Vec<Outcome>, NotJudged> {
    let refuse = |status, reason: &str| NotJudged { status, reason: reason.to_owned() };
    let (Some(reference), Some(current)) = (sides.reference.binary(), sides.current.binary()) else {
        return Err(refuse(
            Status::NotApplicable,
            "probabilities are of one class among two, and there is no positive class",
        ));
    };
    if reference.scores.is_empty() || current.scores.is_empty() {
        return Err(refuse(Status::InsufficientData, "there are no scores"));
    }
    if !reference.scores.iter().chain(&current.scores).all(|score| (0.0..=1.0).contains(score)) {
        return Err(refuse(Status::NotApplicable, "scores are not all between 0 and 1, so they are no probabilities"));
    }
    let Some(calibration) = Calibration::of(reference) else {
        return Err(refuse(Status::InsufficientData, "the labels of the reference are of one class only"));
    };
    let probabilities: Vec<f64> = current.scores.iter().map(|&score| calibration.at(score)).collect();
    let expected = expected(&current.scores, &probabilities, &current.predicted);
    let mut outcomes = Vec::new();
    for measure in MEASURES {
        let (Ok(before), Some(estimate)) = (measure.of(&sides.reference), expected.of(measure)) else { continue };
        let now = Sampled { value: estimate, sd: before.sd, n: probabilities.len() as u64 };
        let Some(change) = estimated_change(measure, &before, &now) else { continue };
        let more = json!({
            "estimated": true,
            "sampling_error": now.error_of(now.n),
            "calibrated": calibration.function.is_some(),
            "calibration_error_before": calibration.error_before,
            "calibration_error_after": calibration.error_after,
        });
        outcomes.push(outcome(measure, &before, &now, &change, more)?);
    }
    if outcomes.is_empty() {
        return Err(refuse(Status::InsufficientData, "no measure is defined for these rows"));
    }
    Ok(outcomes)
}

/// The change of an estimate: no share of counted rows, so its interval is always the normal one.
pub(super) fn estimated_change(measure: Measure, before: &Sampled, now: &Sampled) -> Option<super::Change> {
    let normal = if measure.is_relative() { Measure::Rmse } else { Measure::F1 };
    change(normal, before, now)
}

/// What a binary classifier is expected to come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    counts: Counts,
    area: Option<f64>,
}

impl Expected {
    /// A measure; none where it is undefined (nothing predicted positive, one class only).
    pub fn of(&self, measure: Measure) -> Option<f64> {
        if measure == Measure::RocAuc { self.area } else { self.counts.measure(measure).map(|sampled| sampled.value) }
    }
}

/// Expected measures of rows with these scores, the probabilities that they stand for, and what was predicted.
///
/// ```
/// use steward::drift::concept::{Measure, expected};
/// let p = [0.9, 0.8, 0.3, 0.1];
/// let expected = expected(&p, &p, &[true, true, false, false]);
/// assert!((expected.of(Measure::Accuracy).unwrap() - (0.9 + 0.8 + 0.7 + 0.9) / 4.0).abs() < 1e-15);
/// ```
pub fn expected(scores: &[f64], probabilities: &[f64], predicted: &[bool]) -> Expected {
    let mut counts = Counts::default();
    for (&probability, &predicted) in probabilities.iter().zip(predicted) {
        counts.add(predicted, probability);
    }
    Expected { counts, area: expected_area(scores, probabilities) }
}

/// The expected area under the curve: positives above others, ties half.
fn expected_area(scores: &[f64], probabilities: &[f64]) -> Option<f64> {
    let mut rows: Vec<(f64, f64)> = scores.iter().copied().zip(probabilities.iter().copied()).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (mut area, mut positives, mut negatives) = (0.0, 0.0, 0.0);
    for ties in rows.chunk_by(|a, b| a.0 == b.0) {
        let here: f64 = ties.iter().map(|row| row.1).sum();
        let others = ties.len() as f64 - here;
        area += here * (negatives + others / 2.0);
        positives += here;
        negatives += others;
    }
    (positives > 0.0 && negatives > 0.0).then(|| area / (positives * negatives))
}

/// What scores stand for.
struct Calibration {
    /// The function that makes probabilities of them; none when they are best as they are.
    function: Option<Isotonic>,
    error_before: f64,
    error_after: f64,
}

impl Calibration {
    /// Learns from labelled rows; none when they are of one class only.
    fn of(reference: &Binary) -> Option<Self> {
        let rows: Vec<(f64, f64)> = reference
            .scores
            .iter()
            .zip(&reference.truth)
            .filter_map(|(&score, truth)| Some((score, f64::from(u8::from((*truth)?)))))
            .collect();
        let positives: f64 = rows.iter().map(|row| row.1).sum();
        if positives == 0.0 || positives == rows.len() as f64 {
            return None;
        }
        // Each row calibrated by a function that has not seen it.
        let mut calibrated = Vec::with_capacity(rows.len());
        for fold in 0..FOLDS {
            let others: Vec<(f64, f64)> =
                rows.iter().enumerate().filter(|(i, _)| i % FOLDS != fold).map(|(_, row)| *row).collect();
            let Some(fitted) = Isotonic::fit(&others) else { continue };
            calibrated.extend(rows.iter().skip(fold).step_by(FOLDS).map(|&(score, label)| (fitted.at(score), label)));
        }
        let (error_before, error_after) = (calibration_error(&rows), calibration_error(&calibrated));
        let function = if error_before > error_after { Isotonic::fit(&rows) } else { None };
        Some(Self { function, error_before, error_after })
    }

    fn at(&self, score: f64) -> f64 {
        self.function.as_ref().map_or(score, |function| function.at(score))
    }
}

/// Expected calibration error over bins of as many rows each.
fn calibration_error(rows: &[(f64, f64)]) -> f64 {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let size = rows.len().div_ceil(BINS).max(1);
    let apart = |bin: &[(f64, f64)]| bin.iter().map(|row| row.0 - row.1).sum::<f64>().abs();
    rows.chunks(size).map(apart).sum::<f64>() / rows.len().max(1) as f64
}
