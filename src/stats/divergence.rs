//! Divergences between two lists of shares.
//!
//! Every function takes pairs `(p, q)` of shares that add up to 1 on each side (see [`shares`]); none asks for more than that.

/// Counts or weights of two sides as pairs of shares; `None` when a side adds up to nothing or holds a negative or infinite number.
pub fn shares(first: &[f64], second: &[f64]) -> Option<Vec<(f64, f64)>> {
    let total = |side: &[f64]| {
        let total = super::sum_of(side.iter().copied());
        (side.iter().all(|weight| *weight >= 0.0) && total > 0.0 && total.is_finite()).then_some(total)
    };
    let (n, m) = (total(first)?, total(second)?);
    (first.len() == second.len()).then(|| first.iter().zip(second).map(|(a, b)| (a / n, b / m)).collect())
}

/// Total variation: half the sum of the absolute differences, 0..=1.
pub fn total_variation(shares: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    (0.5 * super::sum_of(shares.into_iter().map(|(p, q)| (p - q).abs()))).min(1.0)
}

/// Hellinger distance, 0..=1: `sqrt(1/2 sum (sqrt p - sqrt q)^2)`, which unlike `sqrt(1 - sum sqrt(p q))` keeps its digits near 0.
pub fn hellinger(shares: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let squares = shares.into_iter().map(|(p, q)| (p.sqrt() - q.sqrt()) * (p.sqrt() - q.sqrt()));
    (0.5 * super::sum_of(squares)).sqrt().min(1.0)
}

/// Jensen-Shannon divergence in bits, 0..=1 (Lin 1991, DOI 10.1109/18.61115); its square root is the distance.
pub fn jensen_shannon(shares: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let nats = super::sum_of(shares.into_iter().map(|(p, q)| {
        if p == q {
            return 0.0;
        }
        // With d = (p - q) / (p + q) the terms add up to (p + q) / 4 times (1 + d) ln(1 + d) + (1 - d) ln(1 - d), which in this form
        // loses one bit for near shares instead of all.
        let d = (p - q) / (p + q);
        let both = if d.abs() >= 1.0 { 2.0 * std::f64::consts::LN_2 } else { 2.0 * d * d.atanh() + (-d * d).ln_1p() };
        0.25 * (p + q) * both
    }));
    (nats / std::f64::consts::LN_2).clamp(0.0, 1.0)
}

/// Kullback-Leibler divergence of `p` from `q` in nats; `None` where it is infinite: a share of `p` that `q` does not have.
pub fn kullback_leibler(shares: impl IntoIterator<Item = (f64, f64)>) -> Option<f64> {
    let mut sum = super::DoubleSum::new();
    for (p, q) in shares {
        if p > 0.0 {
            if q <= 0.0 {
                return None;
            }
            // p ln(p/q) - p + q is never negative; the differences add up to nothing.
            sum.add(p * (p / q).ln() - p + q);
        } else {
            sum.add(q);
        }
    }
    Some(sum.value().max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ends_of_the_ranges() {
        let apart = [(1.0, 0.0), (0.0, 1.0)];
        assert_eq!((total_variation(apart), hellinger(apart), jensen_shannon(apart)), (1.0, 1.0, 1.0));
        assert_eq!(kullback_leibler(apart), None);
        assert_eq!(shares(&[1.0], &[0.0]), None);
        assert_eq!(shares(&[1.0, 2.0], &[1.0]), None);
        assert_eq!(shares(&[-1.0, 2.0], &[1.0, 1.0]), None);
    }

    proptest! {
        #[test]
        fn the_known_inequalities_hold(counts in prop::collection::vec((0u32..40, 0u32..40), 2..12)) {
            let (a, b): (Vec<f64>, Vec<f64>) = counts.iter().map(|&(a, b)| (f64::from(a), f64::from(b))).unzip();
            prop_assume!(a.iter().sum::<f64>() > 0.0 && b.iter().sum::<f64>() > 0.0);
            let pairs = shares(&a, &b).unwrap();
            let (tv, h, js) = (total_variation(pairs.clone()), hellinger(pairs.clone()), jensen_shannon(pairs.clone()));
            prop_assert!(h * h <= tv + 1e-12 && tv <= h * 2f64.sqrt() + 1e-12);
            prop_assert!(js <= tv + 1e-12, "Lin's bound");
            let half: f64 = pairs.iter().map(|&(p, q)| if p + q > 0.0 { (p - q) * (p - q) / (p + q) } else { 0.0 }).sum();
            let v = (0.5 * half).sqrt();
            prop_assert!(tv <= v + 1e-12 && h <= v + 1e-12 && js.sqrt() <= v + 1e-12, "all stay below Cramer's V");
            if let Some(kl) = kullback_leibler(pairs) {
                prop_assert!(kl >= 2.0 * tv * tv - 1e-12, "Pinsker's bound");
            }
        }
    }
}
