//! Rows of one side: columns read one by one, put together as a method needs them.

use std::sync::Arc;

use super::Plan;
use crate::dataset::{AlignedColumn, Error};
use crate::drift::Status;
use crate::drift::concept::{Binary, Data, Needs, Side as Rows, Task};
use crate::jobs::judging::side::Side;
use crate::metrics::{self, Column};

/// A column, or why it cannot be read.
type Found<T> = Result<T, String>;

/// The columns of one side.
pub(super) struct Read {
    label: Found<AlignedColumn>,
    prediction: Option<Found<AlignedColumn>>,
    score: Option<Found<AlignedColumn>>,
    features: Vec<Found<AlignedColumn>>,
    times: Option<Found<Vec<Option<i64>>>>,
}

/// What a method wants of a side.
pub(super) struct Wanted<'a> {
    pub(super) plan: &'a Plan,
    pub(super) needs: Needs,
    pub(super) needs_labels: bool,
    pub(super) uses_features: bool,
    pub(super) positive: Option<&'a str>,
}

/// Why rows cannot be put together.
type Problem = (Status, String);

impl Read {
    /// Reads every column that the plan names.
    pub(super) async fn of(side: &Side, plan: &Plan, time: Option<String>) -> Result<Self, Error> {
        let mut features = Vec::with_capacity(plan.features.len());
        for feature in &plan.features {
            features.push(column(side, feature).await?);
        }
        let optional = async |name: &Option<String>| match name {
            Some(name) => column(side, name).await.map(Some),
            None => Ok(None),
        };
        Ok(Self {
            label: column(side, &plan.label).await?,
            prediction: optional(&plan.prediction).await?,
            score: optional(&plan.score).await?,
            features,
            times: match time {
                Some(time) => Some(about_the_column(side.times(&time).await)?),
                None => None,
            },
        })
    }

    /// The positive class by convention, when the labels are of two classes.
    pub(super) fn positive_class(&self) -> Option<String> {
        let label = self.label.as_ref().ok()?;
        let owned = crate::jobs::judging::metrics::Owned::of(label);
        let column: Column<'_> = owned.column();
        let rows = metrics::Rows::classification(column, Some(column), None, None).ok()?;
        rows.positive_class().map(str::to_owned)
    }

    /// The rows, and their times where there are any.
    pub(super) fn rows(&self, wanted: &Wanted<'_>) -> Result<(Rows, Option<Vec<i64>>), Problem> {
        let count = self.count();
        let known = match (&self.label, wanted.needs_labels) {
            (Ok(column), _) => Some(column),
            (Err(reason), true) => return Err((Status::SchemaError, reason.clone())),
            (Err(_), false) => None,
        };
        let times = match (&self.times, wanted.needs.time) {
            (Some(times), true) => Some(times.as_ref().map_err(|reason| (Status::SchemaError, reason.clone()))?),
            _ => None,
        };
        let mut places: Vec<usize> = (0..count).collect();
        if let Some(times) = times {
            places.retain(|&row| times.get(row).is_some_and(Option::is_some));
            // A stable sort: rows of one time stay in the order in which they were read.
            places.sort_by_key(|&row| times[row]);
        }
        let (mut rows, kept) = match wanted.plan.task {
            Task::Classification => self.classes(known, &places, wanted)?,
            Task::Regression => self.numbers(known, &places, wanted)?,
        };
        rows.rows = count as u64;
        rows.left_out = (count - kept.len()) as u64;
        Ok((rows, times.map(|times| kept.iter().filter_map(|&row| times[row]).collect())))
    }

    fn count(&self) -> usize {
        let columns = [Some(&self.label), self.prediction.as_ref(), self.score.as_ref()];
        columns.into_iter().flatten().chain(&self.features).find_map(|c| c.as_ref().ok()).map_or(0, length)
    }

    fn classes(
        &self,
        label: Option<&AlignedColumn>,
        places: &[usize],
        wanted: &Wanted<'_>,
    ) -> Result<(Rows, Vec<usize>), Problem> {
        let prediction = self.prediction.as_ref().map(|column| read(column)).transpose()?.map(texts);
        let needs_score = wanted.needs.score || prediction.is_none();
        let score = match &self.score {
            Some(column) if needs_score => Some(numbers(read(column)?, wanted.plan.score.as_deref(), "a score")?),
            _ => None,
        };
        let label = label.map(texts);
        let positive = wanted.positive;
        if prediction.is_none() && positive.is_none() {
            let reason = "scores are of one class among two, and the labels do not say which; name it with `positive`";
            return Err((Status::NotApplicable, reason.to_owned()));
        }
        let (mut rows, mut binary, mut kept) = (Rows::default(), Binary::default(), Vec::new());
        for &row in places {
            let truth = label.as_ref().and_then(|label| label[row].as_deref());
            let guess = prediction.as_ref().map(|prediction| prediction[row].as_deref());
            let chance = score.map(|score| score[row]);
            if guess == Some(None) || chance == Some(None) {
                continue;
            }
            let is_positive = truth.map(|truth| Some(truth) == positive);
            let predicted = match (guess.flatten(), chance.flatten()) {
                (Some(guess), _) => Some(guess) == positive,
                (None, Some(chance)) => chance >= wanted.plan.decision_threshold,
                (None, None) => continue,
            };
            let is_wrong = match guess.flatten() {
                Some(guess) => truth.map(|truth| truth != guess),
                None => is_positive.map(|is_positive| is_positive != predicted),
            };
            rows.errors.push(is_wrong.map(|wrong| f64::from(u8::from(wrong))));
            binary.truth.push(is_positive);
            binary.predicted.push(predicted);
            binary.scores.extend(chance.flatten());
            kept.push(row);
        }
        if positive.is_some() {
            rows.data = Data::Binary(binary);
        }
        Ok((rows, kept))
    }

    fn numbers(
        &self,
        label: Option<&AlignedColumn>,
        places: &[usize],
        wanted: &Wanted<'_>,
    ) -> Result<(Rows, Vec<usize>), Problem> {
        let prediction =
            self.prediction.as_ref().ok_or((Status::NotApplicable, "no prediction is named".to_owned()))?;
        let prediction = numbers(read(prediction)?, wanted.plan.prediction.as_deref(), "a prediction")?;
        let label = label.map(|label| numbers(label, Some(&wanted.plan.label), "a label")).transpose()?;
        let mut features = Vec::new();
        if wanted.uses_features {
            for (column, name) in self.features.iter().zip(&wanted.plan.features) {
                features.push(numbers(read(column)?, Some(name), "a feature of `dle`")?);
            }
        }
        let (mut rows, mut columns, mut kept) = (Rows::default(), vec![Vec::new(); 1 + features.len()], Vec::new());
        for &row in places {
            let Some(predicted) = prediction[row] else { continue };
            let truth = label.and_then(|label| label[row]);
            rows.errors.push(truth.map(|truth| (truth - predicted).abs()));
            columns[0].push(predicted);
            for (column, values) in columns[1..].iter_mut().zip(&features) {
                column.push(values[row].unwrap_or(f64::NAN));
            }
            kept.push(row);
        }
        rows.data = Data::Features(columns);
        Ok((rows, kept))
    }
}

async fn column(side: &Side, name: &str) -> Result<Found<AlignedColumn>, Error> {
    let read = about_the_column(side.aligned(&[name]).await)?;
    Ok(read.and_then(|table| {
        table.and_then(|table| table.columns.into_iter().next()).ok_or_else(|| "a profile has no rows".to_owned())
    }))
}

/// An error about a column is kept for those who need it.
fn about_the_column<T>(read: Result<T, Error>) -> Result<Found<T>, Error> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.is_about_a_column() => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

fn read(column: &Found<AlignedColumn>) -> Result<&AlignedColumn, Problem> {
    column.as_ref().map_err(|reason| (Status::SchemaError, reason.clone()))
}

fn texts(column: &AlignedColumn) -> Vec<Option<Arc<str>>> {
    column.clone().into_texts()
}

fn numbers<'a>(column: &'a AlignedColumn, name: Option<&str>, what: &str) -> Result<&'a [Option<f64>], Problem> {
    match column {
        AlignedColumn::Numbers(values) => Ok(values),
        AlignedColumn::Text(_) => {
            let reason = format!("column `{}` holds text, and {what} is a number", name.unwrap_or_default());
            Err((Status::SchemaError, reason))
        }
    }
}

fn length(column: &AlignedColumn) -> usize {
    match column {
        AlignedColumn::Numbers(values) => values.len(),
        AlignedColumn::Text(values) => values.len(),
    }
}
