//! Group-sequential boundaries: how far from zero a z statistic must be at each of several looks.
//!
//! By the recursion of Armitage, McPherson and Rowe (1969, DOI 10.2307/2343787): the density of the statistic over the paths that
//! have not crossed yet is carried from look to look by numerical integration. Equal to published tables to four decimals and more.
//! May use: `stats`. It deliberately does not know rows or tests; [`super::looks`] asks it for the level of a look.

use std::f64::consts::PI;

use crate::stats::{Quadrature, normal_quantile, normal_sf, normal_two_sided};

/// Where a path is as good as impossible: this many standard deviations.
const FAR: f64 = 11.0;
/// Less than this share of the level spent at a later look is nothing: the look cannot reject.
const NOTHING: f64 = 1e-18;
/// Information that rises by less than this share of itself is taken to rise by it: shorter steps need a finer integration than their
/// weight is worth. A later look then counts as a little less like the one before, which makes its boundary stricter.
pub(super) const SMALLEST_STEP: f64 = 1e-4;
/// Pieces of the integration have at most this width, in standard deviations of the step from look to look.
const WIDTH: f64 = 2.5;

/// How the chance of a false positive is spread over the information.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spending {
    /// Little at first, most at the end (Lan and DeMets 1983, DOI 10.1093/biomet/70.3.659); for two sides, each with half the level.
    OBrienFleming,
    /// About the same at every look.
    Pocock,
    /// `alpha * t^exponent` (Kim and DeMets 1987, DOI 10.1093/biomet/74.1.149).
    Power(f64),
    /// `alpha * (1 - exp(-g t)) / (1 - exp(-g))` (Hwang, Shih and De Cani 1990, DOI 10.1002/sim.4780091207).
    HwangShihDeCani(f64),
}

impl Spending {
    /// The chance spent, of `alpha`, when the share `fraction` (0..=1) of the information is there. Rises from 0 to `alpha`.
    pub fn spent(self, fraction: f64, alpha: f64) -> f64 {
        let t = fraction.clamp(0.0, 1.0);
        if t <= 0.0 || t.is_nan() {
            return 0.0;
        }
        if t >= 1.0 {
            return alpha;
        }
        let spent = match self {
            Spending::OBrienFleming => {
                let z = normal_quantile(1.0 - alpha / 4.0).unwrap_or(f64::INFINITY);
                2.0 * normal_two_sided(z / t.sqrt()).p()
            }
            Spending::Pocock => alpha * (1.0 + (std::f64::consts::E - 1.0) * t).ln(),
            Spending::Power(exponent) => alpha * t.powf(exponent),
            Spending::HwangShihDeCani(gamma) if gamma.abs() < 1e-9 => alpha * t,
            Spending::HwangShihDeCani(gamma) => alpha * (-gamma * t).exp_m1() / (-gamma).exp_m1(),
        };
        spent.clamp(0.0, alpha)
    }
}

/// One look of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boundary {
    /// The share of the information at this look.
    pub fraction: f64,
    /// The chance of a false positive at this look or before.
    pub spent: f64,
    /// A statistic as far from zero as this rejects; infinite when none does.
    pub z: f64,
    /// The two-sided p-value of `z`: what a plain p-value is held against. 0 when nothing rejects.
    pub level: f64,
}

/// Two-sided boundaries for looks at rising `fractions` of the information (0..=1), that together reject a true null with the chance
/// that `spending` allows of `alpha`. A fraction that does not rise gets an infinite boundary.
///
/// ```
/// use steward::ab::{Spending, boundaries};
/// let plan = boundaries(&[0.2, 0.4, 0.6, 0.8, 1.0], 0.05, Spending::OBrienFleming);
/// let published = [4.8769, 3.3570, 2.6803, 2.2898, 2.0310];
/// assert!(plan.iter().zip(published).all(|(look, z)| (look.z - z).abs() < 1e-4));
/// ```
pub fn boundaries(fractions: &[f64], alpha: f64, spending: Spending) -> Vec<Boundary> {
    boundaries_by(fractions, fractions, alpha, spending)
}

/// Boundaries where the clock that spends is not the information: look `k` may have spent what `spending` allows at `shares[k]` (0..=1, of
/// a clock that was chosen beforehand, such as the time or the number of the look), and its statistic rests on `information[k]`, of which
/// only ratios count (Lan and DeMets 1989, DOI 10.1002/sim.4780081003). With the information of two means, `n_a n_b / (n_a + n_b)`, the
/// level holds however unevenly rows arrive. A look whose information does not rise gets an infinite boundary.
///
/// ```
/// use steward::ab::{Spending, boundaries_by, crossing_chance};
/// // Looks at equal times, with four times the rows at each: the boundaries of equal rows would reject in 6.6 % of all tests.
/// let (shares, rows) = ([0.2, 0.4, 0.6, 0.8, 1.0], [1.0, 4.0, 16.0, 64.0, 256.0]);
/// let z: Vec<f64> = boundaries_by(&shares, &rows, 0.05, Spending::OBrienFleming).iter().map(|look| look.z).collect();
/// assert!((crossing_chance(&rows, &z) - 0.05).abs() < 1e-6);
/// ```
pub fn boundaries_by(shares: &[f64], information: &[f64], alpha: f64, spending: Spending) -> Vec<Boundary> {
    let mut paths = Paths::default();
    let (mut before, mut last) = (0.0, 0.0);
    let all = information;
    shares
        .iter()
        .zip(information)
        .enumerate()
        .map(|(index, (&fraction, &information))| {
            let spent = spending.spent(fraction, alpha).max(before);
            let increment = spent - before;
            let too_little = increment <= if paths.mass.is_empty() { 0.0 } else { NOTHING * alpha };
            // What is no number does not rise either.
            let rises = information > last && information.is_finite();
            if too_little || !rises {
                return Boundary { fraction, spent, z: f64::INFINITY, level: 0.0 };
            }
            (before, last) = (spent, information);
            let step = paths.step_to(information.max(paths.information * (1.0 + SMALLEST_STEP)));
            let z = step.boundary(increment);
            paths = step.beyond(z, all.get(index + 1..).unwrap_or_default());
            Boundary { fraction, spent, z, level: normal_two_sided(z).p() }
        })
        .collect()
}

/// The chance that a true null is rejected at one of the looks, when the statistic rejects from `z[i]` on at `fractions[i]`.
///
/// ```
/// use steward::ab::crossing_chance;
/// // Looking twice at the 5 % level: 8.3 % (Armitage, McPherson and Rowe 1969).
/// assert!((crossing_chance(&[0.5, 1.0], &[1.959964, 1.959964]) - 0.0831178).abs() < 1e-6);
/// ```
pub fn crossing_chance(fractions: &[f64], z: &[f64]) -> f64 {
    let (mut paths, mut crossed) = (Paths::default(), 0.0);
    for (index, (&fraction, &z)) in fractions.iter().zip(z).enumerate() {
        if fraction > paths.information && z.is_finite() {
            let step = paths.step_to(fraction);
            crossed += step.beyond_chance(z);
            paths = step.beyond(z, fractions.get(index + 1..).unwrap_or_default());
        }
    }
    crossed
}

/// Equally spaced looks with a boundary of one shape whose constant gives a level of `alpha`.
fn classic(looks: u32, alpha: f64, shape: impl Fn(f64) -> f64) -> f64 {
    let fractions: Vec<f64> = (1..=looks).map(|k| f64::from(k) / f64::from(looks.max(1))).collect();
    let chance = |constant: f64| {
        let z: Vec<f64> = fractions.iter().map(|&t| constant * shape(t)).collect();
        crossing_chance(&fractions, &z)
    };
    // The chance falls with the constant; its logarithm is close to a parabola, so regula falsi on it is quick.
    let (mut low, mut high) = (normal_quantile(1.0 - alpha / 2.0).unwrap_or(2.0) - 1e-9, 12.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if chance(middle) > alpha { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Pocock's constant (1977, DOI 10.1093/biomet/64.2.191): every one of `looks` equally spaced looks rejects from it on.
pub fn pocock_constant(looks: u32, alpha: f64) -> f64 {
    classic(looks, alpha, |_| 1.0)
}

/// O'Brien and Fleming's constant (1979, DOI 10.2307/2530245): look `k` of `looks` rejects from `constant * sqrt(looks / k)` on.
pub fn obrien_fleming_constant(looks: u32, alpha: f64) -> f64 {
    classic(looks, alpha, |t| 1.0 / t.sqrt())
}

/// The paths that have not crossed: their density on the upper half, the lower being its mirror. A path is a sum whose variance is
/// the information.
#[derive(Debug, Default)]
struct Paths {
    information: f64,
    /// `(place, weight times density)`, places rising; empty at the start, where every path is at 0.
    mass: Vec<(f64, f64)>,
}

/// From the paths of one look to the next.
struct Step<'a> {
    from: &'a Paths,
    information: f64,
    deviation: f64,
}

impl Paths {
    fn step_to(&self, information: f64) -> Step<'_> {
        Step { from: self, information, deviation: (information - self.information).sqrt() }
    }
}

impl Step<'_> {
    /// The chance of a path beyond `z` on either side at the next look.
    fn beyond_chance(&self, z: f64) -> f64 {
        let border = z * self.information.sqrt();
        if self.from.mass.is_empty() {
            return normal_two_sided(border / self.deviation).p();
        }
        let tail = |distance: f64| if distance > 38.0 { 0.0 } else { normal_sf(distance).p() };
        let one = |&(place, mass): &(f64, f64)| {
            mass * (tail((border - place) / self.deviation) + tail((border + place) / self.deviation))
        };
        // Both halves: the mirror image of a place reaches the two borders the other way round.
        2.0 * self.from.mass.iter().map(one).sum::<f64>()
    }

    /// The density of the next look at `place`.
    fn density(&self, place: f64) -> f64 {
        let bell = |distance: f64| {
            let z = distance / self.deviation;
            (-0.5 * z * z).exp() / (self.deviation * (2.0 * PI).sqrt())
        };
        if self.from.mass.is_empty() {
            return bell(place);
        }
        let reach = FAR * self.deviation;
        let near = |low: f64, high: f64| {
            let from = self.from.mass.partition_point(|&(at, _)| at < low);
            self.from.mass[from..].iter().take_while(move |&&(at, _)| at <= high)
        };
        near(place - reach, place + reach).map(|&(at, mass)| mass * bell(place - at)).sum::<f64>()
            + near(f64::NEG_INFINITY, reach - place).map(|&(at, mass)| mass * bell(place + at)).sum::<f64>()
    }

    /// The `z` that exactly `chance` of all paths lies beyond.
    fn boundary(&self, chance: f64) -> f64 {
        let (mut low, mut high) = (0.0, 38.0);
        if self.from.mass.is_empty() {
            return normal_quantile(1.0 - chance / 2.0).filter(|z| *z < 8.0).unwrap_or_else(|| {
                // Far out 1 - chance has no digits; the other tail has.
                -normal_quantile(chance / 2.0).unwrap_or(-38.0)
            });
        }
        let target = chance.ln();
        let excess = |z: f64| self.beyond_chance(z).max(1e-320).ln() - target;
        let (mut at_low, mut at_high) = (excess(low), excess(high));
        for step in 0..80 {
            let secant = (low * at_high - high * at_low) / (at_high - at_low);
            // Bisection now and then, so that a long flat side cannot hold regula falsi up.
            let middle = if step % 3 != 1 && secant > low && secant < high { secant } else { (low + high) / 2.0 };
            let value = excess(middle);
            if value > 0.0 {
                (low, at_low) = (middle, value)
            } else {
                (high, at_high) = (middle, value)
            }
            if value.abs() < 1e-12 || high - low < 1e-12 {
                return middle;
            }
        }
        (low + high) / 2.0
    }

    /// The paths that stay inside `z` at the next look, as fine as a step to the first of the `later` looks with more information needs.
    fn beyond(&self, z: f64, later: &[f64]) -> Paths {
        let deviation = self.information.sqrt();
        let border = z.min(FAR) * deviation;
        // The density is as smooth as the last step is long, and what the next step makes of it is as smooth as that one.
        let next = later.iter().find(|information| **information > self.information);
        let smallest = self.information * SMALLEST_STEP;
        let next = next.map_or(f64::INFINITY, |next| (next - self.information).max(smallest).sqrt());
        let pieces = ((border / (WIDTH * self.deviation.min(next))).ceil() as usize).max(1);
        let breaks: Vec<f64> = (0..=pieces).map(|i| border * i as f64 / pieces as f64).collect();
        let nodes = Quadrature::between(&breaks).nodes;
        let mass = nodes.into_iter().map(|(place, weight)| (place, weight * self.density(place))).collect();
        Paths { information: self.information, mass }
    }
}
