//! Labels that came later than the predictions, joined by id.
//!
//! One label per id: the same one twice is a duplicate, and of different ones the latest counts where labels have times (a correction);
//! without times nobody knows which is right, so the id counts as contradictory and waits like one without a label. A row's id may
//! occur several times among the predictions; each gets the label. Ids are compared as text, whole numbers with all their digits.

use std::sync::Arc;

use hashbrown::HashMap;
use serde::Serialize;

use super::{Plan, Texts};
use crate::dataset::{self, AlignedColumn, Dataset};
use crate::stats::{median, quantile_sorted};

/// How labels met predictions.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Join {
    /// Rows of labels.
    pub labels: u64,
    /// Of these, repetitions of an id.
    pub duplicates: u64,
    /// Ids with different labels and no times that would tell which is the latest.
    pub contradictory: u64,
    /// Labels of ids that no prediction has.
    pub unknown: u64,
    /// Labels without an id or without a value.
    pub unusable: u64,
    /// Predictions whose id occurred before.
    pub repeated_predictions: u64,
    /// Predictions without an id.
    pub without_id: u64,
    /// How long labels took, where both sides have times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
}

/// How long labels took after their prediction, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Delay {
    /// Half came within.
    pub median_seconds: f64,
    /// 90 % came within.
    pub p90_seconds: f64,
    /// The slowest.
    pub max_seconds: f64,
}

/// The ids and times of predictions.
pub(super) struct Rows {
    ids: Vec<Option<String>>,
    times: Option<Vec<Option<i64>>>,
}

impl Rows {
    pub(super) async fn read(data: &[Dataset], plan: &Plan) -> Result<Self, dataset::Error> {
        let (mut ids, mut times) = (Vec::new(), Some(Vec::new()));
        for dataset in data {
            ids.extend(ids_of(dataset, &plan.id).await?);
            let here = times_of(dataset, plan.predicted_at.as_deref()).await?;
            times = times.zip(here).map(|(mut all, here): (Vec<Option<i64>>, Vec<Option<i64>>)| {
                all.extend(here);
                all
            });
        }
        Ok(Self { ids, times })
    }
}

/// Labels as they were read.
pub(super) struct Labels {
    ids: Vec<Option<String>>,
    values: AlignedColumn,
    times: Option<Vec<Option<i64>>>,
}

impl Labels {
    pub(super) async fn read(dataset: &Dataset, plan: &Plan) -> Result<Self, dataset::Error> {
        let ids = ids_of(dataset, &plan.id).await?;
        let table = dataset.aligned(&[plan.label.as_str()]).await?;
        let values = table.columns.into_iter().next().unwrap_or(AlignedColumn::Numbers(Vec::new()));
        Ok(Self { ids, values, times: times_of(dataset, plan.labelled_at.as_deref()).await? })
    }

    /// A label for each row, and how that went.
    pub(super) fn join(&self, rows: &Rows) -> (AlignedColumn, Join) {
        let (chosen, mut join) = self.choose();
        let mut seen: HashMap<&str, bool> = chosen.keys().map(|id| (*id, false)).collect();
        let mut delays = Vec::new();
        let mut places = Vec::with_capacity(rows.ids.len());
        let mut met: HashMap<&str, ()> = HashMap::with_capacity(rows.ids.len());
        for (row, id) in rows.ids.iter().enumerate() {
            let Some(id) = id.as_deref() else {
                join.without_id += 1;
                places.push(None);
                continue;
            };
            join.repeated_predictions += u64::from(met.insert(id, ()).is_some());
            if let Some(is_met) = seen.get_mut(id) {
                *is_met = true;
            }
            let place = chosen.get(id).and_then(|choice| choice.place);
            if let Some(place) = place
                && let (Some(sent), Some(came)) =
                    (time_at(rows.times.as_ref(), row), time_at(self.times.as_ref(), place))
            {
                delays.push((came - sent) as f64 / 1e6);
            }
            places.push(place);
        }
        join.unknown = seen.values().filter(|is_met| !**is_met).count() as u64;
        join.delay = delay(delays);
        let labels = match &self.values {
            AlignedColumn::Numbers(values) => {
                AlignedColumn::Numbers(places.iter().map(|place| place.and_then(|place| values[place])).collect())
            }
            AlignedColumn::Text(values) => {
                AlignedColumn::Text(places.iter().map(|place| place.and_then(|place| values[place].clone())).collect())
            }
        };
        (labels, join)
    }

    /// The row of the label of each id.
    fn choose(&self) -> (HashMap<&str, Choice>, Join) {
        let mut join = Join { labels: self.ids.len() as u64, ..Join::default() };
        let mut chosen: HashMap<&str, Choice> = HashMap::new();
        for (row, id) in self.ids.iter().enumerate() {
            let Some(id) = id.as_deref().filter(|_| self.has_value(row)) else {
                join.unusable += 1;
                continue;
            };
            let time = time_at(self.times.as_ref(), row);
            match chosen.get_mut(id) {
                None => {
                    chosen.insert(id, Choice { place: Some(row), first: row, time });
                }
                Some(choice) => {
                    join.duplicates += 1;
                    let differs = choice.place.is_none_or(|place| !self.same(place, row));
                    match (time, choice.time) {
                        (Some(now), Some(before)) if now > before => {
                            *choice = Choice { place: Some(row), first: row, time };
                        }
                        (Some(now), Some(before)) if now < before => {}
                        _ if differs || !self.same(choice.first, row) => choice.place = None,
                        _ => {}
                    }
                }
            }
        }
        join.contradictory = chosen.values().filter(|choice| choice.place.is_none()).count() as u64;
        (chosen, join)
    }

    fn has_value(&self, row: usize) -> bool {
        match &self.values {
            AlignedColumn::Numbers(values) => values[row].is_some(),
            AlignedColumn::Text(values) => values[row].is_some(),
        }
    }

    fn same(&self, a: usize, b: usize) -> bool {
        match &self.values {
            AlignedColumn::Numbers(values) => values[a] == values[b],
            AlignedColumn::Text(values) => values[a] == values[b],
        }
    }
}

/// Which label an id has; none while they contradict each other.
struct Choice {
    place: Option<usize>,
    first: usize,
    time: Option<i64>,
}

fn time_at(times: Option<&Vec<Option<i64>>>, row: usize) -> Option<i64> {
    times.and_then(|times| times.get(row).copied().flatten())
}

fn delay(mut seconds: Vec<f64>) -> Option<Delay> {
    seconds.sort_unstable_by(f64::total_cmp);
    Some(Delay {
        median_seconds: median(&seconds)?,
        p90_seconds: quantile_sorted(&seconds, 0.9)?,
        max_seconds: *seconds.last()?,
    })
}

/// What names each row; none where a part is missing. Several parts are told apart by their lengths.
async fn ids_of(dataset: &Dataset, columns: &[String]) -> Result<Vec<Option<String>>, dataset::Error> {
    let mut parts: Vec<Texts> = Vec::with_capacity(columns.len());
    for column in columns {
        parts.push(dataset.texts(column).await?);
    }
    let rows = parts.first().map_or(0, Vec::len);
    let one = |part: &Texts, row: usize| -> Option<Arc<str>> { part.get(row).cloned().flatten() };
    let id = |row: usize| {
        if let [only] = parts.as_slice() {
            return one(only, row).map(|text| text.to_string());
        }
        let texts: Option<Vec<Arc<str>>> = parts.iter().map(|part| one(part, row)).collect();
        Some(texts?.iter().map(|text| format!("{}:{text}", text.len())).collect::<String>())
    };
    Ok((0..rows).map(id).collect())
}

async fn times_of(dataset: &Dataset, column: Option<&str>) -> Result<Option<Vec<Option<i64>>>, dataset::Error> {
    match column {
        Some(column) => dataset.times(column).await.map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| (!text.is_empty()).then(|| (*text).to_owned())).collect()
    }

    fn labels(texts: &[&str], values: &[f64], times: Option<&[i64]>) -> Labels {
        let values = values.iter().map(|value| Some(*value).filter(|value| !value.is_nan())).collect();
        let times = times.map(|times| times.iter().copied().map(Some).collect());
        Labels { ids: ids(texts), values: AlignedColumn::Numbers(values), times }
    }

    #[test]
    fn labels_meet_predictions_whatever_their_order() {
        let rows = Rows { ids: ids(&["a", "b", "", "c", "a"]), times: Some(vec![Some(0); 5]) };
        let late = labels(&["c", "x", "a", ""], &[3.0, 9.0, 1.0, 4.0], Some(&[10_000_000, 0, 20_000_000, 0]));
        let (joined, join) = late.join(&rows);
        assert_eq!(joined, AlignedColumn::Numbers(vec![Some(1.0), None, None, Some(3.0), Some(1.0)]));
        assert_eq!((join.labels, join.unknown, join.unusable), (4, 1, 1));
        assert_eq!((join.repeated_predictions, join.without_id, join.duplicates), (1, 1, 0));
        assert_eq!(join.delay.map(|of| (of.median_seconds, of.max_seconds)), Some((20.0, 20.0)));
    }

    #[test]
    fn a_correction_counts_and_a_contradiction_does_not() {
        let rows = Rows { ids: ids(&["a", "b", "c"]), times: None };
        let timed = labels(&["a", "a", "b", "b"], &[1.0, 2.0, 5.0, 5.0], Some(&[2, 1, 1, 1]));
        let (joined, join) = timed.join(&rows);
        assert_eq!(joined, AlignedColumn::Numbers(vec![Some(1.0), Some(5.0), None]));
        assert_eq!((join.duplicates, join.contradictory), (2, 0));
        let untimed = labels(&["a", "a", "a", "b", "c"], &[1.0, 2.0, 1.0, 5.0, f64::NAN], None);
        let (joined, join) = untimed.join(&rows);
        assert_eq!(
            joined,
            AlignedColumn::Numbers(vec![None, Some(5.0), None]),
            "nobody knows which of 1 and 2 is right"
        );
        assert_eq!((join.duplicates, join.contradictory, join.unusable), (2, 1, 1));
    }
}
