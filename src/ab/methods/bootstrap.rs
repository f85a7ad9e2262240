//! `bootstrap`: means compared by resampling the rows of each arm.

use super::draws::{draws, sorted};
use crate::ab::{Arms, Bootstrap, Comparison, Needs, Question, Ratio, Test, Undefined};
use crate::stats::{Moments, Random, Tail, mean_of, normal_quantile};

/// The bootstrap.
#[derive(Debug, Clone, Copy)]
pub struct BootstrapTest;

impl Test for BootstrapTest {
    fn name(&self) -> &'static str {
        "bootstrap"
    }
    fn title(&self) -> &'static str {
        "Bootstrap"
    }
    fn summary(&self) -> &'static str {
        "compares means by resampling the rows of each arm with a seed, bias-corrected and accelerated (BCa), two-sided; p is where the \
         interval meets 0, never below 1/(draws + 1); from some tens of rows in each arm on"
    }
    fn reference(&self) -> &'static str {
        "Efron (1987), Better bootstrap confidence intervals, doi:10.1080/01621459.1987.10478410"
    }
    fn needs(&self) -> Needs {
        Needs::Rows
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        let (a, b) = arms.rows()?;
        if a.len() < 2 || b.len() < 2 {
            return Err(Undefined::InsufficientData);
        }
        if arms.a().is_constant() && arms.b().is_constant() {
            return Err(Undefined::ZeroVariance);
        }
        let mut random = Random::new(question.seed);
        let draws = draws(a.len() + b.len());
        let (replicates, influences, ratio);
        if arms.is_paired() {
            let differences = sorted(&a.iter().zip(b).map(|(a, b)| b - a).collect::<Vec<_>>());
            let moments = Moments::of(&differences);
            if moments.is_constant() {
                return Err(Undefined::ZeroVariance);
            }
            replicates = (0..draws).map(|_| drawn_mean(&differences, &mut random)).collect::<Vec<_>>();
            influences = centred(&differences);
            ratio = Ratio::paired(arms.a(), arms.b(), &moments);
        } else {
            let (a, b) = (&sorted(a), &sorted(b));
            replicates = (0..draws).map(|_| drawn_mean(b, &mut random) - drawn_mean(a, &mut random)).collect();
            influences = centred(b).into_iter().chain(centred(a).into_iter().map(|value| -value)).collect();
            ratio = Ratio::independent(arms.a(), arms.b());
        }
        let difference = arms.a().difference_to(arms.b(), 0);
        let found = Bootstrap::of(difference, replicates, &influences).ok_or(Undefined::NotFinite)?;
        let interval = found.bca(1.0 - question.alpha).ok_or(Undefined::NotFinite)?;
        let (greater, less) = (found.tail_below(0.0), found.tail_above(0.0));
        let smaller = greater.ln().min(less.ln());
        let values = [arms.a().mean().unwrap_or(0.0), arms.b().mean().unwrap_or(0.0)];
        let error = Moments::of(&found.sorted).standard_deviation();
        Comparison {
            low: Some(interval.low),
            high: Some(interval.high),
            standard_error: error,
            critical: normal_quantile(1.0 - question.alpha / 2.0).filter(|z| z.is_finite()),
            p_value: Tail::from_ln(smaller + std::f64::consts::LN_2),
            p_greater: greater,
            p_less: less,
            ratio,
            resamples: u32::try_from(draws).ok(),
            ..Comparison::normal(values, difference, difference)
        }
        .finite()
    }
}

fn drawn_mean(values: &[f64], random: &mut Random) -> f64 {
    (0..values.len()).map(|_| values[random.below(values.len())]).sum::<f64>() / values.len() as f64
}

/// How far each row pulls the mean.
fn centred(values: &[f64]) -> Vec<f64> {
    let mean = mean_of(values.iter().copied()).unwrap_or(0.0);
    values.iter().map(|value| (value - mean) / values.len() as f64).collect()
}
