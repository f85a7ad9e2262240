//! The rows of one request: each request id once, what is missing of a row filled in by its repetition.

use std::collections::BTreeMap;

use serde_json::json;

use super::Observation;
use crate::db::ab_tests::observations::{self, NewRows};

/// What a row says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    unit: Option<String>,
    variant: String,
    outcome: Option<f64>,
    metrics: BTreeMap<String, f64>,
    covariate: Option<f64>,
}

impl Row {
    fn of_given(row: &Observation) -> Self {
        let metrics = row.metrics.iter().filter_map(|(name, value)| Some((name.clone(), (*value)?)));
        Self {
            unit: row.unit_id.clone(),
            variant: row.variant.clone(),
            outcome: row.outcome,
            metrics: metrics.collect(),
            covariate: row.covariate,
        }
    }

    /// A row that is kept.
    pub(super) fn of_kept(row: &observations::Observation) -> Self {
        let metrics = row.metrics.as_object().into_iter().flatten();
        let metrics = metrics.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)));
        Self {
            unit: row.unit.clone(),
            variant: row.variant.clone(),
            outcome: row.outcome,
            metrics: metrics.collect(),
            covariate: row.covariate,
        }
    }

    /// The value of a side metric.
    pub(super) fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).copied()
    }

    /// Whether it is somebody else's, or says something else where both say something.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        let differ = |a: Option<f64>, b: Option<f64>| a.zip(b).is_some_and(|(a, b)| a != b);
        (&self.unit, &self.variant) != (&other.unit, &other.variant)
            || differ(self.outcome, other.outcome)
            || differ(self.covariate, other.covariate)
            || self.metrics.iter().any(|(name, value)| differ(Some(*value), other.metric(name)))
    }

    /// Takes over what is missing.
    fn fill(&mut self, other: Self) {
        self.outcome = self.outcome.or(other.outcome);
        self.covariate = self.covariate.or(other.covariate);
        for (name, value) in other.metrics {
            self.metrics.entry(name).or_insert(value);
        }
    }
}

/// The rows of one request by their request ids.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) rows: BTreeMap<String, Row>,
    /// Repetitions within it.
    pub(super) duplicates: i64,
    /// Repetitions that say something else.
    pub(super) conflicting: i64,
}

impl Batch {
    /// Adds a row under its request id.
    pub(super) fn add(&mut self, request_id: String, row: &Observation) {
        let row = Row::of_given(row);
        match self.rows.get_mut(&request_id) {
            None => {
                self.rows.insert(request_id, row);
            }
            Some(first) => {
                self.duplicates += 1;
                if first.contradicts(&row) {
                    self.conflicting += 1;
                } else {
                    first.fill(row);
                }
            }
        }
    }

    /// The rows, column by column.
    pub(super) fn columns(self) -> NewRows {
        let mut new = NewRows::default();
        for (request_id, row) in self.rows {
            new.request_ids.push(request_id);
            new.units.push(row.unit);
            new.variants.push(row.variant);
            new.outcomes.push(row.outcome);
            new.metrics.push(json!(row.metrics));
            new.covariates.push(row.covariate);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observation(outcome: Option<f64>, latency: Option<f64>, covariate: Option<f64>) -> Observation {
        Observation {
            request_id: None,
            unit_id: None,
            variant: "a".to_owned(),
            outcome,
            metrics: [("latency".to_owned(), latency)].into(),
            covariate,
        }
    }

    #[test]
    fn a_repetition_fills_in_and_never_changes() {
        let mut batch = Batch::default();
        batch.add("r".to_owned(), &observation(None, Some(3.0), None));
        batch.add("r".to_owned(), &observation(Some(1.0), None, Some(5.0)));
        batch.add("r".to_owned(), &observation(Some(2.0), Some(3.0), None));
        assert_eq!((batch.duplicates, batch.conflicting), (2, 1));
        let columns = batch.columns();
        assert_eq!((columns.outcomes, columns.covariates), (vec![Some(1.0)], vec![Some(5.0)]));
        assert_eq!(columns.metrics, [json!({ "latency": 3.0 })]);
    }
}
