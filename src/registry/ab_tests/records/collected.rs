//! From rows to both arms: repetitions once, units that saw both arms out, one row a unit where there are units.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Key, MISSING, Record, Records, ordered, value_of};

/// What became of the rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Account {
    /// Rows of A and of B, repetitions left out.
    pub rows: [u64; 2],
    /// Rows of A and of B whose outcome is missing.
    pub missing: [u64; 2],
    /// Repetitions of a request id.
    pub duplicates: u64,
    /// Those of them that said something else; the smallest row counts.
    pub conflicting: u64,
    /// Rows of neither variant.
    pub unknown_variants: u64,
    /// Rows without a unit.
    pub without_unit: u64,
    /// Units of A and of B; none where rows are counted.
    pub units: Option<[u64; 2]>,
    /// Units that saw both arms and count in neither.
    pub in_both: u64,
    /// Their share of all units.
    pub share_in_both: f64,
    /// Rows of units that were assigned to the other arm than the row says.
    #[serde(skip_serializing_if = "is_zero")]
    pub assigned_otherwise: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Account {
    /// What people should know of the rows.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.duplicates > 0 {
            warnings.push(format!("{} rows repeat a request and were counted once", self.duplicates));
        }
        if self.conflicting > 0 {
            warnings.push(format!("{} of them say something else than the row that counts", self.conflicting));
        }
        if self.without_unit > 0 {
            warnings.push(format!("{} rows have no unit and were left out", self.without_unit));
        }
        if self.in_both > 0 {
            warnings.push(format!(
                "{} units ({:.2} %) were seen in both arms and count in neither",
                self.in_both,
                100.0 * self.share_in_both
            ));
        }
        if self.assigned_otherwise > 0 {
            warnings.push(format!(
                "{} rows are of units that were assigned to the other arm: look at how rows get their variant",
                self.assigned_otherwise
            ));
        }
        warnings
    }
}

/// The values of an arm, column by column; the one that decides first.
pub type Columns = Vec<Vec<Option<f64>>>;

/// Both arms, their rows in the order of their values, missing ones last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collected {
    /// Rows of A.
    pub a: Columns,
    /// Rows of B.
    pub b: Columns,
    /// What became of the rows.
    pub account: Account,
}

impl Records {
    /// Both arms: repetitions once, units that saw both arms out, a value per unit where there are units.
    #[must_use]
    pub fn collect(&self) -> Collected {
        let mut account =
            Account { unknown_variants: self.unknown, without_unit: self.without_unit, ..Account::default() };
        let mut last: Option<&Record> = None;
        let mut single: Vec<(&Record, u64)> = Vec::with_capacity(self.rows.len());
        for (record, count) in &self.rows {
            if record.request.is_none() {
                single.push((record, *count));
                continue;
            }
            // Sorted by request: the first one counts.
            if last.is_some_and(|last| last.request == record.request) {
                account.duplicates += count;
                account.conflicting += count;
                continue;
            }
            account.duplicates += count - 1;
            last = Some(record);
            single.push((record, 1));
        }
        for (record, count) in &single {
            account.rows[usize::from(record.is_b)] += count;
            account.missing[usize::from(record.is_b)] +=
                if record.values.first() == Some(&MISSING) { *count } else { 0 };
        }
        let mut arms: [Vec<Box<[u64]>>; 2] = [Vec::new(), Vec::new()];
        if single.iter().any(|(record, _)| record.unit.is_some()) {
            by_unit(&single, self.width(), &mut account, &mut arms);
        } else {
            for (record, count) in &single {
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                arms[usize::from(record.is_b)].extend(std::iter::repeat_n(record.values.clone(), count));
            }
        }
        let [a, b] = arms.map(|rows| columns(rows, self.width()));
        Collected { a, b, account }
    }
}

/// Rows as columns, the rows in the order of their values.
fn columns(mut rows: Vec<Box<[u64]>>, width: usize) -> Columns {
    rows.sort_unstable();
    (0..width).map(|at| rows.iter().map(|row| value_of(row[at])).collect()).collect()
}

/// The values of each unit: the mean over its rows that have one.
fn by_unit(rows: &[(&Record, u64)], width: usize, account: &mut Account, arms: &mut [Vec<Box<[u64]>>; 2]) {
    #[derive(Default)]
    struct Unit<'a> {
        arms: [bool; 2],
        rows: Vec<(&'a [u64], u64)>,
    }
    let mut units: BTreeMap<Key, Unit<'_>> = BTreeMap::new();
    for (record, count) in rows {
        let Some(key) = record.unit else {
            account.without_unit += count;
            continue;
        };
        let unit = units.entry(key).or_default();
        unit.arms[usize::from(record.is_b)] = true;
        unit.rows.push((&record.values, *count));
    }
    let all = units.len() as f64;
    let mut counts = [0, 0];
    for unit in units.into_values() {
        if unit.arms == [true, true] {
            account.in_both += 1;
            continue;
        }
        let arm = usize::from(unit.arms[1]);
        counts[arm] += 1;
        arms[arm].push((0..width).map(|at| mean_over(&unit.rows, at)).collect());
    }
    account.units = Some(counts);
    account.share_in_both = if all > 0.0 { account.in_both as f64 / all } else { 0.0 };
}

/// The mean of one value over the rows of a unit that have it.
fn mean_over(rows: &[(&[u64], u64)], at: usize) -> u64 {
    let mut values: Vec<(u64, u64)> =
        rows.iter().map(|(values, count)| (values[at], *count)).filter(|(value, _)| *value != MISSING).collect();
    // In one order, so that the sum does not depend on that of the rows.
    values.sort_unstable();
    let rows: u64 = values.iter().map(|(_, count)| count).sum();
    if rows == 0 {
        return MISSING;
    }
    let values = values.iter().filter_map(|(value, count)| Some((value_of(*value)?, *count)));
    ordered(Some(values.map(|(value, count)| value * (count as f64 / rows as f64)).sum::<f64>()))
}
