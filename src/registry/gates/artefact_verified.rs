//! `artefact_verified`: the registered bytes were hashed and are what they were.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{Gate, Question, Verdict, check_hours, hours_between, options, unreadable};

/// The gate.
pub struct ArtefactVerified;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    max_age_hours: Option<f64>,
}

#[async_trait]
impl Gate for ArtefactVerified {
    fn name(&self) -> &'static str {
        "artefact_verified"
    }

    fn summary(&self) -> &'static str {
        "The artefact's SHA-256 was computed and is the registered one, not longer than `max_age_hours` ago."
    }

    fn asked_of_rollback(&self) -> bool {
        true
    }

    fn check(&self, given: &Map<String, Value>) -> Result<(), String> {
        check_hours(options::<Options>(given)?.max_age_hours)
    }

    async fn judge(
        &self,
        _conn: &mut PgConnection,
        question: Question<'_>,
        given: &Map<String, Value>,
    ) -> Result<Verdict, sqlx::Error> {
        let options: Options = match options(given) {
            Ok(options) => options,
            Err(problem) => return Ok(unreadable(&problem)),
        };
        let version = question.version;
        let evidence = json!({
            "status": version.artefact_status,
            "digest": version.artefact_digest,
            "checked_at": version.artefact_checked_at,
        });
        let (Some(checked), "verified") = (version.artefact_checked_at, version.artefact_status.as_str()) else {
            let detail = version.artefact_detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            let sentence = match version.artefact_status.as_str() {
                "none" => "no artefact has been verified; register the version with its model_path".to_owned(),
                "pending" => "the artefact has not been verified yet".to_owned(),
                "missing" => format!("the artefact is missing{detail}"),
                other => format!("the artefact is not what was registered ({other}{detail})"),
            };
            return Ok(Verdict::no(sentence, evidence));
        };
        let age = hours_between(checked, question.at);
        Ok(match options.max_age_hours {
            Some(most) if age > most => {
                Verdict::no(format!("the artefact was verified {age:.1} hours ago; {most} are the most"), evidence)
            }
            _ => Verdict::yes("the artefact is what was registered", evidence),
        })
    }
}
