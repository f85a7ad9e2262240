//! SQL of the outbox: deliveries, their attempts and the incidents they tell of.
//!
//! Statements only. A delivery is claimed with `FOR UPDATE SKIP LOCKED` under a lease; its result is written only while the
//! same claim still holds it (`lease_owner` and `attempts`), so a sender that was frozen changes nothing. All statements of
//! the dispatcher name the queue, because a replay sends its own messages.

mod reading;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

pub use reading::{Filter, attempts, get, incidents_of, list};

/// One message to one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// UUIDv5 of event, channel and recipient: the same message has the same id for ever.
    pub id: Uuid,
    /// What happened.
    pub event_id: Uuid,
    /// opened, resolved, opened_and_resolved, test.
    pub event_kind: String,
    /// Name of the channel.
    pub channel: String,
    /// email, webhook; `unknown` for a channel that is not configured.
    pub channel_kind: String,
    /// Address or endpoint, without secrets.
    pub recipient: String,
    /// The queue of the run that caused it.
    pub queue: String,
    /// pending, leased, sent, retry, dead, merged, uncertain.
    pub state: String,
    /// One line that says what it is about.
    pub subject: String,
    /// What the channel froze when the event happened.
    pub message: Value,
    /// The run that caused it.
    pub run_id: Option<Uuid>,
    /// How often sending was tried.
    pub attempts: i32,
    /// When it is due.
    pub next_attempt_at: DateTime<Utc>,
    /// The delivery that was sent in its place.
    pub merged_into: Option<Uuid>,
    /// Why the latest attempt failed.
    pub last_error: Option<String>,
    /// When the event happened to us.
    pub created_at: DateTime<Utc>,
    /// When it was accepted.
    pub sent_at: Option<DateTime<Utc>>,
}

/// A delivery to be written.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// See [`Delivery::id`].
    pub id: Uuid,
    /// See [`Delivery::event_id`].
    pub event_id: Uuid,
    /// See [`Delivery::event_kind`].
    pub event_kind: String,
    /// See [`Delivery::channel`].
    pub channel: String,
    /// See [`Delivery::channel_kind`].
    pub channel_kind: String,
    /// See [`Delivery::recipient`].
    pub recipient: String,
    /// See [`Delivery::queue`].
    pub queue: String,
    /// See [`Delivery::subject`].
    pub subject: String,
    /// See [`Delivery::message`].
    pub message: Value,
    /// See [`Delivery::run_id`].
    pub run_id: Option<Uuid>,
    /// Why it can never be sent; none for a message that is due now.
    pub dead: Option<String>,
}

/// One try to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Counts from 1.
    pub attempt: i32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// sent, retry, dead, uncertain.
    pub outcome: String,
    /// HTTP status or SMTP reply code.
    pub status: Option<i32>,
    /// How long it took.
    pub latency_ms: i64,
    /// What the other side said, or what went wrong.
    pub excerpt: Option<String>,
}

/// The announcement of incidents to one recipient, with all incidents it tells of.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The delivery.
    pub id: Uuid,
    /// Its channel.
    pub channel: String,
    /// Its recipient.
    pub recipient: String,
    /// Its state.
    pub state: String,
    /// Its frozen message (threads refer to it).
    pub message: Value,
    /// Every incident that it announces.
    pub incidents: Vec<Uuid>,
}

// One column list for all readers.
macro_rules! delivery_columns {
    ($before:tt, $after:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Delivery,
            $before
                + " d.id, d.event_id, d.event_kind, d.channel, d.channel_kind, d.recipient, d.queue, d.state, d.subject,
                    d.message, d.run_id, d.attempts, d.next_attempt_at, d.merged_into, d.last_error, d.created_at,
                    d.sent_at "
                + $after,
            $($argument),*
        )
    };
}
use delivery_columns;

/// What time the database says it is (simulated in a replay), and the trace that a run belongs to.
///
/// # Errors
/// What the database says.
pub async fn now_and_trace(
    conn: &mut PgConnection,
    run_id: Uuid,
) -> Result<(DateTime<Utc>, Option<String>), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT steward_now() AS "now!", (SELECT traceparent FROM runs WHERE id = $1) AS traceparent"#,
        run_id
    )
    .fetch_one(conn)
    .await?;
    Ok((row.now, row.traceparent))
}

/// Writes a delivery and the incidents it tells of; an id that is there already changes nothing and returns false.
///
/// # Errors
/// What the database says.
pub async fn insert(conn: &mut PgConnection, new: &NewDelivery, incidents: &[Uuid]) -> Result<bool, sqlx::Error> {
    let state = if new.dead.is_some() { "dead" } else { "pending" };
    let done = sqlx::query!(
        "INSERT INTO deliveries (id, event_id, event_kind, channel, channel_kind, recipient, queue, state, subject,
                                 message, run_id, last_error)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING",
        new.id,
        new.event_id,
        new.event_kind,
        new.channel,
        new.channel_kind,
        new.recipient,
        new.queue,
        state,
        new.subject,
        new.message,
        new.run_id,
        new.dead
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO delivery_incidents (delivery_id, incident_id)
         SELECT $1, incident FROM unnest($2::uuid[]) AS incident ON CONFLICT DO NOTHING",
        new.id,
        incidents
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The announcements of these incidents, locked, so that none is claimed while it is being merged. Ordered by time and id.
///
/// # Errors
/// What the database says.
pub async fn openings(conn: &mut PgConnection, incidents: &[Uuid]) -> Result<Vec<Opening>, sqlx::Error> {
    sqlx::query_as!(
        Opening,
        r#"SELECT d.id, d.channel, d.recipient, d.state, d.message,
                  ARRAY(SELECT i.incident_id FROM delivery_incidents i WHERE i.delivery_id = d.id
                        ORDER BY i.incident_id) AS "incidents!"
           FROM deliveries d
           WHERE d.event_kind = 'opened'
             AND d.id IN (SELECT delivery_id FROM delivery_incidents WHERE incident_id = ANY($1))
           ORDER BY d.created_at, d.id FOR UPDATE OF d"#,
        incidents
    )
    .fetch_all(conn)
    .await
}

/// Marks deliveries as told by another one.
///
/// # Errors
/// What the database says.
pub async fn merge(conn: &mut PgConnection, ids: &[Uuid], into: Uuid, reason: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE deliveries SET state = 'merged', merged_into = $2, last_error = $3 WHERE id = ANY($1) AND id <> $2",
        ids,
        into,
        reason
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes deliveries due again whose sender gave no result in time, and keeps that attempt; returns how many.
///
/// # Errors
/// What the database says.
pub async fn expire_leases(pool: &PgPool, queue: &str) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "WITH lost AS (
             SELECT id, attempts, lease_until FROM deliveries
             WHERE queue = $1 AND state = 'leased' AND lease_until <= steward_now()
             ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED),
         kept AS (
             INSERT INTO delivery_attempts (delivery_id, attempt, started_at, finished_at, outcome, latency_ms, excerpt)
             SELECT id, attempts, lease_until, lease_until, 'retry', 0,
                    'no result: the process that was sending it stopped' FROM lost
             ON CONFLICT DO NOTHING)
         UPDATE deliveries d SET state = 'retry', lease_owner = NULL, lease_until = NULL, next_attempt_at = steward_now(),
                last_error = 'the process that was sending it stopped; it is sent again with the same id'
         FROM lost WHERE d.id = lost.id",
        queue
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// The channels that have something due, in alphabetical order.
///
/// # Errors
/// What the database says.
pub async fn due_channels(pool: &PgPool, queue: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT DISTINCT channel FROM deliveries
         WHERE queue = $1 AND state IN ('pending', 'retry', 'uncertain') AND next_attempt_at <= steward_now()
         ORDER BY channel",
        queue
    )
    .fetch_all(pool)
    .await
}

/// Takes up to `limit` due deliveries of a channel, oldest first, for `lease_seconds`. Those in `except` are left.
///
/// # Errors
/// What the database says.
pub async fn claim(
    pool: &PgPool,
    queue: &str,
    channel: &str,
    owner: Uuid,
    lease_seconds: f64,
    limit: i64,
    except: &[Uuid],
) -> Result<Vec<Delivery>, sqlx::Error> {
    let mut claimed = delivery_columns!(
        "WITH due AS (
             SELECT id FROM deliveries
             WHERE queue = $1 AND channel = $2 AND state IN ('pending', 'retry', 'uncertain')
               AND next_attempt_at <= steward_now() AND id <> ALL($6)
             ORDER BY next_attempt_at, id LIMIT $5 FOR UPDATE SKIP LOCKED)
         UPDATE deliveries d SET state = 'leased', lease_owner = $3, lease_until = steward_now() + make_interval(secs => $4),
                attempts = d.attempts + 1
         FROM due WHERE d.id = due.id RETURNING",
        "",
        queue,
        channel,
        owner,
        lease_seconds,
        limit,
        except
    )
    .fetch_all(pool)
    .await?;
    claimed.sort_by_key(|delivery| (delivery.next_attempt_at, delivery.id)); // RETURNING has no order
    Ok(claimed)
}

/// Writes the result of an attempt. Returns whether the claim still held the delivery; if not, only the attempt is kept.
///
/// `state` is what the delivery becomes, `delay_seconds` when it is due again (for `retry` and `uncertain`).
///
/// # Errors
/// What the database says.
pub async fn finish(
    pool: &PgPool,
    delivery: &Delivery,
    owner: Uuid,
    attempt: &Attempt,
    state: &str,
    delay_seconds: Option<f64>,
) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let done = sqlx::query!(
        "UPDATE deliveries SET state = $4, lease_owner = NULL, lease_until = NULL,
                next_attempt_at = steward_now() + make_interval(secs => coalesce($5::float8, 0)),
                last_error = CASE WHEN $4 = 'sent' THEN NULL ELSE $6 END,
                sent_at = CASE WHEN $4 = 'sent' THEN steward_now() END
         WHERE id = $1 AND lease_owner = $2 AND attempts = $3 AND state = 'leased'",
        delivery.id,
        owner,
        attempt.attempt,
        state,
        delay_seconds,
        attempt.excerpt
    )
    .execute(&mut *tx)
    .await?;
    // The lease may have been taken for lost meanwhile; what really happened replaces that note.
    sqlx::query!(
        "INSERT INTO delivery_attempts (delivery_id, attempt, started_at, finished_at, outcome, status, latency_ms, excerpt)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (delivery_id, attempt) DO UPDATE SET started_at = excluded.started_at,
             finished_at = excluded.finished_at, outcome = excluded.outcome, status = excluded.status,
             latency_ms = excluded.latency_ms, excerpt = excluded.excerpt",
        delivery.id,
        attempt.attempt,
        attempt.started_at,
        attempt.finished_at,
        attempt.outcome,
        attempt.status,
        attempt.latency_ms,
        attempt.excerpt
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// How many attempts of a delivery ended `uncertain`.
///
/// # Errors
/// What the database says.
pub async fn uncertain_attempts(pool: &PgPool, id: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM delivery_attempts WHERE delivery_id = $1 AND outcome = 'uncertain'"#,
        id
    )
    .fetch_one(pool)
    .await
}

/// Makes a dead delivery due now; its count of attempts goes on. Returns whether it was dead.
///
/// # Errors
/// What the database says.
pub async fn revive(conn: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE deliveries SET state = 'retry', next_attempt_at = steward_now() WHERE id = $1 AND state = 'dead'",
        id
    )
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 1 {
        sqlx::query!("SELECT pg_notify('steward_deliveries', queue) FROM deliveries WHERE id = $1", id)
            .fetch_optional(conn)
            .await?;
    }
    Ok(done.rows_affected() == 1)
}
