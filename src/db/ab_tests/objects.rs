//! What a test keeps of the objects it has read: `ab_test_objects`. Statements only.

use sqlx::PgConnection;
use uuid::Uuid;

/// An object as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadObject {
    /// Which input it belongs to: `current` or `reference`.
    pub role: String,
    /// Its URI.
    pub object: String,
    /// Its etag then.
    pub etag: Option<String>,
    /// Its version then, where the store keeps versions.
    pub version: Option<String>,
    /// Its size then.
    pub size_bytes: i64,
    /// Digest of what was asked of its rows.
    pub reading: String,
    /// Whether all its rows lay before the cut-off, so that a later cut-off gives the same.
    pub is_complete: bool,
    /// What was found.
    pub records: Vec<u8>,
}

/// The objects that a test has read.
///
/// # Errors
/// Any error of the database.
pub async fn known(conn: &mut PgConnection, test_id: Uuid) -> Result<Vec<ReadObject>, sqlx::Error> {
    sqlx::query_as!(
        ReadObject,
        "SELECT role, object, etag, version, size_bytes, reading, is_complete, records FROM ab_test_objects
          WHERE test_id = $1 ORDER BY role, object",
        test_id
    )
    .fetch_all(conn)
    .await
}

/// Keeps an object as it was read now.
///
/// # Errors
/// Any error of the database.
pub async fn keep(conn: &mut PgConnection, test_id: Uuid, read: &ReadObject) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO ab_test_objects (test_id, role, object, etag, version, size_bytes, reading, is_complete, records)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (test_id, role, object) DO UPDATE SET etag = $4, version = $5, size_bytes = $6, reading = $7,
             is_complete = $8, records = $9, read_at = steward_now()",
        test_id,
        read.role,
        read.object,
        read.etag,
        read.version,
        read.size_bytes,
        read.reading,
        read.is_complete,
        read.records
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets objects that are no longer there.
///
/// # Errors
/// Any error of the database.
pub async fn forget(conn: &mut PgConnection, test_id: Uuid, role: &str, gone: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM ab_test_objects WHERE test_id = $1 AND role = $2 AND object = ANY($3)",
        test_id,
        role,
        gone
    )
    .execute(conn)
    .await?;
    Ok(())
}
