//! One side of a comparison: datasets read as one, or a profile that stands for data that is not read again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::profile;
use crate::dataset::{Categories, ColumnInfo, Dataset, Error, NumericColumn, Table};
use crate::drift::CategoryCounts;
use crate::drift::profile::{ColumnProfile, Profile, Values};

/// Values of numeric columns that a kept side holds at most: half a gigabyte.
const KEPT_VALUES: usize = 1 << 26;

/// One side, reference or current.
#[derive(Debug)]
pub enum Side {
    /// Datasets, one after the other: one, or one for each window. At least one.
    Data(Vec<Dataset>),
    /// What was registered with a model version.
    Profile(Arc<Profile>),
    /// Datasets that are compared with again and again: their columns are read once, as far as memory is allowed.
    Kept(Vec<Dataset>, Kept),
}

/// Columns that were read.
#[derive(Debug, Default)]
pub struct Kept {
    numbers: Mutex<BTreeMap<String, NumericColumn>>,
    categories: Mutex<BTreeMap<String, Categories>>,
}

impl From<Dataset> for Side {
    fn from(dataset: Dataset) -> Self {
        Self::Data(vec![dataset])
    }
}

impl Side {
    /// The same side, for many comparisons.
    #[must_use]
    pub fn kept(self) -> Self {
        match self {
            Self::Data(datasets) => Self::Kept(datasets, Kept::default()),
            side => side,
        }
    }

    /// The datasets; none for a profile.
    #[must_use]
    pub fn datasets(&self) -> &[Dataset] {
        match self {
            Self::Data(datasets) | Self::Kept(datasets, _) => datasets,
            Self::Profile(_) => &[],
        }
    }

    /// The profile, where it is one.
    #[must_use]
    pub fn profile(&self) -> Option<&Arc<Profile>> {
        match self {
            Self::Profile(profile) => Some(profile),
            Self::Data(_) | Self::Kept(..) => None,
        }
    }

    /// All columns; where datasets disagree about a type, the first one's.
    #[must_use]
    pub fn columns(&self) -> Vec<ColumnInfo> {
        if let Self::Profile(known) = self {
            return profile::columns(known);
        }
        let mut columns: Vec<ColumnInfo> = Vec::new();
        for column in self.datasets().iter().flat_map(Dataset::columns) {
            match columns.iter_mut().find(|known| known.name == column.name) {
                // A window without a single value of a column says nothing about its type.
                Some(known) if known.is_untyped() => *known = column.clone(),
                Some(_) => {}
                None => columns.push(column.clone()),
            }
        }
        columns
    }

    /// Bytes fetched so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.datasets().iter().map(Dataset::bytes_read).sum()
    }

    /// A column as numbers.
    ///
    /// # Errors
    /// As [`Dataset::numeric`]; for a profile, [`Error::MissingColumn`] or [`Error::WrongType`].
    pub async fn numeric(&self, column: &str) -> Result<NumericColumn, Error> {
        if let Self::Profile(profile) = self {
            return numbers_of(profile, column);
        }
        if let Self::Kept(_, kept) = self
            && let Some(known) = lock(&kept.numbers).get(column)
        {
            return Ok(known.clone());
        }
        let mut all = NumericColumn::default();
        for dataset in self.datasets() {
            let next = dataset.numeric(column).await?;
            if all.values.is_empty() {
                all.values = next.values;
            } else {
                all.values.extend(next.values);
            }
            all.missing += next.missing;
        }
        if let Self::Kept(_, kept) = self {
            let mut known = lock(&kept.numbers);
            let held: usize = known.values().map(|column| column.values.len()).sum();
            if held + all.values.len() <= KEPT_VALUES {
                known.insert(column.to_owned(), all.clone());
            }
        }
        Ok(all)
    }

    /// A column as categories.
    ///
    /// # Errors
    /// As [`Dataset::categories`]; for a profile, [`Error::MissingColumn`] or [`Error::WrongType`].
    pub async fn categories(&self, column: &str) -> Result<Categories, Error> {
        if let Self::Profile(profile) = self {
            return categories_of(profile, column);
        }
        if let Self::Kept(_, kept) = self
            && let Some(known) = lock(&kept.categories).get(column)
        {
            return Ok(known.clone());
        }
        let mut all = Categories::default();
        for dataset in self.datasets() {
            let next = dataset.categories(column).await?;
            for (name, rows) in next.counts.counts {
                *all.counts.counts.entry(name).or_default() += rows;
            }
            all.counts.missing += next.counts.missing;
            all.rows += next.rows;
            all.distinct_overflow |= next.distinct_overflow;
        }
        if let Self::Kept(_, kept) = self {
            lock(&kept.categories).insert(column.to_owned(), all.clone());
        }
        Ok(all)
    }

    /// A column of dates or timestamps, all datasets after each other, in microseconds since 1970 UTC; empty for a profile.
    ///
    /// # Errors
    /// As [`Dataset::times`].
    pub async fn times(&self, column: &str) -> Result<Vec<Option<i64>>, Error> {
        let mut all = Vec::new();
        for dataset in self.datasets() {
            all.extend(dataset.times(column).await?);
        }
        Ok(all)
    }

    /// Columns row by row, all datasets after each other; none for a profile, which has no rows.
    ///
    /// # Errors
    /// As [`Dataset::aligned`].
    pub async fn aligned(&self, columns: &[&str]) -> Result<Option<Table>, Error> {
        let mut all: Option<Table> = None;
        for dataset in self.datasets() {
            let next = dataset.aligned(columns).await?;
            all = Some(match all {
                None => next,
                Some(all) => all.followed_by(next),
            });
        }
        Ok(all)
    }
}

/// Whoever panicked while holding it left whole columns behind.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn column_of<'a>(profile: &'a Profile, column: &str) -> Result<&'a ColumnProfile, Error> {
    profile.column(column).ok_or_else(|| Error::MissingColumn {
        object: "the profile".to_owned(),
        column: column.to_owned(),
        available: profile.columns.iter().map(|column| column.name.clone()).collect(),
        suggestion: None,
    })
}

fn wrong(column: &ColumnProfile, expected: &'static str) -> Error {
    Error::WrongType {
        object: "the profile".to_owned(),
        column: column.name.clone(),
        expected,
        found: format!("its type is {}", column.dtype),
    }
}

fn numbers_of(profile: &Profile, column: &str) -> Result<NumericColumn, Error> {
    let column = column_of(profile, column)?;
    match &column.values {
        Values::Numbers(numbers) => Ok(NumericColumn { values: numbers.expanded(u64::MAX), missing: column.missing }),
        _ => Err(wrong(column, "a number")),
    }
}

/// The categories of a profile; numbers have them as long as each distinct one is kept.
fn categories_of(profile: &Profile, column: &str) -> Result<Categories, Error> {
    let column = column_of(profile, column)?;
    let (counts, overflow): (BTreeMap<String, u64>, bool) = match &column.values {
        Values::Categories(categories) => (categories.counts.clone(), categories.pooled > 0),
        Values::Numbers(numbers) if numbers.error_rows == 0 => {
            (numbers.points.iter().map(|point| (point.value.to_string(), point.rows)).collect(), false)
        }
        Values::Numbers(_) => (BTreeMap::new(), true),
        Values::None => return Err(wrong(column, "a category")),
    };
    let counts = CategoryCounts { counts, missing: column.missing };
    Ok(Categories { counts, rows: column.rows(), distinct_overflow: overflow })
}
