//! The Anderson-Darling test of two or more samples.

use super::limit::anderson_darling_limit;
use super::tail::Tail;

/// The k-sample Anderson-Darling statistics, with ranks averaged over ties and not, less their mean and over their deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AndersonDarling {
    /// `(A2akN - (k - 1)) / sigma`: distribution functions taken in the middle of their jumps.
    pub midrank: f64,
    /// `(A2kN - (k - 1)) / sigma`: distribution functions continuous from the right.
    pub right: f64,
    /// Samples less one.
    pub degrees: f64,
}

/// Of two or more ascending samples without NaN (Scholz and Stephens 1987, DOI 10.1080/01621459.1987.10478517).
///
/// `None` with fewer than two samples, an empty one, fewer than four rows together, or a single distinct value. O(k N), nothing is
/// copied.
pub fn anderson_darling(samples: &[&[f64]]) -> Option<AndersonDarling> {
    let rows: usize = samples.iter().map(|sample| sample.len()).sum();
    if samples.len() < 2 || samples.iter().any(|sample| sample.is_empty()) || rows < 4 {
        return None;
    }
    let total = rows as f64;
    let sizes: Vec<f64> = samples.iter().map(|sample| sample.len() as f64).collect();
    let (mut midrank, mut right) = (vec![0.0; samples.len()], vec![0.0; samples.len()]);
    let mut at = vec![0usize; samples.len()];
    let mut before = vec![0usize; samples.len()];
    let (mut below, mut values) = (0usize, 0u64);
    while below < rows {
        let heads = samples.iter().zip(&at).filter_map(|(sample, &index)| sample.get(index).copied());
        let value = heads.reduce(f64::min)?;
        before.copy_from_slice(&at);
        for (sample, index) in samples.iter().zip(&mut at) {
            while sample.get(*index).is_some_and(|&next| next <= value) {
                *index += 1;
            }
        }
        let up_to: usize = at.iter().sum();
        if up_to == below {
            return None;
        }
        values += 1;
        let ties = (up_to - below) as f64;
        let (from, to) = (below as f64, up_to as f64);
        let middle = from + 0.5 * ties;
        let middle_scale = ties / total / (middle * (total - middle) - 0.25 * total * ties);
        let right_scale = ties / total / (to * (total - to));
        for (index, &size) in sizes.iter().enumerate() {
            let half = 0.5 * (before[index] + at[index]) as f64;
            let deviation = total * half - middle * size;
            midrank[index] += middle_scale * deviation * deviation;
            if up_to < rows {
                let deviation = total * at[index] as f64 - to * size;
                right[index] += right_scale * deviation * deviation;
            }
        }
        below = up_to;
    }
    if values < 2 {
        return None;
    }
    let weigh = |sums: &[f64]| sums.iter().zip(&sizes).map(|(sum, size)| sum / size).sum::<f64>();
    let degrees = samples.len() as f64 - 1.0;
    let deviation = variance(&sizes, total)?.sqrt();
    Some(AndersonDarling {
        midrank: (weigh(&midrank) * (total - 1.0) / total - degrees) / deviation,
        right: (weigh(&right) - degrees) / deviation,
        degrees,
    })
}

/// The variance of the statistic when nothing differs, equation (4) of Scholz and Stephens.
fn variance(sizes: &[f64], total: f64) -> Option<f64> {
    let k = sizes.len() as f64;
    let inverse: f64 = sizes.iter().map(|size| 1.0 / size).sum();
    let whole = total as u64;
    // h = sum 1/i for i < N; g = sum over i < j < N of 1 / ((N - i) j).
    let (mut h, mut g, mut tail) = (0.0, 0.0, 0.0);
    for i in 1..whole {
        h += 1.0 / i as f64;
    }
    for j in 2..whole {
        tail += 1.0 / (whole - j + 1) as f64;
        g += tail / j as f64;
    }
    let a = (4.0 * g - 6.0) * (k - 1.0) + (10.0 - 6.0 * g) * inverse;
    let b = (2.0 * g - 4.0) * k * k + 8.0 * h * k + (2.0 * g - 14.0 * h - 4.0) * inverse - 8.0 * h + 4.0 * g - 6.0;
    let c = (6.0 * h + 2.0 * g - 2.0) * k * k + (4.0 * h - 4.0 * g + 6.0) * k + (2.0 * h - 6.0) * inverse + 4.0 * h;
    let d = (2.0 * h + 6.0) * k * k - 4.0 * h * k;
    let numerator = ((a * total + b) * total + c) * total + d;
    let variance = numerator / ((total - 1.0) * (total - 2.0) * (total - 3.0));
    (variance > 0.0).then_some(variance)
}

impl AndersonDarling {
    /// The p-value of two samples by the limit distribution, brought to its mean 1 and variance `2 pi^2/3 - 6`; right far into the tail.
    /// `None` with more samples, where only [`AndersonDarling::tabulated`] is known.
    pub fn limit(&self) -> Option<Tail> {
        let deviation = (2.0 * std::f64::consts::PI * std::f64::consts::PI / 3.0 - 6.0).sqrt();
        (self.degrees == 1.0).then(|| anderson_darling_limit(1.0 + self.midrank * deviation))
    }

    /// The p-value as the table of Scholz and Stephens gives it for the midrank statistic: a parabola through its seven points in the
    /// logarithm, kept between 0.001 and 0.25 because the table ends there.
    pub fn tabulated(&self) -> f64 {
        let points =
            SIGNIFICANCE.map(|(level, b0, b1, b2)| (b0 + b1 / self.degrees.sqrt() + b2 / self.degrees, level.ln()));
        let [(lowest, _), .., (highest, _)] = points;
        match self.midrank {
            statistic if statistic < lowest => 0.25,
            statistic if statistic > highest => 0.001,
            statistic => parabola(&points, statistic).exp(),
        }
    }
}

/// Level and the three coefficients of its critical value, table 2 of Scholz and Stephens.
const SIGNIFICANCE: [(f64, f64, f64, f64); 7] = [
    (0.25, 0.675, -0.245, -0.105),
    (0.1, 1.281, 0.25, -0.305),
    (0.05, 1.645, 0.678, -0.362),
    (0.025, 1.96, 1.149, -0.391),
    (0.01, 2.326, 1.822, -0.396),
    (0.005, 2.573, 2.364, -0.345),
    (0.001, 3.085, 3.615, -0.154),
];

/// The least-squares parabola of the points, at `x`: by polynomials that are orthogonal on the points.
fn parabola(points: &[(f64, f64); 7], x: f64) -> f64 {
    let count = points.len() as f64;
    let centre = points.iter().map(|(at, _)| at).sum::<f64>() / count;
    let squares: f64 = points.iter().map(|(at, _)| (at - centre).powi(2)).sum();
    let cubes: f64 = points.iter().map(|(at, _)| (at - centre).powi(3)).sum();
    let linear = |at: f64| at - centre;
    let quadratic = |at: f64| (at - centre).powi(2) - cubes / squares * (at - centre) - squares / count;
    let fitted = |basis: &dyn Fn(f64) -> f64| {
        let norm: f64 = points.iter().map(|(at, _)| basis(*at).powi(2)).sum();
        points.iter().map(|(at, value)| basis(*at) * value).sum::<f64>() / norm * basis(x)
    };
    fitted(&|_| 1.0) + fitted(&linear) + fitted(&quadratic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_tested_has_no_answer() {
        assert_eq!(anderson_darling(&[&[1.0, 2.0, 3.0, 4.0]]), None);
        assert_eq!(anderson_darling(&[&[1.0, 2.0, 3.0], &[]]), None);
        assert_eq!(anderson_darling(&[&[1.0; 5], &[1.0; 7]]), None);
        assert_eq!(anderson_darling(&[&[1.0, 2.0], &[3.0]]), None);
    }

    #[test]
    fn the_limit_goes_on_where_the_table_ends() {
        let first: Vec<f64> = (0..400).map(f64::from).collect();
        let second: Vec<f64> = first.iter().map(|value| value + 300.5).collect();
        let test = anderson_darling(&[&first, &second]).unwrap();
        assert_eq!(test.tabulated(), 0.001);
        assert!(test.limit().unwrap().log10() < -80.0, "{:?}", test.limit());
        let near: Vec<f64> = first.iter().map(|value| value + 18.5).collect();
        let test = anderson_darling(&[&first, &near]).unwrap();
        let (table, limit) = (test.tabulated(), test.limit().unwrap().p());
        assert!(table > 0.002 && table < 0.2 && (limit / table - 1.0).abs() < 0.15, "{table} {limit}");
        assert_eq!(anderson_darling(&[&first, &near, &second]).unwrap().limit(), None);
    }
}
