//! Gradient boosting of small regression trees: how large the error of a row is likely to be, from its columns.
//!
//! Friedman (2001), doi:10.1214/aos/1013203451, with squared loss, and columns cut into quantile bins first. What holds: the same rows in the
//! same order give the same function; nothing is drawn. Deliberately absent: categories, tuning, early stopping.

use super::super::sort_values;
use crate::stats::mean_of;

/// Trees.
const ROUNDS: usize = 100;
/// How much of each tree counts.
const RATE: f64 = 0.1;
/// Splits between root and leaf.
const DEPTH: usize = 4;
/// Rows that a leaf has at least.
const LEAST: u32 = 20;
/// Bins of a column, the one of missing values aside.
const BINS: usize = 64;
/// Rows that are learnt from; of more, as many at equal steps.
const ROWS: usize = 50_000;

/// A fitted function of several columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Boosted {
    start: f64,
    /// Upper edges of the bins of each column.
    edges: Vec<Vec<f64>>,
    trees: Vec<Vec<Node>>,
}

/// A node of a tree; rows whose bin is at most `bin` go to `left`, others to the node after it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    value: f64,
    split: Option<(usize, u8, usize)>,
}

impl Boosted {
    /// Fits `target` to `columns` (each as long, NaN is missing); none without a finite target. Needs about 200 rows to say more than
    /// the mean. `O(rows * columns)`.
    ///
    /// ```
    /// use steward::drift::concept::Boosted;
    /// let x: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
    /// let y: Vec<f64> = x.iter().map(|x| if *x < 0.5 { 1.0 } else { 3.0 }).collect();
    /// let fitted = Boosted::fit(&[x], &y).unwrap();
    /// assert!((fitted.predict(&[vec![0.25, 0.75]])[1] - 3.0).abs() < 0.01);
    /// ```
    pub fn fit(columns: &[Vec<f64>], target: &[f64]) -> Option<Self> {
        let step = target.len().div_ceil(ROWS).max(1);
        let target: Vec<f64> = target.iter().step_by(step).copied().collect();
        let start = mean_of(target.iter().copied()).filter(|mean| mean.is_finite())?;
        let columns: Vec<Vec<f64>> =
            columns.iter().map(|column| column.iter().step_by(step).copied().collect()).collect();
        let edges: Vec<Vec<f64>> = columns.iter().map(|column| edges(column)).collect();
        let bins = binned(&columns, &edges);
        let mut fitted = Self { start, edges, trees: Vec::with_capacity(ROUNDS) };
        let mut rest: Vec<f64> = target.iter().map(|value| value - start).collect();
        for _ in 0..ROUNDS {
            let (tree, leaves) = grow(&bins, &rest);
            for (rest, leaf) in rest.iter_mut().zip(&leaves) {
                *rest -= RATE * tree[*leaf].value;
            }
            fitted.trees.push(tree);
        }
        Some(fitted)
    }

    /// The value of each row.
    pub fn predict(&self, columns: &[Vec<f64>]) -> Vec<f64> {
        let bins = binned(columns, &self.edges);
        let rows = bins.first().map_or(0, Vec::len);
        (0..rows)
            .map(|row| self.start + RATE * self.trees.iter().map(|tree| value(tree, &bins, row)).sum::<f64>())
            .collect()
    }
}

fn value(tree: &[Node], bins: &[Vec<u8>], row: usize) -> f64 {
    let mut node = &tree[0];
    while let Some((column, bin, left)) = node.split {
        node = &tree[left + usize::from(bins[column][row] > bin)];
    }
    node.value
}

/// Distinct quantiles of the present values.
fn edges(column: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = column.iter().copied().filter(|value| !value.is_nan()).collect();
    sort_values(&mut sorted);
    let mut edges: Vec<f64> = (1..BINS).filter_map(|i| sorted.get(i * sorted.len() / BINS).copied()).collect();
    edges.dedup();
    edges
}

/// Bin 0 is for missing values.
fn binned(columns: &[Vec<f64>], edges: &[Vec<f64>]) -> Vec<Vec<u8>> {
    let bin = |edges: &[f64], value: f64| {
        if value.is_nan() { 0 } else { 1 + edges.partition_point(|edge| *edge < value) as u8 }
    };
    columns.iter().zip(edges).map(|(column, edges)| column.iter().map(|&value| bin(edges, value)).collect()).collect()
}

/// One tree of the residuals, level by level, and the leaf of each row.
fn grow(bins: &[Vec<u8>], rest: &[f64]) -> (Vec<Node>, Vec<usize>) {
    let mut tree = vec![Node { value: mean_of(rest.iter().copied()).unwrap_or(0.0), split: None }];
    let mut leaves = vec![0usize; rest.len()];
    let mut level = 0..1;
    for _ in 0..DEPTH {
        let nodes = level.len();
        let mut best: Vec<Option<Split>> = vec![None; nodes];
        for (column, bins) in bins.iter().enumerate() {
            let mut sums = vec![[(0.0f64, 0u32); BINS + 1]; nodes];
            for ((leaf, bin), rest) in leaves.iter().zip(bins).zip(rest) {
                if let Some(sums) = leaf.checked_sub(level.start).and_then(|node| sums.get_mut(node)) {
                    let (sum, count) = &mut sums[usize::from(*bin)];
                    *sum += rest;
                    *count += 1;
                }
            }
            for (best, sums) in best.iter_mut().zip(&sums) {
                if let Some(split) = Split::best(column, sums)
                    && best.is_none_or(|best| split.gain > best.gain)
                {
                    *best = Some(split);
                }
            }
        }
        let next = tree.len();
        for (node, split) in level.clone().zip(&best) {
            let Some(split) = split else { continue };
            tree[node].split = Some((split.column, split.bin, tree.len()));
            tree.extend(split.means.map(|value| Node { value, split: None }));
        }
        if tree.len() == next {
            break;
        }
        for (row, leaf) in leaves.iter_mut().enumerate() {
            if let Some((column, bin, left)) = tree[*leaf].split {
                *leaf = left + usize::from(bins[column][row] > bin);
            }
        }
        level = next..tree.len();
    }
    (tree, leaves)
}

/// Where a node is split best.
#[derive(Debug, Clone, Copy)]
struct Split {
    column: usize,
    bin: u8,
    gain: f64,
    means: [f64; 2],
}

impl Split {
    fn best(column: usize, sums: &[(f64, u32)]) -> Option<Self> {
        let (total, count) = sums.iter().fold((0.0, 0), |(sum, n), (s, c)| (sum + s, n + c));
        let mut best: Option<Self> = None;
        let (mut left, mut here) = (0.0, 0);
        for (bin, (sum, rows)) in sums.iter().enumerate() {
            left += sum;
            here += rows;
            let there = count - here;
            if *rows == 0 || here < LEAST || there < LEAST {
                continue;
            }
            let (n, m) = (f64::from(here), f64::from(there));
            let right = total - left;
            let gain = left * left / n + right * right / m - total * total / f64::from(count);
            if gain > 1e-12 * total.abs().max(f64::MIN_POSITIVE) && best.is_none_or(|best| gain > best.gain) {
                best = Some(Self { column, bin: bin as u8, gain, means: [left / n, right / m] });
            }
        }
        best
    }
}
