//! File formats and how they are recognised.

use serde::{Deserialize, Serialize};

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header row; also `;`, tab and `|`; may be compressed with gzip.
    Csv,
    /// One JSON object a line; may be compressed with gzip.
    Ndjson,
}

impl Format {
    /// Its name in job files and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// Its name for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::Csv => "CSV",
            Self::Ndjson => "newline-delimited JSON",
        }
    }

    /// The format that a name ends in, looking through `.gz`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        match name.rsplit('/').next().unwrap_or(name).rsplit_once('.')?.1 {
            "parquet" | "pq" | "parq" => Some(Self::Parquet),
            "csv" | "tsv" => Some(Self::Csv),
            "ndjson" | "jsonl" | "json" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_in_formats() {
        assert_eq!(Format::of_name("s3://b/x.snappy.parquet"), Some(Format::Parquet));
        assert_eq!(Format::of_name("x.CSV.gz"), Some(Format::Csv));
        assert_eq!(Format::of_name("x.jsonl"), Some(Format::Ndjson));
        assert_eq!(Format::of_name("dir.csv/part-0"), None);
    }
}
