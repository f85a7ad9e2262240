//! Pearson's test that two samples fall into bins with the same shares.

use crate::stats::{Tail, chi_square_sf};

/// Pearson's chi-square test of homogeneity of two rows of counts, without Yates' correction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Homogeneity {
    /// The statistic.
    pub chi_square: f64,
    /// Bins that are not empty on both sides, less one.
    pub degrees_of_freedom: u64,
    /// Its p-value.
    pub p_value: Tail,
    /// Cramer's V of the table as it is, 0..=1; depends on how many rows each side has, so it is reported and never scored.
    pub cramers_v: f64,
}

/// The test for counts `(first, second)` per bin; `None` when a side has no rows.
pub fn homogeneity(counts: impl Iterator<Item = (u64, u64)> + Clone) -> Option<Homogeneity> {
    let (mut first, mut second, mut bins) = (0u64, 0u64, 0u64);
    for (a, b) in counts.clone() {
        first += a;
        second += b;
        bins += u64::from(a + b > 0);
    }
    if first == 0 || second == 0 {
        return None;
    }
    let (n, m) = (first as f64, second as f64);
    // Sum of (O - E)^2 / E over both rows, per bin: with p and q the shares, n m (p - q)^2 / (a + b).
    let mut chi_square = 0.0;
    for (a, b) in counts {
        if a + b > 0 {
            let difference = a as f64 / n - b as f64 / m;
            chi_square += difference * difference * n * m / (a + b) as f64;
        }
    }
    let degrees_of_freedom = bins - 1;
    let p_value = chi_square_sf(chi_square, degrees_of_freedom as f64);
    let cramers_v = (chi_square / (n + m)).sqrt().min(1.0);
    Some(Homogeneity { chi_square, degrees_of_freedom, p_value, cramers_v })
}
