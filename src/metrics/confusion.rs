//! How often which class was taken for which, and how sure statistics of it are.
//!
//! Metrics need only the margins and the diagonal; the full matrix is made for people, and for intervals by the delta method.

use super::Rows;
use super::rows::Classes;
use super::weights::{Weights, wilson_of};
use crate::stats::Interval;

pub(super) const NO_ROWS: &str = "no labelled rows";
/// Classes from which on no full matrix is made.
const MOST_CLASSES: usize = 256;
/// Work from which on there is no interval: cells times classes.
const MOST_WORK: usize = 2_000_000;

/// Margins and diagonal of the confusion matrix.
#[derive(Clone)]
pub(super) struct Margins {
    /// Weight of the rows whose truth is the class.
    pub(super) truth: Vec<f64>,
    /// Weight of the rows predicted as the class.
    pub(super) predicted: Vec<f64>,
    /// Weight of the rows where both are.
    pub(super) correct: Vec<f64>,
    /// Weight of all rows.
    pub(super) total: f64,
}

impl Margins {
    fn empty(classes: usize) -> Self {
        let empty = vec![0.0; classes];
        Self { truth: empty.clone(), predicted: empty.clone(), correct: empty, total: 0.0 }
    }

    fn add(&mut self, truth: u32, guess: u32, weight: f64) {
        self.truth[truth as usize] += weight;
        self.predicted[guess as usize] += weight;
        if truth == guess {
            self.correct[truth as usize] += weight;
        }
        self.total += weight;
    }

    pub(super) fn all_correct(&self) -> f64 {
        self.correct.iter().sum()
    }
}

/// Counts per class, enough for the value of every metric of this kind.
pub(super) struct Confusion<'a> {
    pub(super) margins: Margins,
    /// The same of squared weights: what a share's effective rows are from.
    squares: Margins,
    /// All rows.
    pub(super) n: u64,
    classes: &'a Classes,
    guesses: &'a [u32],
    weights: Weights<'a>,
}

impl<'a> Confusion<'a> {
    /// `None` when there are no rows (or these are no classes).
    pub(super) fn of(rows: &'a Rows) -> Option<(&'a Classes, Self)> {
        let classes = rows.as_classes()?;
        let guesses = classes.predicted.as_ref()?;
        if guesses.is_empty() {
            return None;
        }
        let weights = rows.weights();
        let mut margins = Margins::empty(classes.names.len());
        let mut squares = margins.clone();
        for (row, (&truth, &guess)) in classes.truth.iter().zip(guesses).enumerate() {
            let weight = weights.of_row(row);
            margins.add(truth, guess, weight);
            squares.add(truth, guess, weight * weight);
        }
        (margins.total > 0.0).then_some((classes, Self { margins, squares, n: rows.n(), classes, guesses, weights }))
    }

    /// Wilson's interval of a share of rows, both parts named by how they are taken from the margins.
    pub(super) fn wilson(&self, part: impl Fn(&Margins) -> f64, whole: impl Fn(&Margins) -> f64) -> Option<Interval> {
        let all = whole(&self.margins);
        wilson_of(part(&self.margins), all, all * all / whole(&self.squares))
    }

    /// The interval of any smooth statistic of the matrix by the delta method; it must not depend on the unit of the weights.
    pub(super) fn delta(&self, statistic: impl Fn(&Margins) -> f64) -> Option<Interval> {
        const STEP: f64 = 1e-6;
        let classes = self.classes.names.len();
        let cells = self.cells()?;
        if cells.len() * classes > MOST_WORK {
            return None;
        }
        let moved = |cell: &Cell, step: f64| {
            let mut margins = self.margins.clone();
            let unit = (1.0 - step) / margins.total;
            for part in [&mut margins.truth, &mut margins.predicted, &mut margins.correct] {
                part.iter_mut().for_each(|weight| *weight *= unit);
            }
            margins.total = 1.0 - step;
            margins.add(cell.truth, cell.guess, step);
            statistic(&margins)
        };
        let mut influence = vec![0.0; classes * classes];
        for cell in &cells {
            influence[cell.truth as usize * classes + cell.guess as usize] =
                (moved(cell, STEP) - moved(cell, -STEP)) / (2.0 * STEP);
        }
        let pairs = self.classes.truth.iter().zip(self.guesses);
        let of_rows: Vec<f64> =
            pairs.map(|(&truth, &guess)| influence[truth as usize * classes + guess as usize]).collect();
        // Differences leave rounding errors where nothing moves the statistic.
        if of_rows.iter().all(|moves| moves.abs() < 1e-8) {
            return None;
        }
        self.weights.delta_interval(statistic(&self.margins), &of_rows)
    }

    /// The cells that hold rows, by truth and then prediction.
    fn cells(&self) -> Option<Vec<Cell>> {
        let classes = self.classes.names.len();
        if classes > MOST_CLASSES {
            return None;
        }
        let mut all: Vec<Cell> = Vec::with_capacity(classes * classes);
        for truth in 0..classes as u32 {
            all.extend((0..classes as u32).map(|guess| Cell { truth, guess, weight: 0.0 }));
        }
        for (row, (&truth, &guess)) in self.classes.truth.iter().zip(self.guesses).enumerate() {
            all[truth as usize * classes + guess as usize].weight += self.weights.of_row(row);
        }
        all.retain(|cell| cell.weight > 0.0);
        Some(all)
    }
}

struct Cell {
    truth: u32,
    guess: u32,
    weight: f64,
}

/// Weights of rows by true class (first index) and predicted class; `None` without rows, or with more than 256 classes.
///
/// Unweighted rows count 1 each, so the cells are counts.
///
/// ```
/// use steward::metrics::{Column, Rows, confusion_matrix};
/// let truth = [0.0, 1.0, 1.0].map(Some);
/// let predicted = [0.0, 1.0, 0.0].map(Some);
/// let rows = Rows::classification(Column::Numbers(&truth), Some(Column::Numbers(&predicted)), None, None).unwrap();
/// assert_eq!(confusion_matrix(&rows), Some(vec![vec![1.0, 0.0], vec![1.0, 1.0]]));
/// ```
pub fn confusion_matrix(rows: &Rows) -> Option<Vec<Vec<f64>>> {
    let (classes, confusion) = Confusion::of(rows)?;
    let mut matrix = vec![vec![0.0; classes.names.len()]; classes.names.len()];
    for cell in confusion.cells()? {
        matrix[cell.truth as usize][cell.guess as usize] = cell.weight;
    }
    Some(matrix)
}

/// The places of the `most` classes with the most labelled and predicted rows, in the order of the classes.
pub(super) fn largest_classes(rows: &Rows, most: usize) -> Vec<usize> {
    let Some((classes, confusion)) = Confusion::of(rows) else { return Vec::new() };
    let size = |class: &usize| confusion.margins.truth[*class] + confusion.margins.predicted[*class];
    let mut places: Vec<usize> = (0..classes.names.len()).collect();
    places.sort_by(|a, b| size(b).total_cmp(&size(a)).then(a.cmp(b)));
    places.truncate(most);
    places.sort_unstable();
    places
}
