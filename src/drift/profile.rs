//! Profiles: what stands for the rows of a dataset when drift is judged without reading it again.
//!
//! A profile keeps each column on its own, so no row can be put together again: how many rows, how many without a value, the
//! moments, and the distribution. Numbers are kept as their distinct values with how often each occurs up to
//! [`EXACT_UP_TO`] of them, and as a grid beyond, with the rank error that the grid costs; categories as counts up to
//! [`MOST_CATEGORIES`], and beyond only as the number of rows.
//!
//! What holds: profiles of parts merge to the profile of the whole (exactly while exact, within the stated rank error on grids);
//! numbers come back from JSON bit for bit; a verdict that the rank error leaves open is refused ([`judge`]). Uses `stats` only;
//! how columns are read is not known here.

mod against;
mod numbers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use against::judge;
pub use numbers::{EXACT_UP_TO, GRID, Numbers, Point};

use super::bins;
use super::sample::CategoryCounts;

/// Categories that are counted one by one; more are identifiers, of which only the number of rows is kept.
pub const MOST_CATEGORIES: usize = 1_000;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Integers, floating-point numbers, decimals.
    Numeric,
    /// Text.
    Text,
    /// True and false.
    Boolean,
    /// Dates, timestamps, times of day.
    Temporal,
    /// Lists, structures, binary data: only that the column is there.
    Unsupported,
}

impl Kind {
    /// The word for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Temporal => "temporal",
            Self::Unsupported => "unsupported",
        }
    }
}

/// A dataset, column by column.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Its rows.
    pub rows: u64,
    /// Its columns, in the order of the dataset.
    pub columns: Vec<ColumnProfile>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// The type's name where it was read, such as `i64`.
    pub dtype: String,
    /// What it holds.
    pub kind: Kind,
    /// Rows without a value.
    pub missing: u64,
    /// Its values.
    pub values: Values,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// Numbers.
    Numbers(Numbers),
    /// Categories.
    Categories(Categories),
    /// Nothing is kept but that the column is there.
    None,
}

/// Categories with their rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Categories {
    /// Rows of each category; empty when there are too many.
    pub counts: BTreeMap<String, u64>,
    /// Rows whose categories are not kept: there are too many for categories, so they are identifiers.
    pub pooled: u64,
}

impl Categories {
    /// Of counts; `pooled` rows have more distinct values than were counted at all.
    #[must_use]
    pub fn of(counts: &CategoryCounts, pooled: u64) -> Self {
        let counts = counts.counts.iter().filter(|(_, rows)| **rows > 0);
        Self { counts: counts.map(|(name, rows)| (name.clone(), *rows)).collect(), pooled }.bounded()
    }

    fn bounded(mut self) -> Self {
        if self.pooled > 0 || self.counts.len() > MOST_CATEGORIES {
            self.pooled += std::mem::take(&mut self.counts).values().sum::<u64>();
        }
        self
    }

    /// Rows with a category.
    #[must_use]
    pub fn present(&self) -> u64 {
        self.pooled + self.counts.values().sum::<u64>()
    }
}

impl Profile {
    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The profile of both datasets together. A column that one of them does not have counts as missing throughout its rows;
    /// one whose values are of another kind keeps nothing but its place.
    #[must_use]
    pub fn merged(mut self, other: &Self) -> Self {
        for column in &mut self.columns {
            match other.column(&column.name) {
                Some(theirs) => column.merge(theirs),
                None => column.missing += other.rows,
            }
        }
        for theirs in &other.columns {
            if self.column(&theirs.name).is_none() {
                self.columns.push(ColumnProfile { missing: theirs.missing + self.rows, ..theirs.clone() });
            }
        }
        self.rows += other.rows;
        self
    }

    /// The profile as it is kept: of text that names its rows rather than grouping them (more than half of the rows distinct, as
    /// for identifiers and names of people), no value is kept. Such columns are not judged for drift anyway.
    #[must_use]
    pub fn without_identifiers(mut self) -> Self {
        for column in &mut self.columns {
            if let Values::Categories(categories) = &mut column.values {
                let counts = CategoryCounts { counts: categories.counts.clone(), missing: column.missing };
                if bins::high_cardinality(&counts).is_some() {
                    *categories = Categories { pooled: categories.present(), ..Categories::default() };
                }
            }
        }
        self
    }
}

impl ColumnProfile {
    /// All rows, missing ones included.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.missing
            + match &self.values {
                Values::Numbers(numbers) => numbers.present(),
                Values::Categories(categories) => categories.present(),
                Values::None => 0,
            }
    }

    /// How far the share of rows at or below a value may be off, 0..=1; 0 where the column is kept exactly.
    #[must_use]
    pub fn rank_error(&self) -> f64 {
        match &self.values {
            Values::Numbers(numbers) => numbers.rank_error(),
            Values::Categories(_) | Values::None => 0.0,
        }
    }

    /// Whether the column has no value at all.
    #[must_use]
    pub fn is_untyped(&self) -> bool {
        self.dtype == "null" || self.dtype == "missing throughout"
    }

    fn merge(&mut self, other: &Self) {
        let (mine, theirs) = (self.rows(), other.rows());
        // A part without a single value says nothing about the column's type.
        if self.is_untyped() && !other.is_untyped() {
            *self = Self { missing: other.missing + mine, ..other.clone() };
            return;
        }
        if other.is_untyped() {
            self.missing += theirs;
            return;
        }
        self.missing += other.missing;
        match (&mut self.values, &other.values) {
            (Values::Numbers(mine), Values::Numbers(theirs)) => mine.merge(theirs),
            (Values::Categories(mine), Values::Categories(theirs)) => {
                for (name, rows) in &theirs.counts {
                    *mine.counts.entry(name.clone()).or_default() += rows;
                }
                mine.pooled += theirs.pooled;
                *mine = std::mem::take(mine).bounded();
            }
            _ => self.values = Values::None,
        }
    }
}
