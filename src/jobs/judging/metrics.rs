//! Validation metrics of one dataset: labels against predictions or scores, row by row.
//!
//! Rows without a label are pending, rows without a prediction are unpredicted; both are counted and neither is wrong.

use crate::dataset::{self, AlignedColumn, Dataset};
use crate::metrics::{self, Column, Rows, Task, Value};

/// What is to be computed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Classes or numbers.
    pub task: Task,
    /// Column of the truth.
    pub label: String,
    /// Column of the predicted class or number.
    pub prediction: Option<String>,
    /// Column of the score of the positive class.
    pub score: Option<String>,
    /// The positive class.
    pub positive: Option<String>,
    /// Score from which on a row counts as positive.
    pub decision_threshold: f64,
    /// Names of metrics; empty means the task's default set.
    pub metrics: Vec<String>,
}

/// What was computed.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The metrics in the order asked for.
    pub values: Vec<Value>,
    /// Rows with label and prediction.
    pub labelled: u64,
    /// Rows whose label is not known yet.
    pub pending: u64,
    /// Rows with a label and without a prediction or score.
    pub unpredicted: u64,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading.
    #[error(transparent)]
    Data(#[from] dataset::Error),
    /// Computing.
    #[error(transparent)]
    Metrics(#[from] metrics::Error),
    /// The columns cannot be used as the plan wants.
    #[error(transparent)]
    Rows(#[from] metrics::RowsError),
    /// A column cannot be used as the plan wants.
    #[error("column `{column}` holds text, and a {what} must be a number")]
    NotANumber {
        /// The column.
        column: String,
        /// What it was to be.
        what: &'static str,
    },
    /// The plan lacks a column.
    #[error("neither a prediction nor a score column is named")]
    NothingToCompare,
}

/// Computes metrics of `data`.
///
/// # Errors
/// See [`Error`].
pub async fn judge(data: &Dataset, plan: &Plan) -> Result<Judged, Error> {
    let mut wanted: Vec<&str> = vec![&plan.label];
    wanted.extend(plan.prediction.as_deref());
    wanted.extend(plan.score.as_deref());
    if wanted.len() == 1 {
        return Err(Error::NothingToCompare);
    }
    let table = data.aligned(&wanted).await?;
    let plan = plan.clone();
    super::busy(move || compute(&table.columns, &plan)).await
}

fn compute(columns: &[AlignedColumn], plan: &Plan) -> Result<Judged, Error> {
    let label = Texts::of(&columns[0]);
    let prediction = plan.prediction.as_ref().map(|_| Texts::of(&columns[1]));
    let score = match (&plan.score, columns.last()) {
        (Some(_), Some(AlignedColumn::Numbers(values))) => Some(values.as_slice()),
        (Some(column), _) => return Err(Error::NotANumber { column: column.clone(), what: "score" }),
        (None, _) => None,
    };
    let rows = match plan.task {
        Task::Classification => Rows::classification_at(
            label.column(),
            prediction.as_ref().map(Texts::column),
            score,
            plan.positive.as_deref(),
            plan.decision_threshold,
        )?,
        Task::Regression => match (&prediction, score) {
            (Some(prediction), _) => Rows::regression(label.column(), prediction.column())?,
            (None, Some(score)) => Rows::regression(label.column(), Column::Numbers(score))?,
            (None, None) => return Err(Error::NothingToCompare),
        },
    };
    let names = (!plan.metrics.is_empty()).then_some(plan.metrics.as_slice());
    Ok(Judged {
        values: metrics::evaluate(plan.task, &rows, names)?,
        labelled: rows.n(),
        pending: rows.pending(),
        unpredicted: rows.unpredicted(),
    })
}

/// A column in the form that rows are made of.
pub(super) enum Texts<'a> {
    /// Numbers are taken as they are.
    Numbers(&'a [Option<f64>]),
    /// Text.
    Text(Vec<Option<String>>),
}

impl<'a> Texts<'a> {
    pub(super) fn of(column: &'a AlignedColumn) -> Self {
        match column {
            AlignedColumn::Numbers(values) => Self::Numbers(values),
            AlignedColumn::Text(values) => Self::Text(values.iter().map(|v| v.as_deref().map(str::to_owned)).collect()),
        }
    }

    pub(super) fn column(&self) -> Column<'_> {
        match self {
            Self::Numbers(values) => Column::Numbers(values),
            Self::Text(values) => Column::Text(values),
        }
    }
}
