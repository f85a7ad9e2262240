//! Tests of ranks: Mann and Whitney's for two samples, Wilcoxon's for pairs.

use super::tail::{Tail, normal_sf};

/// The two one-sided tails of a statistic and twice the smaller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tails {
    /// Twice the smaller tail, at most 1.
    pub two_sided: Tail,
    /// Of "the first is larger".
    pub greater: Tail,
    /// Of "the first is smaller".
    pub less: Tail,
}

impl Tails {
    fn of(greater: Tail, less: Tail) -> Self {
        let smaller = greater.ln().min(less.ln());
        Self { two_sided: Tail::from_ln(smaller + std::f64::consts::LN_2), greater, less }
    }

    /// The normal tails of a statistic that lies `distance` above its mean and moves in steps of `2 * continuity`.
    fn normal(distance: f64, deviation: f64, continuity: f64) -> Self {
        Self::of(normal_sf((distance - continuity) / deviation), normal_sf((-distance - continuity) / deviation))
    }
}

/// Mann and Whitney's statistic of two samples (1947, DOI 10.1214/aoms/1177730491).
#[derive(Debug, Clone, PartialEq)]
pub struct MannWhitney {
    /// Pairs in which the first sample's value is larger, ties counting half; 0..=`n * m`.
    pub u: f64,
    /// Values of the first sample.
    pub n: usize,
    /// Values of the second sample.
    pub m: usize,
    /// Whether any two values are equal.
    pub has_ties: bool,
    deviation: f64,
}

/// The statistic of finite `first` against `second`; `None` when one is empty.
pub fn mann_whitney(first: &[f64], second: &[f64]) -> Option<MannWhitney> {
    let (n, m) = (first.len(), second.len());
    if n == 0 || m == 0 {
        return None;
    }
    let mut all: Vec<(f64, bool)> =
        first.iter().map(|&x| (x, true)).chain(second.iter().map(|&x| (x, false))).collect();
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    // Twice the sum of midranks, whole, so that ties cost no rounding.
    let (mut doubled_ranks, mut ties, mut seen) = (0u128, 0.0, 0u128);
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        let size = group.len() as u128;
        let of_first = group.iter().filter(|(_, is_first)| *is_first).count() as u128;
        doubled_ranks += of_first * (2 * seen + size + 1);
        ties += cube_less(size as f64);
        seen += size;
    }
    let doubled_u = doubled_ranks - (n as u128) * (n as u128 + 1);
    let (x, y, total) = (n as f64, m as f64, (n + m) as f64);
    // The variance is n m (N^3 - N - ties) / (12 N (N - 1)).
    let variance = if n + m > 1 { x * y / 12.0 * ((total + 1.0) - ties / (total * (total - 1.0))) } else { 0.0 };
    Some(MannWhitney { u: doubled_u as f64 / 2.0, n, m, has_ties: ties > 0.0, deviation: variance.max(0.0).sqrt() })
}

impl MannWhitney {
    /// The chance that a value of the first sample is larger than one of the second, ties counting half; 0..=1.
    pub fn superiority(&self) -> f64 {
        self.u / (self.n as f64 * self.m as f64)
    }

    /// Normal tails with the variance corrected for ties, with or without continuity; `None` when all values are equal.
    pub fn asymptotic(&self, continuity: bool) -> Option<Tails> {
        let distance = self.u - self.n as f64 * self.m as f64 / 2.0;
        let continuity = if continuity { 0.5 } else { 0.0 };
        (self.deviation > 0.0).then(|| Tails::normal(distance, self.deviation, continuity))
    }

    /// The z statistic without continuity; `None` when all values are equal.
    pub fn z(&self) -> Option<f64> {
        (self.deviation > 0.0).then(|| (self.u - self.n as f64 * self.m as f64 / 2.0) / self.deviation)
    }

    /// Tails by counting all orders; `None` with ties, where the orders are not equally likely. O(n m (n + m)) steps.
    pub fn exact(&self) -> Option<Tails> {
        if self.has_ties {
            return None;
        }
        let (n, m) = (self.n.min(self.m), self.n.max(self.m));
        let most = n * m;
        // Orders by their U, as shares: partitions of u into at most n parts of at most m, by one part more at a time.
        let mut shares = vec![0.0f64; most + 1];
        shares[0] = 1.0;
        for i in 1..=n {
            // Multiply the generating function by (1 - q^(m+i)) / (1 - q^i), and by i / (m + i) so that shares sum to 1.
            for u in (m + i..=most).rev() {
                shares[u] -= shares[u - m - i];
            }
            for u in i..=most {
                shares[u] += shares[u - i];
            }
            let factor = i as f64 / (m + i) as f64;
            shares.iter_mut().for_each(|share| *share *= factor);
        }
        let half = &shares[..=most / 2];
        // Shares are symmetric; the smaller tail is summed directly.
        let u = self.u as usize;
        let below = |u: usize| -> f64 { half.iter().take(u + 1).sum() };
        let lower = |u: usize| {
            if 2 * u < most {
                below(u)
            } else if u >= most {
                1.0
            } else {
                1.0 - below(most - u - 1)
            }
        };
        Some(Tails::of(Tail::from_p(lower(most - u)), Tail::from_p(lower(u))))
    }
}

/// Wilcoxon's signed-rank statistic of differences (1945, DOI 10.2307/3001968); differences of 0 are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedRank {
    /// The sum of ranks of positive differences.
    pub positive: f64,
    /// Differences that are not 0.
    pub n: usize,
    /// Whether two differences have the same size, or some were 0.
    pub has_ties: bool,
    deviation: f64,
}

/// The statistic of finite `differences`; `None` when all are 0.
pub fn signed_rank(differences: &[f64]) -> Option<SignedRank> {
    let mut kept: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let n = kept.len();
    if n == 0 {
        return None;
    }
    kept.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    let (mut doubled, mut ties, mut seen) = (0u128, 0.0, 0u128);
    for group in kept.chunk_by(|a, b| a.abs() == b.abs()) {
        let size = group.len() as u128;
        doubled += group.iter().filter(|d| **d > 0.0).count() as u128 * (2 * seen + size + 1);
        ties += cube_less(size as f64);
        seen += size;
    }
    let count = n as f64;
    let variance = count * (count + 1.0) * (2.0 * count + 1.0) / 24.0 - ties / 48.0;
    let has_ties = ties > 0.0 || n < differences.len();
    Some(SignedRank { positive: doubled as f64 / 2.0, n, has_ties, deviation: variance.max(0.0).sqrt() })
}

impl SignedRank {
    fn distance(&self) -> f64 {
        self.positive - self.n as f64 * (self.n as f64 + 1.0) / 4.0
    }

    /// Normal tails with the variance corrected for ties, with or without continuity.
    pub fn asymptotic(&self, continuity: bool) -> Tails {
        Tails::normal(self.distance(), self.deviation, if continuity { 0.5 } else { 0.0 })
    }

    /// The z statistic without continuity.
    pub fn z(&self) -> f64 {
        self.distance() / self.deviation
    }

    /// Tails over all signs, equally likely; `None` with ties or zeros. O(n^3) steps.
    pub fn exact(&self) -> Option<Tails> {
        if self.has_ties {
            return None;
        }
        let most = self.n * (self.n + 1) / 2;
        let mut shares = vec![0.0f64; most + 1];
        shares[0] = 1.0;
        for rank in 1..=self.n {
            for sum in (0..=most).rev() {
                let with = if sum >= rank { shares[sum - rank] } else { 0.0 };
                shares[sum] = 0.5 * (shares[sum] + with);
            }
        }
        let at = self.positive as usize;
        let lower = |at: usize| shares.iter().take(at + 1).sum::<f64>();
        Some(Tails::of(Tail::from_p(lower(most - at)), Tail::from_p(lower(at))))
    }
}

fn cube_less(size: f64) -> f64 {
    size * size * size - size
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_against_three_by_hand() {
        // All of the first are larger: one order of twenty.
        let found = mann_whitney(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0]).unwrap();
        let tails = found.exact().unwrap();
        assert!((tails.greater.p() - 0.05).abs() < 1e-15 && (tails.two_sided.p() - 0.1).abs() < 1e-15);
        assert_eq!((found.u, found.superiority(), tails.less.p()), (9.0, 1.0, 1.0));
        assert!(mann_whitney(&[1.0], &[1.0]).unwrap().asymptotic(true).is_none());
        assert!(mann_whitney(&[], &[1.0]).is_none() && signed_rank(&[0.0]).is_none());
        let signed = signed_rank(&[1.0, 2.0, 3.0]).unwrap();
        assert!((signed.exact().unwrap().greater.p() - 0.125).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn swapping_the_samples_swaps_the_tails(
            a in prop::collection::vec(-9i32..9, 1..12), b in prop::collection::vec(-9i32..9, 1..12), distinct in any::<bool>(),
        ) {
            let spread = |values: &[i32], step: f64| -> Vec<f64> {
                values.iter().enumerate().map(|(i, &v)| f64::from(v) + if distinct { step * (i as f64 + 1.0) } else { 0.0 }).collect()
            };
            let (a, b) = (spread(&a, 1e-3), spread(&b, 1e-7));
            let (x, y) = (mann_whitney(&a, &b).unwrap(), mann_whitney(&b, &a).unwrap());
            prop_assert_eq!(x.u + y.u, (a.len() * b.len()) as f64);
            if let (Some(x), Some(y)) = (x.exact(), y.exact()) {
                prop_assert!((x.greater.p() - y.less.p()).abs() < 1e-12);
                prop_assert!(x.two_sided.p() <= 1.0 && x.greater.p() + x.less.p() >= 1.0 - 1e-12);
            }
        }
    }
}
