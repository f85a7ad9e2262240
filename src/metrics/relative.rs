//! Metrics of errors in proportion to the truth, and of counts and positive amounts.

use super::confusion::NO_ROWS;
use super::entry::{Entry, Outcome, Texts};
use super::error::{NO_NUMBERS, STUDENT, entry};
use super::probability::mean_of_losses;
use super::{Rows, weights::exponent};
use crate::stats::scale;

const FROM_ZERO: (f64, f64) = (0.0, f64::INFINITY);

pub(super) static MAPE: Entry = entry(
    "mape",
    FROM_ZERO,
    Texts {
        title: "Mean absolute percentage error",
        summary: "mean of |error| / |truth| as a fraction (0.1 is 10 %), from 0; a truth of 0 counts as 2.2e-16, so one such row makes \
                  it enormous: prefer smape, wape or mae there",
        formula: "mean of |prediction - truth| / max(|truth|, 2.2e-16)",
        when_to_use: "The truth is far from 0 and errors matter in proportion to it.",
        limits: "Explodes where the truth is near 0, and favours predictions that are too low.",
        interval: STUDENT,
        reference: "scikit-learn mean_absolute_percentage_error; de Myttenaere et al. (2016), doi:10.1016/j.neucom.2015.12.114",
    },
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
    (0.0, 2.0),
    Texts {
        title: "Symmetric mean absolute percentage error",
        summary: "mean of 2 |error| / (|truth| + |prediction|) as a fraction, 0 to 2; 0 where both are 0",
        formula: "mean of 2 |prediction - truth| / (|truth| + |prediction|)",
        when_to_use: "Errors matter in proportion and the truth comes near 0.",
        limits: "Not symmetric after all: predictions that are too low cost more than equally large ones that are too high.",
        interval: STUDENT,
        reference: "Makridakis (1993), doi:10.1016/0169-2070(93)90079-3",
    },
    Some(false),
    |rows| {
        over_rows(rows, |truth, predicted| {
            // Halved first: the sum of two large numbers overflows.
            let scale = truth.abs() / 2.0 + predicted.abs() / 2.0;
            if scale == 0.0 { 0.0 } else { (predicted - truth).abs() / scale }
        })
    },
);

pub(super) static WAPE: Entry = entry(
    "wape",
    FROM_ZERO,
    Texts {
        title: "Weighted absolute percentage error",
        summary: "summed |error| over summed |truth| as a fraction, from 0; undefined when every truth is 0",
        formula: "sum of |prediction - truth| / sum of |truth|",
        when_to_use: "Errors matter in proportion to the whole, as with demand over many products, and single truths may be 0.",
        limits: "Rows with a large truth decide it.",
        interval: "delta method over rows",
        reference: "Kolassa and Schuetz (2007), Foresight 6, 40-43; interval: Hampel (1974), doi:10.1080/01621459.1974.10482962",
    },
    Some(false),
    |rows| {
        let Some((truth, predicted)) = rows.as_numbers() else {
            return Outcome::undefined(NO_NUMBERS, rows.n());
        };
        if truth.is_empty() {
            return Outcome::undefined(NO_ROWS, 0);
        }
        let unit = exponent(truth.iter().chain(predicted).copied());
        let pairs =
            truth.iter().zip(predicted).map(|(truth, predicted)| (scale(*truth, -unit), scale(*predicted, -unit)));
        let (distances, sizes): (Vec<f64>, Vec<f64>) =
            pairs.map(|(truth, predicted)| ((predicted - truth).abs(), truth.abs())).unzip();
        let weights = rows.weights();
        let Some((distance, size)) = weights.mean(&distances).zip(weights.mean(&sizes)) else {
            return Outcome::undefined("no row has weight", rows.n());
        };
        if size == 0.0 {
            return Outcome::undefined("every truth is 0", rows.n());
        }
        let value = distance / size;
        let influence: Vec<f64> = distances.iter().zip(&sizes).map(|(d, s)| (d - value * s) / size).collect();
        Outcome::of(value, rows.n()).within(weights.delta_interval(value, &influence))
    },
);

pub(super) static MSLE: Entry = entry(
    "msle",
    FROM_ZERO,
    Texts {
        title: "Mean squared logarithmic error",
        summary: "mean squared difference of ln(1 + value), from 0; undefined when a truth or prediction is -1 or less",
        formula: "mean of (ln(1 + prediction) - ln(1 + truth))^2",
        when_to_use: "The truth spans orders of magnitude, such as counts or prices, and ratios matter.",
        limits: "Predictions that are too low cost more than those too high by the same amount.",
        interval: STUDENT,
        reference: "scikit-learn mean_squared_log_error; Tofallis (2015), doi:10.1057/jors.2014.103",
    },
    Some(false),
    |rows| {
        where_all(
            rows,
            |truth, predicted| truth > -1.0 && predicted > -1.0,
            "a truth or prediction is -1 or less",
            |truth, predicted| {
                // ln((1 + a) / (1 + b)) without subtracting two logarithms that are almost equal.
                let ratio = ((predicted - truth) / (1.0 + truth)).ln_1p();
                ratio * ratio
            },
        )
    },
);

pub(super) static POISSON_DEVIANCE: Entry = entry(
    "poisson_deviance",
    FROM_ZERO,
    Texts {
        title: "Mean Poisson deviance",
        summary: "mean deviance of counts from the predicted means, from 0; undefined when a truth is negative or a prediction not positive",
        formula: "mean of 2 (y ln(y / p) - y + p), y the truth and p the prediction",
        when_to_use: "The truth is a count and the prediction its mean.",
        limits: "Counts that vary more than Poisson's make it large without the model being at fault.",
        interval: STUDENT,
        reference: "scikit-learn mean_poisson_deviance; Nelder and Wedderburn (1972), doi:10.2307/2344614",
    },
    Some(false),
    |rows| {
        let lacking = "a truth is negative or a prediction is not positive";
        where_all(
            rows,
            |truth, predicted| truth >= 0.0 && predicted > 0.0,
            lacking,
            |truth, predicted| 2.0 * predicted * entropy_gap((truth - predicted) / predicted),
        )
    },
);

pub(super) static GAMMA_DEVIANCE: Entry = entry(
    "gamma_deviance",
    FROM_ZERO,
    Texts {
        title: "Mean gamma deviance",
        summary: "mean deviance of positive amounts from the predicted means in proportion to them, from 0; undefined when a truth or \
                  prediction is not positive",
        formula: "mean of 2 (ln(p / y) + y / p - 1), y the truth and p the prediction",
        when_to_use: "The truth is a positive amount whose spread grows with it, such as claims or durations.",
        limits: "Amounts near 0 that are predicted as large decide it.",
        interval: STUDENT,
        reference: "scikit-learn mean_gamma_deviance; Nelder and Wedderburn (1972), doi:10.2307/2344614",
    },
    Some(false),
    |rows| {
        let lacking = "a truth or prediction is not positive";
        where_all(
            rows,
            |truth, predicted| truth > 0.0 && predicted > 0.0,
            lacking,
            |truth, predicted| 2.0 * logarithm_gap((truth - predicted) / predicted),
        )
    },
);

/// `(1 + d) ln(1 + d) - d` for `d >= -1`, by its series where the terms would cancel.
fn entropy_gap(d: f64) -> f64 {
    if d.abs() < SERIES {
        return series(d, |k| k * (k - 1.0));
    }
    if d <= -1.0 { 1.0 } else { (1.0 + d) * d.ln_1p() - d }
}

/// `d - ln(1 + d)` for `d > -1`, by its series where the terms would cancel.
fn logarithm_gap(d: f64) -> f64 {
    if d.abs() < SERIES { series(d, |k| k) } else { d - d.ln_1p() }
}

/// Below it terms of the series fall by a factor of ten and more.
const SERIES: f64 = 0.1;

/// `sum over k >= 2 of (-d)^k / divisor(k)`.
fn series(d: f64, divisor: impl Fn(f64) -> f64) -> f64 {
    let (mut power, mut total, mut k) = (d * d, 0.0, 2.0);
    while k < 20.0 {
        total += power / divisor(k);
        power *= -d;
        k += 1.0;
    }
    total
}

fn over_rows(rows: &Rows, measure: impl Fn(f64, f64) -> f64) -> Outcome {
    where_all(rows, |_, _| true, "", measure)
}

/// The mean of a loss of truth and prediction, where every row lets it be computed.
fn where_all(
    rows: &Rows,
    fits: impl Fn(f64, f64) -> bool,
    lacking: &str,
    measure: impl Fn(f64, f64) -> f64,
) -> Outcome {
    let Some((truth, predicted)) = rows.as_numbers() else {
        return Outcome::undefined(NO_NUMBERS, rows.n());
    };
    let pairs = || truth.iter().copied().zip(predicted.iter().copied());
    let unfit = pairs().filter(|(truth, predicted)| !fits(*truth, *predicted)).count();
    if unfit > 0 {
        return Outcome::undefined(format!("{lacking} in {unfit} rows"), rows.n());
    }
    let losses: Vec<f64> = pairs().map(|(truth, predicted)| measure(truth, predicted)).collect();
    mean_of_losses(rows, &losses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_meet_the_formulas() {
        for d in [0.0999, -0.0999] {
            let d: f64 = d;
            assert!((series(d, |k| k * (k - 1.0)) / ((1.0 + d) * d.ln_1p() - d) - 1.0).abs() < 1e-12);
            assert!((series(d, |k| k) / (d - d.ln_1p()) - 1.0).abs() < 1e-12);
        }
        assert_eq!(entropy_gap(-1.0), 1.0, "a count of 0");
        assert!((entropy_gap(-5e-10) / 1.25e-19 - 1.0).abs() < 1e-9, "no cancellation");
    }
}
