//! Metrics of the errors of a regressor.

use super::confusion::NO_ROWS;
use super::entry::{CONFIDENCE, Entry, Needs, Outcome, Texts};
use super::losses::{RowLoss, errors};
use super::probability::mean_loss;
use super::weights::exponent;
use super::{Rows, Task};
use crate::stats::{Interval, median, normal_quantile, scale};

pub(super) const NO_NUMBERS: &str = "no numeric labels and predictions";
pub(super) const STUDENT: &str = "Student's, of the mean over rows";
const FROM_ZERO: (f64, f64) = (0.0, f64::INFINITY);

pub(super) const fn entry(
    name: &'static str,
    range: (f64, f64),
    texts: Texts,
    higher_is_better: Option<bool>,
    compute: fn(&Rows) -> Outcome,
) -> Entry {
    let (task, needs) = (Task::Regression, Needs::Predictions);
    Entry { name, texts, range, task, needs, higher_is_better, compute }
}

pub(super) static MAE: Entry = entry(
    "mae",
    FROM_ZERO,
    Texts {
        title: "Mean absolute error",
        summary: "mean distance of predictions from the truth, in its unit, from 0; with Student's interval",
        formula: "mean of |prediction - truth|",
        when_to_use: "Errors cost in proportion to their size.",
        limits: "Is in the unit of the truth, so models of different quantities do not compare.",
        interval: STUDENT,
        reference: "scikit-learn mean_absolute_error; Willmott and Matsuura (2005), doi:10.3354/cr030079",
    },
    Some(false),
    |rows| mean_loss(rows, RowLoss::AbsoluteError, NO_NUMBERS),
);

pub(super) static MSE: Entry = entry(
    "mse",
    FROM_ZERO,
    Texts {
        title: "Mean squared error",
        summary: "mean squared distance of predictions from the truth, from 0; with Student's interval",
        formula: "mean of (prediction - truth)^2",
        when_to_use: "Large errors cost more than in proportion.",
        limits: "A few large errors decide it; its unit is squared, so prefer `rmse` for people.",
        interval: STUDENT,
        reference: "scikit-learn mean_squared_error; Chai and Draxler (2014), doi:10.5194/gmd-7-1247-2014",
    },
    Some(false),
    |rows| mean_loss(rows, RowLoss::SquaredError, NO_NUMBERS),
);

pub(super) static RMSE: Entry = entry(
    "rmse",
    FROM_ZERO,
    Texts {
        title: "Root mean squared error",
        summary: "square root of the mean squared error, in the unit of the truth, from 0; with the roots of its interval",
        formula: "sqrt(mean of (prediction - truth)^2)",
        when_to_use: "Large errors cost more than in proportion and the value is read by people.",
        limits: "A few large errors decide it.",
        interval: "Student's interval of the mean squared error, carried over",
        reference: "scikit-learn root_mean_squared_error; Chai and Draxler (2014), doi:10.5194/gmd-7-1247-2014",
    },
    Some(false),
    |rows| {
        over_errors(rows, |errors| {
            // In units of the largest error, whose square neither overflows nor vanishes.
            let unit = exponent(errors.iter().copied());
            let squares: Vec<f64> = errors.iter().map(|error| scale(*error, -unit).powi(2)).collect();
            let root = |square: f64| scale(square.max(0.0).sqrt(), unit);
            let mean = rows.weights().mean(&squares)?;
            let interval = rows.weights().mean_interval(&squares);
            Some((root(mean), interval.map(|of| Interval { low: root(of.low), high: root(of.high) })))
        })
    },
);

pub(super) static MEDIAN_ABSOLUTE_ERROR: Entry = entry(
    "median_absolute_error",
    FROM_ZERO,
    Texts {
        title: "Median absolute error",
        summary: "the distance from the truth that half of the predictions stay within, in its unit; outliers do not move it",
        formula: "median of |prediction - truth|; with weights the middle of the summed weights",
        when_to_use: "A few wild rows should not decide, such as with faulty labels.",
        limits: "Does not see how bad the worse half is.",
        interval: "from order statistics, whatever the distribution; none with weights or below 6 rows",
        reference: "scikit-learn median_absolute_error; interval: Conover (1999), Practical Nonparametric Statistics, 3.2",
    },
    Some(false),
    |rows| {
        over_errors(rows, |errors| {
            let distances: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
            match rows.weights().0 {
                None => {
                    let mut sorted = distances;
                    sorted.sort_unstable_by(f64::total_cmp);
                    Some((median(&sorted)?, median_interval(&sorted)))
                }
                Some(weights) => Some((weighted_median(&distances, weights)?, None)),
            }
        })
    },
);

pub(super) static MAX_ERROR: Entry = entry(
    "max_error",
    FROM_ZERO,
    Texts {
        title: "Maximum error",
        summary: "the largest distance of a prediction from the truth, in its unit; weights do not move it, but a row of weight 0 does not count",
        formula: "max of |prediction - truth|",
        when_to_use: "No single prediction may be off by more than a limit.",
        limits: "One row decides it, and it grows with the number of rows.",
        interval: "none: a sample says nothing about rows that are worse than its worst",
        reference: "scikit-learn max_error",
    },
    Some(false),
    |rows| {
        let weights = rows.weights();
        over_errors(rows, |errors| {
            let counting = errors.iter().enumerate().filter(|(row, _)| weights.of_row(*row) > 0.0);
            Some((counting.map(|(_, error)| error.abs()).max_by(f64::total_cmp)?, None))
        })
    },
);

pub(super) static MEAN_ERROR: Entry = entry(
    "mean_error",
    (f64::NEG_INFINITY, f64::INFINITY),
    Texts {
        title: "Mean error",
        summary: "mean of prediction minus truth, in its unit: positive when predictions are too high; 0 is best; with Student's interval",
        formula: "mean of (prediction - truth)",
        when_to_use: "Predictions are summed up, so that what matters is whether they are too high or too low on the whole.",
        limits: "Errors of both signs cancel: 0 does not mean that predictions are good.",
        interval: STUDENT,
        reference: "Walther and Moore (2005), doi:10.1111/j.2005.0906-7590.04112.x",
    },
    None,
    |rows| over_errors(rows, |errors| Some((rows.weights().mean(errors)?, rows.weights().mean_interval(errors)))),
);

pub(super) static PINBALL: Entry = entry(
    "pinball",
    FROM_ZERO,
    Texts {
        title: "Pinball loss",
        summary: "mean loss of predictions of a quantile (the median unless `quantile` says otherwise), in the unit of the truth, from 0; \
                  half the mean absolute error at 0.5; with Student's interval",
        formula: "mean of (q (truth - prediction) when the truth is above, else (1 - q) (prediction - truth))",
        when_to_use: "Predictions stand for a quantile, such as stock that suffices on 90 % of days.",
        limits: "Only values of the same quantile compare.",
        interval: STUDENT,
        reference: "scikit-learn mean_pinball_loss; Koenker and Bassett (1978), doi:10.2307/1913643",
    },
    Some(false),
    |rows| {
        let quantile = rows.settings().quantile;
        over_errors(rows, |errors| {
            let losses: Vec<f64> = errors
                .iter()
                .map(|error| if *error < 0.0 { quantile * -error } else { (1.0 - quantile) * error })
                .collect();
            Some((rows.weights().mean(&losses)?, rows.weights().mean_interval(&losses)))
        })
    },
);

/// A measure of prediction minus truth.
pub(super) fn over_errors(rows: &Rows, measure: impl Fn(&[f64]) -> Option<(f64, Option<Interval>)>) -> Outcome {
    let Some(errors) = errors(rows).map(|errors| errors.collect::<Vec<f64>>()) else {
        return Outcome::undefined(NO_NUMBERS, rows.n());
    };
    if errors.is_empty() {
        return Outcome::undefined(NO_ROWS, 0);
    }
    match measure(&errors) {
        Some((value, interval)) => Outcome::of(value, rows.n()).within(interval),
        None => Outcome::undefined("the errors exceed the largest number, or no row has weight", rows.n()),
    }
}

/// The interval of a median between order statistics.
fn median_interval(sorted: &[f64]) -> Option<Interval> {
    let n = sorted.len() as f64;
    let half = normal_quantile(0.5 + 0.5 * CONFIDENCE)? * n.sqrt() / 2.0;
    let (low, high) = ((n / 2.0 - half).floor(), (1.0 + n / 2.0 + half).ceil());
    (low >= 1.0 && high <= n).then(|| Interval { low: sorted[low as usize - 1], high: sorted[high as usize - 1] })
}

/// Half of the weight lies at or below it; between two values when exactly half does, as in a median of an even number.
fn weighted_median(values: &[f64], weights: &[f64]) -> Option<f64> {
    let mut pairs: Vec<(f64, f64)> =
        values.iter().copied().zip(weights.iter().copied()).filter(|(_, weight)| *weight > 0.0).collect();
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let half = super::weights::sum(pairs.iter().map(|(_, weight)| *weight)) / 2.0;
    let mut below = crate::stats::DoubleSum::new();
    for (place, (value, weight)) in pairs.iter().enumerate() {
        below.add(*weight);
        if below.value() > half {
            return Some(*value);
        }
        if below.value() == half {
            let next = pairs.get(place + 1).map_or(*value, |next| next.0);
            return Some(value / 2.0 + next / 2.0);
        }
    }
    pairs.last().map(|last| last.0)
}
