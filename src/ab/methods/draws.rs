//! How much is drawn by the tests that resample, and in which order the rows lie before.
//!
//! The same seed gives the same answer. What chance decides is never more certain than its draws: p is `(count + 1) / (draws + 1)`.

/// Draws that resampling makes, fewer only when rows are very many.
const MOST_DRAWS: usize = 9_999;
/// Draws that it makes whatever the size.
const FEWEST_DRAWS: usize = 999;
/// Rows that are drawn altogether, about.
const MOST_ROWS: usize = 100_000_000;
/// Draws for this many rows.
pub(super) fn draws(rows: usize) -> usize {
    (MOST_ROWS / rows.max(1)).clamp(FEWEST_DRAWS, MOST_DRAWS)
}

/// Rows in one order, so that the order they came in does not matter to what is drawn.
pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values
}
