//! The sample-ratio check: did the arms get the rows the split promised?

use crate::stats::{Tail, goodness_of_fit};

/// A p-value below this means that assignment or logging is broken, and then no other number can be trusted.
pub const MISMATCH_BELOW: f64 = 1e-3;

/// The check of assigned rows against the split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleRatio {
    /// Pearson's statistic.
    pub chi_square: f64,
    /// Arms less one.
    pub degrees_of_freedom: u64,
    /// Its p-value.
    pub p_value: Tail,
    /// Whether the p-value is below [`MISMATCH_BELOW`].
    pub mismatch: bool,
}

/// Checks `assigned` rows per arm against `weights` (the split on any scale); Fabijan et al. (2019, DOI 10.1145/3292500.3330722).
///
/// Rows count as assigned whether or not they are usable. `None` without rows or with an arm that no weight is given to.
pub fn sample_ratio(assigned: &[u64], weights: &[f64]) -> Option<SampleRatio> {
    let fit = goodness_of_fit(assigned, weights)?;
    Some(SampleRatio {
        chi_square: fit.chi_square,
        degrees_of_freedom: fit.degrees_of_freedom,
        p_value: fit.p_value,
        mismatch: fit.p_value.p() < MISMATCH_BELOW,
    })
}
