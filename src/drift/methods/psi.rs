//! `psi`: the population stability index.

use serde_json::json;

use super::super::{AppliesTo, Method, NotJudged, Options, Sample, Score};
use super::binned;
use crate::stats::{chi_square_upper_quantile, homogeneity};

/// An empty bin counts as this share at least, so that one empty bin cannot make the index infinite.
const SMALLEST_SHARE: f64 = 1e-4;

/// The population stability index.
#[derive(Debug, Clone, Copy)]
pub struct Psi;

impl Method for Psi {
    fn name(&self) -> &'static str {
        "psi"
    }
    fn title(&self) -> &'static str {
        "Population stability index"
    }
    fn summary(&self) -> &'static str {
        "the symmetric Kullback-Leibler divergence between the shares of rows in bins made from the reference"
    }
    fn when_to_use(&self) -> &'static str {
        "Where it is the rule of the house, as in credit scoring, with its customary bands (0.1 look, 0.25 act), or where a bin that empties \
         must weigh more than its share. It is a squared measure: twice the shift scores about four times as much."
    }
    fn formula(&self) -> &'static str {
        "PSI = sum over bins of (p - q) ln(p / q), p and q the shares of reference and current rows"
    }
    fn range(&self) -> &'static str {
        "0 to infinity"
    }
    fn notes(&self) -> &'static str {
        "Numeric bins are the unique deciles of the reference (type 7), right-closed, the outer ones open; values that hold 1/bins of \
         the reference, and all values of a column with at most 20 distinct ones, are bins of their own. Missing rows are a bin. \
         An empty bin counts as max(1e-4, 0.5/n). Categories: the fifty largest of the reference, the rest pooled, new ones each \
         on their own. The p-value is Pearson's test on the same bins."
    }
    fn reference(&self) -> &'static str {
        "Yurdakul and Naranjo (2020), Statistical properties of the population stability index, doi:10.21314/JRMV.2020.227"
    }
    fn applies_to(&self) -> AppliesTo {
        AppliesTo::Any
    }
    fn minimum_sample(&self) -> u64 {
        217
    }
    fn scores_missing(&self) -> bool {
        true
    }

    fn judge(&self, reference: &Sample, current: &Sample, options: &Options) -> Result<Score, NotJudged> {
        let binned = binned(reference, current, options)?;
        let (n, m) = binned.totals();
        let (n, m) = (n as f64, m as f64);
        let mut value = 0.0;
        let mut bins = Vec::with_capacity(binned.bins.len());
        for bin in &binned.bins {
            let contribution = contribution(share(bin.reference, n), share(bin.current, m));
            value += contribution;
            bins.push(json!({
                "label": bin.label, "low": bin.low, "high": bin.high,
                "reference": bin.reference as f64 / n, "current": bin.current as f64 / m,
                "contribution": contribution,
            }));
        }
        let test = homogeneity(binned.bins.iter().map(|bin| (bin.reference, bin.current)));
        let degrees = (binned.bins.len().max(2) - 1) as f64;
        Ok(Score {
            value,
            p_value: test.map(|test| test.p_value),
            null_quantile: chi_square_upper_quantile(0.01, degrees).unwrap_or(0.0) * (1.0 / n + 1.0 / m),
            details: json!({
                "bins": bins,
                "chi_square": test.map(|test| test.chi_square),
                "degrees_of_freedom": test.map(|test| test.degrees_of_freedom),
                "new_categories": binned.new_categories.iter().take(super::chi_square::NAMED).collect::<Vec<_>>(),
            }),
        })
    }
}

/// The share of a bin, with the floor for empty ones.
fn share(rows: u64, total: f64) -> f64 {
    if rows == 0 { SMALLEST_SHARE.max(0.5 / total) } else { rows as f64 / total }
}

/// One bin's part of the index; never negative.
fn contribution(p: f64, q: f64) -> f64 {
    if p == q { 0.0 } else { (p - q) * (p / q).ln() }
}
