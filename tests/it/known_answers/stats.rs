//! Distributions, moments, intervals and the adjustment of p-values.

use serde_json::{Value, json};
use steward::stats::{self, Moments};

use super::Listed;
use super::inputs::{generated, number, numbers, sorted, tail, text};

pub(super) const LISTED: Listed = Listed { functions: &[], cases: &[], fields: &[] };

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
        "cramer_von_mises_limiting_sf" => json!({ "p": tail(stats::cramer_von_mises_limit(x("x"))) }),
        "anderson_darling_limiting_sf" => json!({ "p": tail(stats::anderson_darling_limit(x("x"))) }),
        "quantiles_type_7" => {
            let values = sorted(numbers(&inputs["x"]));
            let quantile = |share: f64| stats::quantile_sorted(&values, share);
            json!({ "quantiles": numbers(&inputs["q"]).into_iter().map(quantile).collect::<Vec<_>>() })
        }
        "mean_sd" | "mean_var" => moments(inputs),
        "merge_moments" => {
            let mut moments = Moments::new();
            inputs["batches"].as_array().unwrap().iter().for_each(|batch| moments.merge(&Moments::of(&numbers(batch))));
            json!({ "n": moments.n(), "mean": moments.mean(), "m2": moments.m2(), "var_ddof1": moments.variance() })
        }
        "p_adjust" => adjusted(&numbers(&inputs["p"])),
        "binom_test" => binomial(inputs),
        "fisher_z_interval" => {
            let rows = inputs["n"].as_u64().unwrap();
            json!({ "ci": stats::fisher_z(x("r"), rows, confidence(inputs)).map(|ci| [ci.low, ci.high]) })
        }
        "oneway_anova" => anova(inputs),
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

/// The confidence of an interval, 95 % when the case does not say.
fn confidence(inputs: &Value) -> f64 {
    inputs.get("confidence").and_then(Value::as_f64).unwrap_or(0.95)
}

fn adjusted(p: &[f64]) -> Value {
    json!({
        "bonferroni": stats::bonferroni(p), "holm": stats::holm(p), "sidak": stats::sidak(p),
        "holm-sidak": stats::holm_sidak(p), "simes-hochberg": stats::hochberg(p), "hommel": stats::hommel(p),
        "fdr_bh": stats::benjamini_hochberg(p), "fdr_by": stats::benjamini_yekutieli(p),
    })
}

fn binomial(inputs: &Value) -> Value {
    let (k, n) = (inputs["k"].as_u64().unwrap(), inputs["n"].as_u64().unwrap());
    let expected = inputs.get("p0").map_or(0.5, number);
    let ends = |interval: Option<stats::Interval>| interval.map(|interval| [interval.low, interval.high]);
    json!({
        "p_two_sided": stats::binomial_two_sided(k, n, expected).map(tail),
        "ci95_clopper_pearson": ends(stats::clopper_pearson(k, n, confidence(inputs))),
        "ci95_wilson": ends(stats::wilson(k, n, confidence(inputs))),
    })
}

fn anova(inputs: &Value) -> Value {
    let groups: Vec<Vec<f64>> = match inputs.get("groups").and_then(Value::as_array) {
        Some(groups) => groups.iter().map(numbers).collect(),
        None => simon_lesage(text(&inputs["dataset"])),
    };
    let groups: Vec<Moments> = whole_numbers(&groups).iter().map(|rows| Moments::of(rows)).collect();
    let anova = stats::one_way_anova(&groups);
    json!({
        "F": anova.map(|anova| anova.f), "df1": anova.map(|anova| anova.between),
        "df2": anova.map(|anova| anova.within), "p": anova.map(|anova| tail(anova.p_value)),
    })
}

/// Rows in units of their last decimal. The certified values are of the decimals as they are written; as doubles 107.8681568 and its like
/// keep too few digits (the exact F of those doubles is 7e-11 off, its p-value 4e-10), and F does not depend on the unit.
fn whole_numbers(groups: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let written = |value: &f64| format!("{value}");
    let decimals = |value: &f64| written(value).split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let longest = groups.iter().flatten().map(decimals).max().unwrap_or(0);
    let largest = groups.iter().flatten().fold(0.0f64, |largest, value| largest.max(value.abs()));
    if largest * 10f64.powi(longest as i32) >= 9e15 {
        return groups.to_vec();
    }
    let whole = |value: &f64| -> f64 {
        let digits = written(value).replace('.', "");
        (digits + &"0".repeat(longest - decimals(value))).parse().unwrap()
    };
    groups.iter().map(|rows| rows.iter().map(whole).collect()).collect()
}

/// NIST's data sets `SmLs01` to `SmLs09` (Simon and Lesage 1989): nine groups of 21, 201 or 2001 rows, each a first value and then
/// one tenth below and above it in turn, with an offset of 0, 1e6 or 1e12.
fn simon_lesage(name: &str) -> Vec<Vec<f64>> {
    let (_, number) = name.rsplit_once("SmLs").unwrap();
    let number: u32 = number.parse().unwrap();
    let pairs = 10 * 10usize.pow((number - 1) % 3);
    let offset = ["", "1000000", "1000000000000"][(number - 1) as usize / 3];
    // Written in decimals and then read: an addition would round twice.
    let value =
        |tenths: u32| format!("{}.{}", if offset.is_empty() { "1".to_owned() } else { offset.to_owned() }, tenths);
    let read = |tenths: u32| value(tenths).parse::<f64>().unwrap();
    [4, 3, 5, 3, 5, 3, 5, 3, 5]
        .map(|first| {
            let mut rows = vec![read(first)];
            (0..pairs).for_each(|_| rows.extend([read(first - 1), read(first + 1)]));
            rows
        })
        .to_vec()
}

fn moments(inputs: &Value) -> Value {
    let values = inputs.get("x").map_or_else(|| generated(text(&inputs["x_generator"])), numbers);
    let moments = Moments::of(&values);
    json!({
        "n": moments.n(), "mean": moments.mean(),
        "lag1_autocorr": stats::lag_one_autocorrelation(&values),
        "sd_ddof1": moments.standard_deviation(), "var_ddof1": moments.variance(),
    })
}
