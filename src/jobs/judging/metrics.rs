//! Validation metrics of datasets: labels against predictions or scores, row by row.
//!
//! Rows without a label are pending, rows without a prediction are unpredicted; both are counted and neither is wrong. Labels stand in
//! the data, or come later and are joined by id. All rows are judged together and, where asked, each segment on its own, with the
//! positive class that all rows have.

mod columns;
mod labels;

use std::sync::Arc;

pub(super) use self::columns::Owned;
use self::columns::{Columns, Read};
pub use self::labels::{Delay, Join};
use super::segments::MOST_SEGMENTS;
use crate::dataset::{self, Dataset};
use crate::metrics::{self, Settings, Task, Value};

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
    /// Class and column of the score of each class.
    pub class_scores: Vec<(String, String)>,
    /// Column of the weight of a row.
    pub weight: Option<String>,
    /// Column whose values are judged each on their own.
    pub group_by: Option<String>,
    /// The positive class.
    pub positive: Option<String>,
    /// The classes that are averaged over; those that occur when empty.
    pub classes: Vec<String>,
    /// The conventions of metrics.
    pub settings: Settings,
    /// Names of metrics; empty means the task's default set.
    pub metrics: Vec<String>,
    /// Names of metrics that are computed for each class too.
    pub by_class: Vec<String>,
    /// Columns that name a row, where labels are joined.
    pub id: Vec<String>,
    /// Column of the time of a prediction, where labels are joined.
    pub predicted_at: Option<String>,
    /// Column of the time that a label came, where labels are joined.
    pub labelled_at: Option<String>,
}

impl Plan {
    /// A plan of the default metrics of a prediction against a label.
    #[must_use]
    pub fn new(task: Task, label: impl Into<String>) -> Self {
        Self {
            task,
            label: label.into(),
            prediction: None,
            score: None,
            class_scores: Vec::new(),
            weight: None,
            group_by: None,
            positive: None,
            classes: Vec::new(),
            settings: Settings::default(),
            metrics: Vec::new(),
            by_class: Vec::new(),
            id: Vec::new(),
            predicted_at: None,
            labelled_at: None,
        }
    }
}

/// What was computed.
#[derive(Debug, Clone)]
pub struct Judged {
    /// All rows.
    pub whole: Judgement,
    /// The largest segments, by their title such as `region = EU`.
    pub segments: Vec<(String, Judgement)>,
    /// Segments that are too small to be among them.
    pub segments_left_out: usize,
    /// How the labels were joined, where they were.
    pub join: Option<Join>,
}

/// What was computed of some rows.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// The metrics in the order asked for, and then those of classes.
    pub values: Vec<Value>,
    /// Rows with label and prediction.
    pub labelled: u64,
    /// Rows whose label is not known yet.
    pub pending: u64,
    /// Rows with a label and without a prediction or score.
    pub unpredicted: u64,
    /// Rows whose weight is missing, negative or infinite.
    pub unweighted: u64,
    /// The class that binary metrics are about.
    pub positive: Option<String>,
    /// Why nothing was computed, when these rows cannot be judged although others can.
    pub problem: Option<String>,
}

impl Judgement {
    /// Share of the rows whose label has come; 0 without rows.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        let known = self.labelled + self.unpredicted + self.unweighted;
        let all = known + self.pending;
        if all == 0 { 0.0 } else { known as f64 / all as f64 }
    }
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

/// Computes metrics of `data`, all of it together; of `labels` where they came later.
///
/// # Errors
/// See [`Error`].
pub async fn judge(data: &[Dataset], labels: Option<&Dataset>, plan: &Plan) -> Result<Judged, Error> {
    if plan.prediction.is_none() && plan.score.is_none() && plan.class_scores.is_empty() {
        return Err(Error::NothingToCompare);
    }
    let read = Read::of(data, labels, plan).await?;
    let plan = plan.clone();
    super::busy(move || compute(read, &plan)).await
}

fn compute(read: Read, plan: &Plan) -> Result<Judged, Error> {
    let (columns, join) = read.into_columns()?;
    let whole = of_rows(&columns, plan)?;
    let (mut segments, mut segments_left_out) = (Vec::new(), 0);
    if let Some(group) = &plan.group_by {
        let (parts, left_out) = columns.segments(MOST_SEGMENTS);
        segments_left_out = left_out;
        // What is positive does not depend on the segment.
        let plan = Plan { positive: whole.positive.clone().or_else(|| plan.positive.clone()), ..plan.clone() };
        for (name, rows) in parts {
            let judged = of_rows(&columns.only(&rows), &plan)
                .unwrap_or_else(|problem| Judgement { problem: Some(problem.to_string()), ..Judgement::default() });
            segments.push((format!("{group} = {name}"), judged));
        }
    }
    Ok(Judged { whole, segments, segments_left_out, join })
}

fn of_rows(columns: &Columns, plan: &Plan) -> Result<Judgement, Error> {
    let rows = columns.rows(plan)?;
    let names = (!plan.metrics.is_empty()).then_some(plan.metrics.as_slice());
    let mut values = metrics::evaluate(plan.task, &rows, names)?;
    if !plan.by_class.is_empty() {
        values.extend(metrics::by_class(&rows, Some(&plan.by_class)));
    }
    Ok(Judgement {
        values,
        labelled: rows.n(),
        pending: rows.pending(),
        unpredicted: rows.unpredicted(),
        unweighted: rows.unweighted(),
        positive: rows.positive_class().map(str::to_owned),
        problem: None,
    })
}

/// A value per row as text that rows may share.
pub(super) type Texts = Vec<Option<Arc<str>>>;
