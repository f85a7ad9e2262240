//! The rows of a test, as little of them as a judgement needs: arm, request, unit and value.
//!
//! Equal rows are counted, not repeated, and everything is taken in one order (that of the values, not of the rows), so that the same
//! rows give the same bytes whatever objects they came in and whichever of those were read today. No I/O.
//!
//! What holds: rows with one request id count once; a unit that saw both arms counts in neither; with units, a unit's value is the mean
//! over its rows and the unit is what is counted.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// How the bytes are laid out; another layout is read as nothing, and the object again.
const LAYOUT: u8 = 1;
/// What stands for a value that is missing.
const MISSING: u64 = u64::MAX;

/// An id, shortened to what tells ids apart.
pub type Key = [u8; 16];

/// The key of a request id or of a unit.
#[must_use]
pub fn key(text: &str) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
    key
}

/// A row. Values are kept in the order of their bits, so that rows can be sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    request: Option<Key>,
    unit: Option<Key>,
    is_b: bool,
    value: u64,
}

/// Rows of some objects.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records {
    rows: BTreeMap<Record, u64>,
    /// Rows of neither variant.
    pub unknown: u64,
    /// Rows without a unit, where units were asked for.
    pub without_unit: u64,
}

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
}

/// Both arms, value by value in ascending order, missing ones last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collected {
    /// Values of A.
    pub a: Vec<Option<f64>>,
    /// Values of B.
    pub b: Vec<Option<f64>>,
    /// What became of the rows.
    pub account: Account,
}

impl Records {
    /// Adds a row.
    pub fn push(&mut self, is_b: bool, request: Option<Key>, unit: Option<Key>, value: Option<f64>) {
        *self.rows.entry(Record { request, unit, is_b, value: ordered(value) }).or_default() += 1;
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.unknown == 0 && self.without_unit == 0
    }

    /// These rows and those.
    pub fn merge(&mut self, other: &Self) {
        for (record, count) in &other.rows {
            *self.rows.entry(*record).or_default() += count;
        }
        self.unknown += other.unknown;
        self.without_unit += other.without_unit;
    }

    /// SHA-256 of the rows: other rows, other digest.
    #[must_use]
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.encode()))
    }

    /// The rows as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![LAYOUT];
        bytes.extend(self.unknown.to_le_bytes());
        bytes.extend(self.without_unit.to_le_bytes());
        for (record, count) in &self.rows {
            let shape = u8::from(record.is_b)
                | u8::from(record.request.is_some()) << 1
                | u8::from(record.unit.is_some()) << 2
                | u8::from(*count > 1) << 3;
            bytes.push(shape);
            bytes.extend(record.request.iter().flatten());
            bytes.extend(record.unit.iter().flatten());
            bytes.extend(record.value.to_le_bytes());
            if *count > 1 {
                bytes.extend(count.to_le_bytes());
            }
        }
        bytes
    }

    /// The inverse of [`Self::encode`]; none for anything else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        (take::<1>(&mut rest)?[0] == LAYOUT).then_some(())?;
        let mut records = Self {
            unknown: u64::from_le_bytes(take(&mut rest)?),
            without_unit: u64::from_le_bytes(take(&mut rest)?),
            ..Self::default()
        };
        while !rest.is_empty() {
            let [shape] = take::<1>(&mut rest)?;
            let request = if shape & 2 == 0 { None } else { Some(take(&mut rest)?) };
            let unit = if shape & 4 == 0 { None } else { Some(take(&mut rest)?) };
            let value = u64::from_le_bytes(take(&mut rest)?);
            let count = if shape & 8 == 0 { 1 } else { u64::from_le_bytes(take(&mut rest)?) };
            records.rows.insert(Record { request, unit, is_b: shape & 1 == 1, value }, count);
        }
        Some(records)
    }

    /// Both arms: repetitions once, units that saw both arms out, a value per unit where there are units.
    #[must_use]
    pub fn collect(&self) -> Collected {
        let mut account =
            Account { unknown_variants: self.unknown, without_unit: self.without_unit, ..Account::default() };
        let mut last: Option<Record> = None;
        let mut single: Vec<(Record, u64)> = Vec::with_capacity(self.rows.len());
        for (record, count) in &self.rows {
            if record.request.is_none() {
                single.push((*record, *count));
                continue;
            }
            // Sorted by request: the first one counts.
            if last.is_some_and(|last| last.request == record.request) {
                account.duplicates += count;
                account.conflicting += count;
                continue;
            }
            account.duplicates += count - 1;
            last = Some(*record);
            single.push((*record, 1));
        }
        for (record, count) in &single {
            account.rows[usize::from(record.is_b)] += count;
            account.missing[usize::from(record.is_b)] += if record.value == MISSING { *count } else { 0 };
        }
        let mut arms = [Vec::new(), Vec::new()];
        if single.iter().any(|(record, _)| record.unit.is_some()) {
            by_unit(&single, &mut account, &mut arms);
        } else {
            for (record, count) in &single {
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                arms[usize::from(record.is_b)].extend(std::iter::repeat_n(record.value, count));
            }
        }
        let [a, b] = arms.map(|mut values| {
            values.sort_unstable();
            values.into_iter().map(value_of).collect()
        });
        Collected { a, b, account }
    }
}

/// A value for each unit: the mean over its rows that have an outcome.
fn by_unit(rows: &[(Record, u64)], account: &mut Account, arms: &mut [Vec<u64>; 2]) {
    #[derive(Default)]
    struct Unit {
        arms: [bool; 2],
        values: Vec<(u64, u64)>,
    }
    let mut units: BTreeMap<Key, Unit> = BTreeMap::new();
    for (record, count) in rows {
        let Some(key) = record.unit else {
            account.without_unit += count;
            continue;
        };
        let unit = units.entry(key).or_default();
        unit.arms[usize::from(record.is_b)] = true;
        if record.value != MISSING {
            unit.values.push((record.value, *count));
        }
    }
    let all = units.len() as f64;
    let mut counts = [0, 0];
    for mut unit in units.into_values() {
        if unit.arms == [true, true] {
            account.in_both += 1;
            continue;
        }
        let arm = usize::from(unit.arms[1]);
        counts[arm] += 1;
        // In one order, so that the sum does not depend on that of the rows.
        unit.values.sort_unstable();
        let rows: u64 = unit.values.iter().map(|(_, count)| count).sum();
        let mean = unit.values.iter().filter_map(|(value, count)| Some((value_of(*value)?, *count)));
        let mean = mean.map(|(value, count)| value * (count as f64 / rows as f64)).sum::<f64>();
        arms[arm].push(if rows == 0 { MISSING } else { ordered(Some(mean)) });
    }
    account.units = Some(counts);
    account.share_in_both = if all > 0.0 { account.in_both as f64 / all } else { 0.0 };
}

/// Bits that sort as the numbers do; every zero is the same one.
fn ordered(value: Option<f64>) -> u64 {
    match value {
        Some(value) if !value.is_nan() => {
            let bits = (value + 0.0).to_bits();
            if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
        }
        _ => MISSING,
    }
}

fn value_of(ordered: u64) -> Option<f64> {
    let bits = if ordered >> 63 == 1 { ordered & !(1 << 63) } else { !ordered };
    (ordered != MISSING).then(|| f64::from_bits(bits))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests;
