//! `metric_change`: a measure of the current rows against the reference, with the interval of the change.

use serde_json::json;

use super::measure::{Measure, Sampled};
use super::side::Sides;
use super::{Entry, Needs, NotJudged, Outcome, RANGE};
use crate::drift::Status;
use crate::stats::{Interval, Tail, normal_two_sided, student_t_two_sided, student_t_upper_quantile, wilson};

pub(super) static METRIC_CHANGE: Entry = Entry {
    name: "metric_change",
    title: "Change of the error",
    summary: "how much higher the error rate (classification) or the mean absolute error (regression) is than in the reference, with \
              the 95 % interval of the change",
    when_to_use: "labels arrive, and the question is whether this window is worse than the reference. The default.",
    formula: "error(current) - error(reference); drifted when worse by more than the threshold and the 95 % interval does not hold 0",
    range: RANGE,
    notes: "Shares have Newcombe's interval and the p-value of the pooled z test; mean absolute errors have Welch's interval and \
            p-value. Rows whose label is pending are left out: when labels of hard cases arrive later than others the error looks too low. \
            Rows must be independent; repeated rows of one customer make the interval too short. A change that comes and goes within \
            the window is averaged away: the detectors look for that. At least 2 labelled rows on each side.",
    reference: "Newcombe (1998), Interval estimation for the difference between independent proportions, method 10, \
                doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I; Welch (1947), doi:10.1093/biomet/34.1-2.28",
    task: None,
    needs: Needs { score: false, prediction: false, time: false, current_labels: true },
    judge: judged,
};

/// Confidence of intervals.
pub(super) const CONFIDENCE: f64 = 0.95;
/// The normal quantile of their ends.
pub(super) const Z_95: f64 = 1.959_963_984_540_054;
/// The normal quantile that chance exceeds once in a hundred.
pub(super) const Z_99: f64 = 2.326_347_874_040_841;

/// A change with what is known of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Current minus reference.
    pub value: f64,
    /// Standard error of the change.
    pub standard_error: f64,
    /// The 95 % interval.
    pub interval: Interval,
    /// Two-sided p-value of no change.
    pub p_value: Tail,
}

fn judged(sides: &Sides) -> Result<Vec<Outcome>, NotJudged> {
    let measure = sides.task.error();
    let refuse = |reason: String| NotJudged { status: Status::InsufficientData, reason };
    let reference = measure.of(&sides.reference).map_err(|reason| refuse(format!("in the reference {reason}")))?;
    let current = measure.of(&sides.current).map_err(|reason| refuse(format!("in the current data {reason}")))?;
    let change = change(measure, &reference, &current)
        .ok_or_else(|| refuse("at least 2 labelled rows are needed on each side".to_owned()))?;
    outcome(measure, &reference, &current, &change, json!({})).map(|outcome| vec![outcome])
}

/// The change of a measure between two independent samples; none with fewer than two rows on a side.
///
/// Shares of rows: Newcombe's hybrid score interval and the pooled z test. Means: Welch. Others: normal, with the sampling errors of both.
///
/// ```
/// use steward::drift::concept::{Measure, Sampled, change};
/// let share = |p: f64, n| Sampled { value: p, sd: (p * (1.0 - p)).sqrt(), n };
/// let change = change(Measure::ErrorRate, &share(48.0 / 80.0, 80), &share(56.0 / 70.0, 70)).unwrap();
/// assert!((change.interval.low - 0.0524).abs() < 5e-5 && (change.interval.high - 0.3339).abs() < 5e-5);
/// ```
pub fn change(measure: Measure, reference: &Sampled, current: &Sampled) -> Option<Change> {
    if reference.n < 2 || current.n < 2 {
        return None;
    }
    let value = current.value - reference.value;
    let (a, b) = (reference.error_of(reference.n), current.error_of(current.n));
    if measure.is_share_of_rows() {
        return newcombe(reference, current, a.hypot(b));
    }
    if measure == Measure::Mae {
        return welch(reference, current);
    }
    let error = a.hypot(b);
    let interval = Interval { low: value - Z_95 * error, high: value + Z_95 * error };
    Some(Change { value, standard_error: error, interval, p_value: p_of(value, error, normal_two_sided) })
}

/// The p-value of a change with this error; without any spread a difference is certain.
fn p_of(value: f64, error: f64, tail: impl Fn(f64) -> Tail) -> Tail {
    match (value == 0.0, error > 0.0) {
        (true, _) => Tail::ONE,
        (false, true) => tail(value / error),
        (false, false) => Tail::from_ln(f64::NEG_INFINITY),
    }
}

fn newcombe(reference: &Sampled, current: &Sampled, standard_error: f64) -> Option<Change> {
    let hits = |side: &Sampled| (side.value * side.n as f64).round() as u64;
    let (a, b) = (wilson(hits(reference), reference.n, CONFIDENCE)?, wilson(hits(current), current.n, CONFIDENCE)?);
    let (p, q) = (reference.value, current.value);
    let value = q - p;
    let (n, m) = (reference.n as f64, current.n as f64);
    let pooled = (p * n + q * m) / (n + m);
    let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).max(0.0).sqrt();
    let interval = Interval {
        low: (value - (q - b.low).hypot(a.high - p)).max(-1.0),
        high: (value + (b.high - q).hypot(p - a.low)).min(1.0),
    };
    Some(Change { value, standard_error, interval, p_value: p_of(value, error, normal_two_sided) })
}

fn welch(reference: &Sampled, current: &Sampled) -> Option<Change> {
    let square = |side: &Sampled| side.sd * side.sd / (side.n as f64 - 1.0);
    let (a, b) = (square(reference), square(current));
    let value = current.value - reference.value;
    let error = (a + b).sqrt();
    if error == 0.0 {
        let p_value = p_of(value, 0.0, normal_two_sided);
        return Some(Change { value, standard_error: 0.0, interval: Interval { low: value, high: value }, p_value });
    }
    let (u, v) = (a / (a + b), b / (a + b));
    let degrees = 1.0 / (u * u / (reference.n as f64 - 1.0) + v * v / (current.n as f64 - 1.0));
    let half = student_t_upper_quantile((1.0 - CONFIDENCE) / 2.0, degrees)? * error;
    let p_value = p_of(value, error, |t| student_t_two_sided(t, degrees));
    Some(Change { value, standard_error: error, interval: Interval { low: value - half, high: value + half }, p_value })
}

/// The outcome of a change: evident when its interval does not hold 0.
pub(super) fn outcome(
    measure: Measure,
    reference: &Sampled,
    current: &Sampled,
    change: &Change,
    more: serde_json::Value,
) -> Result<Outcome, NotJudged> {
    let score = measure.worsening(change.value, reference.value);
    let chance = measure.worsening(Z_99 * change.standard_error, reference.value).abs();
    if !score.is_finite() || !chance.is_finite() {
        let reason = format!("the {} of the reference is 0, so a relative change is undefined", measure.title());
        return Err(NotJudged { status: Status::NotApplicable, reason });
    }
    let mut details = json!({
        "reference": reference.value,
        "current": current.value,
        "change": change.value,
        "interval": [change.interval.low, change.interval.high],
        "standard_error": change.standard_error,
    });
    if let (Some(details), serde_json::Value::Object(more)) = (details.as_object_mut(), more) {
        details.extend(more);
    }
    Ok(Outcome {
        measure,
        score,
        is_evident: change.interval.low > 0.0 || change.interval.high < 0.0,
        warns: false,
        p_value: Some(change.p_value),
        null_quantile: Some(chance),
        details,
    })
}
