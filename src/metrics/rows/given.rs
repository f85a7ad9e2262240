//! What rows are made of, and by which conventions their metrics are computed.

use super::{Column, Error};

/// What a metric of a class answers when it divides by zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ZeroDivision {
    /// 0 by convention, with a reason, and so in averages: scikit-learn's default.
    #[default]
    Zero,
    /// No value, with a reason; averages are over the classes that have one (scikit-learn's `zero_division = nan`).
    Undefined,
}

/// The conventions of metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// A score from here on predicts the positive class, where there is no prediction.
    pub decision_threshold: f64,
    /// Division by zero.
    pub zero_division: ZeroDivision,
    /// The quantile that the predictions of `pinball` stand for, between 0 and 1.
    pub quantile: f64,
    /// How many of the highest-scored classes `top_k_accuracy` looks at, from 1.
    pub top_k: usize,
    /// Bins of equal width of `ece` and `mce`, from 1.
    pub calibration_bins: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            decision_threshold: 0.5,
            zero_division: ZeroDivision::Zero,
            quantile: 0.5,
            top_k: 2,
            calibration_bins: 10,
        }
    }
}

/// Columns of a model's rows, row-aligned.
#[derive(Debug, Clone)]
pub struct Given<'a> {
    /// The truth.
    pub label: Column<'a>,
    /// The predicted class or number.
    pub prediction: Option<Column<'a>>,
    /// Score or probability of the positive class.
    pub score: Option<&'a [Option<f64>]>,
    /// Score or probability of each class, by its name.
    pub class_scores: Vec<(&'a str, &'a [Option<f64>])>,
    /// How much each row counts. Rows whose weight is missing, negative or infinite are left out and counted.
    pub weight: Option<&'a [Option<f64>]>,
    /// The positive class.
    pub positive: Option<&'a str>,
    /// The classes that are averaged over, in this order, whether or not a row has them; those that occur when empty.
    pub classes: Vec<&'a str>,
    /// The conventions.
    pub settings: Settings,
}

impl<'a> Given<'a> {
    /// Rows of which only the truth is given so far.
    pub fn new(label: Column<'a>) -> Self {
        Self {
            label,
            prediction: None,
            score: None,
            class_scores: Vec::new(),
            weight: None,
            positive: None,
            classes: Vec::new(),
            settings: Settings::default(),
        }
    }

    pub(super) fn check_lengths(&self) -> Result<(), Error> {
        let labels = self.label.len();
        let columns = [
            ("prediction", self.prediction.map(|column| column.len())),
            ("score", self.score.map(<[_]>::len)),
            ("weight", self.weight.map(<[_]>::len)),
        ];
        let scores = self.class_scores.iter().map(|(_, scores)| ("class score", Some(scores.len())));
        match columns.into_iter().chain(scores).find(|(_, rows)| rows.is_some_and(|rows| rows != labels)) {
            Some((column, Some(rows))) => Err(Error::Length { column, labels, rows }),
            _ => Ok(()),
        }
    }

    /// The weight of a row; `None` when it cannot count.
    pub(super) fn weight_of(&self, row: usize) -> Option<f64> {
        match self.weight {
            None => Some(1.0),
            Some(weights) => weights[row].filter(|weight| weight.is_finite() && *weight >= 0.0),
        }
    }
}
