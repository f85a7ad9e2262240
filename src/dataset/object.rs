//! One object of a dataset: opened, checked, and fed column by column to a sink.
//!
//! Decoding runs on blocking threads. A decoder that panics on damaged input is caught here and becomes an error that
//! names the object.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use polars::prelude::Series;
use tokio::sync::OnceCell;

use super::error::brief;
use super::format::Format;
use super::schema::{Column, Family};
use super::selection::{Equals, InWindow, Mask, Selection};
use super::values::Block;
use super::{Error, parquet, text};
use crate::storage::{self, ObjectInfo, Storage};

/// Where bytes come from, and how many came.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) storage: Storage,
    pub(super) bytes: AtomicU64,
}

/// Receives the blocks of one column, object by object, in row order.
pub(super) trait Sink: Send + 'static {
    fn push(&mut self, block: &Block<'_>) -> Result<(), Error>;
}

/// An opened object.
pub(super) struct Object {
    pub(super) info: ObjectInfo,
    pub(super) columns: Vec<Column>,
    body: Body,
    mask: OnceCell<Mask>,
    rows: OnceCell<u64>,
}

enum Body {
    Parquet(parquet::Footer),
    Text { format: Format, content: OnceCell<Bytes>, keep: bool },
}

impl Object {
    /// Opens an object: reads and checks its footer or its first rows. With `keep`, the content of a text object stays
    /// in memory between columns.
    pub(super) async fn open(
        reader: &Arc<Reader>,
        info: ObjectInfo,
        format: Option<Format>,
        keep: bool,
    ) -> Result<Self, Error> {
        if info.size_bytes == 0 {
            return Err(Error::Empty { object: info.uri });
        }
        match format.or_else(|| Format::of_name(&info.uri)) {
            Some(Format::Parquet) => Self::open_parquet(reader, info).await,
            Some(format) => Self::open_text(reader, info, format, keep).await,
            None => {
                let head = reader.ranges(&info, std::slice::from_ref(&(0..4.min(info.size_bytes)))).await?;
                if head.first().is_some_and(|head| head.starts_with(b"PAR1")) {
                    return Self::open_parquet(reader, info).await;
                }
                let found = "its name says no format; set `format` to parquet, csv or ndjson".to_owned();
                Err(Error::WrongFormat { object: info.uri, expected: "in a known format", found })
            }
        }
    }

    async fn open_parquet(reader: &Arc<Reader>, info: ObjectInfo) -> Result<Self, Error> {
        let size = info.size_bytes;
        let mut parts = reader.ranges(&info, &parquet::probe(size)).await?;
        let tail = parts.pop().unwrap_or_default();
        let head = parts.pop().unwrap_or_default();
        let length = parquet::footer_length(&info.uri, size, &head, &tail)?;
        let missing = usize::try_from(length).ok().and_then(|length| tail.len().checked_sub(length));
        let footer = match missing {
            Some(from) => tail.slice(from..),
            None => {
                let from = size.saturating_sub(length);
                reader.ranges(&info, std::slice::from_ref(&(from..size))).await?.pop().unwrap_or_default()
            }
        };
        let uri = info.uri.clone();
        let footer = decoding(&info.uri, move || parquet::parse(&uri, size, footer)).await?;
        let columns = footer.columns.clone();
        let rows = OnceCell::new_with(Some(footer.rows));
        Ok(Self { info, columns, body: Body::Parquet(footer), mask: OnceCell::new(), rows })
    }

    async fn open_text(reader: &Arc<Reader>, info: ObjectInfo, format: Format, keep: bool) -> Result<Self, Error> {
        let content = load(reader, &info).await?;
        let (uri, bytes) = (info.uri.clone(), content.clone());
        let columns = decoding(&info.uri, move || text::columns(&uri, format, &bytes)).await?;
        let content = OnceCell::new_with(keep.then_some(content));
        let body = Body::Text { format, content, keep };
        Ok(Self { info, columns, body, mask: OnceCell::new(), rows: OnceCell::new() })
    }

    /// The rows known from the footer, before any selection.
    pub(super) fn rows_if_known(&self) -> Option<u64> {
        self.rows.get().copied()
    }

    /// The column of this name.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column of this name, or the error that names it.
    pub(super) fn require(&self, name: &str) -> Result<&Column, Error> {
        self.column(name).ok_or_else(|| {
            let available: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
            Error::MissingColumn {
                object: self.info.uri.clone(),
                column: name.to_owned(),
                suggestion: super::error::suggest(name, &available),
                available,
            }
        })
    }

    /// How many rows are selected.
    pub(super) async fn selected_rows(
        self: &Arc<Self>,
        reader: &Arc<Reader>,
        selection: &Selection,
    ) -> Result<u64, Error> {
        match self.mask(reader, selection).await? {
            Mask::Some { rows, .. } => Ok(rows),
            Mask::All => self.rows.get_or_try_init(|| self.count(reader)).await.copied(),
        }
    }

    async fn count(&self, reader: &Arc<Reader>) -> Result<u64, Error> {
        match &self.body {
            Body::Parquet(footer) => Ok(footer.rows),
            Body::Text { format, .. } => {
                let (content, format) = (self.content(reader).await?, *format);
                let (uri, columns) = (self.info.uri.clone(), self.columns.clone());
                decoding(&self.info.uri, move || text::count(&uri, format, &content, &columns)).await
            }
        }
    }

    /// The rows that are selected; decided once.
    pub(super) async fn mask(self: &Arc<Self>, reader: &Arc<Reader>, selection: &Selection) -> Result<Mask, Error> {
        if selection.is_everything() {
            return Ok(Mask::All);
        }
        let decide = || async {
            let mut keep: Option<Vec<bool>> = None;
            let mut narrow = |fresh: Vec<bool>| match &mut keep {
                Some(keep) => keep.iter_mut().zip(fresh).for_each(|(keep, fresh)| *keep &= fresh),
                None => keep = Some(fresh),
            };
            if let Some((column, window)) = &selection.window {
                let sink = InWindow { window: *window, keep: Vec::new() };
                let family = self.require(column)?.family;
                narrow(self.feed(reader, column, family, Mask::All, sink).await?.keep);
            }
            for (column, wanted) in &selection.filter {
                let sink = Equals { wanted: wanted.clone(), keep: Vec::new() };
                let family = self.require(column)?.family;
                narrow(self.feed(reader, column, family, Mask::All, sink).await?.keep);
            }
            Ok(Mask::of(&keep.unwrap_or_default()))
        };
        self.mask.get_or_try_init(decide).await.cloned()
    }

    /// Feeds the masked rows of a column to a sink, in order. `family` is what all objects of the dataset agree on.
    pub(super) async fn feed<S: Sink>(
        self: &Arc<Self>,
        reader: &Arc<Reader>,
        column: &str,
        family: Family,
        mask: Mask,
        mut sink: S,
    ) -> Result<S, Error> {
        let column = self.require(column)?.clone();
        if mask.is_nothing() {
            return Ok(sink);
        }
        let uri = self.info.uri.clone();
        match &self.body {
            Body::Parquet(footer) => {
                let batches = footer.batches(&column.name);
                if reader.storage.local_path(&self.info).is_some() {
                    let (object, reader) = (Arc::clone(self), Arc::clone(reader));
                    return decoding(&uri, move || {
                        for batch in &batches {
                            let series = object.read_local(&reader, &column, batch)?;
                            object.deliver(&column, family, &mask, batch.first_row, series, &mut sink)?;
                        }
                        Ok(sink)
                    })
                    .await;
                }
                for batch in batches {
                    let parts = reader.ranges(&self.info, &batch.ranges).await?;
                    let (object, column, mask) = (Arc::clone(self), column.clone(), mask.clone());
                    sink = decoding(&uri, move || {
                        let mut space = parquet::space(&object.info.uri, object.info.size_bytes)?;
                        parquet::fill_from_parts(&mut space, &batch.ranges, &parts);
                        drop(parts);
                        let series = object.decode(&column, &batch, &space)?;
                        drop(space);
                        object.deliver(&column, family, &mask, batch.first_row, series, &mut sink)?;
                        Ok(sink)
                    })
                    .await?;
                }
                Ok(sink)
            }
            Body::Text { format, .. } => {
                let (content, format) = (self.content(reader).await?, *format);
                let object = Arc::clone(self);
                decoding(&uri, move || {
                    let series = text::read(&object.info.uri, format, &content, &column.name)?;
                    drop(content);
                    object.deliver(&column, family, &mask, 0, series, &mut sink)?;
                    Ok(sink)
                })
                .await
            }
        }
    }

    fn read_local(&self, reader: &Reader, column: &Column, batch: &parquet::Batch) -> Result<Series, Error> {
        let uri = &self.info.uri;
        let Some(file) = reader.storage.open_local(&self.info)? else {
            return Err(Error::Corrupt { object: uri.clone(), detail: "it is not a local file".into() });
        };
        let mut space = parquet::space(uri, self.info.size_bytes)?;
        let read = parquet::fill_from_file(&mut space, &file, &batch.ranges).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::Changed { detail: format!("`{uri}` became shorter") },
            _ => Error::Storage(storage::Error::Unreachable { uri: uri.clone(), reason: error.to_string() }),
        })?;
        reader.bytes.fetch_add(read, Ordering::Relaxed);
        self.decode(column, batch, &space)
    }

    fn decode(&self, column: &Column, batch: &parquet::Batch, space: &[u8]) -> Result<Series, Error> {
        match &self.body {
            Body::Parquet(footer) => footer.decode(&self.info.uri, &column.name, batch, space),
            Body::Text { .. } => {
                Err(Error::Corrupt { object: self.info.uri.clone(), detail: "it is not Parquet".into() })
            }
        }
    }

    fn deliver(
        &self,
        column: &Column,
        family: Family,
        mask: &Mask,
        first_row: usize,
        series: Series,
        sink: &mut impl Sink,
    ) -> Result<(), Error> {
        let object = self.info.uri.as_str();
        let series = match mask {
            Mask::All => series,
            Mask::Some { bits, .. } => {
                let bits = bits.slice(i64::try_from(first_row).unwrap_or(i64::MAX), series.len());
                series.filter(&bits).map_err(|error| Error::Corrupt {
                    object: object.to_owned(),
                    detail: format!("its columns differ in length ({})", brief(&error.to_string())),
                })?
            }
        };
        sink.push(&Block { object, column, family, series: &series })
    }

    async fn content(&self, reader: &Arc<Reader>) -> Result<Bytes, Error> {
        match &self.body {
            Body::Text { content, keep: true, .. } => {
                content.get_or_try_init(|| load(reader, &self.info)).await.cloned()
            }
            _ => load(reader, &self.info).await,
        }
    }
}

impl Reader {
    async fn ranges(&self, info: &ObjectInfo, ranges: &[std::ops::Range<u64>]) -> Result<Vec<Bytes>, Error> {
        let parts = self.storage.read_ranges(info, ranges).await?;
        self.bytes.fetch_add(parts.iter().map(|part| part.len() as u64).sum(), Ordering::Relaxed);
        Ok(parts)
    }
}

async fn load(reader: &Arc<Reader>, info: &ObjectInfo) -> Result<Bytes, Error> {
    let bytes = reader.storage.read_all(info).await?;
    reader.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    let uri = info.uri.clone();
    decoding(&info.uri, move || text::unfold(&uri, bytes)).await
}

/// Runs decoding on a blocking thread; a panic becomes an error about the object.
async fn decoding<T: Send + 'static>(
    uri: &str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let guarded = tokio::task::spawn_blocking(|| std::panic::catch_unwind(AssertUnwindSafe(work))).await;
    let object = uri.to_owned();
    match guarded {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(Error::Corrupt { object, detail: format!("the decoder gave up ({})", brief(said)) })
        }
        Err(_) => {
            Err(Error::Storage(storage::Error::Unreachable { uri: object, reason: "reading was interrupted".into() }))
        }
    }
}
