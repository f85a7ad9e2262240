//! Evaluating an A/B run: both arms so far, one more look, a decision.
//!
//! Looks are cumulative: every one is over `[starts, cut-off)`. The plan that was frozen when the test started is what decides, whatever
//! the document says by now. The first final decision stands and is told once; the test goes on being looked at until its horizon,
//! which concludes it: the first look whose window ends at or after it. Only the ticks of the schedule (in the present or in a
//! replay) decide. A run that somebody asked for, over whatever window, is kept as a look with its numbers and decides, ends,
//! tells and uses up nothing. Before both arms have their rows, and when no row came since the last look, a run says so and
//! takes no look. Nothing is promoted by itself.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::declared::declared;
use super::gather::{self, Gathered, gather};
use crate::ab::PastLook;
use crate::db::ab_tests::objects;
use crate::db::ab_tests::register::{self, TestRow};
use crate::jobs::document::{AbSpec, ArmSpec, JobDocument};
use crate::jobs::evaluation::{Context, Evaluated, Rows};
use crate::queue::{self, JobError, Trigger};
use crate::registry::ab_tests::judge::{Judged, Question, past};
use crate::registry::ab_tests::run::{NewLook, RunLook};
use crate::registry::ab_tests::{Rules, told};

/// What is known of the test before the data is read.
struct Standing {
    test: Option<TestRow>,
    /// What decides.
    rules: Rules,
    /// Where the document says otherwise.
    differences: Vec<String>,
    /// Looks that used something up.
    past: Vec<PastLook>,
    /// Share of the planned time at this look.
    share: Option<f64>,
    /// Whether the test has not yet run as long as agreed.
    below_min_duration: bool,
    /// The rows of the latest look.
    latest: Option<(i32, String)>,
    /// Whether somebody asked for this run.
    by_hand: bool,
    /// Whether the window reaches the horizon.
    is_final: bool,
}

/// Looks at the test once more.
pub(super) async fn evaluate(document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
    let Some(spec) = &document.ab_test else {
        return Err(JobError::permanent("invalid_document", "an A/B job needs [ab_test]"));
    };
    let mut conn = context.pool.acquire().await?;
    let test = register::by_name(&mut conn, &spec.test).await?;
    if let Some(test) = test.as_ref().filter(|test| test.status != "running") {
        return Ok(nothing(format!("A/B test {} is {}; there is nothing to evaluate", spec.test, test.status)));
    }
    if let Some((_, end)) = context.window.filter(|(start, end)| start >= end) {
        return Ok(nothing(format!("A/B test {}: no row from before {end} can have its outcome yet", spec.test)));
    }
    let known = match &test {
        Some(test) => objects::known(&mut conn, test.id).await?,
        None => Vec::new(),
    };
    let standing = standing(&mut conn, document, spec, context, test).await?;
    drop(conn);
    let plan = gather::plan(spec, &standing.rules).map_err(|name| {
        let message = format!(
            "the plan of A/B test {} has the metric `{name}`, which is frozen; this job no longer says where it stands: name it \
             again, or give the test a new name",
            spec.test
        );
        JobError::permanent("ab_plan_differs", message)
    })?;
    let gathered = match gather(document, spec, &plan, context, &known).await {
        Ok(gathered) => gathered,
        Err(problem) => return problem.into_evaluated(),
    };
    let question = Question {
        past: standing.past.clone(),
        share: standing.share,
        below_min_duration: standing.below_min_duration,
        is_final: standing.is_final,
        is_glance: standing.by_hand,
        ..Question::of_rows(&standing.rules, gathered.rows.collect())
    };
    let judged = question.judge().map_err(|error| JobError::permanent("invalid_document", error.to_string()))?;
    Ok(evaluated(document, spec, context, &standing, gathered, judged))
}

async fn standing(
    conn: &mut sqlx::PgConnection,
    document: &JobDocument,
    spec: &AbSpec,
    context: &Context,
    test: Option<TestRow>,
) -> Result<Standing, JobError> {
    let declared = declared(document, spec);
    let mut standing = Standing {
        rules: declared.clone(),
        differences: Vec::new(),
        past: Vec::new(),
        share: None,
        below_min_duration: false,
        latest: None,
        by_hand: by_hand(context).await?,
        is_final: false,
        test: None,
    };
    if let Some(test) = test {
        let (a, b) = (version(document, &spec.control), version(document, &spec.treatment));
        let of_test = [
            (test.model_a_name.as_str(), test.model_a_version.as_str()),
            (test.model_b_name.as_str(), test.model_b_version.as_str()),
        ];
        if of_test != [(a.0.as_str(), a.1.as_str()), (b.0.as_str(), b.1.as_str())] || test.success_metric != spec.metric
        {
            let [a, b] = of_test.map(|(name, version)| format!("{name} {version}"));
            let message = format!(
                "A/B test {} compares {} of {a} with that of {b}, which is frozen; this job compares something else: give its test \
                 a new name",
                test.test_name, test.success_metric
            );
            return Err(JobError::permanent("ab_plan_differs", message));
        }
        let frozen = Rules::of(&test);
        if frozen.same_rows != declared.same_rows {
            let rows = |same: bool| if same { "the same rows" } else { "rows of their own" };
            let message = format!(
                "the arms of A/B test {} stand in {}, which is frozen; this job has them in {}: give its test a new name",
                test.test_name,
                rows(frozen.same_rows),
                rows(declared.same_rows)
            );
            return Err(JobError::permanent("ab_plan_differs", message));
        }
        standing.differences = frozen.differences(&declared);
        let planned_looks = frozen.planned_looks.or(declared.planned_looks);
        standing.rules = Rules { planned_looks, ends: frozen.ends.or(declared.ends), ..frozen };
        standing.past = register::spent(conn, test.id).await?.iter().map(past).collect();
        let latest = register::latest(conn, test.id).await?;
        standing.latest = latest.and_then(|l| Some((l.look, l.details["rows_digest"].as_str()?.to_owned())));
        standing.test = Some(test);
    }
    let until = context.window.map(|(_, end)| end).or(context.run.tick_at);
    // Without a horizon of its own a test is over after a month: what is compared changes meanwhile.
    let begun = standing.rules.starts.or(standing.test.as_ref().and_then(|test| test.started_at));
    let longest = begun.map(|begun| begun + chrono::Duration::days(i64::from(crate::ab::LONGEST_DAYS)));
    let reached = standing.rules.ends.or(longest).zip(until).is_some_and(|(ends, until)| until >= ends);
    standing.is_final = reached && !standing.by_hand;
    standing.share = share(&standing, until);
    let run = begun.zip(until).map_or(0, |(begun, until)| (until - begun).num_seconds());
    standing.below_min_duration = standing.rules.min_duration_seconds.is_some_and(|least| run < least);
    Ok(standing)
}

/// The share of the planned time that has passed; the horizon is all of it. None without a planned end.
fn share(standing: &Standing, until: Option<DateTime<Utc>>) -> Option<f64> {
    let (starts, ends, until) = (standing.rules.starts?, standing.rules.ends?, until?);
    standing.rules.planned_looks?;
    let share = (until - starts).as_seconds_f64() / (ends - starts).as_seconds_f64();
    let share = if standing.is_final { 1.0 } else { share };
    (share > 0.0 && share <= 1.0).then_some(share)
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

fn evaluated(
    document: &JobDocument,
    spec: &AbSpec,
    context: &Context,
    standing: &Standing,
    gathered: Gathered,
    mut judged: Judged,
) -> Evaluated {
    let digest = gathered.rows.digest();
    let evaluation = &judged.evaluation;
    let rows = format!("{} rows of A and {} of B", evaluation.n_a, evaluation.n_b);
    let is_due = standing.is_final || standing.by_hand;
    // Why no look is taken, if none is.
    let waits = match (&standing.latest, evaluation.reason) {
        _ if is_due => None,
        (_, "below_min_samples") => Some(format!(
            "Nothing is looked at before each arm has {} rows ({rows} are there); this used nothing of the plan up.",
            standing.rules.min_samples
        )),
        (Some((look, before)), _) if *before == digest => {
            Some(format!("No row came since look {look} ({rows}); this used nothing of the plan up."))
        }
        _ => None,
    };
    let reason = match (&waits, evaluation.reason) {
        (Some(waits), _) => waits.clone(),
        (None, "unplanned_look") if standing.by_hand => format!(
            "A look that somebody asks for decides nothing, only those of the schedule do; p is {} with {rows}.",
            evaluation.p_in_words(),
        ),
        _ => evaluation.sentence(),
    };
    let objects = json!({
        "read": gathered.read.len(), "kept": gathered.kept, "read_again": gathered.changed, "gone": gathered.gone.len(),
    });
    judged.details["rows_digest"] = json!(digest);
    judged.details["objects"] = objects.clone();
    let decision = if waits.is_some() { "CONTINUE" } else { evaluation.decision.as_str() };
    let arms = [version(document, &spec.control), version(document, &spec.treatment)];
    let named = arms.clone().map(|(name, version)| format!("{name} {version}"));
    let standing_decision = standing.test.as_ref().filter(|test| test.decided_at.is_some());
    let tells = waits.is_none() && !standing.by_hand;
    let finding =
        tells.then(|| told::of_look(&spec.test, &standing.rules, &judged, [&named[0], &named[1]], standing_decision));
    let [a, b] = &arms;
    let look = waits.is_none().then(|| NewLook {
        row: crate::db::ab_tests::LookRow {
            window: context.window,
            run_id: Some(context.run.id),
            ..judged.row(reason.clone())
        },
        decided: judged.is_decision() && !standing.by_hand,
        concluded: standing.is_final,
    });
    Evaluated {
        outcome: decision.to_lowercase(),
        summary: summary(spec, standing, &judged, decision, &reason, objects),
        rows: Rows::AbTest(Box::new(RunLook {
            plan: standing.rules.plan(&spec.test, (&a.0, &a.1), (&b.0, &b.1)),
            looks: standing.test.as_ref().map_or(0, |test| test.looks),
            look,
            read: gathered.read,
            gone: gathered.gone,
        })),
        complete_kinds: if tells { vec![told::KIND] } else { Vec::new() },
        findings: finding.into_iter().collect(),
        bytes_read: gathered.bytes_read,
    }
}

fn summary(spec: &AbSpec, standing: &Standing, judged: &Judged, decision: &str, reason: &str, objects: Value) -> Value {
    let evaluation = &judged.evaluation;
    let mut summary = json!({
        "test": spec.test,
        "decision": decision,
        "reason": reason,
        "n_a": evaluation.n_a,
        "n_b": evaluation.n_b,
        "relative_improvement": evaluation.relative_improvement,
        "p_value": evaluation.p_value,
        "missing_a": evaluation.dropped_a,
        "missing_b": evaluation.dropped_b,
        "unknown_variants": judged.details["data"]["unknown_variants"],
    });
    if objects["read_again"].as_array().is_some_and(|names| !names.is_empty()) {
        summary["read_again"] = objects["read_again"].clone();
    }
    for (key, label) in [("in_both", "units_in_both_arms"), ("duplicates", "duplicates")] {
        if judged.details["data"][key].as_u64().is_some_and(|n| n > 0) {
            summary[label] = judged.details["data"][key].clone();
        }
    }
    if !standing.differences.is_empty() {
        summary["frozen"] = json!(standing.differences);
    }
    summary
}

/// Name and version of an arm.
fn version(document: &JobDocument, arm: &ArmSpec) -> (String, String) {
    let name = arm.model.clone().or_else(|| document.model.as_ref().map(|m| m.name.clone()));
    (name.unwrap_or_else(|| document.name.clone()), arm.version.clone())
}

/// A run that looks at nothing.
fn nothing(reason: String) -> Evaluated {
    Evaluated {
        outcome: "skipped".to_owned(),
        summary: json!({ "reason": reason }),
        rows: Rows::None,
        findings: Vec::new(),
        complete_kinds: Vec::new(),
        bytes_read: 0,
    }
}
