//! The bootstrap distribution of any statistic, with its bias-corrected and accelerated interval.
//!
//! May use: `stats`. Deliberately absent: drawing. Whoever knows the statistic draws; see the test `bootstrap` for means.

use crate::stats::{Interval, Tail, normal_quantile, normal_sf, quantile_sorted};

/// The bootstrap distribution of a statistic.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    estimate: f64,
    pub(super) sorted: Vec<f64>,
    bias: f64,
    acceleration: f64,
}

impl Bootstrap {
    /// From an estimate, its values on resamples, and how far each row pulls it (on any scale; `mean - value without the row` will do).
    /// `None` without finite replicates, or when all lie on one side of the estimate.
    pub fn of(estimate: f64, mut replicates: Vec<f64>, influences: &[f64]) -> Option<Self> {
        replicates.retain(|value| value.is_finite());
        replicates.sort_unstable_by(f64::total_cmp);
        let below = replicates.partition_point(|value| *value < estimate);
        let equal = replicates.partition_point(|value| *value <= estimate) - below;
        let share = (below as f64 + 0.5 * equal as f64) / replicates.len() as f64;
        let bias = normal_quantile(share).filter(|z| z.is_finite())?;
        let (mut squares, mut cubes) = (0.0, 0.0);
        let largest = influences.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        for value in influences {
            let value = if largest > 0.0 { value / largest } else { 0.0 };
            squares += value * value;
            cubes += value * value * value;
        }
        let acceleration = if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 };
        Some(Self { estimate, sorted: replicates, bias, acceleration })
    }

    /// The correction for the share of replicates below the estimate.
    pub fn bias(&self) -> f64 {
        self.bias
    }

    /// The correction for how the spread changes with the value.
    pub fn acceleration(&self) -> f64 {
        self.acceleration
    }

    /// The shares of the replicates between which the corrected interval at `confidence` lies.
    pub fn shares(&self, confidence: f64) -> Option<[f64; 2]> {
        let share = |p: f64| {
            let z = self.bias + normal_quantile(p).filter(|z| z.is_finite())?;
            let corrected = self.bias + z / (1.0 - self.acceleration * z);
            Some(1.0 - normal_sf(corrected).p())
        };
        Some([share(0.5 - 0.5 * confidence)?, share(0.5 + 0.5 * confidence)?])
    }

    /// The bias-corrected and accelerated interval (Efron 1987, DOI 10.1080/01621459.1987.10478410).
    pub fn bca(&self, confidence: f64) -> Option<Interval> {
        let [low, high] = self.shares(confidence)?;
        Some(Interval { low: quantile_sorted(&self.sorted, low)?, high: quantile_sorted(&self.sorted, high)? })
    }

    /// The plain percentile interval.
    pub fn percentile(&self, confidence: f64) -> Option<Interval> {
        let side = 0.5 - 0.5 * confidence;
        Some(Interval { low: quantile_sorted(&self.sorted, side)?, high: quantile_sorted(&self.sorted, 1.0 - side)? })
    }

    /// The percentile interval mirrored at the estimate.
    pub fn basic(&self, confidence: f64) -> Option<Interval> {
        let plain = self.percentile(confidence)?;
        Some(Interval { low: 2.0 * self.estimate - plain.high, high: 2.0 * self.estimate - plain.low })
    }

    /// How far below the interval `value` lies: the one-sided p-value of "larger than `value`" that belongs to [`Bootstrap::bca`].
    pub(super) fn tail_below(&self, value: f64) -> Tail {
        let count = self.sorted.partition_point(|replicate| *replicate <= value);
        self.uncorrected(count, 1.0)
    }

    /// The one-sided p-value of "smaller than `value`", likewise.
    pub(super) fn tail_above(&self, value: f64) -> Tail {
        let count = self.sorted.len() - self.sorted.partition_point(|replicate| *replicate < value);
        self.uncorrected(count, -1.0)
    }

    /// The level whose interval ends at a share of replicates: the correction of [`Bootstrap::shares`] undone.
    fn uncorrected(&self, count: usize, side: f64) -> Tail {
        let draws = self.sorted.len() as f64;
        let share = (count as f64 + 1.0) / (draws + 1.0);
        let Some(z) = normal_quantile(share.min(1.0 - 0.5 / draws)) else {
            return Tail::ONE;
        };
        let distance = side * z - self.bias;
        let undone = side * (distance / (1.0 + self.acceleration * distance) - self.bias);
        // Never more certain than the draws.
        let p = normal_sf(-undone);
        if p.p() < 1.0 / (draws + 1.0) { Tail::from_p(1.0 / (draws + 1.0)) } else { p }
    }
}
