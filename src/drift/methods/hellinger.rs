//! `hellinger`: the distance between the square roots of shares.

use super::super::{AppliesTo, Method, NotJudged, Options, Sample, Score};
use super::binned_shares;
use crate::stats;

/// The Hellinger distance.
#[derive(Debug, Clone, Copy)]
pub struct Hellinger;

impl Method for Hellinger {
    fn name(&self) -> &'static str {
        "hellinger"
    }
    fn title(&self) -> &'static str {
        "Hellinger distance"
    }
    fn summary(&self) -> &'static str {
        "the distance between the square roots of the shares of rows in each bin"
    }
    fn when_to_use(&self) -> &'static str {
        "For columns where rare bins matter: a share that rises from 0 to 1 % weighs more than one that rises from 50 to 51 %. Small \
         changes of large bins score about 0.7 times what chi_square does."
    }
    fn formula(&self) -> &'static str {
        "H = sqrt(1/2 sum over bins of (sqrt(p) - sqrt(q))^2), p and q the shares of reference and current rows"
    }
    fn range(&self) -> &'static str {
        "0 to 1"
    }
    fn notes(&self) -> &'static str {
        "Bins are those of psi; missing rows are a bin; new categories count and are named with their share. An empty bin needs no floor. The \
         p-value is Pearson's test on the same bins."
    }
    fn reference(&self) -> &'static str {
        "Hellinger (1909), Neue Begruendung der Theorie quadratischer Formen von unendlichvielen Veraenderlichen, \
         doi:10.1515/crll.1909.136.210"
    }
    fn applies_to(&self) -> AppliesTo {
        AppliesTo::Any
    }
    fn minimum_sample(&self) -> u64 {
        150
    }
    fn scores_missing(&self) -> bool {
        true
    }

    fn judge(&self, reference: &Sample, current: &Sample, options: &Options) -> Result<Score, NotJudged> {
        // Near zero the distance is V / sqrt(2).
        binned_shares(reference, current, options, std::f64::consts::FRAC_1_SQRT_2, stats::hellinger)
    }
}
