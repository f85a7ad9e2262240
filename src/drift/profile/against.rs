//! Judging current data against a profile: every drift method works, because a profile gives rows again.

use serde_json::{Value, json};

use super::{ColumnProfile, Values};
use crate::drift::judge::{Check, DecideOn, Options, Status, not_judged};
use crate::drift::sample::{CategoryCounts, NumericSample, Sample};
use crate::drift::{self, Method};

/// Rows that a profile is expanded to at most; more are taken in proportion, which moves a share by less than a millionth.
const MOST_ROWS: u64 = 1 << 21;

/// Judges `current` against the column that `reference` describes, as [`drift::judge`] does against its rows.
///
/// Where the column is kept on a grid, the score is known only within what the grid's rank error allows: for `ks_test` the error
/// itself, for other methods what moving the whole reference by that error in either direction makes of the score. When the verdict
/// is not the same throughout, there is none: `insufficient_data`, with the reason.
#[must_use]
pub fn judge(
    column: &str,
    method: &dyn Method,
    reference: &ColumnProfile,
    current: &Sample,
    options: &Options,
) -> Check {
    let check = match (&reference.values, current.is_categorical()) {
        (Values::Numbers(numbers), false) => {
            let rows = numbers.expanded(MOST_ROWS);
            // The share of missing rows is that of the profile also where not all rows are expanded.
            let scale = rows.len() as f64 / numbers.present().max(1) as f64;
            let missing =
                if rows.is_empty() { reference.missing } else { (reference.missing as f64 * scale).round() as u64 };
            let of = |sorted: &[f64]| {
                drift::judge(column, method, &Sample::Numeric(NumericSample { sorted, missing }), current, options)
            };
            let check = of(&rows);
            match numbers.rank_error() {
                0.0 => check,
                error => held(check, error, &shifted(&rows, error).map(|rows| of(&rows)), options),
            }
        }
        (Values::Numbers(numbers), true) if numbers.error_rows == 0 => {
            let counts = numbers.points.iter().map(|point| (point.value.to_string(), point.rows)).collect();
            let counts = CategoryCounts { counts, missing: reference.missing };
            drift::judge(column, method, &Sample::Categorical(&counts), current, options)
        }
        (Values::Categories(categories), true) if categories.pooled == 0 => {
            let counts = CategoryCounts { counts: categories.counts.clone(), missing: reference.missing };
            drift::judge(column, method, &Sample::Categorical(&counts), current, options)
        }
        (values, _) => {
            let threshold = options.threshold.unwrap_or(method.default_threshold());
            let (status, reason) = unfit(values, reference, current);
            not_judged(column, method.name(), status, reason, threshold)
        }
    };
    let rows = reference.rows();
    let missing_reference = if rows == 0 { 0.0 } else { reference.missing as f64 / rows as f64 };
    Check {
        n_reference: rows,
        n_current: current.total(),
        missing_reference,
        missing_current: current.missing_share(),
        ..check
    }
}

/// Why the profile has nothing to compare with.
fn unfit(values: &Values, reference: &ColumnProfile, current: &Sample) -> (Status, String) {
    match values {
        Values::Categories(_) if current.is_categorical() => {
            (Status::NotApplicable, format!("high_cardinality: the profile keeps no values of {}", reference.name))
        }
        Values::Numbers(_) => (
            Status::NotApplicable,
            format!("the profile keeps {} as a grid of numbers, which has no categories", reference.name),
        ),
        Values::None => {
            (Status::NotApplicable, format!("the profile keeps nothing of a column of type {}", reference.dtype))
        }
        Values::Categories(_) => {
            (Status::SchemaError, format!("type changed: {} in the profile, numbers now", reference.dtype))
        }
    }
}

/// The reference with every rank moved by the error, down and up, as far as the ends allow.
fn shifted(rows: &[f64], error: f64) -> [Vec<f64>; 2] {
    let by = ((error * rows.len() as f64).ceil() as usize).min(rows.len());
    let (Some(&low), Some(&high)) = (rows.first(), rows.last()) else { return [Vec::new(), Vec::new()] };
    let mut down = vec![low; by];
    down.extend_from_slice(&rows[..rows.len() - by]);
    let mut up = rows[by..].to_vec();
    up.resize(rows.len(), high);
    [down, up]
}

/// The check, unless another distribution within the rank error would be judged otherwise.
fn held(check: Check, error: f64, moved: &[Check], options: &Options) -> Check {
    let Some(score) = check.score else { return check };
    let (mut low, mut high) = (score, score);
    for other in moved.iter().filter_map(|check| check.score) {
        (low, high) = (low.min(other), high.max(other));
    }
    if check.method == "ks_test" && check.reason.as_deref() != Some("missing") {
        (low, high) = (low.min((score - error).max(0.0)), high.max((score + error).min(1.0)));
    }
    let threshold = check.threshold;
    let by_score = options.decide_on == DecideOn::Score;
    let between = by_score && low <= threshold && threshold < high;
    let mut details = check.details.clone();
    if let Value::Object(map) = &mut details {
        map.insert("profile_rank_error".to_owned(), json!(error));
        map.insert("score_from".to_owned(), json!(low));
        map.insert("score_to".to_owned(), json!(high));
    }
    if !between && moved.iter().all(|other| other.drifted == check.drifted) {
        return Check { details, ..check };
    }
    let reason = if between {
        format!(
            "the profile's rank error ({error:.5}) leaves the score anywhere from {low:.4} to {high:.4}, and the threshold \
             {threshold} lies between: compare with the dataset itself, or move the threshold"
        )
    } else {
        format!("the profile's rank error ({error:.5}) leaves the verdict open: compare with the dataset itself")
    };
    Check { details, ..not_judged(&check.column, &check.method, Status::InsufficientData, reason, threshold) }
}
