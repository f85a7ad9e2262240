//! What a method is given: one column of one side.

use std::collections::BTreeMap;

/// One side (reference or current) of one column.
#[derive(Debug, Clone, Copy)]
pub enum Sample<'a> {
    /// A numeric column.
    Numeric(NumericSample<'a>),
    /// A column of categories.
    Categorical(&'a CategoryCounts),
}

/// The values of a numeric column.
#[derive(Debug, Clone, Copy)]
pub struct NumericSample<'a> {
    /// Present values, ascending (see [`crate::drift::sort_values`]); no NaN, may hold infinities.
    pub sorted: &'a [f64],
    /// Rows without a value: null or NaN, which are the same here.
    pub missing: u64,
}

/// How often each category occurs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CategoryCounts {
    /// Rows per category. A category with count 0 is as good as absent.
    pub counts: BTreeMap<String, u64>,
    /// Rows without a category (null).
    pub missing: u64,
}

impl CategoryCounts {
    /// All rows, missing ones included.
    pub fn total(&self) -> u64 {
        self.present() + self.missing
    }

    /// Rows that have a category.
    pub fn present(&self) -> u64 {
        self.counts.values().sum()
    }
}

impl Sample<'_> {
    /// All rows, missing ones included.
    pub fn total(&self) -> u64 {
        self.present() + self.missing()
    }

    /// Rows that have a value.
    pub fn present(&self) -> u64 {
        match self {
            Sample::Numeric(sample) => sample.sorted.len() as u64,
            Sample::Categorical(counts) => counts.present(),
        }
    }

    /// Rows without a value.
    pub fn missing(&self) -> u64 {
        match self {
            Sample::Numeric(sample) => sample.missing,
            Sample::Categorical(counts) => counts.missing,
        }
    }

    /// Share of rows without a value, 0..=1; 0 without rows.
    pub fn missing_share(&self) -> f64 {
        let total = self.total();
        if total == 0 { 0.0 } else { self.missing() as f64 / total as f64 }
    }

    /// Whether this side holds categories.
    pub fn is_categorical(&self) -> bool {
        matches!(self, Sample::Categorical(_))
    }
}
