//! Data quality: what a column must be like whatever it is compared with, as checks beside those of drift.
//!
//! Each check is a share (or, for freshness, a time) held against the most that is allowed, by the one rule of drift: above it is
//! wrong, at it is fine. What holds: a column that cannot be looked at says why; nothing here is a matter of probability, so there is
//! no p-value and no reliability. Deliberately absent: how the columns are read.

use serde_json::{Value, json};

use super::judge::{Check, Status, not_judged};
use super::sample::CategoryCounts;

/// Values that a check names.
const NAMED: usize = 20;

/// Names of the checks, as they stand in results beside the names of drift methods, with what they measure.
pub const CHECKS: [(&str, &str); 7] = [
    ("range", "share of the present values outside of `min` and `max`"),
    ("allowed_values", "share of the present values that are not in the list `allowed`"),
    ("new_values", "share of the present values that the reference does not have"),
    ("duplicate_keys", "share of the rows that repeat the key of another row"),
    ("freshness", "age of the newest row at the end of the window, in seconds"),
    ("vanished_segments", "segments of the reference that have no row now"),
    ("schema", "columns that are missing or of another type"),
];

/// Whether a method of results is a check of data quality, and not a method of drift.
#[must_use]
pub fn is_check(method: &str) -> bool {
    CHECKS.iter().any(|(name, _)| *name == method)
}

/// Rows of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// With a value.
    pub present: u64,
    /// Without one.
    pub missing: u64,
}

/// Share of the present values outside of `[min, max]`. Infinities are values like others; missing ones do not count.
#[must_use]
pub fn range(column: &str, values: &[f64], missing: u64, limits: (Option<f64>, Option<f64>), max_share: f64) -> Check {
    let below = |value: &&f64| limits.0.is_some_and(|min| **value < min);
    let above = |value: &&f64| limits.1.is_some_and(|max| **value > max);
    let (low, high) = (values.iter().filter(below).count() as u64, values.iter().filter(above).count() as u64);
    let extreme = |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick).filter(|value| value.is_finite());
    let details = json!({
        "min": limits.0, "max": limits.1, "below": low, "above": high,
        "lowest": extreme(f64::min), "highest": extreme(f64::max),
    });
    share(column, "range", Rows { present: values.len() as u64, missing }, low + high, max_share, details)
}

/// Share of the present values that are not allowed.
#[must_use]
pub fn allowed_values(column: &str, counts: &CategoryCounts, allowed: &[String], max_share: f64) -> Check {
    foreign(column, "allowed_values", counts, |name| allowed.iter().any(|known| known == name), max_share)
}

/// Share of the present values that the reference does not have at all.
#[must_use]
pub fn new_values(column: &str, reference: &CategoryCounts, current: &CategoryCounts, max_share: f64) -> Check {
    let known = |name: &str| reference.counts.get(name).is_some_and(|&rows| rows > 0);
    foreign(column, "new_values", current, known, max_share)
}

/// Share of the rows that repeat a key: of `rows` rows with `distinct` different keys. A row without any of its key's values has no key
/// and counts as a duplicate: nothing tells it from others.
#[must_use]
pub fn duplicate_keys(key: &[String], rows: u64, distinct: u64, without: u64, max_share: f64) -> Check {
    let repeated = rows.saturating_sub(distinct);
    let details = json!({ "key": key, "rows": rows, "distinct": distinct, "without_key": without });
    share(&key.join(", "), "duplicate_keys", Rows { present: rows, missing: 0 }, repeated, max_share, details)
}

/// Age of the newest row, in seconds, at the end of the window; `None` when no row has a time.
#[must_use]
pub fn freshness(column: &str, rows: u64, newest: Option<(f64, &str)>, limit_seconds: f64) -> Check {
    let Some((age, at)) = newest.filter(|(age, _)| age.is_finite()) else {
        let reason = "no row has a time";
        return Check { n_current: rows, ..not_judged(column, "freshness", Status::NoData, reason, limit_seconds) };
    };
    let details = json!({ "newest": at });
    verdict(column, "freshness", Rows { present: rows, missing: 0 }, age.max(0.0), limit_seconds, details)
}

/// Expected rows from which on a segment without any has vanished: chance leaves ten out once in twenty thousand windows.
const EXPECTED_ROWS: f64 = 10.0;

/// Segments that have rows in the reference and none now; of each the name, its rows in the reference and now. `rows` are all rows of the
/// reference and now. The score is their number: one is wrong.
#[must_use]
pub fn vanished_segments(column: &str, rows: (u64, u64), segments: &[(&str, u64, u64)]) -> Check {
    let expected = |reference: u64| reference as f64 / rows.0.max(1) as f64 * rows.1 as f64;
    let gone: Vec<&(&str, u64, u64)> =
        segments.iter().filter(|(_, reference, now)| *now == 0 && expected(*reference) >= EXPECTED_ROWS).collect();
    let named: Vec<Value> = gone
        .iter()
        .take(NAMED)
        .map(|(name, reference, _)| json!({ "name": name, "reference_rows": reference, "expected_rows": expected(*reference).round() }))
        .collect();
    let details = json!({ "segments": named });
    let present = Rows { present: rows.1, missing: 0 };
    verdict(column, "vanished_segments", present, gone.len() as f64, 0.0, details)
}

/// A column that is not as the schema says: `expected` and `found` are its types, none where there is no such column. A new column is
/// reported and is not wrong.
#[must_use]
pub fn schema(column: &str, expected: Option<&str>, found: Option<&str>) -> Check {
    let (status, reason) = match (expected, found) {
        (Some(expected), Some(found)) => {
            (Status::SchemaError, format!("type changed: {expected} in the schema, {found} now"))
        }
        (Some(expected), None) => {
            (Status::SchemaError, format!("the current data has no such column ({expected} in the schema)"))
        }
        (None, _) => (Status::Ok, format!("a new column of type {}", found.unwrap_or("unknown"))),
    };
    not_judged(column, "schema", status, reason, 0.0)
}

fn foreign(
    column: &str,
    method: &'static str,
    counts: &CategoryCounts,
    known: impl Fn(&str) -> bool,
    max_share: f64,
) -> Check {
    let mut others: Vec<(&str, u64)> = counts
        .counts
        .iter()
        .filter(|(name, rows)| **rows > 0 && !known(name))
        .map(|(name, rows)| (&**name, *rows))
        .collect();
    others.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let rows = others.iter().map(|(_, rows)| rows).sum();
    let named: Vec<Value> =
        others.iter().take(NAMED).map(|(name, rows)| json!({ "name": name, "rows": rows })).collect();
    let details = json!({ "values": named, "different": others.len() });
    share(column, method, Rows { present: counts.present(), missing: counts.missing }, rows, max_share, details)
}

fn share(column: &str, method: &'static str, rows: Rows, wrong: u64, max_share: f64, details: Value) -> Check {
    if rows.present == 0 {
        let reason = "no present values to look at";
        let check = not_judged(column, method, Status::NotApplicable, reason, max_share);
        return Check { n_current: rows.missing, missing_current: 1.0, ..check };
    }
    verdict(column, method, rows, wrong as f64 / rows.present as f64, max_share, details)
}

fn verdict(column: &str, method: &'static str, rows: Rows, score: f64, limit: f64, details: Value) -> Check {
    let drifted = score > limit;
    let total = rows.present + rows.missing;
    Check {
        score: Some(score),
        drifted,
        n_current: total,
        missing_current: if total == 0 { 0.0 } else { rows.missing as f64 / total as f64 },
        reason: None,
        details,
        ..not_judged(column, method, if drifted { Status::Drifted } else { Status::Ok }, "", limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(categories: &[(&str, u64)]) -> CategoryCounts {
        CategoryCounts { counts: categories.iter().map(|&(name, rows)| (name.to_owned(), rows)).collect(), missing: 1 }
    }

    #[test]
    fn values_outside_of_the_range_count_by_their_share() {
        let values = [-1.0, 0.0, 5.0, 10.0, 11.0, f64::INFINITY, 3.0, 4.0];
        let check = range("age", &values, 2, (Some(0.0), Some(10.0)), 0.25);
        assert_eq!((check.score, check.status, check.n_current), (Some(0.375), Status::Drifted, 10));
        assert_eq!((&check.details["below"], &check.details["above"]), (&json!(1), &json!(2)));
        assert!(check.details["highest"].is_null(), "JSON has no infinity");
        assert_eq!(range("age", &values, 2, (Some(0.0), Some(10.0)), 0.375).status, Status::Ok, "at the limit is fine");
        let none = range("age", &[], 4, (Some(0.0), None), 0.0);
        assert_eq!((none.status, none.score), (Status::NotApplicable, None));
    }

    #[test]
    fn foreign_values_are_named_the_most_frequent_first() {
        let now = counts(&[("a", 6), ("b", 2), ("x", 1), ("gone", 0), ("y", 1)]);
        let check = allowed_values("city", &now, &["a".to_owned(), "b".to_owned()], 0.0);
        assert_eq!((check.score, check.drifted), (Some(0.2), true));
        assert_eq!(check.details["values"][0], json!({ "name": "x", "rows": 1 }));
        let check = new_values("city", &counts(&[("a", 1), ("x", 0)]), &now, 0.4);
        assert_eq!((check.score, check.drifted), (Some(0.4), false), "a category without rows is as good as absent");
    }

    #[test]
    fn a_row_repeats_a_key_when_another_has_it() {
        let key = ["id".to_owned()];
        assert_eq!(duplicate_keys(&key, 10, 10, 0, 0.0).status, Status::Ok);
        let check = duplicate_keys(&key, 10, 8, 0, 0.0);
        assert_eq!((check.score, check.status), (Some(0.2), Status::Drifted));
    }

    #[test]
    fn the_newest_row_tells_how_fresh_the_data_is() {
        let check = freshness("at", 5, Some((7200.0, "2013-01-01T22:00:00Z")), 3600.0);
        assert_eq!((check.score, check.threshold, check.drifted), (Some(7200.0), 3600.0, true));
        assert_eq!(freshness("at", 5, None, 3600.0).status, Status::NoData);
    }

    #[test]
    fn a_segment_without_rows_has_vanished_where_rows_are_to_be_expected() {
        let segments = [("region = EU", 600, 300), ("region = US", 390, 0), ("region = JP", 10, 0)];
        let check = vanished_segments("region", (1000, 300), &segments);
        assert_eq!(
            (check.score, check.status),
            (Some(1.0), Status::Drifted),
            "three rows of JP may be missing by chance"
        );
        assert_eq!(check.details["segments"][0]["name"], "region = US");
        assert_eq!(vanished_segments("region", (1000, 300), &segments[..1]).status, Status::Ok);
    }

    #[test]
    fn a_new_column_is_told_and_not_wrong() {
        assert_eq!(schema("a", Some("i64"), None).status, Status::SchemaError);
        assert_eq!(schema("a", Some("i64"), Some("str")).status, Status::SchemaError);
        assert_eq!(schema("a", None, Some("str")).status, Status::Ok);
    }
}
