//! `kind = "artefact"`: whether the bytes of registered versions are what they were.
//!
//! What is wrong is told by the registry, one incident a version whichever job looked; so a run has no findings of its own.

use async_trait::async_trait;
use serde_json::json;

use super::super::diagnostic::Code;
use super::super::document::JobDocument;
use super::super::evaluation::{Context, Evaluated, Rows};
use super::super::field::{Choice, Field, Presence, Section, Shape};
use super::super::review::Review;
use super::Kind;
use crate::queue::JobError;
use crate::registry::{self, ListFilter, ModelVersion, artefact};

/// The kind.
pub struct Artefact;

/// Versions asked for at a time.
const PAGE: u32 = 500;

static SECTION: Section = Section {
    name: "artefact",
    doc: "Which versions are looked at. `model` narrows it to one model, or to one version.",
    fields: &[Field {
        key: "stages",
        shape: Shape::List(&Shape::Choice(&[
            Choice { word: "development", doc: "in development" },
            Choice { word: "staging", doc: "before production" },
            Choice { word: "production", doc: "in production" },
            Choice { word: "archived", doc: "out of use" },
        ])),
        doc: "The stages whose versions are looked at.",
        presence: Presence::Otherwise("all but archived"),
    }],
};

#[async_trait]
impl Kind for Artefact {
    fn name(&self) -> &'static str {
        "artefact"
    }

    fn title(&self) -> &'static str {
        "Artefacts"
    }

    fn summary(&self) -> &'static str {
        "Hashes the artefacts of registered versions; one that is missing or has changed is an incident until it is right again."
    }

    fn section(&self) -> &'static Section {
        &SECTION
    }

    fn inputs(&self) -> &'static [&'static str] {
        &[]
    }

    fn check(&self, document: &JobDocument, review: &mut Review<'_>) {
        if document.model.as_ref().is_some_and(|model| model.stage.is_some()) {
            review.at_key(&["model", "stage"], Code::Conflict, "an artefact job takes no `stage` of its model", |d| {
                d.hint("name the stages in `[artefact]`, as in `stages = [\"production\"]`")
            });
        }
    }

    async fn evaluate(&self, document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
        let versions = versions(document, context).await?;
        let mut looks = Vec::with_capacity(versions.len());
        for version in &versions {
            match artefact::look(&context.storage, version).await {
                Ok(look) => looks.push(look),
                Err(registry::Error::Artefact(error)) => {
                    return Err(JobError::transient(error.code(), error.to_string()));
                }
                Err(error) => return Err(JobError::permanent("invalid_document", error.to_string())),
            }
        }
        let count = |wanted: fn(&artefact::Look) -> bool| looks.iter().filter(|look| wanted(look)).count();
        let missing = count(|look| look.found.is_err());
        let mismatch = count(|look| match (&look.found, &look.version.artefact_digest) {
            (Ok((found, _)), Some(registered)) => found != registered,
            _ => false,
        });
        let bytes_read = looks.iter().filter_map(|look| look.found.as_ref().ok()).map(|(_, size)| size).sum();
        Ok(Evaluated {
            outcome: if missing + mismatch == 0 { "ok" } else { "breached" }.to_owned(),
            summary: json!({ "versions": looks.len(), "missing": missing, "mismatch": mismatch }),
            rows: Rows::Artefacts(looks),
            findings: Vec::new(),
            complete_kinds: Vec::new(),
            bytes_read,
        })
    }
}

/// The versions with a path that the document asks for.
async fn versions(document: &JobDocument, context: &Context) -> Result<Vec<ModelVersion>, JobError> {
    let stages = document.artefact.as_ref().map_or(&[][..], |spec| &spec.stages);
    let model = document.model.as_ref();
    let filter = ListFilter { name: model.map(|model| model.name.clone()), ..ListFilter::default() };
    let mut conn = context.pool.acquire().await?;
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (rows, next) = registry::list(&mut conn, &filter, after, PAGE).await.map_err(|error| match error {
            registry::Error::Database(error) => JobError::from(error),
            other => JobError::permanent("invalid_document", other.to_string()),
        })?;
        found.extend(rows.into_iter().filter(|row| {
            let wanted = model.and_then(|model| model.version.as_ref());
            // `none`: whoever registered it may not have it read.
            row.model_path.is_some()
                && row.artefact_status != "none"
                && match wanted {
                    Some(version) => *version == row.version,
                    None if stages.is_empty() => row.stage != "archived",
                    None => stages.contains(&row.stage),
                }
        }));
        after = next;
        if after.is_none() {
            return Ok(found);
        }
    }
}
