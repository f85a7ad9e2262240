//! Repeated looks, and who sees which arm.

use serde_json::{Map, Value, json};
use steward::ab::{self, ConfidenceSequence, Spending};
use steward::stats::normal_quantile;

use super::super::inputs::{number, numbers, tail, text};

pub(super) fn answer(function: &str, inputs: &Value) -> Option<Value> {
    let x = |name: &str| number(&inputs[name]);
    Some(match function {
        "alpha_spending_bounds_two_sided" => {
            let plan = ab::boundaries(&numbers(&inputs["t"]), x("alpha"), spending(inputs));
            let z: Vec<f64> = plan.iter().map(|look| look.z).collect();
            json!({ "cum_alpha": plan.iter().map(|look| look.spent).collect::<Vec<_>>(), "z": z, "zb": z })
        }
        "classic_constants_two_sided_0.05" => {
            let obrien_fleming = !text(&inputs["kind"]).starts_with("Pocock");
            let constant = if obrien_fleming { ab::obrien_fleming_constant } else { ab::pocock_constant };
            by_looks(&inputs["K"], |looks| constant(looks, 0.05))
        }
        "type1_error_of_repeated_looks" => {
            assert_eq!(inputs["equally_spaced"], json!(true));
            let z = normal_quantile(1.0 - x("alpha") / 2.0).unwrap();
            by_looks(&inputs["looks"], |looks| {
                let fractions: Vec<f64> = (1..=looks).map(|k| f64::from(k) / f64::from(looks)).collect();
                ab::crossing_chance(&fractions, &vec![z; fractions.len()])
            })
        }
        "asymptotic_confidence_sequence" => sequence(inputs),
        "always_valid_monitoring" => monitoring(inputs),
        "msprt_two_sample_normal" => {
            let alpha = inputs.get("alpha").map_or(0.05, number);
            let found = ab::msprt(x("mean_b") - x("mean_a"), x("n_per_arm"), x("sigma2"), x("tau2"), alpha).unwrap();
            json!({
                "lambda": found.likelihood_ratio, "always_valid_p_single_look": tail(found.p_value),
                "ci95_halfwidth": found.half_width,
            })
        }
        "sha256_bucket" => buckets(inputs),
        _ => return None,
    })
}

fn by_looks(looks: &Value, value: impl Fn(u32) -> f64) -> Value {
    let of = |looks: f64| (format!("{looks:.0}"), json!(value(looks as u32)));
    Value::Object(numbers(looks).into_iter().map(of).collect::<Map<_, _>>())
}

/// `OBF`, `Pocock`, `alpha*t^2`, or an exponent beside.
fn spending(inputs: &Value) -> Spending {
    if let Some(rho) = inputs.get("rho") {
        return Spending::Power(number(rho));
    }
    let name = text(&inputs["spending"]);
    if name.contains("OBF") || name.contains("Fleming") {
        Spending::OBrienFleming
    } else if name.contains("ocock") {
        Spending::Pocock
    } else if let Some((_, exponent)) = name.split_once("t^") {
        let digits: String = exponent.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        Spending::Power(digits.parse().unwrap())
    } else if name.contains("alpha*t") {
        Spending::Power(1.0)
    } else {
        panic!("unknown spending {name}")
    }
}

fn sequence(inputs: &Value) -> Value {
    let x = |name: &str| number(&inputs[name]);
    let tuned = ConfidenceSequence::tuned(x("alpha"), x("N_star")).unwrap();
    let (estimate, error, rows) = (x("estimate"), x("se"), x("n_total"));
    let look = tuned.look((estimate - x("null")) / error, rows);
    let half = look.critical * error;
    json!({
        "rho": tuned.rho(), "halfwidth_two_sided": half, "ci": [estimate - half, estimate + half],
        "ratio_to_fixed_z_ci": look.critical / normal_quantile(1.0 - x("alpha") / 2.0).unwrap(),
        "log_e_value": look.log_e_value, "always_valid_p": tail(look.p_value), "eppo_multiplier_B_equals": look.critical,
        "one_sided_halfwidth": tuned.one_sided_critical(rows).map(|critical| critical * error),
    })
}

fn monitoring(inputs: &Value) -> Value {
    let alpha = number(&inputs["alpha"]);
    let tuned = ConfidenceSequence::tuned(alpha, number(&inputs["N_star"])).unwrap();
    let given = inputs["looks"].as_array().unwrap();
    let looks: Vec<_> =
        given.iter().map(|look| (number(&look["n_total"]), number(&look["estimate"]), number(&look["se"]))).collect();
    let found = ab::monitor(tuned, &looks);
    let first = found.iter().position(|look| look.smallest.p() < alpha).map(|index| index + 1);
    let rows: Vec<Value> = looks
        .iter()
        .zip(&found)
        .map(|((rows, ..), look)| {
            json!({
                "n": rows, "p_this_look": tail(look.look.p_value), "p_running_min": tail(look.smallest),
                "cs": [look.interval.low, look.interval.high], "cs_running_intersection": super::ends(look.common),
            })
        })
        .collect();
    json!({ "looks": rows, "first_look_p<alpha": first })
}

fn buckets(inputs: &Value) -> Value {
    let (salt, split) = (text(&inputs["salt"]), number(&inputs["traffic_split"]));
    let units: Vec<String> = match &inputs["units"] {
        Value::String(range) => {
            let last = range.rsplit("..u").next().unwrap().parse::<u32>().unwrap();
            (0..=last).map(|i| format!("u{i}")).collect()
        }
        units => units.as_array().unwrap().iter().map(|unit| text(unit).to_owned()).collect(),
    };
    let variant: Vec<&str> = units.iter().map(|unit| if ab::sees_b(salt, unit, split) { "B" } else { "A" }).collect();
    json!({
        // Read back as the cases are: the reader of JSON may miss the last bit of a double, and nothing here is tolerated.
        "u": units.iter().map(|unit| reread(ab::bucket(salt, unit))).collect::<Vec<_>>(),
        "count_b": variant.iter().filter(|variant| **variant == "B").count(), "variant": variant,
    })
}

fn reread(number: f64) -> Value {
    serde_json::from_str(&number.to_string()).unwrap()
}
