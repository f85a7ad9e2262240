//! The rows metrics are computed from: columns encoded once, whatever their type was.
//!
//! A row counts when its label and its prediction (or score) are there. Rows without a label are pending; rows with a label and
//! without a prediction are counted apart, and so are rows whose weight is no weight. What holds: [`Rows::positions`] says which of
//! the rows given were kept, so per-row losses line up with the caller's columns.

mod build;
mod encode;
mod given;

pub(super) use encode::Positive;
pub use given::{Given, Settings, ZeroDivision};

use super::Task;
use super::weights::Weights;

/// One column as the caller has it, row-aligned; `None` is missing, and so is a number that is NaN.
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    /// Numbers, also whole numbers and booleans as 0 and 1.
    Numbers(&'a [Option<f64>]),
    /// Text.
    Text(&'a [Option<String>]),
}

impl Column<'_> {
    fn len(&self) -> usize {
        match self {
            Column::Numbers(values) => values.len(),
            Column::Text(values) => values.len(),
        }
    }
}

/// Why columns do not make rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Columns of one table have the same length.
    #[error("label has {labels} rows but {column} has {rows}")]
    Length {
        /// `prediction`, `score`, `class score` or `weight`.
        column: &'static str,
        /// Rows of the label column.
        labels: usize,
        /// Rows of that column.
        rows: usize,
    },
    /// Neither predictions nor scores were given.
    #[error("neither a prediction nor a score column is given; name at least one")]
    NothingPredicted,
    /// Regression needs numbers.
    #[error("{column} holds text; regression needs numbers")]
    NotNumbers {
        /// `label` or `prediction`.
        column: &'static str,
    },
    /// No row has the positive class that was named, and the two classes of the rows are others.
    #[error("no row has the positive class `{positive}`; the classes are {}", classes.join(", "))]
    UnknownPositive {
        /// The class that was named.
        positive: String,
        /// The first of those that there are.
        classes: Vec<String>,
    },
    /// Scores belong to a positive class, and it is not clear which that is.
    #[error("scores need two classes, found {found}: {}; name the positive class", classes.join(", "))]
    NotBinary {
        /// How many classes there are.
        found: usize,
        /// The first of them.
        classes: Vec<String>,
    },
}

/// Labelled rows, ready for every metric of their task.
#[derive(Debug, Clone)]
pub struct Rows {
    data: Data,
    weights: Option<Vec<f64>>,
    settings: Settings,
    pending: u64,
    unpredicted: u64,
    unweighted: u64,
    given: usize,
    positions: Vec<usize>,
}

#[derive(Debug, Clone)]
enum Data {
    Classes(Classes),
    Numbers { truth: Vec<f64>, predicted: Vec<f64> },
}

/// Classes as small numbers, in the order of `names`.
#[derive(Debug, Clone)]
pub(super) struct Classes {
    pub(super) names: Vec<String>,
    /// How many of them, from the first on, averages are over.
    pub(super) averaged: usize,
    pub(super) truth: Vec<u32>,
    pub(super) predicted: Option<Vec<u32>>,
    pub(super) scores: Option<Vec<f64>>,
    /// The score of each class, by its place in `names`; empty without them, and for classes without a score column.
    pub(super) class_scores: Vec<Vec<f64>>,
    pub(super) positive: Option<Positive>,
}

impl Rows {
    /// Rows of a classifier.
    ///
    /// `label` and `prediction` are classes (numbers and text are compared by their text, `1` equals `1.0`); `score` is the score
    /// or probability of the positive class. Without predictions a score of at least 0.5 predicts the positive class. `positive`
    /// names the positive class; by default it is `1` or `true` where the classes are 0/1, -1/1 or false/true, and else, of two
    /// classes, the later in order (numeric, then alphabetical).
    ///
    /// # Errors
    /// Columns of different lengths, neither prediction nor score, scores without a clear positive class.
    pub fn classification(
        label: Column<'_>,
        prediction: Option<Column<'_>>,
        score: Option<&[Option<f64>]>,
        positive: Option<&str>,
    ) -> Result<Self, Error> {
        Self::classify(&Given { prediction, score, positive, ..Given::new(label) })
    }

    /// Rows of a regressor: label and prediction in the same unit. Infinite values count as missing.
    ///
    /// # Errors
    /// Columns of different lengths, or text.
    pub fn regression(label: Column<'_>, prediction: Column<'_>) -> Result<Self, Error> {
        Self::regress(&Given { prediction: Some(prediction), ..Given::new(label) })
    }

    /// The task these rows are for.
    pub fn task(&self) -> Task {
        match self.data {
            Data::Classes(_) => Task::Classification,
            Data::Numbers { .. } => Task::Regression,
        }
    }

    /// Rows that count.
    pub fn n(&self) -> u64 {
        self.positions.len() as u64
    }

    /// Rows whose label is missing.
    pub fn pending(&self) -> u64 {
        self.pending
    }

    /// Rows that have a label but no prediction or score.
    pub fn unpredicted(&self) -> u64 {
        self.unpredicted
    }

    /// Rows that have a label and a prediction, and whose weight is missing, negative or infinite.
    pub fn unweighted(&self) -> u64 {
        self.unweighted
    }

    /// Rows given, kept or not.
    pub fn given(&self) -> usize {
        self.given
    }

    /// Which of the rows given count, ascending.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The conventions that metrics of these rows follow.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether there is a score column.
    pub fn has_scores(&self) -> bool {
        matches!(&self.data, Data::Classes(Classes { scores: Some(_), .. }))
    }

    /// The classes: those listed, and then those seen; empty for regression.
    pub fn classes(&self) -> &[String] {
        match &self.data {
            Data::Classes(classes) => &classes.names,
            Data::Numbers { .. } => &[],
        }
    }

    /// The positive class, where there is one.
    pub fn positive_class(&self) -> Option<&str> {
        match &self.data {
            Data::Classes(classes) => classes.positive.as_ref().map(|positive| positive.name.as_str()),
            Data::Numbers { .. } => None,
        }
    }

    pub(super) fn weights(&self) -> Weights<'_> {
        Weights(self.weights.as_deref())
    }

    pub(super) fn as_classes(&self) -> Option<&Classes> {
        match &self.data {
            Data::Classes(classes) => Some(classes),
            Data::Numbers { .. } => None,
        }
    }

    pub(super) fn as_numbers(&self) -> Option<(&[f64], &[f64])> {
        match &self.data {
            Data::Classes(_) => None,
            Data::Numbers { truth, predicted } => Some((truth, predicted)),
        }
    }
}

impl Classes {
    /// Whether each row's truth is the positive class, with its score; `None` without scores.
    pub(super) fn scored(&self) -> Option<impl Iterator<Item = (bool, f64)> + Clone> {
        let positive = self.positive.as_ref().and_then(|positive| positive.code);
        let scores = self.scores.as_ref()?;
        Some(self.truth.iter().zip(scores).map(move |(&truth, &score)| (Some(truth) == positive, score)))
    }

    /// The score of every class, by place; `None` unless each class has a column and there are at least two.
    pub(super) fn scores_of_all(&self) -> Option<&[Vec<f64>]> {
        let all = self.names.len() >= 2 && self.class_scores.len() == self.names.len();
        (all && self.class_scores.iter().all(|scores| scores.len() == self.truth.len()))
            .then_some(self.class_scores.as_slice())
    }
}
