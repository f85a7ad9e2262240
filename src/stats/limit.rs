//! The limiting distributions of the Cramer-von Mises and Anderson-Darling statistics.
//!
//! Both are sums of independent squared normals, `sum Z_j^2 / p_j` with simple poles `p_j`: `(pi j)^2` and `j (j + 1)`. Smirnov's formula
//! turns the survival function into an alternating sum of integrals between neighbouring poles, each over an integrand with a
//! square-root singularity at both ends, so Gauss-Chebyshev quadrature is exact to rounding. The first integral dominates and is
//! formed in units of its largest value: a tail of 1e-5000 keeps its logarithm.

use std::f64::consts::PI;

use super::tail::Tail;

/// Nodes of the quadrature.
const NODES: u32 = 128;
/// From here (in units of the decay rate) the integrand sits at the left end and is integrated on its own scale.
const STEEP_FROM: f64 = 100.0;

/// A sum of squared normals, by its poles in `s`: pole `p = quarter s^2 - offset`, integrals over `[first + 4 half k, + 2 half]`.
struct Form {
    first: f64,
    half: f64,
    quarter: f64,
    offset: f64,
    /// The integrand without `exp(-x u / 2) / sqrt(cos(pi y / 2))`, as a function of `s` and `u`.
    weight: fn(f64, f64) -> f64,
    /// Below this the probability is 1 to the last bit.
    certain_below: f64,
}

/// `P(W > x)` of the limit of the Cramer-von Mises statistic: `W = sum Z_j^2 / (pi j)^2`, mean 1/6.
///
/// Anderson and Darling (1952, DOI 10.1214/aoms/1177729437); the algorithm is Smirnov's (1936), as told there.
pub fn cramer_von_mises_limit(x: f64) -> Tail {
    survival(
        &Form {
            first: PI,
            half: PI / 2.0,
            quarter: 1.0,
            offset: 0.0,
            weight: |s, _| PI / s.sqrt(),
            certain_below: 0.003,
        },
        x,
    )
}

/// `P(A > x)` of the limit of the Anderson-Darling statistic of two samples (or of one against a known distribution):
/// `A = sum Z_j^2 / (j (j + 1))`, mean 1.
///
/// Anderson and Darling (1952, DOI 10.1214/aoms/1177729437).
pub fn anderson_darling_limit(x: f64) -> Tail {
    survival(
        &Form {
            first: 3.0,
            half: 1.0,
            quarter: 0.25,
            offset: 0.25,
            weight: |s, u| 0.5 * s * (PI / u).sqrt(),
            certain_below: 0.03,
        },
        x,
    )
}

fn survival(form: &Form, x: f64) -> Tail {
    if x.is_nan() || x <= form.certain_below {
        return Tail::ONE;
    }
    let x = x.min(1e300);
    let pole = form.quarter * form.first * form.first - form.offset;
    let rate = x * form.quarter * form.half * form.first;
    let ln_largest = -0.5 * x * pole;
    if rate > STEEP_FROM {
        return Tail::from_ln(ln_largest + (steep(form, x, rate) / PI).ln());
    }
    // In units of exp(-x pole / 2); later integrals are smaller by exp(-x (later pole - pole) / 2).
    let mut sum = 0.0;
    for k in 0..200u32 {
        let part = between_poles(form, x, pole, k);
        sum += if k % 2 == 0 { part } else { -part };
        if part <= sum.abs() * 1e-18 {
            break;
        }
    }
    Tail::from_ln(ln_largest + (sum / PI).max(0.0).ln())
}

/// The integral over `[first + 4 half k, first + 4 half k + 2 half]`, times `exp(x pole / 2)`.
fn between_poles(form: &Form, x: f64, pole: f64, k: u32) -> f64 {
    let middle = form.first + form.half * (1.0 + 4.0 * f64::from(k));
    let mut sum = 0.0;
    for node in 0..NODES {
        let angle = PI * (f64::from(node) + 0.5) / f64::from(NODES);
        // cos(pi y / 2) with 1 - |y| formed without cancellation.
        let to_end = 2.0 * (0.5 * angle.min(PI - angle)).sin().powi(2);
        let ratio = angle.sin() / (0.5 * PI * to_end).sin().sqrt();
        let s = middle + form.half * angle.cos();
        let u = form.quarter * s * s - form.offset;
        sum += (-0.5 * x * (u - pole)).exp() * (form.weight)(s, u) * ratio;
    }
    sum * PI / f64::from(NODES)
}

/// The first integral times `exp(x pole / 2)`, with `1 + y = v^2 / rate`: an even integrand like `exp(-v^2)`, for which the trapezoidal
/// rule is exact to rounding.
fn steep(form: &Form, x: f64, rate: f64) -> f64 {
    const STEP: f64 = 0.1;
    let mut sum = 0.0;
    for index in 0..90u32 {
        let v = STEP * f64::from(index);
        let t = v * v / rate;
        let s = form.first + form.half * t;
        let above = form.quarter * form.half * t * (2.0 * form.first + form.half * t);
        let u = form.quarter * form.first * form.first - form.offset + above;
        let singular = if index == 0 {
            (2.0 / rate) * (2.0 * rate / PI).sqrt()
        } else {
            2.0 * v / rate / (0.5 * PI * t).sin().sqrt()
        };
        let value = (-0.5 * x * above).exp() * (form.weight)(s, u) * singular;
        sum += if index == 0 { 0.5 * value } else { value };
    }
    sum * STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_percentage_points() {
        // Anderson and Darling (1952), Stephens (1974).
        for (x, p) in [(0.34730, 0.10), (0.46136, 0.05), (0.74346, 0.01), (1.16786, 0.001)] {
            assert!((cramer_von_mises_limit(x).p() / p - 1.0).abs() < 5e-5, "{x}: {}", cramer_von_mises_limit(x));
        }
        for (x, p) in [(1.9329, 0.10), (2.4924, 0.05), (3.8781, 0.01)] {
            assert!((anderson_darling_limit(x).p() / p - 1.0).abs() < 1e-4, "{x}: {}", anderson_darling_limit(x).p());
        }
    }

    #[test]
    fn both_quadratures_agree_where_they_meet() {
        for (x, limit) in [
            (20.2, cramer_von_mises_limit as fn(f64) -> Tail),
            (20.3, cramer_von_mises_limit),
            (133.3, anderson_darling_limit),
            (133.4, anderson_darling_limit),
        ] {
            let (left, right) = (limit(x - 0.1).ln(), limit(x + 0.1).ln());
            assert!((limit(x).ln() - 0.5 * (left + right)).abs() < 1e-4 * 0.1, "{x}");
        }
    }

    #[test]
    fn far_tails_keep_their_logarithm_and_near_one_there_is_no_jump() {
        assert_eq!(cramer_von_mises_limit(1000.0).p(), 0.0);
        let log10 = cramer_von_mises_limit(1000.0).log10();
        assert!((log10 + 0.5 * 1000.0 * PI * PI / std::f64::consts::LN_10).abs() < 5.0, "{log10}");
        assert!(anderson_darling_limit(1e5).log10() < -43000.0 && anderson_darling_limit(1e300).log10().is_finite());
        for limit in [cramer_von_mises_limit as fn(f64) -> Tail, anderson_darling_limit] {
            let mut previous = 1.0;
            for step in 1..2000u32 {
                let p = limit(f64::from(step) * 0.002).p();
                assert!(p <= previous + 1e-13 && p >= 0.0, "{step}: {p}");
                previous = p;
            }
            assert_eq!(limit(0.0), Tail::ONE);
            assert_eq!(limit(f64::NAN), Tail::ONE);
        }
    }
}
