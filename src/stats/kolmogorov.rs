//! The distribution of the Kolmogorov-Smirnov statistic.

use std::f64::consts::{LN_2, PI};

use super::tail::Tail;

/// `P(K > x)` of the limiting Kolmogorov distribution: `2 sum (-1)^(k-1) exp(-2 k^2 x^2)`.
///
/// Below 1.18 Jacobi's transformed series converges instead (Marsaglia, Tsang and Wang 2003, DOI 10.18637/jss.v008.i18).
/// No small-sample correction (Stephens): callers with few rows use [`ks_two_sample_exact`].
pub fn kolmogorov_limit(x: f64) -> Tail {
    if x.is_nan() || x <= 0.0 {
        return Tail::ONE;
    }
    if x < 1.18 {
        let factor = -PI * PI / (8.0 * x * x);
        let below: f64 = (0..8).map(|k| (factor * f64::from((2 * k + 1) * (2 * k + 1))).exp()).sum();
        return Tail::from_p(1.0 - (2.0 * PI).sqrt() / x * below);
    }
    let x = x.min(1e150);
    let square = -2.0 * x * x;
    // Factor the first term out so that the logarithm survives its underflow.
    let rest: f64 =
        (2..8).map(|k| f64::from(k % 2 * 2 - 1) * (square * (f64::from(k) * f64::from(k) - 1.0)).exp()).sum();
    Tail::from_ln(LN_2 + square + rest.ln_1p())
}

/// The exact two-sided `P(D >= d)` of two samples of `n` and `m` rows under exchangeability, conditional on their ties.
///
/// `distance` is `D` as the whole number `max |i m - j n|`. `ties` are the pooled counts `(of n, of m)` at each distinct value,
/// in ascending order: a lattice path is only looked at where a group of ties ends, which is what makes the answer exact
/// for discrete data (Schröer and Trenkler 1995, DOI 10.1016/0167-9473(94)00040-P). The recursion carries the probability of
/// having touched the boundary, a sum of positive terms, so a p-value of 1e-200 is as accurate as one of 0.5. O(n m).
pub fn ks_two_sample_exact(n: u64, m: u64, distance: u64, ties: &[(u64, u64)]) -> Tail {
    if n == 0 || m == 0 || distance == 0 {
        return Tail::ONE;
    }
    // Lattice points i + j at which a group of ties ends.
    let total = (n + m) as usize;
    let mut ends = vec![false; total + 1];
    let mut position = 0usize;
    for &(of_n, of_m) in ties {
        position += (of_n + of_m) as usize;
        if let Some(end) = ends.get_mut(position) {
            *end = true;
        }
    }
    let outside = |i: u64, j: u64| ends[(i + j) as usize] && (i * m).abs_diff(j * n) >= distance;
    let touched = touch_probability(n, m, outside);
    if touched > 1e-290 { Tail::from_p(touched) } else { Tail::from_ln(ln_touch_probability(n, m, outside)) }
}

/// The share of lattice paths from (0,0) to (n,m) that touch an outside point.
fn touch_probability(n: u64, m: u64, outside: impl Fn(u64, u64) -> bool) -> f64 {
    let mut row = vec![0.0f64; m as usize + 1];
    for i in 0..=n {
        for j in 0..=m {
            let index = j as usize;
            let value = if outside(i, j) {
                1.0
            } else if i + j == 0 {
                0.0
            } else {
                // The last step of a random path to (i, j) came from (i-1, j) with probability i / (i + j).
                let from_left = if j > 0 { j as f64 * row[index - 1] } else { 0.0 };
                (i as f64 * row[index] + from_left) / (i + j) as f64
            };
            row[index] = value;
        }
    }
    row[m as usize]
}

/// The same in log space, for probabilities a double cannot hold.
fn ln_touch_probability(n: u64, m: u64, outside: impl Fn(u64, u64) -> bool) -> f64 {
    let mut row = vec![f64::NEG_INFINITY; m as usize + 1];
    for i in 0..=n {
        for j in 0..=m {
            let index = j as usize;
            row[index] = if outside(i, j) {
                0.0
            } else if i + j == 0 {
                f64::NEG_INFINITY
            } else {
                let total = ((i + j) as f64).ln();
                let above = if i > 0 { row[index] + (i as f64).ln() - total } else { f64::NEG_INFINITY };
                let left = if j > 0 { row[index - 1] + (j as f64).ln() - total } else { f64::NEG_INFINITY };
                let (large, small) = if above >= left { (above, left) } else { (left, above) };
                if small == f64::NEG_INFINITY { large } else { large + (small - large).exp().ln_1p() }
            };
        }
    }
    row[m as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_series_meet() {
        let (below, above) = (kolmogorov_limit(1.18 - 1e-12), kolmogorov_limit(1.18));
        assert!((below.p() / above.p() - 1.0).abs() < 1e-11);
    }

    #[test]
    fn separated_samples_are_two_paths_of_all() {
        let ties: Vec<(u64, u64)> = (0..5).map(|_| (1, 0)).chain((0..5).map(|_| (0, 1))).collect();
        assert!((ks_two_sample_exact(5, 5, 25, &ties).p() - 2.0 / 252.0).abs() < 1e-17);
    }

    #[test]
    fn an_exact_p_below_the_smallest_double_keeps_its_logarithm() {
        let ties: Vec<(u64, u64)> = (0..700).map(|_| (1, 0)).chain((0..700).map(|_| (0, 1))).collect();
        let tail = ks_two_sample_exact(700, 700, 700 * 700, &ties);
        // log10(2 / C(1400, 700)) by Stirling's series.
        let ln_factorial = |n: f64| statrs::function::gamma::ln_gamma(n + 1.0);
        let expected = (2.0f64.ln() + 2.0 * ln_factorial(700.0) - ln_factorial(1400.0)) / std::f64::consts::LN_10;
        assert_eq!(tail.p(), 0.0);
        assert!((tail.log10() / expected - 1.0).abs() < 1e-9, "{} {expected}", tail.log10());
    }

    #[test]
    fn no_distance_is_certain() {
        assert_eq!(ks_two_sample_exact(3, 4, 0, &[(3, 4)]), Tail::ONE);
        assert_eq!(ks_two_sample_exact(0, 4, 3, &[(0, 4)]), Tail::ONE);
    }
}
