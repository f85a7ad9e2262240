//! `ab_test_won`: the version won its latest concluded A/B test.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{Gate, Question, Verdict, options, unreadable};
use crate::db::model_evidence;

/// The gate.
pub struct AbTestWon;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Name of the test.
    test: Option<String>,
}

#[async_trait]
impl Gate for AbTestWon {
    fn name(&self) -> &'static str {
        "ab_test_won"
    }

    fn summary(&self) -> &'static str {
        "The version won the A/B test that it took part in and that was concluded last, or the one named by `test`."
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
        let version = question.version;
        let test = options.test.as_deref();
        let found = model_evidence::concluded_test(conn, &version.model_name, &version.version, test).await?;
        let Some(found) = found else {
            let which = test.map_or_else(|| "no A/B test".to_owned(), |test| format!("A/B test {test:?} is none that"));
            return Ok(Verdict::no(format!("{which} of this version has been concluded"), json!({})));
        };
        let evidence = json!({ "test": found });
        // A decision that stood before does not outlive data that turned out to be wrong.
        if let Some(invalid) = found.latest_look.as_deref().filter(|look| look.starts_with("INVALID_")) {
            let why = format!("the data of {} could not be trusted at its latest look ({invalid})", found.test_name);
            return Ok(Verdict::no(why, evidence));
        }
        Ok(match &found.winner {
            Some(winner) if *winner == found.arm => Verdict::yes(format!("it won {}", found.test_name), evidence),
            Some(_) => Verdict::no(format!("it lost {}", found.test_name), evidence),
            None => Verdict::no(format!("{} has no winner", found.test_name), evidence),
        })
    }
}
