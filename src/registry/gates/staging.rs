//! Staging before production: a part of policies that answers like a gate.

use serde_json::json;
use sqlx::PgConnection;

use super::super::policy::Policy;
use super::super::stage::Stage;
use super::{GateAnswer, Question, hours_between};
use crate::db::model_history;

/// The name under which it answers.
const NAME: &str = "staging_first";

/// Whether the version is in staging, for long enough; nothing where the policy does not ask.
pub(in super::super) async fn judge(
    conn: &mut PgConnection,
    question: Question<'_>,
    policy: &Policy,
) -> Result<Option<GateAnswer>, sqlx::Error> {
    if !policy.staging_first {
        return Ok(None);
    }
    let version = question.version;
    let entered = if version.stage == Stage::Staging.as_str() {
        model_history::entered(conn, version.id, Stage::Staging.as_str()).await?
    } else {
        None
    };
    let (passed, detail) = match (entered, policy.min_hours_in_staging) {
        (None, _) => (false, format!("the version is in {}, not in staging", version.stage)),
        (Some(entered), Some(least)) => {
            let hours = hours_between(entered, question.at);
            (hours >= least, format!("the version has been in staging for {hours:.1} hours; {least} are needed"))
        }
        (Some(_), None) => (true, "the version is in staging".to_owned()),
    };
    Ok(Some(GateAnswer { gate: NAME.to_owned(), passed, detail, evidence: json!({ "in_staging_since": entered }) }))
}
