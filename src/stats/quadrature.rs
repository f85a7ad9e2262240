//! Integrals of smooth functions, by Gauss and Legendre on given pieces.

use std::f64::consts::PI;

/// Points on each piece.
const POINTS: usize = 16;

/// A quadrature rule: where to evaluate, and with which weight.
#[derive(Debug, Clone, Default)]
pub struct Quadrature {
    /// `(point, weight)`, points rising.
    pub nodes: Vec<(f64, f64)>,
}

impl Quadrature {
    /// Gauss-Legendre with 16 points between each two neighbours of `breaks` (rising). Exact for polynomials of degree 31 on each
    /// piece, and to about 1e-13 for a bell curve on pieces of up to three of its standard deviations.
    ///
    /// ```
    /// use steward::stats::Quadrature;
    /// let rule = Quadrature::between(&[0.0, 1.0, 3.0]);
    /// assert!((rule.integrate(|x| x * x) - 9.0).abs() < 1e-13);
    /// ```
    pub fn between(breaks: &[f64]) -> Self {
        let unit = legendre(POINTS);
        let mut nodes = Vec::with_capacity(POINTS * breaks.len().saturating_sub(1));
        for pair in breaks.windows(2) {
            let (half, middle) = ((pair[1] - pair[0]) / 2.0, (pair[0] + pair[1]) / 2.0);
            if half > 0.0 {
                nodes.extend(unit.iter().map(|(x, weight)| (middle + half * x, half * weight)));
            }
        }
        Self { nodes }
    }

    /// The integral of `function`.
    pub fn integrate(&self, function: impl Fn(f64) -> f64) -> f64 {
        self.nodes.iter().map(|&(x, weight)| weight * function(x)).sum()
    }
}

/// Nodes and weights on -1..1, rising: roots of the Legendre polynomial by Newton (Golub and Welsch 1969, DOI
/// 10.1090/S0025-5718-69-99647-1, give the weights).
fn legendre(points: usize) -> Vec<(f64, f64)> {
    let n = points as f64;
    (0..points)
        .map(|index| {
            let mut x = -(PI * (index as f64 + 0.75) / (n + 0.5)).cos();
            let mut derivative = 1.0;
            for _ in 0..100 {
                let (mut before, mut value) = (1.0, x);
                for k in 2..=points {
                    let k = k as f64;
                    (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
                }
                derivative = n * (x * value - before) / (x * x - 1.0);
                let step = value / derivative;
                x -= step;
                if step.abs() < 1e-15 {
                    break;
                }
            }
            (x, 2.0 / ((1.0 - x * x) * derivative * derivative))
        })
        .collect()
}

/// Rising break points around `centres` at growing distances in their `scales`, within `low..=high` (both included).
pub(crate) fn breaks_around(centres: &[(f64, f64)], low: f64, high: f64) -> Vec<f64> {
    const DISTANCES: [f64; 13] = [0.0, 1.5, 3.0, 4.5, 6.0, 8.0, 10.0, 13.0, 17.0, 24.0, 36.0, 60.0, 100.0];
    let mut breaks = vec![low, high];
    for &(centre, scale) in centres {
        breaks.extend(DISTANCES.iter().flat_map(|distance| [centre - distance * scale, centre + distance * scale]));
    }
    breaks.retain(|point| point.is_finite() && (low..=high).contains(point));
    breaks.sort_by(f64::total_cmp);
    breaks.dedup();
    breaks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_curve_has_its_area() {
        let breaks = breaks_around(&[(3.0, 0.01)], -40.0, 40.0);
        let rule = Quadrature::between(&breaks);
        let area =
            rule.integrate(|x| (-0.5 * ((x - 3.0) / 0.01) * ((x - 3.0) / 0.01)).exp() / (0.01 * (2.0 * PI).sqrt()));
        assert!((area - 1.0).abs() < 1e-13, "{area}");
        assert!(Quadrature::between(&[1.0]).nodes.is_empty());
    }
}
