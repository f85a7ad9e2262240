//! What a metric is, and what it says of itself: listings, help and the pages of documentation are made from the entries.

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
    /// The definition as a formula.
    fn formula(&self) -> &'static str;
    /// When it is the right one to look at.
    fn when_to_use(&self) -> &'static str;
    /// What it does not see, and where it misleads.
    fn limits(&self) -> &'static str;
    /// Which 95 % interval it carries, or why none.
    fn interval(&self) -> &'static str;
    /// Lowest and highest value it can have; infinite where there is no bound.
    fn range(&self) -> (f64, f64);
    /// The task it belongs to.
    fn task(&self) -> Task;
    /// The columns it is computed from, beside the labels.
    fn needs(&self) -> Needs;
    /// Whether larger values are better; `None` when neither direction is (a mean error should be 0).
    fn higher_is_better(&self) -> Option<bool>;
    /// The metric of these rows. Never panics; may be called with rows of the other task and then has no value.
    fn compute(&self, rows: &Rows) -> Outcome;
    /// The metric of one class against all others, by its place in [`Rows::classes`]; `None` when it has no such form.
    fn of_class(&self, _rows: &Rows, _class: usize) -> Option<Outcome> {
        None
    }
}

/// The column a metric needs beside the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// Predicted classes or numbers.
    Predictions,
    /// Scores or probabilities of the positive class, or of every class.
    Scores,
    /// Scores or probabilities of every class.
    ClassScores,
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

/// The texts of an entry.
pub(super) struct Texts {
    pub(super) title: &'static str,
    pub(super) summary: &'static str,
    pub(super) formula: &'static str,
    pub(super) when_to_use: &'static str,
    pub(super) limits: &'static str,
    pub(super) interval: &'static str,
    pub(super) reference: &'static str,
}

/// A metric as a row of a table: most need no more than a function.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) texts: Texts,
    pub(super) range: (f64, f64),
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
        self.texts.title
    }
    fn summary(&self) -> &'static str {
        self.texts.summary
    }
    fn reference(&self) -> &'static str {
        self.texts.reference
    }
    fn formula(&self) -> &'static str {
        self.texts.formula
    }
    fn when_to_use(&self) -> &'static str {
        self.texts.when_to_use
    }
    fn limits(&self) -> &'static str {
        self.texts.limits
    }
    fn interval(&self) -> &'static str {
        self.texts.interval
    }
    fn range(&self) -> (f64, f64) {
        self.range
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
