//! Many tests at once.

/// Benjamini-Hochberg q-values in the order of `p_values` (1995, DOI 10.1111/j.2517-6161.1995.tb02031.x).
///
/// `q[i]` is the smallest false-discovery rate at which test `i` is rejected: `min over k >= rank(i) of p(k) * m / k`,
/// capped at 1. Independent of the order of the input; ties share a value.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0; count];
    let mut smallest = 1.0f64;
    for (rank, &index) in order.iter().enumerate().rev() {
        // The factor is formed first: it is exactly 1 at the last rank, so q is never below p by a rounding.
        smallest = smallest.min(p_values[index] * (count as f64 / (rank + 1) as f64));
        adjusted[index] = smallest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hand_worked_example() {
        assert_eq!(benjamini_hochberg(&[0.04, 0.01, 0.02, 0.01]), vec![0.04, 0.02, 0.02 * (4.0 / 3.0), 0.02]);
        assert!(benjamini_hochberg(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn q_is_never_below_p_and_keeps_the_order(p in prop::collection::vec(0.0f64..=1.0, 1..40)) {
            let q = benjamini_hochberg(&p);
            for i in 0..p.len() {
                prop_assert!(q[i] >= p[i] && q[i] <= 1.0);
                for j in 0..p.len() {
                    if p[i] < p[j] { prop_assert!(q[i] <= q[j]); }
                }
            }
        }
    }
}
