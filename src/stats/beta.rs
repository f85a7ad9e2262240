//! The logarithm of the regularised incomplete beta function, both sides, accurate far into the tail.

use std::f64::consts::PI;

use super::gamma::{is_stirling, ln_complement, ln_gamma, minus_log1p, stirling_error};

/// `ln sqrt(2 pi)`.
const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// Iterations after which a series or fraction is taken as it is.
const MAX_TERMS: u32 = 200_000;

/// `(ln I_x(a, b), ln (1 - I_x(a, b)))` for `a, b > 0`, where `y` is `1 - x`, given apart because the caller knows it
/// exactly and `1 - x` does not.
///
/// The smaller side is computed directly and the other as its complement, so neither loses relative accuracy where it
/// is small. Continued fraction: DiDonato and Morris (1992, DOI 10.1145/131766.131776), which forms the distance from the
/// mean exactly; the textbook fraction loses half the digits for a billion degrees of freedom.
pub(super) fn ln_incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (f64::NEG_INFINITY, 0.0);
    }
    if y <= 0.0 {
        return (0.0, f64::NEG_INFINITY);
    }
    let prefix = ln_prefix(a, b, x, y);
    // a - (a + b) x, formed from the smaller of x and y.
    let distance = if x <= y { a - (a + b) * x } else { (a + b) * y - b };
    if distance >= 0.0 {
        let small = ln_side(a, b, x, y, distance, prefix);
        (small, ln_complement(small))
    } else {
        let small = ln_side(b, a, y, x, -distance, prefix);
        (ln_complement(small), small)
    }
}

/// `ln I_x(a, b)` where `x` is below the mean.
fn ln_side(a: f64, b: f64, x: f64, y: f64, distance: f64, prefix: f64) -> f64 {
    let fast_series = x * (a + b) <= 3.0 || (a.max(b) <= 20.0 && x <= 0.9);
    let factor = if fast_series { series(a, b, x) } else { fraction(a, b, x, y, distance) };
    (prefix + factor.ln()).min(0.0)
}

/// `I_x(a, b) B(a, b) / (x^a y^b)` as a series of positive terms (DLMF 8.17.22 with Euler's transformation).
fn series(a: f64, b: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    let mut n = 0.0;
    for _ in 0..MAX_TERMS {
        term *= x * (a + b + n) / (a + 1.0 + n);
        sum += term;
        n += 1.0;
        if term <= sum * 1e-17 {
            break;
        }
    }
    sum
}

/// The same quantity as a continued fraction, from the three-term recurrence of its convergents.
fn fraction(a: f64, b: f64, x: f64, y: f64, distance: f64) -> f64 {
    let c = 1.0 + distance;
    let c1 = 1.0 + 1.0 / a;
    let (mut an, mut bn, mut an1, mut bn1) = (0.0, 1.0, 1.0, c / c1);
    let mut r = c1 / c;
    let (mut p, mut s) = (1.0, a + 1.0);
    for i in 1..MAX_TERMS {
        let n = f64::from(i);
        let t = n / a;
        let w = n * (b - n) * x;
        let e = a / s;
        let alpha = p * (p + b / a) * e * e * (w * x);
        let e = (1.0 + t) / (c1 + t + t);
        let beta = n + w / s + e * (c + n * (1.0 + y));
        p = 1.0 + t;
        s += 2.0;
        let next_a = alpha * an + beta * an1;
        let next_b = alpha * bn + beta * bn1;
        let previous = r;
        r = next_a / next_b;
        if (r - previous).abs() <= 1e-16 * r.abs() {
            break;
        }
        // Rescale so that neither convergent overflows.
        an = an1 / next_b;
        bn = bn1 / next_b;
        an1 = r;
        bn1 = 1.0;
    }
    r
}

/// `ln(x^a y^b / B(a, b))`.
pub(super) fn ln_prefix(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if is_stirling(a) && is_stirling(b) {
        let distance = if x <= y { a - (a + b) * x } else { (a + b) * y - b };
        let correction = stirling_error(a) + stirling_error(b) - stirling_error(a + b);
        let exponent = a * minus_log1p(-distance / a) + b * minus_log1p(distance / b);
        return 0.5 * (a / (a + b) * b / (2.0 * PI)).ln() - exponent - correction;
    }
    let ln_x = if x <= 0.5 { x.ln() } else { (-y).ln_1p() };
    let ln_y = if y <= 0.5 { y.ln() } else { (-x).ln_1p() };
    a * ln_x + b * ln_y - ln_beta(a, b)
}

/// `ln B(a, b)` where at least one argument is below Stirling's range.
fn ln_beta(a: f64, b: f64) -> f64 {
    let (p, q) = if a <= b { (a, b) } else { (b, a) };
    if is_stirling(p) {
        let correction = stirling_error(p) + stirling_error(q) - stirling_error(p + q);
        let ratio = p / (p + q);
        return -0.5 * q.ln() + LN_SQRT_2PI + correction + (p - 0.5) * ratio.ln() + q * (-ratio).ln_1p();
    }
    if is_stirling(q) {
        let correction = stirling_error(q) - stirling_error(p + q);
        return ln_gamma(p) + correction + p - p * (p + q).ln() + (q - 0.5) * (-p / (p + q)).ln_1p();
    }
    ln_gamma(p) + ln_gamma(q) - ln_gamma(p + q)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn uniform_and_arcsine_special_cases() {
        for x in [1e-200, 1e-9, 0.2, 0.5, 0.999] {
            let (lower, upper) = ln_incomplete_beta(1.0, 1.0, x, 1.0 - x);
            assert!((lower - x.ln()).abs() <= 1e-14 * x.ln().abs());
            assert!((upper - (-x).ln_1p()).abs() <= 1e-13 * x);
        }
        let (lower, _) = ln_incomplete_beta(0.5, 0.5, 0.25, 0.75);
        assert!((lower.exp() - 1.0 / 3.0).abs() < 1e-14);
    }

    proptest! {
        #[test]
        fn swapping_sides_swaps_the_answer(a in 0.2f64..3000.0, b in 0.2f64..3000.0, x in 0.001f64..0.999) {
            let y = 1.0 - x;
            let x = 1.0 - y;
            let (lower, upper) = ln_incomplete_beta(a, b, x, y);
            let (other_lower, other_upper) = ln_incomplete_beta(b, a, y, x);
            prop_assert!((lower - other_upper).abs() <= 1e-9 * lower.abs().max(1e-3));
            prop_assert!((upper - other_lower).abs() <= 1e-9 * upper.abs().max(1e-3));
            prop_assert!((lower.exp() + upper.exp() - 1.0).abs() < 1e-12);
        }

        #[test]
        fn series_and_fraction_agree(a in 0.3f64..200.0, b in 0.3f64..200.0, share in 0.05f64..0.98) {
            let x = share * a / (a + b);
            let direct = series(a, b, x);
            let other = fraction(a, b, x, 1.0 - x, a - (a + b) * x);
            prop_assert!((direct - other).abs() <= 1e-11 * direct, "{} {}", direct, other);
        }
    }
}
