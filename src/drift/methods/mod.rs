//! The drift methods, one file each.
//!
//! Adding one: write `methods/<name>.rs` with a unit struct that implements [`super::Method`], declare it here, add it to
//! [`super::ALL`], and add its known answers under `tests/known_answers/`. Nothing else names methods.

pub mod anderson_darling;
pub mod chi_square;
pub mod cramer_von_mises;
pub mod energy;
pub mod hellinger;
pub mod jensen_shannon;
pub mod ks_test;
mod place;
pub mod psi;
pub mod total_variation;
pub mod wasserstein;

use serde_json::json;

use super::bins::{self, Binned};
use super::judge::{Options, Status};
use super::sample::Sample;
use super::{Method, NotJudged, Score};
use crate::stats::{chi_square_upper_quantile, for_each_value, homogeneity};

/// Where fewer rows than this are expected in a bin of the smaller side, scores of unchanged data run higher than the chi-square
/// distribution says: 1.8 % of them above its 99 % point at ten.
const SPARSE: f64 = 15.0;

/// Counts both sides on common bins; the beginning of every method that works on bins.
fn binned(reference: &Sample, current: &Sample, options: &Options) -> Result<Binned, NotJudged> {
    match (reference, current) {
        (Sample::Numeric(reference), Sample::Numeric(current)) => {
            Ok(bins::numeric(reference, current, options.bins, options.edges.as_deref()))
        }
        (Sample::Categorical(reference), Sample::Categorical(current)) => match bins::high_cardinality(reference) {
            Some(reason) => Err(NotJudged { status: Status::NotApplicable, reason }),
            None => Ok(bins::categorical(reference, current)),
        },
        _ => Err(mixed_kinds(reference)),
    }
}

/// The score of a method that is a function of the shares in each bin.
///
/// All of these are at most Cramer's V, so its 99 % quantile is a bound for theirs; where every bin has rows enough for the chi-square
/// distribution, `near` times it is the quantile itself, with `near` the ratio to V for small differences.
fn binned_shares(
    reference: &Sample,
    current: &Sample,
    options: &Options,
    near: f64,
    distance: impl Fn(Vec<(f64, f64)>) -> f64,
) -> Result<Score, NotJudged> {
    let binned = binned(reference, current, options)?;
    let (n, m) = binned.totals();
    let (n, m) = (n as f64, m as f64);
    let shares: Vec<(f64, f64)> =
        binned.bins.iter().map(|bin| (bin.reference as f64 / n, bin.current as f64 / m)).collect();
    let bins: Vec<_> = binned
        .bins
        .iter()
        .zip(&shares)
        .map(|(bin, (p, q))| {
            json!({ "label": bin.label, "low": bin.low, "high": bin.high, "reference": p, "current": q })
        })
        .collect();
    let test = homogeneity(binned.bins.iter().map(|bin| (bin.reference, bin.current)));
    let degrees = (binned.bins.len().max(2) - 1) as f64;
    let sparse = binned.bins.iter().any(|bin| (bin.reference + bin.current) as f64 * n.min(m) / (n + m) < SPARSE);
    let largest = (chi_square_upper_quantile(0.01, degrees).unwrap_or(0.0) / 4.0 * (1.0 / n + 1.0 / m)).sqrt();
    let new_share: f64 = binned.new_categories.iter().map(|category| category.share).sum();
    Ok(Score {
        value: distance(shares),
        p_value: test.map(|test| test.p_value),
        null_quantile: if sparse { largest } else { near * largest },
        details: json!({
            "bins": bins,
            "chi_square": test.map(|test| test.chi_square),
            "degrees_of_freedom": test.map(|test| test.degrees_of_freedom),
            "new_share": new_share,
            "new_categories": binned.new_categories.iter().take(chi_square::NAMED).collect::<Vec<_>>(),
        }),
    })
}

/// Both sides as ascending numbers, each with at least one.
fn numbers<'a>(
    method: &dyn Method,
    reference: &Sample<'a>,
    current: &Sample<'a>,
) -> Result<(&'a [f64], &'a [f64]), NotJudged> {
    let (Sample::Numeric(reference), Sample::Numeric(current)) = (reference, current) else {
        let reason = format!("{} compares numbers; use chi_square or psi for categories", method.name());
        return Err(NotJudged { status: Status::NotApplicable, reason });
    };
    if reference.sorted.is_empty() || current.sorted.is_empty() {
        let reason = "no present values to compare".to_owned();
        return Err(NotJudged { status: Status::InsufficientData, reason });
    }
    Ok((reference.sorted, current.sorted))
}

fn not_finite(method: &dyn Method) -> NotJudged {
    let reason = format!("{} has no finite score for these values", method.name());
    NotJudged { status: Status::NotApplicable, reason }
}

/// Infinite values of an ascending sample.
fn infinities(sorted: &[f64]) -> usize {
    let low = sorted.partition_point(|&value| value == f64::NEG_INFINITY);
    let high = sorted.len() - sorted.partition_point(|&value| value < f64::INFINITY);
    low + high
}

/// One step of both distribution functions, at one value, on the axis of their mean `H = (F + G) / 2`.
struct Step {
    /// `H` below the value.
    from: f64,
    /// `H` at the value.
    to: f64,
    /// `F - G` below the value.
    before: f64,
    /// `F - G` at the value.
    after: f64,
}

/// The steps of two ascending samples in order. Differences are formed from whole numbers: equal shares differ by exactly nothing.
#[inline]
fn heights(first: &[f64], second: &[f64], mut visit: impl FnMut(Step)) {
    let (n, m) = (first.len() as f64, second.len() as f64);
    let (mut from, mut before) = (0.0, 0.0);
    for_each_value(first, second, |_, i, j| {
        let (i, j) = (i as f64, j as f64);
        let (to, after) = ((i * m + j * n) / (2.0 * n * m), (i * m - j * n) / (n * m));
        visit(Step { from, to, before, after });
        (from, before) = (to, after);
    });
}

/// The error for a column that is numbers on one side and categories on the other.
pub(super) fn mixed_kinds(reference: &Sample) -> NotJudged {
    let (is, now) = if reference.is_categorical() { ("categories", "numbers") } else { ("numbers", "categories") };
    NotJudged {
        status: Status::SchemaError,
        reason: format!("type changed: the reference holds {is}, the current data {now}"),
    }
}
