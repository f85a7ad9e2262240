//! Drift of one dataset against another, column by column.
//!
//! Holds no more than a few columns in memory: as many as are judged side by side. One column that cannot be judged
//! is reported as such and never hides the others; only an input that cannot be read at all is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use crate::dataset::{self, ColumnInfo, ColumnKind, Dataset};
use crate::drift::{self, Check, NumericSample, Options, Report, Sample, Status};

/// How a column is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As numbers.
    Numeric,
    /// As categories.
    Categorical,
}

/// What a job or command says of one column.
#[derive(Debug, Clone, Default)]
pub struct ColumnPlan {
    /// A method of its own.
    pub method: Option<String>,
    /// A threshold of its own.
    pub threshold: Option<f64>,
    /// Number of bins.
    pub bins: Option<usize>,
    /// Explicit inner edges of the bins.
    pub edges: Option<Vec<f64>>,
    /// The declared type; inferred otherwise.
    pub reading: Option<Reading>,
}

/// What is to be judged and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The columns; empty means every column that both sides could be judged on.
    pub select: Vec<String>,
    /// Columns that are left out.
    pub exclude: Vec<String>,
    /// The method where a column names none and it applies to the column's type.
    pub method: String,
    /// Whether `method` was asked for: then it also judges columns of other types that it fits. The configured default is
    /// for numbers only.
    pub method_is_explicit: bool,
    /// The threshold where a column names none; none means the method's own default.
    pub threshold: Option<f64>,
    /// Bins, minimum sample and thresholds that hold for all columns.
    pub options: Options,
    /// Share of columns that must drift before the whole drifts; none means one column is enough.
    pub min_drifted_share: Option<f64>,
    /// What single columns say.
    pub columns: BTreeMap<String, ColumnPlan>,
    /// How many columns are judged side by side.
    pub parallel: usize,
}

/// Judges `current` against `reference`.
///
/// # Errors
/// When an object cannot be read at all (unreachable, corrupt, changed); a column that is missing, added or of another
/// type is a check with status `schema_error` instead.
pub async fn judge(reference: &Dataset, current: &Dataset, plan: &Plan) -> Result<Report, dataset::Error> {
    let columns = columns_to_judge(reference, current, plan);
    let checks: Vec<Check> = stream::iter(columns.into_iter().map(|name| judge_column(name, reference, current, plan)))
        .buffer_unordered(plan.parallel.max(1))
        .try_collect()
        .await?;
    Ok(drift::report(checks, plan.min_drifted_share))
}

fn columns_to_judge(reference: &Dataset, current: &Dataset, plan: &Plan) -> Vec<String> {
    if !plan.select.is_empty() {
        return plan.select.iter().filter(|c| !plan.exclude.contains(c)).cloned().collect();
    }
    let mut names: BTreeSet<String> = BTreeSet::new();
    for dataset in [reference, current] {
        names.extend(dataset.columns().iter().map(|c| c.name.clone()));
    }
    names.retain(|n| !plan.exclude.contains(n));
    names.into_iter().collect()
}

async fn judge_column(
    name: String,
    reference: &Dataset,
    current: &Dataset,
    plan: &Plan,
) -> Result<Check, dataset::Error> {
    let column = plan.columns.get(&name).cloned().unwrap_or_default();
    let threshold = column.threshold.or(plan.threshold);
    let not_judged = |status, method: &str, reason: String| {
        let threshold = threshold.or_else(|| drift::method(method).map(|m| m.default_threshold())).unwrap_or(0.2);
        Ok(drift::not_judged(&name, method, status, &reason, threshold))
    };
    let fallback_method = column.method.clone().unwrap_or_else(|| plan.method.clone());

    let (side_a, side_b) = (find(reference, &name), find(current, &name));
    let (info_a, info_b) = match (side_a, side_b) {
        (Some(a), Some(b)) => (a, b),
        (None, Some(_)) => {
            return not_judged(Status::SchemaError, &fallback_method, "the reference has no such column".into());
        }
        (Some(_), None) => {
            return not_judged(Status::SchemaError, &fallback_method, "the current data has no such column".into());
        }
        (None, None) => {
            return not_judged(
                Status::SchemaError,
                &fallback_method,
                "neither the reference nor the current data has such a column".into(),
            );
        }
    };
    let reading = match column.reading {
        Some(reading) => reading,
        None => match (natural_reading(info_a), natural_reading(info_b)) {
            (Some(a), Some(b)) if a == b => a,
            // A column with nothing but nulls has no type of its own: it is read as the other side.
            (Some(a), None) if is_null(info_b) => a,
            (None, Some(b)) if is_null(info_a) => b,
            (Some(_), Some(_)) => {
                let reason = format!("type changed: {} in the reference, {} now", info_a.dtype, info_b.dtype);
                return not_judged(Status::SchemaError, &fallback_method, reason);
            }
            _ if is_null(info_a) && is_null(info_b) => {
                return not_judged(
                    Status::NotApplicable,
                    &fallback_method,
                    "all values are missing on both sides".into(),
                );
            }
            _ if info_a.kind != info_b.kind => {
                let reason = format!("type changed: {} in the reference, {} now", info_a.dtype, info_b.dtype);
                return not_judged(Status::SchemaError, &fallback_method, reason);
            }
            _ => {
                let reason = format!(
                    "a column of type {} is not judged; declare `type = \"categorical\"` to compare its values",
                    info_a.dtype
                );
                return not_judged(Status::NotApplicable, &fallback_method, reason);
            }
        },
    };
    let categorical = reading == Reading::Categorical;
    // A method for one column must fit it; one for all is for those that it fits.
    let for_all =
        drift::method(&plan.method).filter(|m| plan.method_is_explicit && m.applies_to().includes(categorical));
    let method = match column.method.as_deref().or(for_all.map(|m| m.name())) {
        Some(wanted) => match drift::method(wanted) {
            Some(method) => method,
            None => {
                return not_judged(Status::NotApplicable, wanted, format!("there is no method `{wanted}`"));
            }
        },
        None => drift::default_method(categorical, &plan.method),
    };
    if !method.applies_to().includes(categorical) {
        let kind = if categorical { "categorical" } else { "numeric" };
        let reason = format!("`{}` does not apply to a {kind} column", method.name());
        return not_judged(Status::NotApplicable, method.name(), reason);
    }
    let options = Options {
        threshold,
        bins: column.bins.unwrap_or(plan.options.bins),
        edges: column.edges.clone().or_else(|| plan.options.edges.clone()),
        ..plan.options.clone()
    };
    match reading {
        Reading::Numeric => {
            let (a, b) = match tokio::try_join!(reference.numeric(&name), current.numeric(&name)) {
                Ok(sides) => sides,
                Err(e) if e.is_about_a_column() => {
                    return not_judged(Status::SchemaError, method.name(), e.to_string());
                }
                Err(e) => return Err(e),
            };
            Ok(super::busy(move || {
                let (mut a, mut b) = (a, b);
                drift::sort_values(&mut a.values);
                drift::sort_values(&mut b.values);
                let (a, b) = (
                    Sample::Numeric(NumericSample { sorted: &a.values, missing: a.missing }),
                    Sample::Numeric(NumericSample { sorted: &b.values, missing: b.missing }),
                );
                drift::judge(&name, method, &a, &b, &options)
            })
            .await)
        }
        Reading::Categorical => {
            let (a, b) = match tokio::try_join!(reference.categories(&name), current.categories(&name)) {
                Ok(sides) => sides,
                Err(e) if e.is_about_a_column() => {
                    return not_judged(Status::SchemaError, method.name(), e.to_string());
                }
                Err(e) => return Err(e),
            };
            if a.distinct_overflow || b.distinct_overflow {
                return not_judged(
                    Status::NotApplicable,
                    method.name(),
                    "high_cardinality: too many distinct values to compare".into(),
                );
            }
            let sides = Arc::new((a.counts, b.counts));
            Ok(super::busy(move || {
                drift::judge(&name, method, &Sample::Categorical(&sides.0), &Sample::Categorical(&sides.1), &options)
            })
            .await)
        }
    }
}

fn find<'a>(dataset: &'a Dataset, name: &str) -> Option<&'a ColumnInfo> {
    dataset.columns().iter().find(|c| c.name == name)
}

/// How a column is read when nobody says so; none for types that are judged only when declared.
fn natural_reading(info: &ColumnInfo) -> Option<Reading> {
    match info.kind {
        ColumnKind::Numeric => Some(Reading::Numeric),
        ColumnKind::Text | ColumnKind::Boolean => Some(Reading::Categorical),
        ColumnKind::Temporal | ColumnKind::Unsupported => None,
    }
}

/// A column without a single value has no type.
fn is_null(info: &ColumnInfo) -> bool {
    info.dtype == "null" || info.dtype == "missing throughout"
}
