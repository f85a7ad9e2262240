//! The kinds of job: one entry each, one file each.
//!
//! A kind declares its section as a field table and checks what the table cannot say (keys that need or exclude each
//! other, methods that do not fit a column). A new kind is one file here, one line in [`ALL`] and [`CHOICES`], and one
//! field of `JobDocument`; diagnostics, schema and reference page follow. How it
//! is evaluated stands in the folder of its name. Evaluating writes nothing: the runner commits.

use async_trait::async_trait;

use super::document::JobDocument;
use super::evaluation::{Context, Evaluated};
use super::field::{Choice, Section};
use super::review::Review;
use crate::queue::JobError;

pub mod ab_test;
pub mod artefact;
pub mod drift;
pub mod metrics;

/// A kind of job: what its documents say, and how a run of it is evaluated.
#[async_trait]
pub trait Kind: Sync {
    /// The word in documents, and the name of the kind's section.
    fn name(&self) -> &'static str;
    /// A few words for people.
    fn title(&self) -> &'static str;
    /// One sentence for people.
    fn summary(&self) -> &'static str;
    /// The keys of its section.
    fn section(&self) -> &'static Section;
    /// Which datasets it reads whatever its section says, of `reference` and `current`. It needs all of them.
    fn inputs(&self) -> &'static [&'static str];
    /// Which others this document needs.
    fn also_reads(&self, _document: &JobDocument) -> &'static [&'static str] {
        &[]
    }
    /// Checks what the field table cannot say. Keys that are wrong by the table are passed over by the review.
    fn check(&self, document: &JobDocument, review: &mut Review<'_>);
    /// Judges the data of a run.
    ///
    /// # Errors
    /// Says by its kind whether the run is retried, snoozed or failed. Data that is not there or cannot be read is not
    /// an error but an outcome.
    async fn evaluate(&self, document: &JobDocument, context: &Context) -> Result<Evaluated, JobError>;
}

/// Every kind, in the order in which people should meet them.
pub static ALL: &[&dyn Kind] = &[&drift::Drift, &metrics::Metrics, &ab_test::AbTest, &artefact::Artefact];

/// The words for `kind`; a test holds them equal to [`ALL`].
pub const CHOICES: &[Choice] = &[
    Choice { word: "drift", doc: "whether data or predictions moved away from a reference" },
    Choice { word: "metrics", doc: "how good predictions are, against labels" },
    Choice { word: "ab_test", doc: "which of two model versions is better" },
    Choice { word: "artefact", doc: "whether registered artefacts are what they were" },
];

/// The kind of that name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    ALL.iter().copied().find(|kind| kind.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choices_are_the_kinds() {
        let words: Vec<_> = CHOICES.iter().map(|c| c.word).collect();
        assert_eq!(words, ALL.iter().map(|k| k.name()).collect::<Vec<_>>());
        assert!(ALL.iter().all(|k| k.name() == k.section().name));
    }
}
