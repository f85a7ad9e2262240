//! `cramer_von_mises`: the mean squared difference of two distribution functions.

use serde_json::json;

use super::super::{AppliesTo, Method, NotJudged, Options, Sample, Score};
use super::{heights, not_finite, numbers};
use crate::stats::{CramerVonMises as Test, Tail};

/// Three times the 99 % point of the limit distribution.
const NULL_99: f64 = 3.0 * 0.743_46;
/// Up to this many rows on each side, without ties, the p-value is counted exactly.
const EXACT_UP_TO: usize = 20;

/// The size-balanced Cramer-von Mises distance.
#[derive(Debug, Clone, Copy)]
pub struct CramerVonMises;

impl Method for CramerVonMises {
    fn name(&self) -> &'static str {
        "cramer_von_mises"
    }
    fn title(&self) -> &'static str {
        "Cramer-von Mises distance"
    }
    fn summary(&self) -> &'static str {
        "the root mean square difference between the shares of rows at or below a value, as a share of the largest possible one"
    }
    fn when_to_use(&self) -> &'static str {
        "For numeric columns where a broad, small shift matters more than a gap at a single value: it adds up the difference over the \
         whole column where ks_test takes the largest one. Any monotone transformation of the column (a logarithm, another unit) leaves \
         the score as it is, and one outlier hardly moves it. Weak for changes in the tails: see anderson_darling."
    }
    fn formula(&self) -> &'static str {
        "C = sqrt(3 integral of (F_reference - F_current)^2 dH), H = (F_reference + F_current) / 2"
    }
    fn range(&self) -> &'static str {
        "0 to 1"
    }
    fn notes(&self) -> &'static str {
        "Both sides have the same weight in H, so the score does not depend on how many rows each has. Rows of one value are taken as spread \
         evenly over the step there, so a column of two values is right and turning the column around changes nothing. The \
         classical statistic T with its p-value (exact without ties up to 20 rows a side, else the limit distribution, not \
         corrected for ties) stands beside it. Infinities keep their rank. Missing rows are checked by their share."
    }
    fn reference(&self) -> &'static str {
        "Anderson (1962), On the distribution of the two-sample Cramer-von Mises criterion, doi:10.1214/aoms/1177704477"
    }
    fn applies_to(&self) -> AppliesTo {
        AppliesTo::Numeric
    }
    fn minimum_sample(&self) -> u64 {
        112
    }
    fn scores_missing(&self) -> bool {
        false
    }

    fn judge(&self, reference: &Sample, current: &Sample, _options: &Options) -> Result<Score, NotJudged> {
        let (reference, current) = numbers(self, reference, current)?;
        // Three times the integral of a squared line from a to b is a^2 + a b + b^2.
        let mut sum = crate::stats::DoubleSum::new();
        heights(reference, current, |step| {
            let (a, b) = (step.before, step.after);
            sum.add((step.to - step.from) * (a * a + a * b + b * b));
        });
        let test = Test::of(reference, current).ok_or_else(|| not_finite(self))?;
        let (n, m) = (reference.len() as f64, current.len() as f64);
        let small = reference.len().max(current.len()) <= EXACT_UP_TO && !test.has_ties();
        let exact: Option<Tail> = if small { test.exact() } else { None };
        Ok(Score {
            value: sum.value().max(0.0).sqrt().min(1.0),
            p_value: Some(exact.unwrap_or_else(|| test.asymptotic())),
            null_quantile: (NULL_99 * (1.0 / n + 1.0 / m)).sqrt(),
            details: json!({
                "statistic": test.statistic(),
                "p_value_method": if exact.is_some() { "exact" } else { "limit" },
                "infinite_reference": super::infinities(reference),
                "infinite_current": super::infinities(current),
            }),
        })
    }
}
