//! How one evaluation is written: as a document, and for people.

use super::EvaluateArgs;
use crate::ab::{Adjustment, Evaluation, GuardrailResult, Plan, Secondary};
use crate::cli::output;

/// The evaluation with its sentence, the sample-ratio check and the smallest detectable effect as their own fields.
pub(super) fn document(evaluation: &Evaluation, adjustment: Option<Adjustment>) -> anyhow::Result<serde_json::Value> {
    let mut document = serde_json::to_value(evaluation)?;
    document["reason"] = evaluation.sentence().into();
    document["reason_code"] = evaluation.reason.into();
    document["srm"] = serde_json::json!({
        "p_value": evaluation.sample_ratio_p_value, "mismatch": evaluation.sample_ratio_mismatch,
    });
    document["mde"] = evaluation.minimum_detectable_percent().into();
    if let Some(adjustment) = adjustment {
        document["covariate"] = serde_json::to_value(adjustment)?;
    }
    Ok(document)
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:+.2} %"))
}

/// The evaluation for people: the decision in one sentence, the evidence, and what would change it.
pub(super) fn text(args: &EvaluateArgs, plan: &Plan, e: &Evaluation, adjustment: Option<Adjustment>) -> String {
    let [a, b] = match (&args.outcome_a, &args.outcome_b) {
        (Some(a), Some(b)) => [a, b],
        _ => [&args.control, &args.treatment],
    };
    let rows = vec![
        vec![format!("A ({a})"), e.n_a.to_string(), output::number(e.mean_a), e.dropped_a.to_string()],
        vec![format!("B ({b})"), e.n_b.to_string(), output::number(e.mean_b), e.dropped_b.to_string()],
    ];
    let counted = if args.unit.is_some() { "units" } else { "rows" };
    let mean = match (&args.outcome, &args.label) {
        (_, Some(_)) => "roc_auc".to_owned(),
        (Some(outcome), _) => format!("mean {outcome}"),
        _ => "mean".to_owned(),
    };
    let mut lines = vec![
        format!("{}: {}", e.decision.as_str(), e.sentence()),
        String::new(),
        output::table(&["variant", counted, &mean, "without outcome"], &[1, 2, 3], rows),
        String::new(),
    ];
    let facts = facts(args, plan, e, adjustment);
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.extend(facts.into_iter().map(|(name, fact)| format!("{name:width$}  {fact}")));
    if !(e.guardrails.is_empty() && e.secondary_metrics.is_empty()) {
        lines.push(String::new());
        lines.push(beside(e));
    }
    lines.extend(e.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.push(String::new());
    lines.push(format!("What would change it: {}", e.what_would_change_it(plan)));
    lines.join("\n")
}

fn facts(
    args: &EvaluateArgs,
    plan: &Plan,
    e: &Evaluation,
    adjustment: Option<Adjustment>,
) -> Vec<(&'static str, String)> {
    let confidence = 100.0 * (1.0 - args.significance_level);
    let interval = |ends: Option<String>| ends.map_or_else(String::new, |ends| format!(" ({confidence:.0} %: {ends})"));
    let relative = e.relative_improvement_ci.map(|[low, high]| format!("{low:+.2} % .. {high:+.2} %"));
    let ends = e.difference_low.zip(e.difference_high);
    let absolute = ends.map(|(low, high)| format!("{} .. {}", output::number(Some(low)), output::number(Some(high))));
    let mut facts = vec![
        ("B is better by", format!("{}{}", percent(e.relative_improvement), interval(relative))),
        ("B less A", format!("{}{}", output::number(e.absolute_difference), interval(absolute))),
        ("p", format!("{} by {}", output::p_value(e.p_value), plan.test.title())),
    ];
    if let Some(p) = e.margin_p_value {
        facts.push(("p of the margin", format!("{}, held against half of the level", output::p_value(Some(p)))));
    }
    if let Some(posterior) = e.posterior {
        let better =
            if args.lower_is_better { 1.0 - posterior.probability_b_larger } else { posterior.probability_b_larger };
        facts.push(("B better", format!("with probability {better:.4}")));
    }
    if e.sample_ratio_p_value.is_some() {
        let p = output::p_value(e.sample_ratio_p_value);
        let (promised, all) = (100.0 * args.traffic_split, e.n_a + e.dropped_a + e.n_b + e.dropped_b);
        let has = 100.0 * (e.n_b + e.dropped_b) as f64 / all.max(1) as f64;
        facts
            .push(("split", format!("B has {has:.1} % of {promised:.1} % promised (p {p}; below 0.001 it is broken)")));
    }
    if let (Some(adjustment), Some(name)) = (adjustment, &args.covariate) {
        let taken = 100.0 * adjustment.variance_reduction;
        facts.push(("covariate", format!("{name} takes {taken:.1} % of the variance out")));
    }
    let smallest = e.minimum_detectable_percent().map_or_else(|| "-".to_owned(), |m| format!("{m:.2} %"));
    facts.push(("smallest effect", format!("{smallest} that these rows show in 80 of 100 cases")));
    facts
}

/// Guardrails and secondary metrics, a line each.
fn beside(e: &Evaluation) -> String {
    let guardrail = |g: &GuardrailResult| {
        let verdict = if g.passes { "holds" } else { "FAILS" };
        vec![
            g.name.clone(),
            "guardrail".to_owned(),
            output::number(g.mean_a),
            output::number(g.mean_b),
            percent(g.relative_improvement),
            output::p_value(g.p_value),
            g.reason.map_or_else(|| verdict.to_owned(), |reason| format!("{verdict} ({reason})")),
        ]
    };
    let secondary = |s: &Secondary| {
        let verdict = match (s.reason, s.is_significant) {
            (Some(reason), _) => reason.to_owned(),
            (None, true) => "differs".to_owned(),
            (None, false) => "no difference".to_owned(),
        };
        vec![
            s.name.clone(),
            "secondary".to_owned(),
            output::number(s.mean_a),
            output::number(s.mean_b),
            percent(s.relative_improvement),
            output::p_value(s.adjusted_p_value),
            verdict,
        ]
    };
    let rows = e.guardrails.iter().map(guardrail).chain(e.secondary_metrics.iter().map(secondary)).collect();
    output::table(&["beside", "kind", "mean A", "mean B", "B is better by", "p", "verdict"], &[2, 3, 4, 5], rows)
}
