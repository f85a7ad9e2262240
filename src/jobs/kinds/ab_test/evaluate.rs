//! Evaluating an A/B run: both arms so far, one more look, a decision.
//!
//! Looks are cumulative: every one is over `[starts, tick)`. The first final decision stands and is told once; the test
//! goes on being looked at until its horizon, which concludes it: the first look whose window ends at or after it. Only the
//! ticks of the schedule (in the present or in a replay) decide. A run that somebody asked for, over whatever window, is
//! kept as a look with its numbers and decides, ends, tells and uses up nothing. Nothing is promoted by itself.

use serde_json::json;

use crate::ab::{self, Decision, Evaluation, Looks};
use crate::db::ab_tests::{self, LookRow, TestPlan};
use crate::jobs::document::{AbSpec, ArmSpec, JobDocument};
use crate::jobs::evaluation::{Context, Evaluated, Rows};
use crate::jobs::inputs::{self, Problem};
use crate::jobs::judging::ab_test::{Arm, Arms, Error, Measure, Plan, read};
use crate::notify::{Finding, FindingStatus, Severity};
use crate::queue::{self, JobError, Trigger};
use crate::schedule::{CronSchedule, ticks_between};

/// Looks at the test once more.
pub(super) async fn evaluate(document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
    let (Some(spec), Some(current)) = (&document.ab_test, &document.data.current) else {
        return Err(JobError::permanent("invalid_document", "an A/B job needs [ab_test] and data.current"));
    };
    let mut conn = context.pool.acquire().await?;
    let state = ab_tests::state(&mut conn, &spec.test).await?;
    let taken = match &state {
        Some(state) => ab_tests::scheduled_looks(&mut conn, state.id).await?,
        None => 0,
    };
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
    let looks = match by_hand(context).await? {
        true => Looks::GLANCE,
        false => looks(document, spec, context, taken),
    };
    let mut evaluation = ab::evaluate(&ab_plan(spec)?, &arms.arms, looks).with_unknown_variants(arms.unknown);
    if looks.is_final {
        evaluation = evaluation.at_the_end();
    }
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
        seed: resampling_seed(&spec.test),
        ..ab::Plan::default()
    })
}

/// What tests that resample start from: the test's name, so a run can be repeated.
fn resampling_seed(test: &str) -> u64 {
    (ab::bucket("resampling", test) * (1_u64 << 53) as f64) as u64
}

/// Whether somebody asked for this run, rather than the schedule; a repetition is what it repeats.
async fn by_hand(context: &Context) -> Result<bool, JobError> {
    let (mut trigger, mut parent) = (context.run.trigger.clone(), context.run.parent_id);
    while trigger == Trigger::Retry.as_str() {
        // A repeated run whose first one was cleared away is on nobody's schedule.
        let Some(id) = parent else { return Ok(true) };
        let Some(repeated) = queue::find(&context.pool, id).await? else { return Ok(true) };
        (trigger, parent) = (repeated.trigger, repeated.parent_id);
    }
    Ok(![Trigger::Schedule.as_str(), Trigger::Replay.as_str()].contains(&trigger.as_str()))
}

/// Which look this is, how many the plan has, and whether it is the last one: its window reaches the horizon.
fn looks(document: &JobDocument, spec: &AbSpec, context: &Context, before: i64) -> Looks {
    let until = context.window.map(|(_, end)| end).or(context.run.tick_at);
    let planned = match (&document.schedule, spec.starts, spec.ends) {
        (Some(cron), Some(starts), Some(ends)) => CronSchedule::parse(cron, &document.timezone).ok().map(|cron| {
            // The look that concludes is the first at or after the end.
            let inside = ticks_between(&cron, starts, ends).filter(|tick| *tick < ends).count();
            u32::try_from(inside + 1).unwrap_or(u32::MAX)
        }),
        _ => None,
    };
    Looks {
        look: u32::try_from(before).unwrap_or(0) + 1,
        planned,
        is_final: spec.ends.zip(until).is_some_and(|(ends, until)| until >= ends),
    }
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
    let by_hand = looks == Looks::GLANCE;
    let decided = matches!(evaluation.decision, Decision::KeepA | Decision::ShipB) || looks.is_final;
    let decision = evaluation.decision.as_str();
    let mut details = serde_json::to_value(evaluation).unwrap_or_default();
    details["by_hand"] = json!(by_hand);
    let reason = match evaluation.reason {
        "unplanned_look" if by_hand => format!(
            "A look that somebody asks for decides nothing, only those of the schedule do; p is {} with {} rows of A and {} of B.",
            evaluation.p_in_words(),
            evaluation.n_a,
            evaluation.n_b
        ),
        _ => evaluation.sentence(),
    };
    Evaluated {
        outcome: decision.to_lowercase(),
        summary: json!({
            "test": spec.test,
            "decision": decision,
            "reason": reason,
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
            look: Box::new(LookRow { reason, ..row(evaluation, details, context) }),
            decided: decided && !by_hand,
            concluded: looks.is_final,
        },
        findings: if by_hand { Vec::new() } else { vec![finding(spec, evaluation, decided, looks.is_final)] },
        complete_kinds: if by_hand { Vec::new() } else { vec!["ab_decision"] },
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
