//! Means over rows that may have weights, and how sure they are.
//!
//! A weight of 2 moves a value as two such rows would. It does not make the value surer: intervals use the effective number of rows
//! `(sum w)^2 / sum w^2` (Kish 1965, Survey Sampling), which is the number of rows when all weights are equal.

use super::entry::CONFIDENCE;
use crate::stats::{DoubleSum, Interval, Moments, mean_t, normal_quantile, scale, student_t_upper_quantile, wilson};

/// The weights of the rows that count; without any, every row counts once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights<'a>(pub(super) Option<&'a [f64]>);

impl Weights<'_> {
    pub(super) fn of_row(&self, row: usize) -> f64 {
        self.0.and_then(|weights| weights.get(row)).copied().unwrap_or(1.0)
    }

    /// Sum of the weights of `rows` rows.
    pub(super) fn total(&self, rows: usize) -> f64 {
        self.0.map_or(rows as f64, |weights| sum(weights.iter().copied()))
    }

    /// Kish's effective number of rows.
    pub(super) fn effective(&self, rows: usize) -> f64 {
        match self.0 {
            None => rows as f64,
            Some(weights) => {
                let total = sum(weights.iter().copied());
                total * total / sum(weights.iter().map(|weight| weight * weight))
            }
        }
    }

    /// The mean; `None` without rows or weight, or when a value or the mean is not finite.
    pub(super) fn mean(&self, values: &[f64]) -> Option<f64> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let Some(weights) = self.0 else { return Moments::of(values).mean() };
        let total = sum(weights.iter().copied());
        let exponent = exponent(values.iter().copied());
        let products = values.iter().zip(weights).map(|(value, weight)| scale(*value, -exponent) * weight);
        let mean = scale(sum(products) / total, exponent);
        (total > 0.0 && mean.is_finite()).then_some(mean)
    }

    /// Student's interval of a mean of independent rows.
    pub(super) fn mean_interval(&self, values: &[f64]) -> Option<Interval> {
        if self.0.is_none() {
            // Near the ends of the doubles a variance overflows or vanishes although the mean does not.
            let unit = exponent(values.iter().copied());
            if unit.abs() < 100 {
                return mean_t(&Moments::of(values), CONFIDENCE);
            }
            let scaled: Vec<f64> = values.iter().map(|value| scale(*value, -unit)).collect();
            let interval = mean_t(&Moments::of(&scaled), CONFIDENCE)?;
            return Some(Interval { low: scale(interval.low, unit), high: scale(interval.high, unit) });
        }
        let mean = self.mean(values)?;
        let deviations: Vec<f64> = values.iter().map(|value| value - mean).collect();
        self.delta_interval(mean, &deviations)
    }

    /// The interval of a smooth statistic by the delta method: `influence` says how much each row moves it (Hampel 1974,
    /// DOI 10.1080/01621459.1974.10482962). `None` below two effective rows, or when no row moves it.
    pub(super) fn delta_interval(&self, value: f64, influence: &[f64]) -> Option<Interval> {
        let rows = influence.len();
        let (total, effective) = (self.total(rows), self.effective(rows));
        if effective < 2.0 || influence.iter().any(|moves| !moves.is_finite()) {
            return None;
        }
        let exponent = exponent(influence.iter().copied());
        let square = |(row, moves): (usize, &f64)| {
            let moves = scale(*moves, -exponent) * self.of_row(row) / total;
            moves * moves
        };
        let variance = sum(influence.iter().enumerate().map(square)) * effective / (effective - 1.0);
        let half =
            student_t_upper_quantile(0.5 - 0.5 * CONFIDENCE, effective - 1.0)? * scale(variance.sqrt(), exponent);
        around(value, half)
    }

    /// Wilson's interval of the share of rows for which `yes` holds.
    pub(super) fn share(&self, yes: &[bool]) -> Option<(f64, Option<Interval>)> {
        let rows = yes.len();
        let total = self.total(rows);
        let hits = match self.0 {
            None => yes.iter().filter(|yes| **yes).count() as f64,
            Some(weights) => sum(yes.iter().zip(weights).filter(|(yes, _)| **yes).map(|(_, weight)| *weight)),
        };
        (total > 0.0).then(|| (hits / total, wilson_of(hits, total, self.effective(rows))))
    }
}

/// Wilson's interval of a share of weights, on `effective` rows.
pub(super) fn wilson_of(part: f64, whole: f64, effective: f64) -> Option<Interval> {
    if effective == whole {
        return wilson(part as u64, whole as u64, CONFIDENCE);
    }
    if whole <= 0.0 || !effective.is_finite() {
        return None;
    }
    let (z, share) = (normal_quantile(0.5 + 0.5 * CONFIDENCE)?, (part / whole).clamp(0.0, 1.0));
    let square = z * z;
    let centre = share + square / (2.0 * effective);
    let half = z * (share * (1.0 - share) / effective + square / (4.0 * effective * effective)).sqrt();
    let all = 1.0 + square / effective;
    Some(Interval { low: ((centre - half) / all).clamp(0.0, share), high: ((centre + half) / all).clamp(share, 1.0) })
}

/// `value` give or take `half`; `None` when that is nothing or no number.
pub(super) fn around(value: f64, half: f64) -> Option<Interval> {
    (half > 0.0 && half.is_finite() && value.is_finite())
        .then(|| Interval { low: value - half, high: value + half })
        .filter(|interval| interval.low.is_finite() && interval.high.is_finite())
}

/// A sum that loses no small addends.
pub(super) fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = DoubleSum::new();
    values.into_iter().for_each(|value| sum.add(value));
    sum.value()
}

/// The power of two that brings the largest of `values` near 1, so that squares neither overflow nor vanish.
pub(super) fn exponent(values: impl IntoIterator<Item = f64>) -> i32 {
    let largest = values.into_iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    if largest > 0.0 && largest.is_finite() { largest.log2().floor() as i32 } else { 0 }
}
