//! A dataset's profile: each column read once, and what is kept of it.

use super::busy;
use crate::dataset::{self, ColumnInfo, ColumnKind, Dataset};
use crate::drift::profile::{Categories, ColumnProfile, Kind, Numbers, Profile, Values};
use crate::drift::sort_values;

/// Profiles `dataset`: the `columns` named, or all, without those `excluded`.
///
/// # Errors
/// [`dataset::Error::MissingColumn`] for a name that is no column; when a column or an object cannot be read.
pub async fn of(dataset: &Dataset, columns: &[String], excluded: &[String]) -> Result<Profile, dataset::Error> {
    for name in columns {
        if !dataset.columns().iter().any(|column| &column.name == name) {
            // Reading it says which columns there are.
            dataset.numeric(name).await?;
        }
    }
    let mut profile = Profile { rows: dataset.row_count().await?, columns: Vec::new() };
    let wanted = |column: &&ColumnInfo| {
        (columns.is_empty() || columns.contains(&column.name)) && !excluded.contains(&column.name)
    };
    for column in dataset.columns().iter().filter(wanted) {
        profile.columns.push(of_column(dataset, column, profile.rows).await?);
    }
    Ok(profile.without_identifiers())
}

async fn of_column(dataset: &Dataset, column: &ColumnInfo, rows: u64) -> Result<ColumnProfile, dataset::Error> {
    let (values, missing) = match column.kind {
        ColumnKind::Numeric => {
            let mut numbers = dataset.numeric(&column.name).await?;
            let missing = numbers.missing;
            let numbers = busy(move || {
                sort_values(&mut numbers.values);
                Numbers::of_sorted(&numbers.values)
            });
            (Values::Numbers(numbers.await), missing)
        }
        ColumnKind::Text | ColumnKind::Boolean | ColumnKind::Temporal => {
            let found = dataset.categories(&column.name).await?;
            let pooled = if found.distinct_overflow { rows - found.counts.missing } else { 0 };
            (Values::Categories(Categories::of(&found.counts, pooled)), found.counts.missing)
        }
        ColumnKind::Unsupported => (Values::None, 0),
    };
    Ok(ColumnProfile {
        name: column.name.clone(),
        dtype: column.dtype.clone(),
        kind: kind(column.kind),
        missing,
        values,
    })
}

fn kind(kind: ColumnKind) -> Kind {
    match kind {
        ColumnKind::Numeric => Kind::Numeric,
        ColumnKind::Text => Kind::Text,
        ColumnKind::Boolean => Kind::Boolean,
        ColumnKind::Temporal => Kind::Temporal,
        ColumnKind::Unsupported => Kind::Unsupported,
    }
}

/// The columns of a profile, as a dataset has them.
#[must_use]
pub fn columns(profile: &Profile) -> Vec<ColumnInfo> {
    let kind = |kind| match kind {
        Kind::Numeric => ColumnKind::Numeric,
        Kind::Text => ColumnKind::Text,
        Kind::Boolean => ColumnKind::Boolean,
        Kind::Temporal => ColumnKind::Temporal,
        Kind::Unsupported => ColumnKind::Unsupported,
    };
    let info = |column: &ColumnProfile| ColumnInfo {
        name: column.name.clone(),
        kind: kind(column.kind),
        dtype: column.dtype.clone(),
    };
    profile.columns.iter().map(info).collect()
}
