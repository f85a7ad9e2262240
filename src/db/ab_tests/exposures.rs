//! Who was assigned to which arm: `ab_exposures`. Statements only.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A unit that was assigned.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Exposure {
    /// The unit.
    pub unit: String,
    /// `a` or `b`.
    pub variant: String,
    /// When it was assigned first.
    pub first_seen: DateTime<Utc>,
    /// When it was assigned last.
    pub last_seen: DateTime<Utc>,
    /// How often.
    pub count: i64,
}

/// Notes that units were assigned to an arm. Units are taken in their order, so that two batches never wait for each other in a circle;
/// a unit stands in `units` once.
///
/// # Errors
/// Any error of the database.
pub async fn note(
    conn: &mut PgConnection,
    test_id: Uuid,
    units: &[String],
    variants: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO ab_exposures AS e (test_id, unit, variant)
         SELECT $1, u.unit, u.variant FROM unnest($2::text[], $3::text[]) AS u (unit, variant) ORDER BY u.unit COLLATE \"C\"
         ON CONFLICT (test_id, unit) DO UPDATE SET last_seen = steward_now(), count = e.count + 1",
        test_id,
        units,
        variants
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Units of A and of B that were assigned.
///
/// # Errors
/// Any error of the database.
pub async fn counts(conn: &mut PgConnection, test_id: Uuid) -> Result<[i64; 2], sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE variant = 'a') AS "a!", count(*) FILTER (WHERE variant = 'b') AS "b!"
             FROM ab_exposures WHERE test_id = $1"#,
        test_id
    )
    .fetch_one(conn)
    .await?;
    Ok([row.a, row.b])
}

/// Assigned units in their order, after the unit `after`.
///
/// # Errors
/// Any error of the database.
pub async fn list(pool: &PgPool, test_id: Uuid, after: &str, limit: i64) -> Result<Vec<Exposure>, sqlx::Error> {
    sqlx::query_as!(
        Exposure,
        "SELECT unit, variant, first_seen, last_seen, count FROM ab_exposures
          WHERE test_id = $1 AND unit > $2 ORDER BY unit LIMIT $3",
        test_id,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// Rows that were posted for one arm, of units that were assigned to the other.
///
/// # Errors
/// Any error of the database.
pub async fn posted_otherwise(conn: &mut PgConnection, test_id: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "rows!" FROM ab_observations o JOIN ab_exposures e ON e.test_id = o.test_id AND e.unit = o.unit
            WHERE o.test_id = $1 AND o.variant <> e.variant"#,
        test_id
    )
    .fetch_one(conn)
    .await
}
