//! The noncentral t distribution, which says how often a t-test finds a difference that is there.

use super::gamma::ln_gamma;
use super::quadrature::{Quadrature, breaks_around};
use super::tail::normal_sf;

/// `P(T > t)` of Student's distribution with `df` degrees of freedom and noncentrality `shift`: of `(Z + shift) / S` with `Z` standard
/// normal and `S^2` chi-square over its degrees of freedom. `None` unless `df > 0` and all are finite.
///
/// By integrating the normal tail over `S`; absolute error about 1e-13. Beyond a million degrees of freedom `S` is 1.
pub fn noncentral_t_sf(t: f64, df: f64, shift: f64) -> Option<f64> {
    if !(df > 0.0 && t.is_finite() && shift.is_finite()) {
        return None;
    }
    if df > 1e6 {
        // The t statistic of a shift: first-order correction for the spread of S.
        let spread = (1.0 + t * t / (2.0 * df)).sqrt();
        return Some(normal_sf((t * (1.0 - 1.0 / (4.0 * df)) - shift) / spread).p());
    }
    let half = df / 2.0;
    let constant = std::f64::consts::LN_2 + half * half.ln() - ln_gamma(half);
    let density = |s: f64| (constant + (df - 1.0) * s.ln() - half * s * s).exp();
    let scale = (0.5 / df).sqrt();
    let breaks = breaks_around(&[(1.0, scale), (0.0, scale / 16.0), (0.0, scale)], 0.0, 1.0 + 100.0 * scale);
    let rule = Quadrature::between(&breaks);
    let sum = rule.integrate(|s| if s > 0.0 { density(s) * normal_sf(t * s - shift).p() } else { 0.0 });
    Some(sum.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::super::tail::student_t_sf;
    use super::*;

    #[test]
    fn without_a_shift_it_is_students() {
        for df in [1.0, 2.5, 10.0, 100.0, 1e5, 1e7] {
            for t in [-2.0, 0.0, 0.5, 3.0] {
                let (got, expected) = (noncentral_t_sf(t, df, 0.0).unwrap(), student_t_sf(t, df).p());
                assert!((got - expected).abs() < 2e-10, "t {t}, df {df}: {got} and {expected}");
            }
        }
        assert_eq!(noncentral_t_sf(1.0, 0.0, 0.0), None);
    }

    #[test]
    fn a_value_of_another_program() {
        // scipy 1.17: scipy.stats.nct.sf(2.024394, 38, 3.162278).
        let got = noncentral_t_sf(2.024394, 38.0, 3.162278).unwrap();
        assert!((got - 0.868_953_5).abs() < 2e-6, "{got}");
    }
}
