//! `kind = "drift"`: whether data, predictions or errors moved away from a reference.
//!
//! Here stands the entry; its keys are in `section`, what the tables cannot say in `check`, judging in `evaluate` (columns) and
//! `concept` (errors), and what people are told in `findings`.

use std::sync::Arc;

use async_trait::async_trait;

use super::super::document::{JobDocument, ReferencePolicy};
use super::super::evaluation::{Context, Evaluated};
use super::super::field::Section;
use super::super::inputs::Problem;
use super::super::judging::side::Side;
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

/// Opens the fixed reference of a job to be compared with many times; none when the job has another.
///
/// # Errors
/// See [`Problem`].
pub async fn keep_reference(document: &JobDocument, context: &Context) -> Result<Option<Arc<Side>>, Problem> {
    let is_fixed = document.drift.as_ref().is_some_and(|spec| spec.reference_policy() == ReferencePolicy::Fixed);
    if !is_fixed {
        return Ok(None);
    }
    Ok(Some(Arc::new(reference::fixed(document, context).await?.kept())))
}

/// Evaluates one of many runs of a job, against the reference that was kept for all of them.
///
/// # Errors
/// See [`Problem`].
pub async fn evaluate_with(
    document: &JobDocument,
    context: &Context,
    kept: Option<&Arc<Side>>,
) -> Result<Evaluated, Problem> {
    match &document.drift {
        Some(spec) => evaluate::judged(spec, document, context, kept).await,
        None => Err(Problem::Job(JobError::permanent("invalid_document", "the job has no [drift] section".to_owned()))),
    }
}

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
