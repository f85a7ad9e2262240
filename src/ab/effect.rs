//! How large a difference is, without its unit.
//!
//! May use: `stats`. A difference can be certain and tiny; these say how tiny.

use crate::stats::{Moments, ln_gamma, mann_whitney};

/// Sizes of the difference B - A.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectSize {
    /// The difference in pooled standard deviations (Cohen's d).
    pub cohens_d: f64,
    /// Cohen's d without its bias in small samples (Hedges 1981, DOI 10.3102/10769986006002107).
    pub hedges_g: f64,
    /// The difference in standard deviations of A (Glass's delta); `None` when A is constant.
    pub glass_delta: Option<f64>,
}

/// The sizes; `None` with fewer than two rows in an arm or without variance.
pub fn effect_size(a: &Moments, b: &Moments) -> Option<EffectSize> {
    let (deviation_a, deviation_b) = (a.standard_deviation()?, b.standard_deviation()?);
    let (weight_a, weight_b) = ((a.n() - 1) as f64, (b.n() - 1) as f64);
    // By the larger deviation, so that no square leaves the range of doubles.
    let unit = deviation_a.max(deviation_b);
    let square = |deviation: f64| (deviation / unit) * (deviation / unit);
    let pooled = ((weight_a * square(deviation_a) + weight_b * square(deviation_b)) / (weight_a + weight_b)).sqrt();
    let difference = a.difference_to(b, 0);
    let cohens_d = difference / unit / pooled;
    let hedges_g = cohens_d * hedges_correction(weight_a + weight_b);
    let glass_delta = Some(difference / deviation_a).filter(|delta| delta.is_finite());
    (cohens_d.is_finite() && hedges_g.is_finite()).then_some(EffectSize { cohens_d, hedges_g, glass_delta })
}

/// Hedges' exact factor for `degrees_of_freedom > 1`: `gamma(m/2) / (sqrt(m/2) gamma((m-1)/2))`.
pub fn hedges_correction(degrees_of_freedom: f64) -> f64 {
    let half = degrees_of_freedom / 2.0;
    if degrees_of_freedom > 1e4 {
        // The logarithms of gamma would cancel; the series has its next term below 1e-16 here.
        let x = 1.0 / degrees_of_freedom;
        return 1.0 - x * (0.75 + x * (7.0 / 32.0 + x * 9.0 / 128.0));
    }
    (ln_gamma(half) - ln_gamma(half - 0.5)).exp() / half.sqrt()
}

/// Cliff's delta (1993, DOI 10.1037/0033-2909.114.3.494): the chance that a row of B is larger than one of A, less the chance that it is
/// smaller; -1..=1. `None` when an arm is empty.
pub fn cliffs_delta(a: &[f64], b: &[f64]) -> Option<f64> {
    mann_whitney(b, a).map(|found| 2.0 * found.superiority() - 1.0)
}
