//! Reading the inputs of cases, and writing answers.

use serde_json::{Value, json};
use steward::drift;
use steward::stats::{Moments, Tail};

pub(super) fn tail(tail: Tail) -> Value {
    json!({ "p": tail.p(), "log10": tail.log10() })
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A number, also written as text or absent (0).
pub(super) fn number(value: &Value) -> f64 {
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

pub(super) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

pub(super) fn optional(value: &Value) -> Vec<Option<f64>> {
    numbers(value).into_iter().map(|number| Some(number).filter(|number| !number.is_nan())).collect()
}

pub(super) fn counts(value: &Value) -> Vec<u64> {
    numbers(value).into_iter().map(|count| count as u64).collect()
}

pub(super) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    drift::sort_values(&mut values);
    values
}

/// An arm, as rows, as a summary, or as a base times a power of two.
pub(super) fn arm(inputs: &Value, name: &str) -> Moments {
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
pub(super) fn generated(text: &str) -> Vec<f64> {
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
