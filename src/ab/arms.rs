//! The data of a test: two arms as sufficient statistics, as rows, as pairs, or as scores beside labels.
//!
//! Every test says what it [`Needs`]; what the data cannot give is a named error, never a guess. Values that are not finite are left out
//! and counted, in pairs both sides of them. May use: `stats`.

use super::Undefined;
use crate::stats::Moments;

/// What a test needs to know of the arms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Needs {
    /// Rows, mean and variance of each arm.
    Moments,
    /// Outcomes that are 0 or 1, each arm on its own.
    Shares,
    /// The rows of each arm.
    Rows,
    /// The same rows scored by both models, in the same order.
    Pairs,
    /// As pairs, with outcomes that are 0 or 1.
    PairsOfShares,
    /// A label for every row, and both models' scores of it.
    Scores,
}

/// Labels, and the score of each model for the same rows.
pub type Scored<'a> = (&'a [bool], &'a [f64], &'a [f64]);

impl Needs {
    /// Whether two arms with rows of their own can suffice, as in live traffic, where every row sees one model only.
    pub fn is_met_by_separate_rows(self) -> bool {
        matches!(self, Needs::Moments | Needs::Shares | Needs::Rows)
    }
}

/// Two arms.
#[derive(Debug, Clone, PartialEq)]
pub struct Arms {
    a: Moments,
    b: Moments,
    data: Data,
    /// Variance that both means have in common, because both were adjusted around one covariate's mean.
    common_noise: f64,
}

#[derive(Debug, Clone, PartialEq)]
enum Data {
    Moments,
    Rows(Vec<f64>, Vec<f64>),
    Pairs(Vec<f64>, Vec<f64>),
    Scores { labels: Vec<bool>, a: Vec<f64>, b: Vec<f64> },
}

/// Two counts of successes among rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Rows with a 1.
    pub successes: u64,
    /// All rows.
    pub rows: u64,
}

impl Arms {
    /// From sufficient statistics.
    pub fn of_moments(a: Moments, b: Moments) -> Self {
        Self { a, b, data: Data::Moments, common_noise: 0.0 }
    }

    /// From the rows of each arm; `None` and values that are not finite are dropped and counted.
    pub fn of_rows(a: &[Option<f64>], b: &[Option<f64>]) -> Self {
        let kept =
            |rows: &[Option<f64>]| -> Vec<f64> { rows.iter().flatten().copied().filter(|v| v.is_finite()).collect() };
        let data = Data::Rows(kept(a), kept(b));
        Self { a: Moments::of_options(a), b: Moments::of_options(b), data, common_noise: 0.0 }
    }

    /// From complete rows of each arm.
    pub fn of_values(a: &[f64], b: &[f64]) -> Self {
        let kept = |rows: &[f64]| -> Vec<f64> { rows.iter().copied().filter(|v| v.is_finite()).collect() };
        Self { a: Moments::of(a), b: Moments::of(b), data: Data::Rows(kept(a), kept(b)), common_noise: 0.0 }
    }

    /// From counts of successes.
    pub fn of_shares(a: Share, b: Share) -> Self {
        let moments = |share: Share| {
            let (k, n) = (share.successes as f64, share.rows as f64);
            let variance = if share.rows > 1 { k * (n - k) / n / (n - 1.0) } else { 0.0 };
            Moments::from_summary(share.rows, k / n, variance).unwrap_or_default()
        };
        Self::of_moments(moments(a), moments(b))
    }

    /// From rows that both models scored, in the same order; a pair with a missing side is dropped on both and counted.
    ///
    /// # Errors
    /// [`Undefined::NeedsPairs`] when the sides have different lengths.
    pub fn of_pairs(a: &[Option<f64>], b: &[Option<f64>]) -> Result<Self, Undefined> {
        if a.len() != b.len() {
            return Err(Undefined::NeedsPairs);
        }
        let finite = |value: &Option<f64>| value.filter(|v| v.is_finite());
        let both: Vec<_> = a.iter().zip(b).map(|(a, b)| finite(a).zip(finite(b))).collect();
        let side = |pick: fn((f64, f64)) -> f64| both.iter().map(|pair| pair.map(pick)).collect::<Vec<_>>();
        let (left, right) = (side(|pair| pair.0), side(|pair| pair.1));
        let kept = |rows: &[Option<f64>]| rows.iter().flatten().copied().collect();
        Ok(Self {
            a: Moments::of_options(&left),
            b: Moments::of_options(&right),
            data: Data::Pairs(kept(&left), kept(&right)),
            common_noise: 0.0,
        })
    }

    /// From labels and both models' scores of the same rows; a row with a score that is not finite is left out.
    ///
    /// # Errors
    /// [`Undefined::NeedsScores`] when the lengths differ.
    pub fn of_scores(labels: &[bool], a: &[f64], b: &[f64]) -> Result<Self, Undefined> {
        if labels.len() != a.len() || a.len() != b.len() {
            return Err(Undefined::NeedsScores);
        }
        let kept: Vec<usize> = (0..labels.len()).filter(|&i| a[i].is_finite() && b[i].is_finite()).collect();
        let side = |values: &[f64]| kept.iter().map(|&i| values[i]).collect::<Vec<_>>();
        Ok(Self {
            a: Moments::of(a),
            b: Moments::of(b),
            data: Data::Scores { labels: kept.iter().map(|&i| labels[i]).collect(), a: side(a), b: side(b) },
            common_noise: 0.0,
        })
    }

    /// These arms, whose means share noise of this variance that cancels in their difference.
    pub(super) fn with_common_noise(self, variance: f64) -> Self {
        Self { common_noise: variance, ..self }
    }

    /// The variance that both means have in common and their difference has not.
    pub(super) fn common_noise(&self) -> f64 {
        self.common_noise
    }

    /// Rows, mean and variance of A.
    pub fn a(&self) -> &Moments {
        &self.a
    }

    /// Rows, mean and variance of B.
    pub fn b(&self) -> &Moments {
        &self.b
    }

    /// Whether the same rows stand on both sides.
    pub fn is_paired(&self) -> bool {
        matches!(self.data, Data::Pairs(..) | Data::Scores { .. })
    }

    /// Rows that a confidence sequence counts: a pair is one.
    pub(super) fn independent_rows(&self) -> u64 {
        if self.is_paired() { self.a.n() } else { self.a.n() + self.b.n() }
    }

    /// Whether the values are scores, whose means are not what is compared.
    pub(super) fn is_scores(&self) -> bool {
        matches!(self.data, Data::Scores { .. })
    }

    /// The rows of both arms.
    ///
    /// # Errors
    /// [`Undefined::NeedsRows`] when there are only sufficient statistics.
    pub fn rows(&self) -> Result<(&[f64], &[f64]), Undefined> {
        match &self.data {
            Data::Rows(a, b) | Data::Pairs(a, b) => Ok((a, b)),
            Data::Moments | Data::Scores { .. } => Err(Undefined::NeedsRows),
        }
    }

    /// The pairs.
    ///
    /// # Errors
    /// [`Undefined::NeedsPairs`] when the arms do not share their rows.
    pub fn pairs(&self) -> Result<(&[f64], &[f64]), Undefined> {
        match &self.data {
            Data::Pairs(a, b) => Ok((a, b)),
            _ => Err(Undefined::NeedsPairs),
        }
    }

    /// The labels and both scores.
    ///
    /// # Errors
    /// [`Undefined::NeedsScores`] when there are none.
    pub fn scores(&self) -> Result<Scored<'_>, Undefined> {
        match &self.data {
            Data::Scores { labels, a, b } => Ok((labels, a, b)),
            _ => Err(Undefined::NeedsScores),
        }
    }

    /// Successes and rows of both arms.
    ///
    /// # Errors
    /// [`Undefined::NeedsShares`] when a value is neither 0 nor 1. Sufficient statistics suffice: only ones and zeros have
    /// the variance that their mean implies.
    pub fn shares(&self) -> Result<[Share; 2], Undefined> {
        if self.is_scores() {
            return Err(Undefined::NeedsShares);
        }
        let share = |arm: &Moments| -> Option<Share> {
            let (n, mean) = (arm.n() as f64, arm.mean().unwrap_or(0.0));
            let successes = (n * mean).round();
            let within = arm.range().is_none_or(|[low, high]| low >= 0.0 && high <= 1.0);
            let implied = successes * (n - successes) / n.max(1.0);
            let same = (arm.m2().unwrap_or(0.0) - implied).abs() <= 1e-9 * implied + 1e-12;
            let whole = (n * mean - successes).abs() <= 1e-9 * n.max(1.0) && (0.0..=n).contains(&successes);
            (within && same && whole).then_some(Share { successes: successes as u64, rows: arm.n() })
        };
        share(&self.a).zip(share(&self.b)).map(|(a, b)| [a, b]).ok_or(Undefined::NeedsShares)
    }
}
