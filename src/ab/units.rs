//! Rows that belong together, and rows that are known beforehand: clusters and CUPED.
//!
//! Rows of one unit (a user, a flight) are not independent: counted one by one they make a difference look certain that is not. Each unit
//! becomes one row here, and every test then works on units. May use: `stats`.

use std::collections::BTreeMap;

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

/// Outcomes less what a covariate from before the test explains.
#[derive(Debug, Clone, PartialEq)]
pub struct Cuped {
    /// Adjusted outcomes of A.
    pub a: Vec<f64>,
    /// Adjusted outcomes of B.
    pub b: Vec<f64>,
    /// The factor of the covariate.
    pub theta: f64,
    /// The share of the variance that is gone, 0..=1.
    pub variance_reduction: f64,
}

/// CUPED (Deng, Xu, Kohavi and Walker 2013, DOI 10.1145/2433396.2433413): `y - theta (x - mean of x)` with one `theta` for both arms, so
/// the difference of means stays unbiased. Rows are `(outcome, covariate)`; the covariate must be from before the assignment.
///
/// `None` with fewer than two rows or a covariate that does not vary: there is nothing to adjust by.
pub fn cuped(a: &[(f64, f64)], b: &[(f64, f64)]) -> Option<Cuped> {
    let covariates: Vec<f64> = a.iter().chain(b).map(|row| row.1).collect();
    let centre = mean_of(covariates.iter().copied())?;
    // Within the arms, so that a difference between them is not taken for what the covariate explains.
    let (mut cross, mut squares) = (DoubleSum::new(), DoubleSum::new());
    let mut outcome_squares = 0.0;
    for arm in [a, b] {
        let y = mean_of(arm.iter().map(|row| row.0))?;
        let x = mean_of(arm.iter().map(|row| row.1))?;
        for row in arm {
            cross.add((row.0 - y) * (row.1 - x));
            squares.add((row.1 - x) * (row.1 - x));
        }
        outcome_squares += Moments::of(&arm.iter().map(|row| row.0).collect::<Vec<_>>()).m2()?;
    }
    let theta = cross.value() / squares.value();
    if a.len() + b.len() < 3 || !theta.is_finite() {
        return None;
    }
    let explained = if outcome_squares > 0.0 { theta * cross.value() / outcome_squares } else { 0.0 };
    let adjusted = |arm: &[(f64, f64)]| arm.iter().map(|(y, x)| y - theta * (x - centre)).collect();
    Some(Cuped { a: adjusted(a), b: adjusted(b), theta, variance_reduction: explained.clamp(0.0, 1.0) })
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
