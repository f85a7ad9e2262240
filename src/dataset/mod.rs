//! Datasets: columns of Parquet, CSV and newline-delimited JSON objects as numbers, counts or aligned rows.
//!
//! The only home of polars. Uses [`crate::storage`] for bytes; knows nothing of drift methods, metrics or jobs.
//!
//! What holds:
//! * Projection: of a Parquet object only the footer and the chunks of the columns asked for are read, one batch of row
//!   groups of one column at a time. CSV and JSON objects are read whole, their columns decoded one at a time.
//! * Several objects (a URI with wildcards) are one dataset, concatenated in name order. They must agree on the columns
//!   asked for, not on the others.
//! * The same rows belong to every column: window and filter are decided once per object.
//! * Input is pinned ([`Dataset::pins`]): opened with pins, a dataset is those very objects or an error.
//! * Damaged, truncated, mislabelled and empty objects are errors that name the object; a missing or mistyped column
//!   is an error about that column only ([`Error::is_about_a_column`]). Nothing is skipped silently.
//!
//! All reading methods take `&self` and may run side by side on several tasks.

mod categories;
mod error;
mod format;
mod moment;
mod numbers;
mod object;
mod parquet;
mod schema;
mod selection;
mod table;
mod text;
mod times;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

pub use categories::{Categories, MAX_DISTINCT};
pub use error::Error;
pub use format::Format;
pub use numbers::NumericColumn;
pub use schema::{ColumnInfo, ColumnKind};
pub use table::{AlignedColumn, Table};

use crate::storage::{ObjectInfo, Storage};
use object::{Object, Reader, Sink};
use schema::Family;
use selection::Selection;

/// Objects opened side by side.
const PARALLEL: usize = 8;
/// Text objects stay in memory between columns while they are this small together, in bytes.
const KEPT: u64 = 256 << 20;

/// Where the data lies and which rows of it are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// URI or path, with wildcards; templates already resolved.
    pub uri: String,
    /// The format; by default what the names end in.
    pub format: Option<Format>,
    /// Column with dates or timestamps that `window` applies to; without it the window selects no rows.
    pub time_column: Option<String>,
    /// Half-open window: rows at or after the first and before the second instant.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Columns and the value, as text, that their rows must have.
    pub filter: BTreeMap<String, String>,
}

/// Exactly which object was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Its URI.
    pub object: String,
    /// Its etag.
    pub etag: Option<String>,
    /// Its version, where the store keeps versions.
    pub version: Option<String>,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its rows before any selection, where the format says so without reading it (Parquet).
    pub row_count: Option<u64>,
}

/// An opened dataset.
pub struct Dataset {
    uri: String,
    reader: Arc<Reader>,
    objects: Vec<Arc<Object>>,
    columns: Vec<ColumnInfo>,
    selection: Selection,
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset").field("uri", &self.uri).field("objects", &self.objects.len()).finish_non_exhaustive()
    }
}

impl Dataset {
    /// Opens a dataset: lists its objects and reads footers or first rows. With pins, exactly those objects must be
    /// there unchanged.
    ///
    /// # Errors
    /// When nothing is there, an object is empty, damaged or not in its format, the pins do not fit
    /// ([`Error::Changed`]), or a column that window or filter need is missing.
    pub async fn open(storage: &Storage, source: Source, pins: &[Pin]) -> Result<Self, Error> {
        let listed = storage.list(&source.uri).await?;
        check_pins(&listed, pins)?;
        let reader = Arc::new(Reader { storage: storage.clone(), bytes: AtomicU64::new(0) });
        let keep = listed.iter().map(|info| info.size_bytes).sum::<u64>() <= KEPT;
        let objects: Vec<Arc<Object>> = futures::stream::iter(listed)
            .map(|info| Object::open(&reader, info, source.format, keep))
            .buffered(PARALLEL)
            .map_ok(Arc::new)
            .try_collect()
            .await?;
        let window = source.time_column.zip(source.window);
        let selection = Selection { window, filter: source.filter };
        for object in &objects {
            for column in selection.columns() {
                object.require(column)?;
            }
        }
        let columns = union(&objects);
        Ok(Self { uri: source.uri, reader, objects, columns, selection })
    }

    /// What was asked for.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The objects as they were opened.
    #[must_use]
    pub fn pins(&self) -> Vec<Pin> {
        let pin = |object: &Arc<Object>| Pin {
            object: object.info.uri.clone(),
            etag: object.info.etag.clone(),
            version: object.info.version.clone(),
            size_bytes: object.info.size_bytes,
            row_count: object.rows_if_known(),
        };
        self.objects.iter().map(pin).collect()
    }

    /// All columns of all objects: those of the first object in its order, then those that only others have.
    #[must_use]
    pub fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    /// Bytes fetched so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.reader.bytes.load(Ordering::Relaxed)
    }

    /// Rows after window and filter.
    ///
    /// # Errors
    /// When the columns of window or filter cannot be read.
    pub async fn row_count(&self) -> Result<u64, Error> {
        let mut rows = 0;
        for object in &self.objects {
            rows += object.selected_rows(&self.reader, &self.selection).await?;
        }
        Ok(rows)
    }

    /// A column of integers, floating-point numbers or decimals. Integers beyond 2^53 are rounded.
    ///
    /// # Errors
    /// [`Error::MissingColumn`], [`Error::WrongType`], [`Error::SchemaConflict`] about the column; or about an object.
    pub async fn numeric(&self, column: &str) -> Result<NumericColumn, Error> {
        let family = self.family(column)?;
        if !matches!(family.kind(), ColumnKind::Numeric) && family != Family::Unknown {
            return Err(self.wrong(column, family, "a number"));
        }
        let mut sink = NumericColumn::default();
        if self.selection.is_everything() {
            let rows = self.objects.iter().filter_map(|object| object.rows_if_known()).sum::<u64>();
            // A footer may lie about its rows: growing step by step is then cheaper than ending the process.
            let _ = sink.values.try_reserve_exact(usize::try_from(rows).unwrap_or_default());
        }
        self.feed(column, family, sink).await
    }

    /// How often each value of a column of any type occurs, rendered canonically: integers `3`, floating-point numbers
    /// in their shortest form, `true` and `false`, dates and timestamps in ISO 8601 and UTC.
    ///
    /// # Errors
    /// As [`Dataset::numeric`]; [`Error::WrongType`] for lists, structures and binary data.
    pub async fn categories(&self, column: &str) -> Result<Categories, Error> {
        let family = self.family(column)?;
        if family == Family::Unsupported {
            return Err(self.wrong(column, family, "a category"));
        }
        Ok(self.feed(column, family, categories::Counter::default()).await?.finish())
    }

    /// Several columns, row by row: numbers as numbers, everything else as canonical text.
    ///
    /// # Errors
    /// As [`Dataset::categories`].
    pub async fn aligned(&self, columns: &[&str]) -> Result<Table, Error> {
        let mut table = Table { rows: 0, columns: Vec::with_capacity(columns.len()) };
        for column in columns {
            let family = self.family(column)?;
            let sink = match family.kind() {
                ColumnKind::Unsupported => return Err(self.wrong(column, family, "a number or a category")),
                ColumnKind::Numeric => table::Collector::Numbers(Vec::new()),
                _ => table::Collector::Text(table::Texts::default()),
            };
            table.columns.push(self.feed(column, family, sink).await?.finish());
        }
        table.rows = match table.columns.first() {
            Some(column) => column.len(),
            None => usize::try_from(self.row_count().await?).unwrap_or(usize::MAX),
        };
        Ok(table)
    }

    /// A column as canonical text, row by row: identifiers, which numbers above 2^53 would confuse.
    ///
    /// # Errors
    /// As [`Dataset::categories`].
    pub async fn texts(&self, column: &str) -> Result<Vec<Option<std::sync::Arc<str>>>, Error> {
        let family = self.family(column)?;
        if family.kind() == ColumnKind::Unsupported {
            return Err(self.wrong(column, family, "a number or a category"));
        }
        let sink = table::Collector::Text(table::Texts::default());
        Ok(self.feed(column, family, sink).await?.finish().into_texts())
    }

    /// A column of dates or timestamps in row order, in microseconds since 1970 UTC; dates are their midnight.
    ///
    /// # Errors
    /// As [`Dataset::numeric`]; [`Error::WrongType`] for anything else.
    pub async fn times(&self, column: &str) -> Result<Vec<Option<i64>>, Error> {
        let family = self.family(column)?;
        Ok(self.feed(column, family, times::Times::default()).await?.0)
    }

    /// The family all objects agree on for a column.
    fn family(&self, column: &str) -> Result<Family, Error> {
        let mut found = Vec::with_capacity(self.objects.len());
        for object in &self.objects {
            found.push((object.info.uri.as_str(), object.require(column)?));
        }
        schema::agree(found.into_iter())
    }

    fn wrong(&self, column: &str, family: Family, expected: &'static str) -> Error {
        let of_family = self.objects.iter().find_map(|object| {
            object.column(column).filter(|column| column.family == family).map(|column| (&object.info.uri, column))
        });
        match of_family {
            Some((object, column)) => column.wrong(object, expected),
            None => Error::WrongType {
                object: self.uri.clone(),
                column: column.to_owned(),
                expected,
                found: "its type is unknown".into(),
            },
        }
    }

    async fn feed<S: Sink>(&self, column: &str, family: Family, mut sink: S) -> Result<S, Error> {
        for object in &self.objects {
            let mask = object.mask(&self.reader, &self.selection).await?;
            sink = object.feed(&self.reader, column, family, mask, sink).await?;
        }
        Ok(sink)
    }
}

/// The columns of all objects; a column's type is that of the first object that has values in it.
fn union(objects: &[Arc<Object>]) -> Vec<ColumnInfo> {
    let mut known: Vec<&schema::Column> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for column in objects.iter().flat_map(|object| &object.columns) {
        match places.get(column.name.as_str()).and_then(|place| known.get_mut(*place)) {
            Some(first) if first.family == Family::Unknown => *first = column,
            Some(_) => {}
            None => {
                places.insert(&column.name, known.len());
                known.push(column);
            }
        }
    }
    known.into_iter().map(schema::Column::info).collect()
}

fn check_pins(listed: &[ObjectInfo], pins: &[Pin]) -> Result<(), Error> {
    if pins.is_empty() {
        return Ok(());
    }
    let changed = |detail: String| Err(Error::Changed { detail });
    for pin in pins {
        let Some(found) = listed.iter().find(|info| info.uri == pin.object) else {
            return changed(format!("`{}` is no longer there", pin.object));
        };
        if found.size_bytes != pin.size_bytes {
            return changed(format!("`{}` has {} bytes instead of {}", pin.object, found.size_bytes, pin.size_bytes));
        }
        let differs = |pinned: &Option<String>, found: &Option<String>| matches!((pinned, found), (Some(pinned), Some(found)) if pinned != found);
        if differs(&pin.etag, &found.etag) || differs(&pin.version, &found.version) {
            return changed(format!("`{}` was written again", pin.object));
        }
    }
    match listed.iter().find(|info| !pins.iter().any(|pin| pin.object == info.uri)) {
        Some(new) => changed(format!("`{}` was added", new.uri)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
