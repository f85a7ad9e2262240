//! Counting categories: fast for few distinct values, bounded for many.
//!
//! Strings are counted by their 16-byte views (length and content, or length and place), so a row costs one small hash
//! and no look at the text; each distinct view is resolved once.

use std::hash::Hash;

use hashbrown::HashMap;
use polars::prelude::StringChunked;

use super::Error;
use super::object::Sink;
use super::values::{Block, Visitor};
use crate::drift::CategoryCounts;

/// Most distinct values that are counted; a column with more is an identifier, not a category.
pub const MAX_DISTINCT: usize = 200_000;
/// Keys gathered before they are resolved to text; bounds memory when every row has its own.
const GATHERED: usize = 65_536;

/// How often each value of a column occurs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Categories {
    /// The counts; without any category when there were too many.
    pub counts: CategoryCounts,
    /// Rows counted, those without a value included.
    pub rows: u64,
    /// Whether the column has more than [`MAX_DISTINCT`] distinct values, so that counting was given up.
    pub distinct_overflow: bool,
}

/// The counter behind [`Categories`].
#[derive(Debug, Default)]
pub(super) struct Counter {
    counts: HashMap<String, u64>,
    missing: u64,
    rows: u64,
    overflow: bool,
}

impl Counter {
    pub(super) fn finish(self) -> Categories {
        Categories {
            counts: CategoryCounts { counts: self.counts.into_iter().collect(), missing: self.missing },
            rows: self.rows,
            distinct_overflow: self.overflow,
        }
    }

    fn add(&mut self, text: &str, rows: u64) {
        if self.overflow {
            return;
        }
        *self.counts.entry_ref(text).or_insert(0) += rows;
        if self.counts.len() > MAX_DISTINCT {
            self.overflow = true;
            self.counts = HashMap::new();
        }
    }
}

impl Sink for Counter {
    fn push(&mut self, block: &Block<'_>) -> Result<(), Error> {
        self.rows += block.series.len() as u64;
        block.visit(self)
    }
}

impl Visitor for Counter {
    fn strings(&mut self, values: &StringChunked) {
        self.missing += values.null_count() as u64;
        if self.overflow {
            return;
        }
        let present = if values.null_count() == 0 { values.clone() } else { values.rechunk_present() };
        for array in present.downcast_iter() {
            // Equal views of one array are equal texts; equal texts may still have several views.
            let mut gathered: HashMap<u128, (usize, u64)> = HashMap::new();
            let mut last = (None, 0usize, 0u64);
            for (row, view) in array.views().iter().enumerate() {
                let key = view.as_u128();
                if last.0 == Some(key) {
                    last.2 += 1;
                    continue;
                }
                if let (Some(key), row, rows) = last {
                    gathered.entry(key).or_insert((row, 0)).1 += rows;
                    if gathered.len() >= GATHERED {
                        for (_, (row, rows)) in gathered.drain() {
                            self.add(array.value(row), rows);
                        }
                        if self.overflow {
                            return;
                        }
                    }
                }
                last = (Some(key), row, 1);
            }
            if let (Some(key), row, rows) = last {
                gathered.entry(key).or_insert((row, 0)).1 += rows;
            }
            for (_, (row, rows)) in gathered {
                self.add(array.value(row), rows);
            }
        }
    }

    fn keys<K: Copy + Eq + Hash>(&mut self, values: impl Iterator<Item = Option<K>>, render: impl Fn(K) -> String) {
        let mut gathered: HashMap<K, u64> = HashMap::new();
        let mut last: Option<(K, u64)> = None;
        for value in values {
            let Some(key) = value else {
                self.missing += 1;
                continue;
            };
            match &mut last {
                Some((known, rows)) if *known == key => *rows += 1,
                _ => {
                    if let Some((key, rows)) = last.replace((key, 1))
                        && !self.overflow
                    {
                        *gathered.entry(key).or_insert(0) += rows;
                        if gathered.len() >= GATHERED {
                            for (key, rows) in gathered.drain() {
                                self.add(&render(key), rows);
                            }
                        }
                    }
                }
            }
        }
        for (key, rows) in gathered.into_iter().chain(last) {
            self.add(&render(key), rows);
        }
    }
}

/// Strings without the missing ones.
trait Present {
    fn rechunk_present(&self) -> StringChunked;
}

impl Present for StringChunked {
    fn rechunk_present(&self) -> StringChunked {
        use polars::prelude::ChunkFilter;
        self.filter(&self.is_not_null()).unwrap_or_else(|_| self.iter().filter(Option::is_some).collect())
    }
}
