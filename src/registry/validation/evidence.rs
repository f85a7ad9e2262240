//! What the audit trail keeps of metrics: their values, or for many of them a digest that the rows can be held against.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Metrics that an event repeats one by one.
const LISTED: usize = 50;

/// A metric as it was logged.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// Its name.
    pub name: &'a str,
    /// The split.
    pub split: Option<&'a str>,
    /// The segment.
    pub segment: Option<&'a str>,
    /// The value; none when it is undefined.
    pub value: Option<f64>,
    /// Rows that it stands on.
    pub sample_count: Option<i64>,
}

impl Measured<'_> {
    fn line(&self) -> Value {
        json!([self.name, self.split, self.segment, self.value, self.sample_count])
    }
}

/// The detail of an event `metrics.logged`. `sha256` is of the lines `["name","split","segment",value,sample_count]` as JSON without
/// spaces, sorted by their bytes, each followed by a line feed; up to fifty of them are in `metrics` themselves.
#[must_use]
pub fn detail(measured: &[Measured<'_>], run_id: Option<Uuid>) -> Value {
    let mut lines: Vec<String> = measured.iter().map(|metric| metric.line().to_string()).collect();
    lines.sort_unstable();
    let mut hasher = Sha256::new();
    for line in &lines {
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
    }
    let mut names: Vec<&str> = measured.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    let mut detail = json!({
        "count": measured.len(), "names": names, "sha256": hex::encode(hasher.finalize()),
    });
    if measured.len() <= LISTED {
        detail["metrics"] = measured.iter().map(Measured::line).collect();
    }
    if let Some(run_id) = run_id {
        detail["run_id"] = json!(run_id);
    }
    detail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_the_values_and_not_of_their_order() {
        let of = |name, value| Measured { name, split: Some("test"), segment: None, value, sample_count: Some(10) };
        let (a, b) = (of("accuracy", Some(0.95)), of("f1", None));
        let detail = super::detail(&[a, b], None);
        // printf '["accuracy","test",null,0.95,10]\n["f1","test",null,null,10]\n' | sha256sum
        assert_eq!(detail["sha256"], "aa9e47a93ea52a2a32fd4fd1eb429811be9141b157ccf9b10146e2739fd12517");
        assert_eq!(super::detail(&[b, a], None)["sha256"], detail["sha256"]);
        assert_ne!(super::detail(&[of("accuracy", Some(0.96)), b], None)["sha256"], detail["sha256"]);
        assert_eq!(detail["metrics"][0], json!(["accuracy", "test", null, 0.95, 10]));
        assert!(super::detail(&vec![a; LISTED + 1], None)["metrics"].is_null());
    }
}
