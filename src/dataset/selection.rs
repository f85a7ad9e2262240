//! Which rows belong to a dataset: a time window and equalities.
//!
//! The rows of an object are decided once and remembered as one bit each, however many columns are then read.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use hashbrown::HashMap;
use polars::prelude::{BooleanChunked, DataType, NewChunkedArray, PlSmallStr, StringChunked};

use super::Error;
use super::moment::{self, Span, Unit};
use super::object::Sink;
use super::schema::Family;
use super::values::{Block, Visitor, canonical};

/// Rows at or after the first and before the second instant.
pub(super) type Window = (DateTime<Utc>, DateTime<Utc>);

/// What decides about a row.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    /// Column and half-open window.
    pub(super) window: Option<(String, Window)>,
    /// Columns and the text they must equal.
    pub(super) filter: BTreeMap<String, String>,
}

impl Selection {
    pub(super) fn is_everything(&self) -> bool {
        self.window.is_none() && self.filter.is_empty()
    }

    /// The columns it looks at.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.window.iter().map(|(column, _)| column.as_str()).chain(self.filter.keys().map(String::as_str))
    }
}

/// The selected rows of one object.
#[derive(Debug, Clone)]
pub(super) enum Mask {
    /// All of them.
    All,
    /// Some of them: a bit for each row, and how many.
    Some { bits: Arc<BooleanChunked>, rows: u64 },
}

impl Mask {
    pub(super) fn of(keep: &[bool]) -> Self {
        let rows = keep.iter().filter(|keep| **keep).count() as u64;
        if rows == keep.len() as u64 {
            return Self::All;
        }
        let bits = BooleanChunked::from_iter_values(PlSmallStr::EMPTY, keep.iter().copied());
        Self::Some { bits: Arc::new(bits), rows }
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Some { rows: 0, .. })
    }
}

/// Decides by time.
pub(super) struct InWindow {
    pub(super) window: Window,
    pub(super) keep: Vec<bool>,
}

impl Sink for InWindow {
    fn push(&mut self, block: &Block<'_>) -> Result<(), Error> {
        let unit = match block.series.dtype() {
            DataType::Date => Unit::Days,
            DataType::Datetime(unit, _) => Unit::of(*unit),
            DataType::String => {
                let span = Span::new(self.window, Unit::Micros);
                let texts = block.series.str().map_err(|error| block.undecodable(&error))?;
                for text in texts.iter() {
                    let keep = match text {
                        Some(text) if block.column.family != Family::Text && super::text::is_missing(text) => false,
                        Some(text) => {
                            let moment = moment::parse(text).ok_or_else(|| block.unfit("a timestamp or date", text))?;
                            span.holds(moment)
                        }
                        None => false,
                    };
                    self.keep.push(keep);
                }
                return Ok(());
            }
            DataType::Null => {
                self.keep.extend(std::iter::repeat_n(false, block.series.len()));
                return Ok(());
            }
            _ => return Err(block.column.wrong(block.object, "a timestamp or date")),
        };
        let span = Span::new(self.window, unit);
        let physical = block.series.to_physical_repr().cast(&DataType::Int64);
        let physical = physical.map_err(|error| block.undecodable(&error))?;
        let values = physical.i64().map_err(|error| block.undecodable(&error))?;
        self.keep.extend(values.iter().map(|value| value.is_some_and(|value| span.holds(value))));
        Ok(())
    }
}

/// Decides by equality of canonical text.
pub(super) struct Equals {
    pub(super) wanted: String,
    pub(super) keep: Vec<bool>,
}

impl Sink for Equals {
    fn push(&mut self, block: &Block<'_>) -> Result<(), Error> {
        self.wanted = canonical(block.family, &self.wanted).into_owned();
        block.visit(self)
    }
}

impl Visitor for Equals {
    fn strings(&mut self, values: &StringChunked) {
        let wanted = self.wanted.as_str();
        self.keep.extend(values.iter().map(|text| text == Some(wanted)));
    }

    fn keys<K: Copy + Eq + Hash>(&mut self, values: impl Iterator<Item = Option<K>>, render: impl Fn(K) -> String) {
        let mut decided: HashMap<K, bool> = HashMap::new();
        for value in values {
            let keep = value.is_some_and(|key| *decided.entry(key).or_insert_with(|| render(key) == self.wanted));
            self.keep.push(keep);
        }
    }
}
