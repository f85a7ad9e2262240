//! Distances between two samples of one column.

use serde_json::{Map, Value, json};
use steward::drift::methods::ks_test;
use steward::drift::{self, CategoryCounts, NumericSample, Options, Sample};
use steward::stats;

use super::Listed;
use super::inputs::{counts, numbers, sorted, tail, text};

pub(super) const LISTED: Listed = Listed {
    functions: &[
        "anderson_ksamp",
        "categorical_divergences",
        "cramervonmises_2samp",
        "psi_continuous",
        "wasserstein_1",
    ],
    cases: &[],
    fields: &[
        ("drift_scores", "wasserstein_over_reference_sd", "not yet"),
        ("drift_scores", "reference_sd", "not yet"),
        ("chi2_contingency", "yates", "not yet"),
        ("chi2_contingency", "g_test", "not yet"),
        ("chi2_contingency", "expected", "not yet"),
        ("chi2_contingency", "cramers_v_bias_corrected", "not yet"),
    ],
};

/// What the crate answers, in the shape of `expected`; `None` for a function that is not of this file.
pub(super) fn answer(function: &str, inputs: &Value) -> Option<Value> {
    Some(match function {
        "ks_2samp_two_sided" => ks(inputs),
        "chi2_contingency" => contingency(inputs),
        "drift_scores" => drift_scores(inputs),
        "chi_square_drift" => chi_square_drift(inputs),
        _ => return None,
    })
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
