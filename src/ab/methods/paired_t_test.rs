//! `paired_t_test`: two models on the same rows, by the mean of their differences.

use super::student::Found;
use crate::ab::{Arms, Comparison, Needs, Question, Ratio, Test, Undefined};
use crate::stats::Moments;

/// A spread of differences below this many roundings of the values is rounding, not spread.
const ROUNDINGS: f64 = 4.0;

/// The t-test of the differences of pairs.
#[derive(Debug, Clone, Copy)]
pub struct PairedTTest;

impl Test for PairedTTest {
    fn name(&self) -> &'static str {
        "paired_t_test"
    }
    fn title(&self) -> &'static str {
        "Paired t-test"
    }
    fn summary(&self) -> &'static str {
        "compares two models on the same rows by the mean of the differences, two-sided; at least two pairs whose differences vary; finds \
         smaller differences than two separate arms of the same size"
    }
    fn reference(&self) -> &'static str {
        "Student (1908), The probable error of a mean, doi:10.1093/biomet/6.1.1"
    }
    fn needs(&self) -> Needs {
        Needs::Pairs
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        let (a, b) = arms.pairs()?;
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
        let differences = Moments::of(&differences);
        let largest = a.iter().chain(b).fold(0.0f64, |most, value| most.max(value.abs()));
        if differences.dropped() > 0 {
            return Err(Undefined::NotFinite);
        }
        if differences.n() < 2 {
            return Err(Undefined::InsufficientData);
        }
        let spread = differences.standard_deviation().unwrap_or(0.0);
        if differences.is_constant() || spread <= ROUNDINGS * f64::EPSILON * largest {
            return Err(Undefined::ZeroVariance);
        }
        let unit = differences.exponent();
        let found = Found {
            difference: differences.scaled_mean(unit),
            error: differences.squared_error(unit),
            degrees_of_freedom: (differences.n() - 1) as f64,
            unit,
        };
        let values = [arms.a().mean().unwrap_or(0.0), arms.b().mean().unwrap_or(0.0)];
        found.comparison(values, Ratio::paired(arms.a(), arms.b(), &differences), question.alpha)
    }
}
