//! The audit trail: `governance_events`, an append-only chain of hashes.
//!
//! [`append`] belongs into the transaction of the effect, as late as possible: it locks the one head row until the
//! commit, so that the order of the rows is the order of the commits. [`verify`] reads the chain from the start and says
//! where it breaks. Tamper-evident, not tamper-proof: nobody edits, removes or inserts a row unseen without rewriting all
//! that follows. No rule of the domain stands here.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};

/// How it is known who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// By an API token: authenticated.
    Token,
    /// By their own word: the command line, or the open mode on loopback.
    Local,
    /// Steward itself: a run, the scheduler.
    System,
}

impl ActorKind {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Local => "local",
            Self::System => "system",
        }
    }
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The principal's name.
    pub name: String,
    /// How the name is known.
    pub kind: ActorKind,
    /// The HTTP request that carried it, for finding its log lines.
    pub request_id: Option<String>,
}

impl Actor {
    /// Somebody at a terminal or in the open mode, by their own word.
    #[must_use]
    pub fn local(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: ActorKind::Local, request_id: None }
    }

    /// A part of Steward, such as `steward:worker`.
    #[must_use]
    pub fn system(part: &str) -> Self {
        Self { name: format!("steward:{part}"), kind: ActorKind::System, request_id: None }
    }
}

/// Whether what was asked for was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was.
    Done,
    /// It was refused.
    Denied,
}

/// What happened.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// What, as `noun.verb` in the past tense: `model.promoted`.
    pub action: &'a str,
    /// Done or refused.
    pub outcome: Outcome,
    /// What kind of thing it was done to: `model`, `run`, `token`.
    pub subject_kind: &'a str,
    /// Which one: `name/version`, an id.
    pub subject: &'a str,
    /// The rest, for whoever asks later. Never a secret.
    pub detail: Value,
}

/// Writes an event at the end of the chain and answers its sequence number.
///
/// # Errors
/// Any error of the database.
pub async fn append(conn: &mut PgConnection, event: &Event<'_>) -> Result<i64, sqlx::Error> {
    let outcome = match event.outcome {
        Outcome::Done => "done",
        Outcome::Denied => "denied",
    };
    sqlx::query_scalar!(
        r#"SELECT append_governance_event($1, $2, $3, $4, $5, $6, $7, $8) AS "sequence!""#,
        // PostgreSQL's text cannot hold NUL; nothing else is changed.
        event.actor.name.replace('\0', "\u{fffd}"),
        event.actor.kind.as_str(),
        event.action,
        outcome,
        event.subject_kind,
        event.subject.replace('\0', "\u{fffd}"),
        event.actor.request_id,
        event.detail.to_string(),
    )
    .fetch_one(conn)
    .await
}

/// A row of the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct EventRow {
    pub sequence: i64,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub actor_kind: String,
    pub action: String,
    pub outcome: String,
    pub subject_kind: String,
    pub subject: String,
    pub request_id: Option<String>,
    /// The exact text that was hashed.
    pub detail: String,
    pub previous_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

impl EventRow {
    /// The hash that this row must have (see the migration `governance_events` for what is hashed).
    #[must_use]
    pub fn expected_hash(&self) -> Vec<u8> {
        let mut hasher = Sha256::new();
        hasher.update(&self.previous_hash);
        hasher.update(self.sequence.to_be_bytes());
        hasher.update(self.at.timestamp_micros().to_be_bytes());
        let request_id = self.request_id.as_deref().unwrap_or_default();
        for text in [
            self.actor.as_str(),
            &self.actor_kind,
            &self.action,
            &self.outcome,
            &self.subject_kind,
            &self.subject,
            request_id,
            &self.detail,
        ] {
            hasher.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().to_vec()
    }
}

/// Which events are wanted; newest first.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By this principal.
    pub actor: Option<String>,
    /// This action.
    pub action: Option<String>,
    /// `done` or `denied`.
    pub outcome: Option<String>,
    /// To this kind of thing.
    pub subject_kind: Option<String>,
    /// To this thing.
    pub subject: Option<String>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
    /// Only those before this sequence number: the page after it.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

/// The events that fit, newest first.
///
/// # Errors
/// Any error of the database.
pub async fn list(pool: &PgPool, filter: &Filter) -> Result<Vec<EventRow>, sqlx::Error> {
    sqlx::query_as!(
        EventRow,
        "SELECT sequence, at, actor, actor_kind, action, outcome, subject_kind, subject, request_id, detail, previous_hash, hash
           FROM governance_events
          WHERE ($1::text IS NULL OR actor = $1) AND ($2::text IS NULL OR action = $2)
            AND ($3::text IS NULL OR outcome = $3) AND ($4::text IS NULL OR subject_kind = $4)
            AND ($5::text IS NULL OR subject = $5) AND ($6::timestamptz IS NULL OR at >= $6)
            AND ($7::timestamptz IS NULL OR at < $7) AND ($8::bigint IS NULL OR sequence < $8)
          ORDER BY sequence DESC
          LIMIT $9",
        filter.actor,
        filter.action,
        filter.outcome,
        filter.subject_kind,
        filter.subject,
        filter.since,
        filter.until,
        filter.before,
        filter.limit,
    )
    .fetch_all(pool)
    .await
}

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Rows read.
    pub events: i64,
    /// The hash of the last one, in hex: noted elsewhere (an export, a ticket), it also proves that nothing was cut off.
    pub head: String,
    /// The first thing that is wrong; none when the chain holds.
    pub problem: Option<String>,
}

/// Reads the whole chain, row by row, and says where it breaks first.
///
/// # Errors
/// Any error of the database.
pub async fn verify(pool: &PgPool) -> Result<Verification, sqlx::Error> {
    // One snapshot: what is appended meanwhile is not half seen.
    let mut tx = pool.begin().await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *tx).await?;
    let head = sqlx::query!("SELECT sequence, hash FROM governance_head").fetch_optional(&mut *tx).await?;
    let mut last = (0_i64, vec![0_u8; 32]);
    let mut problem = None;
    {
        let mut rows = sqlx::query_as!(
            EventRow,
            "SELECT sequence, at, actor, actor_kind, action, outcome, subject_kind, subject, request_id, detail,
                    previous_hash, hash
               FROM governance_events ORDER BY sequence"
        )
        .fetch(&mut *tx);
        while let Some(row) = rows.try_next().await? {
            problem = broken(&row, &last);
            if problem.is_some() {
                break;
            }
            last = (row.sequence, row.hash);
        }
    }
    tx.commit().await?;
    if problem.is_none() {
        problem = match head {
            None => Some("the head of the chain is missing".to_owned()),
            Some(head) if (head.sequence, &head.hash) != (last.0, &last.1) => Some(format!(
                "the chain ends at event {}, but its head says {}: events at the end were removed or added",
                last.0, head.sequence
            )),
            Some(_) => None,
        };
    }
    Ok(Verification { events: last.0, head: hex::encode(last.1), problem })
}

fn broken(row: &EventRow, last: &(i64, Vec<u8>)) -> Option<String> {
    if row.sequence != last.0 + 1 {
        return Some(format!("event {} is missing: {} follows {}", last.0 + 1, row.sequence, last.0));
    }
    if row.previous_hash != last.1 {
        return Some(format!("event {} does not follow from event {}: one of them was replaced", row.sequence, last.0));
    }
    (row.expected_hash() != row.hash)
        .then(|| format!("event {} ({} by {}) was edited: its hash does not fit", row.sequence, row.action, row.actor))
}
