//! `proportions_z_test`: two shares by the variance of the pooled share.

use super::shares::{counted, with_newcombe};
use crate::ab::{Arms, Comparison, Needs, Question, Test, Undefined};

/// Expected counts below this make the normal tests approximate.
const FEW_EXPECTED: f64 = 5.0;
const FEW: &str = "a count of fewer than 5 is expected, so the p-value is rough; fisher_exact is exact";

/// The pooled z-test of two shares.
#[derive(Debug, Clone, Copy)]
pub struct ProportionsZTest;

impl Test for ProportionsZTest {
    fn name(&self) -> &'static str {
        "proportions_z_test"
    }
    fn title(&self) -> &'static str {
        "z-test of two shares"
    }
    fn summary(&self) -> &'static str {
        "compares two shares of ones among zeros with the variance of the pooled share, two-sided; interval by Newcombe; from about five \
         expected ones and zeros in each arm on"
    }
    fn reference(&self) -> &'static str {
        "Newcombe (1998), Interval estimation for the difference between independent proportions, \
         doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I"
    }
    fn needs(&self) -> Needs {
        Needs::Shares
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        pooled_z(arms, question.alpha)
    }
}

/// The test and its interval.
pub(super) fn pooled_z(arms: &Arms, alpha: f64) -> Result<Comparison, Undefined> {
    let [a, b] = counted(arms)?;
    let (n, m) = (a.rows as f64, b.rows as f64);
    let (ones, zeros) = ((a.successes + b.successes) as f64, (a.rows + b.rows - a.successes - b.successes) as f64);
    if ones == 0.0 || zeros == 0.0 {
        return Err(Undefined::ZeroVariance);
    }
    let total = n + m;
    // (k_b n - k_a m) / sqrt(n m ones zeros / N): the cross product is exact, the shares are not.
    let (left, right) = (b.successes as f64 * n, a.successes as f64 * m);
    let z = (left - right) / ((n * m / total) * ones * zeros).sqrt();
    let mut found = with_newcombe([a, b], z, alpha);
    let fewest = n.min(m) * ones.min(zeros) / total;
    found.caution = (fewest < FEW_EXPECTED).then_some(FEW);
    found.finite()
}
