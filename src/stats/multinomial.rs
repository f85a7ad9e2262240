//! Counts against planned shares, looked at as often as one likes.

use std::f64::consts::PI;

use super::gamma::{is_stirling, ln_gamma, minus_log1p, stirling_error};

/// The logarithm of the Bayes factor against "the counts have these shares": shares drawn from a Dirichlet distribution around
/// `weights` with `concentration` against the weights themselves (Lindon and Malek 2022, arXiv:2011.03567).
///
/// `1 / factor` is a p-value that stays valid however often one looks. Positive values speak against the weights. `None` with fewer
/// than two cells, a weight or concentration that is not positive, or different lengths.
///
/// Large terms that cancel are never formed: Stirling's formula turns them into a divergence, so a billion rows keep their digits.
pub fn dirichlet_log_bayes_factor(observed: &[u64], weights: &[f64], concentration: f64) -> Option<f64> {
    let sum: f64 = weights.iter().sum();
    let valid = observed.len() == weights.len() && weights.len() > 1 && weights.iter().all(|w| *w > 0.0);
    if !valid || !sum.is_finite() || concentration.is_nan() || concentration <= 0.0 {
        return None;
    }
    let rows: f64 = observed.iter().map(|&count| count as f64).sum();
    let total = concentration + rows;
    // ln gamma(x) less its leading part (x - 1/2) ln x - x.
    let rest = |x: f64| {
        if is_stirling(x) { 0.5 * (2.0 * PI).ln() + stirling_error(x) } else { ln_gamma(x) - ((x - 0.5) * x.ln() - x) }
    };
    let mut factor = rest(concentration) - rest(total) + 0.5 * (total / concentration).ln();
    for (&count, weight) in observed.iter().zip(weights) {
        let share = weight / sum;
        let prior = concentration * share;
        let posterior = prior + count as f64;
        // posterior * ln(posterior / (total * share)) less what sums to zero over the cells.
        let excess = (count as f64 - rows * share) / (total * share);
        // (1 + e) ln(1 + e) - e: at least 0, and small where e is small.
        let divergence = if excess <= -1.0 { 1.0 } else { excess * excess - (1.0 + excess) * minus_log1p(excess) };
        factor += total * share * divergence + rest(posterior) - rest(prior) - 0.5 * (posterior / prior).ln();
    }
    factor.is_finite().then_some(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_by_hand() {
        // Beta(1, 1) against a half, three of four rows in the first cell: B(4, 2) / B(1, 1) * 2^4 = 16 / 20.
        let factor = dirichlet_log_bayes_factor(&[3, 1], &[0.5, 0.5], 2.0).unwrap();
        assert!((factor - 0.8f64.ln()).abs() < 1e-13, "{factor}");
        assert_eq!(dirichlet_log_bayes_factor(&[3], &[1.0], 2.0), None);
        assert_eq!(dirichlet_log_bayes_factor(&[3, 1], &[1.0, 0.0], 2.0), None);
        assert!(dirichlet_log_bayes_factor(&[0, 0], &[1.0, 2.0], 5.0).unwrap().abs() < 1e-12);
    }
}
