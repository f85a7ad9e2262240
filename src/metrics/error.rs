//! Metrics of the errors of a regressor.

use super::confusion::NO_ROWS;
use super::entry::{CONFIDENCE, Entry, Needs, Outcome};
use super::losses::{RowLoss, errors};
use super::probability::mean_loss;
use super::{Rows, Task};
use crate::stats::{Interval, Moments, mean_of, mean_t, median};

const NO_NUMBERS: &str = "no numeric labels and predictions";

const fn entry(
    name: &'static str,
    title: &'static str,
    summary: &'static str,
    reference: &'static str,
    higher_is_better: Option<bool>,
    compute: fn(&Rows) -> Outcome,
) -> Entry {
    let (task, needs) = (Task::Regression, Needs::Predictions);
    Entry { name, title, summary, reference, task, needs, higher_is_better, compute }
}

pub(super) static MAE: Entry = entry(
    "mae",
    "Mean absolute error",
    "mean distance of predictions from the truth, in its unit, from 0; with Student's interval",
    "scikit-learn mean_absolute_error",
    Some(false),
    |rows| mean_loss(rows, RowLoss::AbsoluteError, NO_NUMBERS),
);

pub(super) static MSE: Entry = entry(
    "mse",
    "Mean squared error",
    "mean squared distance of predictions from the truth, from 0; with Student's interval",
    "scikit-learn mean_squared_error",
    Some(false),
    |rows| mean_loss(rows, RowLoss::SquaredError, NO_NUMBERS),
);

pub(super) static RMSE: Entry = entry(
    "rmse",
    "Root mean squared error",
    "square root of the mean squared error, in the unit of the truth, from 0; with the roots of its interval",
    "scikit-learn root_mean_squared_error",
    Some(false),
    |rows| {
        let squared = mean_loss(rows, RowLoss::SquaredError, NO_NUMBERS);
        let root = |interval: Interval| Interval { low: interval.low.sqrt(), high: interval.high.sqrt() };
        Outcome { value: squared.value.map(f64::sqrt), interval: squared.interval.map(root), ..squared }
    },
);

pub(super) static MEDIAN_ABSOLUTE_ERROR: Entry = entry(
    "median_absolute_error",
    "Median absolute error",
    "the distance from the truth that half of the predictions stay within, in its unit; outliers do not move it",
    "scikit-learn median_absolute_error",
    Some(false),
    |rows| {
        over_errors(rows, |errors| {
            let mut distances: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
            distances.sort_unstable_by(f64::total_cmp);
            median(&distances)
        })
    },
);

pub(super) static MAX_ERROR: Entry = entry(
    "max_error",
    "Maximum error",
    "the largest distance of a prediction from the truth, in its unit",
    "scikit-learn max_error",
    Some(false),
    |rows| over_errors(rows, |errors| errors.iter().map(|error| error.abs()).max_by(f64::total_cmp)),
);

pub(super) static MEAN_ERROR: Entry = entry(
    "mean_error",
    "Mean error",
    "mean of prediction minus truth, in its unit: positive when predictions are too high; 0 is best; with Student's interval",
    "Walther and Moore (2005), doi:10.1111/j.2005.0906-7590.04112.x",
    None,
    |rows| {
        let Some(errors) = errors(rows).map(|errors| errors.collect::<Vec<f64>>()) else {
            return Outcome::undefined(NO_NUMBERS, rows.n());
        };
        let outcome = over_errors(rows, |errors| mean_of(errors.iter().copied()));
        outcome.within(mean_t(&Moments::of(&errors), CONFIDENCE))
    },
);

pub(super) static MAPE: Entry = entry(
    "mape",
    "Mean absolute percentage error",
    "mean of |error| / |truth| as a fraction (0.1 is 10 %), from 0; a truth of 0 counts as 2.2e-16, so one such row makes it \
     enormous: prefer smape or mae there",
    "scikit-learn mean_absolute_percentage_error; de Myttenaere et al. (2016), doi:10.1016/j.neucom.2015.12.114",
    Some(false),
    |rows| {
        let outcome = over_rows(rows, |truth, predicted| (predicted - truth).abs() / truth.abs().max(f64::EPSILON));
        let zeros = rows.as_numbers().map_or(0, |(truth, _)| truth.iter().filter(|truth| **truth == 0.0).count());
        if zeros > 0 && outcome.value.is_some() {
            outcome.because(format!("the truth is 0 in {zeros} rows, where a percentage has no meaning"))
        } else {
            outcome
        }
    },
);

pub(super) static SMAPE: Entry = entry(
    "smape",
    "Symmetric mean absolute percentage error",
    "mean of 2 |error| / (|truth| + |prediction|) as a fraction, 0 to 2; 0 where both are 0",
    "Makridakis (1993), doi:10.1016/0169-2070(93)90079-3",
    Some(false),
    |rows| {
        over_rows(rows, |truth, predicted| {
            let scale = truth.abs() + predicted.abs();
            if scale == 0.0 { 0.0 } else { 2.0 * (predicted - truth).abs() / scale }
        })
    },
);

fn over_errors(rows: &Rows, measure: impl Fn(&[f64]) -> Option<f64>) -> Outcome {
    let Some(errors) = errors(rows).map(|errors| errors.collect::<Vec<f64>>()) else {
        return Outcome::undefined(NO_NUMBERS, rows.n());
    };
    if errors.is_empty() {
        return Outcome::undefined(NO_ROWS, 0);
    }
    Outcome { value: measure(&errors), n: rows.n(), ..Outcome::default() }
}

fn over_rows(rows: &Rows, measure: impl Fn(f64, f64) -> f64) -> Outcome {
    let Some((truth, predicted)) = rows.as_numbers() else {
        return Outcome::undefined(NO_NUMBERS, rows.n());
    };
    if truth.is_empty() {
        return Outcome::undefined(NO_ROWS, 0);
    }
    let values: Vec<f64> = truth.iter().zip(predicted).map(|(&truth, &predicted)| measure(truth, predicted)).collect();
    let interval = mean_t(&Moments::of(&values), CONFIDENCE).map(|mut interval| {
        interval.low = interval.low.max(0.0);
        interval
    });
    Outcome { value: mean_of(values), n: rows.n(), ..Outcome::default() }.within(interval)
}
