//! Distributions, moments, intervals and the adjustment of p-values.

use serde_json::{Value, json};
use steward::stats::{self, Moments};

use super::Listed;
use super::inputs::{generated, number, numbers, tail, text};

pub(super) const LISTED: Listed = Listed {
    functions: &["binom_test", "fisher_z_interval", "oneway_anova"],
    cases: &[],
    fields: &[
        ("mean_sd", "lag1_autocorr", "not yet"),
        ("p_adjust", "bonferroni", "not yet"),
        ("p_adjust", "holm", "not yet"),
        ("p_adjust", "sidak", "not yet"),
        ("p_adjust", "holm-sidak", "not yet"),
        ("p_adjust", "simes-hochberg", "not yet"),
        ("p_adjust", "hommel", "not yet"),
        ("p_adjust", "fdr_by", "not yet"),
    ],
};

/// What the crate answers, in the shape of `expected`; `None` for a function that is not of this file.
pub(super) fn answer(function: &str, inputs: &Value) -> Option<Value> {
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
        "p_adjust" => json!({ "fdr_bh": stats::benjamini_hochberg(&numbers(&inputs["p"])) }),
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
