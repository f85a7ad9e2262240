//! The objects a run read, as they were at first read.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Error;

/// One object as it was when first read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct InputPin {
    /// URI of the object, without credentials.
    pub object: String,
    /// Entity tag, when the store has one.
    pub etag: Option<String>,
    /// Version, when the store has one.
    pub version: Option<String>,
    /// Size in bytes.
    pub size_bytes: i64,
    /// Rows, when known.
    pub row_count: Option<i64>,
}

/// Stores the pins of one role (`reference`, `current`, `data`). A pin that is there already stays as it is: the first
/// read counts.
///
/// # Errors
/// Those of the database; a run that does not exist is one.
pub async fn pin_inputs(conn: &mut PgConnection, run_id: Uuid, role: &str, pins: &[InputPin]) -> Result<(), Error> {
    let objects: Vec<String> = pins.iter().map(|pin| pin.object.clone()).collect();
    let etags: Vec<Option<String>> = pins.iter().map(|pin| pin.etag.clone()).collect();
    let versions: Vec<Option<String>> = pins.iter().map(|pin| pin.version.clone()).collect();
    let sizes: Vec<i64> = pins.iter().map(|pin| pin.size_bytes).collect();
    let rows: Vec<Option<i64>> = pins.iter().map(|pin| pin.row_count).collect();
    sqlx::query!(
        "INSERT INTO run_inputs (run_id, role, object, etag, version, size_bytes, row_count)
         SELECT $1, $2, u.* FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[]) AS u
         ON CONFLICT (run_id, role, object) DO NOTHING",
        run_id,
        role,
        &objects,
        &etags as &[Option<String>],
        &versions as &[Option<String>],
        &sizes,
        &rows as &[Option<i64>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets the pins of one role, because the objects changed and are read as they are now.
///
/// # Errors
/// Those of the database.
pub async fn unpin_inputs(conn: &mut PgConnection, run_id: Uuid, role: &str) -> Result<(), Error> {
    sqlx::query!("DELETE FROM run_inputs WHERE run_id = $1 AND role = $2", run_id, role).execute(conn).await?;
    Ok(())
}

/// All pins of a run with their roles, ordered by role and object: also earlier windows (`reference-1`, ...) and labels.
///
/// # Errors
/// Those of the database.
pub async fn all_inputs(conn: &mut PgConnection, run_id: Uuid) -> Result<Vec<(String, InputPin)>, Error> {
    let rows = sqlx::query!(
        "SELECT role, object, etag, version, size_bytes, row_count FROM run_inputs WHERE run_id = $1 ORDER BY role, object",
        run_id,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let pin = InputPin {
                object: row.object,
                etag: row.etag,
                version: row.version,
                size_bytes: row.size_bytes,
                row_count: row.row_count,
            };
            (row.role, pin)
        })
        .collect())
}

/// The pins of one role, ordered by object; empty when nothing was read yet.
///
/// # Errors
/// Those of the database.
pub async fn pinned_inputs(conn: &mut PgConnection, run_id: Uuid, role: &str) -> Result<Vec<InputPin>, Error> {
    Ok(sqlx::query_as!(
        InputPin,
        "SELECT object, etag, version, size_bytes, row_count FROM run_inputs
         WHERE run_id = $1 AND role = $2 ORDER BY object",
        run_id,
        role,
    )
    .fetch_all(conn)
    .await?)
}
