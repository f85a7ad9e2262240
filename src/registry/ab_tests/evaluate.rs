//! Looking at a test with results that somebody posts.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::validation::FieldProblem;
use super::{Error, ResultRow, TestRow, changed, in_state};
use crate::ab::{self, Arms, Decision, Evaluation, Looks};
use crate::db::ab_tests::{self, LookRow, register};
use crate::db::audit::Actor;

/// Values of the success metric, each arm's in full: every look is over all results so far, not only over new ones.
/// A missing value is none; it counts as a row that was lost.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    /// Of model A.
    pub model_a_results: Vec<Option<f64>>,
    /// Of model B.
    pub model_b_results: Vec<Option<f64>>,
    /// Whether this is the last look: it decides, and ends the test.
    pub is_final: bool,
}

/// Judges the results, keeps the look, and moves the test on: the first final decision stands. A look beyond the plan decides
/// nothing: when it is the last one it ends the test, without a decision unless one stands already.
///
/// # Errors
/// [`Error::Invalid`] for no or infinite results, [`Error::NotFound`], [`Error::State`] unless it is running, the database's.
pub async fn evaluate(
    conn: &mut PgConnection,
    id: Uuid,
    observations: &Observations,
    actor: &Actor,
) -> Result<ResultRow, Error> {
    check("/model_a_results", &observations.model_a_results)?;
    check("/model_b_results", &observations.model_b_results)?;
    let test = in_state(conn, id, &["running"], "evaluated").await?;
    let plan = plan(&test)?;
    // Looks before both arms had their rows could not decide, so they used nothing of the level up.
    let spent = register::spent_looks(conn, id, test.min_samples).await?;
    let looks = Looks {
        look: u32::try_from(spent).unwrap_or(u32::MAX).saturating_add(1),
        planned: Some(planned_looks(&test)),
        is_final: observations.is_final,
    };
    let arms = Arms::of_rows(&observations.model_a_results, &observations.model_b_results);
    let mut evaluation = ab::evaluate(&plan, &arms, looks);
    if looks.is_final {
        evaluation = evaluation.at_the_end();
    }
    let row = LookRow { reason: reason(&evaluation, looks, &test), ..row(test.looks + 1, &evaluation, looks) };
    let decided = test.decision.is_none() && matches!(evaluation.decision, Decision::KeepA | Decision::ShipB);
    ab_tests::record_look(conn, id, &row, decided, observations.is_final).await?;
    let detail = json!({
        "look": row.look, "n_a": row.n_a, "n_b": row.n_b, "decision": row.decision, "winner": row.winner,
        "p_value": row.p_value, "relative_improvement": row.relative_improvement, "is_final": observations.is_final,
    });
    let result = register::result(conn, id, row.look).await?;
    changed(conn, id, "ab_test.evaluated", detail, actor).await?;
    Ok(result)
}

fn check(pointer: &str, values: &[Option<f64>]) -> Result<(), Error> {
    let wrong = |pointer: String, detail: &str| {
        Error::Invalid(vec![FieldProblem { item: 0, pointer, detail: detail.to_owned() }])
    };
    if values.is_empty() {
        return Err(wrong(pointer.to_owned(), "holds no result"));
    }
    if let Some(at) = values.iter().position(|value| value.is_some_and(|value| !value.is_finite())) {
        return Err(wrong(format!("{pointer}/{at}"), "must be a finite number, or null when it is missing"));
    }
    Ok(())
}

/// Why, and what is left of the plan after this look.
fn reason(evaluation: &Evaluation, looks: Looks, test: &TestRow) -> String {
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
        (false, "below_min_samples") => {
            format!("{sentence} Such an early look uses nothing up: look {look} of {planned} is still to come.")
        }
        (false, _) if look < planned => format!("{sentence} This is look {look} of {planned}."),
        (false, _) => format!(
            "{sentence} This is look {look} of {planned}: no planned look is left; post the last one with is_final to end \
             the test."
        ),
    }
}

fn planned_looks(test: &TestRow) -> u32 {
    let planned = test.plan.get("planned_looks").and_then(serde_json::Value::as_u64);
    planned.and_then(|looks| u32::try_from(looks).ok()).unwrap_or(1).max(1)
}

fn plan(test: &TestRow) -> Result<ab::Plan, Error> {
    let found = ab::test(&test.statistical_test).ok_or_else(|| Error::State {
        test: test.test_name.clone(),
        status: test.status.clone(),
        wanted: "evaluated",
        hint: format!("this program has no statistical test `{}`", test.statistical_test),
    })?;
    Ok(ab::Plan {
        test: found,
        significance_level: test.significance_level,
        success_threshold: test.success_threshold,
        lower_is_better: test.lower_is_better,
        min_samples: u64::try_from(test.min_samples).unwrap_or(0),
        traffic_split: test.traffic_split,
        seed: resampling_seed(test),
        ..ab::Plan::default()
    })
}

/// What tests that resample start from: the first digits of the test's own seed, so a look can be repeated.
fn resampling_seed(test: &TestRow) -> u64 {
    let seed = test.plan.get("seed").and_then(serde_json::Value::as_str).unwrap_or_default();
    seed.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

fn row(look: i32, evaluation: &Evaluation, looks: Looks) -> LookRow {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut details = serde_json::to_value(evaluation).unwrap_or_default();
    if let Some(fields) = details.as_object_mut() {
        fields.insert("planned_looks".to_owned(), json!(looks.planned));
        fields.insert("is_final".to_owned(), json!(looks.is_final));
    }
    LookRow {
        look,
        n_a: count(evaluation.n_a),
        n_b: count(evaluation.n_b),
        mean_a: evaluation.mean_a,
        mean_b: evaluation.mean_b,
        absolute_difference: evaluation.absolute_difference,
        difference_low: evaluation.difference_low,
        difference_high: evaluation.difference_high,
        relative_improvement: evaluation.relative_improvement,
        statistic: evaluation.statistic,
        degrees_of_freedom: evaluation.df,
        p_value: evaluation.p_value,
        log10_p_value: evaluation.log10_p_value,
        is_significant: evaluation.is_significant,
        meets_threshold: evaluation.meets_threshold.unwrap_or(false),
        decision: evaluation.decision.as_str().to_owned(),
        winner: evaluation.winner.map(|winner| winner.as_str().to_owned()),
        reason: evaluation.sentence(),
        details,
        window: None,
        run_id: None,
    }
}
