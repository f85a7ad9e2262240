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

/// Versions that a run's sentence names.
const NAMED: usize = 5;

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
        // A store that does not answer for one version must not keep the others unseen; it is tried again at the next tick.
        let mut unreachable = Vec::new();
        for version in &versions {
            match artefact::look(&context.storage, version).await {
                Ok(look) => looks.push(look),
                Err(registry::Error::Artefact(error)) => {
                    tracing::warn!(model = version.model_name, version = version.version, %error, "an artefact could not be reached");
                    unreachable.push((version, error));
                }
                Err(error) => return Err(JobError::permanent("invalid_document", error.to_string())),
            }
        }
        if let (true, Some((_, error))) = (looks.is_empty(), unreachable.first()) {
            return Err(JobError::transient(error.code(), error.to_string()));
        }
        let mut wrong: Vec<Wrong> = looks.iter().filter_map(wrong).collect();
        wrong.extend(unreachable.iter().map(|(version, error)| Wrong {
            model_name: version.model_name.clone(),
            version: version.version.clone(),
            status: "unreachable",
            detail: error.to_string(),
        }));
        let count = |status: &str| wrong.iter().filter(|one| one.status == status).count();
        let bytes_read = looks.iter().filter_map(|look| look.found.as_ref().ok()).map(|(_, size)| size).sum();
        Ok(Evaluated {
            outcome: if wrong.is_empty() { "ok" } else { "breached" }.to_owned(),
            summary: json!({
                "reason": reason(versions.len(), &wrong),
                "looked_at": looks.len(),
                "missing": count("missing"),
                "mismatch": count("mismatch"),
                "unreachable": count("unreachable"),
                "versions": wrong,
            }),
            rows: Rows::Artefacts(looks),
            findings: Vec::new(),
            complete_kinds: Vec::new(),
            bytes_read,
        })
    }
}

/// A version whose artefact is not what was registered.
#[derive(Debug, serde::Serialize)]
struct Wrong {
    model_name: String,
    version: String,
    status: &'static str,
    detail: String,
}

fn wrong(look: &artefact::Look) -> Option<Wrong> {
    let (status, detail) = match (&look.found, &look.version.artefact_digest) {
        (Err(problem), _) => ("missing", problem.clone()),
        (Ok((found, _)), Some(registered)) if found != registered => {
            ("mismatch", format!("{found} is there, {registered} is registered"))
        }
        _ => return None,
    };
    let (model_name, version) = (look.version.model_name.clone(), look.version.version.clone());
    Some(Wrong { model_name, version, status, detail })
}

/// What was found, in one sentence; it names the first ones, `versions` has all.
fn reason(looked_at: usize, wrong: &[Wrong]) -> String {
    let plural = if looked_at == 1 { "" } else { "s" };
    if wrong.is_empty() {
        return match looked_at {
            0 => "no version with a path is in these stages".to_owned(),
            1 => "the artefact of the one version is right".to_owned(),
            _ => format!("the artefacts of all {looked_at} versions are right"),
        };
    }
    let named = wrong.iter().take(NAMED).map(|one| {
        let (model, version, status, detail) = (&one.model_name, &one.version, one.status, &one.detail);
        format!("{model} {version}: {status}, {detail}")
    });
    let mut text = format!("{} of {looked_at} artefact{plural} failed: ", wrong.len());
    text.push_str(&named.collect::<Vec<_>>().join("; "));
    if wrong.len() > NAMED {
        text.push_str(&format!("; and {} more", wrong.len() - NAMED));
    }
    text
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
