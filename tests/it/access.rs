//! API tokens and idempotency keys on a real database.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgPool;
use steward::access::token::{self, AuthError, Created, Error, NewToken, TokenKind};
use steward::access::{Scope, Scopes};
use steward::db::audit::{self, Actor, ActorKind};
use steward::db::idempotency::{self, Claim};

use crate::support::database::TestDatabase;

fn new(name: &str, scopes: &[Scope]) -> NewToken {
    NewToken {
        name: name.to_owned(),
        kind: TokenKind::Person,
        scopes: Scopes::new(scopes.iter().copied()),
        expires_at: None,
    }
}

async fn make(pool: &PgPool, new: &NewToken) -> Result<Created, Error> {
    let mut tx = pool.begin().await.unwrap();
    let created = token::create(&mut tx, new, &Actor::local("root")).await?;
    tx.commit().await.unwrap();
    Ok(created)
}

async fn revoke(pool: &PgPool, which: &str) -> Result<token::TokenRow, Error> {
    let mut tx = pool.begin().await.unwrap();
    let row = token::revoke(&mut tx, which, &Actor::local("root")).await?;
    tx.commit().await.unwrap();
    Ok(row)
}

async fn now(pool: &PgPool) -> DateTime<Utc> {
    sqlx::query_scalar("SELECT steward_now()").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn a_token_lets_its_principal_in_with_its_scopes() {
    let database = TestDatabase::new().await;
    let created = make(&database.pool, &new("ada@example.org", &[Scope::Read, Scope::ModelsApprove])).await.unwrap();
    let text = created.token.expose().to_owned();
    assert!(text.starts_with("stw_") && text.len() == 47, "{text}");
    assert_eq!(created.row.prefix, text[..12]);
    let principal = token::authenticate(&database.pool, &text).await.unwrap();
    assert_eq!((principal.name.as_str(), principal.kind), ("ada@example.org", ActorKind::Token));
    assert_eq!(principal.token_id, Some(created.row.id));
    assert!(
        principal.may(Scope::ModelsApprove) && !principal.may(Scope::ModelsPromote) && !principal.may(Scope::Admin)
    );
    assert_eq!(principal.actor(Some("r1".into())).request_id.as_deref(), Some("r1"));
    let other = make(&database.pool, &new("ada@example.org", &[Scope::Read])).await.unwrap();
    assert_ne!(other.token.expose(), text, "every token is another one");
}

#[tokio::test]
async fn neither_the_database_nor_the_trail_nor_debug_holds_the_token() {
    let database = TestDatabase::new().await;
    let created = make(&database.pool, &new("ada", &[Scope::Admin])).await.unwrap();
    revoke(&database.pool, &created.row.prefix).await.unwrap();
    let text = created.token.expose();
    let secret = &text[12..];
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT t::text FROM api_tokens t UNION ALL SELECT e::text FROM governance_events e")
            .fetch_all(&database.pool)
            .await
            .unwrap();
    assert_eq!(rows.len(), 3, "a token, and its making and revoking");
    assert!(rows.iter().all(|row| !row.contains(secret)), "{rows:?}");
    assert!(!format!("{created:?}").contains(secret));
    let events = audit::list(&database.pool, &audit::Filter { limit: 10, ..audit::Filter::default() }).await.unwrap();
    let actions: Vec<&str> = events.iter().map(|e| e.action.as_str()).collect();
    assert_eq!(actions, ["token.revoked", "token.created"]);
    assert!(events.iter().all(|e| e.subject == created.row.id.to_string() && e.actor == "root"));
}

#[tokio::test]
async fn malformed_unknown_expired_and_revoked_tokens_are_told_apart() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let soon = now(pool).await + TimeDelta::milliseconds(300);
    let ending = make(pool, &NewToken { expires_at: Some(soon), ..new("ada", &[Scope::Read]) }).await.unwrap();
    assert!(token::authenticate(pool, ending.token.expose()).await.is_ok(), "not yet");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(matches!(token::authenticate(pool, ending.token.expose()).await, Err(AuthError::Expired)));
    let listed = token::list(pool, false, None, 10).await.unwrap();
    assert!(listed.is_empty(), "expired ones are listed on demand only");
    assert_eq!(token::list(pool, true, None, 10).await.unwrap().len(), 1);

    let gone = make(pool, &new("bob", &[Scope::Read])).await.unwrap();
    revoke(pool, &gone.row.id.to_string()).await.unwrap();
    assert!(matches!(token::authenticate(pool, gone.token.expose()).await, Err(AuthError::Revoked)));

    let mut almost = gone.token.expose().to_owned();
    let last = almost.pop().unwrap();
    almost.push(if last == 'A' { 'B' } else { 'A' });
    assert!(
        matches!(token::authenticate(pool, &almost).await, Err(AuthError::Unknown)),
        "who does not hold it learns nothing"
    );
    for nonsense in ["", "stw_", "Bearer x", "stw_' OR 1=1 --", &format!("{almost}A"), &"x".repeat(1 << 20)] {
        assert!(matches!(token::authenticate(pool, nonsense).await, Err(AuthError::Malformed)));
    }
}

#[tokio::test]
async fn the_last_use_is_noted_once_a_minute() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let created = make(pool, &new("ada", &[Scope::Read])).await.unwrap();
    let used = || async {
        sqlx::query_scalar::<_, Option<DateTime<Utc>>>("SELECT last_used_at FROM api_tokens")
            .fetch_one(pool)
            .await
            .unwrap()
    };
    token::authenticate(pool, created.token.expose()).await.unwrap();
    let mut first = None;
    for _ in 0..100 {
        first = used().await;
        if first.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(first.is_some(), "noted beside the request");
    for _ in 0..20 {
        token::authenticate(pool, created.token.expose()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(used().await, first, "within the minute it stays");
    sqlx::query("UPDATE api_tokens SET last_used_at = last_used_at - interval '61 seconds'")
        .execute(pool)
        .await
        .unwrap();
    token::authenticate(pool, created.token.expose()).await.unwrap();
    for _ in 0..100 {
        if used().await >= first {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("after a minute it is noted again");
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused_and_leaves_nothing() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let yesterday = now(pool).await - TimeDelta::days(1);
    for (wrong, at) in [
        (new("", &[Scope::Read]), "/name"),
        (new("steward:worker", &[Scope::Read]), "/name"),
        (new("a b", &[Scope::Read]), "/name"),
        (new("nul\0", &[Scope::Read]), "/name"),
        (new(&"x".repeat(129), &[Scope::Read]), "/name"),
        (new("ada", &[]), "/scopes"),
        (NewToken { expires_at: Some(yesterday), ..new("ada", &[Scope::Read]) }, "/expires_at"),
    ] {
        match make(pool, &wrong).await {
            Err(Error::Invalid { pointer, .. }) => assert_eq!(pointer, at, "{wrong:?}"),
            other => panic!("{wrong:?}: {other:?}"),
        }
    }
    let left: i64 =
        sqlx::query_scalar("SELECT (SELECT count(*) FROM api_tokens) + (SELECT count(*) FROM governance_events)")
            .fetch_one(pool)
            .await
            .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn revoking_is_done_once_and_names_what_is_missing_without_repeating_secrets() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let created = make(pool, &new("ada", &[Scope::Read])).await.unwrap();
    let first = revoke(pool, &created.row.prefix).await.unwrap();
    let again = revoke(pool, &created.row.prefix).await.unwrap();
    assert_eq!(first, again);
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM governance_events").fetch_one(pool).await.unwrap();
    assert_eq!(events, 2, "revoking again is no event");
    let error = revoke(pool, created.token.expose()).await.unwrap_err();
    assert_eq!(error.code(), "token_not_found");
    assert!(!error.to_string().contains(&created.token.expose()[12..]), "{error}");
    assert_eq!(revoke(pool, "nul\0").await.unwrap_err().code(), "token_not_found");
}

#[tokio::test]
async fn two_twins_have_one_effect_and_one_answer() {
    let database = TestDatabase::new().await;
    let pool = database.pool.clone();
    sqlx::query("CREATE TABLE effects (n int)").execute(&pool).await.unwrap();
    let twin = |pool: PgPool| async move {
        let mut tx = pool.begin().await.unwrap();
        match idempotency::claim(&mut tx, "ada", "k-1", b"hash").await.unwrap() {
            Claim::New => {
                sqlx::query("INSERT INTO effects VALUES (1)").execute(&mut *tx).await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
                idempotency::store(&mut tx, "ada", "k-1", 201, &json!({"etag": "\"1\""}), b"made").await.unwrap();
                tx.commit().await.unwrap();
                "new"
            }
            replay => {
                let expected = Claim::Replay { status: 201, headers: json!({"etag": "\"1\""}), body: b"made".to_vec() };
                assert_eq!(replay, expected);
                "replay"
            }
        }
    };
    let all = futures::future::join_all((0..6).map(|_| tokio::spawn(twin(pool.clone())))).await;
    let outcomes: Vec<&str> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|o| **o == "new").count(), 1, "{outcomes:?}");
    let effects: i64 = sqlx::query_scalar("SELECT count(*) FROM effects").fetch_one(&pool).await.unwrap();
    assert_eq!(effects, 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_principal_and_only_to_what_was_committed() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    // Rolled back: the twin does the work.
    let mut first = pool.begin().await.unwrap();
    assert_eq!(idempotency::claim(&mut first, "ada", "k", b"one").await.unwrap(), Claim::New);
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move {
            let mut tx = pool.begin().await.unwrap();
            let claim = idempotency::claim(&mut tx, "ada", "k", b"one").await.unwrap();
            idempotency::store(&mut tx, "ada", "k", 200, &json!({}), b"x").await.unwrap();
            tx.commit().await.unwrap();
            claim
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "the twin waits for the first");
    first.rollback().await.unwrap();
    assert_eq!(waiting.await.unwrap(), Claim::New);

    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(idempotency::claim(&mut conn, "ada", "k", b"two").await.unwrap(), Claim::Conflict);
    assert_eq!(idempotency::claim(&mut conn, "bob", "k", b"two").await.unwrap(), Claim::New, "another principal's key");
    for wrong in ["", "a b", "tab\t", "ümlaut", "nul\0", &"x".repeat(256)] {
        assert!(matches!(idempotency::claim(&mut conn, "ada", wrong, b"x").await, Err(idempotency::Error::Key)));
    }
    assert_eq!(idempotency::claim(&mut conn, "ada", &"x".repeat(255), b"x").await.unwrap(), Claim::New);

    sqlx::query("UPDATE idempotency_keys SET created_at = created_at - interval '25 hours' WHERE principal = 'bob'")
        .execute(pool)
        .await
        .unwrap();
    assert_eq!(idempotency::prune(pool, 24).await.unwrap(), 1);
}
