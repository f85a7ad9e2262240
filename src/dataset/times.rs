//! A column as instants.

use polars::prelude::DataType;

use super::Error;
use super::moment::{self, Unit};
use super::object::Sink;
use super::schema::Family;
use super::values::Block;

/// The instants of a column in row order, in microseconds since 1970 UTC; dates are their midnight.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Times(pub(super) Vec<Option<i64>>);

impl Sink for Times {
    fn push(&mut self, block: &Block<'_>) -> Result<(), Error> {
        let unit = match block.series.dtype() {
            DataType::Date => Unit::Days,
            DataType::Datetime(unit, _) => Unit::of(*unit),
            DataType::String => {
                let texts = block.series.str().map_err(|error| block.undecodable(&error))?;
                for text in texts.iter() {
                    let present = text.filter(|t| block.column.family == Family::Text || !super::text::is_missing(t));
                    let read = |text: &str| moment::parse(text).ok_or_else(|| block.unfit("a timestamp or date", text));
                    self.0.push(present.map(read).transpose()?);
                }
                return Ok(());
            }
            DataType::Null => {
                self.0.extend(std::iter::repeat_n(None, block.series.len()));
                return Ok(());
            }
            _ => return Err(block.column.wrong(block.object, "a timestamp or date")),
        };
        let physical = block.series.to_physical_repr().cast(&DataType::Int64);
        let physical = physical.map_err(|error| block.undecodable(&error))?;
        let values = physical.i64().map_err(|error| block.undecodable(&error))?;
        self.0.extend(values.iter().map(|value| value.map(|value| unit.micros(value))));
        Ok(())
    }
}
