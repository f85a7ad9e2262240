//! Looking at a test with results that somebody posts, now or row by row before.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::Setup;
use super::super::validation::FieldProblem;
use super::judge::{Judged, Question, past};
use super::posted::PostedResults;
use super::rules::Rules;
use super::{Error, ResultRow, TestRow, changed, in_state, observations, told};
use crate::db::ab_tests::{self, LookRow, exposures, register};
use crate::db::audit::Actor;
use crate::notify::FindingStatus;

/// What a look is taken on: each arm's results in full (every look is over all results so far), or everything that was kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// These results.
    Posted(Box<PostedResults>),
    /// The rows that were posted so far.
    Kept,
}

/// Judges the results, keeps the look, and moves the test on: the first final decision stands. A look beyond the plan decides
/// nothing: when it is the last one it ends the test, without a decision unless one stands already.
///
/// # Errors
/// [`Error::NotFound`], [`Error::State`] unless it is running, [`Error::Invalid`] for a test that this program does not have, the
/// database's or that of messages.
pub async fn evaluate(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    id: Uuid,
    evidence: &Evidence,
    is_final: bool,
    actor: &Actor,
) -> Result<ResultRow, Error> {
    let test = in_state(conn, id, &["running"], "evaluated").await?;
    let rules = Rules::of(&test);
    let mut question = match evidence {
        Evidence::Kept if rules.same_rows => {
            let detail = format!(
                "`{}` compares both models on the same rows, and rows that are kept are of one arm each: post both models' results",
                rules.statistical_test
            );
            return Err(Error::Invalid(vec![FieldProblem { item: 0, pointer: String::new(), detail }]));
        }
        Evidence::Kept => {
            let mut collected = observations::records(conn, id, &rules).await?.collect();
            let otherwise = exposures::posted_otherwise(conn, id).await?;
            collected.account.assigned_otherwise = u64::try_from(otherwise).unwrap_or(0);
            Question::of_rows(&rules, collected)
        }
        Evidence::Posted(results) => {
            let (observed, beside) = results.observed(&rules)?;
            // Where both models answered every row, nobody was assigned to one of them.
            let assigned = if rules.same_rows { None } else { assigned(conn, id).await? };
            Question { assigned, ..Question::of(&rules, observed, beside) }
        }
    };
    question.past = register::spent(conn, id).await?.iter().map(past).collect();
    question.below_min_duration = below_min_duration(conn, &rules, &test).await?;
    question.is_final = is_final;
    let judged = question.judge()?;
    let row = LookRow { look: test.looks + 1, ..judged.row(reason(&judged, &test)) };
    let decided = judged.is_decision();
    ab_tests::record_look(conn, id, &row, decided, is_final, &actor.name).await?;

    let arms = [
        format!("{} {}", test.model_a_name, test.model_a_version),
        format!("{} {}", test.model_b_name, test.model_b_version),
    ];
    let after = super::get(conn, id).await?;
    let standing = Some(&test).filter(|test| test.decided_at.is_some());
    let finding = told::of_look(&test.test_name, &rules, &judged, [&arms[0], &arms[1]], standing);
    let quiet = matches!(finding.status, FindingStatus::Clear | FindingStatus::Unknown);
    if !quiet || register::told_by(conn, &test.test_name).await?.is_some() {
        told::tell(conn, setup, &after, &rules, finding).await?;
    }
    let detail = json!({
        "look": row.look, "n_a": row.n_a, "n_b": row.n_b, "decision": row.decision, "winner": row.winner,
        "p_value": row.p_value, "relative_improvement": row.relative_improvement, "is_final": is_final,
    });
    let result = register::result(conn, id, row.look).await?;
    let after = changed(conn, id, "ab_test.evaluated", detail, actor).await?;
    if is_final {
        let detail = json!({ "decision": after.decision, "winner": after.winner });
        changed(conn, id, "ab_test.concluded", detail, actor).await?;
    }
    Ok(result)
}

/// Whether the test has not yet run as long as was agreed.
async fn below_min_duration(conn: &mut PgConnection, rules: &Rules, test: &TestRow) -> Result<bool, Error> {
    let Some((started, seconds)) = test.started_at.zip(rules.min_duration_seconds) else { return Ok(false) };
    let elapsed = register::now(conn).await? - started;
    Ok(elapsed.num_seconds() < seconds)
}

/// The units that were assigned, if any were: results without rows do not say whose they are.
async fn assigned(conn: &mut PgConnection, id: Uuid) -> Result<Option<[u64; 2]>, Error> {
    let [a, b] = exposures::counts(conn, id).await?.map(|n| u64::try_from(n).unwrap_or(0));
    Ok((a + b > 0).then_some([a, b]))
}

/// Why, and what is left of the plan after this look.
fn reason(judged: &Judged, test: &TestRow) -> String {
    let (evaluation, looks) = (&judged.evaluation, judged.looks);
    let sentence = evaluation.sentence();
    if evaluation.reason == "unplanned_look" {
        let numbers =
            format!("p is {} with {} rows of A and {} of B", evaluation.p_in_words(), evaluation.n_a, evaluation.n_b);
        let used = match looks.planned {
            Some(planned) if planned > 1 => format!("All {planned} planned looks are"),
            _ => "The planned look is".to_owned(),
        };
        let end = match (looks.is_final, &test.decision) {
            (false, _) => "no planned look is left; conclude the test".to_owned(),
            (true, Some(decision)) => format!("the test ends with {decision}, which stands"),
            (true, None) => "the test ends without a decision".to_owned(),
        };
        return format!("{used} used up, so this one decides nothing ({numbers}): {end}.");
    }
    if let Some(decision) = test.decision.as_deref().filter(|_| test.decided_at.is_some()) {
        return match decision == evaluation.decision.as_str() {
            true => format!("{sentence} {decision} stands."),
            false => format!(
                "{sentence} That changes nothing any more: {decision} was decided by an earlier look and stands."
            ),
        };
    }
    let look = looks.look;
    match looks.planned {
        _ if judged.is_decision() && !looks.is_final => {
            format!("{sentence} The decision stands, whatever later looks say: conclude the test.")
        }
        _ if looks.is_final => sentence,
        // Valid at every look: there is no plan that could be used up.
        None => sentence,
        Some(planned) if look > planned => sentence,
        Some(planned) if evaluation.level.is_none() && evaluation.reason != "waits_for_horizon" => {
            format!("{sentence} Such a look uses nothing up: look {look} of {planned} is still to come.")
        }
        Some(planned) if look < planned => format!("{sentence} This is look {look} of {planned}."),
        Some(1) => format!("{sentence} This was the planned look: conclude the test."),
        Some(planned) => format!("{sentence} This was the last of {planned} planned looks: conclude the test."),
    }
}
