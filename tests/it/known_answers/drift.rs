//! Distances between two samples of one column.

use serde_json::{Map, Value, json};
use steward::drift::methods::ks_test;
use steward::drift::{self, CategoryCounts, NumericSample, Options, Sample};
use steward::stats;

use super::Listed;
use super::inputs::{counts, numbers, sorted, tail, text};

pub(super) const LISTED: Listed = Listed {
    functions: &[],
    cases: &[],
    fields: &[
        ("drift_scores", "reference_sd", "says in words which standard deviation the score is in units of"),
        (
            "anderson_ksamp",
            "critical_values_*",
            "null in every case: the tabulated p-value made from them is what is compared",
        ),
    ],
};

/// What the crate answers, in the shape of `expected`; `None` for a function that is not of this file.
pub(super) fn answer(function: &str, inputs: &Value) -> Option<Value> {
    Some(match function {
        "ks_2samp_two_sided" => ks(inputs),
        "chi2_contingency" => contingency(inputs),
        "drift_scores" => drift_scores(inputs),
        "chi_square_drift" => chi_square_drift(inputs),
        "anderson_ksamp" => anderson(inputs),
        "categorical_divergences" => divergences(inputs),
        "cramervonmises_2samp" => cramer_von_mises(inputs),
        "psi_continuous" => psi_continuous(inputs),
        "numeric_drift_scores" => numeric_scores(inputs),
        "wasserstein_1" => wasserstein(inputs),
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
    let Some(table) = stats::association(&rows) else {
        return json!({
            "yates": null, "pearson": null, "g_test": null, "expected": null, "cramers_v": null,
            "cramers_v_bias_corrected": null,
        });
    };
    let p = |statistic: f64| tail(table.p_value(statistic));
    let df = table.degrees_of_freedom;
    if let [first, second] = &rows[..] {
        // The test that drift uses is the same one.
        let test = stats::homogeneity(first.iter().copied().zip(second.iter().copied())).unwrap();
        assert!((test.chi_square - table.pearson).abs() <= 1e-12 * table.pearson.max(1e-3));
        assert_eq!(test.degrees_of_freedom, df);
    }
    json!({
        "yates": { "chi2": table.yates, "df": df, "p": p(table.yates) },
        "pearson": { "chi2": table.pearson, "df": df, "p": p(table.pearson), "p_mpmath": p(table.pearson) },
        "g_test": { "G": table.likelihood_ratio, "df": df, "p": p(table.likelihood_ratio) },
        "expected": table.expected,
        "cramers_v": table.cramers_v,
        "cramers_v_bias_corrected": table.cramers_v_bias_corrected,
    })
}

fn anderson(inputs: &Value) -> Value {
    let samples: Vec<Vec<f64>> =
        inputs["samples"].as_array().unwrap().iter().map(|rows| sorted(numbers(rows))).collect();
    let samples: Vec<&[f64]> = samples.iter().map(Vec::as_slice).collect();
    let test = stats::anderson_darling(&samples);
    json!({
        "A2kN_midrank_normalised": test.map(|test| test.midrank),
        "A2_right_normalised": test.map(|test| test.right),
        "p_scipy_interpolated_capped": test.map(|test| test.tabulated()),
        "p_limit": test.and_then(|test| test.limit()).map(tail),
    })
}

fn cramer_von_mises(inputs: &Value) -> Value {
    let (x, y) = (sorted(numbers(&inputs["x"])), sorted(numbers(&inputs["y"])));
    let test = stats::CramerVonMises::of(&x, &y);
    json!({
        "T": test.map(|test| test.statistic()),
        "p_exact": test.and_then(|test| test.exact()).map(|tail| tail.p()),
        "p_asymptotic": test.map(|test| test.asymptotic().p()),
    })
}

fn wasserstein(inputs: &Value) -> Value {
    let side = |name: &str| -> Vec<(f64, f64)> {
        let values = numbers(&inputs[name]);
        let weights = inputs.get(format!("{name}_weights")).filter(|weights| weights.is_array()).map(numbers);
        let weights = weights.unwrap_or_else(|| vec![1.0; values.len()]);
        values.into_iter().zip(weights).collect()
    };
    let (x, y) = (side("x"), side("y"));
    let both = stats::weighted_transport(&x, &y);
    if [&x, &y].iter().all(|side| side.iter().all(|(_, weight)| *weight == 1.0)) {
        // Without weights the product takes another way to the same numbers.
        let column = |side: &[(f64, f64)]| sorted(side.iter().map(|(value, _)| *value).collect());
        let (plain, both) = (stats::transport(&column(&x), &column(&y), |value| value).unwrap(), both.unwrap());
        assert!((plain.wasserstein - both.wasserstein).abs() <= 1e-12 * both.wasserstein.max(1.0));
        assert!((plain.energy_squared - both.energy_squared).abs() <= 1e-12 * both.energy_squared.max(1.0));
    }
    json!({
        "w1": both.map(|both| both.wasserstein), "energy_distance": both.map(|both| both.energy_squared.sqrt()),
    })
}

/// The scores that are the crate's own.
fn numeric_scores(inputs: &Value) -> Value {
    let (reference, current) = (sorted(numbers(&inputs["reference"])), sorted(numbers(&inputs["current"])));
    let side = |sorted| Sample::Numeric(NumericSample { sorted, missing: 0 });
    let check = |name: &str| {
        let method = drift::method(name).unwrap();
        drift::judge("x", method, &side(&reference), &side(&current), &Options::default())
    };
    let energy = check("energy");
    json!({
        "cramer_von_mises": check("cramer_von_mises").score, "anderson_darling": check("anderson_darling").score,
        "energy": energy.score, "inhomogeneity": energy.details["inhomogeneity"],
        "wasserstein": check("wasserstein").score,
    })
}

fn divergences(inputs: &Value) -> Value {
    let (p, q) = (numbers(&inputs["p_ref"]), numbers(&inputs["q_cur"]));
    let shares = stats::shares(&p, &q).unwrap();
    let swapped = || shares.iter().map(|&(p, q)| (q, p));
    let bits = stats::jensen_shannon(shares.iter().copied());
    let infinite = |value: Option<f64>| value.map_or(json!("Infinity"), |value| json!(value));
    let index = |floor: f64| -> f64 {
        let floored = shares.iter().map(|&(p, q)| (p.max(floor), q.max(floor)));
        floored.filter(|(p, q)| p != q).map(|(p, q)| (q - p) * (q / p).ln()).sum()
    };
    let raw = index(0.0);
    json!({
        "js_distance_base_e": (bits * std::f64::consts::LN_2).sqrt(), "js_distance_base2": bits.sqrt(),
        "js_divergence_base2": bits,
        "kl_p_q_nats": infinite(stats::kullback_leibler(shares.iter().copied())),
        "kl_q_p_nats": infinite(stats::kullback_leibler(swapped())),
        "hellinger": stats::hellinger(shares.iter().copied()),
        "total_variation": stats::total_variation(shares.iter().copied()),
        "psi_floor_1e-4": index(1e-4), "psi_raw": infinite(Some(raw).filter(|raw| raw.is_finite())),
    })
}

/// `psi` on quantile bins. The case closes its bins on the left; where no value lies on an edge that is the same as on the right.
fn psi_continuous(inputs: &Value) -> Value {
    let (reference, current) = (sorted(series(&inputs["ref"])), sorted(series(&inputs["cur"])));
    let side = |sorted| Sample::Numeric(NumericSample { sorted, missing: 0 });
    let method = drift::method("psi").unwrap();
    let check = drift::judge("x", method, &side(&reference), &side(&current), &Options::default());
    let bins = check.details["bins"].as_array().unwrap();
    let rows = |name: &str, total: usize| -> Vec<f64> {
        bins.iter().map(|bin| (bin[name].as_f64().unwrap() * total as f64).round()).collect()
    };
    let edges: Vec<&Value> = bins.iter().map(|bin| &bin["high"]).filter(|edge| !edge.is_null()).collect();
    json!({
        "ref_counts": rows("reference", reference.len()), "cur_counts": rows("current", current.len()),
        "inner_edges": edges, "psi": check.score,
    })
}

/// A list, or `1..100`, `1.1*(1..100)`, `5+(1..100)`.
fn series(value: &Value) -> Vec<f64> {
    let Some(text) = value.as_str() else { return numbers(value) };
    let (operation, range) = text.split_once('(').map_or(("", text), |(operation, range)| (operation.trim(), range));
    let (from, to) = range.trim().trim_end_matches(')').split_once("..").unwrap();
    let bound = |text: &str| text.trim().parse::<i32>().unwrap();
    let operand = |sign: char| operation.strip_suffix(sign).map(|number| number.trim().parse::<f64>().unwrap());
    let (factor, offset) = (operand('*').unwrap_or(1.0), operand('+').unwrap_or(0.0));
    (bound(from)..=bound(to)).map(|i| factor * f64::from(i) + offset).collect()
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
        "wasserstein_over_reference_sd": check("wasserstein").score,
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
