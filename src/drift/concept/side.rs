//! The rows that are judged: what was predicted, and the truth where it is known.

use super::Task;

/// One side, reference or current: its rows that have a prediction, in the order of time where that is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    /// All rows that were read.
    pub rows: u64,
    /// Rows without a prediction (or a time, where order matters); they are left out.
    pub left_out: u64,
    /// The error of each row, 0 or 1 for classes and absolute for numbers; none where the label has not arrived.
    pub errors: Vec<Option<f64>>,
    /// What more is known of each row.
    pub data: Data,
}

/// What methods that estimate need, each list with a place for every row of [`Side::errors`].
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Data {
    /// Nothing more.
    #[default]
    Errors,
    /// Rows of a classifier with a positive class.
    Binary(Binary),
    /// Columns that errors of a regression are estimated from; NaN is missing.
    Features(Vec<Vec<f64>>),
}

/// Rows of a classifier with a positive class.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Binary {
    /// Whether the label is the positive class; none where it has not arrived.
    pub truth: Vec<Option<bool>>,
    /// Whether the positive class is predicted.
    pub predicted: Vec<bool>,
    /// Scores of the positive class; empty without a score column.
    pub scores: Vec<f64>,
}

impl Side {
    /// Errors of the rows that have a label, in order.
    pub fn labelled(&self) -> Vec<f64> {
        self.errors.iter().flatten().copied().collect()
    }

    /// Rows that wait for their label.
    pub fn pending(&self) -> u64 {
        self.errors.iter().filter(|error| error.is_none()).count() as u64
    }

    /// The rows of a classifier, when they are that.
    pub fn binary(&self) -> Option<&Binary> {
        match &self.data {
            Data::Binary(binary) => Some(binary),
            _ => None,
        }
    }

    /// The columns that errors are estimated from.
    pub fn features(&self) -> Option<&[Vec<f64>]> {
        match &self.data {
            Data::Features(columns) => Some(columns),
            _ => None,
        }
    }
}

/// Both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Sides {
    /// What the model predicts.
    pub task: Task,
    /// What it is compared with.
    pub reference: Side,
    /// What is judged.
    pub current: Side,
}
