//! Before a test: how many rows it needs, what these rows can find, and how long they take to come.
//!
//! May use: `stats`. Sizes are for two-sided tests unless said; a size is a real number, which the caller rounds up.

use super::improvement::Ratio;
use crate::stats::{noncentral_t_sf, normal_quantile, student_t_upper_quantile};

/// Sides of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// A difference in one direction.
    One,
    /// A difference in either.
    Two,
}

/// The chance that Student's t-test finds a difference of `effect` standard deviations, with `n` rows in A and `n * ratio` in B, by the
/// noncentral t distribution. `None` for sizes below two rows or a level outside 0..1.
///
/// ```
/// use steward::ab::{Sides, t_test_power};
/// let power = t_test_power(1.0, 20.0, 1.0, 0.05, Sides::Two).unwrap();
/// assert!((power - 0.868953).abs() < 1e-6);
/// ```
pub fn t_test_power(effect: f64, n: f64, ratio: f64, alpha: f64, sides: Sides) -> Option<f64> {
    let df = n + n * ratio - 2.0;
    if !(alpha > 0.0 && alpha < 1.0 && n > 1.0 && ratio > 0.0 && df > 0.0 && effect.is_finite()) {
        return None;
    }
    let shift = effect * (n * ratio / (1.0 + ratio)).sqrt();
    match sides {
        Sides::One => noncentral_t_sf(student_t_upper_quantile(alpha, df)?, df, shift),
        Sides::Two => {
            let critical = student_t_upper_quantile(alpha / 2.0, df)?;
            Some(noncentral_t_sf(critical, df, shift)? + noncentral_t_sf(critical, df, -shift)?)
        }
    }
}

/// Rows of A that the t-test needs to find a difference of `effect` standard deviations with chance `power`, with `ratio` rows of B for each
/// of A. A real number; `None` when there is none below 1e12.
pub fn t_test_rows(effect: f64, ratio: f64, alpha: f64, power: f64, sides: Sides) -> Option<f64> {
    if !(power > alpha && power < 1.0 && effect != 0.0) {
        return None;
    }
    let excess = |n: f64| t_test_power(effect.abs(), n, ratio, alpha, sides).map(|reached| reached - power);
    let smallest = 1.0 + 1e-9 + (1.0 / (1.0 + ratio)).max(0.0);
    let (mut low, mut high) = (smallest, 4.0);
    if excess(low).is_some_and(|excess| excess > 0.0) {
        return Some(low);
    }
    while excess(high)? < 0.0 {
        (low, high) = (high, high * 2.0);
        if high > 1e12 {
            return None;
        }
    }
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if excess(middle)? < 0.0 {
            low = middle
        } else {
            high = middle
        }
        if high - low < 1e-12 * high {
            break;
        }
    }
    Some((low + high) / 2.0)
}

/// Rows of A that a test of two shares needs, by three approximations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareRows {
    /// With the pooled variance where nothing differs: for `proportions_z_test`.
    pub pooled: f64,
    /// With the variances as they are: for `t_test`.
    pub unpooled: f64,
    /// By Cohen's h, the difference of arcsines.
    pub arcsine: f64,
}

/// Rows of A to tell share `p` from share `q` with chance `power`, with `ratio` rows of B for each of A. `None` for shares outside 0..=1
/// or equal.
pub fn share_rows(p: f64, q: f64, ratio: f64, alpha: f64, power: f64, sides: Sides) -> Option<ShareRows> {
    let inside = |share: f64| (0.0..=1.0).contains(&share);
    if !(inside(p) && inside(q) && p != q && ratio > 0.0) {
        return None;
    }
    let (of_level, of_power) = quantiles(alpha, power, sides)?;
    let (of_p, of_q) = (p * (1.0 - p), q * (1.0 - q));
    let pooled = (p + ratio * q) / (1.0 + ratio);
    let separate = of_p + of_q / ratio;
    let difference = q - p;
    let null = of_level * (pooled * (1.0 - pooled) * (1.0 + 1.0 / ratio)).sqrt();
    let root = (null + of_power * separate.sqrt()) / difference;
    let sum = of_level + of_power;
    let arc = 2.0 * (q.sqrt().asin() - p.sqrt().asin());
    Some(ShareRows {
        pooled: root * root,
        unpooled: sum * sum * separate / (difference * difference),
        arcsine: sum * sum * (1.0 + 1.0 / ratio) / (arc * arc),
    })
}

fn quantiles(alpha: f64, power: f64, sides: Sides) -> Option<(f64, f64)> {
    let tail = if sides == Sides::Two { alpha / 2.0 } else { alpha };
    let (of_level, of_power) = (-normal_quantile(tail)?, normal_quantile(power)?);
    (alpha > 0.0 && alpha < 1.0 && power > 0.0 && power < 1.0).then_some((of_level, of_power))
}

/// What is known of the metric before a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// Mean of A now; for a share, the share.
    pub baseline: f64,
    /// Standard deviation of a row; `sqrt(p (1 - p))` of a share.
    pub deviation: f64,
    /// Share of the rows that B gets, between 0 and 1.
    pub split: f64,
    /// Two-sided significance level.
    pub alpha: f64,
    /// Chance of finding a difference that is there.
    pub power: f64,
}

/// Rows of both arms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct PlannedRows {
    /// Of A.
    pub n_a: u64,
    /// Of B.
    pub n_b: u64,
}

impl PlannedRows {
    /// Of both arms together.
    pub fn total(self) -> u64 {
        self.n_a + self.n_b
    }

    /// Days until all have come, at `per_day` rows of both arms; `None` unless that is positive.
    pub fn days(self, per_day: f64) -> Option<u64> {
        let days = (self.total() as f64 / per_day).ceil();
        (per_day > 0.0 && days.is_finite()).then_some(days as u64)
    }
}

impl Outlook {
    /// Rows that find an improvement of `lift` (a fraction of `|baseline|`, either direction) with the agreed power; for a share (when
    /// `is_share`), with the variance that B's share would have. `None` when nothing that could be planned does.
    pub fn rows_for(&self, lift: f64, is_share: bool) -> Option<PlannedRows> {
        let ratio = self.split / (1.0 - self.split);
        let difference = lift * self.baseline.abs();
        let n = if is_share {
            share_rows(self.baseline, self.baseline + difference, ratio, self.alpha, self.power, Sides::Two)?.pooled
        } else {
            t_test_rows(difference / self.deviation, ratio, self.alpha, self.power, Sides::Two)?
        };
        // A hair below a whole number is that number.
        let up = |rows: f64| (rows - 1e-9).ceil().max(2.0);
        (ratio > 0.0 && n.is_finite() && n < 1e15).then(|| PlannedRows { n_a: up(n) as u64, n_b: up(n * ratio) as u64 })
    }

    /// The smallest difference in the metric's unit that `total` rows of both arms find with the agreed power; `None` unless positive.
    pub fn detectable(&self, total: f64) -> Option<f64> {
        let (of_level, of_power) = quantiles(self.alpha, self.power, Sides::Two)?;
        let spread = (1.0 / (1.0 - self.split) + 1.0 / self.split).sqrt();
        Some((of_level + of_power) * self.deviation * spread / total.sqrt())
            .filter(|mde| mde.is_finite() && *mde >= 0.0)
    }
}

/// The smallest relative improvement (a fraction) that arms of `n` rows each find, with mean `baseline` and `variance`, where the noise of
/// the baseline counts as it does in Fieller's interval. `None` when A is too noisy for any.
pub fn detectable_improvement(baseline: f64, variance: f64, n: f64, alpha: f64, power: f64) -> Option<f64> {
    let (of_level, of_power) = quantiles(alpha, power, Sides::Two)?;
    Ratio::detectable_improvement(baseline, variance / n, of_level + of_power)
}
