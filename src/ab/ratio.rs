//! Whether arms are as large as they should be, and lose rows alike.
//!
//! Both are Pearson's chi-square tests (1900, doi:10.1080/14786440009463897) at 0.001: `sum (observed - expected)^2 / expected`,
//! from 0, larger is worse; p in 0..=1. They assume independent rows. A mismatch means that the assignment or the logging
//! is broken (Fabijan et al. 2019, doi:10.1145/3292500.3330722), so that a difference between the arms proves nothing.

use serde::Serialize;

use crate::stats::{Tail, chi_square_sf};

/// Below this a mismatch is taken as real: a false alarm in a thousand tests.
pub(super) const MISMATCH: f64 = 0.001;

/// The sample-ratio check of two arms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SampleRatio {
    /// The p-value; `None` without rows. 0 when below the smallest double.
    pub p_value: Option<f64>,
    /// Whether p is below 0.001.
    pub mismatch: bool,
    /// Share of rows B should have.
    pub expected_share_b: f64,
    /// Share of rows B has; `None` without rows.
    pub observed_share_b: Option<f64>,
}

impl SampleRatio {
    /// The check of rows assigned to each arm, with or without an outcome, against the share configured for B.
    pub fn of(assigned_a: u64, assigned_b: u64, share_b: f64) -> Self {
        let p = sample_ratio(&[assigned_a, assigned_b], &[1.0 - share_b, share_b]);
        let total = assigned_a + assigned_b;
        Self {
            p_value: p.map(Tail::p),
            mismatch: p.is_some_and(|p| p.p() < MISMATCH),
            expected_share_b: share_b,
            observed_share_b: (total > 0).then(|| assigned_b as f64 / total as f64),
        }
    }
}

/// The p-value of counts against weights, for any number of arms, with one degree of freedom less than arms.
///
/// `None` without rows, with fewer than two arms, or when the weights are no weights. Rows in an arm of weight 0 are impossible:
/// p is 0.
pub fn sample_ratio(observed: &[u64], weights: &[f64]) -> Option<Tail> {
    let total = observed.iter().sum::<u64>() as f64;
    let weight: f64 = weights.iter().sum();
    let valid = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0) && weight > 0.0;
    if observed.len() != weights.len() || observed.len() < 2 || !valid || total == 0.0 {
        return None;
    }
    let pairs = || observed.iter().zip(weights).map(|(&count, share)| (count as f64, total * (share / weight)));
    if pairs().any(|(count, expected)| expected == 0.0 && count > 0.0) {
        return Some(Tail::from_p(0.0));
    }
    let statistic = pairs().filter(|(_, expected)| *expected > 0.0).map(|(count, expected)| {
        let off = count - expected;
        off * off / expected
    });
    Some(chi_square_sf(statistic.sum(), (observed.len() - 1) as f64))
}

/// The p-value of both arms losing the same share of rows, by the 2 x 2 chi-square without correction.
///
/// `None` when nothing is missing, everything is, or an arm has no rows.
pub fn missingness(present_a: u64, missing_a: u64, present_b: u64, missing_b: u64) -> Option<Tail> {
    let (present, missing) = (present_a + present_b, missing_a + missing_b);
    let (rows_a, rows_b) = (present_a + missing_a, present_b + missing_b);
    if present == 0 || missing == 0 || rows_a == 0 || rows_b == 0 {
        return None;
    }
    let [present, missing, rows_a, rows_b] = [present, missing, rows_a, rows_b].map(|count| count as f64);
    let total = rows_a + rows_b;
    let off = missing_a as f64 - missing * (rows_a / total);
    let statistic = off * off * (total / rows_a) * (total / rows_b) * (total / present) / missing;
    Some(chi_square_sf(statistic, 1.0))
}
