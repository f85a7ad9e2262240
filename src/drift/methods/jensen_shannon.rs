//! `jensen_shannon`: how much a row says about the side it comes from, in bits.

use super::super::{AppliesTo, Method, NotJudged, Options, Sample, Score};
use super::binned_shares;
use crate::stats;

/// The Jensen-Shannon distance.
#[derive(Debug, Clone, Copy)]
pub struct JensenShannon;

impl Method for JensenShannon {
    fn name(&self) -> &'static str {
        "jensen_shannon"
    }
    fn title(&self) -> &'static str {
        "Jensen-Shannon distance"
    }
    fn summary(&self) -> &'static str {
        "the square root of how many bits the bin of a row says about the side that the row comes from"
    }
    fn when_to_use(&self) -> &'static str {
        "For categories, and for numbers when one scale for all columns is wanted: bounded, symmetric, a proper distance, and an empty bin \
         needs no floor as in psi. Scores run close to chi_square (0.85 to 1 times its V)."
    }
    fn formula(&self) -> &'static str {
        "JS = sqrt(1/2 sum over bins of p log2(p / r) + q log2(q / r)), r = (p + q) / 2, p and q the shares of reference and current rows"
    }
    fn range(&self) -> &'static str {
        "0 to 1"
    }
    fn notes(&self) -> &'static str {
        "The distance (base 2), not its square the divergence. Bins are those of psi; missing rows are a bin; new categories count and are \
         named with their share. The p-value is Pearson's test on the same bins."
    }
    fn reference(&self) -> &'static str {
        "Lin (1991), Divergence measures based on the Shannon entropy, doi:10.1109/18.61115; Endres and Schindelin (2003), \
         doi:10.1109/TIT.2003.813506"
    }
    fn applies_to(&self) -> AppliesTo {
        AppliesTo::Any
    }
    fn minimum_sample(&self) -> u64 {
        196
    }
    fn scores_missing(&self) -> bool {
        true
    }

    fn judge(&self, reference: &Sample, current: &Sample, options: &Options) -> Result<Score, NotJudged> {
        // Near zero the divergence is V^2 / (2 ln 2).
        let near = (0.5 / std::f64::consts::LN_2).sqrt();
        binned_shares(reference, current, options, near, |shares| stats::jensen_shannon(shares).sqrt())
    }
}
