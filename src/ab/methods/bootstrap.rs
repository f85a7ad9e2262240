//! `bootstrap`: means compared by resampling the rows of each arm.
//!
//! The interval of the relative improvement lies between the same shares of the draws as that of the difference, of `(B - A) / |A|` in
//! every draw. While A keeps its sign that has the sign of the difference, so 0 is inside both intervals or outside both.

use super::draws::{draws, sorted};
use crate::ab::{Arms, Bootstrap, Comparison, Needs, Question, Ratio, RelativeInterval, Test, Undefined};
use crate::stats::{Interval, Moments, Random, Tail, mean_of, quantile_sorted};

/// Rows of an arm below which the bootstrap is not to be trusted.
const FEW: usize = 50;

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
         interval meets 0, never below 1/(draws + 1); from some hundreds of rows in each arm on: with fewer, and \
         skewed outcomes, it finds what is not there more often than the level says, and t_test does not"
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
        let (drawn, influences, ratio): (Vec<Drawn>, Vec<f64>, _);
        if arms.is_paired() {
            let mut pairs: Vec<_> = a.iter().zip(b).map(|(a, b)| (b - a, *a)).collect();
            // In one order, so that the order they came in does not matter to what is drawn.
            pairs.sort_unstable_by(|x, y| x.0.total_cmp(&y.0).then(x.1.total_cmp(&y.1)));
            let differences: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
            let moments = Moments::of(&differences);
            if moments.is_constant() {
                return Err(Undefined::ZeroVariance);
            }
            drawn = (0..draws).map(|_| drawn_pairs(&pairs, &mut random)).collect();
            influences = centred(&differences);
            ratio = Ratio::paired(arms.a(), arms.b(), &moments);
        } else {
            let (a, b) = (&sorted(a), &sorted(b));
            let one = |random: &mut Random| {
                let of_b = drawn_mean(b, random);
                let baseline = drawn_mean(a, random);
                Drawn { difference: of_b - baseline, baseline }
            };
            drawn = (0..draws).map(|_| one(&mut random)).collect();
            influences = centred(b).into_iter().chain(centred(a).into_iter().map(|value| -value)).collect();
            ratio = Ratio::independent(arms.a(), arms.b());
        }
        let difference = arms.a().difference_to(arms.b(), 0);
        let replicates = drawn.iter().map(|draw| draw.difference).collect();
        let found = Bootstrap::of(difference, replicates, &influences).ok_or(Undefined::NotFinite)?;
        // No p-value is smaller than the draws allow, so no interval is for a stricter level.
        let is_known = question.alpha * (draws as f64 + 1.0) >= 2.0;
        let interval = found.bca(1.0 - question.alpha).ok_or(Undefined::NotFinite)?;
        let shares = found.shares(1.0 - question.alpha).ok_or(Undefined::NotFinite)?;
        let values = [arms.a().mean().unwrap_or(0.0), arms.b().mean().unwrap_or(0.0)];
        let relative = match is_known {
            true => relative(&drawn, values[0], shares, interval)
                .map_or(RelativeInterval::Unbounded, RelativeInterval::Bounded),
            false => RelativeInterval::Unknown,
        };
        let (greater, less) = (found.tail_below(0.0), found.tail_above(0.0));
        let smaller = greater.ln().min(less.ln());
        Comparison {
            low: Some(interval.low).filter(|_| is_known),
            high: Some(interval.high).filter(|_| is_known),
            standard_error: Moments::of(&found.sorted).standard_deviation(),
            p_value: Tail::from_ln(smaller + std::f64::consts::LN_2),
            p_greater: greater,
            p_less: less,
            ratio,
            relative: Some(relative),
            resamples: u32::try_from(draws).ok(),
            caution: if !is_known {
                Some("there are too few draws for an interval at a level this strict")
            } else {
                let few = a.len().min(b.len()) < FEW;
                few.then_some(
                    "with so few rows the bootstrap finds more than the level says; t_test is the safer choice",
                )
            },
            ..Comparison::normal(values, difference, difference)
        }
        .finite()
    }
}

/// What one resample says.
struct Drawn {
    /// B - A.
    difference: f64,
    /// A.
    baseline: f64,
}

/// The ends of the relative improvement's interval, as fractions; `None` where A, in some draw, is 0 or on the other side of it.
fn relative(drawn: &[Drawn], baseline: f64, shares: [f64; 2], interval: Interval) -> Option<[f64; 2]> {
    if !drawn.iter().all(|draw| draw.baseline * baseline.signum() > 0.0) || baseline == 0.0 {
        return None;
    }
    let mut ratios: Vec<f64> = drawn.iter().map(|draw| draw.difference / draw.baseline.abs()).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let ends = [(shares[0], interval.low), (shares[1], interval.high)].map(|(share, end)| {
        // Between a draw below 0 and one above it, the two interpolations may part; the side of the difference counts.
        let between = quantile_sorted(&ratios, share).unwrap_or(f64::NAN);
        let below = (share.clamp(0.0, 1.0) * (ratios.len() - 1) as f64).floor() as usize;
        let neighbours = ratios.iter().skip(below).take(2).copied();
        let side = |value: f64| value.partial_cmp(&0.0);
        std::iter::once(between).chain(neighbours).find(|value| side(*value) == side(end)).unwrap_or(0.0)
    });
    ends.iter().all(|end| end.is_finite()).then_some(ends)
}

fn drawn_pairs(pairs: &[(f64, f64)], random: &mut Random) -> Drawn {
    let (mut difference, mut baseline) = (0.0, 0.0);
    for _ in 0..pairs.len() {
        let (of_difference, of_a) = pairs[random.below(pairs.len())];
        difference += of_difference;
        baseline += of_a;
    }
    Drawn { difference: difference / pairs.len() as f64, baseline: baseline / pairs.len() as f64 }
}

fn drawn_mean(values: &[f64], random: &mut Random) -> f64 {
    (0..values.len()).map(|_| values[random.below(values.len())]).sum::<f64>() / values.len() as f64
}

/// How far each row pulls the mean.
fn centred(values: &[f64]) -> Vec<f64> {
    let mean = mean_of(values.iter().copied()).unwrap_or(0.0);
    values.iter().map(|value| (value - mean) / values.len() as f64).collect()
}
