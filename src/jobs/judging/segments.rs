//! Segments: the rows of a dataset told apart by the value of one column.
//!
//! The column is read once a side; after that each judged column is read once and its values dealt out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::side::Side;
use crate::dataset::{AlignedColumn, Error, NumericColumn};
use crate::drift::CategoryCounts;

/// Segments that are judged on their own: the largest ones, by the rows of both sides.
pub const MOST_SEGMENTS: usize = 50;

/// The segment of rows without a value.
const NO_VALUE: &str = "(missing)";

/// The segments of two sides.
#[derive(Debug)]
pub struct Segments {
    /// The column that tells them apart.
    pub column: String,
    /// Their names, the largest first.
    pub names: Vec<String>,
    /// How many smaller ones there are that are not judged.
    pub left_out: usize,
    /// The place in `names` of each row of the reference.
    pub reference: Places,
    /// The place in `names` of each row of the current data.
    pub current: Places,
}

/// For each row its segment; none for rows of segments that are left out.
pub type Places = Arc<Vec<Option<u8>>>;

impl Segments {
    /// Reads the column on both sides; none when the reference is a profile.
    ///
    /// # Errors
    /// When the column cannot be read.
    pub async fn read(reference: &Side, current: &Side, column: &str) -> Result<Option<Self>, Error> {
        let (Some(reference), Some(current)) = tokio::try_join!(texts(reference, column), texts(current, column))?
        else {
            return Ok(None);
        };
        let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
        for text in reference.iter().chain(&current) {
            *rows.entry(text.as_deref().unwrap_or(NO_VALUE)).or_default() += 1;
        }
        let mut by_size: Vec<(&str, u64)> = rows.into_iter().collect();
        by_size.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let left_out = by_size.len().saturating_sub(MOST_SEGMENTS);
        by_size.truncate(MOST_SEGMENTS);
        let names: Vec<String> = by_size.into_iter().map(|(name, _)| name.to_owned()).collect();
        let places: BTreeMap<&str, u8> = names.iter().map(String::as_str).zip(0..).collect();
        let of = |texts: &[Option<Arc<str>>]| {
            Arc::new(texts.iter().map(|text| places.get(text.as_deref().unwrap_or(NO_VALUE)).copied()).collect())
        };
        let (reference, current) = (of(&reference), of(&current));
        Ok(Some(Self { column: column.to_owned(), names, left_out, reference, current }))
    }
}

async fn texts(side: &Side, column: &str) -> Result<Option<Vec<Option<Arc<str>>>>, Error> {
    let table = side.aligned(&[column]).await?;
    Ok(table.and_then(|table| table.columns.into_iter().next()).map(AlignedColumn::into_texts))
}

/// The numbers of each segment; all missing where the column holds text.
#[must_use]
pub fn numbers_by_segment(column: &AlignedColumn, places: &[Option<u8>], segments: usize) -> Vec<NumericColumn> {
    let mut all = vec![NumericColumn::default(); segments];
    let mut put = |place: Option<u8>, value: Option<f64>| {
        let Some(segment) = place.and_then(|place| all.get_mut(usize::from(place))) else { return };
        match value {
            Some(value) => segment.values.push(value),
            None => segment.missing += 1,
        }
    };
    match column {
        AlignedColumn::Numbers(values) => values.iter().zip(places).for_each(|(value, place)| put(*place, *value)),
        AlignedColumn::Text(values) => values.iter().zip(places).for_each(|(_, place)| put(*place, None)),
    }
    all
}

/// The categories of each segment.
#[must_use]
pub fn categories_by_segment(column: AlignedColumn, places: &[Option<u8>], segments: usize) -> Vec<CategoryCounts> {
    let mut all = vec![BTreeMap::<Arc<str>, u64>::new(); segments];
    let mut missing = vec![0; segments];
    for (text, place) in column.into_texts().into_iter().zip(places) {
        let Some(place) = place.map(usize::from) else { continue };
        match text {
            Some(text) => *all[place].entry(text).or_default() += 1,
            None => missing[place] += 1,
        }
    }
    let counts = |counts: BTreeMap<Arc<str>, u64>| counts.into_iter().map(|(name, rows)| (name.to_string(), rows));
    all.into_iter().zip(missing).map(|(of, missing)| CategoryCounts { counts: counts(of).collect(), missing }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_dealt_out_and_none_is_lost() {
        let places = [Some(0), Some(1), None, Some(0), Some(1)];
        let numbers = AlignedColumn::Numbers(vec![Some(1.0), None, Some(9.0), Some(2.0), Some(3.0)]);
        let dealt = numbers_by_segment(&numbers, &places, 2);
        assert_eq!((dealt[0].values.as_slice(), dealt[0].missing), ([1.0, 2.0].as_slice(), 0));
        assert_eq!((dealt[1].values.as_slice(), dealt[1].missing), ([3.0].as_slice(), 1));
        let dealt = categories_by_segment(numbers, &places, 2);
        assert_eq!(dealt[0].counts, [("1".to_owned(), 1), ("2".to_owned(), 1)].into());
        assert_eq!((dealt[1].counts.len(), dealt[1].missing), (1, 1));
    }
}
