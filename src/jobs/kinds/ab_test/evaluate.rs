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

use super::gather::{Gathered, gather};
use crate::db::ab_tests::objects;
use crate::db::ab_tests::register::{self, Spent, TestRow};
use crate::jobs::document::{AbSpec, ArmSpec, JobDocument};
use crate::jobs::evaluation::{Context, Evaluated, Rows};
use crate::queue::{self, JobError, Trigger};
use crate::registry::ab_tests::judge::{Judged, Question};
use crate::registry::ab_tests::run::{NewLook, RunLook};
use crate::registry::ab_tests::{Rules, seed_of, told};
use crate::schedule::{CronSchedule, ticks_between};

/// What is known of the test before the data is read.
struct Standing {
    test: Option<TestRow>,
    /// What decides.
    rules: Rules,
    /// Where the document says otherwise.
    differences: Vec<String>,
    /// Looks that used something up.
    spent: u32,
    /// Shares of the planned time at those looks, and now.
    fractions: Option<Vec<f64>>,
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
    let gathered = match gather(document, spec, context, &known).await {
        Ok(gathered) => gathered,
        Err(problem) => return problem.into_evaluated(),
    };
    let question = Question {
        spent: standing.spent,
        fractions: standing.fractions.clone(),
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
        spent: 0,
        fractions: None,
        latest: None,
        by_hand: by_hand(context).await?,
        is_final: false,
        test: None,
    };
    let mut spent = Vec::new();
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
        standing.differences = frozen.differences(&declared);
        let planned_looks = frozen.planned_looks.or(declared.planned_looks);
        standing.rules = Rules { planned_looks, ends: frozen.ends.or(declared.ends), ..frozen };
        spent = register::spent(conn, test.id).await?;
        standing.spent = u32::try_from(spent.len()).unwrap_or(u32::MAX);
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
    standing.fractions = fractions(&standing, &spent, until);
    Ok(standing)
}

/// Which shares of the planned time the looks so far had, and this one has; the horizon is all of it. None without a planned end, or
/// where looks do not rise.
fn fractions(standing: &Standing, spent: &[Spent], until: Option<DateTime<Utc>>) -> Option<Vec<f64>> {
    let (starts, ends, until) = (standing.rules.starts?, standing.rules.ends?, until?);
    let planned = standing.rules.planned_looks?;
    let whole = (ends - starts).as_seconds_f64();
    let share = if standing.is_final { 1.0 } else { (until - starts).as_seconds_f64() / whole };
    // Looks from before shares were kept are taken to be equally far apart.
    let before = spent.iter().zip(1u32..).map(|(look, number)| {
        look.details["information"].as_f64().unwrap_or(f64::from(number) / f64::from(planned.max(1)))
    });
    let all: Vec<f64> = before.chain([share]).collect();
    let rise = all.windows(2).all(|pair| pair[0] < pair[1]) && all.iter().all(|share| *share > 0.0 && *share <= 1.0);
    rise.then_some(all)
}

/// The plan as the document has it.
fn declared(document: &JobDocument, spec: &AbSpec) -> Rules {
    Rules {
        metric: spec.metric.clone(),
        lower_is_better: spec.lower_is_better(),
        statistical_test: spec.statistical_test.clone(),
        significance_level: spec.significance_level,
        min_samples: i64::try_from(spec.min_samples).unwrap_or(i64::MAX),
        success_threshold: spec.success_threshold,
        traffic_split: spec.traffic_split,
        planned_looks: planned_looks(document, spec),
        starts: spec.starts,
        ends: spec.ends,
        schedule: document.schedule.clone(),
        timezone: document.schedule.as_ref().map(|_| document.timezone.clone()),
        label_delay_seconds: spec.label_delay_seconds,
        unit_column: spec.unit_column.clone(),
        seed: seed_of(&spec.test),
        notify: document.notify.clone(),
        ..Rules::default()
    }
}

/// How many looks the schedule takes between start and end, the one that concludes included; none when nothing says it.
fn planned_looks(document: &JobDocument, spec: &AbSpec) -> Option<u32> {
    let (cron, starts, ends) = (document.schedule.as_ref()?, spec.starts?, spec.ends?);
    let cron = CronSchedule::parse(cron, &document.timezone).ok()?;
    // A tick sees rows that are older than the delay.
    let delay = chrono::Duration::seconds(spec.label_delay_seconds.unwrap_or(0));
    let ends = ends + delay;
    let inside = ticks_between(&cron, starts + delay, ends).filter(|tick| *tick < ends).count();
    Some(u32::try_from(inside + 1).unwrap_or(u32::MAX))
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
