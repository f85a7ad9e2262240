//! Model cards: what people should know about a version, in Markdown, every edition kept.

use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::change::append;
use super::error::Error;
use super::fields::Checks;
use super::read;
use crate::db::audit::Actor;
use crate::db::model_names::{self, CardRow};
use crate::db::models;

/// Longest card, in bytes.
const LONGEST_CARD: usize = 1024 * 1024;

/// Adds an edition. The text of the newest one again adds none.
///
/// # Errors
/// [`Error::Invalid`], what [`super::get`] says, or the database's.
pub async fn add_card(
    conn: &mut PgConnection,
    name: &str,
    version: &str,
    body: &str,
    actor: &Actor,
) -> Result<CardRow, Error> {
    let mut checks = Checks::default();
    checks.model_name("/model_name", name);
    if body.trim().is_empty() {
        checks.add("/body", "a model card is not empty");
    }
    if body.contains('\0') {
        checks.add("/body", "a text cannot hold the character NUL (\\u0000)");
    }
    if body.len() > LONGEST_CARD {
        checks.add("/body", format!("this card has {} bytes; {LONGEST_CARD} are the most", body.len()));
    }
    checks.finish()?;
    models::lock(conn, name).await?;
    let version = read::get(conn, name, version).await?;
    if let Some(newest) = model_names::card(conn, version.id, None).await?
        && newest.body == body
    {
        return Ok(newest);
    }
    let card = model_names::add_card(conn, version.id, body, &actor.name).await?;
    let digest = hex::encode(Sha256::digest(body));
    append(conn, actor, "model.card_added", &version, json!({ "edition": card.edition, "sha256": digest })).await?;
    Ok(card)
}

/// An edition of a card; none asks for the newest.
///
/// # Errors
/// [`Error::NoCard`], what [`super::get`] says, or the database's.
pub async fn card(conn: &mut PgConnection, name: &str, version: &str, edition: Option<i32>) -> Result<CardRow, Error> {
    let version = read::get(conn, name, version).await?;
    let found = model_names::card(conn, version.id, edition).await?;
    found.ok_or_else(|| Error::NoCard { subject: version.subject(), edition })
}

/// All editions of a card, newest first.
///
/// # Errors
/// What [`super::get`] says, or the database's.
pub async fn card_editions(conn: &mut PgConnection, name: &str, version: &str) -> Result<Vec<CardRow>, Error> {
    let version = read::get(conn, name, version).await?;
    Ok(model_names::cards(conn, version.id).await?)
}
