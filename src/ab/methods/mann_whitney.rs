//! `mann_whitney`: which arm tends to have the larger rows.

use super::ranked::ranked;
use crate::ab::{Arms, Comparison, Needs, Question, Ratio, Test, Undefined};
use crate::stats::mann_whitney;

/// An arm of at most this many rows is counted exactly, without ties.
const EXACT_ARM: usize = 8;

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
    fn has_interval(&self) -> bool {
        false
    }
    fn compare(&self, arms: &Arms, _: &Question) -> Result<Comparison, Undefined> {
        let (a, b) = arms.rows()?;
        let found = mann_whitney(b, a).ok_or(Undefined::InsufficientData)?;
        let exact = if a.len().min(b.len()) <= EXACT_ARM { found.exact() } else { None };
        let tails = exact.or_else(|| found.asymptotic(true)).ok_or(Undefined::ZeroVariance)?;
        ranked(arms, Ratio::independent(arms.a(), arms.b()), found.u, tails)
    }
}
