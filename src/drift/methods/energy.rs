//! `energy`: the energy distance, in units of the reference's own spread.

use serde_json::json;

use super::super::{AppliesTo, Method, NotJudged, Options, Sample, Score};
use super::place::Place;
use super::{not_finite, numbers};
use crate::stats::{chi_square_sf, transport};

/// The 99 % quantile of chi-square with one degree of freedom, over two.
const NULL_99: f64 = 3.317_448_300_510_367;

/// The standardised energy distance.
#[derive(Debug, Clone, Copy)]
pub struct Energy;

impl Method for Energy {
    fn name(&self) -> &'static str {
        "energy"
    }
    fn title(&self) -> &'static str {
        "Energy distance"
    }
    fn summary(&self) -> &'static str {
        "how much farther rows of different sides are from each other than rows of one side, in units of the reference's own spread"
    }
    fn when_to_use(&self) -> &'static str {
        "For numeric columns where a change of shape matters as well as a shift, and distances between values mean something. A shift by \
         d standard deviations scores about d/2 while it is small. Like wasserstein it feels single far values; cramer_von_mises and \
         ks_test do not."
    }
    fn formula(&self) -> &'static str {
        "E = sqrt((2 E|X-Y| - E|X-X'| - E|Y-Y'|) / (2 E|X-X'|)), X and X' rows of the reference, Y and Y' current rows"
    }
    fn range(&self) -> &'static str {
        "0 to infinity"
    }
    fn notes(&self) -> &'static str {
        "All pairs of rows count, by a formula on sorted values. The coefficient of inhomogeneity, which lies between 0 and 1, is in the \
         details; it is not the score because one far value in the current rows makes it small whatever else happened. A constant \
         reference has no spread: then the unit is that of both sides together with equal weight. An infinity lies one standard \
         deviation beyond the largest finite value and is counted. Missing rows are checked by their share. The p-value is the \
         distribution-free bound of Szekely and Bakirov: never too small below 0.215, often too large."
    }
    fn reference(&self) -> &'static str {
        "Szekely and Rizzo (2013), Energy statistics: a class of statistics based on distances, doi:10.1016/j.jspi.2013.03.018; bound: \
         Szekely and Bakirov (2003), Extremal probabilities for Gaussian quadratic forms, doi:10.1007/s00440-003-0262-6"
    }
    fn applies_to(&self) -> AppliesTo {
        AppliesTo::Numeric
    }
    fn minimum_sample(&self) -> u64 {
        166
    }
    fn scores_missing(&self) -> bool {
        false
    }

    fn judge(&self, reference: &Sample, current: &Sample, _options: &Options) -> Result<Score, NotJudged> {
        let (reference, current) = numbers(self, reference, current)?;
        let place = Place::of(reference, current);
        let distances = transport(reference, current, |value| place.at(value)).ok_or_else(|| not_finite(self))?;
        let (n, m) = (reference.len() as f64, current.len() as f64);
        let spread = if distances.spread_first > 0.0 {
            distances.spread_first
        } else {
            0.25 * (distances.spread_first + distances.spread_second + 2.0 * distances.between)
        };
        let squared = distances.energy_squared;
        let share = |of: f64| if squared > 0.0 { (squared / (2.0 * of)).min(f64::MAX) } else { 0.0 };
        let inhomogeneity = share(distances.between);
        Ok(Score {
            value: share(spread).sqrt(),
            p_value: Some(chi_square_sf(2.0 * inhomogeneity * (n / (n + m)) * m, 1.0)),
            null_quantile: (NULL_99 * (1.0 / n + 1.0 / m)).sqrt(),
            details: json!({
                "energy_squared": place.in_unit(squared),
                "inhomogeneity": inhomogeneity,
                "spread_reference": place.in_unit(distances.spread_first),
                "spread_current": place.in_unit(distances.spread_second),
                "p_value_method": "upper_bound",
                "infinite_reference": super::infinities(reference),
                "infinite_current": super::infinities(current),
            }),
        })
    }
}
