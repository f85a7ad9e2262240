//! API tokens: 256 random bits behind `stw_`, shown once, kept as their SHA-256.
//!
//! What holds: nobody reads a token out of the database, a log or the audit trail; a token is looked up by its hash, so the
//! time that takes tells nothing about others; expired and revoked are told apart only to whoever holds the token. A fast
//! hash is enough because the secret is random, not chosen. Tokens are revoked, never removed.
//!
//! Uses `db`. Which scope an action needs is the entrance's business.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Principal, Scope, Scopes};
use crate::config::secret::Secret;
use crate::db::audit::{self, Actor, ActorKind, Event, Outcome};
use crate::db::tokens::{self, NewRow};

pub use crate::db::tokens::TokenRow;

/// What every token begins with, so that scanners for leaked secrets find it.
pub const MARK: &str = "stw_";
/// Characters of a token that are kept for people.
const PREFIX: usize = 12;
/// Characters of 32 bytes in base64 without padding.
const SECRET: usize = 43;

/// Whose token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A human being's.
    Person,
    /// A service account's: a pipeline, a serving process.
    Service,
}

impl TokenKind {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Person, Self::Service].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The principal that it stands for.
    pub name: String,
    /// Whose it is.
    pub kind: TokenKind,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it ends; none: when it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token just made.
#[derive(Debug)]
pub struct Created {
    /// The token itself: the only time that anybody sees it.
    pub token: Secret,
    /// Its row.
    pub row: TokenRow,
}

/// Why a token cannot be made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is not what it must be (422).
    #[error("{detail}")]
    Invalid {
        /// JSON pointer to the field.
        pointer: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// No such token (404).
    #[error("there is no token {0:?}; `steward token list --all` shows every one with its prefix and id")]
    NotFound(String),
    /// Two tokens begin alike (409).
    #[error("several tokens begin with {0:?}; name the one you mean by its id")]
    Ambiguous(String),
    /// The operating system gives no random bytes (503).
    #[error("the operating system gives no random bytes: {0}")]
    Randomness(String),
    /// The database (503).
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// The stable word for it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid_request",
            Self::NotFound(_) => "token_not_found",
            Self::Ambiguous(_) => "token_ambiguous",
            Self::Randomness(_) => "no_randomness",
            Self::Database(_) => "database_error",
        }
    }
}

/// Why a presented token lets nobody in. Everything but `Database` (503) is a 401.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// It cannot be a token of this program.
    #[error("this is no Steward token: it must be {MARK} and {SECRET} characters of base64url")]
    Malformed,
    /// Nobody holds it.
    #[error("this token is not known")]
    Unknown,
    /// Its time is over.
    #[error("this token has expired; make another one: steward token create")]
    Expired,
    /// Somebody revoked it.
    #[error("this token was revoked")]
    Revoked,
    /// The database did not answer.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl AuthError {
    /// The stable word for it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "token_malformed",
            Self::Unknown => "token_unknown",
            Self::Expired => "token_expired",
            Self::Revoked => "token_revoked",
            Self::Database(_) => "database_error",
        }
    }
}

/// Makes a token.
///
/// # Errors
/// [`Error::Invalid`] for a name, scopes or an end that cannot be; the operating system's and the database's.
pub async fn create(conn: &mut PgConnection, new: &NewToken, actor: &Actor) -> Result<Created, Error> {
    check(conn, new).await?;
    let mut bytes = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| Error::Randomness(error.to_string()))?;
    let token = format!("{MARK}{}", URL_SAFE_NO_PAD.encode(bytes));
    let scopes: Vec<String> = new.scopes.words().iter().map(|&word| word.to_owned()).collect();
    let row = tokens::insert(
        conn,
        &NewRow {
            id: Uuid::now_v7(),
            name: &new.name,
            kind: new.kind.as_str(),
            prefix: &token[..PREFIX],
            secret_hash: &hash(&token),
            scopes: &scopes,
            created_by: &actor.name,
            expires_at: new.expires_at,
        },
    )
    .await?;
    record(conn, "token.created", &row, actor).await?;
    Ok(Created { token: Secret::new(token), row })
}

/// Tokens, newest first, after the one at `before`; revoked and expired ones only with `all`.
///
/// # Errors
/// Any error of the database.
pub async fn list(
    pool: &PgPool,
    all: bool,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<TokenRow>, Error> {
    Ok(tokens::list(pool, all, before, limit).await?)
}

/// The token with that id, whether it is still good or not.
///
/// # Errors
/// Any error of the database.
pub async fn get(pool: &PgPool, id: Uuid) -> Result<Option<TokenRow>, Error> {
    Ok(tokens::get(pool, id).await?)
}

/// Revokes the token with that id or prefix, at once. One that was revoked before stays as it is.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Ambiguous`], the database's.
pub async fn revoke(conn: &mut PgConnection, id_or_prefix: &str, actor: &Actor) -> Result<TokenRow, Error> {
    // A whole token pasted here must not come back in an error.
    let shown: String = id_or_prefix.chars().take(36).collect();
    let shown = if shown.starts_with(MARK) { shown.chars().take(PREFIX).collect() } else { shown };
    // PostgreSQL's text cannot hold NUL.
    if id_or_prefix.contains('\0') {
        return Err(Error::NotFound(shown));
    }
    let mut found = tokens::lock(conn, Uuid::parse_str(id_or_prefix).ok(), id_or_prefix).await?;
    let row = match (found.pop(), found.is_empty()) {
        (Some(row), true) => row,
        (Some(_), false) => return Err(Error::Ambiguous(shown)),
        (None, _) => return Err(Error::NotFound(shown)),
    };
    if row.revoked_at.is_some() {
        return Ok(row);
    }
    let row = tokens::revoke(conn, row.id, &actor.name).await?;
    record(conn, "token.revoked", &row, actor).await?;
    Ok(row)
}

/// Who presents this token. Its last use is noted beside the request, once a minute.
///
/// # Errors
/// See [`AuthError`].
pub async fn authenticate(pool: &PgPool, presented: &str) -> Result<Principal, AuthError> {
    if !is_well_formed(presented) {
        return Err(AuthError::Malformed);
    }
    let found = tokens::by_hash(pool, &hash(presented)).await?.ok_or(AuthError::Unknown)?;
    if found.revoked {
        return Err(AuthError::Revoked);
    }
    if found.expired {
        return Err(AuthError::Expired);
    }
    if found.stale {
        let (pool, id) = (pool.clone(), found.id);
        tokio::spawn(async move {
            if let Err(error) = tokens::touch(&pool, id).await {
                tracing::debug!(token = %id, "the last use of a token was not noted: {error}");
            }
        });
    }
    Ok(Principal {
        name: found.name,
        kind: ActorKind::Token,
        // A word that this program does not know allows nothing.
        scopes: Scopes::new(found.scopes.iter().filter_map(|word| Scope::parse(word))),
        token_id: Some(found.id),
    })
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

fn is_well_formed(token: &str) -> bool {
    token.strip_prefix(MARK).is_some_and(|rest| {
        rest.len() == SECRET && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    })
}

async fn check(conn: &mut PgConnection, new: &NewToken) -> Result<(), Error> {
    let mut characters = new.name.bytes();
    let is_name = new.name.len() <= 128
        && characters.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && characters.all(|b| b.is_ascii_alphanumeric() || b"._@-".contains(&b));
    if !is_name {
        return Err(Error::Invalid {
            pointer: "/name",
            detail: "a name begins with a letter or digit and goes on with letters, digits, `.`, `_`, `@` and `-`, 128 at most"
                .to_owned(),
        });
    }
    if new.scopes.words().is_empty() {
        let known: Vec<&str> = Scope::ALL.iter().map(|(_, word, _)| *word).collect();
        return Err(Error::Invalid {
            pointer: "/scopes",
            detail: format!("a token needs at least one scope of {}", known.join(", ")),
        });
    }
    if let Some(end) = new.expires_at {
        let past =
            sqlx::query_scalar!(r#"SELECT $1::timestamptz <= steward_now() AS "past!""#, end).fetch_one(conn).await?;
        if past {
            return Err(Error::Invalid { pointer: "/expires_at", detail: format!("{end} is not in the future") });
        }
    }
    Ok(())
}

async fn record(conn: &mut PgConnection, action: &str, row: &TokenRow, actor: &Actor) -> Result<(), Error> {
    let event = Event {
        actor,
        action,
        outcome: Outcome::Done,
        subject_kind: "token",
        subject: &row.id.to_string(),
        detail: json!({
            "name": row.name, "kind": row.kind, "prefix": row.prefix, "scopes": row.scopes, "expires_at": row.expires_at,
        }),
    };
    audit::append(conn, &event).await?;
    Ok(())
}
