//! Metrics of the confusion matrix as a whole.

use super::entry::{CONFIDENCE, Entry, Needs, Outcome};
use super::rows::Classes;
use super::{Rows, Task};
use crate::stats::wilson;

/// Counts per class, enough for every metric of this kind without the full matrix.
pub(super) struct Confusion {
    /// Rows whose truth is the class.
    pub(super) truth: Vec<u64>,
    /// Rows predicted as the class.
    pub(super) predicted: Vec<u64>,
    /// Rows where both are.
    pub(super) correct: Vec<u64>,
    /// All rows.
    pub(super) n: u64,
}

impl Confusion {
    /// `None` when there are no rows (or these are no classes).
    pub(super) fn of(rows: &Rows) -> Option<(&Classes, Self)> {
        let classes = rows.as_classes()?;
        let guesses = classes.predicted.as_ref()?;
        if guesses.is_empty() {
            return None;
        }
        let empty = vec![0u64; classes.names.len()];
        let mut this = Self { truth: empty.clone(), predicted: empty.clone(), correct: empty, n: guesses.len() as u64 };
        for (&truth, &guess) in classes.truth.iter().zip(guesses) {
            this.truth[truth as usize] += 1;
            this.predicted[guess as usize] += 1;
            this.correct[truth as usize] += u64::from(truth == guess);
        }
        Some((classes, this))
    }

    pub(super) fn all_correct(&self) -> u64 {
        self.correct.iter().sum()
    }
}

pub(super) const NO_ROWS: &str = "no labelled rows";

const fn entry(
    name: &'static str,
    title: &'static str,
    summary: &'static str,
    reference: &'static str,
    compute: fn(&Rows) -> Outcome,
) -> Entry {
    let (task, needs, higher_is_better) = (Task::Classification, Needs::Predictions, Some(true));
    Entry { name, title, summary, reference, task, needs, higher_is_better, compute }
}

pub(super) static ACCURACY: Entry = entry(
    "accuracy",
    "Accuracy",
    "share of rows whose predicted class is the true one, 0 to 1; with Wilson's interval",
    "scikit-learn accuracy_score; interval: Wilson (1927), doi:10.1080/01621459.1927.10502953",
    |rows| match Confusion::of(rows) {
        None => Outcome::undefined(NO_ROWS, 0),
        Some((_, matrix)) => {
            let correct = matrix.all_correct();
            Outcome::of(correct as f64 / matrix.n as f64, matrix.n).within(wilson(correct, matrix.n, CONFIDENCE))
        }
    },
);

pub(super) static BALANCED_ACCURACY: Entry = entry(
    "balanced_accuracy",
    "Balanced accuracy",
    "mean recall over the classes that occur among the labels, 0 to 1",
    "scikit-learn balanced_accuracy_score; Brodersen et al. (2010), doi:10.1109/ICPR.2010.764",
    |rows| match Confusion::of(rows) {
        None => Outcome::undefined(NO_ROWS, 0),
        Some((_, matrix)) => {
            let present = matrix.truth.iter().zip(&matrix.correct).filter(|(truth, _)| **truth > 0);
            let recalls: Vec<f64> = present.map(|(&truth, &correct)| correct as f64 / truth as f64).collect();
            Outcome::of(recalls.iter().sum::<f64>() / recalls.len() as f64, matrix.n)
        }
    },
);

pub(super) static MCC: Entry = entry(
    "mcc",
    "Matthews correlation coefficient",
    "correlation of true and predicted classes, -1 to 1, also for more than two; 0 when all rows have one class on either side",
    "scikit-learn matthews_corrcoef; Gorodkin (2004), doi:10.1016/j.compbiolchem.2004.09.006",
    |rows| match Confusion::of(rows) {
        None => Outcome::undefined(NO_ROWS, 0),
        Some((_, matrix)) => {
            let n = matrix.n as f64;
            let spread = |counts: &[u64]| n * n - counts.iter().map(|&count| count as f64 * count as f64).sum::<f64>();
            let (truth, predicted) = (spread(&matrix.truth), spread(&matrix.predicted));
            if truth == 0.0 || predicted == 0.0 {
                return Outcome::of(0.0, matrix.n).because("all rows have one class on one side: 0 by convention");
            }
            let covariance = matrix.all_correct() as f64 * n - agreement(&matrix);
            Outcome::of(covariance / (truth.sqrt() * predicted.sqrt()), matrix.n)
        }
    },
);

pub(super) static COHEN_KAPPA: Entry = entry(
    "cohen_kappa",
    "Cohen's kappa",
    "agreement beyond chance, at most 1; undefined when chance alone would agree on every row",
    "scikit-learn cohen_kappa_score; Cohen (1960), doi:10.1177/001316446002000104",
    |rows| match Confusion::of(rows) {
        None => Outcome::undefined(NO_ROWS, 0),
        Some((_, matrix)) => {
            let n = matrix.n as f64;
            let chance = agreement(&matrix);
            if chance == n * n {
                return Outcome::undefined("all rows have the same class on both sides", matrix.n);
            }
            Outcome::of((matrix.all_correct() as f64 * n - chance) / (n * n - chance), matrix.n)
        }
    },
);

/// Rows that would agree by chance, times the number of rows.
fn agreement(matrix: &Confusion) -> f64 {
    matrix.truth.iter().zip(&matrix.predicted).map(|(&truth, &predicted)| truth as f64 * predicted as f64).sum()
}
