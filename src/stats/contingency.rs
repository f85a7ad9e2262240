//! Pearson's chi-square tests of counts: two samples against each other, one sample against what was planned.

use super::tail::{Tail, chi_square_sf};

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

/// Pearson's chi-square test of observed counts against planned shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GoodnessOfFit {
    /// The statistic.
    pub chi_square: f64,
    /// Cells less one.
    pub degrees_of_freedom: u64,
    /// Its p-value.
    pub p_value: Tail,
}

/// The test of `observed` counts against `weights` (any positive scale, one for each count).
///
/// `None` with fewer than two cells, cells without a positive weight, or no rows at all.
pub fn goodness_of_fit(observed: &[u64], weights: &[f64]) -> Option<GoodnessOfFit> {
    let total: u64 = observed.iter().sum();
    let weight: f64 = weights.iter().sum();
    let usable = weights.iter().all(|weight| weight.is_finite() && *weight > 0.0);
    if observed.len() < 2 || observed.len() != weights.len() || total == 0 || !usable {
        return None;
    }
    let cell = |(&count, &share): (&u64, &f64)| {
        let expected = total as f64 * (share / weight);
        (count as f64 - expected) * (count as f64 - expected) / expected
    };
    let chi_square: f64 = observed.iter().zip(weights).map(cell).sum();
    let degrees_of_freedom = observed.len() as u64 - 1;
    Some(GoodnessOfFit {
        chi_square,
        degrees_of_freedom,
        p_value: chi_square_sf(chi_square, degrees_of_freedom as f64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_tested_has_no_answer() {
        assert_eq!(goodness_of_fit(&[1, 2], &[0.5]), None);
        assert_eq!(goodness_of_fit(&[0, 0], &[0.5, 0.5]), None);
        assert_eq!(goodness_of_fit(&[1, 2], &[1.0, 0.0]), None);
        assert_eq!(homogeneity([(0, 3), (0, 4)].into_iter()), None);
    }

    proptest! {
        #[test]
        fn homogeneity_does_not_care_which_side_is_first(counts in prop::collection::vec((0u64..50, 0u64..50), 2..10)) {
            let forward = homogeneity(counts.iter().copied());
            let backward = homogeneity(counts.iter().map(|&(a, b)| (b, a)));
            prop_assert_eq!(forward.is_some(), backward.is_some());
            if let (Some(a), Some(b)) = (forward, backward) {
                prop_assert!((a.chi_square - b.chi_square).abs() <= 1e-12 * a.chi_square.max(1e-9));
                prop_assert!((0.0..=1.0).contains(&a.cramers_v));
            }
        }
    }
}
