//! `chi_square`: Cramer's V as it would be if both sides had the same number of rows.

use serde_json::json;

use super::super::{AppliesTo, Method, NotJudged, Options, Sample, Score};
use super::binned;
use crate::stats::{chi_square_upper_quantile, homogeneity};

/// New categories that are named in the details; their joint share is given for all.
pub(super) const NAMED: usize = 20;

/// The size-balanced Cramer's V of the chi-square test of homogeneity.
#[derive(Debug, Clone, Copy)]
pub struct ChiSquare;

impl Method for ChiSquare {
    fn name(&self) -> &'static str {
        "chi_square"
    }
    fn title(&self) -> &'static str {
        "Chi-square distance (size-balanced Cramer's V)"
    }
    fn summary(&self) -> &'static str {
        "how strongly category and side depend on each other, from 0 (same shares) to 1 (no category in common)"
    }
    fn when_to_use(&self) -> &'static str {
        "The default for categories: bounded, the same for every number of rows on either side, and new, vanished and missing categories \
         count by their share. For numbers when gaps in certain bins matter rather than a shift."
    }
    fn formula(&self) -> &'static str {
        "V = sqrt(1/2 sum over bins of (p - q)^2 / (p + q)), p and q the shares of reference and current rows"
    }
    fn range(&self) -> &'static str {
        "0 to 1"
    }
    fn notes(&self) -> &'static str {
        "Raw Cramer's V shrinks when one side has many more rows (50/50 to 70/30 is 0.204 at 1k:1k and 0.0126 against a million), so the \
         score gives both sides the same weight; raw V, chi-square and p-value (no Yates correction) stand beside it. Missing \
         rows are a category. New categories count and are named with their share. Numbers use the bins of psi."
    }
    fn reference(&self) -> &'static str {
        "Cramer (1946), Mathematical Methods of Statistics, ch. 21, doi:10.1515/9781400883868; balanced form: triangular \
         discrimination, Topsoe (2000), doi:10.1109/18.850703"
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
        let binned = binned(reference, current, options)?;
        let (n, m) = binned.totals();
        let (n, m) = (n as f64, m as f64);
        let mut sum = 0.0;
        let mut bins = Vec::with_capacity(binned.bins.len());
        for bin in &binned.bins {
            let (p, q) = (bin.reference as f64 / n, bin.current as f64 / m);
            let contribution = (p - q) * (p - q) / (p + q);
            sum += contribution;
            bins.push(json!({
                "label": bin.label, "low": bin.low, "high": bin.high,
                "reference": p, "current": q, "contribution": 0.5 * contribution,
            }));
        }
        let test = homogeneity(binned.bins.iter().map(|bin| (bin.reference, bin.current)));
        let degrees = (binned.bins.len().max(2) - 1) as f64;
        let new_share: f64 = binned.new_categories.iter().map(|category| category.share).sum();
        Ok(Score {
            value: (0.5 * sum).sqrt().min(1.0),
            p_value: test.map(|test| test.p_value),
            null_quantile: (chi_square_upper_quantile(0.01, degrees).unwrap_or(0.0) / 4.0 * (1.0 / n + 1.0 / m)).sqrt(),
            details: json!({
                "bins": bins,
                "chi_square": test.map(|test| test.chi_square),
                "degrees_of_freedom": test.map(|test| test.degrees_of_freedom),
                "cramers_v_raw": test.map(|test| test.cramers_v),
                "new_share": new_share,
                "new_categories": binned.new_categories.iter().take(NAMED).collect::<Vec<_>>(),
            }),
        })
    }
}
