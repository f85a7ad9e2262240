//! The rows of a test, as little of them as a judgement needs: arm, request, unit and values.
//!
//! Equal rows are counted, not repeated, and everything is taken in one order (that of the values, not of the rows), so that the same
//! rows give the same bytes whatever objects they came in and whichever of those were read today. No I/O.
//!
//! What holds: a row keeps all its values together (the one that decides first), so that covariates, pairs and guardrails stay with
//! it; rows with one request id count once; a unit that saw both arms counts in neither; with units, a unit's value is the mean over
//! its rows and the unit is what is counted ([`collected`]).

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

mod collected;

pub use collected::{Account, Collected, Columns};

/// How the bytes of rows with one value are laid out; another layout is read as nothing, and the object again.
const LAYOUT: u8 = 1;
/// The same with the number of values, where there are several.
const WIDE_LAYOUT: u8 = 2;
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    request: Option<Key>,
    unit: Option<Key>,
    is_b: bool,
    values: Box<[u64]>,
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

impl Records {
    /// Adds a row. All rows of a test have equally many values, the one that decides first.
    pub fn push(&mut self, is_b: bool, request: Option<Key>, unit: Option<Key>, values: &[Option<f64>]) {
        let values = values.iter().copied().map(ordered).collect();
        *self.rows.entry(Record { request, unit, is_b, values }).or_default() += 1;
    }

    /// How many values a row has.
    fn width(&self) -> usize {
        self.rows.keys().next().map_or(1, |record| record.values.len())
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.unknown == 0 && self.without_unit == 0
    }

    /// These rows and those.
    pub fn merge(&mut self, other: &Self) {
        for (record, count) in &other.rows {
            *self.rows.entry(record.clone()).or_default() += count;
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
        let width = self.width();
        let mut bytes = if width == 1 { vec![LAYOUT] } else { vec![WIDE_LAYOUT, width as u8] };
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
            record.values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
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
        let width = match take::<1>(&mut rest)? {
            [LAYOUT] => 1,
            [WIDE_LAYOUT] => usize::from(take::<1>(&mut rest)?[0]),
            _ => return None,
        };
        let mut records = Self {
            unknown: u64::from_le_bytes(take(&mut rest)?),
            without_unit: u64::from_le_bytes(take(&mut rest)?),
            ..Self::default()
        };
        while !rest.is_empty() {
            let [shape] = take::<1>(&mut rest)?;
            let request = if shape & 2 == 0 { None } else { Some(take(&mut rest)?) };
            let unit = if shape & 4 == 0 { None } else { Some(take(&mut rest)?) };
            let values = (0..width).map(|_| take(&mut rest).map(u64::from_le_bytes)).collect::<Option<_>>()?;
            let count = if shape & 8 == 0 { 1 } else { u64::from_le_bytes(take(&mut rest)?) };
            records.rows.insert(Record { request, unit, is_b: shape & 1 == 1, values }, count);
        }
        Some(records)
    }
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
