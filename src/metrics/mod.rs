//! Validation metrics: how good a model's predictions are once the truth is known.
//!
//! May use: `stats`. No I/O, no clock, no async, no randomness. What holds:
//! * Definitions and zero-division conventions are scikit-learn's; where it answers NaN, a metric here has no value and a reason.
//! * Every value says how many rows it is from, and carries a 95 % interval where a simple one is right.
//! * The order of rows does not matter beyond the last bits.
//!
//! A metric is one entry in the file of its family and one line in [`ALL`]. Deliberately absent: joining labels, windows, bounds
//! to alert on. Rows whose label has not arrived are pending, not wrong: [`Rows`] counts them and leaves them out.

mod agreement;
mod average;
mod averages;
mod calibration;
mod change;
mod class_scores;
mod confusion;
mod entry;
mod error;
mod fit;
mod losses;
mod order;
mod probability;
mod ranking;
mod relative;
mod rows;
mod weights;

use serde::Serialize;

pub use calibration::{CalibrationBin, calibration_curve};
pub use change::{Change, change};
pub use confusion::confusion_matrix;
pub use entry::{Metric, Needs, Outcome};
pub use losses::{RowLoss, per_row_loss, row_loss};
pub use ranking::{Auc, RocPoint, auc, roc_curve};
pub use rows::{Column, Error as RowsError, Given, Rows, Settings, ZeroDivision};

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
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Value {
    /// The metric's name.
    pub name: String,
    /// The class that it is of, against all others; the whole when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
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
    &agreement::ACCURACY,
    &averages::PRECISION,
    &averages::RECALL,
    &averages::F1,
    &averages::PRECISION_MACRO,
    &averages::RECALL_MACRO,
    &averages::F1_MACRO,
    &averages::PRECISION_MICRO,
    &averages::RECALL_MICRO,
    &averages::F1_MICRO,
    &averages::PRECISION_WEIGHTED,
    &averages::RECALL_WEIGHTED,
    &averages::F1_WEIGHTED,
    &agreement::BALANCED_ACCURACY,
    &agreement::MCC,
    &agreement::COHEN_KAPPA,
    &averages::F2,
    &averages::F2_MACRO,
    &averages::F2_MICRO,
    &averages::F2_WEIGHTED,
    &averages::JACCARD,
    &averages::JACCARD_MACRO,
    &averages::JACCARD_MICRO,
    &averages::JACCARD_WEIGHTED,
    &order::ROC_AUC,
    &order::AVERAGE_PRECISION,
    &probability::LOG_LOSS,
    &probability::BRIER,
    &calibration::ECE,
    &calibration::MCE,
    &probability::D2_LOG_LOSS,
    &order::GINI,
    &order::KS_STATISTIC,
    &order::PR_AUC,
    &class_scores::TOP_K_ACCURACY,
    &class_scores::ROC_AUC_OVR,
    &class_scores::ROC_AUC_OVR_WEIGHTED,
    &class_scores::ROC_AUC_OVO,
    &class_scores::ROC_AUC_OVO_WEIGHTED,
    &error::MAE,
    &error::MSE,
    &error::RMSE,
    &fit::R2,
    &error::MEDIAN_ABSOLUTE_ERROR,
    &error::MAX_ERROR,
    &error::MEAN_ERROR,
    &fit::EXPLAINED_VARIANCE,
    &relative::MAPE,
    &relative::SMAPE,
    &relative::WAPE,
    &error::PINBALL,
    &relative::MSLE,
    &relative::POISSON_DEVIANCE,
    &relative::GAMMA_DEVIANCE,
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

/// The metrics evaluated when none are named: the specification's, what they hide (class sizes, direction of errors), and with scores
/// how these rank and whether they are probabilities.
pub fn default_names(task: Task, has_scores: bool) -> &'static [&'static str] {
    const OF_SCORES: &[&str] = &[
        "accuracy",
        "precision",
        "recall",
        "f1",
        "balanced_accuracy",
        "mcc",
        "roc_auc",
        "average_precision",
        "log_loss",
        "brier",
        "ece",
    ];
    match (task, has_scores) {
        (Task::Classification, false) => OF_SCORES.get(..6).unwrap_or_default(),
        (Task::Classification, true) => OF_SCORES,
        (Task::Regression, _) => &["mae", "mse", "rmse", "r2", "median_absolute_error", "mean_error"],
    }
}

/// The metrics evaluated when none are named and each of more than two classes has a score.
pub fn default_names_of_class_scores() -> &'static [&'static str] {
    &["accuracy", "precision", "recall", "f1", "balanced_accuracy", "mcc", "roc_auc_ovr", "log_loss", "brier"]
}

/// The most classes that [`by_class`] answers: those with the most labelled and predicted rows.
pub const MOST_CLASSES: usize = 100;

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
        None => names_for(rows).iter().filter_map(|name| metric(name)).collect(),
    };
    Ok(chosen.into_iter().map(|metric| value_of(metric, metric.compute(rows))).collect())
}

/// Evaluates metrics of each class against all others, class by class in their order: those of `names` that have such a form, or
/// precision, recall and F1. The largest [`MOST_CLASSES`] classes are answered.
///
/// ```
/// use steward::metrics::{Column, Rows, by_class};
/// let truth = [0.0, 1.0, 1.0].map(Some);
/// let predicted = [0.0, 1.0, 0.0].map(Some);
/// let rows = Rows::classification(Column::Numbers(&truth), Some(Column::Numbers(&predicted)), None, None).unwrap();
/// let values = by_class(&rows, Some(&["recall".to_owned()]));
/// assert_eq!(values.len(), 2);
/// assert_eq!((values[1].class.as_deref(), values[1].value), (Some("1"), Some(0.5)));
/// ```
pub fn by_class(rows: &Rows, names: Option<&[String]>) -> Vec<Value> {
    let usual = ["precision", "recall", "f1"].map(str::to_owned);
    let chosen: Vec<&dyn Metric> = names.unwrap_or(&usual).iter().filter_map(|name| metric(name)).collect();
    let mut values = Vec::new();
    for class in confusion::largest_classes(rows, MOST_CLASSES) {
        for metric in &chosen {
            if let Some(outcome) = metric.of_class(rows, class) {
                values.push(Value { class: rows.classes().get(class).cloned(), ..value_of(*metric, outcome) });
            }
        }
    }
    values
}

fn names_for(rows: &Rows) -> &'static [&'static str] {
    let has_class_scores = rows.as_classes().is_some_and(|classes| !classes.class_scores.is_empty());
    if has_class_scores && !rows.has_scores() {
        default_names_of_class_scores()
    } else {
        default_names(rows.task(), rows.has_scores())
    }
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

fn value_of(metric: &dyn Metric, outcome: Outcome) -> Value {
    let value = outcome.value.filter(|value| value.is_finite());
    let reason = match (value, outcome.reason) {
        (None, None) => Some("not a finite number for these rows".to_owned()),
        (_, reason) => reason,
    };
    // What no value can be is not in the interval either, and rounding never leaves the value outside.
    let (lowest, highest) = metric.range();
    let interval = outcome
        .interval
        .zip(value)
        .map(|(of, value)| (of.low.clamp(lowest, highest).min(value), of.high.clamp(lowest, highest).max(value)));
    let interval = interval.filter(|(low, high)| low.is_finite() && high.is_finite());
    Value {
        name: metric.name().to_owned(),
        class: None,
        value,
        reason,
        n: outcome.n,
        ci_low: interval.map(|(low, _)| low),
        ci_high: interval.map(|(_, high)| high),
    }
}

#[cfg(test)]
mod tests;
