//! `delong`: the areas under the ROC curve of two models on the same rows.

use crate::ab::{Arms, Comparison, Needs, Question, Ratio, Test, Undefined};
use crate::stats::{Interval, Tail, normal_quantile, normal_two_sided, student_t_two_sided};

/// DeLong's test.
#[derive(Debug, Clone, Copy)]
pub struct DeLongTest;

impl Test for DeLongTest {
    fn name(&self) -> &'static str {
        "delong"
    }
    fn title(&self) -> &'static str {
        "DeLong's test"
    }
    fn summary(&self) -> &'static str {
        "compares two areas under the ROC curve on the same labelled rows, two-sided, with the covariance that sharing the rows brings; at \
         least two rows of either class"
    }
    fn reference(&self) -> &'static str {
        "DeLong, DeLong and Clarke-Pearson (1988), Comparing the areas under two or more correlated receiver operating characteristic \
         curves, doi:10.2307/2531595"
    }
    fn needs(&self) -> Needs {
        Needs::Scores
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        let (labels, a, b) = arms.scores()?;
        let found = DeLong::of(labels, a, b)?;
        let z = found.z().ok_or(Undefined::ZeroVariance)?;
        let critical = normal_quantile(1.0 - question.alpha / 2.0).filter(|z| z.is_finite());
        let error = found.standard_error();
        let half = critical.map(|critical| critical * error);
        Ok(Comparison {
            standard_error: Some(error).filter(|error| *error > 0.0),
            low: half.map(|half| found.difference() - half),
            high: half.map(|half| found.difference() + half),
            critical,
            ratio: Some(Ratio {
                difference: found.difference(),
                baseline: found.areas[0],
                difference_variance: error * error,
                baseline_variance: found.variances[0],
                covariance: found.covariance - found.variances[0],
            }),
            ..Comparison::normal(found.areas, found.difference(), z)
        })
    }
}

/// Two areas under the curve with their variances and their covariance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeLong {
    /// Of A and of B, 0..=1; ties count half.
    pub areas: [f64; 2],
    /// Their variances.
    pub variances: [f64; 2],
    /// Their covariance.
    pub covariance: f64,
    classes: [usize; 2],
    rows: usize,
}

impl DeLong {
    /// By midranks in O(n log n) (Sun and Xu 2014, DOI 10.1109/LSP.2014.2337313).
    ///
    /// # Errors
    /// [`Undefined::OneClass`] without rows of both classes, [`Undefined::InsufficientData`] with one of a class.
    pub fn of(labels: &[bool], a: &[f64], b: &[f64]) -> Result<Self, Undefined> {
        let positives = labels.iter().filter(|label| **label).count();
        let negatives = labels.len() - positives;
        if positives == 0 || negatives == 0 {
            return Err(Undefined::OneClass);
        }
        if positives < 2 || negatives < 2 {
            return Err(Undefined::InsufficientData);
        }
        let (of_a, of_b) = (placements(labels, a, positives, negatives), placements(labels, b, positives, negatives));
        let covariance = |x: &Placements, y: &Placements| {
            covariance(&x.positives, &y.positives) / positives as f64
                + covariance(&x.negatives, &y.negatives) / negatives as f64
        };
        Ok(Self {
            areas: [of_a.area, of_b.area],
            variances: [covariance(&of_a, &of_a), covariance(&of_b, &of_b)],
            covariance: covariance(&of_a, &of_b),
            classes: [positives, negatives],
            rows: labels.len(),
        })
    }

    /// Area of B less area of A.
    pub fn difference(&self) -> f64 {
        self.areas[1] - self.areas[0]
    }

    /// The standard error of the difference; 0 for curves that are the same.
    pub fn standard_error(&self) -> f64 {
        let variance = self.variances[0] + self.variances[1] - 2.0 * self.covariance;
        // What is left of a cancellation to nothing is rounding.
        let rounding = 8.0 * f64::EPSILON * (self.variances[0] + self.variances[1]);
        if variance <= rounding { 0.0 } else { variance.sqrt() }
    }

    /// The z statistic: 0 for the same curves, `None` when curves differ without any variance.
    pub fn z(&self) -> Option<f64> {
        let error = self.standard_error();
        if error > 0.0 { Some(self.difference() / error) } else { (self.difference() == 0.0).then_some(0.0) }
    }

    /// The interval of the difference; `None` when it has no variance.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let half =
            normal_quantile(0.5 + 0.5 * confidence)? * Some(self.standard_error()).filter(|error| *error > 0.0)?;
        Some(Interval { low: self.difference() - half, high: self.difference() + half })
    }

    /// As if the curves came from different rows: z, its normal p-value, degrees of freedom and p-value by Student's distribution.
    pub fn unpaired(&self) -> Option<(f64, Tail, f64, Tail)> {
        let variance = self.variances[0] + self.variances[1];
        let z = self.difference() / variance.sqrt();
        let shares = self.variances.map(|of_one| of_one / variance);
        let degrees_of_freedom = (self.rows as f64 - 1.0) / (shares[0] * shares[0] + shares[1] * shares[1]);
        z.is_finite().then(|| (z, normal_two_sided(z), degrees_of_freedom, student_t_two_sided(z, degrees_of_freedom)))
    }

    /// Rows of the positive and of the negative class.
    pub fn classes(&self) -> [usize; 2] {
        self.classes
    }
}

/// For every positive the share of negatives below it, and for every negative the share of positives above.
struct Placements {
    area: f64,
    positives: Vec<f64>,
    negatives: Vec<f64>,
}

fn placements(labels: &[bool], scores: &[f64], positives: usize, negatives: usize) -> Placements {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_unstable_by(|&x, &y| scores[x].total_cmp(&scores[y]));
    let mut place = vec![0.0; labels.len()];
    let (mut below_positives, mut below_negatives, mut doubled) = (0usize, 0usize, 0u128);
    for group in order.chunk_by(|&x, &y| scores[x] == scores[y]) {
        let here = group.iter().filter(|&&row| labels[row]).count();
        let others = group.len() - here;
        for &row in group {
            place[row] = if labels[row] {
                (2 * below_negatives + others) as f64 / (2.0 * negatives as f64)
            } else {
                1.0 - (2 * below_positives + here) as f64 / (2.0 * positives as f64)
            };
        }
        doubled += here as u128 * (2 * below_negatives + others) as u128;
        below_positives += here;
        below_negatives += others;
    }
    let of = |class: bool| (0..labels.len()).filter(|&row| labels[row] == class).map(|row| place[row]).collect();
    Placements {
        area: doubled as f64 / (2.0 * positives as f64 * negatives as f64),
        positives: of(true),
        negatives: of(false),
    }
}

/// The sample covariance, in two passes.
fn covariance(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (x_mean, y_mean) = (mean(x), mean(y));
    x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>() / (n - 1.0)
}
