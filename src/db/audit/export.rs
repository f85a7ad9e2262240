//! The audit trail as JSON lines: one event a line, all that is needed to compute its hash again without the database.

use chrono::{DateTime, SecondsFormat, Utc};
use futures::stream::{self, Stream, TryStreamExt};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::{EventRow, page};

/// Rows that are read at once.
const PAGE: i64 = 1000;

/// A line; the order of the fields is the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sequence: i64,
    at: String,
    actor: String,
    actor_kind: String,
    action: String,
    outcome: String,
    subject_kind: String,
    subject: String,
    request_id: Option<String>,
    /// The exact text that was hashed, so a text here too.
    detail: String,
    previous_hash: String,
    hash: String,
}

/// An event as a line, without its end.
#[must_use]
pub fn to_line(row: &EventRow) -> String {
    let line = Line {
        sequence: row.sequence,
        at: row.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        actor: row.actor.clone(),
        actor_kind: row.actor_kind.clone(),
        action: row.action.clone(),
        outcome: row.outcome.clone(),
        subject_kind: row.subject_kind.clone(),
        subject: row.subject.clone(),
        request_id: row.request_id.clone(),
        detail: row.detail.clone(),
        previous_hash: hex::encode(&row.previous_hash),
        hash: hex::encode(&row.hash),
    };
    // Texts and numbers can always be written.
    serde_json::to_string(&line).unwrap_or_default()
}

/// The event of a line.
///
/// # Errors
/// Why it is none: also when it means the same and is written in another way than [`to_line`] does.
pub fn from_line(text: &str) -> Result<EventRow, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| format!("is no event: {error}"))?;
    let at = DateTime::parse_from_rfc3339(&line.at).map_err(|error| format!("has no time in `at`: {error}"))?;
    let bytes = |text: &str| hex::decode(text).map_err(|error| format!("has a hash that is none: {error}"));
    let row = EventRow {
        sequence: line.sequence,
        at: at.with_timezone(&Utc),
        previous_hash: bytes(&line.previous_hash)?,
        hash: bytes(&line.hash)?,
        actor: line.actor,
        actor_kind: line.actor_kind,
        action: line.action,
        outcome: line.outcome,
        subject_kind: line.subject_kind,
        subject: line.subject,
        request_id: line.request_id,
        detail: line.detail,
    };
    if to_line(&row) == text { Ok(row) } else { Err("is not written as an export writes it".to_owned()) }
}

/// The events `from..=to` in order, a page at a time: rows are never changed, so no long transaction is needed.
pub fn events(pool: &PgPool, from: i64, to: i64) -> impl Stream<Item = Result<EventRow, sqlx::Error>> + use<> {
    let pages = stream::try_unfold((pool.clone(), Some(from)), move |(pool, from)| async move {
        let Some(from) = from.filter(|from| *from <= to) else { return Ok(None) };
        let rows = page(&mut *pool.acquire().await?, from, to, PAGE).await?;
        let next = rows.last().map(|row| row.sequence + 1);
        Ok::<_, sqlx::Error>(next.map(|next| (stream::iter(rows.into_iter().map(Ok)), (pool, Some(next)))))
    });
    pages.try_flatten()
}
