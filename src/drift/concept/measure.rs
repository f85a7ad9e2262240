//! Measures of how much a model errs, with the standard deviation that one row contributes.
//!
//! A measure of `n` rows has the sampling error `sd / sqrt(n)`: for means that is the textbook formula, for ratios (precision, recall, F1) the
//! delta method, for the area under the curve DeLong's (doi:10.2307/2531595).

use serde::Serialize;

use super::side::{Binary, Side};
use crate::stats::Moments;

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Share of rows predicted wrongly.
    ErrorRate,
    /// Share of rows predicted rightly.
    Accuracy,
    /// Share of rows predicted positive that are.
    Precision,
    /// Share of positive rows predicted so.
    Recall,
    /// Harmonic mean of the two.
    F1,
    /// Chance that a positive row is scored above another.
    RocAuc,
    /// Mean absolute error.
    Mae,
    /// Root of the mean squared error.
    Rmse,
}

/// A measure of some rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampled {
    /// Its value.
    pub value: f64,
    /// What one row contributes to its sampling error, `sd / sqrt(n)`.
    pub sd: f64,
    /// Rows it is of.
    pub n: u64,
}

impl Sampled {
    /// Standard error of `n` such rows.
    pub fn error_of(&self, n: u64) -> f64 {
        self.sd / (n.max(1) as f64).sqrt()
    }
}

impl Measure {
    /// The name in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::ErrorRate => "error_rate",
            Measure::Accuracy => "accuracy",
            Measure::Precision => "precision",
            Measure::Recall => "recall",
            Measure::F1 => "f1",
            Measure::RocAuc => "roc_auc",
            Measure::Mae => "mae",
            Measure::Rmse => "rmse",
        }
    }

    /// The measure of that name.
    pub fn named(name: &str) -> Option<Self> {
        use Measure::{Accuracy, ErrorRate, F1, Mae, Precision, Recall, Rmse, RocAuc};
        [ErrorRate, Accuracy, Precision, Recall, F1, RocAuc, Mae, Rmse].into_iter().find(|m| m.as_str() == name)
    }

    /// The name people read.
    pub fn title(self) -> &'static str {
        match self {
            Measure::ErrorRate => "error rate",
            Measure::Accuracy => "accuracy",
            Measure::Precision => "precision",
            Measure::Recall => "recall",
            Measure::F1 => "F1",
            Measure::RocAuc => "ROC AUC",
            Measure::Mae => "mean absolute error",
            Measure::Rmse => "root mean squared error",
        }
    }

    /// Whether larger is better.
    pub fn higher_is_better(self) -> bool {
        !matches!(self, Measure::ErrorRate | Measure::Mae | Measure::Rmse)
    }

    /// Whether it is a share of rows, so that a change of it is a binomial one.
    pub fn is_share_of_rows(self) -> bool {
        matches!(self, Measure::ErrorRate | Measure::Accuracy)
    }

    /// Whether changes are relative to the reference, because the measure has the label's unit.
    pub fn is_relative(self) -> bool {
        matches!(self, Measure::Mae | Measure::Rmse)
    }

    /// How much worse a change of this measure is: positive is worse. Relative measures are divided by `reference`.
    pub fn worsening(self, change: f64, reference: f64) -> f64 {
        let worse = if self.higher_is_better() { -change } else { change };
        if self.is_relative() { worse / reference } else { worse }
    }

    /// The measure of the labelled rows of a side.
    ///
    /// # Errors
    /// Why it is undefined for these rows.
    pub fn of(self, side: &Side) -> Result<Sampled, String> {
        match self {
            Measure::ErrorRate | Measure::Mae => mean(&side.labelled()),
            Measure::Accuracy => {
                let error = mean(&side.labelled())?;
                Ok(Sampled { value: 1.0 - error.value, ..error })
            }
            Measure::Rmse => {
                let squares: Vec<f64> = side.labelled().iter().map(|error| error * error).collect();
                let square = mean(&squares)?;
                let value = square.value.sqrt();
                let sd = if value > 0.0 { square.sd / (2.0 * value) } else { 0.0 };
                Ok(Sampled { value, sd, n: square.n })
            }
            Measure::Precision | Measure::Recall | Measure::F1 => {
                let counts = Counts::of(side.binary().ok_or("there is no positive class")?);
                counts.measure(self).ok_or_else(|| self.undefined())
            }
            Measure::RocAuc => area(side.binary().ok_or("there is no positive class")?).ok_or_else(|| self.undefined()),
        }
    }

    fn undefined(self) -> String {
        let lacking = match self {
            Measure::Precision => "no row is predicted positive",
            Measure::RocAuc => "labels are of one class only, or there are no scores",
            _ => "no row is positive",
        };
        lacking.to_owned()
    }
}

fn mean(values: &[f64]) -> Result<Sampled, String> {
    let moments = Moments::of(values);
    match (moments.mean(), moments.population_standard_deviation()) {
        (Some(value), Some(sd)) if value.is_finite() && sd.is_finite() => Ok(Sampled { value, sd, n: moments.n() }),
        _ => Err("there are no finite errors".to_owned()),
    }
}

/// The four counts of a binary classifier; expected ones need not be whole.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) true_positive: f64,
    pub(super) false_positive: f64,
    pub(super) false_negative: f64,
    pub(super) true_negative: f64,
}

impl Counts {
    fn of(binary: &Binary) -> Self {
        let mut counts = Self::default();
        for (truth, &predicted) in binary.truth.iter().zip(&binary.predicted) {
            let Some(truth) = truth else { continue };
            counts.add(predicted, f64::from(u8::from(*truth)));
        }
        counts
    }

    /// Counts a row that is positive with this probability.
    pub(super) fn add(&mut self, predicted: bool, probability: f64) {
        if predicted {
            self.true_positive += probability;
            self.false_positive += 1.0 - probability;
        } else {
            self.false_negative += probability;
            self.true_negative += 1.0 - probability;
        }
    }

    /// A share with its standard deviation; none when nothing is counted.
    pub(super) fn measure(&self, measure: Measure) -> Option<Sampled> {
        let (right, missed, wrong) = (self.true_positive, self.false_negative, self.false_positive);
        let n = right + missed + wrong + self.true_negative;
        let share = |part: f64, of: f64| {
            (of > 0.0).then(|| (part / of, (part / of * (1.0 - part / of)).max(0.0).sqrt() * (n / of).sqrt()))
        };
        let (value, sd) = match measure {
            Measure::Accuracy => share(right + self.true_negative, n)?,
            Measure::ErrorRate => share(missed + wrong, n)?,
            Measure::Precision => share(right, right + wrong)?,
            Measure::Recall => share(right, right + missed)?,
            Measure::F1 => {
                // F1 = 2 J / (1 + J) of the Jaccard index J, whose variance is that of a share.
                let (jaccard, sd) = share(right, right + missed + wrong)?;
                (2.0 * jaccard / (1.0 + jaccard), sd * 2.0 / ((1.0 + jaccard) * (1.0 + jaccard)))
            }
            Measure::RocAuc | Measure::Mae | Measure::Rmse => return None,
        };
        Some(Sampled { value, sd, n: n.round() as u64 })
    }
}

/// Area under the curve of the labelled rows, with DeLong's variance of placements.
fn area(binary: &Binary) -> Option<Sampled> {
    let mut rows: Vec<(f64, bool)> =
        binary.scores.iter().zip(&binary.truth).filter_map(|(&score, truth)| Some((score, (*truth)?))).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = rows.iter().filter(|(_, truth)| *truth).count() as f64;
    let negatives = rows.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut of_positives, mut of_negatives) = (Moments::new(), Moments::new());
    let (mut positives_below, mut negatives_below) = (0.0, 0.0);
    for ties in rows.chunk_by(|a, b| a.0 == b.0) {
        let here = ties.iter().filter(|(_, truth)| *truth).count() as f64;
        let others = ties.len() as f64 - here;
        for (_, truth) in ties {
            if *truth {
                of_positives.push((negatives_below + others / 2.0) / negatives);
            } else {
                of_negatives.push((positives - positives_below - here / 2.0) / positives);
            }
        }
        positives_below += here;
        negatives_below += others;
    }
    let n = rows.len() as f64;
    let spread = |moments: &Moments| moments.population_standard_deviation().unwrap_or(0.0).powi(2);
    let variance = spread(&of_positives) * n / positives + spread(&of_negatives) * n / negatives;
    Some(Sampled { value: of_positives.mean()?, sd: variance.sqrt(), n: rows.len() as u64 })
}
