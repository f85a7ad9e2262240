//! Looking at a test with results that somebody posts, now or row by row before.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::Setup;
use super::judge::{Judged, Observed, Question};
use super::results::ArmResults;
use super::rules::Rules;
use super::{Error, ResultRow, TestRow, changed, in_state, observations, told};
use crate::db::ab_tests::{self, LookRow, exposures, register};
use crate::db::audit::Actor;
use crate::notify::FindingStatus;

/// What a look is taken on: each arm's results in full (every look is over all results so far), or everything that was kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// These results of A and of B.
    Posted(ArmResults, ArmResults),
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
        Evidence::Kept => {
            let rows = observations::records(conn, id).await?;
            Question::of_rows(&rules, rows.collect())
        }
        Evidence::Posted(a, b) => Question {
            observed: observed(a, b),
            account: None,
            assigned: assigned(conn, id).await?,
            ..Question::of_rows(&rules, Default::default())
        },
    };
    question.spent = u32::try_from(register::spent(conn, id).await?.len()).unwrap_or(u32::MAX);
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

fn observed(a: &ArmResults, b: &ArmResults) -> Observed {
    match (a, b) {
        (ArmResults::Values(a), ArmResults::Values(b)) => Observed::Values { a: a.clone(), b: b.clone() },
        _ => Observed::Moments(a.moments(), b.moments()),
    }
}

/// The units that were assigned, if any were: results without rows do not say whose they are.
async fn assigned(conn: &mut PgConnection, id: Uuid) -> Result<Option<[u64; 2]>, Error> {
    let [a, b] = exposures::counts(conn, id).await?.map(|n| u64::try_from(n).unwrap_or(0));
    Ok((a + b > 0).then_some([a, b]))
}

/// Why, and what is left of the plan after this look.
fn reason(judged: &Judged, test: &TestRow) -> String {
    let (evaluation, looks) = (&judged.evaluation, judged.looks);
    let planned = looks.planned.unwrap_or(1);
    let look = looks.look;
    if evaluation.reason == "unplanned_look" {
        let numbers =
            format!("p is {} with {} rows of A and {} of B", evaluation.p_in_words(), evaluation.n_a, evaluation.n_b);
        let used =
            if planned == 1 { "The planned look is".to_owned() } else { format!("All {planned} planned looks are") };
        return match (looks.is_final, &test.decision) {
            (false, _) => format!(
                "{used} used up, so this one decides nothing ({numbers}): no planned look is left; post the last one with \
                 is_final to end the test."
            ),
            (true, Some(decision)) => {
                format!(
                    "{used} used up, so this one decides nothing ({numbers}): the test ends with {decision}, which stands."
                )
            }
            (true, None) => {
                format!("{used} used up, so this one decides nothing ({numbers}): the test ends without a decision.")
            }
        };
    }
    let sentence = evaluation.sentence();
    match (looks.is_final, evaluation.reason) {
        (true, _) => sentence,
        // Valid at every look: there is no plan that could be used up.
        _ if looks.planned.is_none() => sentence,
        (false, "below_min_samples") => {
            format!("{sentence} Such an early look uses nothing up: look {look} of {planned} is still to come.")
        }
        (false, _) if judged.is_invalid() => {
            format!("{sentence} Such a look uses nothing up: look {look} of {planned} is still to come.")
        }
        (false, _) if look < planned => format!("{sentence} This is look {look} of {planned}."),
        (false, _) => format!(
            "{sentence} This is look {look} of {planned}: no planned look is left; post the last one with is_final to end \
             the test."
        ),
    }
}
