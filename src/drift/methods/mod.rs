//! The drift methods, one file each.
//!
//! Adding one: write `methods/<name>.rs` with a unit struct that implements [`super::Method`], declare it here, add it to
//! [`super::ALL`], and add its known answers under `tests/known_answers/`. Nothing else names methods.

pub mod chi_square;
pub mod ks_test;
pub mod psi;

use super::NotJudged;
use super::bins::{self, Binned};
use super::judge::{Options, Status};
use super::sample::Sample;

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

/// The error for a column that is numbers on one side and categories on the other.
pub(super) fn mixed_kinds(reference: &Sample) -> NotJudged {
    let (is, now) = if reference.is_categorical() { ("categories", "numbers") } else { ("numbers", "categories") };
    NotJudged {
        status: Status::SchemaError,
        reason: format!("type changed: the reference holds {is}, the current data {now}"),
    }
}
