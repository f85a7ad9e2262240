//! The catalogue: everything that documents may name as a way to judge, with the texts of its entry.
//!
//! `steward methods`, `GET /governance/methods` and `docs/methods/` are this list, shown three ways. A method that is added to `ALL` of
//! its family is in it without another line; a new family is one line in [`FAMILIES`]. Deliberately absent: anything that a
//! method's own entry does not say.

mod pages;

use serde::Serialize;

use crate::drift::concept;
use crate::{ab, drift, metrics};

pub use pages::pages;

/// A kind of things that can be named.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Its name in listings.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What the things in it are for.
    pub about: &'static str,
    /// They themselves, in the order of listings.
    pub entries: fn() -> Vec<Entry>,
}

/// Every family, in the order of listings.
pub static FAMILIES: &[Family] = &[
    Family {
        name: "drift",
        title: "Drift methods",
        about: "How far a column of current data has moved from its reference. `method` of a drift job or of one of its columns.",
        entries: drift_methods,
    },
    Family {
        name: "concept",
        title: "Methods of concept drift",
        about: "Whether a model errs more than it did, from labels or estimated without them. `methods` of `[drift.concept]`.",
        entries: concept_methods,
    },
    Family {
        name: "metric",
        title: "Metrics",
        about: "How good predictions are once the truth is known. `metrics` of a metrics job.",
        entries: metric_entries,
    },
    Family {
        name: "ab test",
        title: "Tests of A/B tests",
        about: "Whether two versions of a model differ. `statistical_test` of an A/B test.",
        entries: ab_tests,
    },
];

/// One thing that can be named.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Entry {
    /// The family it is of.
    pub family: &'static str,
    /// Its name in documents.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// One sentence: what it measures.
    pub summary: &'static str,
    /// What it is for: kinds of columns, a task, two arms.
    pub applies_to: &'static str,
    /// When it is the right choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_to_use: Option<&'static str>,
    /// Its formula in plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<&'static str>,
    /// The range of its score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<&'static str>,
    /// The threshold when a job names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_threshold: Option<f64>,
    /// Rows per side from which unchanged data stay below the default threshold 99 times in 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_sample: Option<u64>,
    /// Whether a p-value stands beside the score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_p_value: Option<bool>,
    /// How ties, missing values, constants and infinities are treated, and what else to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<&'static str>,
    /// Where it comes from.
    pub reference: &'static str,
}

/// Everything, family by family.
#[must_use]
pub fn entries() -> Vec<Entry> {
    FAMILIES.iter().flat_map(|family| (family.entries)()).collect()
}

fn drift_methods() -> Vec<Entry> {
    let entry = |method: &&dyn drift::Method| Entry {
        family: "drift",
        name: method.name(),
        title: method.title(),
        summary: method.summary(),
        applies_to: method.applies_to().as_str(),
        when_to_use: Some(method.when_to_use()),
        formula: Some(method.formula()),
        range: Some(method.range()),
        default_threshold: Some(method.default_threshold()),
        minimum_sample: Some(method.minimum_sample()),
        has_p_value: Some(method.has_p_value()),
        limits: Some(method.notes()),
        reference: method.reference(),
    };
    drift::ALL.iter().map(entry).collect()
}

fn concept_methods() -> Vec<Entry> {
    let entry = |method: &&dyn concept::Method| Entry {
        family: "concept",
        name: method.name(),
        title: method.title(),
        summary: method.summary(),
        applies_to: method.task().map_or("any task", concept::Task::as_str),
        when_to_use: Some(method.when_to_use()),
        formula: Some(method.formula()),
        range: Some(method.range()),
        // One threshold for each task; the notes of the page say which.
        default_threshold: method.task().map(concept::Task::default_threshold),
        limits: Some(method.notes()),
        reference: method.reference(),
        ..Entry::default()
    };
    concept::ALL.iter().map(entry).collect()
}

fn metric_entries() -> Vec<Entry> {
    let entry = |metric: &&dyn metrics::Metric| Entry {
        family: "metric",
        name: metric.name(),
        title: metric.title(),
        summary: metric.summary(),
        applies_to: metric.task().as_str(),
        when_to_use: Some(metric.when_to_use()),
        formula: Some(metric.formula()),
        limits: Some(metric.limits()),
        reference: metric.reference(),
        ..Entry::default()
    };
    metrics::ALL.iter().map(entry).collect()
}

fn ab_tests() -> Vec<Entry> {
    let entry = |test: &&dyn ab::Test| Entry {
        family: "ab test",
        name: test.name(),
        title: test.title(),
        summary: test.summary(),
        applies_to: "two arms",
        reference: test.reference(),
        ..Entry::default()
    };
    ab::ALL.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_of_its_family_and_named_once() {
        let mut seen = std::collections::BTreeSet::new();
        for family in FAMILIES {
            let entries = (family.entries)();
            assert!(!entries.is_empty(), "{}", family.name);
            for entry in entries {
                assert_eq!(entry.family, family.name);
                assert!(seen.insert((entry.family, entry.name)), "{} twice", entry.name);
            }
        }
        assert_eq!(seen.len(), entries().len());
    }
}
