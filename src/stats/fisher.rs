//! Fisher's exact test of a table of two by two counts, and the odds ratio that goes with it.

use super::interval::Interval;
use super::solve::decreasing_root;
use super::tail::Tail;

/// Tables whose chance is within this of the observed one's count as equally likely: they are, but for rounding.
const SAME: f64 = 1e-7;

/// Fisher's exact test (1935, DOI 10.2307/2342435) of `[[a, b], [c, d]]`, conditional on all margins.
#[derive(Debug, Clone, PartialEq)]
pub struct Fisher {
    /// Chance of a table no likelier than this one.
    pub two_sided: Tail,
    /// Chance of a first cell at most as large.
    pub less: Tail,
    /// Chance of a first cell at least as large.
    pub greater: Tail,
    /// `a d / (b c)`; infinite when only the divisor is 0, `None` when both are.
    pub odds_ratio: Option<f64>,
    low: u64,
    observed: u64,
    /// Logarithms of the chances of the first cell being `low`, `low + 1` and so on, when the odds ratio is 1.
    ln_chances: Vec<f64>,
}

/// The test; `None` for a table without counts. The work grows with the smallest margin.
///
/// ```
/// use steward::stats::fisher_exact;
/// let tea = fisher_exact([[3, 1], [1, 3]]).unwrap();
/// assert!((tea.two_sided.p() - 34.0 / 70.0).abs() < 1e-12);
/// ```
pub fn fisher_exact(table: [[u64; 2]; 2]) -> Option<Fisher> {
    let [[a, b], [c, d]] = table;
    let (row, column, total) = (a + b, a + c, a + b + c + d);
    if total == 0 {
        return None;
    }
    let (low, high) = (column.saturating_sub(c + d), row.min(column));
    let other_row = c + d;
    // From the mode outwards by ratios, which are exact; then scaled to sum 1, so no large logarithm is formed twice.
    let mode = (((row + 1) as f64 * (column + 1) as f64 / (total + 2) as f64) as u64).clamp(low, high);
    let step = |k: u64| {
        // Chance of k + 1 over chance of k.
        ((row - k) as f64 / (k + 1) as f64 * ((column - k) as f64 / (other_row + k + 1 - column) as f64)).ln()
    };
    let size = (high - low + 1) as usize;
    let mut ln_chances = vec![0.0; size];
    let at = (mode - low) as usize;
    for index in at + 1..size {
        ln_chances[index] = ln_chances[index - 1] + step(low + index as u64 - 1);
    }
    for index in (0..at).rev() {
        ln_chances[index] = ln_chances[index + 1] - step(low + index as u64);
    }
    let all = ln_sum(&ln_chances);
    ln_chances.iter_mut().for_each(|chance| *chance -= all);
    let index = (a - low) as usize;
    let no_likelier: Vec<f64> =
        ln_chances.iter().copied().filter(|chance| *chance <= ln_chances[index] + SAME).collect();
    let (cross, back) = (a as f64 * d as f64, b as f64 * c as f64);
    Some(Fisher {
        two_sided: Tail::from_ln(ln_sum(&no_likelier)),
        less: Tail::from_ln(ln_sum(&ln_chances[..=index])),
        greater: Tail::from_ln(ln_sum(&ln_chances[index..])),
        odds_ratio: (cross > 0.0 || back > 0.0).then(|| cross / back),
        low,
        observed: a,
        ln_chances,
    })
}

impl Fisher {
    /// The likeliest odds ratio given the margins; infinite or 0 at the edges, `None` when the margins leave one table only.
    pub fn conditional_odds_ratio(&self) -> Option<f64> {
        let (low, high) = (self.low, self.low + self.ln_chances.len() as u64 - 1);
        if low == high {
            return None;
        }
        if self.observed == low {
            return Some(0.0);
        }
        if self.observed == high {
            return Some(f64::INFINITY);
        }
        let mean = |ln_odds: f64| {
            let tilted = self.tilted(ln_odds);
            let all = ln_sum(&tilted);
            tilted.iter().enumerate().map(|(i, t)| (low + i as u64) as f64 * (t - all).exp()).sum::<f64>()
        };
        Some(decreasing_root(-700.0, 700.0, |ln_odds| self.observed as f64 - mean(ln_odds)).exp())
    }

    /// The exact interval of the conditional odds ratio at `confidence`; its upper end may be infinite.
    pub fn conditional_interval(&self, confidence: f64) -> Option<Interval> {
        let (low, high) = (self.low, self.low + self.ln_chances.len() as u64 - 1);
        let side = (0.5 - 0.5 * confidence).ln();
        if low == high || !side.is_finite() {
            return None;
        }
        let index = (self.observed - low) as usize;
        let tail = |ln_odds: f64, upper: bool| {
            let tilted = self.tilted(ln_odds);
            ln_sum(if upper { &tilted[index..] } else { &tilted[..=index] }) - ln_sum(&tilted)
        };
        let lower = match self.observed == low {
            true => 0.0,
            false => decreasing_root(-700.0, 700.0, |ln_odds| side - tail(ln_odds, true)).exp(),
        };
        let upper = match self.observed == high {
            true => f64::INFINITY,
            false => decreasing_root(-700.0, 700.0, |ln_odds| tail(ln_odds, false) - side).exp(),
        };
        Some(Interval { low: lower, high: upper })
    }

    fn tilted(&self, ln_odds: f64) -> Vec<f64> {
        self.ln_chances.iter().enumerate().map(|(i, chance)| chance + i as f64 * ln_odds).collect()
    }
}

/// The logarithm of the sum of exponentials.
fn ln_sum(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY { most } else { most + values.iter().map(|v| (v - most).exp()).sum::<f64>().ln() }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn degenerate_tables_say_nothing() {
        assert!(fisher_exact([[0, 0], [0, 0]]).is_none());
        let one_table = fisher_exact([[5, 0], [7, 0]]).unwrap();
        assert_eq!((one_table.two_sided.p(), one_table.conditional_odds_ratio()), (1.0, None));
        assert_eq!((one_table.odds_ratio, one_table.conditional_interval(0.95)), (None, None));
    }

    #[test]
    fn half_of_the_chance_is_on_either_side_of_a_symmetric_table() {
        let table = fisher_exact([[4, 4], [4, 4]]).unwrap();
        assert!((table.two_sided.p() - 1.0).abs() < 1e-12);
        assert!((table.less.ln() - table.greater.ln()).abs() < 1e-12 && table.less.ln() > -LN_2);
        assert!((table.conditional_odds_ratio().unwrap() - 1.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn swapping_the_rows_swaps_the_tails(a in 0u64..60, b in 0u64..60, c in 0u64..60, d in 0u64..60) {
            prop_assume!(a + b + c + d > 0);
            let (x, y) = (fisher_exact([[a, b], [c, d]]).unwrap(), fisher_exact([[c, d], [a, b]]).unwrap());
            prop_assert!((x.less.p() - y.greater.p()).abs() < 1e-11);
            prop_assert!((x.two_sided.p() - y.two_sided.p()).abs() < 1e-11);
            prop_assert!(x.two_sided.ln() >= x.less.ln().min(x.greater.ln()) - 1e-9);
        }
    }
}
