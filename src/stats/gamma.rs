//! The logarithm of the incomplete gamma functions, accurate far into the tail.

use std::f64::consts::PI;

/// Where Stirling's series takes over from the Lanczos sum; its last term is below 1e-16 from here on.
const STIRLING_FROM: f64 = 10.0;

/// Iterations after which a series or fraction is taken as it is; none needs more than a few thousand.
const MAX_TERMS: u32 = 200_000;

/// Below this a factor in Lentz's algorithm counts as zero.
const TINY: f64 = 1e-300;

/// `ln gamma(x)` for positive `x`.
pub fn ln_gamma(x: f64) -> f64 {
    statrs::function::gamma::ln_gamma(x)
}

/// The error of Stirling's formula: `ln gamma(x) - ((x - 1/2) ln x - x + ln sqrt(2 pi))`, for `x >= 10` by its series.
pub(super) fn stirling_error(x: f64) -> f64 {
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    const TERMS: [f64; 7] =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    TERMS.iter().rev().fold(0.0, |sum, term| sum * square + term) * inverse
}

/// Whether [`stirling_error`] may be used for `x`.
pub(super) fn is_stirling(x: f64) -> bool {
    x >= STIRLING_FROM
}

/// `u - ln(1 + u)` without cancellation near zero, for `u > -1`.
pub(super) fn minus_log1p(u: f64) -> f64 {
    if !(-0.4..=0.7).contains(&u) {
        return u - u.ln_1p();
    }
    // ln(1+u) = 2 (r + r^3/3 + r^5/5 + ...) with r = u/(2+u), and u - 2r = u r.
    let r = u / (2.0 + u);
    let square = r * r;
    let mut power = r * square;
    let mut sum = 0.0;
    let mut divisor = 3.0;
    while power.abs() > 1e-18 * (u * r).abs() && divisor < 200.0 {
        sum += power / divisor;
        power *= square;
        divisor += 2.0;
    }
    u * r - 2.0 * sum
}

/// `ln(x^a e^-x / gamma(a))`.
fn ln_prefix(a: f64, x: f64) -> f64 {
    if is_stirling(a) {
        // Loader's form (2000): large terms that cancel are never formed.
        0.5 * (a / (2.0 * PI)).ln() - a * minus_log1p((x - a) / a) - stirling_error(a)
    } else {
        a * x.ln() - x - ln_gamma(a)
    }
}

/// `ln Q(a, x)`, the regularised upper incomplete gamma function, for `a > 0`, `x >= 0`.
pub(super) fn ln_upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x.is_infinite() {
        return f64::NEG_INFINITY;
    }
    let prefix = ln_prefix(a, x);
    if x < a + 1.0 {
        // Power series of the lower function; all terms are positive.
        let mut term = 1.0 / a;
        let mut sum = term;
        let mut n = a;
        for _ in 0..MAX_TERMS {
            n += 1.0;
            term *= x / n;
            sum += term;
            if term <= sum * 1e-17 {
                break;
            }
        }
        return ln_complement(prefix + sum.ln());
    }
    // Legendre's continued fraction by the modified Lentz algorithm (Thompson and Barnett 1986).
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..MAX_TERMS {
        let i = f64::from(i);
        let an = -i * (i - a);
        b += 2.0;
        d = an * d + b;
        if d.abs() < TINY {
            d = TINY;
        }
        c = b + an / c;
        if c.abs() < TINY {
            c = TINY;
        }
        d = 1.0 / d;
        let factor = d * c;
        h *= factor;
        if (factor - 1.0).abs() <= 1e-16 {
            break;
        }
    }
    (prefix + h.ln()).min(0.0)
}

/// `ln(1 - e^l)` for `l <= 0`.
pub(super) fn ln_complement(l: f64) -> f64 {
    if l >= 0.0 {
        f64::NEG_INFINITY
    } else if l > -std::f64::consts::LN_2 {
        (-l.exp_m1()).ln()
    } else {
        (-l.exp()).ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_log1p_is_smooth_where_its_forms_meet() {
        for u in [-0.4f64, 0.7] {
            let (inside, outside) = (minus_log1p(u), u - u.ln_1p());
            assert!((inside - outside).abs() <= 4.0 * f64::EPSILON * outside, "{u}: {inside} {outside}");
        }
        // u^2/2 - u^3/3 for tiny u.
        assert!((minus_log1p(1e-9) / (0.5e-18 - 1e-27 / 3.0) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn stirling_meets_lanczos() {
        let x = 10.0f64;
        let stirling = (x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln() + stirling_error(x);
        assert!((stirling - ln_gamma(x)).abs() < 1e-13);
    }

    #[test]
    fn exponential_special_case() {
        for x in [1e-12, 0.3, 1.0, 2.5, 700.0, 1e5] {
            assert!((ln_upper(1.0, x) + x).abs() <= 1e-13 * x.max(1e-3), "Q(1,x) = e^-x at {x}");
        }
    }
}
