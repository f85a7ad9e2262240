//! Tests of two shares: `proportions_z_test`, `chi_square` and `fisher_exact`.
//!
//! The interval of the difference is Newcombe's hybrid score interval (1998, DOI
//! 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I), which stays inside -1..=1 and informative at 0 and at all. May use: `stats`.

use super::improvement::Ratio;
use super::{Arms, Comparison, Needs, Question, Share, Test, Undefined};
use crate::stats::{Interval, fisher_exact, normal_quantile, wilson};

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

/// Fisher's exact test of the same table.
#[derive(Debug, Clone, Copy)]
pub struct FisherExact;

impl Test for FisherExact {
    fn name(&self) -> &'static str {
        "fisher_exact"
    }
    fn title(&self) -> &'static str {
        "Fisher's exact test"
    }
    fn summary(&self) -> &'static str {
        "compares two shares exactly, whatever the counts, two-sided by the chance of tables no likelier than this one; conservative in small \
         samples; interval by Newcombe"
    }
    fn reference(&self) -> &'static str {
        "Fisher (1935), The logic of inductive inference, doi:10.2307/2342435"
    }
    fn needs(&self) -> Needs {
        Needs::Shares
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        let [a, b] = counted(arms)?;
        let table = [[b.successes, b.rows - b.successes], [a.successes, a.rows - a.successes]];
        let found = fisher_exact(table).ok_or(Undefined::InsufficientData)?;
        // An odds ratio of infinity is no number that could be stored.
        let odds = found.odds_ratio.filter(|odds| odds.is_finite());
        Ok(Comparison {
            p_value: found.two_sided,
            p_greater: found.greater,
            p_less: found.less,
            caution: odds.is_none().then_some("one cell of the table is empty, so there is no odds ratio"),
            ..with_newcombe(arms, [a, b], odds.unwrap_or(0.0), question.alpha)
        })
    }
}

fn counted(arms: &Arms) -> Result<[Share; 2], Undefined> {
    let shares = arms.shares()?;
    if shares.iter().any(|share| share.rows == 0) { Err(Undefined::InsufficientData) } else { Ok(shares) }
}

fn pooled_z(arms: &Arms, alpha: f64) -> Result<Comparison, Undefined> {
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
    let mut found = with_newcombe(arms, [a, b], z, alpha);
    let fewest = n.min(m) * ones.min(zeros) / total;
    found.caution = (fewest < FEW_EXPECTED).then_some(FEW);
    found.finite()
}

/// The difference with Newcombe's interval, and a plain standard error for what needs one.
fn with_newcombe(arms: &Arms, [a, b]: [Share; 2], statistic: f64, alpha: f64) -> Comparison {
    let share = |share: Share| share.successes as f64 / share.rows as f64;
    let error = |p: f64, rows: u64| p * (1.0 - p) / rows as f64;
    let (p, q) = (share(a), share(b));
    let interval = newcombe(a, b, 1.0 - alpha);
    let error = (error(p, a.rows) + error(q, b.rows)).sqrt();
    Comparison {
        standard_error: (error > 0.0).then_some(error),
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        critical: normal_quantile(1.0 - alpha / 2.0).filter(|critical| critical.is_finite()),
        ratio: Ratio::independent(arms.a(), arms.b()),
        ..Comparison::normal([p, q], q - p, statistic)
    }
}

/// Newcombe's hybrid score interval of the difference of shares B - A; `None` when an arm has no rows.
///
/// ```
/// use steward::ab::{Share, newcombe};
/// let share = |successes, rows| Share { successes, rows };
/// let interval = newcombe(share(50, 1000), share(70, 1000), 0.95).unwrap();
/// assert!((interval.low + 0.000900).abs() < 1e-6 && (interval.high - 0.041158).abs() < 1e-6);
/// ```
pub fn newcombe(a: Share, b: Share, confidence: f64) -> Option<Interval> {
    let of_a = wilson(a.successes, a.rows, confidence)?;
    let of_b = wilson(b.successes, b.rows, confidence)?;
    let (p, q) = (a.successes as f64 / a.rows as f64, b.successes as f64 / b.rows as f64);
    let difference = q - p;
    let low = difference - (q - of_b.low).hypot(of_a.high - p);
    let high = difference + (of_b.high - q).hypot(p - of_a.low);
    (low.is_finite() && high.is_finite()).then_some(Interval { low, high })
}
