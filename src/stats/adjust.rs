//! Adjustments of p-values for the number of tests, beside Benjamini and Hochberg's.
//!
//! Each answers adjusted p-values in the order of the input: rejecting where the adjusted value is at most alpha is the procedure at
//! level alpha. All are capped at 1; none depends on the order of the input.

use super::multiple::benjamini_hochberg;

/// Bonferroni: `m p`. Holds the family-wise error whatever the dependence.
pub fn bonferroni(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len() as f64;
    p_values.iter().map(|p| (p * count).min(1.0)).collect()
}

/// Sidak (1967, DOI 10.1080/01621459.1967.10482935): `1 - (1 - p)^m`, for independent tests.
pub fn sidak(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len() as f64;
    p_values.iter().map(|p| at_least_one(*p, count)).collect()
}

/// Holm (1979, stable URL jstor.org/stable/4615733): `max over j <= rank of (m - j + 1) p(j)`. As safe as Bonferroni and never weaker.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    step_down(p_values, |p, left| p * left)
}

/// Holm's steps with Sidak's probability instead of Bonferroni's, for independent tests.
pub fn holm_sidak(p_values: &[f64]) -> Vec<f64> {
    step_down(p_values, at_least_one)
}

/// Hochberg (1988, DOI 10.1093/biomet/75.4.800): `min over j >= rank of (m - j + 1) p(j)`, valid for positively dependent tests.
pub fn hochberg(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let mut adjusted = vec![1.0; p_values.len()];
    let mut smallest = 1.0f64;
    for (rank, &index) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[index] * (order.len() - rank) as f64);
        adjusted[index] = smallest;
    }
    adjusted
}

/// Hommel (1988, DOI 10.1093/biomet/75.2.383), the closed procedure with Simes' test: the strongest of its kind. O(m^2).
pub fn hommel(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let count = order.len();
    let p: Vec<f64> = order.iter().map(|&index| p_values[index]).collect();
    let mut sorted = p.clone();
    // Wright's algorithm (1992, DOI 10.2307/2532694).
    for size in (2..=count).rev() {
        let tail = count - size + 1..count;
        let simes = tail.clone().map(|index| size as f64 * p[index] / (size + index - count + 1) as f64);
        let least = simes.fold(f64::INFINITY, f64::min);
        for index in tail {
            sorted[index] = sorted[index].max(least);
        }
        for (value, &plain) in sorted.iter_mut().zip(&p).take(count - size + 1) {
            *value = value.max(least.min(size as f64 * plain));
        }
    }
    let mut adjusted = vec![1.0; count];
    for (value, &index) in sorted.iter().zip(&order) {
        adjusted[index] = value.min(1.0);
    }
    adjusted
}

/// Benjamini and Yekutieli (2001, DOI 10.1214/aos/1013699998): false-discovery rate under any dependence, `sum 1/i` times the
/// Benjamini-Hochberg value.
pub fn benjamini_yekutieli(p_values: &[f64]) -> Vec<f64> {
    let factor: f64 = (1..=p_values.len()).map(|i| 1.0 / i as f64).sum();
    // Hochberg's minimum is taken before the cap: capped values would hide that a later one is smaller.
    let scaled: Vec<f64> = p_values.iter().map(|p| p * factor).collect();
    benjamini_hochberg(&scaled)
}

/// `1 - (1 - p)^count` without losing a small `p`.
fn at_least_one(p: f64, count: f64) -> f64 {
    if p >= 1.0 { 1.0 } else { (-((-p).ln_1p() * count).exp_m1()).clamp(0.0, 1.0) }
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    order
}

/// `factor(p(rank), tests left)`, never falling from one rank to the next.
fn step_down(p_values: &[f64], factor: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let order = ascending(p_values);
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0f64;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max(factor(p_values[index], (order.len() - rank) as f64).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_test_or_none_needs_no_adjustment() {
        for adjust in [bonferroni, sidak, holm, holm_sidak, hochberg, hommel, benjamini_yekutieli] {
            assert!(adjust(&[]).is_empty());
            assert!((adjust(&[0.03])[0] - 0.03).abs() < 1e-17);
            assert_eq!(adjust(&[1.0, 1.0]), [1.0, 1.0]);
        }
    }

    proptest! {
        #[test]
        fn stronger_procedures_answer_smaller_values(p in prop::collection::vec(0.0f64..=1.0, 1..25)) {
            let by = [bonferroni(&p), holm(&p), hochberg(&p), hommel(&p), benjamini_hochberg(&p)];
            for (weaker, stronger) in by.iter().zip(&by[1..]) {
                for index in 0..p.len() {
                    prop_assert!(stronger[index] <= weaker[index] + 1e-15);
                    prop_assert!(stronger[index] >= p[index] - 1e-15 && weaker[index] <= 1.0);
                }
            }
            for ((holm, sidak), hommel) in holm(&p).iter().zip(holm_sidak(&p)).zip(hommel(&p)) {
                prop_assert!(sidak <= holm + 1e-15 && hommel <= 1.0);
            }
        }
    }
}
