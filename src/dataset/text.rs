//! CSV and newline-delimited JSON: whole objects in memory, columns decoded as text.
//!
//! Neither format states types, so every value is read as text and a column's family is what its first rows look like
//! (numbers, booleans, dates, timestamps, else text). A later value that does not fit is an error with its row, never
//! silently missing. Numbers with leading zeros are codes, hence text.
//!
//! Missing values: an absent field or JSON null; in a CSV column that is not text also `NA`, `N/A`, `NaN`, `null`,
//! `None` and an empty field.

use std::io::{Cursor, Read};

use bytes::Bytes;
use polars::io::ndjson::core::{json_lines, parse_ndjson};
use polars::io::utils::compression::CompressedReader;
use polars::prelude::{CsvReadOptions, DataFrame, DataType, PlSmallStr, Schema, SerReader, Series};

use super::Error;
use super::error::brief;
use super::format::Format;
use super::moment;
use super::schema::{Column, Encoding, Family};

/// Rows that a column's family is guessed from.
const SAMPLE: usize = 1000;
/// Most bytes a compressed object may unfold to.
const UNFOLDED: u64 = 8 << 30;

/// Whether a CSV field stands for a missing value (where the column is not text).
pub(super) fn is_missing(text: &str) -> bool {
    matches!(text.trim(), "" | "NA" | "N/A" | "NaN" | "nan" | "null" | "NULL" | "None")
}

/// The content of an object, uncompressed. Runs on a blocking thread.
pub(super) fn unfold(object: &str, bytes: Bytes) -> Result<Bytes, Error> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let truncated = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            Error::Truncated { object: object.to_owned(), detail: "its gzip stream has no end".into() }
        }
        _ => Error::Corrupt { object: object.to_owned(), detail: format!("its gzip stream is invalid ({error})") },
    };
    let reader = CompressedReader::try_new(Vec::from(bytes).into())
        .map_err(|error| Error::Corrupt { object: object.to_owned(), detail: brief(&error.to_string()) })?;
    let mut unfolded = Vec::new();
    reader.take(UNFOLDED + 1).read_to_end(&mut unfolded).map_err(truncated)?;
    if unfolded.len() as u64 > UNFOLDED {
        let detail = format!("it unfolds to more than {} GiB; write it as Parquet", UNFOLDED >> 30);
        return Err(Error::OutOfMemory { object: object.to_owned(), detail });
    }
    if unfolded.is_empty() {
        return Err(Error::Empty { object: object.to_owned() });
    }
    Ok(unfolded.into())
}

/// The columns of an object. Runs on a blocking thread.
pub(super) fn columns(object: &str, format: Format, bytes: &Bytes) -> Result<Vec<Column>, Error> {
    let wrong = |found: &str| Error::WrongFormat {
        object: object.to_owned(),
        expected: format.title(),
        found: found.to_owned(),
    };
    if bytes.starts_with(b"PAR1") {
        return Err(wrong("it is Parquet; set `format` to \"parquet\""));
    }
    if bytes.iter().take(4096).any(|byte| *byte == 0) {
        return Err(wrong("it holds binary data or another encoding than UTF-8"));
    }
    let sample = match format {
        Format::Ndjson => {
            if bytes.trim_ascii_start().starts_with(b"[") {
                return Err(wrong("it is one JSON array; write one object a line"));
            }
            ndjson_sample(object, bytes)?
        }
        _ => read_csv(object, bytes, None, Some(SAMPLE))?,
    };
    let mut columns = Vec::with_capacity(sample.width());
    for column in sample.columns() {
        let series = column.as_materialized_series();
        let family = guess(series, format);
        columns.push(Column {
            name: series.name().to_string(),
            family,
            dtype: described(family).to_owned(),
            encoding: if format == Format::Csv { Encoding::Csv } else { Encoding::Json },
        });
    }
    if columns.is_empty() {
        return Err(wrong("it has no columns"));
    }
    Ok(columns)
}

fn described(family: Family) -> &'static str {
    match family {
        Family::Integer => "integer",
        Family::Float => "number",
        Family::Boolean => "boolean",
        Family::Date => "date",
        Family::Timestamp => "timestamp",
        Family::Unknown => "missing throughout",
        _ => "text",
    }
}

/// One column as text, row by row. Runs on a blocking thread.
pub(super) fn read(object: &str, format: Format, bytes: &Bytes, column: &str) -> Result<Series, Error> {
    let frame = match format {
        Format::Ndjson => read_ndjson(object, bytes, std::iter::once(column))?,
        _ => read_csv(object, bytes, Some(column), None)?,
    };
    let series = frame.column(column).map_err(|error| corrupt(object, &error.to_string()))?;
    Ok(series.as_materialized_series().clone())
}

/// How many rows the object has. Runs on a blocking thread.
pub(super) fn count(object: &str, format: Format, bytes: &Bytes, columns: &[Column]) -> Result<u64, Error> {
    match (format, columns.first()) {
        (Format::Ndjson, _) => Ok(json_lines(bytes).count() as u64),
        (_, Some(column)) => Ok(read(object, format, bytes, &column.name)?.len() as u64),
        (_, None) => Ok(0),
    }
}

fn corrupt(object: &str, message: &str) -> Error {
    Error::Corrupt { object: object.to_owned(), detail: brief(message) }
}

fn read_csv(object: &str, bytes: &Bytes, column: Option<&str>, rows: Option<usize>) -> Result<DataFrame, Error> {
    let separator = separator(bytes);
    CsvReadOptions::default()
        .with_has_header(true)
        // Everything as text: see the header of this module.
        .with_infer_schema_length(Some(0))
        .with_raise_if_empty(false)
        .with_n_rows(rows)
        .with_columns(column.map(|name| [PlSmallStr::from_str(name)].into()))
        .map_parse_options(|options| options.with_separator(separator))
        .into_reader_with_file_handle(Cursor::new(&bytes[..]))
        .finish()
        .map_err(|error| corrupt(object, &format!("it cannot be read as CSV ({})", brief(&error.to_string()))))
}

/// The separator: the most frequent candidate of the header row, the comma when none occurs.
fn separator(bytes: &[u8]) -> u8 {
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |candidate: u8| header.iter().filter(|byte| **byte == candidate).count();
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|candidate| count(*candidate)).unwrap_or(b',')
}

/// The first rows, with every key seen in them as a column, in order of first appearance.
fn ndjson_sample(object: &str, bytes: &Bytes) -> Result<DataFrame, Error> {
    let mut head = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for (index, line) in json_lines(bytes).take(SAMPLE).enumerate() {
        let row: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).map_err(|error| {
            corrupt(object, &format!("it cannot be read as JSON lines (line {}: {error})", index + 1))
        })?;
        for name in row.into_iter().map(|(name, _)| name) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        head.extend_from_slice(line);
        head.push(b'\n');
    }
    read_ndjson(object, &head, names.iter().map(String::as_str))
}

fn read_ndjson<'a>(object: &str, bytes: &[u8], columns: impl Iterator<Item = &'a str>) -> Result<DataFrame, Error> {
    let schema = Schema::from_iter(columns.map(|name| (PlSmallStr::from_str(name), DataType::String)));
    parse_ndjson(bytes, None, &schema, false)
        .map_err(|error| corrupt(object, &format!("it cannot be read as JSON lines ({})", brief(&error.to_string()))))
}

/// The family that all present values of a sample belong to.
fn guess(series: &Series, format: Format) -> Family {
    let Ok(texts) = series.str() else { return Family::Unsupported };
    let present: Vec<&str> =
        texts.iter().flatten().filter(|text| !(text.is_empty() || format == Format::Csv && is_missing(text))).collect();
    let all = |fits: fn(&str) -> bool| present.iter().all(|text| fits(text));
    if present.is_empty() {
        Family::Unknown
    } else if all(is_integer) {
        Family::Integer
    } else if all(is_number) {
        Family::Float
    } else if all(|text| parse_boolean(text).is_some()) {
        Family::Boolean
    } else if all(|text| moment::parse_date(text).is_some()) {
        Family::Date
    } else if all(|text| moment::parse(text).is_some()) {
        Family::Timestamp
    } else {
        Family::Text
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.len() <= 38
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" && digits.len() == text.len() || !digits.starts_with('0'))
}

fn is_number(text: &str) -> bool {
    let digits = text.trim().trim_start_matches(['-', '+']);
    // 007 and 00.5 are codes; so are words that the parser would take for infinity.
    let code = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    let word = digits.starts_with(|c: char| c.is_alphabetic()) && !matches!(digits, "inf" | "Infinity");
    !code && !word && parse_number(text).is_some()
}

/// Reads a number as written by people and programs.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// Reads `true` and `false` in the usual spellings.
pub(super) fn parse_boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families(format: Format, text: &str) -> Vec<(String, Family)> {
        let bytes = Bytes::from(text.to_owned());
        columns("x", format, &bytes).unwrap().into_iter().map(|column| (column.name, column.family)).collect()
    }

    #[test]
    fn families_are_guessed_from_present_values() {
        let text = "i,f,b,d,t,s,n,zip,m\n1,1.5,true,2024-01-31,2024-01-31T05:06:07Z,x,,01234,NA\n\
                    NA,2,False,2024-02-01,2024-01-31 05:06:07.5,NA,,98765,3\n";
        let expected = [
            ("i", Family::Integer),
            ("f", Family::Float),
            ("b", Family::Boolean),
            ("d", Family::Date),
            ("t", Family::Timestamp),
            ("s", Family::Text),
            ("n", Family::Unknown),
            ("zip", Family::Text),
            ("m", Family::Integer),
        ];
        assert_eq!(families(Format::Csv, text), expected.map(|(name, family)| (name.to_owned(), family)));
    }

    #[test]
    fn separators_are_found_in_the_header() {
        for separator in [',', ';', '\t', '|'] {
            let text = format!("a{separator}b\n1{separator}x\n");
            let names: Vec<String> = families(Format::Csv, &text).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["a", "b"], "{separator:?}");
        }
    }

    #[test]
    fn json_lines_keep_every_key_seen() {
        let text = "{\"a\": 1, \"b\": \"x\"}\n\n{\"a\": 2.5, \"c\": true, \"d\": null}\n";
        let expected = [("a", Family::Float), ("b", Family::Text), ("c", Family::Boolean), ("d", Family::Unknown)];
        assert_eq!(families(Format::Ndjson, text), expected.map(|(name, family)| (name.to_owned(), family)));
    }

    #[test]
    fn other_content_is_named() {
        for (format, content, hint) in [
            (Format::Csv, &b"PAR1..."[..], "Parquet"),
            (Format::Csv, b"a\0b\n", "binary"),
            (Format::Ndjson, b"[{\"a\": 1}]", "array"),
            (Format::Ndjson, b"a,b\n1,2\n", "JSON lines"),
        ] {
            let error = columns("file://x", format, &Bytes::from(content)).unwrap_err();
            assert_eq!(error.code(), "corrupt_input");
            assert!(error.to_string().contains(hint) && error.to_string().contains("file://x"), "{error}");
        }
    }
}
