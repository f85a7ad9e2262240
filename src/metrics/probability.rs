//! Metrics of scores as probabilities.

use super::confusion::NO_ROWS;
use super::entry::{CONFIDENCE, Entry, Needs, Outcome};
use super::losses::RowLoss;
use super::{Rows, Task};
use crate::stats::{Moments, mean_of, mean_t};

/// The mean of a row loss with Student's interval.
pub(super) fn mean_loss(rows: &Rows, loss: RowLoss, lacking: &str) -> Outcome {
    if rows.n() == 0 {
        return Outcome::undefined(NO_ROWS, 0);
    }
    match loss.of(rows) {
        None => Outcome::undefined(lacking, rows.n()),
        Some(losses) => match mean_of(losses.iter().copied()) {
            None => Outcome::undefined("the losses exceed the largest number", rows.n()),
            Some(mean) => {
                let interval = mean_t(&Moments::of(&losses), CONFIDENCE).map(|mut interval| {
                    interval.low = interval.low.max(0.0);
                    interval
                });
                Outcome::of(mean, rows.n()).within(interval)
            }
        },
    }
}

fn of_probabilities(rows: &Rows, loss: RowLoss) -> Outcome {
    let lacking =
        if rows.has_scores() { "scores are not all in 0..=1, so they are no probabilities" } else { "no score column" };
    mean_loss(rows, loss, lacking)
}

pub(super) static LOG_LOSS: Entry = Entry {
    name: "log_loss",
    title: "Log loss",
    summary: "mean of minus the natural logarithm of the probability given to what happened, from 0; probabilities of 0 and 1 count \
              as 2.2e-16 away; with Student's interval",
    reference: "scikit-learn log_loss; Good (1952), doi:10.1111/j.2517-6161.1952.tb00104.x",
    task: Task::Classification,
    needs: Needs::Scores,
    higher_is_better: Some(false),
    compute: |rows| of_probabilities(rows, RowLoss::LogLoss),
};

pub(super) static BRIER: Entry = Entry {
    name: "brier",
    title: "Brier score",
    summary: "mean squared distance of the probability from the outcome, 0 to 1; with Student's interval",
    reference: "scikit-learn brier_score_loss; Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
    task: Task::Classification,
    needs: Needs::Scores,
    higher_is_better: Some(false),
    compute: |rows| of_probabilities(rows, RowLoss::Brier),
};
