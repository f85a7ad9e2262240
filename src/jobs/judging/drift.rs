//! Drift of one side against another, column by column, and within segments.
//!
//! Holds no more than a few columns in memory: as many as are judged side by side. One column that cannot be judged
//! is reported as such and never hides the others; only an input that cannot be read at all is an error.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};

use super::segments::{Segments, categories_by_segment, numbers_by_segment};
use super::side::Side;
use crate::dataset::{self, AlignedColumn, ColumnInfo, ColumnKind, NumericColumn};
use crate::drift::profile::ColumnProfile;
use crate::drift::{self, CategoryCounts, Check, Method, NumericSample, Options, Report, Sample, Status};

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
    /// How much it matters when drifted columns are put in order; 1 when absent.
    pub importance: Option<f64>,
    /// The declared type; inferred otherwise.
    pub reading: Option<Reading>,
}

impl ColumnPlan {
    /// Whether anything is said that concerns drift; limits of values are a matter of quality.
    fn is_about_drift(&self) -> bool {
        let Self { method, threshold, bins, edges, importance, reading } = self;
        method.is_some()
            || threshold.is_some()
            || bins.is_some()
            || edges.is_some()
            || importance.is_some()
            || reading.is_some()
    }
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
    /// A column whose values are judged each on their own, beside all rows together.
    pub group_by: Option<String>,
    /// What single columns say.
    pub columns: BTreeMap<String, ColumnPlan>,
    /// How many columns are judged side by side.
    pub parallel: usize,
}

/// Judges `current` against `reference`.
///
/// # Errors
/// When an object cannot be read at all (unreachable, corrupt, changed). A column that is missing, added or of another type, also the
/// one that tells segments apart, is a check with status `schema_error` instead.
pub async fn judge(reference: &Side, current: &Side, plan: &Plan) -> Result<Judged, dataset::Error> {
    let sides = Sides { reference, current, infos: (reference.columns(), current.columns()) };
    let (segments, lost) = match &plan.group_by {
        Some(column) => match Segments::read(reference, current, column).await {
            Ok(segments) => (segments, None),
            // One bad column hides no other: all rows are judged together, and the column is told.
            Err(error) if error.is_about_a_column() => {
                (None, Some(drift::not_judged(column, "group_by", Status::SchemaError, error.to_string(), 0.0)))
            }
            Err(error) => return Err(error),
        },
        None => (None, None),
    };
    let columns = columns_to_judge(&sides.infos, plan);
    let checks: Vec<Vec<Check>> =
        stream::iter(columns.into_iter().map(|name| judge_column(name, &sides, segments.as_ref(), plan)))
            .buffer_unordered(plan.parallel.max(1))
            .try_collect()
            .await?;
    let importance = plan.columns.iter().filter_map(|(name, c)| Some((name.clone(), c.importance?))).collect();
    let report = drift::report(checks.into_iter().flatten().chain(lost).collect(), plan.min_drifted_share, &importance);
    let left_out = segments.map_or(0, |segments| segments.left_out);
    Ok(Judged { report, segments_left_out: left_out })
}

/// What judging gave.
#[derive(Debug)]
pub struct Judged {
    /// The checks of columns, and of columns within segments.
    pub report: Report,
    /// Segments that are too small to be among those that are judged.
    pub segments_left_out: usize,
}

struct Sides<'a> {
    reference: &'a Side,
    current: &'a Side,
    infos: (Vec<ColumnInfo>, Vec<ColumnInfo>),
}

fn columns_to_judge(infos: &(Vec<ColumnInfo>, Vec<ColumnInfo>), plan: &Plan) -> Vec<String> {
    if !plan.select.is_empty() {
        return plan.select.iter().filter(|c| !plan.exclude.contains(c)).cloned().collect();
    }
    let mut names: BTreeSet<String> = infos.0.iter().chain(&infos.1).map(|c| c.name.clone()).collect();
    // A name that the data does not have is a mistake to be told, not settings that wait for a column.
    names.extend(plan.columns.iter().filter(|(_, own)| own.is_about_drift()).map(|(name, _)| name.clone()));
    names.retain(|n| !plan.exclude.contains(n) && plan.group_by.as_ref() != Some(n));
    names.into_iter().collect()
}

/// How a column is judged, once its types are known.
struct Decided {
    method: &'static dyn Method,
    reading: Reading,
    options: Options,
}

async fn judge_column(
    name: String,
    sides: &Sides<'_>,
    segments: Option<&Segments>,
    plan: &Plan,
) -> Result<Vec<Check>, dataset::Error> {
    let decided = match decide(&name, &sides.infos, plan) {
        Ok(decided) => decided,
        Err(check) => return Ok(vec![*check]),
    };
    let profile = sides.reference.profile().and_then(|profile| profile.column(&name));
    let read = match (decided.reading, segments) {
        (reading, None) if profile.is_some() => current_only(&name, sides, reading, profile).await,
        (reading, Some(segments)) => by_segment(&name, sides, reading, segments).await,
        (Reading::Numeric, None) => numbers(&name, sides).await,
        (Reading::Categorical, None) => categories(&name, sides).await,
    };
    let pairs = match read {
        Ok(pairs) => pairs,
        Err(e) if e.is_about_a_column() => {
            let threshold = decided.options.threshold.unwrap_or(decided.method.default_threshold());
            return Ok(vec![drift::not_judged(
                &name,
                decided.method.name(),
                Status::SchemaError,
                e.to_string(),
                threshold,
            )]);
        }
        Err(e) => return Err(e),
    };
    let Decided { method, options, .. } = decided;
    Ok(super::busy(move || pairs.into_iter().map(|pair| pair.judge(&name, method, &options)).collect()).await)
}

/// Two sides of a column, of all rows or of a segment.
struct Pair {
    segment: Option<String>,
    values: Values,
}

enum Values {
    /// A profile and the current values.
    NumbersNow(Box<ColumnProfile>, NumericColumn),
    /// A profile and the current categories.
    CategoriesNow(Box<ColumnProfile>, CategoryCounts),
    Numbers(NumericColumn, NumericColumn),
    Categories(CategoryCounts, CategoryCounts),
    /// More distinct values than are counted.
    TooMany,
}

impl Pair {
    fn judge(self, name: &str, method: &'static dyn Method, options: &Options) -> Check {
        let check = match self.values {
            Values::NumbersNow(profile, mut now) => {
                drift::sort_values(&mut now.values);
                let now = Sample::Numeric(NumericSample { sorted: &now.values, missing: now.missing });
                drift::profile::judge(name, method, &profile, &now, options)
            }
            Values::CategoriesNow(profile, now) => {
                drift::profile::judge(name, method, &profile, &Sample::Categorical(&now), options)
            }
            Values::Numbers(mut a, mut b) => {
                drift::sort_values(&mut a.values);
                drift::sort_values(&mut b.values);
                let (a, b) = (
                    Sample::Numeric(NumericSample { sorted: &a.values, missing: a.missing }),
                    Sample::Numeric(NumericSample { sorted: &b.values, missing: b.missing }),
                );
                drift::judge(name, method, &a, &b, options)
            }
            Values::Categories(a, b) => {
                drift::judge(name, method, &Sample::Categorical(&a), &Sample::Categorical(&b), options)
            }
            Values::TooMany => drift::not_judged(
                name,
                method.name(),
                Status::NotApplicable,
                "high_cardinality: too many distinct values to compare",
                options.threshold.unwrap_or(method.default_threshold()),
            ),
        };
        Check { segment: self.segment, ..check }
    }
}

async fn numbers(name: &str, sides: &Sides<'_>) -> Result<Vec<Pair>, dataset::Error> {
    let (a, b) = tokio::try_join!(sides.reference.numeric(name), sides.current.numeric(name))?;
    Ok(vec![Pair { segment: None, values: Values::Numbers(a, b) }])
}

async fn categories(name: &str, sides: &Sides<'_>) -> Result<Vec<Pair>, dataset::Error> {
    let (a, b) = tokio::try_join!(sides.reference.categories(name), sides.current.categories(name))?;
    let overflow = a.distinct_overflow || b.distinct_overflow;
    let values = if overflow { Values::TooMany } else { Values::Categories(a.counts, b.counts) };
    Ok(vec![Pair { segment: None, values }])
}

/// The current side of a column whose reference is a profile.
async fn current_only(
    name: &str,
    sides: &Sides<'_>,
    reading: Reading,
    profile: Option<&ColumnProfile>,
) -> Result<Vec<Pair>, dataset::Error> {
    let Some(profile) = profile.cloned().map(Box::new) else { return Ok(Vec::new()) };
    let values = match reading {
        Reading::Numeric => Values::NumbersNow(profile, sides.current.numeric(name).await?),
        Reading::Categorical => {
            let now = sides.current.categories(name).await?;
            if now.distinct_overflow { Values::TooMany } else { Values::CategoriesNow(profile, now.counts) }
        }
    };
    Ok(vec![Pair { segment: None, values }])
}

/// All rows together, and then each segment.
async fn by_segment(
    name: &str,
    sides: &Sides<'_>,
    reading: Reading,
    segments: &Segments,
) -> Result<Vec<Pair>, dataset::Error> {
    let mut pairs = match reading {
        Reading::Numeric => numbers(name, sides).await?,
        Reading::Categorical => categories(name, sides).await?,
    };
    let wanted = [name];
    let (a, b) = tokio::try_join!(sides.reference.aligned(&wanted), sides.current.aligned(&wanted))?;
    let column = |table: Option<dataset::Table>| table.and_then(|table| table.columns.into_iter().next());
    let (Some(a), Some(b)) = (column(a), column(b)) else { return Ok(pairs) };
    let (count, places) = (segments.names.len(), (segments.reference.clone(), segments.current.clone()));
    let values = super::busy(move || deal(a, b, reading, &places.0, &places.1, count)).await;
    let title = |segment: &String| format!("{} = {segment}", segments.column);
    pairs.extend(segments.names.iter().zip(values).map(|(name, values)| Pair { segment: Some(title(name)), values }));
    Ok(pairs)
}

fn deal(
    a: AlignedColumn,
    b: AlignedColumn,
    reading: Reading,
    places_a: &[Option<u8>],
    places_b: &[Option<u8>],
    count: usize,
) -> Vec<Values> {
    match reading {
        Reading::Numeric => {
            let (a, b) = (numbers_by_segment(&a, places_a, count), numbers_by_segment(&b, places_b, count));
            a.into_iter().zip(b).map(|(a, b)| Values::Numbers(a, b)).collect()
        }
        Reading::Categorical => {
            let (a, b) = (categories_by_segment(a, places_a, count), categories_by_segment(b, places_b, count));
            a.into_iter().zip(b).map(|(a, b)| Values::Categories(a, b)).collect()
        }
    }
}

/// Reading, method and options of a column, or the check that says why it is not judged.
fn decide(name: &str, infos: &(Vec<ColumnInfo>, Vec<ColumnInfo>), plan: &Plan) -> Result<Decided, Box<Check>> {
    let column = plan.columns.get(name).cloned().unwrap_or_default();
    let threshold = column.threshold.or(plan.threshold);
    let not_judged = |status, method: &str, reason: String| {
        let threshold = threshold.or_else(|| drift::method(method).map(|m| m.default_threshold())).unwrap_or(0.2);
        Box::new(drift::not_judged(name, method, status, reason, threshold))
    };
    let fallback = column.method.clone().unwrap_or_else(|| plan.method.clone());
    let (info_a, info_b) = match (find(&infos.0, name), find(&infos.1, name)) {
        (Some(a), Some(b)) => (a, b),
        (a, b) => {
            let who = match (a, b) {
                (None, Some(_)) => "the reference has no such column",
                (Some(_), _) => "the current data has no such column",
                (None, None) => "neither the reference nor the current data has such a column",
            };
            return Err(not_judged(Status::SchemaError, &fallback, who.into()));
        }
    };
    let reading = match column.reading {
        Some(reading) => reading,
        None => reading_of(info_a, info_b).map_err(|(status, reason)| not_judged(status, &fallback, reason))?,
    };
    let categorical = reading == Reading::Categorical;
    // A method for one column must fit it; one for all is for those that it fits.
    let for_all =
        drift::method(&plan.method).filter(|m| plan.method_is_explicit && m.applies_to().includes(categorical));
    let method = match column.method.as_deref().or(for_all.map(|m| m.name())) {
        Some(wanted) => drift::method(wanted)
            .ok_or_else(|| not_judged(Status::NotApplicable, wanted, format!("there is no method `{wanted}`")))?,
        None => drift::default_method(categorical, &plan.method),
    };
    if !method.applies_to().includes(categorical) {
        let kind = if categorical { "categorical" } else { "numeric" };
        let reason = format!("`{}` does not apply to a {kind} column", method.name());
        return Err(not_judged(Status::NotApplicable, method.name(), reason));
    }
    let options = Options {
        threshold,
        bins: column.bins.unwrap_or(plan.options.bins),
        edges: column.edges.or_else(|| plan.options.edges.clone()),
        ..plan.options.clone()
    };
    Ok(Decided { method, reading, options })
}

/// How a column is read when nobody says so, from its types on both sides.
fn reading_of(a: &ColumnInfo, b: &ColumnInfo) -> Result<Reading, (Status, String)> {
    let changed = || (Status::SchemaError, format!("type changed: {} in the reference, {} now", a.dtype, b.dtype));
    match (natural_reading(a), natural_reading(b)) {
        (Some(a), Some(b)) if a == b => Ok(a),
        // A column with nothing but nulls has no type of its own: it is read as the other side.
        (Some(reading), None) if b.is_untyped() => Ok(reading),
        (None, Some(reading)) if a.is_untyped() => Ok(reading),
        (Some(_), Some(_)) => Err(changed()),
        _ if a.is_untyped() && b.is_untyped() => {
            Err((Status::NotApplicable, "all values are missing on both sides".to_owned()))
        }
        _ if a.kind != b.kind => Err(changed()),
        _ => Err((
            Status::NotApplicable,
            format!(
                "a column of type {} is not judged; declare `type = \"categorical\"` to compare its values",
                a.dtype
            ),
        )),
    }
}

fn find<'a>(columns: &'a [ColumnInfo], name: &str) -> Option<&'a ColumnInfo> {
    columns.iter().find(|c| c.name == name)
}

/// How a column is read when nobody says so; none for types that are judged only when declared.
fn natural_reading(info: &ColumnInfo) -> Option<Reading> {
    // Formats without types show a column without any value as text; the other side says what it is.
    if info.is_untyped() {
        return None;
    }
    match info.kind {
        ColumnKind::Numeric => Some(Reading::Numeric),
        ColumnKind::Text | ColumnKind::Boolean => Some(Reading::Categorical),
        ColumnKind::Temporal | ColumnKind::Unsupported => None,
    }
}
