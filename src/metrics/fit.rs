//! Metrics of how much of the truth's variation predictions explain.

use super::confusion::NO_ROWS;
use super::entry::{Entry, Needs, Outcome};
use super::{Rows, Task};
use crate::stats::{Moments, sum_of};

const NO_NUMBERS: &str = "no numeric labels and predictions";

pub(super) static R2: Entry = Entry {
    name: "r2",
    title: "R squared",
    summary: "share of the truth's variance that predictions explain, at most 1, negative when worse than the mean; for a constant \
              truth 1 when every prediction is right and else 0; undefined below two rows",
    reference: "scikit-learn r2_score; Kvalseth (1985), doi:10.1080/00031305.1985.10479448",
    task: Task::Regression,
    needs: Needs::Predictions,
    higher_is_better: Some(true),
    compute: |rows| {
        explained(rows, 2, |truth, predicted| {
            sum_of(truth.iter().zip(predicted).map(|(truth, predicted)| (predicted - truth) * (predicted - truth)))
        })
    },
};

pub(super) static EXPLAINED_VARIANCE: Entry = Entry {
    name: "explained_variance",
    title: "Explained variance",
    summary: "like R squared, but a constant offset of the predictions costs nothing, at most 1; for a constant truth 1 when the errors \
              are constant too and else 0",
    reference: "scikit-learn explained_variance_score",
    task: Task::Regression,
    needs: Needs::Predictions,
    higher_is_better: Some(true),
    compute: |rows| {
        explained(rows, 1, |truth, predicted| {
            let errors: Vec<f64> = truth.iter().zip(predicted).map(|(truth, predicted)| predicted - truth).collect();
            Moments::of(&errors).m2().unwrap_or(f64::INFINITY)
        })
    },
};

/// One minus unexplained over total variation, with scikit-learn's finite answers for a constant truth.
fn explained(rows: &Rows, least: u64, unexplained: impl Fn(&[f64], &[f64]) -> f64) -> Outcome {
    let Some((truth, predicted)) = rows.as_numbers() else {
        return Outcome::undefined(NO_NUMBERS, rows.n());
    };
    let n = rows.n();
    if n == 0 {
        return Outcome::undefined(NO_ROWS, 0);
    }
    if n < least {
        return Outcome::undefined(format!("needs at least {least} rows"), n);
    }
    let Some(total) = Moments::of(truth).m2() else {
        return Outcome::undefined("the variation of the truth exceeds the largest number", n);
    };
    let unexplained = unexplained(truth, predicted);
    if total > 0.0 {
        return Outcome::of(1.0 - unexplained / total, n);
    }
    let value = if unexplained == 0.0 { 1.0 } else { 0.0 };
    Outcome::of(value, n).because("the truth is constant: 1 or 0 by convention")
}
