//! Tests of ranks: `mann_whitney` for two arms and `wilcoxon_signed_rank` for pairs.
//!
//! They ask which model tends to have the larger values, not which has the larger mean, so they give no interval of the difference. May use: `stats`.

use super::improvement::Ratio;
use super::{Arms, Comparison, Needs, Question, Test, Undefined};
use crate::stats::{Tails, mann_whitney, signed_rank};

/// An arm of at most this many rows is counted exactly, without ties.
const EXACT_ARM: usize = 8;
/// At most this many pairs are counted exactly, without ties.
const EXACT_PAIRS: usize = 50;

/// Mann and Whitney's test.
#[derive(Debug, Clone, Copy)]
pub struct MannWhitneyTest;

impl Test for MannWhitneyTest {
    fn name(&self) -> &'static str {
        "mann_whitney"
    }
    fn title(&self) -> &'static str {
        "Mann-Whitney test"
    }
    fn summary(&self) -> &'static str {
        "asks whether rows of one arm tend to be larger than rows of the other, two-sided; exact when an arm has at most 8 rows and no values \
         are equal, else normal, corrected for ties and continuity; no interval, since it does not compare means"
    }
    fn reference(&self) -> &'static str {
        "Mann and Whitney (1947), On a test of whether one of two random variables is stochastically larger than the other, \
         doi:10.1214/aoms/1177730491"
    }
    fn needs(&self) -> Needs {
        Needs::Rows
    }
    fn compare(&self, arms: &Arms, _: &Question) -> Result<Comparison, Undefined> {
        let (a, b) = arms.rows()?;
        let found = mann_whitney(b, a).ok_or(Undefined::InsufficientData)?;
        let exact = if a.len().min(b.len()) <= EXACT_ARM { found.exact() } else { None };
        let tails = exact.or_else(|| found.asymptotic(true)).ok_or(Undefined::ZeroVariance)?;
        ranked(arms, Ratio::independent(arms.a(), arms.b()), found.u, tails)
    }
}

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
         without ties, else normal, corrected for ties and continuity; differences should be symmetric around their middle"
    }
    fn reference(&self) -> &'static str {
        "Wilcoxon (1945), Individual comparisons by ranking methods, doi:10.2307/3001968"
    }
    fn needs(&self) -> Needs {
        Needs::Pairs
    }
    fn compare(&self, arms: &Arms, _: &Question) -> Result<Comparison, Undefined> {
        let (a, b) = arms.pairs()?;
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
        if differences.is_empty() {
            return Err(Undefined::InsufficientData);
        }
        let found = signed_rank(&differences).ok_or(Undefined::ZeroVariance)?;
        let exact = if found.n <= EXACT_PAIRS { found.exact() } else { None };
        let moments = crate::stats::Moments::of(&differences);
        let ratio = Ratio::paired(arms.a(), arms.b(), &moments);
        ranked(arms, ratio, found.positive, exact.unwrap_or_else(|| found.asymptotic(true)))
    }
}

fn ranked(arms: &Arms, ratio: Option<Ratio>, statistic: f64, tails: Tails) -> Result<Comparison, Undefined> {
    let values = [arms.a().mean().unwrap_or(0.0), arms.b().mean().unwrap_or(0.0)];
    let difference = arms.a().difference_to(arms.b(), 0);
    let found = Comparison::normal(values, difference, statistic);
    Comparison { p_value: tails.two_sided, p_greater: tails.greater, p_less: tails.less, ratio, ..found }.finite()
}
