//! `dle`: how large the errors of a regression are expected to be, from what errors the reference had for rows like these.

use serde_json::json;

use super::boost::Boosted;
use super::cbpe::estimated_change;
use super::measure::{Measure, Sampled};
use super::metric_change::outcome;
use super::side::Sides;
use super::{Entry, Needs, NotJudged, Outcome, RANGE, Task};
use crate::drift::Status;
use crate::stats::mean_of;

pub(super) static DLE: Entry = Entry {
    name: "dle",
    title: "Error estimated directly",
    summary: "the mean absolute error and the root mean squared error that a regression is expected to have, from a second model of \
              its errors in the reference, against what it had there",
    when_to_use: "labels arrive late, and errors depend on what a row is like: `features` names the columns that say so.",
    formula: "boosted regression trees learn |label - prediction| (and its square) of the reference from the prediction and `features`; \
              the estimate is the mean (the root of the mean) of what they say of the current rows. Drifted when worse by more than the \
              threshold and the 95 % interval of the change does not hold 0",
    range: RANGE,
    notes: "100 trees of depth 4 with rate 0.1, 64 quantile bins a column, leaves of at least 20 rows, at most 50,000 rows of the reference; \
            nothing is drawn, so the same rows give the same estimate. Missing values are a bin of their own. The sampling error is that \
            of so many rows with the reference's spread. What it cannot see: larger errors of rows that look like those of the \
            reference; and trees do not extrapolate, so rows unlike any of the reference get the error of the nearest. At least 200 labelled \
            rows in the reference.",
    reference: "NannyML, direct loss estimation (2022), nannyml.readthedocs.io; boosting: Friedman (2001), doi:10.1214/aos/1013203451",
    task: Some(Task::Regression),
    needs: Needs { score: false, prediction: true, time: false, current_labels: false },
    judge: judged,
};

/// Labelled rows that the reference has at least.
const LEAST: usize = 200;

fn judged(sides: &Sides) -> Result<Vec<Outcome>, NotJudged> {
    let refuse = |reason: String| NotJudged { status: Status::InsufficientData, reason };
    let (Some(reference), Some(current)) = (sides.reference.features(), sides.current.features()) else {
        return Err(refuse("there are no columns to estimate errors from".to_owned()));
    };
    let errors = sides.reference.labelled();
    if errors.len() < LEAST {
        return Err(refuse(format!("{} labelled rows in the reference, at least {LEAST} needed", errors.len())));
    }
    let of_labelled = |column: &Vec<f64>| {
        let kept = column.iter().zip(&sides.reference.errors).filter(|(_, error)| error.is_some());
        kept.map(|(value, _)| *value).collect::<Vec<f64>>()
    };
    let columns: Vec<Vec<f64>> = reference.iter().map(of_labelled).collect();
    let squares: Vec<f64> = errors.iter().map(|error| error * error).collect();
    let mut outcomes = Vec::new();
    for (measure, target) in [(Measure::Mae, &errors), (Measure::Rmse, &squares)] {
        let before = measure.of(&sides.reference).map_err(refuse)?;
        let estimate = Boosted::fit(&columns, target)
            .map(|fitted| fitted.predict(current))
            .and_then(|values| mean_of(values.into_iter().map(|value| value.max(0.0))))
            .map(|mean| if measure == Measure::Rmse { mean.sqrt() } else { mean });
        let Some(value) = estimate else { return Err(refuse("there are no finite errors".to_owned())) };
        let now = Sampled { value, sd: before.sd, n: sides.current.errors.len() as u64 };
        let Some(change) = estimated_change(measure, &before, &now) else {
            return Err(refuse("at least 2 rows are needed on each side".to_owned()));
        };
        let more = json!({ "estimated": true, "sampling_error": now.error_of(now.n) });
        outcomes.push(outcome(measure, &before, &now, &change, more)?);
    }
    Ok(outcomes)
}
