//! The audit trail: what verification finds, in the database and in an export, and that the chain has no gaps.

use futures::TryStreamExt;
use serde_json::{Value, json};
use sqlx::PgPool;
use steward::db::audit::{self, Actor, Event, Outcome, export};

use crate::support::database::TestDatabase;
use crate::support::steward::Site;

async fn append(pool: &PgPool, subject: &str) -> i64 {
    let mut tx = pool.begin().await.unwrap();
    let sequence = audit::append(&mut tx, &event(subject, &Actor::local("ada"))).await.unwrap();
    tx.commit().await.unwrap();
    sequence
}

fn event<'a>(subject: &'a str, actor: &'a Actor) -> Event<'a> {
    Event {
        actor,
        action: "model.promoted",
        outcome: Outcome::Done,
        subject_kind: "model",
        subject,
        detail: json!({"to": "production", "text": "grün \u{1f600} \" \\ \n"}),
    }
}

/// A trail of ten events and its head.
async fn trail(pool: &PgPool) -> Vec<u8> {
    for i in 1..=10 {
        append(pool, &format!("m/{i}.0.0")).await;
    }
    let found = audit::verify(pool, None).await.unwrap();
    assert_eq!((found.events, &found.problem), (10, &None));
    hex::decode(found.head).unwrap()
}

/// What only a superuser can do: past the trigger.
async fn tamper(pool: &PgPool, statements: &[&'static str]) {
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("ALTER TABLE governance_events DISABLE TRIGGER USER").execute(&mut *tx).await.unwrap();
    for statement in statements {
        sqlx::query(*statement).execute(&mut *tx).await.unwrap();
    }
    sqlx::query("ALTER TABLE governance_events ENABLE TRIGGER USER").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn rows_cannot_be_changed_by_ordinary_means() {
    let database = TestDatabase::new().await;
    trail(&database.pool).await;
    for statement in [
        "UPDATE governance_events SET actor = 'bob'",
        "DELETE FROM governance_events WHERE sequence = 10",
        "TRUNCATE governance_events",
    ] {
        let error = sqlx::query(statement).execute(&database.pool).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{statement}: {error}");
    }
}

#[tokio::test]
async fn every_kind_of_tampering_is_found_and_named() {
    for (statements, named) in [
        (&["UPDATE governance_events SET actor = 'bob' WHERE sequence = 4"][..], "event 4 "),
        (&["UPDATE governance_events SET detail = '{}' WHERE sequence = 4"], "event 4 "),
        (&["UPDATE governance_events SET at = at + interval '1 microsecond' WHERE sequence = 4"], "event 4 "),
        (&["UPDATE governance_events SET outcome = 'denied' WHERE sequence = 10"], "event 10 "),
        (&["UPDATE governance_events SET subject = 'el', subject_kind = 'modm' WHERE sequence = 1"], "event 1 "),
        (&["DELETE FROM governance_events WHERE sequence = 4"], "event 4 is missing"),
        (&["DELETE FROM governance_events WHERE sequence = 1"], "event 1 is missing"),
        (
            // A removed row whose numbers are closed up again.
            &[
                "DELETE FROM governance_events WHERE sequence = 4",
                "UPDATE governance_events SET sequence = sequence - 1 WHERE sequence = 5",
                "UPDATE governance_events SET sequence = sequence - 1 WHERE sequence = 6",
            ],
            "event 4 does not follow",
        ),
        (
            &["INSERT INTO governance_events SELECT 11, at, actor, actor_kind, action, outcome, subject_kind, subject, request_id,
                 detail, previous_hash, hash FROM governance_events WHERE sequence = 10"],
            "event 11 does not follow",
        ),
        (
            // Inserted with a proper hash, but the head does not know it.
            &["INSERT INTO governance_events SELECT 11, at, actor, actor_kind, action, outcome, subject_kind, subject, request_id,
                 detail, hash, governance_hash(hash, 11, at, actor, actor_kind, action, outcome, subject_kind, subject,
                 request_id, detail) FROM governance_events WHERE sequence = 10"],
            "its head says 10",
        ),
        (
            &["INSERT INTO governance_events SELECT 0, at, actor, actor_kind, action, outcome, subject_kind, subject, request_id,
                 detail, previous_hash, hash FROM governance_events WHERE sequence = 10 AND false",
              "ALTER TABLE governance_events DROP CONSTRAINT governance_events_sequence_check",
              "INSERT INTO governance_events SELECT 0, at, actor, actor_kind, action, outcome, subject_kind, subject, request_id,
                 detail, previous_hash, hash FROM governance_events WHERE sequence = 10"],
            "event 0 stands after event 0",
        ),
        (&["DELETE FROM governance_events WHERE sequence > 7"], "the chain ends at event 7, but its head says 10"),
        (&["DELETE FROM governance_head"], "the head of the chain is missing"),
    ] {
        let database = TestDatabase::new().await;
        trail(&database.pool).await;
        tamper(&database.pool, statements).await;
        let problem = audit::verify(&database.pool, None).await.unwrap().problem.unwrap_or_default();
        assert!(problem.contains(named), "{statements:?}: {problem:?}");
    }
}

#[tokio::test]
async fn a_tail_cut_off_together_with_the_head_is_found_by_a_noted_hash() {
    let database = TestDatabase::new().await;
    let noted = trail(&database.pool).await;
    append(&database.pool, "later").await;
    assert_eq!(audit::verify(&database.pool, Some(&noted)).await.unwrap().problem, None, "it is still there");
    tamper(
        &database.pool,
        &[
            "DELETE FROM governance_events WHERE sequence > 7",
            "UPDATE governance_head SET (sequence, hash) = (SELECT sequence, hash FROM governance_events WHERE sequence = 7)",
        ],
    )
    .await;
    assert_eq!(audit::verify(&database.pool, None).await.unwrap().problem, None, "this alone proves nothing");
    let problem = audit::verify(&database.pool, Some(&noted)).await.unwrap().problem.unwrap();
    assert!(problem.contains(&hex::encode(&noted)), "{problem}");
}

#[tokio::test]
async fn appending_side_by_side_makes_one_chain_without_gaps() {
    let database = TestDatabase::new().await;
    let tasks = (0..8).map(|task| {
        let pool = database.pool.clone();
        tokio::spawn(async move {
            for i in 0..50 {
                append(&pool, &format!("{task}/{i}")).await;
            }
        })
    });
    for done in futures::future::join_all(tasks).await {
        done.unwrap();
    }
    let found = audit::verify(&database.pool, None).await.unwrap();
    assert_eq!((found.events, found.problem), (400, None));
    let in_order: bool = sqlx::query_scalar(
        "SELECT bool_and(at >= before) FROM (SELECT at, lag(at, 1, at) OVER (ORDER BY sequence) AS before FROM governance_events) e",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert!(in_order, "time runs along the chain");
}

#[tokio::test]
async fn what_is_rolled_back_or_killed_leaves_no_gap() {
    let database = TestDatabase::new().await;
    append(&database.pool, "1").await;
    let mut tx = database.pool.begin().await.unwrap();
    assert_eq!(audit::append(&mut tx, &event("lost", &Actor::local("ada"))).await.unwrap(), 2);
    drop(tx);
    // The connection dies in the middle.
    let mut connection = database.pool.acquire().await.unwrap().detach();
    sqlx::query("BEGIN").execute(&mut connection).await.unwrap();
    audit::append(&mut connection, &event("lost", &Actor::local("ada"))).await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend($1, 5000)").bind(pid).execute(&database.pool).await.unwrap();
    assert_eq!(append(&database.pool, "2").await, 2);
    let found = audit::verify(&database.pool, None).await.unwrap();
    assert_eq!((found.events, found.problem), (2, None));
}

#[tokio::test]
async fn an_export_is_the_trail_and_is_verified_without_the_database() {
    let database = TestDatabase::new().await;
    let head = hex::encode(trail(&database.pool).await);
    let rows: Vec<_> = export::events(&database.pool, 3, 5).try_collect().await.unwrap();
    assert_eq!(rows.iter().map(|r| r.sequence).collect::<Vec<_>>(), [3, 4, 5]);
    for row in &rows {
        assert_eq!(export::from_line(&export::to_line(row)).as_ref(), Ok(row));
    }

    let site = Site::new(&database.url, "");
    let lines = site.ok(&["audit", "export"]);
    assert_eq!(lines.lines().count(), 10);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["sequence"], &first["actor"]), (&json!(1), &json!("ada")));
    assert!(first["at"].as_str().unwrap().len() == "2026-01-01T00:00:00.000000Z".len(), "{first}");
    assert_eq!(first["previous_hash"], "00".repeat(32));

    let verify = |text: &str, more: &[&str]| {
        let path = site.path().join("trail.jsonl");
        std::fs::write(&path, text).unwrap();
        let mut arguments = vec!["audit", "verify", "--file", path.to_str().unwrap()];
        arguments.extend(more);
        let mut command = site.command(&arguments);
        // No database is needed, nor asked.
        let output = command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none").output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = verify(&lines, &["--head", &head]);
    assert_eq!(code, 0, "{text}");
    let all_of_it = "events 1 to 10 hold together; the trail begins there; the end is the head that was noted; head ";
    assert_eq!(text, format!("{all_of_it}{head}\n"));
    let (code, text) = verify(&lines, &[]);
    assert!(
        code == 0 && text.contains("whether events followed is unknown: give the head that was noted with --head"),
        "{text}"
    );
    let part: String = lines.lines().skip(3).map(|l| format!("{l}\n")).collect();
    let (code, text) = verify(&part, &["--head", &head]);
    assert_eq!(code, 0, "a part from the middle on: {text}");
    assert!(
        text.starts_with("events 4 to 10 hold together; what lies before is not in this file; the end is"),
        "{text}"
    );
    let (code, text) = verify(&part, &["--output", "json"]);
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (code, &found["first"], &found["last"], &found["from_the_start"]),
        (0, &json!(4), &json!(10), &json!(false))
    );
    let (code, text) = verify("", &[]);
    assert!(code == 1 && text.contains("the file holds no event"), "an empty file proves nothing: {text}");

    let all: Vec<&str> = lines.lines().collect();
    let join = |lines: &[&str]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
    let without: Vec<&str> = all.iter().enumerate().filter(|(i, _)| *i != 4).map(|(_, l)| *l).collect();
    let mut swapped = all.clone();
    swapped.swap(4, 5);
    let mut twice = all.clone();
    twice.insert(5, all[4]);
    for (text, named) in [
        (lines.replace("m/4.0.0", "m/9.9.9"), "event 4 "),
        (join(&without), "event 5 is missing"),
        (join(&swapped), "event 5 is missing"),
        (join(&twice), "event 5 stands after event 5"),
        (join(&all[..8]), "lines are missing"),
        (lines.replacen("\"sequence\":3,", "\"sequence\":3,\"note\":\"x\",", 1), "line 3 is no event"),
        (lines.replacen("\"sequence\":3,", "\"sequence\": 3,", 1), "line 3 is not written as an export"),
        (format!("{lines}half a li"), "line 11 is no event"),
    ] {
        let (code, told) = verify(&text, &["--head", &head]);
        assert_eq!(code, 1, "{named}: {told}");
        assert!(told.contains(named), "{named}: {told}");
    }
}

#[tokio::test]
async fn the_command_line_makes_lists_and_revokes_tokens_and_verifies() {
    let database = TestDatabase::new().await;
    let site = Site::new(&database.url, "");
    let output = site.run(&["token", "create", "ada", "--scope", "read", "--scope", "audit:read", "--expires", "90d"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(token.starts_with("stw_") && token.len() == 47, "stdout holds the token and nothing else: {token}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains(&token));
    let listed = site.ok(&["token", "list"]);
    assert!(
        listed.contains(&token[..12]) && listed.contains("read audit:read") && !listed.contains(&token),
        "{listed}"
    );
    site.ok(&["token", "revoke", &token[..12]]);
    assert_eq!(site.ok(&["token", "list", "--output", "json"]).trim(), "[]");
    assert!(site.ok(&["token", "list", "--all"]).contains("revoked "));
    let wrong = site.run(&["token", "create", "ada", "--scope", "reed"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean `read`?"));
    assert_eq!(site.run(&["token", "create", "ada", "--scope", "read", "--expires", "soon"]).status.code(), Some(2));
    assert_eq!(site.run(&["token", "revoke", "stw_nothing"]).status.code(), Some(2));

    let events = site.ok(&["audit", "list"]);
    assert!(events.contains("token.created") && events.contains("token.revoked"), "{events}");
    assert!(site.ok(&["audit", "verify"]).contains("2 events, the chain holds"));
    tamper(&database.pool, &["UPDATE governance_events SET actor = 'bob' WHERE sequence = 1"]).await;
    let broken = site.run(&["audit", "verify"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&broken.stdout).contains("event 1 (token.created by bob) was edited"));
}
