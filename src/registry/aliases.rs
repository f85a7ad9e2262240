//! Aliases: names that move from version to version, such as `champion` or `canary`.

use serde_json::json;
use sqlx::PgConnection;

use super::change::append;
use super::error::Error;
use super::fields::Checks;
use super::read;
use crate::db::audit::Actor;
use crate::db::model_names::{self, AliasRow};
use crate::db::models::{self, ModelVersion};

fn check(name: &str, alias: &str) -> Result<(), Error> {
    let mut checks = Checks::default();
    checks.model_name("/model_name", name);
    let fits = alias.len() <= 64
        && alias.starts_with(|c: char| c.is_ascii_alphabetic())
        && alias.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if !fits || alias == "latest" {
        let shown: String = alias.chars().take(80).collect();
        checks.add(
            "/alias",
            format!(
                "{shown:?} is no alias: it begins with a letter and has letters, digits, `_` and `-`, 64 at most, and is not \
                 `latest`; such as champion"
            ),
        );
    }
    checks.finish()
}

/// Lets an alias name a version, from now on.
///
/// # Errors
/// [`Error::Invalid`], what [`super::get`] says, or the database's.
pub async fn set_alias(
    conn: &mut PgConnection,
    name: &str,
    alias: &str,
    version: &str,
    actor: &Actor,
) -> Result<AliasRow, Error> {
    check(name, alias)?;
    models::lock(conn, name).await?;
    let version = read::get(conn, name, version).await?;
    let before = model_names::alias(conn, name, alias).await?;
    if let Some(before) = &before
        && before.version == version.version
    {
        return Ok(before.clone());
    }
    model_names::set_alias(conn, name, alias, version.id, &actor.name).await?;
    // Its aliases are part of what a version answers.
    models::touch(conn, version.id).await?;
    if let Some(before) = &before {
        touch(conn, name, &before.version).await?;
    }
    let after = find(conn, name, alias).await?;
    let detail = json!({ "alias": alias, "before": before.map(|b| b.version) });
    append(conn, actor, "model.alias_set", &version, detail).await?;
    Ok(after)
}

async fn touch(conn: &mut PgConnection, name: &str, version: &str) -> Result<(), Error> {
    let version = read::get(conn, name, version).await?;
    Ok(models::touch(conn, version.id).await?)
}

async fn find(conn: &mut PgConnection, name: &str, alias: &str) -> Result<AliasRow, Error> {
    let missing = || Error::NoAlias { model: name.to_owned(), alias: alias.to_owned() };
    if name.contains('\0') || alias.contains('\0') {
        return Err(missing());
    }
    model_names::alias(conn, name, alias).await?.ok_or_else(missing)
}

/// Removes an alias.
///
/// # Errors
/// [`Error::NoAlias`], or the database's.
pub async fn remove_alias(conn: &mut PgConnection, name: &str, alias: &str, actor: &Actor) -> Result<(), Error> {
    check(name, alias)?;
    models::lock(conn, name).await?;
    let before = find(conn, name, alias).await?;
    let version = read::get(conn, name, &before.version).await?;
    model_names::remove_alias(conn, name, alias).await?;
    models::touch(conn, version.id).await?;
    append(conn, actor, "model.alias_removed", &version, json!({ "alias": alias })).await?;
    Ok(())
}

/// The aliases of a model, in order.
///
/// # Errors
/// [`Error::NoModel`], or the database's.
pub async fn alias_list(conn: &mut PgConnection, name: &str) -> Result<Vec<AliasRow>, Error> {
    if name.contains('\0') || !models::exists(conn, name).await? {
        return Err(Error::NoModel(name.to_owned()));
    }
    Ok(model_names::aliases(conn, name).await?)
}

/// The version that an alias names.
///
/// # Errors
/// [`Error::NoAlias`], or the database's.
pub async fn resolve_alias(conn: &mut PgConnection, name: &str, alias: &str) -> Result<ModelVersion, Error> {
    let found = find(conn, name, alias).await?;
    read::get(conn, name, &found.version).await
}
