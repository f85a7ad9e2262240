//! `no_open_incidents`: nothing that is known to be wrong with the version is still so.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{Gate, Question, Verdict, options, unreadable};
use crate::db::model_evidence;
use crate::notify::Severity;

/// The gate.
pub struct NoOpenIncidents;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Incidents from here on count.
    severity: Option<Severity>,
}

#[async_trait]
impl Gate for NoOpenIncidents {
    fn name(&self) -> &'static str {
        "no_open_incidents"
    }

    fn summary(&self) -> &'static str {
        "No incident of the version, or of its model as a whole, from `severity` (default warning) on is unresolved."
    }

    fn check(&self, given: &Map<String, Value>) -> Result<(), String> {
        options::<Options>(given).map(drop)
    }

    async fn judge(
        &self,
        conn: &mut PgConnection,
        question: Question<'_>,
        given: &Map<String, Value>,
    ) -> Result<Verdict, sqlx::Error> {
        let options: Options = match options(given) {
            Ok(options) => options,
            Err(problem) => return Ok(unreadable(&problem)),
        };
        let from = options.severity.unwrap_or(Severity::Warning);
        let version = question.version;
        let mut live = model_evidence::live_incidents(conn, &version.model_name, &version.version).await?;
        live.retain(|incident| Severity::parse(&incident.severity) >= from);
        let evidence = json!({ "incidents": live });
        Ok(match live.first() {
            None => Verdict::yes("no incident is open", evidence),
            Some(first) if live.len() == 1 => Verdict::no(format!("an incident is open: {}", first.title), evidence),
            Some(first) => Verdict::no(format!("{} incidents are open, first: {}", live.len(), first.title), evidence),
        })
    }
}
