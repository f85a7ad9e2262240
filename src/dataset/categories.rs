//! Counting categories: fast for few distinct values, bounded for many.
//!
//! Strings are counted by their 16-byte views (length and content, or length and place) in a small table with one place
//! per hash, so a row of a common category costs a multiplication, a comparison and an addition, and no look at the
//! text. What collides moves to a hash map; each distinct view is resolved to text once.

use std::hash::Hash;

use hashbrown::HashMap;
use polars::prelude::{ChunkFilter, StringChunked};

use super::Error;
use super::object::Sink;
use super::values::{Block, Visitor};
use crate::drift::CategoryCounts;

/// Most distinct values that are counted; a column with more is an identifier, not a category.
pub const MAX_DISTINCT: usize = 200_000;
/// Keys gathered before they are resolved to text; bounds memory when every row has its own.
const GATHERED: usize = 65_536;
/// Places of the small table, as a power of two.
const PLACES: u32 = 10;

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
        let present = if values.null_count() == 0 { values.clone() } else { present(values) };
        for array in present.downcast_iter() {
            // Equal views of one array are equal texts; equal texts may still have several views.
            let mut gathered: HashMap<u128, (usize, u64)> = HashMap::new();
            let mut places = vec![Place::default(); 1 << PLACES];
            for (row, view) in array.views().iter().enumerate() {
                let key = view.as_u128();
                let Some(place) = places.get_mut(place_of(key)) else { continue };
                if place.key == key {
                    place.rows += 1;
                    continue;
                }
                let former = std::mem::replace(place, Place { key, row, rows: 1 });
                if former.rows > 0 {
                    gathered.entry(former.key).or_insert((former.row, 0)).1 += former.rows;
                    if gathered.len() >= GATHERED {
                        for (_, (row, rows)) in gathered.drain() {
                            self.add(array.value(row), rows);
                        }
                        if self.overflow {
                            return;
                        }
                    }
                }
            }
            let rest = places.into_iter().filter(|place| place.rows > 0).map(|place| (place.row, place.rows));
            for (row, rows) in gathered.into_values().chain(rest) {
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

/// A place of the small table. The empty one has the view of the empty text, of which it has seen no row.
#[derive(Clone, Copy, Default)]
struct Place {
    key: u128,
    row: usize,
    rows: u64,
}

fn place_of(key: u128) -> usize {
    let folded = (key as u64) ^ ((key >> 64) as u64);
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PLACES)) as usize
}

/// Strings without the missing ones.
fn present(values: &StringChunked) -> StringChunked {
    values.filter(&values.is_not_null()).unwrap_or_else(|_| values.iter().filter(Option::is_some).collect())
}
