//! Parquet: the footer first, then one column at a time, a batch of row groups at a time.
//!
//! The decoder wants the whole file as one slice. It gets anonymous memory as long as the file, of which only the
//! bytes of the wanted column chunks are filled in, each at its own offset: pages never written cost nothing, so only
//! those bytes are read and memory holds one batch of one column. No file is mapped: a file that shrinks under a map
//! kills the process.
//!
//! Everything the footer claims is checked against the object's size before it is believed. A decoder that panics on a
//! damaged page is caught by the caller ([`super::object`]).

use std::fs::File;
use std::io::Cursor;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::{MmapMut, MmapOptions};
use polars::prelude::{
    ArrowDataType, ArrowField, DataType, FileMetadata, ParallelStrategy, ParquetReader, SerReader, Series, infer_schema,
};

use super::Error;
use super::error::brief;
use super::schema::{Column, Encoding, Family};

/// Tail read at first: holds the footer of all but very wide files.
const TAIL: u64 = 64 * 1024;
/// Magic number in front, and length plus magic number behind.
const HEAD: u64 = 4;
const END: u64 = 8;
const MAGIC: &[u8] = b"PAR1";
/// Most rows of one row group that are believed; the decoder reserves memory for them before it sees a value.
const GROUP_ROWS: usize = 1 << 28;
/// Rows decoded at once (whole row groups, at least one): bounds memory, and gives every core a row group.
const BATCH_ROWS: usize = 2 << 20;

/// A checked footer.
pub(super) struct Footer {
    metadata: Arc<FileMetadata>,
    pub(super) columns: Vec<Column>,
    pub(super) rows: u64,
}

/// Whole row groups that are decoded together.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) first_row: usize,
    rows: usize,
    /// Where the column's chunks lie in the object.
    pub(super) ranges: Vec<Range<u64>>,
}

/// The ranges to read first: the magic number in front and the tail.
pub(super) fn probe(size: u64) -> [Range<u64>; 2] {
    [0..HEAD.min(size), size.saturating_sub(TAIL)..size]
}

/// How long the footer is, with length and magic number; checks both ends of the object.
pub(super) fn footer_length(object: &str, size: u64, head: &[u8], tail: &[u8]) -> Result<u64, Error> {
    let corrupt = |detail: String| Error::Corrupt { object: object.to_owned(), detail };
    if tail.ends_with(b"PARE") {
        let found = "it is encrypted Parquet, which cannot be read".to_owned();
        return Err(Error::WrongFormat { object: object.to_owned(), expected: "readable Parquet", found });
    }
    match (head == MAGIC, tail.ends_with(MAGIC)) {
        (true, true) if size >= HEAD + END => {}
        (true, _) => {
            let detail = format!("it begins as Parquet and has no footer after {size} bytes");
            return Err(Error::Truncated { object: object.to_owned(), detail });
        }
        _ => {
            let found = looks_like(head, tail);
            return Err(Error::WrongFormat { object: object.to_owned(), expected: "Parquet", found });
        }
    }
    let length = tail.len().checked_sub(8).and_then(|at| tail.get(at..at + 4)).and_then(|bytes| bytes.try_into().ok());
    let length = length.map(u32::from_le_bytes).ok_or_else(|| corrupt("its footer has no length".into()))?;
    let footer = u64::from(length) + END;
    if footer + HEAD > size {
        return Err(corrupt(format!("its footer claims {length} bytes of the object's {size}")));
    }
    Ok(footer)
}

/// What an object that is not Parquet seems to be.
fn looks_like(head: &[u8], tail: &[u8]) -> String {
    if head.starts_with(&[0x1f, 0x8b]) {
        return "it is compressed with gzip; Parquet compresses inside, so write it uncompressed".into();
    }
    if head.starts_with(b"PK") {
        return "it looks like a zip archive or a spreadsheet".into();
    }
    let printable = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'));
    if printable(head) && tail.iter().take(1024).all(|byte| *byte != 0) {
        return "it looks like text; set `format` if it is csv or ndjson".into();
    }
    "it does not begin and end with PAR1".into()
}

/// Parses the footer and checks all that it says about places in the object. Runs on a blocking thread.
pub(super) fn parse(object: &str, size: u64, footer: Bytes) -> Result<Footer, Error> {
    let corrupt = |detail: String| Error::Corrupt { object: object.to_owned(), detail };
    let data_end = size.saturating_sub(footer.len() as u64);
    let mut reader = ParquetReader::new(Cursor::new(&footer[..]));
    let metadata = reader
        .get_metadata()
        .map_err(|error| corrupt(format!("its footer cannot be parsed ({})", brief(&error.to_string()))))?;
    let metadata = Arc::clone(metadata);
    let schema = infer_schema(&metadata)
        .map_err(|error| corrupt(format!("its schema cannot be understood ({})", brief(&error.to_string()))))?;
    let mut rows = 0usize;
    for (index, group) in metadata.row_groups.iter().enumerate() {
        if group.num_rows() > GROUP_ROWS {
            return Err(corrupt(format!("row group {index} claims {} rows", group.num_rows())));
        }
        rows = rows.saturating_add(group.num_rows());
        for chunk in group.parquet_columns() {
            let range = chunk.byte_range();
            // A group without rows may hold no bytes, wherever it says they are.
            if group.num_rows() > 0 && (range.start < HEAD || range.end < range.start || range.end > data_end) {
                let detail = format!("row group {index} claims bytes {}-{} of {data_end}", range.start, range.end);
                return Err(corrupt(detail));
            }
        }
    }
    // The decoder counts rows with 32 bits; beyond that the footer of a real file would not fit either.
    if rows != metadata.num_rows || rows > u32::MAX as usize {
        let detail = format!("its footer claims {} rows and its row groups hold {rows}", metadata.num_rows);
        return Err(corrupt(detail));
    }
    let columns = schema
        .iter_values()
        .map(|field| {
            let (family, dtype) = match supported(field) {
                Some(dtype) => (Family::of(&dtype), dtype.to_string()),
                None => (Family::Unsupported, format!("{:?}", field.dtype).to_lowercase()),
            };
            Column { name: field.name.to_string(), family, dtype, encoding: Encoding::Typed }
        })
        .collect();
    Ok(Footer { metadata, columns, rows: rows as u64 })
}

/// The type of a field, if polars has one. Asking for one it was not built with panics, and one column of a rare type
/// must not make the others unreadable.
fn supported(field: &ArrowField) -> Option<DataType> {
    match field.dtype() {
        ArrowDataType::Float16 | ArrowDataType::Interval(_) => None,
        // More digits than 128 bits hold.
        ArrowDataType::Decimal256(precision, _) if *precision > 38 => None,
        _ => std::panic::catch_unwind(|| DataType::from_arrow_field(field)).ok(),
    }
}

impl Footer {
    /// The batches of a column, in row order.
    pub(super) fn batches(&self, column: &str) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::new();
        let mut row = 0;
        for group in &self.metadata.row_groups {
            let rows = group.num_rows();
            if rows == 0 {
                continue;
            }
            let ranges = group.columns_under_root_iter(column).into_iter().flatten().map(|chunk| chunk.byte_range());
            match batches.last_mut() {
                Some(batch) if batch.rows + rows <= BATCH_ROWS => {
                    batch.rows += rows;
                    batch.ranges.extend(ranges);
                }
                _ => batches.push(Batch { first_row: row, rows, ranges: ranges.collect() }),
            }
            row += rows;
        }
        batches
    }

    /// Decodes a batch whose chunks have been filled into `space`.
    pub(super) fn decode(&self, object: &str, column: &str, batch: &Batch, space: &[u8]) -> Result<Series, Error> {
        let corrupt = |detail: String| Error::Corrupt {
            object: object.to_owned(),
            detail: format!("column `{column}` cannot be decoded ({})", brief(&detail)),
        };
        let mut reader = ParquetReader::new(Cursor::new(space))
            .with_columns(Some(vec![column.to_owned()]))
            .with_slice(Some((batch.first_row, batch.rows)))
            // Only this strategy leaves row groups outside of the slice alone; their bytes are not there.
            .read_parallel(ParallelStrategy::RowGroups);
        reader.set_metadata(Arc::clone(&self.metadata));
        let frame = reader.finish().map_err(|error| corrupt(error.to_string()))?;
        let series = frame.column(column).map_err(|error| corrupt(error.to_string()))?.as_materialized_series().clone();
        if series.len() != batch.rows {
            return Err(corrupt(format!("{} values for {} rows", series.len(), batch.rows)));
        }
        Ok(series)
    }
}

/// Memory as long as the object, empty so far.
pub(super) fn space(object: &str, size: u64) -> Result<MmapMut, Error> {
    let full = |detail: String| Error::OutOfMemory { object: object.to_owned(), detail };
    let length = usize::try_from(size).map_err(|error| full(error.to_string()))?;
    MmapOptions::new().len(length).no_reserve_swap().map_anon().map_err(|error| full(error.to_string()))
}

/// Fills ranges from a local file.
pub(super) fn fill_from_file(space: &mut MmapMut, file: &File, ranges: &[Range<u64>]) -> std::io::Result<u64> {
    let mut read = 0;
    for range in ranges {
        if let Some(target) = place(space, range) {
            file.read_exact_at(target, range.start)?;
            read += target.len() as u64;
        }
    }
    Ok(read)
}

/// Fills ranges with bytes that were fetched.
pub(super) fn fill_from_parts(space: &mut MmapMut, ranges: &[Range<u64>], parts: &[Bytes]) -> u64 {
    let mut read = 0;
    for (range, part) in ranges.iter().zip(parts) {
        if let Some(target) = place(space, range)
            && target.len() == part.len()
        {
            target.copy_from_slice(part);
            read += part.len() as u64;
        }
    }
    read
}

/// The place of a range; `parse` has checked that it lies inside.
fn place<'a>(space: &'a mut MmapMut, range: &Range<u64>) -> Option<&'a mut [u8]> {
    let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
    space.get_mut(start..end)
}
