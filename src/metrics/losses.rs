//! Losses of single rows: what tests between two models compare, and what several metrics are means of.

use super::{Rows, Task};

/// scikit-learn's bound: a probability of exactly 0 or 1 counts as this far from it.
pub(super) const CLIP: f64 = f64::EPSILON;

/// A loss (or gain) that every row has on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowLoss {
    /// 1 when the predicted class is the true one, else 0.
    Accuracy,
    /// Squared distance of the probability from the outcome.
    Brier,
    /// Minus the logarithm of the probability given to the outcome.
    LogLoss,
    /// Distance of the prediction from the truth.
    AbsoluteError,
    /// Its square.
    SquaredError,
}

impl RowLoss {
    /// Whether larger is better.
    pub fn higher_is_better(self) -> bool {
        self == RowLoss::Accuracy
    }

    /// The task it belongs to.
    pub fn task(self) -> Task {
        match self {
            RowLoss::Accuracy | RowLoss::Brier | RowLoss::LogLoss => Task::Classification,
            RowLoss::AbsoluteError | RowLoss::SquaredError => Task::Regression,
        }
    }

    /// The loss of every row that counts, in order; `None` when these rows have not what it needs (no scores, scores that are no
    /// probabilities, the other task).
    pub(super) fn of(self, rows: &Rows) -> Option<Vec<f64>> {
        match self {
            RowLoss::Accuracy => {
                let classes = rows.as_classes()?;
                let guesses = classes.predicted.as_ref()?;
                Some(
                    classes
                        .truth
                        .iter()
                        .zip(guesses)
                        .map(|(truth, guess)| f64::from(u8::from(truth == guess)))
                        .collect(),
                )
            }
            RowLoss::Brier => probabilities(rows).map(|rows| {
                rows.into_iter().map(|(positive, p)| if positive { (1.0 - p) * (1.0 - p) } else { p * p }).collect()
            }),
            RowLoss::LogLoss => probabilities(rows).map(|rows| {
                let clipped = |p: f64| p.clamp(CLIP, 1.0 - CLIP);
                rows.into_iter()
                    .map(|(positive, p)| if positive { -clipped(p).ln() } else { -(-clipped(p)).ln_1p() })
                    .collect()
            }),
            RowLoss::AbsoluteError => errors(rows).map(|errors| errors.map(f64::abs).collect()),
            RowLoss::SquaredError => errors(rows).map(|errors| errors.map(|error| error * error).collect()),
        }
    }
}

/// The row loss a metric is the mean of: `accuracy`, `brier`, `log_loss`, `absolute_error` (or `mae`), `squared_error` (or `mse`).
pub fn row_loss(metric: &str) -> Option<RowLoss> {
    Some(match metric {
        "accuracy" => RowLoss::Accuracy,
        "brier" => RowLoss::Brier,
        "log_loss" => RowLoss::LogLoss,
        "absolute_error" | "mae" => RowLoss::AbsoluteError,
        "squared_error" | "mse" => RowLoss::SquaredError,
        _ => return None,
    })
}

/// The loss of each row as given to [`Rows`], aligned with it: `None` for rows that do not count (pending, or not predicted).
///
/// `None` altogether when `metric` is no mean over rows (see [`row_loss`]) or these rows have not what it needs.
pub fn per_row_loss(metric: &str, rows: &Rows) -> Option<Vec<Option<f64>>> {
    let losses = row_loss(metric)?.of(rows)?;
    let mut aligned = vec![None; rows.given()];
    for (&position, loss) in rows.positions().iter().zip(losses) {
        aligned[position] = Some(loss);
    }
    Some(aligned)
}

/// Rows as `(is positive, probability)`; `None` unless every score is in 0..=1.
pub(super) fn probabilities(rows: &Rows) -> Option<Vec<(bool, f64)>> {
    let scored: Vec<(bool, f64)> = rows.as_classes()?.scored()?.collect();
    scored.iter().all(|(_, score)| (0.0..=1.0).contains(score)).then_some(scored)
}

/// Prediction minus truth, per row.
pub(super) fn errors(rows: &Rows) -> Option<impl Iterator<Item = f64> + '_> {
    let (truth, predicted) = rows.as_numbers()?;
    Some(truth.iter().zip(predicted).map(|(truth, predicted)| predicted - truth))
}
