//! Metrics of how much of the truth's variation predictions explain.

use super::Rows;
use super::confusion::NO_ROWS;
use super::entry::{Entry, Outcome, Texts};
use super::error::{NO_NUMBERS, entry};
use super::rows::ZeroDivision;
use super::weights::{Weights, exponent, sum};
use crate::stats::scale;

const DELTA: &str = "delta method over rows; none for a constant truth";

pub(super) static R2: Entry = entry(
    "r2",
    (f64::NEG_INFINITY, 1.0),
    Texts {
        title: "R squared",
        summary: "share of the truth's variance that predictions explain, at most 1, negative when worse than the mean; for a constant \
                  truth 1 when every prediction is right and else 0; undefined below two rows",
        formula: "1 - sum of (prediction - truth)^2 / sum of (truth - mean truth)^2",
        when_to_use: "Models of different quantities are to be compared, or the mean of the truth is the rival.",
        limits: "Falls when the truth varies less although errors are the same; a few extreme truths make it high.",
        interval: DELTA,
        reference: "scikit-learn r2_score; Kvalseth (1985), doi:10.1080/00031305.1985.10479448",
    },
    Some(true),
    |rows| explained(rows, 2, false),
);

pub(super) static EXPLAINED_VARIANCE: Entry = entry(
    "explained_variance",
    (f64::NEG_INFINITY, 1.0),
    Texts {
        title: "Explained variance",
        summary: "like R squared, but a constant offset of the predictions costs nothing, at most 1; for a constant truth 1 when the \
                  errors are constant too and else 0",
        formula: "1 - variance of (prediction - truth) / variance of truth",
        when_to_use: "An offset is corrected elsewhere and only the pattern matters.",
        limits: "Does not see that predictions are too high or too low on the whole: look at `mean_error` too.",
        interval: DELTA,
        reference: "scikit-learn explained_variance_score; Kvalseth (1985), doi:10.1080/00031305.1985.10479448",
    },
    Some(true),
    |rows| explained(rows, 1, true),
);

/// One minus unexplained over total variation, with scikit-learn's finite answers for a constant truth.
fn explained(rows: &Rows, least: u64, centred: bool) -> Outcome {
    let Some((truth, predicted)) = rows.as_numbers() else {
        return Outcome::undefined(NO_NUMBERS, rows.n());
    };
    let (n, weights) = (rows.n(), rows.weights());
    if n == 0 {
        return Outcome::undefined(NO_ROWS, 0);
    }
    if n < least {
        return Outcome::undefined(format!("needs at least {least} rows"), n);
    }
    // Halved: a difference of two large numbers must not overflow.
    let errors: Vec<f64> =
        truth.iter().zip(predicted).map(|(truth, predicted)| predicted / 2.0 - truth / 2.0).collect();
    let (Some(centre), Some(bias)) = (weights.mean(truth), weights.mean(&errors)) else {
        return Outcome::undefined("no row has weight", n);
    };
    let deviations: Vec<f64> = truth.iter().map(|truth| truth / 2.0 - centre / 2.0).collect();
    let errors: Vec<f64> = if centred { errors.iter().map(|error| error - bias).collect() } else { errors };
    let unit = exponent(errors.iter().chain(&deviations).copied());
    let total = squares(&deviations, unit, weights, true);
    let unexplained = squares(&errors, unit, weights, centred);
    let is_constant = truth.iter().all(|value| *value == truth[0]);
    if is_constant || total <= 0.0 {
        return match rows.settings().zero_division {
            ZeroDivision::Undefined => Outcome::undefined("the truth is constant: there is nothing to explain", n),
            ZeroDivision::Zero => {
                let value = if unexplained == 0.0 { 1.0 } else { 0.0 };
                Outcome::of(value, n).because("the truth is constant: 1 or 0 by convention")
            }
        };
    }
    let lost = unexplained / total;
    let influence: Vec<f64> = errors
        .iter()
        .zip(&deviations)
        .map(|(error, deviation)| {
            let (error, deviation) = (scale(*error, -unit).powi(2), scale(*deviation, -unit).powi(2));
            (lost * (deviation - total) - (error - unexplained)) / total
        })
        .collect();
    Outcome::of(1.0 - lost, n).within(weights.delta_interval(1.0 - lost, &influence))
}

/// The mean square in units of `4^unit`, about the mean of `values` when `centred` takes off what its rounding left.
fn squares(values: &[f64], unit: i32, weights: Weights<'_>, centred: bool) -> f64 {
    let scaled = || values.iter().enumerate().map(|(row, value)| (weights.of_row(row), scale(*value, -unit)));
    let total = weights.total(values.len());
    let squares = sum(scaled().map(|(weight, value)| weight * value * value)) / total;
    let rest = if centred { sum(scaled().map(|(weight, value)| weight * value)) / total } else { 0.0 };
    (squares - rest * rest).max(0.0)
}
