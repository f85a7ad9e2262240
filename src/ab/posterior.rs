//! What to believe of two arms after their rows.
//!
//! May use: `stats`. Deliberately absent: a decision, which the table makes.

use std::f64::consts::FRAC_PI_2;

use serde::Serialize;

use super::Share;
use crate::stats::{Interval, Quadrature, Tail, beta_cdf, beta_quantile, beta_sf, breaks_around, ln_beta_density};

/// What to believe after the rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Posterior {
    /// The probability that B is larger than A, whichever way is better.
    pub probability_b_larger: f64,
    /// What choosing B costs on average, in the metric's unit, because A may be better.
    pub loss_of_choosing_b: f64,
    /// What choosing A costs on average, because B may be better.
    pub loss_of_choosing_a: f64,
}

impl Posterior {
    /// The same where less is better: what was lost by choosing one is lost by choosing the other.
    pub(super) fn of_direction(self, lower_is_better: bool) -> Self {
        if !lower_is_better {
            return self;
        }
        let (of_a, of_b) = (self.loss_of_choosing_a, self.loss_of_choosing_b);
        Self { loss_of_choosing_a: of_b, loss_of_choosing_b: of_a, ..self }
    }
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

    /// With a flat prior for both.
    pub fn flat(a: Share, b: Share) -> Self {
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
