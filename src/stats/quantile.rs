//! Sample quantiles.

/// The quantile `share` (0..=1) of ascending `sorted`, by linear interpolation between order statistics.
///
/// This is type 7 of Hyndman and Fan (1996, DOI 10.2307/2684934), the default of numpy, R and Excel. `None` for an empty
/// slice. Interpolation between infinities answers the lower neighbour rather than NaN.
pub fn quantile_sorted(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = share.clamp(0.0, 1.0) * last as f64;
    let below = (position.floor() as usize).min(last);
    let fraction = position - below as f64;
    let low = sorted[below];
    if fraction <= 0.0 || below == last {
        return Some(low);
    }
    let high = sorted[below + 1];
    if low == high || !low.is_finite() {
        return Some(low);
    }
    if !high.is_finite() {
        return Some(high);
    }
    let step = high - low;
    // high - low overflows for +-1e308; the weighted form does not.
    let value = if step.is_finite() { low + fraction * step } else { low * (1.0 - fraction) + high * fraction };
    Some(value.clamp(low, high))
}

/// The median of ascending `sorted`; `None` when empty.
pub fn median(sorted: &[f64]) -> Option<f64> {
    let count = sorted.len();
    if count == 0 {
        return None;
    }
    let middle = count / 2;
    Some(if count % 2 == 1 {
        sorted[middle]
    } else {
        let (low, high) = (sorted[middle - 1], sorted[middle]);
        if low == high { low } else { low / 2.0 + high / 2.0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_seven_agrees_with_numpy() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(quantile_sorted(&values, 0.1), Some(10.9));
        assert_eq!(quantile_sorted(&values, 0.0), Some(1.0));
        assert_eq!(quantile_sorted(&values, 1.0), Some(100.0));
        assert_eq!(quantile_sorted(&[], 0.5), None);
        assert_eq!(median(&[1.0, 2.0, 4.0, 8.0]), Some(3.0));
    }

    #[test]
    fn infinities_and_extremes_never_give_nan() {
        let values = [f64::NEG_INFINITY, -1e308, 1e308, f64::INFINITY];
        for step in 0..=10 {
            let value = quantile_sorted(&values, f64::from(step) / 10.0).unwrap();
            assert!(!value.is_nan());
        }
        assert_eq!(quantile_sorted(&[-1e308, 1e308], 0.5), Some(0.0));
    }
}
