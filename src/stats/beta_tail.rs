//! Tails, density and quantiles of the beta distribution, and of the binomial one, which is the same function.

use super::beta::{ln_incomplete_beta, ln_prefix};
use super::solve::decreasing_root;
use super::tail::Tail;

/// `P(X <= x)` of the beta distribution with `a, b > 0`; 0 below and 1 above 0..=1. Accurate far into the tail.
pub fn beta_cdf(x: f64, a: f64, b: f64) -> Tail {
    sides(x, a, b).0
}

/// `P(X > x)` of the beta distribution with `a, b > 0`.
pub fn beta_sf(x: f64, a: f64, b: f64) -> Tail {
    sides(x, a, b).1
}

fn sides(x: f64, a: f64, b: f64) -> (Tail, Tail) {
    // Not a distribution: nothing is known, and a probability of one claims nothing.
    if !(a > 0.0 && b > 0.0) || x.is_nan() {
        return (Tail::ONE, Tail::ONE);
    }
    let x = x.clamp(0.0, 1.0);
    let (lower, upper) = ln_incomplete_beta(a, b, x, 1.0 - x);
    (Tail::from_ln(lower), Tail::from_ln(upper))
}

/// The logarithm of the beta density at `x`, where `y = 1 - x` is given apart because the caller may know it better.
pub(crate) fn ln_beta_density(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || y <= 0.0 { f64::NEG_INFINITY } else { ln_prefix(a, b, x, y) - x.ln() - y.ln() }
}

/// The `x` below which the beta distribution has probability `p`; `None` unless `0 < p < 1` and `a, b > 0`.
///
/// ```
/// use steward::stats::beta_quantile;
/// assert!((beta_quantile(0.5, 2.0, 2.0).unwrap() - 0.5).abs() < 1e-15);
/// ```
pub fn beta_quantile(p: f64, a: f64, b: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0 && a > 0.0 && b > 0.0) {
        return None;
    }
    // In the smaller tail, where the logarithm is accurate.
    Some(if p <= 0.5 {
        decreasing_root(0.0, 1.0, |x| p.ln() - beta_cdf(x, a, b).ln())
    } else {
        decreasing_root(0.0, 1.0, |x| beta_sf(x, a, b).ln() - (1.0 - p).ln())
    })
}

/// `P(X <= k)` of the binomial distribution of `n` trials with probability `p`: a beta tail, exact to the last digits.
pub fn binomial_cdf(k: u64, n: u64, p: f64) -> Tail {
    if k >= n {
        return Tail::ONE;
    }
    beta_sf(p, k as f64 + 1.0, (n - k) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_binomial_by_hand() {
        assert!((binomial_cdf(2, 10, 0.5).p() - 56.0 / 1024.0).abs() < 1e-14);
        assert_eq!(binomial_cdf(10, 10, 0.3).p(), 1.0);
        assert_eq!(beta_quantile(0.0, 1.0, 1.0), None);
        assert_eq!(beta_cdf(0.5, -1.0, 1.0), Tail::ONE);
        assert!((ln_beta_density(0.3, 0.7, 2.0, 2.0).exp() - 6.0 * 0.21).abs() < 1e-13);
    }

    proptest! {
        #[test]
        fn the_quantile_inverts_the_tail(p in 1e-9f64..0.999_999, a in 0.5f64..5000.0, b in 0.5f64..5000.0) {
            let x = beta_quantile(p, a, b).unwrap();
            // Close to 1 a double has no digits left for 1 - x.
            prop_assume!(x < 0.999);
            prop_assert!((beta_cdf(x, a, b).p() / p - 1.0).abs() < 1e-8, "{}", x);
        }
    }
}
