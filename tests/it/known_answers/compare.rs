//! Comparing an answer with what is expected.

use serde_json::{Value, json};

use super::inputs::number;

pub(super) struct Tolerance {
    pub(super) relative: f64,
    pub(super) absolute: f64,
}

impl Tolerance {
    fn close(&self, got: f64, expected: f64) -> bool {
        (got - expected).abs() <= self.absolute + self.relative * expected.abs()
    }

    pub(super) fn compare(&self, at: &str, got: &Value, expected: &Value, failures: &mut Vec<String>) {
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
