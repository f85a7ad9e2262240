//! `permutation`: means compared with those of other divisions of the same rows.

use super::draws::{draws, sorted};
use crate::ab::{Arms, Comparison, Needs, Question, Ratio, Test, Undefined};
use crate::stats::{Random, Tail, mean_of};

/// All divisions are counted one by one up to this many.
const MOST_DIVISIONS: u64 = 20_000;
/// Differences within this share of the rows' sizes are equal: they differ by rounding.
const SAME: f64 = 1e-12;

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
    fn has_interval(&self) -> bool {
        false
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
