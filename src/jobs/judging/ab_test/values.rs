//! The values of rows: outcomes, losses of predictions against labels, scores.

use super::{Arm, Error, Measure};
use crate::dataset::AlignedColumn;
use crate::metrics::{self, Column, Rows, Task};

/// Labels as 0 and 1.
pub(super) fn labels(name: &str, column: &AlignedColumn, rows: &[usize]) -> Result<Vec<Option<f64>>, Error> {
    let values = numbers(name, column, rows)?;
    match values.iter().flatten().find(|value| **value != 0.0 && **value != 1.0) {
        Some(value) => Err(Error::NotALabel { column: name.to_owned(), value: *value }),
        None => Ok(values),
    }
}

/// One value of the rows of an arm.
pub(super) fn values<'a>(
    measure: &Measure,
    arm: &Arm,
    side: usize,
    rows: &[usize],
    column: &dyn Fn(&str) -> &'a AlignedColumn,
) -> Result<Vec<Option<f64>>, Error> {
    let variant = if arm.variant.is_empty() { ["control", "treatment"][side] } else { &arm.variant };
    let (metric, label) = match measure {
        Measure::Outcome(columns) => return numbers(&columns[side], column(&columns[side]), rows),
        Measure::Score { .. } => {
            let missing =
                || Error::MissingColumn { metric: "roc_auc".to_owned(), variant: variant.to_owned(), needed: "score" };
            let name = arm.score.as_ref().ok_or_else(missing)?;
            return numbers(name, column(name), rows);
        }
        Measure::Loss { metric, label } => (metric, label),
    };
    let loss = metrics::row_loss(metric).ok_or_else(|| Error::NoRowValue(metric.clone()))?;
    let missing = |needed| Error::MissingColumn { metric: metric.clone(), variant: variant.to_owned(), needed };
    let label = Part::of(column(label), rows);
    let prediction = arm.prediction.as_ref().map(|name| Part::of(column(name), rows));
    let score = arm.score.as_ref().map(|name| numbers(name, column(name), rows)).transpose()?;
    let kept = match loss.task() {
        Task::Classification => {
            if prediction.is_none() && score.is_none() {
                return Err(missing("score"));
            }
            Rows::classification(label.column(), prediction.as_ref().map(Part::column), score.as_deref(), None)?
        }
        Task::Regression => {
            let prediction = prediction.ok_or_else(|| missing("prediction"))?;
            Rows::regression(label.column(), prediction.column())?
        }
    };
    metrics::per_row_loss(metric, &kept).ok_or_else(|| missing("score (a probability)"))
}

/// The rows of one arm of a column.
enum Part {
    Numbers(Vec<Option<f64>>),
    Text(Vec<Option<String>>),
}

impl Part {
    fn of(column: &AlignedColumn, rows: &[usize]) -> Self {
        match column {
            AlignedColumn::Numbers(values) => Self::Numbers(rows.iter().map(|&row| values[row]).collect()),
            AlignedColumn::Text(values) => {
                Self::Text(rows.iter().map(|&row| values[row].as_deref().map(str::to_owned)).collect())
            }
        }
    }

    fn column(&self) -> Column<'_> {
        match self {
            Self::Numbers(values) => Column::Numbers(values),
            Self::Text(values) => Column::Text(values),
        }
    }
}

/// The numbers of a column; true and false count as 1 and 0.
pub(super) fn numbers(name: &str, column: &AlignedColumn, rows: &[usize]) -> Result<Vec<Option<f64>>, Error> {
    match Part::of(column, rows) {
        Part::Numbers(values) => Ok(values),
        // Outcomes such as "converted: true" are counted as 1 and 0.
        Part::Text(values) if values.iter().flatten().all(|v| v == "true" || v == "false") => {
            Ok(values.into_iter().map(|v| v.map(|v| f64::from(u8::from(v == "true")))).collect())
        }
        Part::Text(_) => Err(Error::NotANumber { column: name.to_owned() }),
    }
}

/// A cell as text.
pub(super) fn text(column: &AlignedColumn, row: usize) -> Option<std::borrow::Cow<'_, str>> {
    match column {
        AlignedColumn::Numbers(values) => values[row].map(|v| v.to_string().into()),
        AlignedColumn::Text(values) => values[row].as_deref().map(Into::into),
    }
}
