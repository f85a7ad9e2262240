//! The exact test and interval of a share.

use super::beta::ln_incomplete_beta;
use super::gamma::ln_gamma;
use super::interval::Interval;
use super::solve::decreasing_root;
use super::tail::Tail;

/// Counts whose probabilities differ by less than this (relative) are equally likely: rounding must not split a tie.
const EQUALLY_LIKELY: f64 = 1e-7;

/// Two-sided exact p-value of `successes` of `trials` against the share `expected`: the probability of all counts that are no more likely
/// than the observed one.
///
/// `None` when `successes > trials` or `expected` is not in 0..=1. O(log n): the counts on the other side are found by bisection.
pub fn binomial_two_sided(successes: u64, trials: u64, expected: f64) -> Option<Tail> {
    if successes > trials || !(0.0..=1.0).contains(&expected) {
        return None;
    }
    if expected == 0.0 || expected == 1.0 {
        let certain = if expected == 0.0 { 0 } else { trials };
        return Some(if successes == certain { Tail::ONE } else { Tail::from_p(0.0) });
    }
    let bound = ln_mass(successes, trials, expected) + EQUALLY_LIKELY;
    let mean = trials as f64 * expected;
    let likely = |count: u64| ln_mass(count, trials, expected) > bound;
    let at = successes as f64;
    if at == mean {
        return Some(Tail::ONE);
    }
    // Beyond the mode the mass falls: the first count there that is no more likely.
    let mode = (((trials + 1) as f64 * expected).floor() as u64).min(trials);
    let p = if at < mean {
        let other = first(mode, trials + 1, |count| !likely(count));
        at_most(successes, trials, expected).p() + at_least(other, trials, expected).p()
    } else {
        let above = first(0, mode + 1, likely);
        at_least(successes, trials, expected).p()
            + if above == 0 { 0.0 } else { at_most(above - 1, trials, expected).p() }
    };
    if p > 1e-290 {
        return Some(Tail::from_p(p));
    }
    // So far out that one side is all there is to the precision of a logarithm.
    Some(if at < mean { at_most(successes, trials, expected) } else { at_least(successes, trials, expected) })
}

/// Clopper and Pearson's interval (1934, DOI 10.1093/biomet/26.4.404) at `confidence`: never too narrow, often too wide.
///
/// `None` without trials, with more successes than trials, or a confidence outside of 0..1.
pub fn clopper_pearson(successes: u64, trials: u64, confidence: f64) -> Option<Interval> {
    if trials == 0 || successes > trials || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let target = ((1.0 - confidence) / 2.0).ln();
    let share = successes as f64 / trials as f64;
    // At `low` the observed count or more has the tail's probability, at `high` the observed count or less.
    let low = if successes == 0 {
        0.0
    } else {
        decreasing_root(0.0, share, |share| target - at_least(successes, trials, share).ln())
    };
    let high = if successes == trials {
        1.0
    } else {
        decreasing_root(share, 1.0, |share| at_most(successes, trials, share).ln() - target)
    };
    Some(Interval { low, high })
}

/// `P(X <= count)`.
fn at_most(count: u64, trials: u64, share: f64) -> Tail {
    if count >= trials {
        return Tail::ONE;
    }
    // I_{1-p}(n - k, k + 1).
    Tail::from_ln(ln_incomplete_beta((trials - count) as f64, (count + 1) as f64, 1.0 - share, share).0)
}

/// `P(X >= count)`.
fn at_least(count: u64, trials: u64, share: f64) -> Tail {
    if count == 0 {
        return Tail::ONE;
    }
    if count > trials {
        return Tail::from_p(0.0);
    }
    Tail::from_ln(ln_incomplete_beta(count as f64, (trials - count + 1) as f64, share, 1.0 - share).0)
}

fn ln_mass(count: u64, trials: u64, share: f64) -> f64 {
    let (n, k) = (trials as f64, count as f64);
    let choose = ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
    choose + k * share.ln() + (n - k) * (-share).ln_1p()
}

/// The first count in `from..to` for which `holds`, `to` if none; it must hold from some count on.
fn first(mut from: u64, mut to: u64, holds: impl Fn(u64) -> bool) -> u64 {
    while from < to {
        let middle = from + (to - from) / 2;
        if holds(middle) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges() {
        assert_eq!(binomial_two_sided(3, 2, 0.5), None);
        assert_eq!(binomial_two_sided(1, 2, 1.5), None);
        assert_eq!(binomial_two_sided(0, 9, 0.0), Some(Tail::ONE));
        assert_eq!(binomial_two_sided(1, 9, 0.0).unwrap().p(), 0.0);
        assert_eq!(binomial_two_sided(5, 10, 0.5), Some(Tail::ONE));
        assert_eq!(clopper_pearson(0, 0, 0.95), None);
    }

    #[test]
    fn agrees_with_adding_up_the_masses() {
        for (trials, share) in [(1u64, 0.3), (7, 0.5), (40, 0.07), (40, 0.93), (61, 1.0 / 3.0)] {
            for successes in 0..=trials {
                let observed = ln_mass(successes, trials, share);
                let masses = (0..=trials).map(|count| ln_mass(count, trials, share));
                let p: f64 = masses.filter(|mass| *mass <= observed + 1e-7).map(f64::exp).sum();
                let got = binomial_two_sided(successes, trials, share).unwrap().p();
                assert!((got - p.min(1.0)).abs() < 1e-11, "{successes}/{trials} {share}: {got} {p}");
            }
        }
    }
}
