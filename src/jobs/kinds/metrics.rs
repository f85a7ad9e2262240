//! `kind = "metrics"`: how good predictions are, against labels.
//!
//! Here stands the entry; its keys are in `section`, what the tables cannot say in `check`, judging in `evaluate`, what is compared with
//! in `baseline`, and what people are told in `findings`.

use async_trait::async_trait;

use super::super::document::{CompareWith, JobDocument};
use super::super::evaluation::{Context, Evaluated};
use super::super::field::Section;
use super::super::review::Review;
use super::Kind;
use crate::queue::JobError;

mod baseline;
mod check;
mod evaluate;
mod findings;
mod section;

/// The kind.
pub struct Metrics;

#[async_trait]
impl Kind for Metrics {
    async fn evaluate(&self, document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
        evaluate::evaluate(document, context).await
    }

    fn name(&self) -> &'static str {
        "metrics"
    }

    fn title(&self) -> &'static str {
        "Validation metrics"
    }

    fn summary(&self) -> &'static str {
        "Compares predictions with labels, stores the metrics, and alerts when one leaves its bounds or changes too much."
    }

    fn section(&self) -> &'static Section {
        &section::METRICS
    }

    fn inputs(&self) -> &'static [&'static str] {
        &["current"]
    }

    fn also_reads(&self, document: &JobDocument) -> &'static [&'static str] {
        let has_reference = document.data.reference.is_some();
        let with = document.metrics.as_ref().and_then(|spec| spec.compares_with(has_reference));
        // A mistake in `id` is told there, not as a superfluous dataset.
        let labels = document.data.labels.is_some() || document.metrics.as_ref().is_some_and(|m| !m.id.is_empty());
        match (with == Some(CompareWith::Reference), labels) {
            (true, true) => &["reference", "labels"],
            (true, false) => &["reference"],
            (false, true) => &["labels"],
            (false, false) => &[],
        }
    }

    fn check(&self, document: &JobDocument, review: &mut Review<'_>) {
        if let Some(spec) = &document.metrics {
            check::check(spec, document, review);
        }
    }
}
