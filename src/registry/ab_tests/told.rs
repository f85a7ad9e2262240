//! What people are told of a test: that it has a decision or bad data, and how it ended. Once each.
//!
//! A decision and data that cannot be judged are an incident of the job that evaluates the test, or of `ab-test:<name>` where no job
//! does; the end of the test ends it. Written in the transaction of the change.

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::Setup;
use super::judge::Judged;
use super::rules::Rules;
use super::{Error, TestRow};
use crate::db::ab_tests::register;
use crate::db::incidents;
use crate::notify::text::BY_HAND;
use crate::notify::{self, Evaluation, Finding, FindingStatus, Severity};

/// The kind of all findings about a test.
pub const KIND: &str = "ab_decision";

/// What a look means for people; `standing` is the test where its decision stands already.
#[must_use]
pub fn of_look(test: &str, rules: &Rules, judged: &Judged, arms: [&str; 2], standing: Option<&TestRow>) -> Finding {
    let evaluation = &judged.evaluation;
    let found = evaluation.decision.as_str();
    let decision = standing.and_then(|test| test.decision.as_deref()).unwrap_or(found);
    let status = match (judged.is_decision() || judged.is_invalid(), judged.looks.is_final) {
        (_, true) => FindingStatus::Over,
        (true, false) => FindingStatus::Breach,
        // A decision stands, whatever a later look sees; data that can be judged again is good news.
        (false, false) if standing.is_some() => FindingStatus::Unknown,
        (false, false) => FindingStatus::Clear,
    };
    let sentence = match decision == found {
        true => evaluation.sentence(),
        false => format!("The decision stands; the last look found {found}. {}", evaluation.sentence()),
    };
    let ended = if judged.looks.is_final { " has ended" } else { "" };
    let winner = match standing {
        Some(test) => test.winner.clone(),
        None => evaluation.winner.map(|winner| winner.as_str().to_owned()),
    };
    let winner = winner.map(|winner| arms[usize::from(winner == "b")]);
    let mut evidence = json!({
        "method": rules.statistical_test,
        "metric": rules.metric,
        "decision": decision,
        "mean of A": evaluation.mean_a,
        "mean of B": evaluation.mean_b,
        "B is better by": evaluation.relative_improvement.map(|r| format!("{r:+.2} %")),
        "interval": evaluation.relative_improvement_ci.map(|[low, high]| format!("{low:+.2} % to {high:+.2} %")),
        "rows without an outcome": format!("{} of A, {} of B", evaluation.dropped_a, evaluation.dropped_b),
    });
    evidence["winner"] = json!(winner);
    let counted = if judged.details["data"]["units"].is_array() { "units" } else { "rows" };
    evidence[counted] = json!(format!("{} of A, {} of B", evaluation.n_a, evaluation.n_b));
    let verdicts = evaluation.guardrails.iter().map(|guardrail| format!("{} {}", guardrail.name, guardrail.verdict()));
    let verdicts: Vec<String> = verdicts.collect();
    if !verdicts.is_empty() {
        evidence["guardrails"] = json!(verdicts.join("; "));
    }
    Finding {
        kind: KIND,
        subject: test.to_owned(),
        status,
        // Data that cannot be judged is told at once: rows are being lost every hour.
        severity: if judged.is_invalid() { Severity::Warning } else { Severity::Info },
        title: format!("A/B test {test}{ended}: {decision}. {sentence}"),
        // A decision is no score that could be worse than another.
        score: None,
        threshold: None,
        evidence,
    }
}

/// What its end means for people, where no look ends it.
#[must_use]
pub fn of_end(test: &TestRow, last: Option<&register::ResultRow>, by: &str, reason: Option<&str>) -> Finding {
    let decision = test.decision.as_deref().unwrap_or("no decision");
    let version = |arm: &str| match arm {
        "b" => format!("{} {}", test.model_b_name, test.model_b_version),
        _ => format!("{} {}", test.model_a_name, test.model_a_version),
    };
    let how = if test.status == "cancelled" { "was cancelled" } else { "was concluded" };
    let said = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let title = match test.status.as_str() {
        "cancelled" => format!("A/B test {} was cancelled by {by}{said}", test.test_name),
        _ => format!("A/B test {} has ended: {decision}. It {how} by {by}{said}", test.test_name),
    };
    let mut evidence = json!({
        "method": test.statistical_test,
        "metric": test.success_metric,
        "A": version("a"),
        "B": version("b"),
        "decision": decision,
        "decided": test.decided_at,
        "ended by": by,
        "reason": reason,
        "looks": test.looks,
    });
    if let (Some(last), Value::Object(fields)) = (last, &mut evidence) {
        fields.insert("last look".to_owned(), json!(last.reason));
        fields.insert("rows".to_owned(), json!(format!("{} of A, {} of B", last.n_a, last.n_b)));
        let better = last.relative_improvement.map(|percent| format!("{percent:+.2} %"));
        fields.insert("B is better by".to_owned(), json!(better));
    }
    evidence["winner"] = json!(test.winner.as_deref().map(version));
    let status = if test.status == "cancelled" { FindingStatus::Clear } else { FindingStatus::Over };
    Finding {
        kind: KIND,
        subject: test.test_name.clone(),
        status,
        severity: Severity::Info,
        title,
        score: None,
        threshold: None,
        evidence,
    }
}

/// Tells of a test that somebody changed, rather than a run.
///
/// # Errors
/// The database's, or that of messages.
pub(super) async fn tell(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    test: &TestRow,
    rules: &Rules,
    finding: Finding,
) -> Result<(), Error> {
    let open = register::told_by(conn, &test.test_name).await?;
    let job_name = open.unwrap_or_else(|| format!("{BY_HAND}{}", test.test_name));
    let now = register::now(conn).await?;
    // Evaluations of a job are applied in the order of their times; a clock that was put back must not silence this one.
    let last = incidents::lock_evaluations(conn, &job_name).await?.map(|(at, _)| at);
    let evaluation = Evaluation {
        run_id: Uuid::new_v4(),
        job_id: None,
        job_name,
        job_kind: "ab_test".to_owned(),
        model: Some((test.model_b_name.clone(), Some(test.model_b_version.clone()))),
        at: last.map_or(now, |last| last.max(now)),
        window: None,
        queue: "default".to_owned(),
        channels: setup.settings.notify.iter().chain(&rules.notify).cloned().collect(),
        findings: vec![finding],
        complete: false,
        kinds: Vec::new(),
    };
    notify::apply(conn, setup.channels, &evaluation).await?;
    Ok(())
}
