//! `kind = "drift"`: whether data, predictions or errors moved away from a reference.
//!
//! Here stands the entry; its keys are in `section`, what the tables cannot say in `check`, judging in `evaluate` (columns) and
//! `concept` (errors), and what people are told in `findings`.

use async_trait::async_trait;

use super::super::document::{JobDocument, ReferencePolicy};
use super::super::evaluation::{Context, Evaluated};
use super::super::field::Section;
use super::super::review::Review;
use super::Kind;
use crate::queue::JobError;

mod check;
mod concept;
mod evaluate;
mod findings;
mod reference;
mod section;

/// The kind.
pub struct Drift;

#[async_trait]
impl Kind for Drift {
    async fn evaluate(&self, document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
        evaluate::evaluate(document, context).await
    }

    fn name(&self) -> &'static str {
        "drift"
    }

    fn title(&self) -> &'static str {
        "Drift"
    }

    fn summary(&self) -> &'static str {
        "Compares current data with a reference, column by column, and alerts when a score is above its threshold."
    }

    fn section(&self) -> &'static Section {
        &section::DRIFT
    }

    fn inputs(&self) -> &'static [&'static str] {
        &["current"]
    }

    fn also_reads(&self, document: &JobDocument) -> &'static [&'static str] {
        match &document.drift {
            Some(drift) if drift.reference_policy() != ReferencePolicy::Fixed => &[],
            _ => &["reference"],
        }
    }

    fn check(&self, document: &JobDocument, review: &mut Review<'_>) {
        if let Some(spec) = &document.drift {
            check::check(spec, document, review);
        }
    }
}
