//! A/B tests: comparisons of two arms, their intervals, plans and decisions.

use serde_json::{Value, json};
use steward::ab::{self, Looks, Plan, SampleRatioPolicy};
use steward::metrics;
use steward::stats::{self, Moments};

use super::Listed;
use super::inputs::{arm, counts, number, numbers, tail, text};

pub(super) const LISTED: Listed = Listed {
    functions: &[
        "alpha_spending_bounds_two_sided",
        "always_valid_monitoring",
        "asymptotic_confidence_sequence",
        "bca_interval",
        "beta_binomial",
        "classic_constants_two_sided_0.05",
        "fisher_exact_2x2",
        "mann_whitney_u",
        "mcnemar",
        "msprt_two_sample_normal",
        "paired_t_test",
        "permutation_test_mean_diff",
        "sha256_bucket",
        "student_pooled_t_test",
        "superiority_by_relative_margin",
        "tost_paired",
        "tost_welch",
        "ttest_ind_power",
        "ttest_ind_required_n",
        "two_proportion_required_n_control",
        "two_proportions",
        "type1_error_of_repeated_looks",
        "wilcoxon_signed_rank",
    ],
    cases: &[],
    fields: &[
        ("srm_check", "anytime_valid_*", "not yet"),
        ("mde", "mde_relative_*", "not yet"),
        ("relative_lift_ci", "delta_*", "not yet"),
        ("relative_lift_ci", "spotify_ci_divides_abs_ci_by_mean_a", "not yet"),
        ("relative_lift_ci", "fieller_g_z", "not yet"),
        ("relative_lift_ci", "log_ratio_ci_z", "not yet"),
        ("relative_lift_ci", "p_delta_relative_z", "not yet"),
        ("delong_test", "cov", "not yet"),
        ("delong_test", "diff", "not yet"),
        ("delong_test", "z", "not yet"),
        ("delong_test", "p", "not yet"),
        ("delong_test", "diff_ci95", "not yet"),
        ("delong_test", "unpaired_*", "not yet"),
        ("meets_threshold", "naive_ge_without_tolerance", "not yet"),
        ("evaluate_test", "p_value_threshold_one_sided", "not yet"),
        ("effect_sizes", "hedges_*", "not yet"),
        ("effect_sizes", "glass_delta_sd_a", "not yet"),
        ("effect_sizes", "cliffs_delta", "not yet"),
        ("effect_sizes", "common_language_*", "not yet"),
    ],
};

/// What the crate answers, in the shape of `expected`; `None` for a function that is not of this file.
pub(super) fn answer(function: &str, inputs: &Value) -> Option<Value> {
    let x = |name: &str| number(&inputs[name]);
    Some(match function {
        "welch_t_test" => welch(inputs),
        "srm_check" => {
            let check = ab::sample_ratio(&counts(&inputs["observed"]), &numbers(&inputs["weights"])).unwrap();
            json!({ "chi2": check.chi_square, "df": check.degrees_of_freedom, "p": tail(check.p_value), "srm_at_0.001": check.mismatch })
        }
        "relative_lift_ci" => relative_lift(inputs),
        "mde" => {
            let arm = Moments::from_summary(inputs["n_per_arm"].as_u64().unwrap(), x("mean"), x("variance")).unwrap();
            let plan = Plan { significance_level: x("alpha"), ..Plan::default() };
            let evaluation = ab::evaluate(&plan, &arm, &arm, Looks::ONCE);
            json!({ "mde_absolute_simple": evaluation.minimum_detectable_difference })
        }
        "effect_sizes" => {
            let evaluation = ab::evaluate(&Plan::default(), &arm(inputs, "a"), &arm(inputs, "b"), Looks::ONCE);
            json!({ "cohens_d_pooled": evaluation.effect_size })
        }
        "delong_test" => delong(inputs),
        "meets_threshold" => meets_threshold(inputs),
        "evaluate_test" => evaluate_test(inputs),
        _ => return None,
    })
}

fn welch(inputs: &Value) -> Value {
    let (a, b) = (arm(inputs, "a"), arm(inputs, "b"));
    let plan = Plan { min_samples: 2, ..Plan::default() };
    let evaluation = ab::evaluate(&plan, &a, &b, Looks::ONCE);
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
    let improvement = ab::improvement(&a, &b, false, Some(found.critical));
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
        "fieller_ci_z": interval(stats::normal_quantile(0.975).unwrap()),
        "fieller_ci_t_welch_df": ours,
        "df": found.degrees_of_freedom, "p_abs_welch": tail(found.p_value),
    })
}

fn delong(inputs: &Value) -> Value {
    let truth = numbers(&inputs["y"]);
    let auc = |name: &str| {
        let scores = numbers(&inputs[name]);
        metrics::auc(truth.iter().map(|&y| y == 1.0).zip(scores)).unwrap()
    };
    let (a, b) = (auc("score_a"), auc("score_b"));
    let interval = a.interval(0.95).unwrap();
    json!({
        "auc_a": a.value, "auc_b": b.value, "var_a": a.variance, "var_b": b.variance,
        "ci95_a": [interval.low, interval.high],
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
    assert_eq!((text(&config["threshold_mode"]), config["final"].as_bool()), ("point", Some(true)));
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
        ..Plan::default()
    };
    let (a, b) = (Moments::of(&numbers(&inputs["model_a_results"])), Moments::of(&numbers(&inputs["model_b_results"])));
    let result = ab::evaluate(&plan, &a, &b, Looks::ONCE);
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
        "is_significant": result.is_significant, "meets_threshold": result.meets_threshold,
        "decision": result.decision.as_str(), "reason": result.reason,
        "winner": result.winner.map(|winner| winner.as_str().to_uppercase()),
    })
}
