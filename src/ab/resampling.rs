//! `bootstrap` and `permutation`: answers from the rows themselves, resampled with a seed.
//!
//! The same seed gives the same answer. What chance decides is never more certain than its draws: p is `(count + 1) / (draws + 1)`. May use: `stats`.

use super::improvement::Ratio;
use super::{Arms, Comparison, Needs, Question, Test, Undefined};
use crate::stats::{Interval, Moments, Random, Tail, mean_of, normal_quantile, normal_sf, quantile_sorted};

/// Draws that resampling makes, fewer only when rows are very many.
const MOST_DRAWS: usize = 9_999;
/// Draws that it makes whatever the size.
const FEWEST_DRAWS: usize = 999;
/// Rows that are drawn altogether, about.
const MOST_ROWS: usize = 100_000_000;
/// All divisions are counted one by one up to this many.
const MOST_DIVISIONS: u64 = 20_000;
/// Differences within this share of the rows' sizes are equal: they differ by rounding.
const SAME: f64 = 1e-12;

fn draws(rows: usize) -> usize {
    (MOST_ROWS / rows.max(1)).clamp(FEWEST_DRAWS, MOST_DRAWS)
}

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

/// Rows in one order, so that the order they came in does not matter to what is drawn.
fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn drawn_mean(values: &[f64], random: &mut Random) -> f64 {
    (0..values.len()).map(|_| values[random.below(values.len())]).sum::<f64>() / values.len() as f64
}

/// How far each row pulls the mean.
fn centred(values: &[f64]) -> Vec<f64> {
    let mean = mean_of(values.iter().copied()).unwrap_or(0.0);
    values.iter().map(|value| (value - mean) / values.len() as f64).collect()
}

/// The bootstrap distribution of a statistic.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    estimate: f64,
    sorted: Vec<f64>,
    bias: f64,
    acceleration: f64,
}

impl Bootstrap {
    /// From an estimate, its values on resamples, and how far each row pulls it (on any scale; `mean - value without the row` will do).
    /// `None` without finite replicates, or when all lie on one side of the estimate.
    pub fn of(estimate: f64, mut replicates: Vec<f64>, influences: &[f64]) -> Option<Self> {
        replicates.retain(|value| value.is_finite());
        replicates.sort_unstable_by(f64::total_cmp);
        let below = replicates.partition_point(|value| *value < estimate);
        let equal = replicates.partition_point(|value| *value <= estimate) - below;
        let share = (below as f64 + 0.5 * equal as f64) / replicates.len() as f64;
        let bias = normal_quantile(share).filter(|z| z.is_finite())?;
        let (mut squares, mut cubes) = (0.0, 0.0);
        let largest = influences.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        for value in influences {
            let value = if largest > 0.0 { value / largest } else { 0.0 };
            squares += value * value;
            cubes += value * value * value;
        }
        let acceleration = if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 };
        Some(Self { estimate, sorted: replicates, bias, acceleration })
    }

    /// The correction for the share of replicates below the estimate.
    pub fn bias(&self) -> f64 {
        self.bias
    }

    /// The correction for how the spread changes with the value.
    pub fn acceleration(&self) -> f64 {
        self.acceleration
    }

    /// The shares of the replicates between which the corrected interval at `confidence` lies.
    pub fn shares(&self, confidence: f64) -> Option<[f64; 2]> {
        let share = |p: f64| {
            let z = self.bias + normal_quantile(p).filter(|z| z.is_finite())?;
            let corrected = self.bias + z / (1.0 - self.acceleration * z);
            Some(1.0 - normal_sf(corrected).p())
        };
        Some([share(0.5 - 0.5 * confidence)?, share(0.5 + 0.5 * confidence)?])
    }

    /// The bias-corrected and accelerated interval (Efron 1987, DOI 10.1080/01621459.1987.10478410).
    pub fn bca(&self, confidence: f64) -> Option<Interval> {
        let [low, high] = self.shares(confidence)?;
        Some(Interval { low: quantile_sorted(&self.sorted, low)?, high: quantile_sorted(&self.sorted, high)? })
    }

    /// The plain percentile interval.
    pub fn percentile(&self, confidence: f64) -> Option<Interval> {
        let side = 0.5 - 0.5 * confidence;
        Some(Interval { low: quantile_sorted(&self.sorted, side)?, high: quantile_sorted(&self.sorted, 1.0 - side)? })
    }

    /// The percentile interval mirrored at the estimate.
    pub fn basic(&self, confidence: f64) -> Option<Interval> {
        let plain = self.percentile(confidence)?;
        Some(Interval { low: 2.0 * self.estimate - plain.high, high: 2.0 * self.estimate - plain.low })
    }

    /// How far below the interval `value` lies: the one-sided p-value of "larger than `value`" that belongs to [`Bootstrap::bca`].
    fn tail_below(&self, value: f64) -> Tail {
        let count = self.sorted.partition_point(|replicate| *replicate <= value);
        self.uncorrected(count, 1.0)
    }

    fn tail_above(&self, value: f64) -> Tail {
        let count = self.sorted.len() - self.sorted.partition_point(|replicate| *replicate < value);
        self.uncorrected(count, -1.0)
    }

    /// The level whose interval ends at a share of replicates: the correction of [`Bootstrap::shares`] undone.
    fn uncorrected(&self, count: usize, side: f64) -> Tail {
        let draws = self.sorted.len() as f64;
        let share = (count as f64 + 1.0) / (draws + 1.0);
        let Some(z) = normal_quantile(share.min(1.0 - 0.5 / draws)) else {
            return Tail::ONE;
        };
        let distance = side * z - self.bias;
        let undone = side * (distance / (1.0 + self.acceleration * distance) - self.bias);
        // Never more certain than the draws.
        let p = normal_sf(-undone);
        if p.p() < 1.0 / (draws + 1.0) { Tail::from_p(1.0 / (draws + 1.0)) } else { p }
    }
}

/// The permutation test.
#[derive(Debug, Clone, Copy)]
pub struct PermutationTest;

impl Test for PermutationTest {
    fn name(&self) -> &'static str {
        "permutation"
    }
    fn title(&self) -> &'static str {
        "Permutation test"
    }
    fn summary(&self) -> &'static str {
        "compares means by how often dealing the rows to the arms anew gives as large a difference, two-sided; all divisions where they are \
         few, else drawn with a seed, p = (count + 1)/(draws + 1); no interval"
    }
    fn reference(&self) -> &'static str {
        "Phipson and Smyth (2010), Permutation p-values should never be zero, doi:10.2202/1544-6115.1585"
    }
    fn needs(&self) -> Needs {
        Needs::Rows
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        let (a, b) = arms.rows()?;
        let found = permutation(a, b, question.seed).ok_or(Undefined::InsufficientData)?;
        if found.is_constant {
            return Err(Undefined::ZeroVariance);
        }
        let values = [arms.a().mean().unwrap_or(0.0), arms.b().mean().unwrap_or(0.0)];
        Comparison {
            p_value: Tail::from_p(found.share(found.as_far)),
            p_greater: Tail::from_p(found.share(found.as_large)),
            p_less: Tail::from_p(found.share(found.as_small)),
            ratio: Ratio::independent(arms.a(), arms.b()),
            resamples: if found.is_complete { None } else { u32::try_from(found.divisions).ok() },
            ..Comparison::normal(values, found.difference, found.difference)
        }
        .finite()
    }
}

/// How the difference of means compares with that of other divisions of the same rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Permutation {
    /// B - A of the rows as they are.
    pub difference: f64,
    /// Divisions that were looked at.
    pub divisions: u64,
    /// Whether these are all there are.
    pub is_complete: bool,
    /// Divisions with a difference at least as far from 0.
    pub as_far: u64,
    /// Divisions with a difference at least as large.
    pub as_large: u64,
    /// Divisions with a difference at most as large.
    pub as_small: u64,
    is_constant: bool,
}

impl Permutation {
    /// The p-value of a count: exact when all divisions were looked at, else with one added on both sides.
    pub fn share(&self, count: u64) -> f64 {
        if self.is_complete {
            count as f64 / self.divisions as f64
        } else {
            (count as f64 + 1.0) / (self.divisions as f64 + 1.0)
        }
    }
}

/// The permutation test of the difference of means; `None` when an arm is empty.
pub fn permutation(a: &[f64], b: &[f64], seed: u64) -> Option<Permutation> {
    let mean = |values: &[f64]| mean_of(values.iter().copied());
    let difference = mean(b)? - mean(a)?;
    let all: Vec<f64> = b.iter().chain(a).copied().collect();
    let centre = mean(&all)?;
    // Around the common mean, an offset costs no digits. The sum over B then says all: A's is its negative.
    let centred: Vec<f64> = all.iter().map(|value| value - centre).collect();
    let observed: f64 = centred[..b.len()].iter().sum();
    let size: f64 = centred.iter().map(|value| value.abs()).sum();
    let slack = SAME * size;
    let mut result = Permutation {
        difference,
        divisions: 0,
        is_complete: false,
        as_far: 0,
        as_large: 0,
        as_small: 0,
        is_constant: size == 0.0,
    };
    let mut count = |sum: f64| {
        result.divisions += 1;
        result.as_far += u64::from(sum.abs() >= observed.abs() - slack);
        result.as_large += u64::from(sum >= observed - slack);
        result.as_small += u64::from(sum <= observed + slack);
    };
    if let Some(divisions) = choose(all.len() as u64, b.len() as u64) {
        let mut chosen: Vec<usize> = (0..b.len()).collect();
        for _ in 0..divisions {
            count(chosen.iter().map(|&i| centred[i]).sum());
            next_division(&mut chosen, all.len());
        }
        result.is_complete = true;
        return Some(result);
    }
    let mut random = Random::new(seed);
    // Dealing out the smaller arm is enough.
    let (dealt, sign) = if b.len() <= a.len() { (b.len(), 1.0) } else { (a.len(), -1.0) };
    let mut deck = sorted(&centred);
    for _ in 0..draws(dealt) {
        for i in 0..dealt {
            let j = i + random.below(deck.len() - i);
            deck.swap(i, j);
        }
        count(sign * deck[..dealt].iter().sum::<f64>());
    }
    Some(result)
}

/// `n` choose `k`, when it is at most [`MOST_DIVISIONS`].
fn choose(n: u64, k: u64) -> Option<u64> {
    let k = k.min(n - k);
    let mut result = 1u64;
    for i in 0..k {
        result = result * (n - i) / (i + 1);
        if result > MOST_DIVISIONS {
            return None;
        }
    }
    Some(result)
}

/// The next choice of places in lexicographic order.
fn next_division(chosen: &mut [usize], n: usize) {
    let k = chosen.len();
    if let Some(at) = (0..k).rev().find(|&at| chosen[at] < n - k + at) {
        chosen[at] += 1;
        for later in at + 1..k {
            chosen[later] = chosen[later - 1] + 1;
        }
    }
}
