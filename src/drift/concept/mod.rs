//! Concept drift: whether a model errs more than it did, seen from labels, or estimated while there are none.
//!
//! May use: `stats`, and of its neighbours in `drift` the verdicts and the Kolmogorov-Smirnov distance. No I/O, no clock, no
//! randomness. What holds:
//! * One rule for all methods: drifted when the error is worse than in the reference by more than the threshold *and* the
//!   method has evidence that this is no chance (an interval without "no change", a detection).
//! * The score is how much worse: in shares (0.05 is five points) for classifiers, relative to the reference (0.2 is a fifth) for
//!   regression. A better model has a negative score and never drifts.
//! * [`judge`] never panics and never answers NaN; what cannot be judged says why.
//!
//! A method is one file and one line in [`ALL`]. Deliberately absent: where rows come from, how they are put in order, and what a
//! row's time is.

mod adwin;
mod boost;
mod cbpe;
mod ddm;
mod dle;
mod isotonic;
mod judge;
mod kswin;
mod measure;
mod metric_change;
mod page_hinkley;
mod side;
mod stream;

use serde::Serialize;
use serde_json::Value;

use super::NotJudged;
use crate::stats::Tail;

pub use adwin::Adwin;
pub use boost::Boosted;
pub use cbpe::{Expected, expected};
pub use ddm::Ddm;
pub use isotonic::Isotonic;
pub use judge::{Options, judge, not_judged};
pub use kswin::{All, Draw, Kswin};
pub use measure::{Measure, Sampled};
pub use metric_change::{Change, change};
pub use page_hinkley::{Direction, PageHinkley};
pub use side::{Binary, Data, Side, Sides};
pub use stream::{Course, Detection, Detector, Step, follow};

/// Every way to judge errors, the default first, in the order in which listings show them.
pub static ALL: &[&dyn Method] = &[
    &metric_change::METRIC_CHANGE,
    &adwin::ADWIN,
    &ddm::DDM,
    &page_hinkley::PAGE_HINKLEY,
    &kswin::KSWIN,
    &cbpe::CBPE,
    &dle::DLE,
];

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Classes; the error of a row is 0 or 1.
    Classification,
    /// Numbers; the error of a row is its absolute error.
    Regression,
}

impl Task {
    /// The word in job files.
    pub fn as_str(self) -> &'static str {
        match self {
            Task::Classification => "classification",
            Task::Regression => "regression",
        }
    }

    /// The mean error of rows: `error_rate` or `mae`.
    pub fn error(self) -> Measure {
        match self {
            Task::Classification => Measure::ErrorRate,
            Task::Regression => Measure::Mae,
        }
    }

    /// The threshold when the job names none: five points of a share, a fifth of the reference's error.
    pub fn default_threshold(self) -> f64 {
        match self {
            Task::Classification => 0.05,
            Task::Regression => 0.2,
        }
    }
}

/// What a method needs beside a label and something predicted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// The probability of the positive class.
    pub score: bool,
    /// The predicted class or number; a score does not stand for it.
    pub prediction: bool,
    /// Rows in the order of time.
    pub time: bool,
    /// Labels of the current rows; those of the reference are always needed.
    pub current_labels: bool,
}

/// A way to judge the errors of a model.
///
/// The texts are the documentation: help, job-file validation and the documentation page are made from them.
pub trait Method: Sync {
    /// The name in job files, e.g. `adwin`.
    fn name(&self) -> &'static str;
    /// The name people read.
    fn title(&self) -> &'static str;
    /// One sentence: what it measures.
    fn summary(&self) -> &'static str;
    /// When to use it.
    fn when_to_use(&self) -> &'static str;
    /// What is computed, in plain text.
    fn formula(&self) -> &'static str;
    /// The score's range and direction.
    fn range(&self) -> &'static str;
    /// Parameters, limits, what else to know.
    fn notes(&self) -> &'static str;
    /// Citation with DOI where there is one.
    fn reference(&self) -> &'static str;
    /// The task that it is for; both when absent.
    fn task(&self) -> Option<Task>;
    /// What it needs.
    fn needs(&self) -> Needs;
    /// Its findings. Called by [`judge`] with labelled rows in the reference, and in the current data where it needs them.
    ///
    /// # Errors
    /// When the rows cannot be judged, with the status and the reason to report.
    fn judge(&self, sides: &Sides) -> Result<Vec<Outcome>, NotJudged>;
}

/// What a method found about one measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What was judged.
    pub measure: Measure,
    /// How much worse it is, see [`Method::range`].
    pub score: f64,
    /// Whether that is no chance by the method's own rule.
    pub is_evident: bool,
    /// Whether the method warns although it finds no change yet.
    pub warns: bool,
    /// The p-value of the change, where there is one.
    pub p_value: Option<Tail>,
    /// How large the score gets by chance, at most once in a hundred checks of an unchanged model; none when not known.
    pub null_quantile: Option<f64>,
    /// What people want to see with it; no NaN.
    pub details: Value,
}

/// The method of that name.
pub fn method(name: &str) -> Option<&'static dyn Method> {
    ALL.iter().copied().find(|method| method.name() == name)
}

/// A method as a row of a table.
struct Entry {
    name: &'static str,
    title: &'static str,
    summary: &'static str,
    when_to_use: &'static str,
    formula: &'static str,
    range: &'static str,
    notes: &'static str,
    reference: &'static str,
    task: Option<Task>,
    needs: Needs,
    judge: fn(&Sides) -> Result<Vec<Outcome>, NotJudged>,
}

impl Method for Entry {
    fn name(&self) -> &'static str {
        self.name
    }
    fn title(&self) -> &'static str {
        self.title
    }
    fn summary(&self) -> &'static str {
        self.summary
    }
    fn when_to_use(&self) -> &'static str {
        self.when_to_use
    }
    fn formula(&self) -> &'static str {
        self.formula
    }
    fn range(&self) -> &'static str {
        self.range
    }
    fn notes(&self) -> &'static str {
        self.notes
    }
    fn reference(&self) -> &'static str {
        self.reference
    }
    fn task(&self) -> Option<Task> {
        self.task
    }
    fn needs(&self) -> Needs {
        self.needs
    }
    fn judge(&self, sides: &Sides) -> Result<Vec<Outcome>, NotJudged> {
        (self.judge)(sides)
    }
}

/// The range of every score.
const RANGE: &str = "below 0 better, 0 unchanged, above 0 worse; a difference of shares (-1 to 1) for classifiers, relative to the \
                     reference (-1 to infinity) for regression";

#[cfg(test)]
mod tests;
