//! Metrics of scores as probabilities.

use super::class_scores::{brier_of_classes, log_losses_of_classes};
use super::confusion::NO_ROWS;
use super::entry::{Entry, Needs, Outcome, Texts};
use super::losses::{CLIP, RowLoss};
use super::order::lacking;
use super::weights::sum;
use super::{Rows, Task};
use crate::stats::Interval;

pub(super) const NO_PROBABILITIES: &str = "scores are not all in 0..=1, so they are no probabilities";

/// The mean of a row loss with Student's interval.
pub(super) fn mean_loss(rows: &Rows, loss: RowLoss, lacking: &str) -> Outcome {
    if rows.n() == 0 {
        return Outcome::undefined(NO_ROWS, 0);
    }
    match loss.of(rows) {
        None => Outcome::undefined(lacking, rows.n()),
        Some(losses) => mean_of_losses(rows, &losses),
    }
}

/// The mean of losses that are never below 0, with Student's interval.
pub(super) fn mean_of_losses(rows: &Rows, losses: &[f64]) -> Outcome {
    match rows.weights().mean(losses) {
        None if rows.n() == 0 => Outcome::undefined(NO_ROWS, 0),
        None => Outcome::undefined("the losses exceed the largest number", rows.n()),
        Some(mean) => Outcome::of(mean, rows.n()).within(rows.weights().mean_interval(losses)),
    }
}

/// A loss of the probability of the positive class, or of the probabilities of all classes where there is no positive one.
fn of_probabilities(rows: &Rows, loss: RowLoss, of_classes: fn(&Rows) -> Result<Vec<f64>, String>) -> Outcome {
    if rows.has_scores() {
        return mean_loss(rows, loss, NO_PROBABILITIES);
    }
    match of_classes(rows) {
        Ok(losses) => mean_of_losses(rows, &losses),
        Err(_) if rows.as_classes().is_none_or(|classes| classes.class_scores.is_empty()) => {
            Outcome::undefined(lacking(rows), rows.n())
        }
        Err(reason) => Outcome::undefined(reason, rows.n()),
    }
}

const fn entry(
    name: &'static str,
    range: (f64, f64),
    texts: Texts,
    higher_is_better: bool,
    compute: fn(&Rows) -> Outcome,
) -> Entry {
    let (task, needs, higher_is_better) = (Task::Classification, Needs::Scores, Some(higher_is_better));
    Entry { name, texts, range, task, needs, higher_is_better, compute }
}

pub(super) static LOG_LOSS: Entry = entry(
    "log_loss",
    (0.0, f64::INFINITY),
    Texts {
        title: "Log loss",
        summary: "mean of minus the natural logarithm of the probability given to what happened, from 0; probabilities of 0 and 1 \
                  count as 2.2e-16 away; with Student's interval",
        formula: "mean of -ln p(what happened)",
        when_to_use: "Probabilities are used as such, and being sure and wrong is much worse than being unsure.",
        limits: "One row that is sure and wrong can outweigh all others; has no upper bound.",
        interval: "Student's, of the mean over rows",
        reference: "scikit-learn log_loss; Good (1952), doi:10.1111/j.2517-6161.1952.tb00104.x",
    },
    false,
    |rows| of_probabilities(rows, RowLoss::LogLoss, log_losses_of_classes),
);

pub(super) static BRIER: Entry = entry(
    "brier",
    (0.0, 2.0),
    Texts {
        title: "Brier score",
        summary: "mean squared distance of the probability from the outcome, 0 to 1; summed over classes, 0 to 2, when there is a \
                  probability for each of more than two; with Student's interval",
        formula: "mean of (p - y)^2, y 1 for positive rows and else 0; for more classes the sum of it over classes",
        when_to_use: "Probabilities are used as such; it holds calibration and separation together.",
        limits: "Hardly moves when positives are rare: compare with the Brier score of the share of positives.",
        interval: "Student's, of the mean over rows",
        reference: "scikit-learn brier_score_loss; Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
    },
    false,
    |rows| of_probabilities(rows, RowLoss::Brier, brier_of_classes),
);

pub(super) static D2_LOG_LOSS: Entry = entry(
    "d2_log_loss",
    (f64::NEG_INFINITY, 1.0),
    Texts {
        title: "D squared of the log loss",
        summary: "share of the log loss of always answering the class shares that the model takes away, at most 1, negative when it is \
                  worse than that; without a meaning with one class",
        formula: "1 - log loss / log loss of the class shares",
        when_to_use: "Log losses of data with different class shares are to be compared.",
        limits: "Those of the log loss; with one class it divides by almost 0.",
        interval: "delta method over rows; none with one class",
        reference: "scikit-learn d2_log_loss_score; McFadden (1974), Frontiers in Econometrics, 105-142",
    },
    true,
    |rows| {
        let losses = if rows.has_scores() {
            RowLoss::LogLoss.of(rows).ok_or(())
        } else {
            log_losses_of_classes(rows).map_err(drop)
        };
        match (losses, rows.as_classes()) {
            (Ok(losses), Some(classes)) if rows.n() > 0 => d2(rows, &losses, &classes.truth, classes.names.len()),
            // The log loss says what is lacking.
            _ => (LOG_LOSS.compute)(rows),
        }
    },
);

fn d2(rows: &Rows, losses: &[f64], truth: &[u32], classes: usize) -> Outcome {
    let weights = rows.weights();
    let mut of_class = vec![0.0; classes];
    truth.iter().enumerate().for_each(|(row, class)| of_class[*class as usize] += weights.of_row(row));
    let total = sum(of_class.iter().copied());
    let shares: Vec<f64> = of_class.iter().map(|weight| (weight / total).clamp(CLIP, 1.0 - CLIP)).collect();
    let null_losses: Vec<f64> = truth.iter().map(|class| surprise(shares[*class as usize])).collect();
    let Some((loss, null)) = weights.mean(losses).zip(weights.mean(&null_losses)) else {
        return Outcome::undefined("the losses exceed the largest number", rows.n());
    };
    let outcome = Outcome::of(1.0 - loss / null, rows.n());
    if of_class.iter().filter(|weight| **weight > 0.0).count() < 2 {
        return outcome
            .because("all labels are of one class: there is nothing to explain, and the value has no meaning");
    }
    let moves = losses.iter().zip(&null_losses);
    let influence: Vec<f64> =
        moves.map(|(of, at_null)| (loss / null * (at_null - null) - (of - loss)) / null).collect();
    let interval: Option<Interval> = outcome.value.and_then(|value| weights.delta_interval(value, &influence));
    outcome.within(interval)
}

/// Minus the logarithm of a probability, accurate near 1.
fn surprise(p: f64) -> f64 {
    if p > 0.5 { -(p - 1.0).ln_1p() } else { -p.ln() }
}
