//! The columns that metrics are computed from, of all rows or of some.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::labels::{self, Join, Labels};
use super::{Error, Plan, Texts};
use crate::dataset::{self, AlignedColumn, Dataset, Table};
use crate::metrics::{Column, Given, Rows, Task};

/// The segment of rows without a value.
const NO_VALUE: &str = "(missing)";

/// What was read, before labels are joined.
pub(super) struct Read {
    plan: Plan,
    table: Table,
    /// The place of each named column in the table.
    places: BTreeMap<String, usize>,
    /// Labels that came later, and what names the rows here.
    labels: Option<(Labels, labels::Rows)>,
}

impl Read {
    pub(super) async fn of(data: &[Dataset], later: Option<&Dataset>, plan: &Plan) -> Result<Self, dataset::Error> {
        let mut wanted: Vec<&str> = Vec::new();
        let label = later.is_none().then_some(&plan.label);
        let named = label.into_iter().chain(&plan.prediction).chain(&plan.score).chain(&plan.weight);
        for name in named.chain(&plan.group_by).chain(plan.class_scores.iter().map(|(_, column)| column)) {
            if !wanted.contains(&name.as_str()) {
                wanted.push(name);
            }
        }
        let mut table: Option<Table> = None;
        for dataset in data {
            let next = dataset.aligned(&wanted).await?;
            table = Some(match table {
                None => next,
                Some(all) => all.followed_by(next),
            });
        }
        let labels = match later {
            None => None,
            Some(later) => Some((Labels::read(later, plan).await?, labels::Rows::read(data, plan).await?)),
        };
        let places = wanted.into_iter().map(str::to_owned).zip(0..).collect();
        Ok(Self { plan: plan.clone(), table: table.unwrap_or_default(), places, labels })
    }

    pub(super) fn into_columns(self) -> Result<(Columns, Option<Join>), Error> {
        let Self { plan, table, places, labels } = self;
        let column = |name: &str| places.get(name).and_then(|place| table.columns.get(*place));
        let numbers = |name: &String, what: &'static str| match column(name) {
            Some(AlignedColumn::Numbers(values)) => Ok(values.clone()),
            // A column without any value has no type of its own.
            Some(AlignedColumn::Text(values)) if values.iter().all(Option::is_none) => Ok(vec![None; values.len()]),
            _ => Err(Error::NotANumber { column: name.clone(), what }),
        };
        let of_named = |name: &String| column(name).map(Owned::of).unwrap_or_default();
        let (label, join) = match labels {
            None => (of_named(&plan.label), None),
            Some((labels, rows)) => {
                let (label, join) = labels.join(&rows);
                (Owned::of(&label), Some(join))
            }
        };
        let class_scores = plan.class_scores.iter();
        let columns = Columns {
            label: label.for_task(plan.task),
            prediction: plan.prediction.as_ref().map(of_named).map(|column| column.for_task(plan.task)),
            score: plan.score.as_ref().map(|name| numbers(name, "score")).transpose()?,
            class_scores: class_scores.map(|(_, name)| numbers(name, "class score")).collect::<Result<_, _>>()?,
            weight: plan.weight.as_ref().map(|name| numbers(name, "weight")).transpose()?,
            group: plan.group_by.as_ref().and_then(|name| column(name)).map(|column| column.clone().into_texts()),
        };
        Ok((columns, join))
    }
}

/// A column in the form that rows are made of.
#[derive(Clone)]
pub(in crate::jobs::judging) enum Owned {
    Numbers(Vec<Option<f64>>),
    Text(Vec<Option<String>>),
}

impl Default for Owned {
    fn default() -> Self {
        Self::Numbers(Vec::new())
    }
}

impl Owned {
    pub(in crate::jobs::judging) fn of(column: &AlignedColumn) -> Self {
        match column {
            AlignedColumn::Numbers(values) => Self::Numbers(values.clone()),
            AlignedColumn::Text(values) => Self::Text(values.iter().map(|v| v.as_deref().map(str::to_owned)).collect()),
        }
    }

    /// A column without any value has no type: for a regression it is one of missing numbers.
    fn for_task(self, task: Task) -> Self {
        match self {
            Self::Text(values) if task == Task::Regression && values.iter().all(Option::is_none) => {
                Self::Numbers(vec![None; values.len()])
            }
            other => other,
        }
    }

    pub(in crate::jobs::judging) fn column(&self) -> Column<'_> {
        match self {
            Self::Numbers(values) => Column::Numbers(values),
            Self::Text(values) => Column::Text(values),
        }
    }

    fn only(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(values) => Self::Numbers(picked(values, rows)),
            Self::Text(values) => Self::Text(picked(values, rows)),
        }
    }
}

fn picked<T: Clone>(values: &[Option<T>], rows: &[usize]) -> Vec<Option<T>> {
    rows.iter().map(|row| values.get(*row).cloned().flatten()).collect()
}

/// The columns, row-aligned.
pub(super) struct Columns {
    label: Owned,
    prediction: Option<Owned>,
    score: Option<Vec<Option<f64>>>,
    class_scores: Vec<Vec<Option<f64>>>,
    weight: Option<Vec<Option<f64>>>,
    group: Option<Texts>,
}

impl Columns {
    pub(super) fn rows(&self, plan: &Plan) -> Result<Rows, Error> {
        let names = plan.class_scores.iter().map(|(class, _)| class.as_str());
        let given = Given {
            prediction: self.prediction.as_ref().map(Owned::column),
            score: self.score.as_deref(),
            class_scores: names.zip(self.class_scores.iter().map(Vec::as_slice)).collect(),
            weight: self.weight.as_deref(),
            positive: plan.positive.as_deref(),
            classes: plan.classes.iter().map(String::as_str).collect(),
            settings: plan.settings,
            ..Given::new(self.label.column())
        };
        Ok(match plan.task {
            Task::Classification => Rows::classify(&given)?,
            Task::Regression => Rows::regress(&given)?,
        })
    }

    /// The rows of each of the `most` largest segments, the largest first, and how many segments are left out.
    pub(super) fn segments(&self, most: usize) -> (Vec<(String, Vec<usize>)>, usize) {
        let mut parts: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        let none: Arc<str> = Arc::from(NO_VALUE);
        for (row, text) in self.group.iter().flatten().enumerate() {
            parts.entry(text.clone().unwrap_or_else(|| none.clone())).or_default().push(row);
        }
        let mut parts: Vec<(Arc<str>, Vec<usize>)> = parts.into_iter().collect();
        parts.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(&b.0)));
        let left_out = parts.len().saturating_sub(most);
        parts.truncate(most);
        (parts.into_iter().map(|(name, rows)| (name.to_string(), rows)).collect(), left_out)
    }

    pub(super) fn only(&self, rows: &[usize]) -> Self {
        let numbers = |values: &Vec<Option<f64>>| picked(values, rows);
        Self {
            label: self.label.only(rows),
            prediction: self.prediction.as_ref().map(|column| column.only(rows)),
            score: self.score.as_ref().map(numbers),
            class_scores: self.class_scores.iter().map(numbers).collect(),
            weight: self.weight.as_ref().map(numbers),
            group: None,
        }
    }
}
