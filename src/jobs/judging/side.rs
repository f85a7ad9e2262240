//! One side of a comparison: datasets read as one, or a profile that stands for data that is not read again.

use crate::dataset::{Categories, ColumnInfo, Dataset, Error, NumericColumn, Table};

/// One side, reference or current.
#[derive(Debug)]
pub enum Side {
    /// Datasets, one after the other: one, or one for each window. At least one.
    Data(Vec<Dataset>),
}

impl From<Dataset> for Side {
    fn from(dataset: Dataset) -> Self {
        Self::Data(vec![dataset])
    }
}

impl Side {
    /// All columns; where datasets disagree about a type, the first one's.
    #[must_use]
    pub fn columns(&self) -> Vec<ColumnInfo> {
        match self {
            Self::Data(datasets) => {
                let mut columns: Vec<ColumnInfo> = Vec::new();
                for column in datasets.iter().flat_map(Dataset::columns) {
                    if !columns.iter().any(|known| known.name == column.name) {
                        columns.push(column.clone());
                    }
                }
                columns
            }
        }
    }

    /// Bytes fetched so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        match self {
            Self::Data(datasets) => datasets.iter().map(Dataset::bytes_read).sum(),
        }
    }

    /// A column as numbers.
    ///
    /// # Errors
    /// As [`Dataset::numeric`]; for a profile, [`Error::MissingColumn`] or [`Error::WrongType`].
    pub async fn numeric(&self, column: &str) -> Result<NumericColumn, Error> {
        let datasets = match self {
            Self::Data(datasets) => datasets,
        };
        let mut all = NumericColumn::default();
        for dataset in datasets {
            let next = dataset.numeric(column).await?;
            if all.values.is_empty() {
                all.values = next.values;
            } else {
                all.values.extend(next.values);
            }
            all.missing += next.missing;
        }
        Ok(all)
    }

    /// A column as categories.
    ///
    /// # Errors
    /// As [`Dataset::categories`]; for a profile, [`Error::MissingColumn`] or [`Error::WrongType`].
    pub async fn categories(&self, column: &str) -> Result<Categories, Error> {
        let datasets = match self {
            Self::Data(datasets) => datasets,
        };
        let mut all = Categories::default();
        for dataset in datasets {
            let next = dataset.categories(column).await?;
            for (name, rows) in next.counts.counts {
                *all.counts.counts.entry(name).or_default() += rows;
            }
            all.counts.missing += next.counts.missing;
            all.rows += next.rows;
            all.distinct_overflow |= next.distinct_overflow;
        }
        Ok(all)
    }

    /// A column of dates or timestamps, all datasets after each other, in microseconds since 1970 UTC; empty for a profile.
    ///
    /// # Errors
    /// As [`Dataset::times`].
    pub async fn times(&self, column: &str) -> Result<Vec<Option<i64>>, Error> {
        let Self::Data(datasets) = self;
        let mut all = Vec::new();
        for dataset in datasets {
            all.extend(dataset.times(column).await?);
        }
        Ok(all)
    }

    /// Columns row by row, all datasets after each other; none for a profile, which has no rows.
    ///
    /// # Errors
    /// As [`Dataset::aligned`].
    pub async fn aligned(&self, columns: &[&str]) -> Result<Option<Table>, Error> {
        let Self::Data(datasets) = self;
        let mut all: Option<Table> = None;
        for dataset in datasets {
            let next = dataset.aligned(columns).await?;
            all = Some(match all {
                None => next,
                Some(all) => all.followed_by(next),
            });
        }
        Ok(all)
    }
}
