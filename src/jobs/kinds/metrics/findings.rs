//! What people are told of a metrics run: values against bounds, changes against what they are compared with.
//!
//! A bound that cannot be checked is not a bound that holds: too few labels, too low a coverage and undefined values are findings of
//! their own. Segments with too few rows are the exception, because there are always some: they are stored and not judged.

use serde_json::{Map, Value as Json, json};

use super::baseline::Baseline;
use super::evaluate::place;
use crate::jobs::document::{Bounds, MetricsSpec};
use crate::jobs::judging::metrics::{Judged, Judgement};
use crate::metrics::{self, Change, Value};
use crate::notify::{Finding, FindingStatus, Severity};

/// All that a run found.
pub(super) struct Found<'a> {
    pub(super) spec: &'a MetricsSpec,
    pub(super) judged: &'a Judged,
    pub(super) baseline: Option<&'a Baseline>,
}

/// A change with what it is measured against.
pub(super) struct Compared<'a> {
    pub(super) baseline: &'a Value,
    pub(super) change: Change,
}

impl Found<'_> {
    /// How a value changed, where there is something to compare it with.
    pub(super) fn change(&self, segment: Option<&str>, value: &Value) -> Option<Compared<'_>> {
        let baseline = self.baseline?.value(segment, &value.name).filter(|_| value.class.is_none())?;
        Some(Compared { baseline, change: metrics::change(baseline, value)? })
    }

    /// Why bounds of these rows cannot be judged.
    fn too_little(&self, of: &Judgement) -> Option<String> {
        let wanted = self.spec.min_samples.unwrap_or(1);
        if let Some(problem) = &of.problem {
            return Some(problem.clone());
        }
        if of.labelled < wanted {
            return Some(format!("{} labelled rows, and {wanted} are needed", of.labelled));
        }
        let coverage = of.coverage();
        self.spec.min_coverage.filter(|least| coverage < *least).map(|least| {
            format!("{:.1} % of the rows have their label, and {:.1} % are needed", 100.0 * coverage, 100.0 * least)
        })
    }
}

/// Findings about all rows, and about each segment that has enough of them.
pub(super) fn findings(found: &Found<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    if found.spec.bounds.is_empty() && found.spec.min_coverage.is_none() && found.spec.min_samples.is_none() {
        return all;
    }
    let whole = &found.judged.whole;
    if let Some(reason) = found.too_little(whole) {
        all.push(insufficient("labels", format!("too few labels to judge the metrics: {reason}"), whole));
        // What was wrong before is not right because nobody can tell now.
        unknown(found, None, &mut all);
        for (segment, _) in &found.judged.segments {
            unknown(found, Some(segment), &mut all);
        }
        return all;
    }
    judge_rows(found, None, whole, &mut all);
    for (segment, of) in &found.judged.segments {
        if found.too_little(of).is_none() {
            judge_rows(found, Some(segment), of, &mut all);
        } else {
            unknown(found, Some(segment), &mut all);
        }
    }
    all
}

/// Bounds that are not judged this time: their incidents stay as they are.
fn unknown(found: &Found<'_>, segment: Option<&str>, all: &mut Vec<Finding>) {
    for (name, bounds) in &found.spec.bounds {
        for class in std::iter::once(None).chain(bounds.classes.keys().map(Some)) {
            let subject = subject(name, segment, class.map(String::as_str));
            all.push(Finding {
                kind: "metric",
                status: FindingStatus::Unknown,
                severity: Severity::Info,
                title: format!("{subject} was not judged: too few labelled rows"),
                score: None,
                threshold: None,
                evidence: json!({}),
                subject,
            });
        }
    }
}

/// What an incident about a value is about.
fn subject(name: &str, segment: Option<&str>, class: Option<&str>) -> String {
    match place(segment, class) {
        None => name.to_owned(),
        Some(place) => format!("{name} [{place}]"),
    }
}

fn judge_rows(found: &Found<'_>, segment: Option<&str>, of: &Judgement, all: &mut Vec<Finding>) {
    for (name, bounds) in &found.spec.bounds {
        let limits = [bounds.min, bounds.max].iter().any(Option::is_some) || bounds.limits_change();
        let value = of.values.iter().find(|value| value.name == *name && value.class.is_none());
        if let Some(value) = value.filter(|_| limits) {
            all.push(finding(found, segment, value, bounds, of));
        }
        for (class, limits) in &bounds.classes {
            let of_class = Bounds { min: limits.min, max: limits.max, ..Bounds::default() };
            let value = of.values.iter().find(|v| v.name == *name && v.class.as_deref() == Some(class));
            let absent = Value {
                name: name.clone(),
                class: Some(class.clone()),
                reason: Some(format!("no row is labelled or predicted as `{class}`")),
                ..Value::default()
            };
            // A segment need not have every class.
            if value.is_some() || segment.is_none() {
                all.push(finding(found, segment, value.unwrap_or(&absent), &of_class, of));
            }
        }
    }
}

fn insufficient(subject: &str, title: String, of: &Judgement) -> Finding {
    Finding {
        kind: "insufficient_data",
        subject: subject.to_owned(),
        status: FindingStatus::Breach,
        severity: Severity::Warning,
        title,
        score: None,
        threshold: None,
        evidence: json!({
            "labelled rows": of.labelled,
            "rows without a label yet": of.pending,
            "share of rows with a label": format!("{:.1} %", 100.0 * of.coverage()),
        }),
    }
}

fn finding(found: &Found<'_>, segment: Option<&str>, value: &Value, bounds: &Bounds, of: &Judgement) -> Finding {
    let subject = subject(&value.name, segment, value.class.as_deref());
    let compared = found.change(segment, value);
    let Some(v) = value.value else {
        let reason = value.reason.clone().unwrap_or_default();
        let title = format!("{subject} cannot be computed, so its bounds were not checked: {reason}");
        let evidence = evidence(found, value, bounds, of, None);
        return Finding { evidence, ..insufficient(&subject, title, of) };
    };
    let mut problems: Vec<(String, f64)> = Vec::new();
    if let Some(min) = bounds.min.filter(|min| v < *min) {
        problems.push((format!("below {min}"), min));
    }
    if let Some(max) = bounds.max.filter(|max| v > *max) {
        problems.push((format!("above {max}"), max));
    }
    if let Some(compared) = &compared {
        problems.extend(too_large(compared, bounds).map(|limit| {
            let difference = compared.change.difference;
            let way = if difference < 0.0 { "below" } else { "above" };
            let before = compared.baseline.value.unwrap_or_default();
            let with = found.baseline.map_or("what it is compared with", |baseline| baseline.title.as_str());
            (format!("{:.4} {way} {with} ({before:.4})", difference.abs()), limit)
        }));
    }
    let only_change = bounds.min.is_none() && bounds.max.is_none();
    let (status, title) = if !problems.is_empty() {
        let words: Vec<&str> = problems.iter().map(|(words, _)| words.as_str()).collect();
        (FindingStatus::Breach, format!("{subject} is {v:.4}, {}", words.join(" and ")))
    } else if only_change && compared.is_none() {
        (FindingStatus::Unknown, format!("{subject} is {v:.4}, and there is nothing to compare it with"))
    } else {
        (FindingStatus::Clear, format!("{subject} is {v:.4}, within its bounds"))
    };
    Finding {
        kind: "metric",
        status,
        severity: Severity::Warning,
        title,
        score: Some(v),
        threshold: problems.first().map(|(_, limit)| *limit).or(bounds.min).or(bounds.max),
        evidence: evidence(found, value, bounds, of, compared.as_ref()),
        subject,
    }
}

/// The value that would still have been fine, when a change is too large.
fn too_large(compared: &Compared<'_>, bounds: &Bounds) -> Option<f64> {
    let before = compared.baseline.value?;
    let difference = compared.change.difference;
    if bounds.require_significance == Some(true) && !compared.change.is_significant() {
        return None;
    }
    let size = before.abs();
    let (absolute, relative, sign) = if difference < 0.0 {
        (bounds.max_drop, bounds.max_relative_drop, -1.0)
    } else {
        (bounds.max_rise, bounds.max_relative_rise, 1.0)
    };
    let limits = [absolute, relative.map(|share| share * size)];
    // A difference of two rounded values may pass a limit by rounding alone.
    let rounding = 4.0 * f64::EPSILON * size.max((before + difference).abs());
    let passed = |limit: &f64| difference.abs() > limit + rounding;
    limits.into_iter().flatten().filter(passed).reduce(f64::min).map(|limit| before + sign * limit)
}

/// What a person is shown; what does not exist is left out.
fn evidence(
    found: &Found<'_>,
    value: &Value,
    bounds: &Bounds,
    of: &Judgement,
    compared: Option<&Compared<'_>>,
) -> Json {
    let interval = |low: f64, high: f64| format!("{low:.4} to {high:.4}");
    let percent = |share: Option<f64>| share.map(|share| format!("{} %", 100.0 * share));
    let change = compared.map(|compared| &compared.change);
    let relative = compared.and_then(|of| of.change.relative(of.baseline.value?));
    let missing = found.baseline.filter(|_| compared.is_none() && bounds.limits_change());
    let not_compared = missing
        .map(|baseline| baseline.lacking.clone().unwrap_or_else(|| format!("{} has no such value", baseline.title)));
    let shown = [
        ("95 % interval", json!(value.ci_low.zip(value.ci_high).map(|(low, high)| interval(low, high)))),
        ("minimum", json!(bounds.min)),
        ("maximum", json!(bounds.max)),
        ("compared with", json!(compared.and(found.baseline).map(|baseline| baseline.title.clone()))),
        ("value there", json!(compared.and_then(|of| of.baseline.value))),
        ("rows there", json!(compared.map(|of| of.baseline.n))),
        ("change", json!(change.map(|change| change.difference))),
        ("change in percent", json!(percent(relative.map(|share| (share * 1000.0).round() / 1000.0)))),
        ("95 % interval of the change", json!(change.and_then(|c| c.interval).map(|of| interval(of.low, of.high)))),
        ("greatest drop allowed", json!(bounds.max_drop)),
        ("greatest rise allowed", json!(bounds.max_rise)),
        ("greatest relative drop allowed", json!(percent(bounds.max_relative_drop))),
        ("greatest relative rise allowed", json!(percent(bounds.max_relative_rise))),
        ("not compared", json!(not_compared)),
        ("labelled rows", json!(of.labelled)),
        ("rows without a label yet", json!(of.pending)),
        ("reason", json!(value.reason)),
    ];
    let shown = shown.into_iter().filter(|(_, v)| !v.is_null()).map(|(label, v)| (label.to_owned(), v));
    shown.collect::<Map<_, _>>().into()
}
