//! What a metric is.

use serde::Serialize;

use super::{Rows, Task};
use crate::stats::Interval;

/// The confidence of every interval.
pub(super) const CONFIDENCE: f64 = 0.95;

/// A measure of how good predictions are. The texts are the documentation; listings and help are made from them.
pub trait Metric: Sync {
    /// The name in job files, e.g. `roc_auc`.
    fn name(&self) -> &'static str;
    /// The name people read.
    fn title(&self) -> &'static str;
    /// One sentence: what it measures, its range, and how zero division and the like are treated.
    fn summary(&self) -> &'static str;
    /// Where the definition comes from.
    fn reference(&self) -> &'static str;
    /// The task it belongs to.
    fn task(&self) -> Task;
    /// The columns it is computed from, beside the labels.
    fn needs(&self) -> Needs;
    /// Whether larger values are better; `None` when neither direction is (a mean error should be 0).
    fn higher_is_better(&self) -> Option<bool>;
    /// The metric of these rows. Never panics; may be called with rows of the other task and then has no value.
    fn compute(&self, rows: &Rows) -> Outcome;
}

/// The column a metric needs beside the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// Predicted classes or numbers.
    Predictions,
    /// Scores or probabilities of the positive class.
    Scores,
}

/// What a metric came to, before it is named.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// The value; `None` when undefined.
    pub value: Option<f64>,
    /// Why there is none, or by which convention there is one.
    pub reason: Option<String>,
    /// Rows it is from.
    pub n: u64,
    /// The 95 % interval.
    pub interval: Option<Interval>,
}

impl Outcome {
    pub(super) fn of(value: f64, n: u64) -> Self {
        Self { value: Some(value), n, ..Self::default() }
    }

    pub(super) fn undefined(reason: impl Into<String>, n: u64) -> Self {
        Self { reason: Some(reason.into()), n, ..Self::default() }
    }

    pub(super) fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    pub(super) fn within(self, interval: Option<Interval>) -> Self {
        Self { interval, ..self }
    }
}

/// A metric as a row of a table: most need no more than a function.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) summary: &'static str,
    pub(super) reference: &'static str,
    pub(super) task: Task,
    pub(super) needs: Needs,
    pub(super) higher_is_better: Option<bool>,
    pub(super) compute: fn(&Rows) -> Outcome,
}

impl Metric for Entry {
    fn name(&self) -> &'static str {
        self.name
    }
    fn title(&self) -> &'static str {
        self.title
    }
    fn summary(&self) -> &'static str {
        self.summary
    }
    fn reference(&self) -> &'static str {
        self.reference
    }
    fn task(&self) -> Task {
        self.task
    }
    fn needs(&self) -> Needs {
        self.needs
    }
    fn higher_is_better(&self) -> Option<bool> {
        self.higher_is_better
    }
    fn compute(&self, rows: &Rows) -> Outcome {
        (self.compute)(rows)
    }
}
