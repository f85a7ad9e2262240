//! `wilcoxon_signed_rank`: which model tends to have the larger value on the same rows.

use super::ranked::ranked;
use crate::ab::{Arms, Comparison, Needs, Question, Ratio, Test, Undefined};
use crate::stats::{Moments, signed_rank};

/// At most this many pairs are counted exactly, without ties.
const EXACT_PAIRS: usize = 50;

/// Wilcoxon's signed-rank test.
#[derive(Debug, Clone, Copy)]
pub struct WilcoxonSignedRank;

impl Test for WilcoxonSignedRank {
    fn name(&self) -> &'static str {
        "wilcoxon_signed_rank"
    }
    fn title(&self) -> &'static str {
        "Wilcoxon signed-rank test"
    }
    fn summary(&self) -> &'static str {
        "asks whether one model tends to have the larger value on the same rows, two-sided; differences of 0 are left out; exact up to 50 pairs \
         without ties and without differences of 0, else normal, corrected for ties and continuity; differences should be symmetric around their middle"
    }
    fn reference(&self) -> &'static str {
        "Wilcoxon (1945), Individual comparisons by ranking methods, doi:10.2307/3001968"
    }
    fn needs(&self) -> Needs {
        Needs::Pairs
    }
    fn has_interval(&self) -> bool {
        false
    }
    fn compare(&self, arms: &Arms, _: &Question) -> Result<Comparison, Undefined> {
        let (a, b) = arms.pairs()?;
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
        if differences.is_empty() {
            return Err(Undefined::InsufficientData);
        }
        let found = signed_rank(&differences).ok_or(Undefined::ZeroVariance)?;
        let exact = if found.n <= EXACT_PAIRS { found.exact() } else { None };
        let moments = Moments::of(&differences);
        let ratio = Ratio::paired(arms.a(), arms.b(), &moments);
        ranked(arms, ratio, found.positive, exact.unwrap_or_else(|| found.asymptotic(true)))
    }
}
