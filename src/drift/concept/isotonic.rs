//! Isotonic regression: the non-decreasing function of a score that is closest to the labels.
//!
//! Pool-adjacent-violators (Barlow et al. 1972); between its steps values are interpolated, outside they stay as at the ends. The same
//! function as scikit-learn's `IsotonicRegression(out_of_bounds="clip")`.

/// A fitted function.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    /// Ascending scores and the value at each.
    knots: Vec<(f64, f64)>,
}

impl Isotonic {
    /// Fits labels (0 or 1, or any number) to scores; none without rows.
    ///
    /// Ties of the score are one point with their mean. Rows with a score that is NaN must not be there. `O(n log n)`.
    ///
    /// ```
    /// use steward::drift::concept::Isotonic;
    /// let fitted = Isotonic::fit(&[(0.1, 0.0), (0.2, 1.0), (0.3, 0.0), (0.4, 1.0)]).unwrap();
    /// assert_eq!([0.0, 0.25, 0.3, 9.0].map(|score| fitted.at(score)), [0.0, 0.5, 0.5, 1.0]);
    /// ```
    pub fn fit(rows: &[(f64, f64)]) -> Option<Self> {
        let mut rows = rows.to_vec();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Blocks of neighbours with one value: first and last score, sum and number of labels.
        let mut blocks: Vec<(f64, f64, f64, f64)> = Vec::new();
        for ties in rows.chunk_by(|a, b| a.0 == b.0) {
            let score = ties[0].0;
            let mut block = (score, score, ties.iter().map(|row| row.1).sum::<f64>(), ties.len() as f64);
            while let Some(&(first, _, sum, count)) = blocks.last()
                && sum * block.3 >= block.2 * count
            {
                blocks.pop();
                block = (first, block.1, sum + block.2, count + block.3);
            }
            blocks.push(block);
        }
        let mut knots = Vec::with_capacity(2 * blocks.len());
        for (first, last, sum, count) in blocks {
            knots.push((first, sum / count));
            if last > first {
                knots.push((last, sum / count));
            }
        }
        (!knots.is_empty()).then_some(Self { knots })
    }

    /// The value at a score.
    pub fn at(&self, score: f64) -> f64 {
        let above = self.knots.partition_point(|knot| knot.0 < score);
        match (above.checked_sub(1).and_then(|below| self.knots.get(below)), self.knots.get(above)) {
            (Some(&(x, y)), Some(&(to_x, to_y))) => y + (to_y - y) * ((score - x) / (to_x - x)),
            (Some(&(_, y)), None) | (None, Some(&(_, y))) => y,
            (None, None) => 0.0,
        }
    }
}
