//! Tail probabilities and quantiles of the normal, Student, chi-square and F distributions.

use std::f64::consts::{LN_2, LN_10, SQRT_2};
use std::fmt;

use super::beta::ln_incomplete_beta;
use super::gamma::{ln_complement, ln_upper};
use super::solve::decreasing_root;

/// Below this a probability is kept only as its logarithm: doubles lose digits and then vanish.
const SMALLEST_SHOWN: f64 = 1e-300;

/// `ln sqrt(2 pi)`.
const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// A tail probability and its logarithm, so that a p-value of 1e-1087 is still told from one of 1e-700.
///
/// Displays as the probability, or as `< 1e-300` below that; never as 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tail {
    p: f64,
    ln: f64,
}

impl Tail {
    /// Probability one.
    pub const ONE: Tail = Tail { p: 1.0, ln: 0.0 };

    /// From a natural logarithm, capped at probability one.
    pub fn from_ln(ln: f64) -> Self {
        let ln = if ln.is_nan() { 0.0 } else { ln.min(0.0) };
        Self { p: ln.exp(), ln }
    }

    /// From a probability, clamped to 0..=1.
    pub fn from_p(p: f64) -> Self {
        let p = if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
        Self { p, ln: p.ln() }
    }

    /// The probability; 0.0 only when it is below the smallest double, and then [`Tail::log10`] still holds.
    pub fn p(self) -> f64 {
        self.p
    }

    /// The logarithm to base 10, finite for every finite statistic.
    pub fn log10(self) -> f64 {
        self.ln / LN_10
    }

    /// The natural logarithm.
    pub fn ln(self) -> f64 {
        self.ln
    }

    /// One minus this tail.
    pub fn complement(self) -> Self {
        Self { p: 1.0 - self.p, ln: ln_complement(self.ln) }
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.p < SMALLEST_SHOWN {
            formatter.write_str("< 1e-300")
        } else if self.p < 1e-4 {
            write!(formatter, "{:.3e}", self.p)
        } else {
            write!(formatter, "{:.4}", self.p)
        }
    }
}

/// `P(Z > z)` of the standard normal distribution.
///
/// Half the upper incomplete gamma function `Q(1/2, z^2/2)` (not statrs' `erfc`, which is right to 1e-11 only).
pub fn normal_sf(z: f64) -> Tail {
    let two_sided = normal_two_sided(z);
    let half = Tail { p: 0.5 * two_sided.p, ln: two_sided.ln - LN_2 };
    if z >= 0.0 || z.is_nan() { half } else { half.complement() }
}

/// `P(|Z| > |z|)` of the standard normal distribution.
pub fn normal_two_sided(z: f64) -> Tail {
    if z.is_nan() {
        return Tail::ONE;
    }
    let z = z.abs().min(1e150);
    Tail::from_ln(ln_upper(0.5, 0.5 * z * z))
}

/// The value below which the standard normal distribution has probability `p`; infinite at 0 and 1, `None` outside.
pub fn normal_quantile(p: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&p) {
        return None;
    }
    if p == 0.5 {
        return Some(0.0);
    }
    // 1 - p is exact for p >= 1/2, so work in the smaller tail.
    let (tail, sign) = if p < 0.5 { (p, -1.0) } else { (1.0 - p, 1.0) };
    if tail == 0.0 {
        return Some(sign * f64::INFINITY);
    }
    let mut z = SQRT_2 * statrs::function::erf::erfc_inv(2.0 * tail);
    // One Newton step on the logarithm makes the last digits agree with our own tail.
    for _ in 0..2 {
        let ln_sf = normal_sf(z).ln();
        let ln_density = -0.5 * z * z - LN_SQRT_2PI;
        z += (ln_sf - tail.ln()) / (ln_density - ln_sf).exp();
    }
    Some(sign * z)
}

/// `P(T > t)` of Student's distribution with `df > 0` degrees of freedom (need not be whole).
pub fn student_t_sf(t: f64, df: f64) -> Tail {
    let two_sided = student_t_two_sided(t, df);
    let half = Tail { p: 0.5 * two_sided.p, ln: two_sided.ln - LN_2 };
    if t >= 0.0 { half } else { half.complement() }
}

/// `P(|T| > |t|)` of Student's distribution with `df > 0` degrees of freedom (need not be whole).
///
/// The regularised incomplete beta function `I_x(df/2, 1/2)` at `x = df / (df + t^2)`.
pub fn student_t_two_sided(t: f64, df: f64) -> Tail {
    if t.is_nan() || df.is_nan() || df <= 0.0 || t == 0.0 {
        return Tail::ONE;
    }
    if df.is_infinite() {
        return normal_two_sided(t);
    }
    // Beyond 1e140 the square overflows; every tail there is a plain power of t.
    let t = t.abs().min(1e140);
    let ratio = t * t / df;
    let (x, y) = (1.0 / (1.0 + ratio), if ratio > 1.0 { 1.0 / (1.0 + 1.0 / ratio) } else { ratio / (1.0 + ratio) });
    Tail::from_ln(ln_incomplete_beta(0.5 * df, 0.5, x, y).0)
}

/// The `t` with `P(T > t) = tail`, for `0 < tail < 1` and `df > 0`; `None` outside.
pub fn student_t_upper_quantile(tail: f64, df: f64) -> Option<f64> {
    if !(tail > 0.0 && tail < 1.0 && df > 0.0) {
        return None;
    }
    if tail == 0.5 {
        return Some(0.0);
    }
    if tail > 0.5 {
        return student_t_upper_quantile(1.0 - tail, df).map(|t| -t);
    }
    let target = tail.ln();
    let excess = |t: f64| student_t_sf(t, df).ln() - target;
    let mut high = 2.0;
    while excess(high) > 0.0 && high < 1e130 {
        high *= 2.0;
    }
    Some(decreasing_root(0.0, high, excess))
}

/// `P(X > x)` of the chi-square distribution with `df > 0` degrees of freedom.
pub fn chi_square_sf(x: f64, df: f64) -> Tail {
    if x.is_nan() || df.is_nan() || x <= 0.0 || df <= 0.0 {
        return Tail::ONE;
    }
    Tail::from_ln(ln_upper(0.5 * df, 0.5 * x))
}

/// The `x` with `P(X > x) = tail` of the chi-square distribution, for `0 < tail < 1` and `df > 0`; `None` outside.
pub fn chi_square_upper_quantile(tail: f64, df: f64) -> Option<f64> {
    if !(tail > 0.0 && tail < 1.0 && df > 0.0) {
        return None;
    }
    let target = tail.ln();
    let excess = |x: f64| chi_square_sf(x, df).ln() - target;
    let mut high = df.max(1.0);
    while excess(high) > 0.0 && high < 1e300 {
        high *= 2.0;
    }
    Some(decreasing_root(0.0, high, excess))
}

/// `P(X > f)` of the F distribution with `df1` and `df2` degrees of freedom, both positive.
pub fn f_sf(f: f64, df1: f64, df2: f64) -> Tail {
    if f.is_nan() || f <= 0.0 || df1.is_nan() || df1 <= 0.0 || df2.is_nan() || df2 <= 0.0 {
        return Tail::ONE;
    }
    let ratio = df1 * f / df2;
    let (x, y) = (1.0 / (1.0 + ratio), if ratio > 1.0 { 1.0 / (1.0 + 1.0 / ratio) } else { ratio / (1.0 + ratio) });
    Tail::from_ln(ln_incomplete_beta(0.5 * df2, 0.5 * df1, x, y).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_vanishing_p_value_is_never_shown_as_zero() {
        assert_eq!(normal_two_sided(60.0).to_string(), "< 1e-300");
        assert_eq!(normal_two_sided(60.0).p(), 0.0);
        assert!((normal_two_sided(60.0).log10() + 783.3).abs() < 0.5);
        assert_eq!(normal_two_sided(1.96).to_string(), "0.0500");
    }

    #[test]
    fn quantiles_refuse_what_has_no_answer() {
        assert_eq!(normal_quantile(1.5), None);
        assert_eq!(normal_quantile(f64::NAN), None);
        assert_eq!(student_t_upper_quantile(0.0, 5.0), None);
        assert_eq!(chi_square_upper_quantile(0.01, 0.0), None);
        assert_eq!(normal_quantile(0.0), Some(f64::NEG_INFINITY));
    }

    proptest! {
        #[test]
        fn student_quantile_inverts_the_tail(tail in 1e-12f64..0.9999, df in 0.6f64..1e7) {
            let t = student_t_upper_quantile(tail, df).unwrap();
            prop_assert!((student_t_sf(t, df).p() / tail - 1.0).abs() < 1e-9, "t {}", t);
        }

        #[test]
        fn chi_square_quantile_inverts_the_tail(tail in 1e-12f64..0.9999, df in 1u32..500) {
            let x = chi_square_upper_quantile(tail, f64::from(df)).unwrap();
            prop_assert!((chi_square_sf(x, f64::from(df)).p() / tail - 1.0).abs() < 1e-9);
        }

        #[test]
        fn student_approaches_the_normal(t in 0.1f64..30.0) {
            let (student, normal) = (student_t_two_sided(t, 1e12).ln(), normal_two_sided(t).ln());
            prop_assert!((student - normal).abs() <= 1e-6 * normal.abs());
        }

        #[test]
        fn squared_student_is_f(t in 0.01f64..50.0, df in 1.0f64..1e5) {
            let (student, f) = (student_t_two_sided(t, df).ln(), f_sf(t * t, 1.0, df).ln());
            prop_assert!((student - f).abs() <= 1e-11 * student.abs().max(0.01));
        }
    }
}
