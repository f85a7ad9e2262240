//! Columns and the families their types belong to.
//!
//! A family says which values can be compared: integers of any width are one, so a file rewritten with a narrower
//! integer still fits. Between integers and floating-point numbers the line is drawn on purpose where a file states
//! its types: a column that changes from one to the other usually changed its meaning (or gained missing values).
//! Text formats state no types, there numbers are one family.

use polars::prelude::DataType;
use serde::{Deserialize, Serialize};

use super::Error;

/// What a column can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// Integers, floating-point numbers, decimals.
    Numeric,
    /// Strings, dictionaries, enumerations.
    Text,
    /// True and false.
    Boolean,
    /// Dates, timestamps, times of day.
    Temporal,
    /// Lists, structures, durations, binary data: cannot be judged.
    Unsupported,
}

/// A column of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// What it can be used for.
    pub kind: ColumnKind,
    /// The type's name in the file; for text formats what its first rows look like.
    pub dtype: String,
}

impl ColumnInfo {
    /// Whether the column has no type of its own, because it holds not a single value.
    #[must_use]
    pub fn is_untyped(&self) -> bool {
        self.dtype == "null" || self.dtype == "missing throughout"
    }
}

/// Types whose values compare with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Integer,
    Float,
    Decimal,
    Text,
    Boolean,
    Date,
    Timestamp,
    Clock,
    /// No value seen: goes with anything.
    Unknown,
    Unsupported,
}

impl Family {
    pub(super) fn of(dtype: &DataType) -> Self {
        match dtype {
            DataType::Float32 | DataType::Float64 => Self::Float,
            dtype if dtype.is_integer() => Self::Integer,
            DataType::Decimal(..) => Self::Decimal,
            DataType::String | DataType::Categorical(..) | DataType::Enum(..) => Self::Text,
            DataType::Boolean => Self::Boolean,
            DataType::Date => Self::Date,
            DataType::Datetime(..) => Self::Timestamp,
            DataType::Time => Self::Clock,
            DataType::Null => Self::Unknown,
            _ => Self::Unsupported,
        }
    }

    pub(super) fn kind(self) -> ColumnKind {
        match self {
            Self::Integer | Self::Float | Self::Decimal => ColumnKind::Numeric,
            Self::Text | Self::Unknown => ColumnKind::Text,
            Self::Boolean => ColumnKind::Boolean,
            Self::Date | Self::Timestamp | Self::Clock => ColumnKind::Temporal,
            Self::Unsupported => ColumnKind::Unsupported,
        }
    }
}

/// How the values of a column arrive from the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// With their types.
    Typed,
    /// As text that the family says how to read, with words such as `NA` for missing values.
    Csv,
    /// As text that the family says how to read.
    Json,
}

impl Encoding {
    pub(super) fn is_textual(self) -> bool {
        self != Self::Typed
    }
}

/// A column of one object.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) family: Family,
    pub(super) dtype: String,
    /// How its values arrive.
    pub(super) encoding: Encoding,
}

impl Column {
    pub(super) fn info(&self) -> ColumnInfo {
        ColumnInfo { name: self.name.clone(), kind: self.family.kind(), dtype: self.dtype.clone() }
    }

    fn agrees_with(&self, other: &Self) -> bool {
        use Family::{Float, Integer, Unknown};
        let numbers = |family| matches!(family, Integer | Float);
        self.family == other.family
            || self.family == Unknown
            || other.family == Unknown
            || ((self.encoding.is_textual() || other.encoding.is_textual())
                && numbers(self.family)
                && numbers(other.family))
    }

    pub(super) fn wrong(&self, object: &str, expected: &'static str) -> Error {
        Error::WrongType {
            object: object.to_owned(),
            column: self.name.clone(),
            expected,
            found: format!("its type is {}", self.dtype),
        }
    }
}

/// The family of one column across objects, given as (object, column); the first that has values sets it.
///
/// Text formats state no types: where their objects look different (codes that happen to be all digits in one file),
/// the column is text. Stated types that differ are an error.
pub(super) fn agree<'a>(columns: impl Iterator<Item = (&'a str, &'a Column)>) -> Result<Family, Error> {
    let mut first: Option<(&str, &Column)> = None;
    let mut family = Family::Unknown;
    for (object, column) in columns {
        match first {
            Some((name, known)) if known.family != Family::Unknown => {
                if column.agrees_with(known) {
                    continue;
                }
                if column.encoding.is_textual() && known.encoding.is_textual() {
                    family = Family::Text;
                    continue;
                }
                return Err(Error::SchemaConflict {
                    column: column.name.clone(),
                    object: object.to_owned(),
                    found: column.dtype.clone(),
                    first: name.to_owned(),
                    expected: known.dtype.clone(),
                });
            }
            _ => {
                first = Some((object, column));
                family = column.family;
            }
        }
    }
    Ok(family)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(dtype: &DataType, textual: bool) -> Column {
        let encoding = if textual { Encoding::Csv } else { Encoding::Typed };
        Column { name: "x".into(), family: Family::of(dtype), dtype: dtype.to_string(), encoding }
    }

    #[test]
    fn widths_may_differ_and_kinds_may_not() {
        let (narrow, wide) = (column(&DataType::Int8, false), column(&DataType::UInt64, false));
        let (float, none) = (column(&DataType::Float64, false), column(&DataType::Null, false));
        assert!(agree([("a", &narrow), ("b", &wide)].into_iter()).is_ok());
        let error = agree([("a", &none), ("b", &narrow), ("c", &float)].into_iter()).unwrap_err();
        assert_eq!(error.to_string(), "column `x` is f64 in `c` and i8 in `b`: write both with the same type");
        let textual = column(&DataType::Float64, true);
        assert!(agree([("a", &narrow), ("b", &textual)].into_iter()).is_ok());
        let text = column(&DataType::String, true);
        assert!(agree([("a", &float), ("b", &text)].into_iter()).is_err());
        assert_eq!(agree([("a", &none), ("b", &textual), ("c", &text)].into_iter()), Ok(Family::Text));
    }
}
