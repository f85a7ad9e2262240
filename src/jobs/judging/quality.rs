//! Data quality of the current data: reads what the checks of `drift::quality` look at.
//!
//! One column that cannot be read is a check that says so and never hides the others.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::drift::{Plan, Reading};
use super::side::Side;
use crate::dataset::{self, AlignedColumn, ColumnInfo, ColumnKind, Dataset};
use crate::drift::{Check, Status, not_judged, quality};

/// What is looked at. Absent means not looked at.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Ranges and lists, by column.
    pub values: Vec<(String, Allowed)>,
    /// Columns whose values name a row, and the share of rows that may repeat them.
    pub key: Option<(Vec<String>, f64)>,
    /// Time column, its limit in seconds, and the end of the window.
    pub freshness: Option<(String, f64, DateTime<Utc>)>,
    /// Share of rows that may hold categories which the reference does not have.
    pub max_new_share: Option<f64>,
    /// The columns that must be there.
    pub schema: Option<Vec<ColumnInfo>>,
}

/// Which values of a column are right.
#[derive(Debug, Clone)]
pub struct Allowed {
    /// Lowest and highest.
    pub limits: (Option<f64>, Option<f64>),
    /// The only ones, as text; any within the limits when empty.
    pub only: Vec<String>,
    /// Share of the present values that may be others.
    pub max_outside_share: f64,
}

/// Looks at the current data; `reference` is there for new values only.
///
/// # Errors
/// When an object cannot be read at all.
pub async fn look(
    current: &Dataset,
    reference: Option<&Side>,
    wanted: &Wanted,
    plan: &Plan,
) -> Result<Vec<Check>, dataset::Error> {
    let mut checks = Vec::new();
    if let Some(expected) = &wanted.schema {
        checks.extend(differences(expected, current.columns()));
    }
    for (column, allowed) in &wanted.values {
        checks.push(of_column(column, "range", allowed_values(current, column, allowed).await)?);
    }
    if let (Some(max_share), Some(reference)) = (wanted.max_new_share, reference) {
        for column in categorical(current, plan) {
            checks.push(of_column(&column, "new_values", new_values(reference, current, &column, max_share).await)?);
        }
    }
    if let Some((key, max_share)) = &wanted.key {
        checks.push(of_column(&key.join(", "), "duplicate_keys", duplicates(current, key, *max_share).await)?);
    }
    if let Some((column, limit, end)) = &wanted.freshness {
        checks.push(of_column(column, "freshness", freshness(current, column, *limit, *end).await)?);
    }
    Ok(checks)
}

/// An error about a column is that column's check.
fn of_column(column: &str, method: &str, found: Result<Check, dataset::Error>) -> Result<Check, dataset::Error> {
    match found {
        Err(error) if error.is_about_a_column() => {
            Ok(not_judged(column, method, Status::SchemaError, error.to_string(), 0.0))
        }
        found => found,
    }
}

/// Columns that are missing, of another kind, or new.
fn differences(expected: &[ColumnInfo], found: &[ColumnInfo]) -> Vec<Check> {
    let of = |columns: &[ColumnInfo], name: &str| columns.iter().find(|c| c.name == name).cloned();
    let missing_or_changed = expected.iter().filter_map(|column| match of(found, &column.name) {
        None => Some(quality::schema(&column.name, Some(&column.dtype), None)),
        Some(now) if now.kind != column.kind && !now.is_untyped() && !column.is_untyped() => {
            Some(quality::schema(&column.name, Some(&column.dtype), Some(&now.dtype)))
        }
        Some(_) => None,
    });
    let new = found.iter().filter(|column| of(expected, &column.name).is_none());
    missing_or_changed.chain(new.map(|column| quality::schema(&column.name, None, Some(&column.dtype)))).collect()
}

async fn allowed_values(current: &Dataset, column: &str, allowed: &Allowed) -> Result<Check, dataset::Error> {
    if allowed.only.is_empty() {
        let numbers = current.numeric(column).await?;
        return Ok(quality::range(column, &numbers.values, numbers.missing, allowed.limits, allowed.max_outside_share));
    }
    let found = current.categories(column).await?;
    Ok(match found.distinct_overflow {
        true => too_many(column, "allowed_values", allowed.max_outside_share),
        false => quality::allowed_values(column, &found.counts, &allowed.only, allowed.max_outside_share),
    })
}

async fn new_values(
    reference: &Side,
    current: &Dataset,
    column: &str,
    max_share: f64,
) -> Result<Check, dataset::Error> {
    let (known, now) = tokio::try_join!(reference.categories(column), current.categories(column))?;
    Ok(match known.distinct_overflow || now.distinct_overflow {
        true => too_many(column, "new_values", max_share),
        false => quality::new_values(column, &known.counts, &now.counts, max_share),
    })
}

fn too_many(column: &str, method: &str, limit: f64) -> Check {
    let reason = format!("high_cardinality: more than {} distinct values", dataset::MAX_DISTINCT);
    not_judged(column, method, Status::NotApplicable, reason, limit)
}

/// Columns of categories among those that are judged.
fn categorical(current: &Dataset, plan: &Plan) -> Vec<String> {
    let is_categorical = |column: &&ColumnInfo| match plan.columns.get(&column.name).and_then(|c| c.reading) {
        Some(reading) => reading == Reading::Categorical,
        None => matches!(column.kind, ColumnKind::Text | ColumnKind::Boolean) && !column.is_untyped(),
    };
    let judged = |name: &String| (plan.select.is_empty() || plan.select.contains(name)) && !plan.exclude.contains(name);
    current.columns().iter().filter(is_categorical).map(|column| column.name.clone()).filter(judged).collect()
}

async fn duplicates(current: &Dataset, key: &[String], max_share: f64) -> Result<Check, dataset::Error> {
    let columns: Vec<&str> = key.iter().map(String::as_str).collect();
    let table = current.aligned(&columns).await?;
    let key = key.to_vec();
    Ok(super::busy(move || {
        let texts: Vec<_> = table.columns.into_iter().map(AlignedColumn::into_texts).collect();
        let mut seen = HashSet::with_capacity(table.rows);
        let mut without = 0;
        for row in 0..table.rows {
            let values: Vec<_> = texts.iter().map(|column| column[row].clone()).collect();
            // Without any value there is nothing that names the row.
            if values.iter().all(Option::is_none) {
                without += 1;
            } else {
                seen.insert(values);
            }
        }
        quality::duplicate_keys(&key, table.rows as u64, seen.len() as u64, without, max_share)
    })
    .await)
}

async fn freshness(
    current: &Dataset,
    column: &str,
    limit_seconds: f64,
    end: DateTime<Utc>,
) -> Result<Check, dataset::Error> {
    let times = current.times(column).await?;
    let newest = times.iter().flatten().max().and_then(|&micros| DateTime::from_timestamp_micros(micros));
    let age = newest.map(|at| ((end - at).as_seconds_f64(), at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)));
    let newest = age.as_ref().map(|(age, at)| (*age, at.as_str()));
    Ok(quality::freshness(column, times.len() as u64, newest, limit_seconds))
}
