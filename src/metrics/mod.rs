//! Validation metrics: how good a model's predictions are once the truth is known.
//!
//! May use: `stats`. No I/O, no clock, no async, no randomness. What holds:
//! * Definitions and zero-division conventions are scikit-learn's; where it answers NaN, a metric here has no value and a reason.
//! * Every value says how many rows it is from, and carries a 95 % interval where a simple one is right.
//! * The order of rows does not matter beyond the last bits.
//!
//! A metric is one entry in the file of its family and one line in [`ALL`]. Deliberately absent: joining labels, windows, bounds
//! to alert on. Rows whose label has not arrived are pending, not wrong: [`Rows`] counts them and leaves them out.

mod average;
mod confusion;
mod entry;
mod error;
mod fit;
mod losses;
mod probability;
mod ranking;
mod rows;

use serde::Serialize;

pub use entry::{Metric, Needs, Outcome};
pub use losses::{RowLoss, per_row_loss, row_loss};
pub use ranking::{Auc, auc};
pub use rows::{Column, Error as RowsError, Rows};

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Classes.
    Classification,
    /// Numbers.
    Regression,
}

impl Task {
    /// The name in job files and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Task::Classification => "classification",
            Task::Regression => "regression",
        }
    }
}

/// One metric of one set of rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Value {
    /// The metric's name.
    pub name: String,
    /// The value; `None` when undefined, and then `reason` says why.
    pub value: Option<f64>,
    /// Why there is no value, or by which convention there is one (division by zero, average over classes).
    pub reason: Option<String>,
    /// Rows it is from.
    pub n: u64,
    /// Lower end of the 95 % interval, where there is one.
    pub ci_low: Option<f64>,
    /// Upper end of the 95 % interval, where there is one.
    pub ci_high: Option<f64>,
}

/// Every metric; the specification's first, in the order in which listings show them.
pub static ALL: &[&dyn Metric] = &[
    &confusion::ACCURACY,
    &average::PRECISION,
    &average::RECALL,
    &average::F1,
    &average::PRECISION_MACRO,
    &average::RECALL_MACRO,
    &average::F1_MACRO,
    &average::PRECISION_MICRO,
    &average::RECALL_MICRO,
    &average::F1_MICRO,
    &average::PRECISION_WEIGHTED,
    &average::RECALL_WEIGHTED,
    &average::F1_WEIGHTED,
    &confusion::BALANCED_ACCURACY,
    &confusion::MCC,
    &confusion::COHEN_KAPPA,
    &ranking::ROC_AUC,
    &ranking::AVERAGE_PRECISION,
    &probability::LOG_LOSS,
    &probability::BRIER,
    &error::MAE,
    &error::MSE,
    &error::RMSE,
    &fit::R2,
    &error::MEDIAN_ABSOLUTE_ERROR,
    &error::MAX_ERROR,
    &error::MEAN_ERROR,
    &fit::EXPLAINED_VARIANCE,
    &error::MAPE,
    &error::SMAPE,
];

/// Why metrics could not be evaluated at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No metric of that name.
    #[error("unknown metric `{name}`{}", suggestion.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default())]
    Unknown {
        /// The name asked for.
        name: String,
        /// The closest metric there is.
        suggestion: Option<&'static str>,
    },
    /// The metric belongs to the other task.
    #[error("metric `{name}` is for {}, these rows are {}", metric_task.as_str(), task.as_str())]
    WrongTask {
        /// The name asked for.
        name: String,
        /// The task of the metric.
        metric_task: Task,
        /// The task of the rows.
        task: Task,
    },
    /// The rows were built for the other task.
    #[error("rows were read for {}, not for {}", rows.as_str(), asked.as_str())]
    WrongRows {
        /// The task of the rows.
        rows: Task,
        /// The task asked for.
        asked: Task,
    },
}

/// The metric of that name.
pub fn metric(name: &str) -> Option<&'static dyn Metric> {
    ALL.iter().copied().find(|metric| metric.name() == name)
}

/// The metrics evaluated when none are named: the specification's, and with a score column `roc_auc`, `log_loss` and `brier`.
pub fn default_names(task: Task, has_scores: bool) -> &'static [&'static str] {
    match (task, has_scores) {
        (Task::Classification, false) => &["accuracy", "precision", "recall", "f1"],
        (Task::Classification, true) => &["accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"],
        (Task::Regression, _) => &["mae", "mse", "rmse", "r2"],
    }
}

/// Evaluates metrics, in the order of `names` (default: [`default_names`]).
///
/// # Errors
/// Unknown names and names of the other task; before anything is computed. A metric that is undefined for these rows is no
/// error: its [`Value`] has a reason.
///
/// ```
/// use steward::metrics::{Column, Rows, Task, evaluate};
/// let truth = [0.0, 1.0, 0.0, 1.0, 1.0, 0.0].map(Some);
/// let predicted = [0.0, 1.0, 0.0, 1.0, 0.0, 0.0].map(Some);
/// let rows = Rows::classification(Column::Numbers(&truth), Some(Column::Numbers(&predicted)), None, None).unwrap();
/// let values = evaluate(Task::Classification, &rows, None).unwrap();
/// assert_eq!(values[0].name, "accuracy");
/// assert_eq!(values[1].value, Some(1.0)); // precision
/// ```
pub fn evaluate(task: Task, rows: &Rows, names: Option<&[String]>) -> Result<Vec<Value>, Error> {
    if rows.task() != task {
        return Err(Error::WrongRows { rows: rows.task(), asked: task });
    }
    let chosen: Vec<&dyn Metric> = match names {
        Some(names) => names.iter().map(|name| named(name, task)).collect::<Result<_, _>>()?,
        None => default_names(task, rows.has_scores()).iter().filter_map(|name| metric(name)).collect(),
    };
    Ok(chosen.into_iter().map(|metric| value_of(metric, rows)).collect())
}

fn named(name: &str, task: Task) -> Result<&'static dyn Metric, Error> {
    let Some(found) = metric(name) else {
        return Err(Error::Unknown { name: name.to_owned(), suggestion: closest(name) });
    };
    if found.task() == task {
        Ok(found)
    } else {
        Err(Error::WrongTask { name: name.to_owned(), metric_task: found.task(), task })
    }
}

fn closest(name: &str) -> Option<&'static str> {
    let likeness = |known: &&'static str| strsim::jaro_winkler(name, known);
    let best = ALL.iter().map(|metric| metric.name()).max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > 0.8).then_some(best)
}

fn value_of(metric: &dyn Metric, rows: &Rows) -> Value {
    let outcome = metric.compute(rows);
    let value = outcome.value.filter(|value| value.is_finite());
    let reason = match (value, outcome.reason) {
        (None, None) => Some("not a finite number for these rows".to_owned()),
        (_, reason) => reason,
    };
    let interval =
        outcome.interval.filter(|interval| value.is_some() && interval.low.is_finite() && interval.high.is_finite());
    Value {
        name: metric.name().to_owned(),
        value,
        reason,
        n: outcome.n,
        ci_low: interval.map(|interval| interval.low),
        ci_high: interval.map(|interval| interval.high),
    }
}

#[cfg(test)]
mod tests;
