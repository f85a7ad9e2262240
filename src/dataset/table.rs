//! Several columns side by side, row by row.

use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashMap;
use polars::prelude::StringChunked;

use super::Error;
use super::object::Sink;
use super::values::{Block, Visitor};

/// Columns whose rows belong together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// How many rows every column has.
    pub rows: usize,
    /// The columns in the order asked for.
    pub columns: Vec<AlignedColumn>,
}

impl Table {
    /// These rows and then the other's, which has the same columns. A column that is numbers in one and text in the other is text.
    #[must_use]
    pub fn followed_by(mut self, other: Self) -> Self {
        self.rows += other.rows;
        self.columns =
            self.columns.into_iter().zip(other.columns).map(|(first, then)| first.followed_by(then)).collect();
        self
    }
}

/// One column with a place for every row.
#[derive(Debug, Clone, PartialEq)]
pub enum AlignedColumn {
    /// Numbers; null and NaN are none.
    Numbers(Vec<Option<f64>>),
    /// Canonical text of everything that is not a number (booleans, dates and timestamps too); equal values share
    /// their text.
    Text(Vec<Option<Arc<str>>>),
}

impl AlignedColumn {
    fn followed_by(self, other: Self) -> Self {
        match (self, other) {
            (Self::Numbers(mut first), Self::Numbers(then)) => {
                first.extend(then);
                Self::Numbers(first)
            }
            (first, then) => {
                let mut texts = first.into_texts();
                texts.extend(then.into_texts());
                Self::Text(texts)
            }
        }
    }

    /// The column as text, numbers in their shortest form.
    #[must_use]
    pub fn into_texts(self) -> Vec<Option<Arc<str>>> {
        match self {
            Self::Text(values) => values,
            Self::Numbers(values) => {
                values.into_iter().map(|value| value.map(|number| Arc::from(number.to_string()))).collect()
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }
}

/// Collects one column.
#[derive(Debug)]
pub(super) enum Collector {
    Numbers(Vec<Option<f64>>),
    Text(Texts),
}

/// Text where equal values share one allocation.
#[derive(Debug, Default)]
pub(super) struct Texts {
    values: Vec<Option<Arc<str>>>,
    known: HashMap<Arc<str>, ()>,
}

impl Texts {
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some((known, ())) = self.known.get_key_value(text) {
            return Arc::clone(known);
        }
        let fresh: Arc<str> = Arc::from(text);
        self.known.insert(Arc::clone(&fresh), ());
        fresh
    }
}

impl Collector {
    pub(super) fn finish(self) -> AlignedColumn {
        match self {
            Self::Numbers(values) => AlignedColumn::Numbers(values),
            Self::Text(texts) => AlignedColumn::Text(texts.values),
        }
    }
}

impl Sink for Collector {
    fn push(&mut self, block: &Block<'_>) -> Result<(), Error> {
        match self {
            Self::Numbers(values) => block.numbers(|value| values.push(value)),
            Self::Text(texts) => block.visit(texts),
        }
    }
}

impl Visitor for Texts {
    fn strings(&mut self, values: &StringChunked) {
        for text in values.iter() {
            let shared = text.map(|text| self.shared(text));
            self.values.push(shared);
        }
    }

    fn keys<K: Copy + Eq + Hash>(&mut self, values: impl Iterator<Item = Option<K>>, render: impl Fn(K) -> String) {
        let mut rendered: HashMap<K, Arc<str>> = HashMap::new();
        for value in values {
            let shared = value.map(|key| match rendered.get(&key) {
                Some(text) => Arc::clone(text),
                None => {
                    let text = self.shared(&render(key));
                    rendered.insert(key, Arc::clone(&text));
                    text
                }
            });
            self.values.push(shared);
        }
    }
}
