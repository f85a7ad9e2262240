//! `total_variation`: the share of rows that would have to change their bin.

use super::super::{AppliesTo, Method, NotJudged, Options, Sample, Score};
use super::binned_shares;
use crate::stats;

/// The total variation distance.
#[derive(Debug, Clone, Copy)]
pub struct TotalVariation;

impl Method for TotalVariation {
    fn name(&self) -> &'static str {
        "total_variation"
    }
    fn title(&self) -> &'static str {
        "Total variation distance"
    }
    fn summary(&self) -> &'static str {
        "the share of rows that would have to change their bin to turn one side into the other"
    }
    fn when_to_use(&self) -> &'static str {
        "When the score must be explained to anyone: 0.2 means that 20 % of the rows are in another category than before. For a column of \
         two categories it is the difference of their shares."
    }
    fn formula(&self) -> &'static str {
        "TV = 1/2 sum over bins of |p - q|, p and q the shares of reference and current rows"
    }
    fn range(&self) -> &'static str {
        "0 to 1"
    }
    fn notes(&self) -> &'static str {
        "Bins are those of psi; missing rows are a bin; new categories count and are named with their share. The p-value is Pearson's test \
         on the same bins. Never above Cramer's V of chi_square, whose 99 % quantile is taken as the bound for reliability."
    }
    fn reference(&self) -> &'static str {
        "Gibbs and Su (2002), On choosing and bounding probability metrics, doi:10.1111/j.1751-5823.2002.tb00178.x"
    }
    fn applies_to(&self) -> AppliesTo {
        AppliesTo::Any
    }
    fn minimum_sample(&self) -> u64 {
        271
    }
    fn scores_missing(&self) -> bool {
        true
    }

    fn judge(&self, reference: &Sample, current: &Sample, options: &Options) -> Result<Score, NotJudged> {
        binned_shares(reference, current, options, 1.0, stats::total_variation)
    }
}
