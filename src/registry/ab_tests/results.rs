//! The results of one arm as somebody posts them: its values, or what is sufficient of them.
//!
//! A single number is refused: it says neither how many rows it stands on nor how much they vary, and without both nothing can
//! be told apart from chance.

use serde_json::Value;

use super::super::validation::FieldProblem;
use crate::stats::Moments;

/// Rows of an arm, at most: more are a slip of the keyboard, and would use the plan up.
const MOST_ROWS: u64 = 1_000_000_000_000;

/// Results of one arm.
#[derive(Debug, Clone, PartialEq)]
pub enum ArmResults {
    /// A value for each row; none where it is missing.
    Values(Vec<Option<f64>>),
    /// How many rows, their mean and their variance.
    Moments(Moments),
}

impl ArmResults {
    /// Reads `[1, 2, null]`, `{"n": 10, "mean": 0.5, "variance": 0.1}` or `{"n": 10, "successes": 5}`; `pointer` says where it stands.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(pointer: &str, value: &Value) -> Result<Self, FieldProblem> {
        let wrong = |at: &str, detail: String| Err(FieldProblem { item: 0, pointer: format!("{pointer}{at}"), detail });
        let fields = match value {
            Value::Array(values) => return Self::values(pointer, values),
            Value::Object(fields) => fields,
            Value::Number(number) => {
                let detail = format!(
                    "{number} alone says neither how many rows it stands on nor how much they vary, so it cannot be compared: post the \
                     values, or n with mean and variance, or n with successes"
                );
                return wrong("", detail);
            }
            _ => {
                let detail = "must be a list of values, {n, mean, variance}, or {n, successes}".to_owned();
                return wrong("", detail);
            }
        };
        if let Some(name) = fields.keys().find(|name| !matches!(name.as_str(), "n" | "mean" | "variance" | "successes"))
        {
            return wrong(
                &format!("/{name}"),
                "is unknown; post n with mean and variance, or n with successes".to_owned(),
            );
        }
        let Some(n) = fields.get("n").and_then(Value::as_u64).filter(|n| *n >= 1) else {
            return wrong("/n", "must be the number of rows, 1 or more".to_owned());
        };
        if n > MOST_ROWS {
            return wrong("/n", format!("is more rows than anybody has: {MOST_ROWS} at most"));
        }
        let number = |name: &str| fields.get(name).and_then(Value::as_f64).filter(|value| value.is_finite());
        if fields.contains_key("successes") {
            if fields.contains_key("mean") || fields.contains_key("variance") {
                return wrong("/successes", "stands for mean and variance: post the one or the others".to_owned());
            }
            return match fields.get("successes").and_then(Value::as_u64).filter(|successes| *successes <= n) {
                Some(successes) => Ok(Self::Moments(of_successes(n, successes))),
                None => wrong("/successes", format!("must be a whole number from 0 to n = {n}")),
            };
        }
        let Some(mean) = number("mean") else {
            return wrong("/mean", "must be the mean of the rows, a finite number".to_owned());
        };
        let Some(variance) = number("variance").filter(|variance| *variance >= 0.0) else {
            let detail = "must be the sample variance of the rows (divisor n - 1), 0 or more: without it nothing can be told apart from chance";
            return wrong("/variance", detail.to_owned());
        };
        if n == 1 && variance != 0.0 {
            return wrong(
                "/variance",
                format!("must be 0 of a single row, not {variance}: one row varies from nothing"),
            );
        }
        match Moments::from_summary(n, mean, variance) {
            Some(moments) => Ok(Self::Moments(moments)),
            None => wrong("/variance", "is beyond what can be computed with".to_owned()),
        }
    }

    fn values(pointer: &str, values: &[Value]) -> Result<Self, FieldProblem> {
        let wrong = |pointer: String, detail: &str| Err(FieldProblem { item: 0, pointer, detail: detail.to_owned() });
        if values.is_empty() {
            return wrong(pointer.to_owned(), "holds no result");
        }
        let mut read = Vec::with_capacity(values.len());
        for (at, value) in values.iter().enumerate() {
            read.push(match value {
                Value::Null => None,
                Value::Bool(value) => Some(f64::from(u8::from(*value))),
                Value::Number(number) if number.as_f64().is_some_and(f64::is_finite) => number.as_f64(),
                _ => {
                    let detail = "must be a finite number, true or false, or null when it is missing";
                    return wrong(format!("{pointer}/{at}"), detail);
                }
            });
        }
        Ok(Self::Values(read))
    }

    /// The moments of the rows.
    #[must_use]
    pub fn moments(&self) -> Moments {
        match self {
            Self::Values(values) => Moments::of_options(values),
            Self::Moments(moments) => *moments,
        }
    }
}

/// The moments of `successes` ones among `n` rows.
fn of_successes(n: u64, successes: u64) -> Moments {
    let (rows, ones) = (n as f64, successes as f64);
    let variance = if n > 1 { ones * (rows - ones) / rows / (rows - 1.0) } else { 0.0 };
    Moments::from_summary(n, ones / rows, variance).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_sufficient_is_as_good_as_the_rows() {
        let rows: Vec<Option<f64>> = (0..50).map(|i| Some(f64::from(u8::from(i < 20)))).collect();
        let moments = ArmResults::Values(rows).moments();
        for posted in [json!({"n": 50, "successes": 20}), json!({"n": 50, "mean": 0.4, "variance": moments.variance()})]
        {
            let read = ArmResults::read("/model_a_results", &posted).unwrap().moments();
            assert_eq!((read.n(), read.mean()), (50, Some(0.4)));
            assert!((read.variance().unwrap() - moments.variance().unwrap()).abs() < 1e-15);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused_with_the_reason() {
        for (posted, pointer, part) in [
            (json!(0.85), "/a", "neither how many rows"),
            (json!("0.85"), "/a", "must be a list of values"),
            (json!([]), "/a", "holds no result"),
            (json!([1.0, "x"]), "/a/1", "must be a finite number"),
            (json!({"mean": 1.0, "variance": 1.0}), "/a/n", "number of rows"),
            (json!({"n": 10, "mean": 1.0}), "/a/variance", "sample variance"),
            (json!({"n": 10, "mean": 1.0, "variance": -1.0}), "/a/variance", "0 or more"),
            (json!({"n": 1, "mean": 1.0, "variance": 5.0}), "/a/variance", "of a single row"),
            (json!({"n": 10, "successes": 11}), "/a/successes", "from 0 to n = 10"),
            (json!({"n": 10, "successes": 1, "mean": 0.1}), "/a/successes", "the one or the others"),
            (json!({"n": 10, "sd": 1}), "/a/sd", "unknown"),
        ] {
            let problem = ArmResults::read("/a", &posted).unwrap_err();
            assert_eq!(problem.pointer, pointer, "{posted}");
            assert!(problem.detail.contains(part), "{posted}: {}", problem.detail);
        }
    }
}
