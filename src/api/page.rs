//! Lists, a page at a time: newest first, with an opaque cursor that stays right while rows are added.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::Problem;

/// Rows of a page when the caller does not say.
pub const USUAL: u32 = 100;
/// Most rows of a page.
pub const MOST: u32 = 1000;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows, newest first.
    pub items: Vec<T>,
    /// Give it as `cursor` to get the page after this one; null on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The page out of `limit + 1` rows that were asked for: the one too many tells that there are more.
    #[must_use]
    pub fn of<R>(mut rows: Vec<R>, limit: u32, cursor: impl Fn(&R) -> String, view: impl Fn(R) -> T) -> Self {
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| more).map(cursor);
        Self { items: rows.into_iter().map(view).collect(), next_cursor }
    }
}

/// How many rows are wanted.
///
/// # Errors
/// 422 outside of 1 to [`MOST`].
pub fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        None => Ok(USUAL),
        Some(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::invalid("?limit", format!("must be 1 to {MOST}, not {limit}"))),
    }
}

/// A place in a list that is ordered by time and id.
#[must_use]
pub fn cursor(at: DateTime<Utc>, id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", at.timestamp_micros(), id.simple()))
}

/// A place in a list that is ordered by a number.
#[must_use]
pub fn number_cursor(number: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("#{number}"))
}

/// The place that a cursor of [`cursor`] means.
///
/// # Errors
/// 422 for anything else.
pub fn place(cursor: Option<&str>) -> Result<Option<(DateTime<Utc>, Uuid)>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let text = decoded(cursor)?;
    let (micros, id) = text.split_once('.').ok_or_else(wrong)?;
    let at = micros.parse().ok().and_then(DateTime::from_timestamp_micros).ok_or_else(wrong)?;
    Ok(Some((at, id.parse().map_err(|_| wrong())?)))
}

/// The place that a cursor of [`number_cursor`] means.
///
/// # Errors
/// 422 for anything else.
pub fn number_place(cursor: Option<&str>) -> Result<Option<i64>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let text = decoded(cursor)?;
    text.strip_prefix('#').and_then(|n| n.parse().ok()).map(Some).ok_or_else(wrong)
}

/// A place in a list that is ordered by a text.
#[must_use]
pub fn text_cursor(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("\"{text}"))
}

/// The place that a cursor of [`text_cursor`] means.
///
/// # Errors
/// 422 for anything else.
pub fn text_place(cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let text = decoded(cursor)?;
    let text = text.strip_prefix('"').filter(|text| !text.contains('\0')).ok_or_else(wrong)?;
    Ok(Some(text.to_owned()))
}

fn decoded(cursor: &str) -> Result<String, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn wrong() -> Problem {
    Problem::invalid("?cursor", "not a cursor of this list; give `next_cursor` of the page before, unchanged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_others_are_refused() {
        let (at, id) = (DateTime::from_timestamp_micros(1_383_264_000_123_456).unwrap(), Uuid::from_u128(7));
        assert_eq!(place(Some(&cursor(at, id))).unwrap(), Some((at, id)));
        assert_eq!(number_place(Some(&number_cursor(-3))).unwrap(), Some(-3));
        for wrong in ["", "x", "!!", &number_cursor(1), "' OR 1=1 --"] {
            assert!(place(Some(wrong)).is_err(), "{wrong}");
        }
        assert!(number_place(Some(&cursor(at, id))).is_err());
        assert_eq!(text_place(Some(&text_cursor("1.0.0+b"))).unwrap().as_deref(), Some("1.0.0+b"));
        assert!(place(Some(&text_cursor("1.0.0"))).is_err() && text_place(Some(&cursor(at, id))).is_err());
        assert!(text_place(Some(&text_cursor("\0"))).is_err());
    }

    #[test]
    fn the_row_too_many_is_not_shown() {
        let page = Page::of(vec![3, 2, 1], 2, |n| number_cursor(*n), |n| n);
        assert_eq!((page.items, page.next_cursor), (vec![3, 2], Some(number_cursor(2))));
        assert_eq!(Page::of(vec![1], 1, |n| number_cursor(*n), |n| n).next_cursor, None);
        assert!(limit(Some(0)).is_err() && limit(Some(1001)).is_err() && limit(None).unwrap() == 100);
    }
}
