//! Association in a table of counts of any size.

use super::tail::{Tail, chi_square_sf};

/// The classical tests of independence of rows and columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Association {
    /// Counts expected under independence, row by row.
    pub expected: Vec<Vec<f64>>,
    /// `(rows - 1)(columns - 1)`.
    pub degrees_of_freedom: u64,
    /// Pearson's chi-square.
    pub pearson: f64,
    /// Pearson's with Yates' correction, which there is with one degree of freedom only; as Pearson's otherwise.
    pub yates: f64,
    /// The likelihood-ratio statistic, `2 sum O ln(O / E)`.
    pub likelihood_ratio: f64,
    /// Cramer's V, 0..=1; `None` for a single row or column.
    pub cramers_v: Option<f64>,
    /// V less its bias under independence (Bergsma 2013, DOI 10.1016/j.jkss.2012.10.002); `None` for a single row or column.
    pub cramers_v_bias_corrected: Option<f64>,
}

impl Association {
    /// The p-value of one of the statistics.
    pub fn p_value(&self, statistic: f64) -> Tail {
        chi_square_sf(statistic, self.degrees_of_freedom as f64)
    }
}

/// The tests for a table given row by row.
///
/// `None` when the rows differ in length, or a row or column has no counts: its cells would be expected to be empty.
pub fn association(table: &[Vec<u64>]) -> Option<Association> {
    let columns = table.first()?.len();
    if columns == 0 || table.iter().any(|row| row.len() != columns) {
        return None;
    }
    let row_totals: Vec<u64> = table.iter().map(|row| row.iter().sum()).collect();
    let column_totals: Vec<u64> = (0..columns).map(|column| table.iter().map(|row| row[column]).sum()).collect();
    if row_totals.iter().chain(&column_totals).any(|&total| total == 0) {
        return None;
    }
    let total: u64 = row_totals.iter().sum();
    let n = total as f64;
    let expected: Vec<Vec<f64>> = row_totals
        .iter()
        .map(|&row| column_totals.iter().map(|&column| row as f64 * column as f64 / n).collect())
        .collect();
    let cells =
        || table.iter().flatten().zip(expected.iter().flatten()).map(|(&count, &expected)| (count as f64, expected));
    let (r, c) = (table.len() as f64, columns as f64);
    let degrees_of_freedom = (table.len() as u64 - 1) * (columns as u64 - 1);
    let pearson = super::sum_of(cells().map(|(count, expected)| (count - expected) * (count - expected) / expected));
    let corrected = |(count, expected): (f64, f64)| {
        let difference = ((count - expected).abs() - 0.5).max(0.0);
        difference * difference / expected
    };
    let yates = if degrees_of_freedom == 1 { super::sum_of(cells().map(corrected)) } else { pearson };
    let likelihood = |(count, expected): (f64, f64)| if count > 0.0 { count * (count / expected).ln() } else { 0.0 };
    let likelihood_ratio = (2.0 * super::sum_of(cells().map(likelihood))).max(0.0);
    let least = r.min(c) - 1.0;
    let squared = pearson / n;
    let cramers_v = (least > 0.0).then(|| (squared / least).sqrt().min(1.0));
    let (r, c) = (r - (r - 1.0) * (r - 1.0) / (n - 1.0), c - (c - 1.0) * (c - 1.0) / (n - 1.0));
    let unbiased = (squared - degrees_of_freedom as f64 / (n - 1.0)).max(0.0);
    let corrected = (unbiased / (r.min(c) - 1.0)).sqrt();
    let cramers_v_bias_corrected = Some(corrected).filter(|v| least > 0.0 && v.is_finite());
    Some(Association {
        expected,
        degrees_of_freedom,
        pearson,
        yates,
        likelihood_ratio,
        cramers_v,
        cramers_v_bias_corrected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_tested_has_no_answer() {
        assert_eq!(association(&[]), None);
        assert_eq!(association(&[vec![1, 2], vec![3]]), None);
        assert_eq!(association(&[vec![1, 0], vec![3, 0]]), None);
        assert_eq!(association(&[vec![0, 0], vec![3, 1]]), None);
        let single = association(&[vec![3, 4, 5]]).unwrap();
        assert_eq!((single.pearson, single.cramers_v, single.p_value(single.pearson)), (0.0, None, Tail::ONE));
    }

    #[test]
    fn small_differences_are_corrected_away_and_not_beyond() {
        let table = association(&[vec![10, 10], vec![10, 11]]).unwrap();
        assert_eq!(table.yates, 0.0);
        assert!(table.pearson > 0.0);
    }
}
