//! Whether scores are probabilities: of the rows that score about 0.7, are 70 % positive?

use super::confusion::NO_ROWS;
use super::entry::{Entry, Needs, Outcome, Texts};
use super::losses::probabilities;
use super::order::lacking;
use super::{Rows, Task};

/// Rows whose scores lie in one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationBin {
    /// Scores above it, and the first bin's also at it.
    pub low: f64,
    /// Scores up to it.
    pub high: f64,
    /// Weight of the rows.
    pub weight: f64,
    /// Their mean score.
    pub mean_score: f64,
    /// The share of them that are positive.
    pub positive_share: f64,
}

/// Scores against outcomes in `bins` bins of equal width `(low, high]`, without the empty ones.
///
/// `None` without scores, with scores outside 0..=1, and without bins.
pub fn calibration_curve(rows: &Rows, bins: usize) -> Option<Vec<CalibrationBin>> {
    let scored = probabilities(rows).filter(|_| bins > 0)?;
    let weights = rows.weights();
    let mut sums = vec![(0.0, 0.0, 0.0); bins];
    for (row, (positive, score)) in scored.into_iter().enumerate() {
        let (sum, weight) = (&mut sums[bin_of(score, bins)], weights.of_row(row));
        sum.0 += weight;
        sum.1 += weight * score;
        sum.2 += if positive { weight } else { 0.0 };
    }
    let edge = |bin: usize| bin as f64 / bins as f64;
    let of = |(bin, (weight, scores, positives)): (usize, (f64, f64, f64))| CalibrationBin {
        low: edge(bin),
        high: edge(bin + 1),
        weight,
        mean_score: scores / weight,
        positive_share: positives / weight,
    };
    Some(sums.into_iter().enumerate().filter(|(_, sum)| sum.0 > 0.0).map(of).collect())
}

/// The bin `(low, high]` of a score. 0.3 lies at the end of the third of ten, although 0.3 * 10 is above 3.
fn bin_of(score: f64, bins: usize) -> usize {
    let mut bin = ((score * bins as f64).ceil() as usize).clamp(1, bins);
    while bin > 1 && score <= (bin - 1) as f64 / bins as f64 {
        bin -= 1;
    }
    while bin < bins && score > bin as f64 / bins as f64 {
        bin += 1;
    }
    bin - 1
}

const fn entry(name: &'static str, texts: Texts, compute: fn(&Rows) -> Outcome) -> Entry {
    let (task, needs, higher_is_better) = (Task::Classification, Needs::Scores, Some(false));
    Entry { name, texts, range: (0.0, 1.0), task, needs, higher_is_better, compute }
}

pub(super) static ECE: Entry = entry(
    "ece",
    Texts {
        title: "Expected calibration error",
        summary: "mean distance of score and share of positive rows over bins of equal width (10 unless said otherwise), 0 to 1",
        formula: "sum over bins of (n_b / n) |share of positives in b - mean score in b|, bins (low, high]",
        when_to_use: "Scores are used as probabilities: in prices, expected costs, or thresholds set by hand.",
        limits: "Depends on the bins, is above 0 by chance alone on few rows, and does not see errors that cancel within a bin.",
        interval: "none: it is biased upwards, and resampling repeats the bias",
        reference: "Guo et al. (2017), arXiv:1706.04599; Naeini et al. (2015), doi:10.1609/aaai.v29i1.9602",
    },
    |rows| {
        over_bins(rows, |bins| {
            let total: f64 = bins.iter().map(|bin| bin.weight).sum();
            bins.iter().map(|bin| bin.weight / total * gap(bin)).sum()
        })
    },
);

pub(super) static MCE: Entry = entry(
    "mce",
    Texts {
        title: "Maximum calibration error",
        summary: "largest distance of score and share of positive rows over bins of equal width (10 unless said otherwise), 0 to 1",
        formula: "max over bins of |share of positives in b - mean score in b|, bins (low, high]",
        when_to_use: "No range of scores may be off, however few rows it holds.",
        limits: "One row in a bin of its own can decide it.",
        interval: "none: the maximum over bins has no simple one",
        reference: "Guo et al. (2017), arXiv:1706.04599; Naeini et al. (2015), doi:10.1609/aaai.v29i1.9602",
    },
    |rows| over_bins(rows, |bins| bins.iter().map(gap).fold(0.0, f64::max)),
);

fn gap(bin: &CalibrationBin) -> f64 {
    (bin.positive_share - bin.mean_score).abs()
}

fn over_bins(rows: &Rows, measure: impl Fn(&[CalibrationBin]) -> f64) -> Outcome {
    if rows.n() == 0 {
        return Outcome::undefined(NO_ROWS, 0);
    }
    match calibration_curve(rows, rows.settings().calibration_bins) {
        Some(bins) if bins.is_empty() => Outcome::undefined(NO_ROWS, rows.n()),
        Some(bins) => Outcome::of(measure(&bins), rows.n()),
        None if rows.has_scores() => Outcome::undefined(super::probability::NO_PROBABILITIES, rows.n()),
        None => Outcome::undefined(lacking(rows), rows.n()),
    }
}

#[cfg(test)]
mod tests {
    use super::bin_of;

    #[test]
    fn scores_on_an_edge_belong_below_it() {
        for bins in [5usize, 10, 15, 100] {
            assert_eq!((bin_of(0.0, bins), bin_of(1.0, bins)), (0, bins - 1));
            for edge in 1..bins {
                assert_eq!(bin_of(edge as f64 / bins as f64, bins), edge - 1, "{edge} of {bins}");
            }
        }
        assert_eq!(bin_of(0.300_000_000_000_000_04, 10), 3, "just above the edge");
    }
}
