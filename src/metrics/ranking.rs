//! Metrics of the order of scores: only which row scores higher matters.

use super::Task;
use super::confusion::NO_ROWS;
use super::entry::{CONFIDENCE, Entry, Needs, Outcome};
use crate::stats::{Interval, Moments, normal_quantile};

const NO_SCORES: &str = "no score column";

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
    let groups = groups(rows);
    let (positives, negatives) = groups.iter().fold((0, 0), |(p, n), group| (p + group.positives, n + group.negatives));
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
        let below = negatives - seen_negatives - group.negatives;
        let beaten = 2 * below + group.negatives;
        doubled_pairs += u128::from(group.positives) * u128::from(beaten);
        let beaten_by = 2 * seen_positives + group.positives;
        of_positives.merge(&repeated(beaten as f64 / (2.0 * n), group.positives));
        of_negatives.merge(&repeated(beaten_by as f64 / (2.0 * p), group.negatives));
        seen_positives += group.positives;
        seen_negatives += group.negatives;
    }
    let value = doubled_pairs as f64 / (2.0 * p * n);
    let variance = of_positives.variance().zip(of_negatives.variance()).map(|(a, b)| a / p + b / n);
    Some(Auc { value, variance })
}

/// The moments of one value `times` over.
fn repeated(value: f64, times: u64) -> Moments {
    Moments::from_summary(times, value, 0.0).unwrap_or_default()
}

/// Rows with the same score.
struct Group {
    positives: u64,
    negatives: u64,
}

/// Groups of equal scores, by falling score.
fn groups(rows: impl Iterator<Item = (bool, f64)>) -> Vec<Group> {
    let mut rows: Vec<(f64, bool)> = rows.map(|(positive, score)| (score + 0.0, positive)).collect();
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    rows.chunk_by(|a, b| a.0 == b.0)
        .map(|group| {
            let positives = group.iter().filter(|(_, positive)| *positive).count() as u64;
            Group { positives, negatives: group.len() as u64 - positives }
        })
        .collect()
}

pub(super) static ROC_AUC: Entry = Entry {
    name: "roc_auc",
    title: "Area under the ROC curve",
    summary: "probability that a positive row scores higher than a negative one, ties counting half, 0 to 1 (0.5 is chance); \
              undefined with one class; with DeLong's interval",
    reference: "scikit-learn roc_auc_score; interval: DeLong et al. (1988), doi:10.2307/2531595",
    task: Task::Classification,
    needs: Needs::Scores,
    higher_is_better: Some(true),
    compute: |rows| {
        let Some(scored) = rows.as_classes().and_then(|classes| classes.scored()) else {
            return Outcome::undefined(NO_SCORES, 0);
        };
        match auc(scored) {
            _ if rows.n() == 0 => Outcome::undefined(NO_ROWS, 0),
            None => Outcome::undefined("all labels are of one class", rows.n()),
            Some(auc) => Outcome::of(auc.value, rows.n()).within(auc.interval(CONFIDENCE)),
        }
    },
};

pub(super) static AVERAGE_PRECISION: Entry = Entry {
    name: "average_precision",
    title: "Average precision",
    summary: "precision averaged over recall as the score threshold falls, without interpolation, 0 to 1 (chance is the share of \
              positive rows); 0 without positive rows",
    reference: "scikit-learn average_precision_score; Davis and Goadrich (2006), doi:10.1145/1143844.1143874",
    task: Task::Classification,
    needs: Needs::Scores,
    higher_is_better: Some(true),
    compute: |rows| {
        let Some(scored) = rows.as_classes().and_then(|classes| classes.scored()) else {
            return Outcome::undefined(NO_SCORES, 0);
        };
        if rows.n() == 0 {
            return Outcome::undefined(NO_ROWS, 0);
        }
        let groups = groups(scored);
        let positives: u64 = groups.iter().map(|group| group.positives).sum();
        if positives == 0 {
            return Outcome::of(0.0, rows.n()).because("no row is labelled positive: 0 by convention");
        }
        let (mut found, mut flagged, mut area) = (0u64, 0u64, 0.0);
        for group in &groups {
            found += group.positives;
            flagged += group.positives + group.negatives;
            area += group.positives as f64 * (found as f64 / flagged as f64);
        }
        Outcome::of(area / positives as f64, rows.n())
    },
};
