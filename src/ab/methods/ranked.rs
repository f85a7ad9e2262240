//! What tests of ranks answer: they do not compare means, so there is no interval of the difference.

use crate::ab::{Arms, Comparison, Ratio, Undefined};
use crate::stats::Tails;

/// The comparison with these tails.
pub(super) fn ranked(arms: &Arms, ratio: Option<Ratio>, statistic: f64, tails: Tails) -> Result<Comparison, Undefined> {
    let values = [arms.a().mean().unwrap_or(0.0), arms.b().mean().unwrap_or(0.0)];
    let difference = arms.a().difference_to(arms.b(), 0);
    let found = Comparison::normal(values, difference, statistic);
    Comparison { p_value: tails.two_sided, p_greater: tails.greater, p_less: tails.less, ratio, ..found }.finite()
}
