//! The audit trail: `governance_events`, an append-only chain of hashes.
//!
//! [`append`] belongs into the transaction of the effect, as late as possible: it locks the one head row until the
//! commit, so that the order of the rows is the order of the commits. [`verify`] reads the chain from the start and says
//! where it breaks; [`export`] is the form in which it leaves the database. Tamper-evident, not tamper-proof: nobody edits,
//! removes or inserts a row unseen without rewriting all that follows. No rule of the domain stands here.

pub mod chain;
pub mod export;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};

pub use chain::{Chain, Verification, verify};

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
        event.actor.request_id.as_ref().map(|id| id.replace('\0', "\u{fffd}")),
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
        for text in [
            Some(self.actor.as_str()),
            Some(&self.actor_kind),
            Some(&self.action),
            Some(&self.outcome),
            Some(&self.subject_kind),
            Some(&self.subject),
            self.request_id.as_deref(),
            Some(&self.detail),
        ] {
            let Some(text) = text else {
                // Absent is not empty.
                hasher.update((-1_i32).to_be_bytes());
                continue;
            };
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

/// The events `from..=to`, oldest first; a page of a walk along the chain.
///
/// # Errors
/// Any error of the database.
pub async fn page(conn: &mut PgConnection, from: i64, to: i64, limit: i64) -> Result<Vec<EventRow>, sqlx::Error> {
    sqlx::query_as!(
        EventRow,
        "SELECT sequence, at, actor, actor_kind, action, outcome, subject_kind, subject, request_id, detail, previous_hash, hash
           FROM governance_events WHERE sequence BETWEEN $1 AND $2 ORDER BY sequence LIMIT $3",
        from,
        to,
        limit
    )
    .fetch_all(conn)
    .await
}
