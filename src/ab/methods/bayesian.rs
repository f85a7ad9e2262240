//! `bayesian`: how likely B is larger, and what choosing wrongly would cost.
//!
//! Shares get a beta-binomial model with a flat prior, other values a normal one with a flat prior on the means, whose probabilities then
//! equal one-sided p-values. Looking often is no licence here: the decision uses the same levels as every other test.

use std::f64::consts::PI;

use crate::ab::{Arms, BetaBinomial, Comparison, Needs, Posterior, Question, Share, Test, Undefined, welch};
use crate::stats::{Interval, Tail, normal_sf};

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
