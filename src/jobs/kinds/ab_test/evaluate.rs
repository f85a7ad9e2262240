//! Evaluating an A/B run: both arms so far, one more look, a decision.
//!
//! Looks are cumulative: every one is over `[starts, tick)`. The first final decision stands and is told once; the test
//! goes on being looked at until its horizon, which concludes it. Nothing is promoted by itself.

use serde_json::json;

use crate::ab::{self, Decision, Evaluation, Looks};
use crate::db::ab_tests::{self, LookRow, TestPlan};
use crate::jobs::document::{AbSpec, ArmSpec, JobDocument};
use crate::jobs::evaluation::{Context, Evaluated, Rows};
use crate::jobs::inputs::{self, Problem};
use crate::jobs::judging::ab_test::{Arm, Arms, Error, Measure, Plan, read};
use crate::notify::{Finding, FindingStatus, Severity};
use crate::queue::JobError;
use crate::schedule::{CronSchedule, ticks_between};

/// Looks at the test once more.
pub(super) async fn evaluate(document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
    let (Some(spec), Some(current)) = (&document.ab_test, &document.data.current) else {
        return Err(JobError::permanent("invalid_document", "an A/B job needs [ab_test] and data.current"));
    };
    let mut conn = context.pool.acquire().await?;
    let state = ab_tests::state(&mut conn, &spec.test).await?;
    drop(conn);
    if let Some(state) = &state
        && state.status != "running"
    {
        return Ok(not_running(spec, &state.status));
    }
    let data = match inputs::open(context, "current", current).await {
        Ok(dataset) => dataset,
        Err(problem) => return problem.into_evaluated(),
    };
    let arms = match read(&data, &plan(spec)).await {
        Ok(arms) => arms,
        Err(Error::Data(error)) => return inputs::problem("current", error).into_evaluated(),
        Err(error) => return Problem::Corrupt(error.to_string()).into_evaluated(),
    };
    let looks = looks(document, spec, context, state.as_ref().map_or(0, |s| s.looks));
    let evaluation = ab::evaluate(&ab_plan(spec)?, &arms.a, &arms.b, looks).with_unknown_variants(arms.unknown);
    Ok(evaluated(document, spec, &arms, &evaluation, looks, context, data.bytes_read()))
}

fn arm(arm: &ArmSpec) -> Arm {
    Arm { variant: arm.variant.clone(), score: arm.score.clone(), prediction: arm.prediction.clone() }
}

fn plan(spec: &AbSpec) -> Plan {
    Plan {
        variant_column: spec.variant_column.clone(),
        control: arm(&spec.control),
        treatment: arm(&spec.treatment),
        measure: match (&spec.outcome, &spec.label) {
            (Some(outcome), _) => Measure::Outcome(outcome.clone()),
            (None, label) => Measure::Loss { metric: spec.metric.clone(), label: label.clone().unwrap_or_default() },
        },
    }
}

fn ab_plan(spec: &AbSpec) -> Result<ab::Plan, JobError> {
    let test = ab::test(&spec.statistical_test).ok_or_else(|| {
        JobError::permanent("invalid_document", format!("there is no statistical test `{}`", spec.statistical_test))
    })?;
    Ok(ab::Plan {
        lower_is_better: spec.lower_is_better(),
        traffic_split: spec.traffic_split,
        min_samples: spec.min_samples,
        success_threshold: spec.success_threshold,
        significance_level: spec.significance_level,
        test,
        ..ab::Plan::default()
    })
}

/// Which look this is, how many the plan has, and whether it is the last one.
fn looks(document: &JobDocument, spec: &AbSpec, context: &Context, before: i32) -> Looks {
    let at = context.run.tick_at.unwrap_or_else(|| context.clock.now());
    let planned = match (&document.schedule, spec.starts, spec.ends) {
        (Some(cron), Some(starts), Some(ends)) => CronSchedule::parse(cron, &document.timezone).ok().map(|cron| {
            // The look that concludes is the first at or after the end.
            let inside = ticks_between(&cron, starts, ends).filter(|tick| *tick < ends).count();
            u32::try_from(inside + 1).unwrap_or(u32::MAX)
        }),
        _ => None,
    };
    Looks { look: u32::try_from(before).unwrap_or(0) + 1, planned, is_final: spec.ends.is_some_and(|ends| at >= ends) }
}

fn evaluated(
    document: &JobDocument,
    spec: &AbSpec,
    arms: &Arms,
    evaluation: &Evaluation,
    looks: Looks,
    context: &Context,
    bytes_read: u64,
) -> Evaluated {
    let decided = matches!(evaluation.decision, Decision::KeepA | Decision::ShipB) || looks.is_final;
    let decision = evaluation.decision.as_str();
    let details = serde_json::to_value(evaluation).unwrap_or_default();
    Evaluated {
        outcome: decision.to_lowercase(),
        summary: json!({
            "test": spec.test,
            "decision": decision,
            "reason": evaluation.sentence(),
            "n_a": evaluation.n_a,
            "n_b": evaluation.n_b,
            "relative_improvement": evaluation.relative_improvement,
            "p_value": evaluation.p_value,
            "missing_a": evaluation.dropped_a,
            "missing_b": evaluation.dropped_b,
            "unknown_variants": arms.unknown,
        }),
        rows: Rows::Look {
            plan: Box::new(test_plan(document, spec)),
            look: Box::new(row(evaluation, details, context)),
            decided,
            concluded: looks.is_final,
        },
        findings: vec![finding(spec, evaluation, decided, looks.is_final)],
        complete_kinds: vec!["ab_decision"],
        bytes_read,
    }
}

/// The decision is told when it is reached; the horizon ends the matter.
fn finding(spec: &AbSpec, evaluation: &Evaluation, decided: bool, concluded: bool) -> Finding {
    // Data that cannot be judged is told at once: rows are being lost every hour.
    let invalid = matches!(evaluation.decision, Decision::InvalidData | Decision::InvalidSrm);
    let told = decided || invalid;
    Finding {
        kind: "ab_decision",
        subject: spec.test.clone(),
        status: match (told, concluded) {
            (_, true) => FindingStatus::Clear,
            (true, false) => FindingStatus::Breach,
            (false, false) if evaluation.decision == Decision::Continue => FindingStatus::Clear,
            (false, false) => FindingStatus::Unknown,
        },
        severity: if invalid { Severity::Warning } else { Severity::Info },
        title: format!("A/B test {}: {}. {}", spec.test, evaluation.decision.as_str(), evaluation.sentence()),
        // A decision is no score that could be worse than another.
        score: None,
        threshold: None,
        evidence: json!({
            "method": spec.statistical_test,
            "metric": spec.metric,
            "decision": evaluation.decision.as_str(),
            "mean of A": evaluation.mean_a,
            "mean of B": evaluation.mean_b,
            "B is better by": evaluation.relative_improvement.map(|r| format!("{r:+.2} %")),
            "interval": evaluation.relative_improvement_ci.map(|[low, high]| format!("{low:+.2} % to {high:+.2} %")),
            "rows": format!("{} of A, {} of B", evaluation.n_a, evaluation.n_b),
            "rows without an outcome": format!("{} of A, {} of B", evaluation.dropped_a, evaluation.dropped_b),
        }),
    }
}

fn row(evaluation: &Evaluation, details: serde_json::Value, context: &Context) -> LookRow {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    LookRow {
        look: 0,
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
        winner: evaluation.winner.map(|w| w.as_str().to_owned()),
        reason: evaluation.sentence(),
        details,
        window: context.window,
        run_id: Some(context.run.id),
    }
}

fn test_plan(document: &JobDocument, spec: &AbSpec) -> TestPlan {
    let model = |arm: &ArmSpec| {
        let name = arm.model.clone().or_else(|| document.model.as_ref().map(|m| m.name.clone()));
        (name.unwrap_or_else(|| document.name.clone()), arm.version.clone())
    };
    TestPlan {
        test_name: spec.test.clone(),
        model_a: model(&spec.control),
        model_b: model(&spec.treatment),
        success_metric: spec.metric.clone(),
        lower_is_better: spec.lower_is_better(),
        traffic_split: spec.traffic_split,
        min_samples: i64::try_from(spec.min_samples).unwrap_or(i64::MAX),
        success_threshold: spec.success_threshold,
        statistical_test: spec.statistical_test.clone(),
        significance_level: spec.significance_level,
        plan: json!({ "starts": spec.starts, "ends": spec.ends, "schedule": document.schedule }),
    }
}

fn not_running(spec: &AbSpec, status: &str) -> Evaluated {
    Evaluated {
        outcome: "skipped".to_owned(),
        summary: json!({ "reason": format!("A/B test {} is {status}; there is nothing to evaluate", spec.test) }),
        rows: Rows::None,
        findings: Vec::new(),
        complete_kinds: Vec::new(),
        bytes_read: 0,
    }
}
