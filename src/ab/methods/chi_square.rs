//! `chi_square`: two shares by Pearson's chi-square.

use super::proportions_z_test::pooled_z;
use crate::ab::{Arms, Comparison, Needs, Question, Test, Undefined};

/// Pearson's chi-square test of the same table.
#[derive(Debug, Clone, Copy)]
pub struct ChiSquare;

impl Test for ChiSquare {
    fn name(&self) -> &'static str {
        "chi_square"
    }
    fn title(&self) -> &'static str {
        "Chi-square test of two shares"
    }
    fn summary(&self) -> &'static str {
        "compares two shares by Pearson's chi-square without Yates' correction, so it equals the square of `proportions_z_test`; from about \
         five expected ones and zeros in each arm on"
    }
    fn reference(&self) -> &'static str {
        "Pearson (1900), On the criterion that a given system of deviations is such that it can be reasonably supposed to have arisen from \
         random sampling, doi:10.1080/14786440009463897"
    }
    fn needs(&self) -> Needs {
        Needs::Shares
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        let found = pooled_z(arms, question.alpha)?;
        Ok(Comparison { statistic: found.statistic * found.statistic, degrees_of_freedom: Some(1.0), ..found })
    }
}
