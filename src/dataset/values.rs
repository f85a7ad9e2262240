//! Values of any type as numbers or as canonical text.
//!
//! Canonical text is what categories, filters and labels are compared by, so it must not depend on how a file stores a
//! value: integers of any width `3`; floating-point numbers in the shortest form that reads back, whole ones without
//! a point (a column of integers that gained missing values becomes floating-point, and its categories stay the same);
//! decimals without trailing zeros; `true` and `false`; ISO 8601 in UTC.

use std::borrow::Cow;
use std::hash::Hash;

use polars::prelude::{DataType, PolarsResult, Series, StringChunked};

use super::Error;
use super::error::brief;
use super::moment::{self, Unit};
use super::schema::{Column, Encoding, Family};
use super::text;

/// Some rows of one column of one object.
pub(super) struct Block<'a> {
    pub(super) object: &'a str,
    pub(super) column: &'a Column,
    /// The family that all objects of the dataset agree on.
    pub(super) family: Family,
    pub(super) series: &'a Series,
}

impl Block<'_> {
    /// The error for a value that does not fit.
    pub(super) fn unfit(&self, expected: &'static str, value: &str) -> Error {
        let found = format!("it holds `{}`", brief(value));
        Error::WrongType { object: self.object.to_owned(), column: self.column.name.clone(), expected, found }
    }

    pub(super) fn undecodable(&self, error: &impl std::fmt::Display) -> Error {
        let detail = format!("column `{}` cannot be converted ({})", self.column.name, brief(&error.to_string()));
        Error::Corrupt { object: self.object.to_owned(), detail }
    }

    /// The values as numbers; missing ones (null, NaN) as none, in row order.
    pub(super) fn numbers(&self, mut each: impl FnMut(Option<f64>)) -> Result<(), Error> {
        if self.column.encoding.is_textual() {
            let texts = self.series.str().map_err(|error| self.undecodable(&error))?;
            for text in texts.iter() {
                match text.filter(|text| !self.stands_for_missing(text)) {
                    None => each(None),
                    Some(text) => match text::parse_number(text) {
                        Some(value) => each(Some(value).filter(|value| !value.is_nan())),
                        None => return Err(self.unfit("a number", text)),
                    },
                }
            }
            return Ok(());
        }
        let mut convert = || -> PolarsResult<()> {
            if let DataType::Decimal(_, scale) = self.series.dtype() {
                let divisor = 10f64.powi(i32::try_from(*scale).unwrap_or(i32::MAX));
                let physical = self.series.to_physical_repr();
                physical.i128()?.iter().for_each(|value| each(value.map(|value| value as f64 / divisor)));
                return Ok(());
            }
            let floats = self.series.cast(&DataType::Float64)?;
            floats.f64()?.iter().for_each(|value| each(value.filter(|value| !value.is_nan())));
            Ok(())
        };
        convert().map_err(|error| self.undecodable(&error))
    }

    fn stands_for_missing(&self, text: &str) -> bool {
        self.column.encoding == Encoding::Csv && self.family != Family::Text && text::is_missing(text)
    }

    /// Hands the values to a visitor, in row order.
    pub(super) fn visit(&self, visitor: &mut impl Visitor) -> Result<(), Error> {
        if self.column.encoding.is_textual() {
            let texts = self.series.str().map_err(|error| self.undecodable(&error))?;
            if self.family == Family::Text {
                visitor.strings(texts);
                return Ok(());
            }
            let canonical: StringChunked = texts
                .iter()
                .map(|text| {
                    let text = text.filter(|text| !self.stands_for_missing(text))?;
                    Some(canonical(self.family, text)).filter(|text| text != "NaN")
                })
                .collect();
            visitor.strings(&canonical);
            return Ok(());
        }
        self.visit_typed(visitor).map_err(|error| self.undecodable(&error))
    }

    fn visit_typed(&self, visitor: &mut impl Visitor) -> PolarsResult<()> {
        let series = self.series;
        match series.dtype() {
            DataType::String => visitor.strings(series.str()?),
            DataType::Categorical(_, mapping) | DataType::Enum(_, mapping) => {
                let mapping = mapping.clone();
                let codes = series.to_physical_repr().cast(&DataType::UInt32)?;
                let render = |code| mapping.cat_to_str(code).unwrap_or_default().to_owned();
                visitor.keys(codes.u32()?.iter(), render);
            }
            DataType::Boolean => visitor.keys(series.bool()?.iter(), |value| value.to_string()),
            DataType::Float32 => {
                let present = |value: &f32| !value.is_nan();
                let bits = series.f32()?.iter().map(|value| value.filter(present).map(|value| (value + 0.0).to_bits()));
                visitor.keys(bits, |bits| render_f32(f32::from_bits(bits)));
            }
            DataType::Float64 => {
                let present = |value: &f64| !value.is_nan();
                let bits = series.f64()?.iter().map(|value| value.filter(present).map(|value| (value + 0.0).to_bits()));
                visitor.keys(bits, |bits| render_f64(f64::from_bits(bits)));
            }
            DataType::Decimal(_, scale) => {
                let scale = *scale;
                let physical = series.to_physical_repr();
                visitor.keys(physical.i128()?.iter(), |value| render_decimal(value, scale));
            }
            DataType::Date => {
                let days = series.to_physical_repr().cast(&DataType::Int64)?;
                visitor.keys(days.i64()?.iter(), |value| Unit::Days.render(value));
            }
            DataType::Datetime(unit, _) => {
                let unit = Unit::of(*unit);
                let physical = series.to_physical_repr();
                visitor.keys(physical.i64()?.iter(), |value| unit.render(value));
            }
            DataType::UInt64 | DataType::Int128 | DataType::UInt128 => {
                let wide = series.cast(&DataType::Int128)?;
                visitor.keys(wide.i128()?.iter(), |value| value.to_string());
            }
            dtype if dtype.is_integer() => {
                let wide = series.cast(&DataType::Int64)?;
                visitor.keys(wide.i64()?.iter(), |value| value.to_string());
            }
            DataType::Null => visitor.keys(std::iter::repeat_n(None::<bool>, series.len()), |value| value.to_string()),
            _ => visitor.strings(series.cast(&DataType::String)?.str()?),
        }
        Ok(())
    }
}

/// Receives values as text, without a string made for every row.
pub(super) trait Visitor {
    /// Values that are text already.
    fn strings(&mut self, values: &StringChunked);
    /// Values as cheap keys, and how a key reads.
    fn keys<K: Copy + Eq + Hash>(&mut self, values: impl Iterator<Item = Option<K>>, render: impl Fn(K) -> String);
}

/// The canonical form of a value written as text; text that does not fit its family stays as it is.
pub(super) fn canonical(family: Family, text: &str) -> Cow<'_, str> {
    let rendered = match family {
        Family::Float | Family::Decimal => text::parse_number(text).map(render_f64),
        Family::Boolean => text::parse_boolean(text).map(|value| value.to_string()),
        Family::Date => moment::parse_date(text).map(|days| Unit::Days.render(i64::from(days))),
        Family::Timestamp => moment::parse(text).map(|micros| Unit::Micros.render(micros)),
        _ => None,
    };
    rendered.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The shortest text that reads back as the same number; whole numbers without a point.
pub(super) fn render_f64(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{}", value as i64) } else { format!("{value:?}") }
}

fn render_f32(value: f32) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{}", value as i64) } else { format!("{value:?}") }
}

fn render_decimal(value: i128, scale: usize) -> String {
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let fraction = fraction.trim_end_matches('0');
    let sign = if value < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_render_the_same_whatever_stores_them() {
        for (value, text) in [(3.0, "3"), (-0.5, "-0.5"), (0.1, "0.1"), (1e300, "1e300"), (f64::INFINITY, "inf")] {
            assert_eq!(render_f64(value), text);
        }
        assert_eq!(render_f32(0.1), "0.1");
        assert_eq!(render_decimal(-1250, 2), "-12.5");
        assert_eq!(render_decimal(5, 3), "0.005");
        assert_eq!(render_decimal(700, 2), "7");
        assert_eq!(render_decimal(7, 0), "7");
    }

    #[test]
    fn written_values_become_canonical() {
        assert_eq!(canonical(Family::Float, "1.50"), "1.5");
        assert_eq!(canonical(Family::Boolean, "TRUE"), "true");
        assert_eq!(canonical(Family::Timestamp, "2024-01-31 05:06:07"), "2024-01-31T05:06:07Z");
        assert_eq!(canonical(Family::Float, "abc"), "abc");
        assert_eq!(canonical(Family::Text, "1.50"), "1.50");
    }
}
