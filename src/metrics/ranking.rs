//! The order of scores: which row scores higher, and the curves that follow from it.
//!
//! The AUC is computed from whole numbers where rows have no weights, so that ties cost no rounding. [`auc`] is also what tests between
//! two models are made from.

use super::Rows;
use super::weights::{Weights, sum};
use crate::stats::{Interval, Moments, normal_quantile};

/// The area under the ROC curve with what its uncertainty needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Auc {
    /// The probability that a positive row scores higher than a negative one, ties counting half; 0..=1.
    pub value: f64,
    /// DeLong's variance; `None` with fewer than two rows of a class.
    pub variance: Option<f64>,
}

impl Auc {
    /// The interval at `confidence`, cut to 0..=1; `None` without a variance or when that is 0 (a perfect order in a sample says
    /// nothing about how imperfect it can be).
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let half = normal_quantile(0.5 + 0.5 * confidence)? * self.variance.filter(|variance| *variance > 0.0)?.sqrt();
        Some(Interval { low: (self.value - half).max(0.0), high: (self.value + half).min(1.0) })
    }
}

/// The AUC of rows `(is positive, score)`, by midranks in O(n log n); `None` when a class has no rows.
///
/// Variance by DeLong, DeLong and Clarke-Pearson (1988, DOI 10.2307/2531595) in the form of Sun and Xu (2014,
/// DOI 10.1109/LSP.2014.2337313).
pub fn auc(rows: impl Iterator<Item = (bool, f64)>) -> Option<Auc> {
    let groups = groups(rows.map(|(positive, score)| (positive, score, 1.0)));
    let count = |of: fn(&Group) -> f64| groups.iter().map(|group| of(group) as u64).sum::<u64>();
    let (positives, negatives) = (count(|group| group.positives), count(|group| group.negatives));
    if positives == 0 || negatives == 0 {
        return None;
    }
    let (p, n) = (positives as f64, negatives as f64);
    // Twice the pairs in order, as a whole number, so that ties cost no rounding.
    let mut doubled_pairs = 0u128;
    let (mut seen_positives, mut seen_negatives) = (0u64, 0u64);
    let (mut of_positives, mut of_negatives) = (Moments::new(), Moments::new());
    // Groups come by falling score; what has been seen scores higher.
    for group in &groups {
        let (here_positives, here_negatives) = (group.positives as u64, group.negatives as u64);
        let below = negatives - seen_negatives - here_negatives;
        let beaten = 2 * below + here_negatives;
        doubled_pairs += u128::from(here_positives) * u128::from(beaten);
        let beaten_by = 2 * seen_positives + here_positives;
        of_positives.merge(&repeated(beaten as f64 / (2.0 * n), here_positives));
        of_negatives.merge(&repeated(beaten_by as f64 / (2.0 * p), here_negatives));
        seen_positives += here_positives;
        seen_negatives += here_negatives;
    }
    let value = doubled_pairs as f64 / (2.0 * p * n);
    let variance = of_positives.variance().zip(of_negatives.variance()).map(|(a, b)| a / p + b / n);
    Some(Auc { value, variance })
}

/// The AUC of rows with weights: a pair counts the product of its weights. Without weights [`auc`], with its variance.
pub(super) fn weighted_auc(rows: impl Iterator<Item = (bool, f64)>, weights: Weights<'_>) -> Option<Auc> {
    if weights.0.is_none() {
        return auc(rows);
    }
    let groups = groups(rows.enumerate().map(|(row, (positive, score))| (positive, score, weights.of_row(row))));
    let (positives, negatives) = totals(&groups);
    if positives <= 0.0 || negatives <= 0.0 {
        return None;
    }
    let mut below = negatives;
    let pairs = groups.iter().map(|group| {
        below -= group.negatives;
        group.positives * (below + 0.5 * group.negatives)
    });
    let value = (sum(pairs) / positives / negatives).clamp(0.0, 1.0);
    Some(Auc { value, variance: None })
}

/// The moments of one value `times` over.
fn repeated(value: f64, times: u64) -> Moments {
    Moments::from_summary(times, value, 0.0).unwrap_or_default()
}

/// Rows with the same score.
pub(super) struct Group {
    pub(super) score: f64,
    pub(super) positives: f64,
    pub(super) negatives: f64,
}

/// Weight of positive and of negative rows.
pub(super) fn totals(groups: &[Group]) -> (f64, f64) {
    (sum(groups.iter().map(|group| group.positives)), sum(groups.iter().map(|group| group.negatives)))
}

/// Groups of equal scores of rows `(is positive, score, weight)`, by falling score; rows without weight form none.
fn groups(rows: impl Iterator<Item = (bool, f64, f64)>) -> Vec<Group> {
    let mut rows: Vec<(f64, bool, f64)> = rows
        .filter(|(_, _, weight)| *weight > 0.0)
        .map(|(positive, score, weight)| (score + 0.0, positive, weight))
        .collect();
    // By class and weight too, so that sums do not depend on the order of the rows given.
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)));
    rows.chunk_by(|a, b| a.0 == b.0)
        .map(|group| {
            let of = |wanted| sum(group.iter().filter(|(_, positive, _)| *positive == wanted).map(|(_, _, w)| *w));
            Group { score: group[0].0, positives: of(true), negatives: of(false) }
        })
        .collect()
}

/// The groups of these rows' scores; `None` without scores.
pub(super) fn groups_of(rows: &Rows) -> Option<Vec<Group>> {
    let (scored, weights) = (rows.as_classes()?.scored()?, rows.weights());
    Some(groups(scored.enumerate().map(|(row, (positive, score))| (positive, score, weights.of_row(row)))))
}

/// A point of the ROC curve: what is flagged when every score from `threshold` on is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RocPoint {
    /// The lowest score that is flagged; infinite at the start of the curve, where none is.
    pub threshold: f64,
    /// Share of the negative rows that are flagged; `None` when there are none.
    pub false_positive_rate: Option<f64>,
    /// Share of the positive rows that are flagged; `None` when there are none.
    pub true_positive_rate: Option<f64>,
}

/// The ROC curve, from nothing flagged to everything, with a point for every distinct score; `None` without scores or rows.
pub fn roc_curve(rows: &Rows) -> Option<Vec<RocPoint>> {
    let groups = groups_of(rows).filter(|groups| !groups.is_empty())?;
    let (positives, negatives) = totals(&groups);
    let rate = |part: f64, whole: f64| (whole > 0.0).then(|| (part / whole).min(1.0));
    let (mut hits, mut alarms) = (0.0, 0.0);
    let point = |threshold, hits, alarms| RocPoint {
        threshold,
        false_positive_rate: rate(alarms, negatives),
        true_positive_rate: rate(hits, positives),
    };
    let mut curve = vec![point(f64::INFINITY, 0.0, 0.0)];
    for group in &groups {
        hits += group.positives;
        alarms += group.negatives;
        curve.push(point(group.score, hits, alarms));
    }
    Some(curve)
}
