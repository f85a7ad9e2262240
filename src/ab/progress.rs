//! How a running test gets on: at which pace its rows come, and how many days it needs at that pace.
//!
//! May use: `stats`. No clock: days count from the last look. Deliberately absent: weekdays and seasons (the pace is the mean since the
//! start), and whether the difference is there: only what the rows could show is foreseen.

use super::sequential_power::sequential_drift;
use crate::stats::normal_quantile;

/// Days that must have been observed before a pace is one: a day has hours with many rows and hours with few.
const DAYS_OF_A_PACE: f64 = 1.0;
/// The chance with which the improvement at the bar should be found.
const POWER: f64 = 0.8;
/// More looks than this need no more rows to speak of (half a percent for a thousand), but long to compute.
const MANY_LOOKS: u32 = 50;

/// What was agreed of a running test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreed {
    /// Rows that each arm needs.
    pub min_samples: u64,
    /// Relative improvement that is asked for, as a fraction.
    pub success_threshold: f64,
    /// Two-sided level over all looks.
    pub significance_level: f64,
    /// Looks that share the level; fewer than two are a single one.
    pub planned_looks: u32,
}

/// What the last look saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Rows of A and of B.
    pub rows: [u64; 2],
    /// Days from the start to that look.
    pub days: f64,
    /// Mean of A.
    pub baseline: Option<f64>,
    /// The smallest difference that these rows show with a power of 80 % at `level`, in the metric's unit.
    pub detectable: Option<f64>,
    /// The level of that look; the one that was agreed where there is none.
    pub level: Option<f64>,
}

/// What a test waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Rows in both arms.
    MinSamples,
    /// Rows that find an improvement which just reaches the success threshold, with a power of 80 %.
    SuccessThreshold,
    /// No more rows.
    Nothing,
    /// Nobody knows: no improvement is asked for, or the look has no mean or no spread to foresee by.
    Unforeseen,
}

/// The pace of a test, and what it leads to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Rows of both arms in a day.
    pub rows_per_day: f64,
    /// What it waits for.
    pub need: Need,
    /// Days from the last look until that is there; 0 when it is there. `None` when it never comes at this pace, or is not known.
    pub days: Option<f64>,
}

/// The pace of a test. `None` before a day has been observed, and without rows.
///
/// ```
/// use steward::ab::{Agreed, Need, Seen, pace};
/// let agreed = Agreed { min_samples: 1000, success_threshold: 0.02, significance_level: 0.05, planned_looks: 1 };
/// let seen = Seen { rows: [400, 440], days: 2.0, baseline: Some(0.1), detectable: Some(0.06), level: None };
/// let pace = pace(&agreed, &seen).unwrap();
/// assert_eq!((pace.rows_per_day, pace.need, pace.days), (420.0, Need::MinSamples, Some(3.0)));
/// ```
pub fn pace(agreed: &Agreed, seen: &Seen) -> Option<Pace> {
    let total = seen.rows[0] as f64 + seen.rows[1] as f64;
    let rows_per_day = total / seen.days;
    if !(seen.days >= DAYS_OF_A_PACE && total > 0.0 && rows_per_day.is_finite()) {
        return None;
    }
    if seen.rows.iter().any(|rows| *rows < agreed.min_samples) {
        let days = |rows: u64| agreed.min_samples.saturating_sub(rows) as f64 * seen.days / rows as f64;
        let days = Some(days(seen.rows[0]).max(days(seen.rows[1]))).filter(|days| days.is_finite());
        return Some(Pace { rows_per_day, need: Need::MinSamples, days });
    }
    let pace = |need, days| Some(Pace { rows_per_day, need, days });
    match growth(agreed, seen) {
        // Time and rows grow alike.
        Some(growth) if growth > 1.0 => pace(Need::SuccessThreshold, Some((growth - 1.0) * seen.days)),
        Some(_) => pace(Need::Nothing, Some(0.0)),
        None => pace(Need::Unforeseen, None),
    }
}

/// How many times the rows of the look find the improvement at the threshold; `None` where there is no threshold, or nothing to compute by.
fn growth(agreed: &Agreed, seen: &Seen) -> Option<f64> {
    let asked = agreed.success_threshold * seen.baseline?.abs();
    let level = seen.level.filter(|level| *level > 0.0).unwrap_or(agreed.significance_level);
    // The look itself may have been held against a small part of the level; the last one has most of it.
    let of_look = normal_quantile(POWER)? - normal_quantile(level / 2.0)?;
    let error = seen.detectable? / of_look;
    let of_end = sequential_drift(agreed.planned_looks.min(MANY_LOOKS), agreed.significance_level, POWER)?;
    let ratio = of_end * error / asked;
    Some(ratio * ratio).filter(|growth| growth.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGREED: Agreed =
        Agreed { min_samples: 100, success_threshold: 0.02, significance_level: 0.05, planned_looks: 1 };
    const SEEN: Seen =
        Seen { rows: [5000, 5000], days: 5.0, baseline: Some(0.5), detectable: Some(0.028), level: Some(0.05) };

    #[test]
    fn rows_grow_with_the_square_of_what_is_missing() {
        // The rows show 0.028 and 0.01 is asked for: 2.8^2 = 7.84 times the rows.
        let found = pace(&AGREED, &SEEN).unwrap();
        assert_eq!((found.rows_per_day, found.need), (2000.0, Need::SuccessThreshold));
        assert!((found.days.unwrap() - 6.84 * 5.0).abs() < 1e-9, "{found:?}");
        // An early look was held against a small level: its own smallest effect says too much.
        let early = Seen { level: Some(1e-6), detectable: Some(0.028 * (4.891_638 + 0.841_621) / 2.801_585), ..SEEN };
        let days = pace(&AGREED, &early).unwrap().days.unwrap();
        assert!((days - 6.84 * 5.0).abs() < 1e-4, "{days}");
        // Several looks need more rows in the end.
        let several = pace(&Agreed { planned_looks: 5, ..AGREED }, &SEEN).unwrap().days.unwrap();
        assert!((several - (7.84 * 1.024_72 - 1.0) * 5.0).abs() < 1e-3, "{several}");
        let enough = pace(&AGREED, &Seen { detectable: Some(0.01), ..SEEN }).unwrap();
        assert_eq!((enough.need, enough.days), (Need::Nothing, Some(0.0)));
    }

    #[test]
    fn the_slower_arm_is_waited_for() {
        let agreed = Agreed { min_samples: 1000, ..AGREED };
        let found = pace(&agreed, &Seen { rows: [2000, 200], days: 4.0, ..SEEN }).unwrap();
        assert_eq!((found.rows_per_day, found.need, found.days), (550.0, Need::MinSamples, Some(16.0)));
        let never = pace(&agreed, &Seen { rows: [2000, 0], days: 4.0, ..SEEN }).unwrap();
        assert_eq!((never.need, never.days), (Need::MinSamples, None));
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        for seen in [Seen { days: 0.9, ..SEEN }, Seen { days: f64::NAN, ..SEEN }, Seen { rows: [0, 0], ..SEEN }] {
            assert_eq!(pace(&AGREED, &seen), None);
        }
        for (agreed, seen) in [
            (Agreed { success_threshold: 0.0, ..AGREED }, SEEN),
            (AGREED, Seen { baseline: Some(0.0), ..SEEN }),
            (AGREED, Seen { baseline: None, ..SEEN }),
            (AGREED, Seen { detectable: None, ..SEEN }),
        ] {
            assert_eq!(pace(&agreed, &seen).map(|pace| (pace.need, pace.days)), Some((Need::Unforeseen, None)));
        }
    }
}
