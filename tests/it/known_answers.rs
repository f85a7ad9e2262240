//! Reference values: every case in `tests/known_answers/*.json` against what the crate computes.
//!
//! A function the crate has is compared field by field within the case's own tolerance. What comes later is listed by name, and a list
//! entry that nothing uses fails, so the lists cannot outlive their reason. Fix the method, never the tolerance.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};
use steward::ab::{self, Looks, Plan, SampleRatioPolicy};
use steward::drift::methods::ks_test;
use steward::drift::{self, CategoryCounts, NumericSample, Options, Sample};
use steward::metrics::{self, Column, Rows};
use steward::stats::{self, Moments, Tail};

/// Functions that come later.
const NOT_YET: &[&str] = &[
    "alpha_spending_bounds_two_sided",
    "always_valid_monitoring",
    "anderson_ksamp",
    "asymptotic_confidence_sequence",
    "bca_interval",
    "beta_binomial",
    "binom_test",
    "categorical_divergences",
    "classic_constants_two_sided_0.05",
    "cramervonmises_2samp",
    "fisher_exact_2x2",
    "fisher_z_interval",
    "mann_whitney_u",
    "mcnemar",
    "msprt_two_sample_normal",
    "multiclass_probabilistic_metrics",
    "oneway_anova",
    "paired_t_test",
    "permutation_test_mean_diff",
    "psi_continuous",
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
    "wasserstein_1",
    "wilcoxon_signed_rank",
];

/// Cases of functions the crate has that need something it has not.
const CASES_NOT_YET: &[(&str, &str)] = &[("reg.weights", "sample weights")];

/// Fields, by function, that come later or are remarks rather than values. A trailing `*` matches any ending.
const FIELDS_NOT_YET: &[(&str, &str)] = &[
    ("drift_scores", "wasserstein_over_reference_sd"),
    ("drift_scores", "reference_sd"),
    ("mean_sd", "lag1_autocorr"),
    ("chi2_contingency", "yates"),
    ("chi2_contingency", "g_test"),
    ("chi2_contingency", "expected"),
    ("chi2_contingency", "cramers_v_bias_corrected"),
    ("p_adjust", "bonferroni"),
    ("p_adjust", "holm"),
    ("p_adjust", "sidak"),
    ("p_adjust", "holm-sidak"),
    ("p_adjust", "simes-hochberg"),
    ("p_adjust", "hommel"),
    ("p_adjust", "fdr_by"),
    ("srm_check", "anytime_valid_*"),
    ("mde", "mde_relative_*"),
    ("relative_lift_ci", "delta_*"),
    ("relative_lift_ci", "spotify_ci_divides_abs_ci_by_mean_a"),
    ("relative_lift_ci", "fieller_g_z"),
    ("relative_lift_ci", "log_ratio_ci_z"),
    ("relative_lift_ci", "p_delta_relative_z"),
    ("delong_test", "cov"),
    ("delong_test", "diff"),
    ("delong_test", "z"),
    ("delong_test", "p"),
    ("delong_test", "diff_ci95"),
    ("delong_test", "unpaired_*"),
    ("classification_metrics", "confusion_matrix_rows_true_cols_pred"),
    ("classification_metrics", "precision_None"),
    ("classification_metrics", "recall_None"),
    ("classification_metrics", "f1_None"),
    ("classification_metrics", "jaccard_*"),
    ("classification_metrics", "f2_*"),
    ("classification_metrics", "f1_binary_zd_nan"),
    ("classification_metrics", "f1_macro_zd_nan"),
    ("classification_metrics", "f1_weighted_zd_nan"),
    ("classification_metrics", "precision_binary_zd_nan"),
    ("classification_metrics", "precision_macro_zd_nan"),
    ("classification_metrics", "precision_weighted_zd_nan"),
    ("classification_metrics", "recall_binary_zd_nan"),
    ("classification_metrics", "recall_macro_zd_nan"),
    ("classification_metrics", "recall_weighted_zd_nan"),
    ("classification_metrics", "mse"),
    ("classification_metrics", "recommended"),
    ("classification_metrics", "sklearn"),
    ("binary_probabilistic_metrics", "pr_auc_trapezoid"),
    ("binary_probabilistic_metrics", "roc_curve"),
    ("binary_probabilistic_metrics", "ks_statistic_max_tpr_minus_fpr"),
    ("binary_probabilistic_metrics", "gini_2auc-1"),
    ("binary_probabilistic_metrics", "d2_log_loss"),
    ("binary_probabilistic_metrics", "ece_*"),
    ("binary_probabilistic_metrics", "mce_*"),
    ("binary_probabilistic_metrics", "calibration_curve_uniform5"),
    ("regression_metrics", "r2_force_finite_false"),
    ("regression_metrics", "pinball_*"),
    ("regression_metrics", "smape_0_100pct"),
    ("regression_metrics", "wape"),
    ("regression_metrics", "msle"),
    ("regression_metrics", "poisson_deviance"),
    ("regression_metrics", "gamma_deviance"),
    ("meets_threshold", "naive_ge_without_tolerance"),
    ("evaluate_test", "p_value_threshold_one_sided"),
    ("effect_sizes", "hedges_*"),
    ("effect_sizes", "glass_delta_sd_a"),
    ("effect_sizes", "cliffs_delta"),
    ("effect_sizes", "common_language_*"),
];

#[test]
fn known_answers() {
    let mut failures = Vec::new();
    let mut unused: BTreeSet<String> = NOT_YET.iter().map(|name| (*name).to_owned()).collect();
    unused.extend(CASES_NOT_YET.iter().map(|(id, _)| (*id).to_owned()));
    unused.extend(FIELDS_NOT_YET.iter().map(|(function, field)| format!("{function}: {field}")));
    let mut compared = 0;
    for case in cases() {
        let (id, function) = (text(&case["id"]), text(&case["function"]));
        if NOT_YET.contains(&function) {
            unused.remove(function);
            continue;
        }
        if CASES_NOT_YET.iter().any(|(known, _)| *known == id) {
            unused.remove(id);
            continue;
        }
        let Some(got) = answer(function, &case["inputs"]) else {
            failures.push(format!("{id}: the function `{function}` is neither computed nor listed as not yet"));
            continue;
        };
        let tolerance = Tolerance { relative: number(&case["rtol"]), absolute: number(&case["atol"]) };
        for (field, expected) in case["expected"].as_object().unwrap() {
            let listed = FIELDS_NOT_YET.iter().find(|(of, pattern)| *of == function && matches(pattern, field));
            if let Some((of, pattern)) = listed {
                unused.remove(&format!("{of}: {pattern}"));
                continue;
            }
            match got.get(field) {
                None => failures.push(format!("{id}: the field `{field}` is not computed: expected {expected}")),
                Some(got) => {
                    compared += 1;
                    tolerance.compare(&format!("{id}.{field}"), got, expected, &mut failures);
                }
            }
        }
    }
    failures.extend(unused.into_iter().map(|entry| format!("listed as not yet, but no case uses it: {entry}")));
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert!(compared > 400, "only {compared} values were compared");
}

fn cases() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/known_answers");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
        .iter()
        .flat_map(|path| {
            let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            document["cases"].as_array().unwrap().clone()
        })
        .collect()
}

fn matches(pattern: &str, field: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => field.starts_with(start),
        None => pattern == field,
    }
}

// --- comparing

struct Tolerance {
    relative: f64,
    absolute: f64,
}

impl Tolerance {
    fn close(&self, got: f64, expected: f64) -> bool {
        (got - expected).abs() <= self.absolute + self.relative * expected.abs()
    }

    fn compare(&self, at: &str, got: &Value, expected: &Value, failures: &mut Vec<String>) {
        let same = match (got, expected) {
            (Value::Array(got), Value::Array(expected)) if got.len() == expected.len() => {
                for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
                    self.compare(&format!("{at}[{index}]"), got, expected, failures);
                }
                true
            }
            (Value::Object(tail), expected) if tail.contains_key("p") && tail.contains_key("log10") => {
                self.tail(&tail["p"], &tail["log10"], expected)
            }
            // A library's warnings are its own; an exception there is a missing value here.
            (got, Value::Object(expected)) if expected.contains_key("value") => {
                self.compare(at, got, &expected["value"], failures);
                true
            }
            (got, Value::Object(expected)) if expected.contains_key("raises") => got.is_null(),
            (Value::Object(got), Value::Object(expected)) => {
                for (field, expected) in expected {
                    let got = got.get(field).unwrap_or(&Value::Null);
                    self.compare(&format!("{at}.{field}"), got, expected, failures);
                }
                true
            }
            (Value::Null, Value::String(expected)) => expected == "NaN",
            (Value::Number(got), Value::Number(expected)) => {
                self.close(got.as_f64().unwrap(), expected.as_f64().unwrap())
            }
            (got, expected) => got == expected,
        };
        if !same {
            failures
                .push(format!("{at}: got {got}, expected {expected} (rtol {}, atol {})", self.relative, self.absolute));
        }
    }

    /// A probability and its logarithm: both must be right, the logarithm also below the smallest double.
    fn tail(&self, p: &Value, log10: &Value, expected: &Value) -> bool {
        let (p, log10) = (number(p), number(log10));
        if expected["underflows_f64"] == json!(true) {
            return p < 1e-307 && self.close(log10, number(&expected["log10"]));
        }
        let Some(expected) = expected.as_f64() else {
            return false;
        };
        let logarithm = expected <= 0.0 || (log10 - expected.log10()).abs() <= 1e-9 * log10.abs().max(1.0);
        self.close(p, expected) && (logarithm || expected < 1e-300)
    }
}

fn tail(tail: Tail) -> Value {
    json!({ "p": tail.p(), "log10": tail.log10() })
}

// --- reading inputs

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A number, also written as text or absent (0).
fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => match text.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            other => panic!("not a number: {other}"),
        },
        other => other.as_f64().unwrap_or(0.0),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn optional(value: &Value) -> Vec<Option<f64>> {
    numbers(value).into_iter().map(|number| Some(number).filter(|number| !number.is_nan())).collect()
}

fn counts(value: &Value) -> Vec<u64> {
    numbers(value).into_iter().map(|count| count as u64).collect()
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    drift::sort_values(&mut values);
    values
}

/// An arm, as rows, as a summary, or as a base times a power of two.
fn arm(inputs: &Value, name: &str) -> Moments {
    if let Some(rows) = inputs.get(name) {
        return Moments::of(&numbers(rows));
    }
    if let Some(summary) = inputs.get(format!("summary_{name}")) {
        let rows = summary["n"].as_u64().unwrap();
        return Moments::from_summary(rows, number(&summary["mean"]), number(&summary["var_ddof1"])).unwrap();
    }
    let exponent: i32 = text(&inputs["scale"]).strip_prefix("2**").unwrap().parse().unwrap();
    let unit = 2.0f64.powi(exponent);
    let base = numbers(&inputs[format!("{name}_base")]);
    Moments::of(&base.into_iter().map(|value| value * unit).collect::<Vec<_>>())
}

/// `1.2 then 500x(1.1,1.3)`.
fn generated(text: &str) -> Vec<f64> {
    let (first, rest) = text.split_once(" then ").unwrap();
    let (times, pair) = rest.split_once("x(").unwrap();
    let (low, high) = pair.trim_end_matches(')').split_once(',').unwrap();
    let parse = |text: &str| text.parse::<f64>().unwrap();
    let mut values = vec![parse(first)];
    for _ in 0..times.parse::<usize>().unwrap() {
        values.extend([parse(low), parse(high)]);
    }
    values
}

// --- computing

/// What the crate answers, in the shape of `expected`; `None` for a function it does not have.
fn answer(function: &str, inputs: &Value) -> Option<Value> {
    let x = |name: &str| number(&inputs[name]);
    Some(match function {
        "normal_sf" => {
            json!({ "sf": tail(stats::normal_sf(x("z"))), "two_sided": tail(stats::normal_two_sided(x("z"))) })
        }
        "student_t_two_sided_p" => json!({ "p": tail(stats::student_t_two_sided(x("t"), x("df"))) }),
        "chi2_sf" => json!({ "p": tail(stats::chi_square_sf(x("x"), x("df"))) }),
        "f_sf" => json!({ "p": tail(stats::f_sf(x("f"), x("df1"), x("df2"))) }),
        "student_t_ppf" => json!({ "t": stats::student_t_upper_quantile(1.0 - x("p"), x("df")) }),
        "normal_ppf" => json!({ "z": stats::normal_quantile(x("p")) }),
        "kolmogorov_limiting_sf" => json!({ "p": tail(stats::kolmogorov_limit(x("x"))) }),
        "mean_sd" | "mean_var" => moments(inputs),
        "merge_moments" => {
            let mut moments = Moments::new();
            inputs["batches"].as_array().unwrap().iter().for_each(|batch| moments.merge(&Moments::of(&numbers(batch))));
            json!({ "n": moments.n(), "mean": moments.mean(), "m2": moments.m2(), "var_ddof1": moments.variance() })
        }
        "welch_t_test" => welch(inputs),
        "ks_2samp_two_sided" => ks(inputs),
        "chi2_contingency" => contingency(inputs),
        "drift_scores" => drift_scores(inputs),
        "chi_square_drift" => chi_square_drift(inputs),
        "p_adjust" => json!({ "fdr_bh": stats::benjamini_hochberg(&numbers(&inputs["p"])) }),
        "srm_check" => {
            let check = ab::sample_ratio(&counts(&inputs["observed"]), &numbers(&inputs["weights"])).unwrap();
            json!({ "chi2": check.chi_square, "df": check.degrees_of_freedom, "p": tail(check.p_value), "srm_at_0.001": check.mismatch })
        }
        "relative_lift_ci" => relative_lift(inputs),
        "wilson_interval" => {
            let interval =
                stats::wilson(inputs["k"].as_u64().unwrap(), inputs["n"].as_u64().unwrap(), x("confidence")).unwrap();
            json!({ "ci": [interval.low, interval.high] })
        }
        "mean_t_interval" => {
            let moments = Moments::of(&numbers(&inputs["abs_errors"]));
            let interval = stats::mean_t(&moments, 0.95).unwrap();
            json!({ "mean": moments.mean(), "ci": [interval.low, interval.high] })
        }
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
        "classification_metrics" => classification(inputs),
        "binary_probabilistic_metrics" => probabilistic(inputs),
        "regression_metrics" => regression(inputs),
        "meets_threshold" => meets_threshold(inputs),
        "evaluate_test" => evaluate_test(inputs),
        _ => return None,
    })
}

fn moments(inputs: &Value) -> Value {
    let values = inputs.get("x").map_or_else(|| generated(text(&inputs["x_generator"])), numbers);
    let moments = Moments::of(&values);
    json!({
        "n": moments.n(), "mean": moments.mean(),
        "sd_ddof1": moments.standard_deviation(), "var_ddof1": moments.variance(),
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

fn ks(inputs: &Value) -> Value {
    let (x, y) = match inputs.get("generator").map(text) {
        None => (numbers(&inputs["x"]), numbers(&inputs["y"])),
        Some(generator) if generator.starts_with("x_i=((i*7919)") => (
            (0..5000u64).map(|i| ((i * 7919) % 10007) as f64 / 10007.0).collect(),
            (0..6000u64).map(|i| (((i * 104_729) % 10009) as f64 / 10009.0).powf(1.05)).collect(),
        ),
        Some(_) => (
            (0..20_000).map(|i| (f64::from(i) + 0.5) / 20_000.0).collect(),
            (0..30_000).map(|i| (f64::from(i) + 0.5) / 30_000.0 + 0.05).collect(),
        ),
    };
    let (x, y) = (sorted(x), sorted(y));
    let distance = ks_test::distance(&x, &y).unwrap();
    let (n, m) = (x.len() as f64, y.len() as f64);
    let (p_value, exact) = distance.p_value(&x, &y);
    let mut answer = Map::new();
    answer.insert("D".to_owned(), json!(distance.value()));
    let limit = stats::kolmogorov_limit(distance.value() * (n * m / (n + m)).sqrt());
    answer.insert("p_kolmogorov_limit".to_owned(), tail(limit));
    if exact {
        answer.insert("p_exact_conditional_on_ties".to_owned(), tail(p_value));
    } else {
        assert_eq!(p_value, limit);
    }
    Value::Object(answer)
}

fn contingency(inputs: &Value) -> Value {
    let rows: Vec<Vec<u64>> = inputs["table"].as_array().unwrap().iter().map(counts).collect();
    let [first, second] = &rows[..] else { panic!("only tables of two rows are tested") };
    let test = stats::homogeneity(first.iter().copied().zip(second.iter().copied())).unwrap();
    let p = tail(test.p_value);
    json!({
        "pearson": { "chi2": test.chi_square, "df": test.degrees_of_freedom, "p": p, "p_mpmath": p },
        "cramers_v": test.cramers_v,
    })
}

fn drift_scores(inputs: &Value) -> Value {
    let (reference, current) = (sorted(numbers(&inputs["reference"])), sorted(numbers(&inputs["current"])));
    let side = |sorted| Sample::Numeric(NumericSample { sorted, missing: 0 });
    let check = |name: &str| {
        let method = drift::method(name).unwrap();
        drift::judge("x", method, &side(&reference), &side(&current), &Options::default())
    };
    let psi = check("psi");
    let ks = ks_test::distance(&reference, &current).unwrap();
    let (n, m) = (reference.len() as f64, current.len() as f64);
    json!({
        "ks_D": check("ks_test").score,
        "ks_p_kolmogorov_limit": tail(stats::kolmogorov_limit(ks.value() * (n * m / (n + m)).sqrt())),
        "psi": psi.score,
        "psi_bins": psi.details["bins"].as_array().unwrap().len(),
    })
}

fn chi_square_drift(inputs: &Value) -> Value {
    let side = |name: &str| CategoryCounts {
        counts: counts(&inputs[name]).into_iter().enumerate().map(|(i, rows)| (format!("c{i}"), rows)).collect(),
        missing: 0,
    };
    let (reference, current) = (side("reference_counts"), side("current_counts"));
    let (reference, current) = (Sample::Categorical(&reference), Sample::Categorical(&current));
    let method = drift::method("chi_square").unwrap();
    let check = drift::judge("x", method, &reference, &current, &Options::default());
    json!({
        "score_balanced_v": check.score, "chi2": check.details["chi_square"], "dof": check.details["degrees_of_freedom"],
        "p": { "p": check.p_value, "log10": check.log10_p_value }, "cramers_v_raw": check.details["cramers_v_raw"],
    })
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

/// All metrics of the rows, under the names `expected` uses.
fn metric_values(rows: &Rows, names: &[(&str, &str)]) -> Value {
    let values: BTreeMap<String, Option<f64>> = names
        .iter()
        .map(|(theirs, ours)| {
            let value = metrics::evaluate(rows.task(), rows, Some(&[(*ours).to_owned()])).unwrap().remove(0);
            assert!(value.value.is_some() || value.reason.is_some());
            ((*theirs).to_owned(), value.value)
        })
        .collect();
    json!(values)
}

fn classification(inputs: &Value) -> Value {
    let (truth, predicted) = (optional(&inputs["y_true"]), optional(&inputs["y_pred"]));
    let rows = Rows::classification(Column::Numbers(&truth), Some(Column::Numbers(&predicted)), None, None).unwrap();
    let mut answer = metric_values(
        &rows,
        &[
            ("accuracy", "accuracy"),
            ("balanced_accuracy", "balanced_accuracy"),
            ("mcc", "mcc"),
            ("cohen_kappa", "cohen_kappa"),
            ("precision_binary", "precision"),
            ("recall_binary", "recall"),
            ("f1_binary", "f1"),
            ("precision_macro", "precision_macro"),
            ("recall_macro", "recall_macro"),
            ("f1_macro", "f1_macro"),
            ("precision_micro", "precision_micro"),
            ("recall_micro", "recall_micro"),
            ("f1_micro", "f1_micro"),
            ("precision_weighted", "precision_weighted"),
            ("recall_weighted", "recall_weighted"),
            ("f1_weighted", "f1_weighted"),
            ("f1", "f1"),
        ],
    );
    let labels: Vec<f64> = rows.classes().iter().map(|class| class.parse().unwrap()).collect();
    answer["labels_sorted_union"] = json!(labels);
    answer
}

fn probabilistic(inputs: &Value) -> Value {
    let (truth, scores) = (optional(&inputs["y_true"]), optional(&inputs["y_score"]));
    let rows = Rows::classification(Column::Numbers(&truth), None, Some(&scores), None).unwrap();
    metric_values(
        &rows,
        &[
            ("roc_auc", "roc_auc"),
            ("average_precision", "average_precision"),
            ("log_loss", "log_loss"),
            ("brier", "brier"),
        ],
    )
}

fn regression(inputs: &Value) -> Value {
    let (truth, predicted) = (optional(&inputs["y_true"]), optional(&inputs["y_pred"]));
    let rows = Rows::regression(Column::Numbers(&truth), Column::Numbers(&predicted)).unwrap();
    let mut answer = metric_values(
        &rows,
        &[
            ("mae", "mae"),
            ("mse", "mse"),
            ("rmse", "rmse"),
            ("r2", "r2"),
            ("explained_variance", "explained_variance"),
            ("medae", "median_absolute_error"),
            ("max_error", "max_error"),
            ("mape_fraction_eps", "mape"),
            ("smape_0_200pct", "smape"),
            ("mean_bias_error_pred_minus_true", "mean_error"),
        ],
    );
    answer["smape_0_200pct"] = json!(answer["smape_0_200pct"].as_f64().map(|fraction| 100.0 * fraction));
    answer
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
