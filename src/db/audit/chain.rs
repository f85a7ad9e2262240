//! Walking along the chain of the audit trail, in the database or in an export, and saying where it breaks.

use serde::Serialize;
use sqlx::PgPool;

use crate::db::pool::begin;

use super::{EventRow, page};

/// Rows that are read at once.
const PAGE: i64 = 1000;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Verification {
    /// Rows read up to the end or the first problem.
    pub events: i64,
    /// The hash of the last one, in hex: noted elsewhere (an export, a ticket), it also proves that nothing was cut off.
    pub head: String,
    /// The first thing that is wrong; none when the chain holds.
    pub problem: Option<String>,
}

/// A walk: feed it the events in order.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    events: i64,
    first: Option<i64>,
    last: Option<(i64, Vec<u8>)>,
    problem: Option<String>,
}

impl Chain {
    /// A walk from the very beginning of the trail: its first event must be number 1.
    #[must_use]
    pub fn from_the_start() -> Self {
        Self { last: Some((0, vec![0; 32])), ..Self::default() }
    }

    /// A walk that begins anywhere: what the first event follows from is taken on its word, unless it is number 1.
    #[must_use]
    pub fn from_anywhere() -> Self {
        Self::default()
    }

    /// Takes the next event; false when it does not fit. The first problem stands.
    pub fn feed(&mut self, row: &EventRow) -> bool {
        if self.problem.is_some() {
            return false;
        }
        let start = || if row.sequence == 1 { (0, vec![0; 32]) } else { (row.sequence - 1, row.previous_hash.clone()) };
        let last = self.last.take().unwrap_or_else(start);
        self.problem = broken(row, &last);
        if self.problem.is_some() {
            self.last = Some(last);
            return false;
        }
        self.last = Some((row.sequence, row.hash.clone()));
        self.first.get_or_insert(row.sequence);
        self.events += 1;
        true
    }

    /// Notes a problem of another kind; the first one stands.
    pub fn fail(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    /// Number and hash of the last event that fits; zeros before the first.
    #[must_use]
    pub fn last(&self) -> (i64, Vec<u8>) {
        self.last.clone().unwrap_or_else(|| (0, vec![0; 32]))
    }

    /// Number of the first event that was fed and fits; none before it.
    #[must_use]
    pub fn first(&self) -> Option<i64> {
        self.first
    }

    /// The verdict.
    #[must_use]
    pub fn finish(self) -> Verification {
        let head = hex::encode(self.last().1);
        Verification { events: self.events, head, problem: self.problem }
    }
}

/// Reads the whole chain and says where it breaks first. With a `noted` hash, the trail must still hold the event of that
/// hash: a trail that was cut off and given a new head does not.
///
/// # Errors
/// Any error of the database.
pub async fn verify(pool: &PgPool, noted: Option<&[u8]>) -> Result<Verification, sqlx::Error> {
    // One snapshot: what is appended meanwhile is not half seen.
    let mut tx = begin(pool).await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *tx).await?;
    let head = sqlx::query!("SELECT sequence, hash FROM governance_head").fetch_optional(&mut *tx).await?;
    let mut chain = Chain::from_the_start();
    let mut is_noted = noted.is_none_or(|noted| noted == [0; 32]);
    let mut from = i64::MIN;
    'pages: loop {
        let rows = page(&mut tx, from, i64::MAX, PAGE).await?;
        let Some(end) = rows.last().map(|row| row.sequence) else { break };
        for row in &rows {
            if !chain.feed(row) {
                break 'pages;
            }
            is_noted |= noted == Some(row.hash.as_slice());
        }
        match end.checked_add(1) {
            Some(next) => from = next,
            None => break,
        }
    }
    tx.commit().await?;
    let (last, hash) = chain.last();
    match head {
        None => chain.fail("the head of the chain is missing".to_owned()),
        Some(head) if (head.sequence, &head.hash) != (last, &hash) => chain.fail(format!(
            "the chain ends at event {last}, but its head says {}: events at the end were removed or added",
            head.sequence
        )),
        Some(_) if !is_noted => chain.fail(format!(
            "no event has the hash {}, which was noted before: events were removed or the chain was written anew",
            hex::encode(noted.unwrap_or_default())
        )),
        Some(_) => {}
    }
    Ok(chain.finish())
}

fn broken(row: &EventRow, last: &(i64, Vec<u8>)) -> Option<String> {
    if row.sequence > last.0 + 1 {
        return Some(format!("event {} is missing: {} follows {}", last.0 + 1, row.sequence, last.0));
    }
    if row.sequence != last.0 + 1 {
        return Some(format!("event {} stands after event {}: it was inserted or moved", row.sequence, last.0));
    }
    if row.previous_hash != last.1 {
        return Some(format!("event {} does not follow from event {}: one of them was replaced", row.sequence, last.0));
    }
    (row.expected_hash() != row.hash)
        .then(|| format!("event {} ({} by {}) was edited: its hash does not fit", row.sequence, row.action, row.actor))
}
