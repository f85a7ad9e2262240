//! What the fields of a logged metric must be. Every problem is found, not only the first.

use serde_json::Value;

use crate::metrics;

use super::{Error, FieldProblem, MAX_BATCH, NewMetric};

const TYPES: [&str; 3] = ["classification", "regression", "custom"];
/// Problems that one answer lists.
const MOST: usize = 100;

/// Checks a batch.
pub(super) fn all(metrics: &[NewMetric]) -> Result<(), Error> {
    if metrics.is_empty() {
        return Err(Error::field("", "there is no metric to log"));
    }
    if metrics.len() > MAX_BATCH {
        return Err(Error::field(
            "",
            format!("{} metrics are too many at once; log at most {MAX_BATCH}", metrics.len()),
        ));
    }
    let mut problems = Vec::new();
    for (item, metric) in metrics.iter().enumerate() {
        one(metric, |pointer, detail| {
            problems.push(FieldProblem { item, pointer: pointer.to_owned(), detail });
        });
        if problems.len() >= MOST {
            break;
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}

fn one(metric: &NewMetric, mut wrong: impl FnMut(&str, String)) {
    if let Some(problem) = model_name(&metric.model_name) {
        wrong("/model_name", problem);
    }
    if metric.model_version.is_empty() || metric.model_version.len() > 128 || has_control(&metric.model_version) {
        wrong("/model_version", "a version has 1 to 128 characters".to_owned());
    }
    if let Some(problem) = metric_name(&metric.metric_name) {
        wrong("/metric_name", problem);
    }
    if !TYPES.contains(&metric.metric_type.as_str()) {
        let known = TYPES.join(", ");
        wrong("/metric_type", format!("there is no metric type {:?}; choose one of {known}", metric.metric_type));
    }
    numbers(metric, &mut wrong);
    for (pointer, text, most) in [
        ("/dataset_split", &metric.dataset_split, 128),
        ("/segment", &metric.segment, 256),
        ("/dataset_uri", &metric.dataset_uri, 2048),
        ("/dataset_digest", &metric.dataset_digest, 256),
    ] {
        if let Some(text) = text
            && (text.is_empty() || text.len() > most || has_control(text))
        {
            wrong(
                pointer,
                format!("must have 1 to {most} bytes and no control characters; leave it out when there is none"),
            );
        }
    }
    if let (Some(start), Some(end)) = (metric.window_start, metric.window_end)
        && start >= end
    {
        wrong("/window_end", format!("the window ends at {end}, not after its start {start}"));
    }
    if !metric.metadata.is_object() {
        wrong("/metadata", "must be an object".to_owned());
    } else if has_nul(&metric.metadata) {
        wrong("/metadata", "holds the character U+0000, which cannot be kept".to_owned());
    }
}

fn numbers(metric: &NewMetric, wrong: &mut impl FnMut(&str, String)) {
    let finite = |value: Option<f64>| value.is_none_or(f64::is_finite);
    for (pointer, value) in
        [("/metric_value", metric.metric_value), ("/ci_low", metric.ci_low), ("/ci_high", metric.ci_high)]
    {
        if !finite(value) {
            wrong(pointer, "must be a finite number, not NaN or infinity".to_owned());
        }
    }
    if metric.metric_value.is_none() && metric.metadata.get("reason").and_then(Value::as_str).is_none_or(str::is_empty)
    {
        wrong("/metric_value", "is missing; when the metric is undefined, say why in `metadata.reason`".to_owned());
    }
    // A gate would take 95 for a very good accuracy. Names of other metrics mean what their users say.
    if let (Some(value), Some(known)) = (metric.metric_value, metrics::metric(&metric.metric_name))
        && known.task() == metrics::Task::Classification
        && (value < known.range().0 || value > known.range().1)
    {
        let (low, high) = known.range();
        wrong("/metric_value", format!("`{}` lies between {low} and {high}; {value} is no value of it", known.name()));
    }
    if let (Some(low), Some(high)) = (metric.ci_low, metric.ci_high)
        && low > high
    {
        wrong("/ci_high", format!("the interval ends at {high}, below its start {low}"));
    }
    if let Some(value) = metric.metric_value.filter(|value| value.is_finite()) {
        if metric.ci_low.is_some_and(|low| low > value) {
            wrong("/ci_low", format!("the interval starts above the value {value}"));
        }
        if metric.ci_high.is_some_and(|high| high < value) {
            wrong("/ci_high", format!("the interval ends below the value {value}"));
        }
    }
    if metric.sample_count.is_some_and(|count| count < 0) {
        wrong("/sample_count", "must be 0 or more".to_owned());
    }
}

/// What is wrong with a model's name.
pub(super) fn model_name(name: &str) -> Option<String> {
    let mut bytes = name.bytes();
    let fine = name.len() <= 128
        && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    (!fine).then(|| {
        "a model's name begins with a letter or digit and goes on with letters, digits, `.`, `_` and `-`, 128 at most".to_owned()
    })
}

/// What is wrong with a metric's name.
pub(in crate::registry) fn metric_name(name: &str) -> Option<String> {
    let mut bytes = name.bytes();
    let fine = name.len() <= 128
        && bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"_.@-".contains(&b));
    (!fine).then(|| {
        "a metric's name begins with a letter and goes on with letters, digits, `_`, `.`, `@` and `-`, 128 at most"
            .to_owned()
    })
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// Whether PostgreSQL's jsonb would refuse it.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}
