//! Rows that belong together, and rows that are known beforehand: clusters and CUPED.
//!
//! Rows of one unit (a user, a flight) are not independent: counted one by one they make a difference look certain that is not. Each unit
//! becomes one row here, and every test then works on units. May use: `stats`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::judgement::missing_differ;
use super::{Arms, MISMATCH_BELOW, welch};
use crate::stats::{DoubleSum, Moments, mean_of};

/// One value per unit: the mean of its values. Units in the order of their names; missing values are left out, and a unit without any has `None`.
///
/// Every unit counts the same, however many rows it has. For a metric per row, see [`linearised`].
pub fn unit_means<U: Ord>(rows: impl IntoIterator<Item = (U, Option<f64>)>) -> Vec<Option<f64>> {
    unit_sums(rows).into_iter().map(|(sum, count)| (count > 0).then(|| sum / count as f64)).collect()
}

/// The sum of the values and how many there are, for each unit, in the order of their names.
pub fn unit_sums<U: Ord>(rows: impl IntoIterator<Item = (U, Option<f64>)>) -> Vec<(f64, u64)> {
    let mut units: BTreeMap<U, (DoubleSum, u64)> = BTreeMap::new();
    for (unit, value) in rows {
        let (sum, count) = units.entry(unit).or_default();
        if let Some(value) = value.filter(|value| value.is_finite()) {
            sum.add(value);
            *count += 1;
        }
    }
    units.into_values().map(|(sum, count)| (sum.value(), count)).collect()
}

/// Units as rows whose mean is the mean over all rows and whose variance is the one that clusters have: the delta method, by
/// linearising (Deng, Knoblich and Lu 2018, DOI 10.1145/3219819.3219919). `(sum, rows)` per unit; units without rows are left out.
///
/// ```
/// use steward::ab::linearised;
/// use steward::stats::Moments;
/// // Seven of ten rows are ones, on two units.
/// let units = linearised(&[(6.0, 8), (1.0, 2)]);
/// assert!((Moments::of(&units).mean().unwrap() - 0.7).abs() < 1e-15);
/// ```
pub fn linearised(units: &[(f64, u64)]) -> Vec<f64> {
    let kept: Vec<(f64, f64)> =
        units.iter().filter(|(_, rows)| *rows > 0).map(|&(sum, rows)| (sum, rows as f64)).collect();
    let mut sum = DoubleSum::new();
    kept.iter().for_each(|(value, _)| sum.add(*value));
    let rows: f64 = kept.iter().map(|(_, rows)| rows).sum();
    let ratio = sum.value() / rows;
    let rows_per_unit = rows / kept.len() as f64;
    kept.iter().map(|(value, rows)| ratio + (value - ratio * rows) / rows_per_unit).collect()
}

/// What a covariate from before the test explained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Adjustment {
    /// The factor of the covariate: outcome per unit of covariate.
    pub theta: f64,
    /// The share of the variance within the arms that is gone, 0..=1.
    pub variance_reduction: f64,
    /// Rows of A and of B that have an outcome and no covariate, and were left as they are.
    pub without_covariate: [u64; 2],
}

/// Why outcomes are not adjusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotAdjusted {
    /// Fewer than three rows have a covariate, it does not vary, or adjusting by it would add noise.
    ExplainsNothing,
    /// It is missing in one arm more than in the other, so one mean would be adjusted and the other not.
    MissingDiffers,
    /// It differs between the arms beyond chance, so it is not from before the assignment, or the assignment is broken.
    ArmsDiffer,
}

/// What is left of the variance by rounding alone, as a share.
const ROUNDING: f64 = 1e-20;

/// An outcome and a covariate, where they are known.
type Known = (Option<f64>, Option<f64>);

/// Arms by CUPED (Deng, Xu, Kohavi and Walker 2013, DOI 10.1145/2433396.2433413): `y - theta (x - mean of x)` with one `theta` for both
/// arms, so the difference of means stays unbiased. The covariate must be from before the assignment.
///
/// Rows are `(outcome, covariate)`. Rows without an outcome are dropped and counted; a row without a covariate is left as it is, as if its
/// covariate were the mean, and counted. `theta` and the mean are those of the rows of both arms that have both. The adjustment is
/// refused, and the arms are plain, where the adjustment would do no good: see [`NotAdjusted`]. Both means keep the noise of the
/// covariate's mean; it cancels in their difference, and an interval of the relative improvement has to know of it.
///
/// ```
/// use steward::ab::adjusted_arms;
/// let rows = |shift: f64| (0..40).map(|i| (Some(f64::from(i) + shift + f64::from(i % 3)), Some(f64::from(i)))).collect::<Vec<_>>();
/// let (arms, adjustment) = adjusted_arms(&rows(0.0), &rows(1.0));
/// assert!(adjustment.unwrap().variance_reduction > 0.99);
/// assert!((arms.b().mean().unwrap() - arms.a().mean().unwrap() - 1.0).abs() < 1e-12);
/// ```
pub fn adjusted_arms(a: &[Known], b: &[Known]) -> (Arms, Result<Adjustment, NotAdjusted>) {
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    let arms = [a, b].map(|arm| arm.iter().map(|&(y, x)| (finite(y), finite(x))).collect::<Vec<Known>>());
    let of = |pick: &dyn Fn(&Known) -> Option<f64>| {
        let [a, b] = [&arms[0], &arms[1]].map(|arm| arm.iter().map(pick).collect::<Vec<_>>());
        Arms::of_rows(&a, &b)
    };
    let plain = of(&|row| row.0);
    let Some((theta, centre)) = explained(&arms) else {
        return (plain, Err(NotAdjusted::ExplainsNothing));
    };
    let count = |has: bool| {
        [&arms[0], &arms[1]]
            .map(|arm| arm.iter().filter(|row| row.0.is_some() && row.1.is_some() == has).count() as u64)
    };
    let (there, without_covariate) = (count(true), count(false));
    if missing_differ(there, without_covariate) {
        return (plain, Err(NotAdjusted::MissingDiffers));
    }
    let covariates = of(&|row| row.0.and(row.1));
    if welch(covariates.a(), covariates.b(), MISMATCH_BELOW).is_ok_and(|found| found.p_value.p() < MISMATCH_BELOW) {
        return (plain, Err(NotAdjusted::ArmsDiffer));
    }
    let adjusted = of(&|row| row.0.map(|y| row.1.map_or(y, |x| y - theta * (x - centre))));
    let within = |arms: &Arms| Some(arms.a().m2()? + arms.b().m2()?);
    let (before, after) = (within(&plain), within(&adjusted));
    let left = before.zip(after).map(|(before, after)| after / before).filter(|left| *left <= 1.0);
    let lost = [(adjusted.a(), plain.a()), (adjusted.b(), plain.b())].iter().any(|(x, y)| x.dropped() != y.dropped());
    let Some(left) = left.filter(|_| !lost) else {
        return (plain, Err(NotAdjusted::ExplainsNothing));
    };
    let adjusted = match left < ROUNDING {
        // The covariate explains everything: what varies still is rounding.
        true => {
            let mean = |arm: &Moments| arm.mean().unwrap_or(0.0);
            let means = [mean(adjusted.a()), mean(adjusted.b())];
            let flat = |at: usize| arms[at].iter().map(|row| row.0.map(|_| means[at])).collect::<Vec<_>>();
            Arms::of_rows(&flat(0), &flat(1))
        }
        false => adjusted,
    };
    let noise = Moments::of(&arms.iter().flatten().filter_map(|row| row.0.and(row.1)).collect::<Vec<_>>());
    let noise = theta * theta * noise.variance().unwrap_or(0.0) / noise.n() as f64;
    let adjustment = Adjustment { theta, variance_reduction: (1.0 - left).clamp(0.0, 1.0), without_covariate };
    (adjusted.with_common_noise(if noise.is_finite() { noise } else { 0.0 }), Ok(adjustment))
}

/// The factor of the covariate and its mean, of the rows that have both.
fn explained(arms: &[Vec<Known>; 2]) -> Option<(f64, f64)> {
    let both = |arm: &Vec<Known>| arm.iter().filter_map(|row| row.0.zip(row.1)).collect::<Vec<_>>();
    let arms = [both(&arms[0]), both(&arms[1])];
    let centre = mean_of(arms.iter().flatten().map(|row| row.1))?;
    // Within the arms, so that a difference between them is not taken for what the covariate explains.
    let (mut cross, mut squares) = (DoubleSum::new(), DoubleSum::new());
    for arm in arms.iter().filter(|arm| !arm.is_empty()) {
        let y = mean_of(arm.iter().map(|row| row.0))?;
        let x = mean_of(arm.iter().map(|row| row.1))?;
        for row in arm {
            cross.add((row.0 - y) * (row.1 - x));
            squares.add((row.1 - x) * (row.1 - x));
        }
    }
    let theta = cross.value() / squares.value();
    (arms[0].len() + arms[1].len() >= 3 && theta.is_finite()).then_some((theta, centre))
}

/// Units that appear in both arms, which say nothing about either, and their share of all units.
pub fn in_both_arms<U: Ord + Clone>(a: &[U], b: &[U]) -> (Vec<U>, f64) {
    let (a, b): (std::collections::BTreeSet<&U>, std::collections::BTreeSet<&U>) =
        (a.iter().collect(), b.iter().collect());
    let both: Vec<U> = a.intersection(&b).map(|unit| (*unit).clone()).collect();
    let all = a.union(&b).count();
    let share = if all == 0 { 0.0 } else { both.len() as f64 / all as f64 };
    (both, share)
}
