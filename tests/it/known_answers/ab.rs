//! A/B tests: comparisons of two arms, their intervals, plans and decisions.

mod exact;
mod sequential;
mod sizes;

use serde_json::{Value, json};
use steward::ab::{self, Arms, Looks, Plan, Question, SampleRatioPolicy, Share, ThresholdMode};
use steward::metrics;
use steward::stats::{self, Interval, Moments};

use super::Listed;
use super::inputs::{arm, counts, number, numbers, optional, tail, text};

pub(super) const LISTED: Listed = Listed {
    functions: &[],
    cases: &[],
    fields: &[
        // STATISTICS asks for Fieller's interval of the improvement, because the delta method disagrees with the p-value.
        (
            "relative_lift_ci",
            "delta_*",
            "the delta method disagrees with the p-value; the improvement has Fieller's interval",
        ),
        (
            "relative_lift_ci",
            "p_delta_relative_z",
            "the p-value of the delta method, which is not that of the difference",
        ),
        (
            "relative_lift_ci",
            "spotify_ci_divides_abs_ci_by_mean_a",
            "takes the baseline for certain; Fieller's interval does not",
        ),
        (
            "relative_lift_ci",
            "log_ratio_ci_z",
            "the delta method on the logarithm; needs positive means, and Fieller's does not",
        ),
        (
            "two_proportions",
            "relative_lift_ci95_from_risk_ratio",
            "delta and score intervals of the risk ratio; the improvement has Fieller's",
        ),
        // STATISTICS asks for Newcombe's interval of the difference of shares.
        (
            "two_proportions",
            "diff_ci95.wald",
            "leaves -1..=1 and is empty at 0 and at all; Newcombe's interval is used",
        ),
        (
            "two_proportions",
            "diff_ci95.agresti-caffo",
            "another approximation to the same; Newcombe's interval is used",
        ),
        ("two_proportions", "diff_ci95.score", "another approximation to the same; Newcombe's interval is used"),
        ("two_proportions", "ci95_a.agresti_coull", "a plainer form of Wilson's interval, which is used"),
        ("two_proportions", "ci95_b.agresti_coull", "a plainer form of Wilson's interval, which is used"),
        ("two_proportions", "ci95_a.normal", "empty at 0 and at all; Wilson's interval is used"),
        ("two_proportions", "ci95_b.normal", "empty at 0 and at all; Wilson's interval is used"),
        (
            "meets_threshold",
            "naive_ge_without_tolerance",
            "what a comparison without tolerance answers; the bar has one",
        ),
    ],
};

/// What the crate answers, in the shape of `expected`; `None` for a function that is not of this file.
pub(super) fn answer(function: &str, inputs: &Value) -> Option<Value> {
    Some(match function {
        "welch_t_test" => welch(inputs),
        "student_pooled_t_test" => student(inputs),
        "paired_t_test" => paired(inputs),
        "tost_welch" => tost(inputs, ab::welch(&arm(inputs, "a"), &arm(inputs, "b"), 0.05).unwrap()),
        "tost_paired" => tost(inputs, question("paired_t_test", &pairs(inputs)).unwrap()),
        "superiority_by_relative_margin" => superiority(inputs),
        "srm_check" => sample_ratio(inputs),
        "relative_lift_ci" => relative_lift(inputs),
        "effect_sizes" => effect_sizes(inputs),
        "delong_test" => delong(inputs),
        "two_proportions" => two_proportions(inputs),
        "meets_threshold" => meets_threshold(inputs),
        "evaluate_test" => evaluate_test(inputs),
        _ => {
            return exact::answer(function, inputs)
                .or_else(|| sequential::answer(function, inputs))
                .or_else(|| sizes::answer(function, inputs));
        }
    })
}

/// A number, where infinity is text as in the cases.
fn unbounded(value: f64) -> Value {
    if value.is_infinite() { json!(if value > 0.0 { "Infinity" } else { "-Infinity" }) } else { json!(value) }
}

fn ends(interval: Option<Interval>) -> Value {
    interval.map_or(Value::Null, |interval| json!([unbounded(interval.low), unbounded(interval.high)]))
}

/// What the test of that name says at 5 %.
fn question(test: &str, arms: &Arms) -> Result<ab::Comparison, ab::Undefined> {
    ab::test(test).unwrap().compare(arms, &Question { alpha: 0.05, seed: 1 })
}

/// Both sides of pairs, or the differences of `d_base` in their scale.
fn pairs(inputs: &Value) -> Arms {
    let [a, b] = match inputs.get("d_base").or_else(|| inputs.get("d")) {
        Some(_) => {
            let name = if inputs.get("d_base").is_some() { "d_base" } else { "d" };
            let exponent = inputs.get("scale").map_or(0, |s| text(s).strip_prefix("2**").unwrap().parse().unwrap());
            let unit = 2.0f64.powi(exponent);
            let b: Vec<_> = numbers(&inputs[name]).into_iter().map(|d| Some(d * unit)).collect();
            [vec![Some(0.0); b.len()], b]
        }
        None => {
            let (a, b) = if inputs.get("a").is_some() { ("a", "b") } else { ("x", "y") };
            [optional(&inputs[a]), optional(&inputs[b])]
        }
    };
    Arms::of_pairs(&a, &b).unwrap()
}

fn tails(found: Result<ab::Comparison, ab::Undefined>, mean_a: Option<f64>, mean_b: Option<f64>) -> Value {
    match found {
        Err(undefined) => json!({ "defined": false, "recommended": { "reason": undefined.to_string() } }),
        Ok(found) => json!({
            "defined": true, "t": found.statistic, "df": found.degrees_of_freedom,
            "p": tail(found.p_value), "p_two_sided": tail(found.p_value),
            "p_greater": tail(found.p_greater), "p_less": tail(found.p_less),
            "diff": found.difference, "se": found.standard_error, "ci95": [found.low, found.high],
            "mean_a": mean_a, "mean_b": mean_b,
        }),
    }
}

fn student(inputs: &Value) -> Value {
    let (a, b) = (arm(inputs, "a"), arm(inputs, "b"));
    tails(ab::student(&a, &b, 0.05), a.mean(), b.mean())
}

fn paired(inputs: &Value) -> Value {
    let arms = pairs(inputs);
    tails(question("paired_t_test", &arms), arms.a().mean(), arms.b().mean())
}

fn tost(inputs: &Value, found: ab::Comparison) -> Value {
    let both = ab::equivalence(&found, number(&inputs["low"]), number(&inputs["upp"])).unwrap();
    json!({
        "p": tail(both.p_value), "t_lower": both.above_low.0, "p_lower": tail(both.above_low.1),
        "t_upper": both.below_high.0, "p_upper": tail(both.below_high.1),
        "df": found.degrees_of_freedom, "df_lower": found.degrees_of_freedom, "df_upper": found.degrees_of_freedom,
    })
}

fn superiority(inputs: &Value) -> Value {
    let lower_is_better = inputs["direction"] == json!("lower_is_better");
    let found =
        ab::beyond_margin(&arm(inputs, "a"), &arm(inputs, "b"), number(&inputs["margin"]), lower_is_better).unwrap();
    json!({ "t": found.statistic, "df": found.degrees_of_freedom, "p_one_sided": tail(found.p_value) })
}

fn sample_ratio(inputs: &Value) -> Value {
    let (observed, weights) = (counts(&inputs["observed"]), numbers(&inputs["weights"]));
    let check = ab::sample_ratio(&observed, &weights).unwrap();
    let factor = |concentration: f64| stats::dirichlet_log_bayes_factor(&observed, &weights, concentration).unwrap();
    let p = |concentration: f64| tail(stats::Tail::from_ln(-factor(concentration)));
    json!({
        "chi2": check.chi_square, "df": check.degrees_of_freedom, "p": tail(check.p_value), "srm_at_0.001": check.mismatch,
        "anytime_valid_log_bayes_factor_c100": factor(100.0), "anytime_valid_p_single_look_c100": p(100.0),
        "anytime_valid_log_bayes_factor_c10000": factor(10_000.0), "anytime_valid_p_single_look_c10000": p(10_000.0),
    })
}

fn effect_sizes(inputs: &Value) -> Value {
    let (a, b) = (arm(inputs, "a"), arm(inputs, "b"));
    let size = ab::effect_size(&a, &b);
    let df = (a.n() + b.n()) as f64 - 2.0;
    let delta = ab::cliffs_delta(&numbers(&inputs["a"]), &numbers(&inputs["b"]));
    json!({
        "cohens_d_pooled": size.map(|size| size.cohens_d), "hedges_g_exact_J": size.map(|size| size.hedges_g),
        // The usual approximation to the exact factor, from it.
        "hedges_g_approx_1-3/(4df-1)": size.map(|size| size.cohens_d * (1.0 - 3.0 / (4.0 * df - 1.0))),
        "glass_delta_sd_a": size.and_then(|size| size.glass_delta), "cliffs_delta": delta,
        "common_language_P(B>A)+0.5ties": delta.map(|delta| (delta + 1.0) / 2.0),
    })
}

fn two_proportions(inputs: &Value) -> Value {
    let share = |arm: &str| Share {
        successes: inputs[format!("success_{arm}")].as_u64().unwrap(),
        rows: inputs[format!("n_{arm}")].as_u64().unwrap(),
    };
    let (a, b) = (share("a"), share("b"));
    let arms = Arms::of_shares(a, b);
    let pooled = question("proportions_z_test", &arms);
    let z = pooled
        .map_or(json!({ "z": null, "p": null }), |found| json!({ "z": found.statistic, "p": tail(found.p_value) }));
    let one_sided = |pick: fn(ab::Comparison) -> stats::Tail| pooled.map_or(Value::Null, |found| tail(pick(found)));
    let error = pooled.ok().and_then(|found| found.standard_error);
    let unpooled = error.map(|error| (pooled.unwrap().difference / error, error));
    let relative = pooled.ok().and_then(|found| found.ratio).map(|ratio| ratio.difference / ratio.baseline);
    let of = |share: Share| {
        let (k, rest) = (share.successes as f64, (share.rows - share.successes) as f64);
        let quantile = |p: f64, a: f64, b: f64, edge: f64| stats::beta_quantile(p, a, b).unwrap_or(edge);
        json!({
            "wilson": ends(stats::wilson(share.successes, share.rows, 0.95)),
            "beta": [quantile(0.025, k, rest + 1.0, 0.0), quantile(0.975, k + 1.0, rest, 1.0)],
            "jeffreys": [quantile(0.025, k + 0.5, rest + 0.5, 0.0), quantile(0.975, k + 0.5, rest + 0.5, 1.0)],
        })
    };
    json!({
        "pooled_z": z, "pooled_exact_mp": z, "pooled_p_larger": one_sided(|found| found.p_greater),
        "pooled_p_smaller": one_sided(|found| found.p_less),
        "unpooled": unpooled.map(|(z, error)| json!({ "z": z, "p": tail(stats::normal_two_sided(z)), "se": error })),
        "diff_ci95": { "newcomb": ends(ab::newcombe(a, b, 0.95)) },
        "relative_lift": relative.or_else(|| ab::improvement(arms.a(), arms.b(), false, None).percent.map(|p| p / 100.0)),
        "ci95_a": of(a), "ci95_b": of(b),
    })
}

fn welch(inputs: &Value) -> Value {
    let (a, b) = (arm(inputs, "a"), arm(inputs, "b"));
    let plan = Plan { min_samples: 2, ..Plan::default() };
    let evaluation = ab::evaluate(&plan, &Arms::of_moments(a, b), Looks::ONCE);
    match ab::welch(&a, &b, 0.05) {
        Err(undefined) => json!({
            "defined": false,
            "recommended": {
                "reason": undefined.to_string(), "p_value": evaluation.p_value,
                "is_significant": evaluation.is_significant, "relative_improvement_pct": evaluation.relative_improvement,
            },
        }),
        Ok(found) => json!({
            "t": found.statistic, "df": found.degrees_of_freedom,
            "p": tail(found.p_value), "p_two_sided": tail(found.p_value),
            "p_greater": tail(found.p_greater), "p_less": tail(found.p_less),
            "diff": found.difference, "se": found.standard_error, "ci95": [found.low, found.high],
            "mean_a": a.mean(), "mean_b": b.mean(), "var_a": a.variance(), "var_b": b.variance(),
            // Rows that are not numbers are dropped and counted, which is what the case recommends.
            "recommended": (a.dropped() == 1)
                .then_some("drop+count the NaN (policy 'omit') or reject ('raise'); never silently propagate"),
        }),
    }
}

fn relative_lift(inputs: &Value) -> Value {
    let (a, b) = (arm(inputs, "a"), arm(inputs, "b"));
    let found = ab::welch(&a, &b, 0.05).unwrap();
    let improvement = ab::improvement(&a, &b, false, found.critical);
    let error = |arm: &Moments| arm.variance().unwrap() / arm.n() as f64;
    let (mean_a, mean_b) = (a.mean().unwrap(), b.mean().unwrap());
    // The cases give the set of B/A - 1; ours is of (B - A)/|A|, so it turns with the sign of A.
    let interval = |critical: f64| {
        stats::fieller(mean_b, error(&b), mean_a, error(&a), critical).map(|set| [set.low - 1.0, set.high - 1.0])
    };
    let ours = improvement
        .interval
        .map(|[low, high]| if mean_a > 0.0 { [low / 100.0, high / 100.0] } else { [-high / 100.0, -low / 100.0] });
    let unbounded = improvement.reason == Some("baseline_indistinguishable_from_zero");
    assert_eq!(unbounded, ours.is_none());
    json!({
        "lift": improvement.percent.map(|percent| percent / 100.0),
        "fieller_g_z": stats::fieller_g(mean_a, error(&a), stats::normal_quantile(0.975).unwrap()),
        "fieller_ci_z": interval(stats::normal_quantile(0.975).unwrap()),
        "fieller_ci_t_welch_df": ours,
        "df": found.degrees_of_freedom, "p_abs_welch": tail(found.p_value),
    })
}

fn delong(inputs: &Value) -> Value {
    let labels: Vec<bool> = numbers(&inputs["y"]).into_iter().map(|y| y == 1.0).collect();
    let (a, b) = (numbers(&inputs["score_a"]), numbers(&inputs["score_b"]));
    let found = ab::DeLong::of(&labels, &a, &b).unwrap();
    // The areas of the metric and of the test are computed apart.
    let of = |scores: &[f64]| metrics::auc(labels.iter().copied().zip(scores.iter().copied())).unwrap();
    let (of_a, of_b) = (of(&a), of(&b));
    let tested = question("delong", &Arms::of_scores(&labels, &a, &b).unwrap());
    let unpaired = found.unpaired();
    json!({
        "auc_a": of_a.value, "auc_b": found.areas[1], "var_a": found.variances[0], "var_b": of_b.variance,
        "ci95_a": ends(of_a.interval(0.95)), "ci95_b": ends(of_b.interval(0.95)),
        "cov": found.covariance, "diff": found.difference(), "diff_ci95": ends(found.interval(0.95)),
        "z": found.z(), "p": tested.map_or(Value::Null, |found| tail(found.p_value)),
        "unpaired_z": unpaired.map(|u| u.0), "unpaired_p_normal": unpaired.map(|u| tail(u.1)),
        "unpaired_df_pROC": unpaired.map(|u| u.2), "unpaired_p_t": unpaired.map(|u| tail(u.3)),
    })
}

fn meets_threshold(inputs: &Value) -> Value {
    let constant = |name: &str| Moments::from_summary(100, number(&inputs[name]), 0.0).unwrap();
    let lower_is_better = inputs["higher_is_better"] == json!(false);
    let (a, b) = (constant("mean_a"), constant("mean_b"));
    let improvement = ab::improvement(&a, &b, lower_is_better, None);
    json!({
        "relative_difference_pct": ab::improvement(&a, &b, false, None).percent,
        "relative_improvement_pct": improvement.percent,
        "meets_threshold": ab::meets_threshold(improvement.percent, number(&inputs["success_threshold"])),
    })
}

fn evaluate_test(inputs: &Value) -> Value {
    let config = &inputs["config"];
    let plan = Plan {
        test: ab::test(text(&config["statistical_test"])).unwrap(),
        significance_level: number(&config["significance_level"]),
        success_threshold: number(&config["success_threshold"]),
        lower_is_better: config["higher_is_better"] == json!(false),
        min_samples: config["min_samples"].as_u64().unwrap(),
        traffic_split: number(&config["traffic_split"]),
        sample_ratio_policy: match text(&config["srm_policy"]) {
            "block" => SampleRatioPolicy::Block,
            "warn" => SampleRatioPolicy::Warn,
            other => panic!("unknown policy {other}"),
        },
        threshold_mode: match text(&config["threshold_mode"]) {
            "point" => ThresholdMode::Point,
            "superiority" => ThresholdMode::Superiority,
            other => panic!("unknown mode {other}"),
        },
        ..Plan::default()
    };
    let arms = Arms::of_values(&numbers(&inputs["model_a_results"]), &numbers(&inputs["model_b_results"]));
    // A look that is not the last of a plain test reports; one that is decides.
    let looks = if config["final"] == json!(false) {
        Looks { planned: Some(2), is_final: false, ..Looks::ONCE }
    } else {
        Looks::ONCE
    };
    let result = ab::evaluate(&plan, &arms, looks);
    let beyond = ab::beyond_margin(arms.a(), arms.b(), plan.success_threshold, plan.lower_is_better);
    let sign = if plan.lower_is_better { -1.0 } else { 1.0 };
    json!({
        "n_a": result.n_a, "n_b": result.n_b, "dropped_a": result.dropped_a, "dropped_b": result.dropped_b,
        "srm_p": result.sample_ratio_p_value, "srm_detected": result.sample_ratio_mismatch,
        "mean_a": result.mean_a, "mean_b": result.mean_b, "absolute_difference": result.absolute_difference,
        "absolute_difference_ci": [result.difference_low, result.difference_high],
        "relative_difference_pct": result.relative_improvement.map(|percent| sign * percent),
        "relative_improvement_pct": result.relative_improvement,
        "relative_improvement_ci_pct": result.relative_improvement_ci,
        "t": result.statistic, "df": result.df, "p_value": result.p_value,
        "p_value_threshold_one_sided": beyond.map_or(Value::Null, |found| tail(found.p_value)),
        "is_significant": result.is_significant, "meets_threshold": result.meets_threshold,
        "decision": result.decision.as_str(), "reason": result.reason,
        "winner": result.winner.map(|winner| winner.as_str().to_uppercase()),
    })
}
