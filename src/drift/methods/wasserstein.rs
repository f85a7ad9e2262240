//! `wasserstein`: how far a row has to be moved on average, in standard deviations of the reference.

use serde_json::json;

use super::super::{AppliesTo, Method, NotJudged, Options, Sample, Score};
use super::place::Place;
use super::{not_finite, numbers};
use crate::stats::{Moments, transport};

/// Mean of |Z| for a standard normal Z.
const MEAN_ABSOLUTE: f64 = 0.797_884_560_802_865_4;
/// The 99 % quantile of the standard normal distribution.
const NORMAL_99: f64 = 2.326_347_874_040_841;

/// The Wasserstein-1 distance in standard deviations.
#[derive(Debug, Clone, Copy)]
pub struct Wasserstein;

impl Method for Wasserstein {
    fn name(&self) -> &'static str {
        "wasserstein"
    }
    fn title(&self) -> &'static str {
        "Wasserstein distance in standard deviations"
    }
    fn summary(&self) -> &'static str {
        "how far a row has to be moved on average to turn one distribution into the other, in standard deviations of the reference"
    }
    fn when_to_use(&self) -> &'static str {
        "When the size of a change matters and not only that there is one: a shift of the whole column by 0.3 standard deviations \
         scores 0.3, twice the shift scores twice as much, and the distance itself is given in the unit of the column. Not for columns \
         with far outliers: one of them moves the score, or hides a shift when it is in the reference."
    }
    fn formula(&self) -> &'static str {
        "W = integral of |F_reference(x) - F_current(x)| dx / sd, sd the standard deviation of the reference (divisor n)"
    }
    fn range(&self) -> &'static str {
        "0 to infinity"
    }
    fn notes(&self) -> &'static str {
        "W1 in the column's unit stands beside the score. A constant reference has no standard deviation: then the unit is that of both \
         sides together with equal weight, so a constant that becomes another one scores 2. An infinity lies one standard deviation \
         beyond the largest finite value and is counted. Missing rows are checked by their share. There is no p-value, so the score \
         alone decides. Reliability uses a bound that holds for every distribution (Gaussian concentration), about a quarter above \
         the real 99 % quantile for normal columns."
    }
    fn reference(&self) -> &'static str {
        "Ramdas, Garcia Trillos and Cuturi (2017), On Wasserstein two-sample testing and related families of nonparametric tests, \
         doi:10.3390/e19020047"
    }
    fn applies_to(&self) -> AppliesTo {
        AppliesTo::Numeric
    }
    fn minimum_sample(&self) -> u64 {
        647
    }
    fn scores_missing(&self) -> bool {
        false
    }
    fn has_p_value(&self) -> bool {
        false
    }

    fn judge(&self, reference: &Sample, current: &Sample, _options: &Options) -> Result<Score, NotJudged> {
        let (reference, current) = numbers(self, reference, current)?;
        let place = Place::of(reference, current);
        let at = |value| place.at(value);
        let distances = transport(reference, current, at).ok_or_else(|| not_finite(self))?;
        let moments = |values: &[f64]| Moments::of_finite_values(values.iter().map(|&value| place.at(value)));
        let of_reference = moments(reference);
        let deviation = of_reference.population_standard_deviation().unwrap_or(0.0);
        let (unit, spread) = if deviation > 0.0 {
            (deviation, root_spread(reference, at))
        } else {
            (mixed_deviation(&of_reference, &moments(current)), 0.0)
        };
        // The ratio of the largest double to a small unit overflows.
        let value = if distances.wasserstein > 0.0 { (distances.wasserstein / unit).min(f64::MAX) } else { 0.0 };
        let (n, m) = (reference.len() as f64, current.len() as f64);
        let null = if unit > 0.0 { MEAN_ABSOLUTE * spread / unit + NORMAL_99 } else { NORMAL_99 };
        Ok(Score {
            value,
            p_value: None,
            null_quantile: null * (1.0 / n + 1.0 / m).sqrt(),
            details: json!({
                "distance": place.in_unit(distances.wasserstein),
                "unit": place.in_unit(unit),
                "unit_of": if deviation > 0.0 { "reference" } else { "both_sides" },
                "infinite_reference": super::infinities(reference),
                "infinite_current": super::infinities(current),
            }),
        })
    }
}

/// `integral sqrt(F (1 - F))`: the mean of the distance between two samples of the same distribution is this times `sqrt(2/pi)` and
/// `sqrt(1/n + 1/m)`, and it exceeds its mean by more than 2.33 standard deviations once in a hundred times at most (the distance is
/// a supremum of means of functions of slope 1, whose deviation is at most that of the column; Borell, Tsirelson, Ibragimov and
/// Sudakov).
fn root_spread(sorted: &[f64], place: impl Fn(f64) -> f64) -> f64 {
    let n = sorted.len() as f64;
    let mut sum = 0.0;
    for (index, pair) in sorted.windows(2).enumerate() {
        let below = index as f64 + 1.0;
        sum += (below * (n - below)).sqrt() / n * (place(pair[1]) - place(pair[0]));
    }
    sum
}

/// The standard deviation of both sides together, each with the weight of one half.
fn mixed_deviation(reference: &Moments, current: &Moments) -> f64 {
    let within = |side: &Moments| side.population_standard_deviation().unwrap_or(0.0);
    let apart = current.mean().unwrap_or(0.0) / 2.0 - reference.mean().unwrap_or(0.0) / 2.0;
    let (a, b) = (within(reference), within(current));
    apart.hypot((0.5f64).sqrt() * a.hypot(b))
}
