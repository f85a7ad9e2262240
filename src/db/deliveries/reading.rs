//! Looking at the outbox: one delivery, lists of them, their attempts and incidents. Changes nothing.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::{Attempt, Delivery, delivery_columns};

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this state.
    pub state: Option<String>,
    /// Only of this channel.
    pub channel: Option<String>,
    /// Only about this incident.
    pub incident: Option<Uuid>,
    /// Only of this run.
    pub run: Option<Uuid>,
    /// At most so many.
    pub limit: i64,
    /// Only those after this (created_at, id) of the page before.
    pub after: Option<(DateTime<Utc>, Uuid)>,
}

/// One delivery.
///
/// # Errors
/// What the database says.
pub async fn get(from: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Delivery>, sqlx::Error> {
    delivery_columns!("SELECT", "FROM deliveries d WHERE d.id = $1", id).fetch_optional(from).await
}

/// Deliveries, newest first.
///
/// # Errors
/// What the database says.
pub async fn list(pool: &PgPool, filter: &Filter) -> Result<Vec<Delivery>, sqlx::Error> {
    let (after_at, after_id) = filter.after.unzip();
    delivery_columns!(
        "SELECT",
        "FROM deliveries d
         WHERE ($1::text IS NULL OR d.state = $1) AND ($2::text IS NULL OR d.channel = $2)
           AND ($3::uuid IS NULL OR d.run_id = $3)
           AND ($4::uuid IS NULL OR d.id IN (SELECT delivery_id FROM delivery_incidents WHERE incident_id = $4))
           AND ($5::timestamptz IS NULL OR d.created_at < $5 OR (d.created_at = $5 AND d.id > $6))
         ORDER BY d.created_at DESC, d.id LIMIT $7",
        filter.state.as_deref(),
        filter.channel.as_deref(),
        filter.run,
        filter.incident,
        after_at,
        after_id,
        filter.limit
    )
    .fetch_all(pool)
    .await
}

/// The attempts of a delivery, oldest first.
///
/// # Errors
/// What the database says.
pub async fn attempts(pool: &PgPool, id: Uuid) -> Result<Vec<Attempt>, sqlx::Error> {
    sqlx::query_as!(
        Attempt,
        "SELECT attempt, started_at, finished_at, outcome, status, latency_ms, excerpt FROM delivery_attempts
         WHERE delivery_id = $1 ORDER BY attempt",
        id
    )
    .fetch_all(pool)
    .await
}

/// The incidents that a delivery tells of.
///
/// # Errors
/// What the database says.
pub async fn incidents_of(conn: &mut PgConnection, id: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("SELECT incident_id FROM delivery_incidents WHERE delivery_id = $1 ORDER BY incident_id", id)
        .fetch_all(conn)
        .await
}
