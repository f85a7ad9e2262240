//! `kind = "ab_test"`: which of two model versions is better.

use async_trait::async_trait;

use super::super::document::JobDocument;
use super::super::evaluation::{Context, Evaluated};
use super::super::field::Section;
use super::super::review::Review;
use super::Kind;
use crate::queue::JobError;

mod checks;
mod declared;
mod evaluate;
mod gather;
mod section;

/// The kind.
pub struct AbTest;

#[async_trait]
impl Kind for AbTest {
    async fn evaluate(&self, document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
        evaluate::evaluate(document, context).await
    }

    fn name(&self) -> &'static str {
        "ab_test"
    }

    fn title(&self) -> &'static str {
        "A/B test"
    }

    fn summary(&self) -> &'static str {
        "Compares two versions of a model that share the traffic, and says when one is better."
    }

    fn section(&self) -> &'static Section {
        &section::SECTION
    }

    fn inputs(&self) -> &'static [&'static str] {
        &["current"]
    }

    fn also_reads(&self, document: &JobDocument) -> &'static [&'static str] {
        match &document.ab_test {
            Some(spec) if spec.variant_column.is_none() && document.data.reference.is_some() => &["reference"],
            _ => &[],
        }
    }

    fn check(&self, document: &JobDocument, review: &mut Review<'_>) {
        let Some(spec) = &document.ab_test else { return };
        checks::all(document, spec, review);
    }
}
