//! Always-valid monitoring: intervals that hold at every look at once, however many there are.
//!
//! The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024, DOI 10.1214/24-AOS2408), with the
//! mixture tuned to be tightest at `n_star` rows; and the mixture sequential probability ratio test of Johari, Koomen, Pekelis and
//! Walsh (2022, DOI 10.1287/opre.2021.2135) for a known variance. May use: `stats`. Deliberately no state: [`monitor`] goes over looks.

use crate::stats::{Interval, Tail};

/// Rows at which the sequence is tightest, for each row that an arm needs at least.
const ROWS_PER_MIN_SAMPLE: f64 = 20.0;

/// Rows that each arm needs before its standard error is good enough for a confidence sequence.
pub(super) const SEQUENCE_FROM: u64 = 30;

/// Rows of both arms at which a test without a planned size is tuned to be tightest: `20 * min_samples`.
pub fn tuned_rows(min_samples: u64) -> f64 {
    ROWS_PER_MIN_SAMPLE * min_samples.max(1) as f64
}

/// An asymptotic confidence sequence, tuned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfidenceSequence {
    alpha: f64,
    n_star: f64,
    rho: f64,
}

/// What one look of a sequence says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceLook {
    /// The interval takes the place of `1.96` standard errors by this many.
    pub critical: f64,
    /// The logarithm of the evidence against a difference of zero; its expectation under the null is at most that of 1.
    pub log_e_value: f64,
    /// The p-value of this look, valid however often one looks.
    pub p_value: Tail,
}

impl ConfidenceSequence {
    /// At `1 - alpha`, tightest at `n_star` rows of both arms. `None` unless `0 < alpha < 1` and `n_star > 0`.
    pub fn tuned(alpha: f64, n_star: f64) -> Option<Self> {
        let rho = tuning(alpha, n_star);
        (alpha > 0.0 && alpha < 1.0 && rho.is_finite() && rho > 0.0).then_some(Self { alpha, n_star, rho })
    }

    /// The tuning parameter of the mixture.
    pub fn rho(self) -> f64 {
        self.rho
    }

    /// The look at a difference that is `z` standard errors from zero, after `rows` rows of both arms.
    ///
    /// Right in large samples; below some tens of rows in an arm the standard error is not yet good enough for it.
    pub fn look(self, z: f64, rows: f64) -> SequenceLook {
        let mixed = rows * self.rho * self.rho;
        let critical = (2.0 * (mixed + 1.0) / mixed * (0.5 * mixed.ln_1p() - self.alpha.ln())).sqrt();
        let log_e_value = 0.5 * z * z * (mixed / (1.0 + mixed)) - 0.5 * mixed.ln_1p();
        SequenceLook { critical, log_e_value, p_value: Tail::from_ln(-log_e_value) }
    }

    /// The critical value of a one-sided sequence after `rows` rows, tuned as one side of `1 - 2 alpha`; `None` for `alpha` from a half on.
    pub fn one_sided_critical(self, rows: f64) -> Option<f64> {
        let rho = tuning(2.0 * self.alpha, self.n_star);
        let mixed = rows * rho * rho;
        let critical =
            (2.0 * (mixed + 1.0) / mixed * ((0.5 * mixed.ln_1p()).exp() / (2.0 * self.alpha)).ln_1p()).sqrt();
        (self.alpha < 0.5 && critical.is_finite()).then_some(critical)
    }
}

/// The parameter that makes the sequence tightest at `n_star` rows, to a good approximation.
fn tuning(alpha: f64, n_star: f64) -> f64 {
    let twice = -2.0 * alpha.ln();
    ((twice + (twice + 1.0).ln()) / n_star).sqrt()
}

/// A sequence over looks: what is known after each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Monitored {
    /// Of this look alone.
    pub look: SequenceLook,
    /// This look's interval.
    pub interval: Interval,
    /// The smallest p-value so far: once rejected stays rejected.
    pub smallest: Tail,
    /// What all intervals so far have in common; `None` when they have nothing, which means that the effect itself moves.
    pub common: Option<Interval>,
}

/// Goes over looks of `(rows of both arms, difference, standard error)`. A standard error that is not positive says nothing.
pub fn monitor(sequence: ConfidenceSequence, looks: &[(f64, f64, f64)]) -> Vec<Monitored> {
    let (mut smallest, mut common) = (Tail::ONE, Some(Interval { low: f64::NEG_INFINITY, high: f64::INFINITY }));
    looks
        .iter()
        .map(|&(rows, difference, error)| {
            let z = if error > 0.0 { difference / error } else { 0.0 };
            let look = sequence.look(z, rows);
            let half = look.critical * error;
            let interval = Interval { low: difference - half, high: difference + half };
            if look.p_value.ln() < smallest.ln() {
                smallest = look.p_value;
            }
            common = common
                .map(|c| Interval { low: c.low.max(interval.low), high: c.high.min(interval.high) })
                .filter(|c| c.low <= c.high);
            Monitored { look, interval, smallest, common }
        })
        .collect()
}

/// The mixture sequential probability ratio test of two arms with `rows` rows each and a known `variance`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Msprt {
    /// Evidence against equal means: the likelihood of a normal prior on the difference over that of no difference.
    pub likelihood_ratio: f64,
    /// `1 / likelihood_ratio`, at most 1; valid however often one looks.
    pub p_value: Tail,
    /// Half the width of the interval of the difference at `1 - alpha`.
    pub half_width: f64,
}

/// The test for a `difference` of means, with `mixing` the variance of the prior. `None` unless all are positive and finite.
pub fn msprt(difference: f64, rows: f64, variance: f64, mixing: f64, alpha: f64) -> Option<Msprt> {
    let valid = difference.is_finite() && rows > 0.0 && variance > 0.0 && mixing > 0.0 && alpha > 0.0 && alpha < 1.0;
    if !valid {
        return None;
    }
    let noise = 2.0 * variance / rows;
    let total = noise + mixing;
    let ln_ratio = 0.5 * (noise / total).ln() + difference * difference / noise * (mixing / total) / 2.0;
    let half_width = (noise * (total / mixing) * (-2.0 * alpha.ln() + (total / noise).ln())).sqrt();
    let likelihood_ratio = ln_ratio.exp().min(f64::MAX);
    half_width.is_finite().then_some(Msprt { likelihood_ratio, p_value: Tail::from_ln(-ln_ratio), half_width })
}
