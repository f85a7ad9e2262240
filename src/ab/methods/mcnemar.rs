//! `mcnemar`: two models judged right or wrong on the same rows.

use crate::ab::{Arms, Comparison, Needs, Question, Ratio, Test, Undefined};
use crate::stats::{Interval, Moments, Tail, binomial_cdf, chi_square_sf, normal_quantile};

/// McNemar's test (1947, DOI 10.1007/BF02295996), exact.
#[derive(Debug, Clone, Copy)]
pub struct McNemarTest;

impl Test for McNemarTest {
    fn name(&self) -> &'static str {
        "mcnemar"
    }
    fn title(&self) -> &'static str {
        "McNemar's test"
    }
    fn summary(&self) -> &'static str {
        "compares two shares on the same rows by the rows on which the models disagree, two-sided and exact; without any such row p is 1"
    }
    fn reference(&self) -> &'static str {
        "McNemar (1947), Note on the sampling error of the difference between correlated proportions or percentages, doi:10.1007/BF02295996"
    }
    fn needs(&self) -> Needs {
        Needs::PairsOfShares
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        let (a, b) = arms.pairs()?;
        arms.shares()?;
        let cell = |x: f64, y: f64| a.iter().zip(b).filter(|(a, b)| **a == x && **b == y).count() as u64;
        let (only_a, only_b) = (cell(1.0, 0.0), cell(0.0, 1.0));
        let table =
            McNemar::of([[cell(1.0, 1.0), only_a], [only_b, cell(0.0, 0.0)]]).ok_or(Undefined::InsufficientData)?;
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
        let interval = table.interval(1.0 - question.alpha);
        let discordant = only_a + only_b;
        Ok(Comparison {
            p_value: table.exact,
            p_greater: binomial_cdf(only_a, discordant, 0.5),
            p_less: binomial_cdf(only_b, discordant, 0.5),
            standard_error: Some(table.standard_error).filter(|error| *error > 0.0),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            critical: normal_quantile(1.0 - question.alpha / 2.0).filter(|critical| critical.is_finite()),
            ratio: Ratio::paired(arms.a(), arms.b(), &Moments::of(&differences)),
            caution: (discordant == 0).then_some("the models agree on every row"),
            ..Comparison::normal(
                [arms.a().mean().unwrap_or(0.0), arms.b().mean().unwrap_or(0.0)],
                table.difference,
                only_b as f64,
            )
        })
    }
}

/// McNemar's test of a table of pairs, in its usual forms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    /// Exact two-sided p-value: twice the binomial tail, at most 1.
    pub exact: Tail,
    /// The exact p-value less half the chance of the table itself (Fagerland et al. 2013, DOI 10.1186/1471-2288-13-91).
    pub mid_p: f64,
    /// The chi-square statistic and its p-value; `None` without a discordant pair.
    pub chi_square: Option<(f64, Tail)>,
    /// The same with Edwards' continuity correction.
    pub corrected: Option<(f64, Tail)>,
    /// Share of B less share of A.
    pub difference: f64,
    /// Its standard error.
    pub standard_error: f64,
}

impl McNemar {
    /// From `[[both right, only A], [only B, both wrong]]`; `None` without pairs.
    pub fn of([[both, only_a], [only_b, neither]]: [[u64; 2]; 2]) -> Option<Self> {
        let pairs = (both + only_a + only_b + neither) as f64;
        let discordant = only_a + only_b;
        if pairs == 0.0 {
            return None;
        }
        let smaller = binomial_cdf(only_a.min(only_b), discordant, 0.5);
        let exact = if discordant == 0 { Tail::ONE } else { Tail::from_ln(smaller.ln() + std::f64::consts::LN_2) };
        let at = only_a.min(only_b);
        let below = if at == 0 { 0.0 } else { binomial_cdf(at - 1, discordant, 0.5).p() };
        // Twice the tail less the chance of the table itself, which is the tail less the tail one further out.
        let mid_p = if discordant == 0 { 1.0 } else { (smaller.p() + below).min(1.0) };
        let (a, b, sum) = (only_a as f64, only_b as f64, discordant as f64);
        let statistic = |distance: f64| (discordant > 0).then(|| distance * distance / sum);
        let with_tail = |x: f64| (x, chi_square_sf(x, 1.0));
        let difference = (b - a) / pairs;
        let variance = (sum - (b - a) * (b - a) / pairs).max(0.0);
        Some(Self {
            exact,
            mid_p,
            chi_square: statistic(b - a).map(with_tail),
            corrected: statistic(((b - a).abs() - 1.0).max(0.0)).map(with_tail),
            difference,
            standard_error: variance.sqrt() / pairs,
        })
    }

    /// The plain (Wald) interval of the difference; `None` for a confidence outside 0..1.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let half = normal_quantile(0.5 + 0.5 * confidence).filter(|z| z.is_finite())? * self.standard_error;
        Some(Interval { low: self.difference - half, high: self.difference + half })
    }
}
