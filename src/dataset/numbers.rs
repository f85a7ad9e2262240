//! A column as numbers.

use polars::prelude::DataType;

use super::Error;
use super::object::Sink;
use super::values::Block;

/// The numbers of a column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NumericColumn {
    /// Present values in row order, not sorted; may hold infinities, never NaN.
    pub values: Vec<f64>,
    /// Rows without a value: null or NaN.
    pub missing: u64,
}

impl Sink for NumericColumn {
    fn push(&mut self, block: &Block<'_>) -> Result<(), Error> {
        // Copying whole slices is several times faster than asking row by row, and this is the common case.
        if *block.series.dtype() == DataType::Float64 && !block.column.encoding.is_textual() {
            let floats = block.series.f64().map_err(|error| block.undecodable(&error))?;
            let from = self.values.len();
            if floats.null_count() == 0 {
                for slice in floats.data_views() {
                    self.values.extend_from_slice(slice);
                }
            } else {
                self.missing += floats.null_count() as u64;
                self.values.extend(floats.iter().flatten());
            }
            let fresh = self.values.get(from..).unwrap_or_default();
            if fresh.iter().any(|value| value.is_nan()) {
                let before = self.values.len();
                let mut row = 0;
                self.values.retain(|value| {
                    row += 1;
                    row <= from || !value.is_nan()
                });
                self.missing += (before - self.values.len()) as u64;
            }
            return Ok(());
        }
        let (values, missing) = (&mut self.values, &mut self.missing);
        block.numbers(|value| match value {
            Some(value) => values.push(value),
            None => *missing += 1,
        })
    }
}
