//! The distribution of a numeric column in bounded space: exact while it has few distinct values, a grid of them beyond.
//!
//! The grid cuts the sorted rows into [`GRID`] blocks of whole runs of equal values and puts the rows of each block on its middle
//! value. A share of rows is then off by at most the larger part of a block beside its middle, and that is stated, not assumed:
//! each cut adds what it costs to `error_rows`. Values that fill a block of their own stay exact, the smallest and the largest too.

use serde::{Deserialize, Serialize};

use crate::stats::Moments;

/// Distinct values that are kept one by one.
pub const EXACT_UP_TO: usize = 2_048;
/// Points of the grid of a column with more.
pub const GRID: usize = 1_024;

/// A value and the rows that stand there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(String, u64)", into = "(String, u64)")]
pub struct Point {
    /// The value; may be infinite, never NaN.
    pub value: f64,
    /// Rows.
    pub rows: u64,
}

/// Written as text: a JSON number may come back as its neighbour, and then no value would equal the one it came from.
impl From<Point> for (String, u64) {
    fn from(point: Point) -> Self {
        (point.value.to_string(), point.rows)
    }
}

impl From<(String, u64)> for Point {
    fn from((text, rows): (String, u64)) -> Self {
        let value = text.parse().unwrap_or(f64::NAN);
        // What is no number stands for no row.
        if value.is_nan() { Self { value: 0.0, rows: 0 } } else { Self { value, rows } }
    }
}

/// The numbers of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// Count, mean, spread and range of the finite ones.
    pub moments: Moments,
    /// Ascending, each value once.
    pub points: Vec<Point>,
    /// Most rows by which the number of rows at or below any value may be off; 0 while every value is kept.
    pub error_rows: u64,
}

impl Numbers {
    /// Of present values, ascending ([`crate::drift::sort_values`]).
    #[must_use]
    pub fn of_sorted(sorted: &[f64]) -> Self {
        let mut points: Vec<Point> = Vec::new();
        for &value in sorted {
            match points.last_mut() {
                Some(last) if last.value == value => last.rows += 1,
                _ => points.push(Point { value, rows: 1 }),
            }
        }
        Self { moments: Moments::of(sorted), points, error_rows: 0 }.bounded()
    }

    /// Rows with a value.
    #[must_use]
    pub fn present(&self) -> u64 {
        self.points.iter().map(|point| point.rows).sum()
    }

    /// How far the share of rows at or below any value may be off, 0..=1.
    #[must_use]
    pub fn rank_error(&self) -> f64 {
        let present = self.present();
        if present == 0 { 0.0 } else { self.error_rows as f64 / present as f64 }
    }

    /// Share of the rows at or below `value`, within [`Numbers::rank_error`]; 0 without rows.
    #[must_use]
    pub fn share_at_most(&self, value: f64) -> f64 {
        let present = self.present();
        let below = self.points.iter().take_while(|point| point.value <= value).map(|point| point.rows).sum::<u64>();
        if present == 0 { 0.0 } else { below as f64 / present as f64 }
    }

    /// Smallest and largest value, exact also on a grid; `None` without rows.
    #[must_use]
    pub fn range(&self) -> Option<(f64, f64)> {
        Some((self.points.first()?.value, self.points.last()?.value))
    }

    /// The rows again, ascending: all of them, or `most` in proportion when there are more.
    #[must_use]
    pub fn expanded(&self, most: u64) -> Vec<f64> {
        let present = self.present();
        let rows = present.min(most);
        let mut values = Vec::with_capacity(usize::try_from(rows).unwrap_or_default());
        let mut below = 0u64;
        for point in &self.points {
            below += point.rows;
            // Cutting where the running total falls keeps every share within half a row of `most`.
            let up_to = u128::from(below) * u128::from(rows) / u128::from(present.max(1));
            values.resize(usize::try_from(up_to).unwrap_or(values.len()), point.value);
        }
        values
    }

    /// Adds the rows of another column.
    pub(super) fn merge(&mut self, other: &Self) {
        self.moments.merge(&other.moments);
        let mut all = Vec::with_capacity(self.points.len() + other.points.len());
        let (mut mine, mut theirs) = (self.points.iter().copied().peekable(), other.points.iter().copied().peekable());
        while let Some(next) = match (mine.peek(), theirs.peek()) {
            (Some(a), Some(b)) if b.value < a.value => theirs.next(),
            (None, _) => theirs.next(),
            _ => mine.next(),
        } {
            match all.last_mut() {
                Some(last @ Point { .. }) if last.value == next.value => last.rows += next.rows,
                _ => all.push(next),
            }
        }
        self.points = all;
        self.error_rows += other.error_rows;
        *self = std::mem::replace(self, Self { moments: Moments::new(), points: Vec::new(), error_rows: 0 }).bounded();
    }

    fn bounded(self) -> Self {
        let beyond = self.points.len() > EXACT_UP_TO;
        if beyond { self.on_grid() } else { self }
    }

    fn on_grid(mut self) -> Self {
        let points = std::mem::take(&mut self.points);
        let last = points.len().saturating_sub(1);
        let target = self.moments_rows(&points).div_ceil(GRID as u64 - 2).max(1);
        let mut cost = 0;
        let mut block: Vec<Point> = Vec::new();
        let mut rows = 0;
        for (index, point) in points.into_iter().enumerate() {
            let alone = index == 0 || index == last || point.rows >= target;
            if !block.is_empty() && (alone || rows + point.rows > target) {
                cost = cost.max(close(&mut self.points, &mut block));
                rows = 0;
            }
            rows += point.rows;
            block.push(point);
            if alone {
                cost = cost.max(close(&mut self.points, &mut block));
                rows = 0;
            }
        }
        if !block.is_empty() {
            cost = cost.max(close(&mut self.points, &mut block));
        }
        self.error_rows += cost;
        self
    }

    fn moments_rows(&self, points: &[Point]) -> u64 {
        points.iter().map(|point| point.rows).sum()
    }
}

/// Puts the rows of a block on its middle value; answers by how many rows a share may be off for it.
fn close(points: &mut Vec<Point>, block: &mut Vec<Point>) -> u64 {
    let rows: u64 = block.iter().map(|point| point.rows).sum();
    let mut before = 0;
    let mut cost = 0;
    for point in block.iter() {
        let after = rows - before - point.rows;
        if after <= before + point.rows {
            points.push(Point { value: point.value, rows });
            cost = before.max(after);
            break;
        }
        before += point.rows;
    }
    block.clear();
    cost
}
