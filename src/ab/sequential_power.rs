//! What several planned looks cost and save: power, expected size, and the chance that B is shipped, under a difference that is there.
//!
//! The paths of a test are followed from look to look as in [`super::boundary`], but with a drift and on the whole line, since with a
//! drift no side mirrors the other (Jennison and Turnbull 2000, DOI 10.1201/9780367805326, section 19.2). Large samples: a path is normal,
//! and the baseline is taken as known. May use: `stats`. Deliberately absent: rows that come at another pace than planned.

use super::boundary::{Boundary, Spending, boundaries};
use super::plan::ThresholdMode;
use super::power::{Outlook, PlannedRows};
use crate::stats::{Quadrature, normal_quantile, normal_sf};

/// Where a path is as good as impossible: this many standard deviations from its mean.
const FAR: f64 = 9.0;
/// Pieces of the integration have at most this width, in standard deviations of the step from look to look.
const WIDTH: f64 = 2.5;
/// The root of 2 pi: the area under the bell curve.
const BELL: f64 = 2.506_628_274_631_000_7;

/// Where a test stops at one of its looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stop {
    /// The share of the information at this look.
    pub fraction: f64,
    /// A statistic (in standard errors) down to this stops.
    pub lower: f64,
    /// A statistic from this on stops; not below `lower`.
    pub upper: f64,
}

/// How a test with several looks ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Course {
    /// The chance to stop at an upper border, at some look.
    pub upper: f64,
    /// The chance to stop at a lower border.
    pub lower: f64,
    /// The information at which it stops, on average, as a share of all.
    pub information: f64,
}

/// How a test goes whose statistic is `drift` standard errors from zero, on average, when all the information is there.
///
/// ```
/// use steward::ab::{Stop, course};
/// let once = course(&[Stop { fraction: 1.0, lower: -1.959964, upper: 1.959964 }], 2.8015852);
/// assert!((once.upper - 0.8).abs() < 1e-6 && once.information == 1.0);
/// ```
pub fn course(stops: &[Stop], drift: f64) -> Course {
    Paths::followed(stops, drift).course(drift)
}

/// How far from zero, in standard errors at the end, a difference must be that `looks` equally spaced looks find with chance `power` in its
/// direction, sharing the two-sided level `alpha` as [`super::planned_level`] says. `None` for a level or a power outside 0..1, or a power
/// that the level alone has.
pub fn sequential_drift(looks: u32, alpha: f64, power: f64) -> Option<f64> {
    let inside = |share: f64| share > 0.0 && share < 1.0;
    if !(inside(alpha) && inside(power) && power > alpha) {
        return None;
    }
    let wanted = normal_quantile(power)?;
    let once = wanted - normal_quantile(alpha / 2.0)?;
    if looks < 2 {
        return Some(once);
    }
    let paths = Paths::followed(&two_sided(&equal_looks(looks, alpha)), once);
    // The power's quantile rises about as fast as the drift, so this settles in a few steps.
    let mut drift = once;
    for _ in 0..50 {
        let missing = wanted - normal_quantile(paths.course(drift).upper)?;
        drift += missing;
        if missing.abs() < 1e-12 {
            break;
        }
    }
    drift.is_finite().then_some(drift)
}

/// How many times the rows of a single look `looks` planned ones need, for the same power; 1 for a single look.
///
/// ```
/// use steward::ab::inflation;
/// assert!((inflation(5, 0.05, 0.8).unwrap() - 1.0247).abs() < 1e-4);
/// ```
pub fn inflation(looks: u32, alpha: f64, power: f64) -> Option<f64> {
    let factor = sequential_drift(looks, alpha, power)? / sequential_drift(1, alpha, power)?;
    Some(factor * factor)
}

impl PlannedRows {
    /// So many times the rows, each arm rounded up.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        let up = |rows: u64| (rows as f64 * factor - 1e-9).ceil() as u64;
        Self { n_a: up(self.n_a), n_b: up(self.n_b) }
    }
}

fn equal_looks(looks: u32, alpha: f64) -> Vec<Boundary> {
    let fractions: Vec<f64> = (1..=looks.max(1)).map(|k| f64::from(k) / f64::from(looks.max(1))).collect();
    boundaries(&fractions, alpha, Spending::OBrienFleming)
}

fn two_sided(looks: &[Boundary]) -> Vec<Stop> {
    looks.iter().map(|look| Stop { fraction: look.fraction, lower: -look.z, upper: look.z }).collect()
}

/// What B has to show beside significance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// The relative improvement that is asked for, as a fraction, 0 or more.
    pub threshold: f64,
    /// What has to reach it.
    pub mode: ThresholdMode,
}

/// What becomes of B in a test of planned size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prospect {
    /// The chance that B is shipped when its improvement is the one asked about.
    pub ship_chance: f64,
    /// Rows of both arms until a look decides, on average, as a share of all: when the improvement is there.
    pub share_with_lift: f64,
    /// The same when nothing differs.
    pub share_without: f64,
}

impl Outlook {
    /// What becomes of a B that is better by `lift` (a fraction of `|baseline|`, negative where lower is better), with `rows` rows at the
    /// last of `looks` equally spaced looks, by the decision table: a look ships B when it is significantly better and at the bar, and
    /// one of several keeps A when the whole interval lies below the bar. Guardrails and `min_samples` are not looked at. `None` for a
    /// share that cannot improve so, and where a standard error or a relative improvement is undefined.
    pub fn prospect(&self, rows: PlannedRows, lift: f64, is_share: bool, bar: Bar, looks: u32) -> Option<Prospect> {
        let size = self.baseline.abs();
        if is_share && !(0.0..=1.0).contains(&(self.baseline + lift * size)) {
            return None;
        }
        let plan = equal_looks(looks, self.alpha);
        let of_lift = |lift: f64| {
            let improved = self.baseline + lift * size;
            let of_b = if is_share { improved * (1.0 - improved) } else { self.deviation * self.deviation };
            let of_a = self.deviation * self.deviation;
            // B is held against A at the bar, whose noise is that of A, stretched.
            let stretch = 1.0 + bar.threshold * lift.signum() * self.baseline.signum();
            let error = |of_a: f64| (of_a / rows.n_a as f64 + of_b / rows.n_b as f64).sqrt() / size;
            (error(of_a), error(stretch * stretch * of_a))
        };
        let course = |direction: f64, lift: f64| {
            let (of_difference, of_bar) = of_lift(direction * lift);
            let valid = of_difference.is_finite() && of_bar.is_finite() && of_difference > 0.0 && of_bar > 0.0;
            let stops: Vec<Stop> = plan.iter().map(|look| stop(look, bar, of_difference, of_bar)).collect();
            valid.then(|| course(&stops, (lift - bar.threshold) / of_bar))
        };
        let with = course(lift.signum(), lift.abs())?;
        let without = course(lift.signum(), 0.0)?;
        Some(Prospect {
            ship_chance: with.upper,
            share_with_lift: with.information,
            share_without: without.information,
        })
    }
}

/// Where a look stops, for the improvement less the bar in its own standard errors. `of_difference` and `of_bar` are the standard errors
/// of the improvement and of what exceeds the bar, at the last look.
fn stop(look: &Boundary, bar: Bar, of_difference: f64, of_bar: f64) -> Stop {
    let root = look.fraction.sqrt();
    let significant = (look.z * of_difference - bar.threshold * root) / of_bar;
    let reached = match bar.mode {
        ThresholdMode::Point => 0.0,
        ThresholdMode::Superiority => look.z,
    };
    Stop { fraction: look.fraction, lower: -look.z, upper: significant.max(reached) }
}

/// The paths that have not stopped before each look, under one drift; others follow by the ratio of likelihoods.
struct Paths {
    drift: f64,
    looks: Vec<Look>,
}

/// One look, seen from the look before it.
struct Look {
    /// Information before and at this look.
    before: f64,
    information: f64,
    /// The borders of the sum of a path, whose variance is the information.
    low: f64,
    high: f64,
    /// `(place, weight times density)` before this look, places rising.
    mass: Vec<(f64, f64)>,
}

impl Paths {
    fn followed(stops: &[Stop], drift: f64) -> Self {
        let (mut before, mut mass) = (0.0, vec![(0.0, 1.0)]);
        let mut looks = Vec::with_capacity(stops.len());
        for (index, stop) in stops.iter().enumerate() {
            let information = stop.fraction;
            let root = information.sqrt();
            let (near, far) = (drift * information - FAR * root, drift * information + FAR * root);
            let (low, high) = (stop.lower * root, stop.upper * root);
            let stops_nobody = low < near && high > far && index + 1 < stops.len();
            if information <= before || stops_nobody {
                continue;
            }
            let look = Look { before, information, low, high, mass };
            mass = look.passed(drift, low.max(near), high.min(far));
            before = information;
            looks.push(look);
        }
        Self { drift, looks }
    }

    /// How it goes under `drift`, which should not be far from the drift of the paths.
    fn course(&self, drift: f64) -> Course {
        let (mut upper, mut lower, mut information, mut last) = (0.0, 0.0, 0.0, 0.0);
        for look in &self.looks {
            let (up, down) = look.stopped(self.drift, drift);
            upper += up;
            lower += down;
            information += look.information * (up + down);
            last = look.information;
        }
        information += last * (1.0 - upper - lower).max(0.0);
        Course { upper, lower, information }
    }
}

impl Look {
    /// The chance to stop at the upper and at the lower border here under `drift`, of the paths followed under `followed`.
    fn stopped(&self, followed: f64, drift: f64) -> (f64, f64) {
        let step = self.information - self.before;
        let deviation = step.sqrt();
        let tail = |distance: f64| if distance > 38.0 { 0.0 } else { normal_sf(distance).p() };
        let (mut up, mut down) = (0.0, 0.0);
        for &(place, mass) in &self.mass {
            let ratio = (drift - followed) * (place - (drift + followed) * self.before / 2.0);
            let mass = mass * ratio.exp();
            let mean = place + drift * step;
            up += mass * tail((self.high - mean) / deviation);
            down += mass * tail((mean - self.low) / deviation);
        }
        (up, down)
    }

    /// The paths that go on between `low` and `high`.
    fn passed(&self, drift: f64, low: f64, high: f64) -> Vec<(f64, f64)> {
        let step = self.information - self.before;
        let (deviation, shift) = (step.sqrt(), drift * step);
        let pieces = ((high - low) / (WIDTH * deviation)).ceil().max(1.0) as usize;
        let breaks: Vec<f64> = (0..=pieces).map(|i| low + (high - low) * i as f64 / pieces as f64).collect();
        let density = |place: f64| {
            let centre = place - shift;
            let from = self.mass.partition_point(|&(at, _)| at < centre - FAR * deviation);
            let near = self.mass[from..].iter().take_while(|&&(at, _)| at <= centre + FAR * deviation);
            let bell = |distance: f64| (-0.5 * (distance / deviation) * (distance / deviation)).exp();
            near.map(|&(at, mass)| mass * bell(centre - at)).sum::<f64>() / (BELL * deviation)
        };
        Quadrature::between(&breaks).nodes.into_iter().map(|(at, weight)| (at, weight * density(at))).collect()
    }
}
