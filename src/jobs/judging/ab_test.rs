//! The two arms of an A/B test from one dataset: a value per row, by the variant that served it.

use crate::ab;
use crate::dataset::{self, AlignedColumn, Dataset};
use crate::metrics::{self, Column, Rows, Task};

/// One arm.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Value of the variant column, as text.
    pub variant: String,
    /// Column of the score of the positive class, for losses of scores.
    pub score: Option<String>,
    /// Column of the predicted class or number, for losses of predictions.
    pub prediction: Option<String>,
}

/// What is compared.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Column that says which arm served a row.
    pub variant_column: String,
    /// The control.
    pub control: Arm,
    /// The treatment.
    pub treatment: Arm,
    /// The value of a row.
    pub measure: Measure,
}

/// The value of a row.
#[derive(Debug, Clone)]
pub enum Measure {
    /// The number in a column.
    Outcome(String),
    /// A loss of the arm's prediction against the label.
    Loss {
        /// `brier`, `log_loss`, `accuracy`, `absolute_error` or `squared_error`.
        metric: String,
        /// Column of the truth.
        label: String,
    },
}

/// Both arms, and what did not go into them.
#[derive(Debug, Clone)]
pub struct Arms {
    /// The control and the treatment; rows without a value (no label yet, no outcome) are counted as dropped.
    pub arms: ab::Arms,
    /// Rows of neither variant.
    pub unknown: u64,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading.
    #[error(transparent)]
    Data(#[from] dataset::Error),
    /// The columns cannot be used.
    #[error(transparent)]
    Rows(#[from] metrics::RowsError),
    /// A column cannot be used as the plan wants.
    #[error("column `{column}` holds text, and an outcome or score must be a number")]
    NotANumber {
        /// The column.
        column: String,
    },
    /// The metric needs a column that the arm does not name.
    #[error("metric `{metric}` of variant `{variant}` needs its {needed} column")]
    MissingColumn {
        /// The metric.
        metric: String,
        /// The arm.
        variant: String,
        /// `score` or `prediction`.
        needed: &'static str,
    },
    /// The metric is no mean over rows.
    #[error(
        "metric `{0}` has no value for each row; choose brier, log_loss, accuracy, absolute_error or squared_error"
    )]
    NoRowValue(String),
}

/// Reads both arms.
///
/// # Errors
/// See [`Error`].
pub async fn read(data: &Dataset, plan: &Plan) -> Result<Arms, Error> {
    let mut wanted: Vec<String> = vec![plan.variant_column.clone()];
    match &plan.measure {
        Measure::Outcome(column) => wanted.push(column.clone()),
        Measure::Loss { label, .. } => {
            wanted.push(label.clone());
            for arm in [&plan.control, &plan.treatment] {
                wanted.extend(arm.score.clone());
                wanted.extend(arm.prediction.clone());
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    wanted.retain(|name| seen.insert(name.clone()));
    let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let table = data.aligned(&names).await?;
    let plan = plan.clone();
    super::busy(move || {
        let column = |name: &str| &table.columns[wanted.iter().position(|w| w == name).unwrap_or(0)];
        arms(&plan, table.rows, &column)
    })
    .await
}

fn arms<'a>(plan: &Plan, rows: usize, column: &dyn Fn(&str) -> &'a AlignedColumn) -> Result<Arms, Error> {
    let variants = column(&plan.variant_column);
    let (mut of_a, mut of_b, mut unknown) = (Vec::new(), Vec::new(), 0);
    for row in 0..rows {
        match text(variants, row) {
            Some(v) if v == plan.control.variant => of_a.push(row),
            Some(v) if v == plan.treatment.variant => of_b.push(row),
            _ => unknown += 1,
        }
    }
    let a = values(plan, &plan.control, &of_a, column)?;
    let b = values(plan, &plan.treatment, &of_b, column)?;
    Ok(Arms { arms: ab::Arms::of_rows(&a, &b), unknown })
}

fn values<'a>(
    plan: &Plan,
    arm: &Arm,
    rows: &[usize],
    column: &dyn Fn(&str) -> &'a AlignedColumn,
) -> Result<Vec<Option<f64>>, Error> {
    let (metric, label) = match &plan.measure {
        Measure::Outcome(name) => return numbers(name, column(name), rows),
        Measure::Loss { metric, label } => (metric, label),
    };
    let loss = metrics::row_loss(metric).ok_or_else(|| Error::NoRowValue(metric.clone()))?;
    let missing = |needed| Error::MissingColumn { metric: metric.clone(), variant: arm.variant.clone(), needed };
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

fn numbers(name: &str, column: &AlignedColumn, rows: &[usize]) -> Result<Vec<Option<f64>>, Error> {
    match Part::of(column, rows) {
        Part::Numbers(values) => Ok(values),
        // Outcomes such as "converted: true" are counted as 1 and 0.
        Part::Text(values) if values.iter().flatten().all(|v| v == "true" || v == "false") => {
            Ok(values.into_iter().map(|v| v.map(|v| f64::from(u8::from(v == "true")))).collect())
        }
        Part::Text(_) => Err(Error::NotANumber { column: name.to_owned() }),
    }
}

fn text(column: &AlignedColumn, row: usize) -> Option<std::borrow::Cow<'_, str>> {
    match column {
        AlignedColumn::Numbers(values) => values[row].map(|v| v.to_string().into()),
        AlignedColumn::Text(values) => values[row].as_deref().map(Into::into),
    }
}
