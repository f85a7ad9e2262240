//! Correlations: the interval of Pearson's, and that of a series with itself.

use super::interval::Interval;
use super::sum::DoubleSum;
use super::tail::normal_quantile;

/// Interval of Pearson's correlation by Fisher's z (1921, hdl.handle.net/2440/15169): `tanh(atanh r +- z / sqrt(n - 3))`.
///
/// Assumes rows from a bivariate normal distribution. `None` with fewer than four rows, `r` outside of -1..=1 or a confidence outside
/// of 0..1; at `r` = +-1 both ends are `r`.
pub fn fisher_z(correlation: f64, rows: u64, confidence: f64) -> Option<Interval> {
    if rows < 4 || !(-1.0..=1.0).contains(&correlation) || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let half = normal_quantile(0.5 + 0.5 * confidence)? / ((rows - 3) as f64).sqrt();
    let centre = correlation.atanh();
    if !centre.is_finite() {
        return Some(Interval { low: correlation, high: correlation });
    }
    Some(Interval { low: (centre - half).tanh(), high: (centre + half).tanh() })
}

/// Correlation of a series with itself one step later: `sum (x_i - mean)(x_{i+1} - mean) / sum (x_i - mean)^2`.
///
/// `None` with fewer than two values, a value that is not finite, or a constant series. The mean is kept as two doubles, so an offset
/// costs no digits.
pub fn lag_one_autocorrelation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut sum = DoubleSum::new();
    values.iter().for_each(|value| sum.add(*value));
    let (mean, rest) = sum.divided(values.len() as f64);
    let deviation = |value: f64| (value - mean) - rest;
    let squares = super::sum_of(values.iter().map(|value| deviation(*value) * deviation(*value)));
    let products = super::sum_of(values.windows(2).map(|pair| deviation(pair[0]) * deviation(pair[1])));
    let constant = values.windows(2).all(|pair| pair[0] == pair[1]);
    Some(products / squares).filter(|ratio| ratio.is_finite() && !constant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges() {
        assert_eq!(fisher_z(0.5, 3, 0.95), None);
        assert_eq!(fisher_z(1.5, 30, 0.95), None);
        assert_eq!(fisher_z(1.0, 30, 0.95), Some(Interval { low: 1.0, high: 1.0 }));
        assert_eq!(lag_one_autocorrelation(&[1.0]), None);
        assert_eq!(lag_one_autocorrelation(&[0.1; 7]), None);
        assert_eq!(lag_one_autocorrelation(&[1.0, 2.0, 1.0, 2.0]), Some(-0.75));
    }
}
