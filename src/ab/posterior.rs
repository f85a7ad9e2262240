//! `bayesian`: what to believe of two arms after their rows: how likely B is better, and what choosing wrongly would cost.
//!
//! Shares get a beta-binomial model with a flat prior, other values a normal one with a flat prior on the means (whose probabilities
//! then equal one-sided p-values). Looking often is no licence here: the decision uses the same levels as every other test. May use: `stats`.

use std::f64::consts::{FRAC_PI_2, PI};

use serde::Serialize;

use super::t_test::welch;
use super::{Arms, Comparison, Needs, Question, Share, Test, Undefined};
use crate::stats::{
    Interval, Quadrature, Tail, beta_cdf, beta_quantile, beta_sf, breaks_around, ln_beta_density, normal_sf,
};

/// The Bayesian comparison.
#[derive(Debug, Clone, Copy)]
pub struct Bayesian;

impl Test for Bayesian {
    fn name(&self) -> &'static str {
        "bayesian"
    }
    fn title(&self) -> &'static str {
        "Bayesian comparison"
    }
    fn summary(&self) -> &'static str {
        "probability that B is larger and expected loss of either choice, with flat priors: beta-binomial for outcomes of 0 and 1, normal for \
         others; p is twice the smaller posterior tail; at least two rows in each arm"
    }
    fn reference(&self) -> &'static str {
        "Gelman et al. (2013), Bayesian Data Analysis, doi:10.1201/b16018"
    }
    fn needs(&self) -> Needs {
        Needs::Moments
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        let (greater, less, loss_of_b, loss_of_a, base, interval);
        match arms.shares() {
            Ok([a, b]) if a.rows > 0 && b.rows > 0 => {
                let model = BetaBinomial::flat(a, b);
                greater = model.chance_a_larger();
                less = model.chance_b_larger();
                (loss_of_b, loss_of_a) = (model.loss_of_choosing_b(), model.loss_of_choosing_a());
                interval = model.difference_interval(1.0 - question.alpha);
                let p = |share: Share| share.successes as f64 / share.rows as f64;
                base = match welch(arms.a(), arms.b(), question.alpha) {
                    Ok(found) => found,
                    Err(_) => Comparison::normal([p(a), p(b)], p(b) - p(a), 0.0),
                };
            }
            _ => {
                base = welch(arms.a(), arms.b(), question.alpha)?;
                let error = base.standard_error.ok_or(Undefined::ZeroVariance)?;
                let z = base.difference / error;
                // With flat priors the posterior tail is the one-sided p-value (Welch's approximation to Behrens and Fisher's).
                (greater, less) = (base.p_greater, base.p_less);
                (loss_of_b, loss_of_a) = (error * normal_loss(z), error * normal_loss(-z));
                interval = base.low.zip(base.high).map(|(low, high)| Interval { low, high });
            }
        }
        let smaller = greater.ln().min(less.ln());
        let posterior =
            Posterior { probability_b_larger: less.p(), loss_of_choosing_b: loss_of_b, loss_of_choosing_a: loss_of_a };
        Comparison {
            statistic: posterior.probability_b_larger,
            degrees_of_freedom: None,
            p_value: Tail::from_ln(smaller + std::f64::consts::LN_2),
            p_greater: greater,
            p_less: less,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            posterior: Some(posterior),
            ..base
        }
        .finite()
    }
}

/// What to believe after the rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Posterior {
    /// The probability that B is larger than A.
    pub probability_b_larger: f64,
    /// What choosing B costs on average, in the metric's unit, because A may be larger.
    pub loss_of_choosing_b: f64,
    /// What choosing A costs on average, because B may be larger.
    pub loss_of_choosing_a: f64,
}

/// `E max(0, X)` for a normal `X` with mean `-z` and standard deviation 1, without cancellation far out.
fn normal_loss(z: f64) -> f64 {
    let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
    if z < 5.0 {
        return (density - z * normal_sf(z).p()).max(0.0);
    }
    // Asymptotic series of the difference.
    let square = 1.0 / (z * z);
    density * square * (1.0 - 3.0 * square * (1.0 - 5.0 * square * (1.0 - 7.0 * square)))
}

/// Two shares with beta posteriors.
#[derive(Debug, Clone, PartialEq)]
pub struct BetaBinomial {
    a: [f64; 2],
    b: [f64; 2],
}

impl BetaBinomial {
    /// With the same Beta(`alpha`, `beta`) prior for both; `None` unless both are positive.
    pub fn with_prior(a: Share, b: Share, alpha: f64, beta: f64) -> Option<Self> {
        let posterior = |share: Share| [alpha + share.successes as f64, beta + (share.rows - share.successes) as f64];
        (alpha > 0.0 && beta > 0.0 && alpha.is_finite() && beta.is_finite())
            .then(|| Self { a: posterior(a), b: posterior(b) })
    }

    fn flat(a: Share, b: Share) -> Self {
        let posterior = |share: Share| [1.0 + share.successes as f64, 1.0 + (share.rows - share.successes) as f64];
        Self { a: posterior(a), b: posterior(b) }
    }

    /// The posterior means of A and of B.
    pub fn means(&self) -> [f64; 2] {
        [self.a, self.b].map(|[alpha, beta]| alpha / (alpha + beta))
    }

    /// The equal-tailed credible intervals of A and of B.
    pub fn intervals(&self, confidence: f64) -> Option<[Interval; 2]> {
        let side = 0.5 - 0.5 * confidence;
        let of = |[alpha, beta]: [f64; 2]| {
            Some(Interval { low: beta_quantile(side, alpha, beta)?, high: beta_quantile(1.0 - side, alpha, beta)? })
        };
        Some([of(self.a)?, of(self.b)?])
    }

    /// The probability that B is larger than A.
    pub fn chance_b_larger(&self) -> Tail {
        self.chance(self.b, self.a, 0.0)
    }

    /// The probability that A is larger than B.
    pub fn chance_a_larger(&self) -> Tail {
        self.chance(self.a, self.b, 0.0)
    }

    /// The expected loss of choosing B: `E max(A - B, 0)`, as the integral of `P(A > x) P(B < x)`, which has nothing to cancel.
    pub fn loss_of_choosing_b(&self) -> f64 {
        self.loss(self.a, self.b)
    }

    /// The expected loss of choosing A.
    pub fn loss_of_choosing_a(&self) -> f64 {
        self.loss(self.b, self.a)
    }

    /// The equal-tailed credible interval of B - A.
    pub fn difference_interval(&self, confidence: f64) -> Option<Interval> {
        let side = 0.5 - 0.5 * confidence;
        if !(side > 0.0 && side < 0.5) {
            return None;
        }
        let quantile = |upper: bool| {
            let (mut low, mut high) = (-1.0, 1.0);
            for _ in 0..60 {
                let middle = (low + high) / 2.0;
                // The tail that is small is the one that is accurate.
                let beyond = match upper {
                    true => self.chance(self.b, self.a, middle).p() > side,
                    false => self.chance(self.a, self.b, -middle).p() < side,
                };
                if beyond { low = middle } else { high = middle }
            }
            (low + high) / 2.0
        };
        Some(Interval { low: quantile(false), high: quantile(true) })
    }

    /// `P(X > Y + shift)`: the integral of the density of X against the distribution of Y.
    fn chance(&self, x: [f64; 2], y: [f64; 2], shift: f64) -> Tail {
        let sum = self.rule(shift).integrate(|angle| {
            let (at, rest) = (angle.sin() * angle.sin(), angle.cos() * angle.cos());
            let ln = ln_beta_density(at, rest, x[0], x[1]) + beta_cdf(at - shift, y[0], y[1]).ln();
            ln.exp() * (2.0 * angle.sin() * angle.cos())
        });
        Tail::from_p(sum)
    }

    fn loss(&self, x: [f64; 2], y: [f64; 2]) -> f64 {
        self.rule(0.0).integrate(|angle| {
            let at = angle.sin() * angle.sin();
            (beta_sf(at, x[0], x[1]).ln() + beta_cdf(at, y[0], y[1]).ln()).exp() * (2.0 * angle.sin() * angle.cos())
        })
    }

    /// Over angles whose squared sine is the share: there a share has the same spread everywhere and no density is infinite.
    fn rule(&self, shift: f64) -> Quadrature {
        let angle = |share: f64| share.clamp(0.0, 1.0).sqrt().asin();
        let centre = |[alpha, beta]: [f64; 2], shift: f64| {
            let scale = 0.5 / (alpha + beta).sqrt();
            (angle(alpha / (alpha + beta) + shift), scale)
        };
        let centres = [
            centre(self.a, 0.0),
            centre(self.b, 0.0),
            centre(self.a, shift),
            centre(self.b, shift),
            centre(self.a, -shift),
            centre(self.b, -shift),
        ];
        let distinct = if shift == 0.0 { &centres[..2] } else { &centres[..] };
        Quadrature::between(&breaks_around(distinct, 0.0, FRAC_PI_2))
    }
}
