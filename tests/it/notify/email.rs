//! Email: what it looks like, and what happens when the mail server does not play along.

use steward::notify::send_test;

use super::*;
use crate::support::smtp::{Protection, Trouble};

const OPS: &[&str] = &["ml-oncall"];

/// Applies at a fixed time, so that the message's date is fixed.
async fn commit_at(pool: &PgPool, channels: &Channels, evaluation: &Evaluation, now: &str) {
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("SELECT set_config('steward.now', $1, true)").bind(now).execute(&mut *tx).await.unwrap();
    apply(&mut tx, channels, evaluation).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_source_of_the_messages() {
    let database = TestDatabase::new().await;
    let settings = Settings::new();
    let channels = settings.build();
    let mut worse = breach("carrier");
    worse.severity = Severity::Critical;
    worse.evidence = json!({ "method": "chi_square", "new categories": ["<HA>", "OO"], "details": { "cells": 12 } });
    commit_at(&database.pool, &channels, &evaluation(7, OPS, vec![breach("temp"), worse]), "2013-07-01T06:15:09Z")
        .await;
    assert_eq!(dispatcher(&database, &channels).drain().await.unwrap().sent, 1);
    commit_at(
        &database.pool,
        &channels,
        &evaluation(8, OPS, vec![clear("temp"), clear("carrier")]),
        "2013-08-01T06:15:07Z",
    )
    .await;
    assert_eq!(dispatcher(&database, &channels).drain().await.unwrap().sent, 1);
    let sources = files(&settings.folder.path().join("mail"));
    assert_eq!(sources.len(), 2);
    insta::assert_snapshot!("email_opened", sources[0].replace('\r', ""));
    insta::assert_snapshot!("email_resolved", sources[1].replace('\r', ""));
    assert_eq!(header(&sources[1], "In-Reply-To"), header(&sources[0], "Message-ID"));
    assert_eq!(header(&sources[1], "References"), header(&sources[0], "Message-ID"));
}

#[tokio::test]
async fn a_message_that_nobody_was_told_the_beginning_of() {
    let database = TestDatabase::new().await;
    let settings = Settings::new();
    let channels = settings.build();
    commit_at(&database.pool, &channels, &evaluation(7, OPS, vec![breach("temp")]), "2013-07-01T06:15:09Z").await;
    commit_at(&database.pool, &channels, &evaluation(8, OPS, vec![clear("temp")]), "2013-08-01T06:15:07Z").await;
    dispatcher(&database, &channels).drain().await.unwrap();
    let sources = files(&settings.folder.path().join("mail"));
    assert_eq!(sources.len(), 1);
    insta::assert_snapshot!("email_opened_and_resolved", sources[0].replace('\r', ""));
}

#[tokio::test]
async fn nothing_from_data_becomes_a_header() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(Protection::None, folder.path()).await;
    let channels = Settings::new().server(server.address.port(), SmtpTls::None).build();
    let mut evil = breach("temp");
    evil.title = "drifted\r\nBcc: victim@example.com\r\n\r\nClick here".to_owned();
    evil.subject = "te\nmp".to_owned();
    commit(&database.pool, &channels, &evaluation(7, OPS, vec![evil])).await;
    assert_eq!(dispatcher(&database, &channels).drain().await.unwrap().sent, 1);
    let message = &server.messages()[0];
    assert_eq!(message.to, ["ml-oncall@example.com"]);
    let head = message.source.split("\r\n\r\n").next().unwrap();
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    assert_eq!(header(head, "Auto-Submitted"), Some("auto-generated"));
    let folded = head.replace("\r\n ", " ");
    assert_eq!(
        header(&folded, "Subject"),
        Some("[Steward] flights-feature-drift: drifted Bcc: victim@example.com Click here")
    );
}

#[tokio::test]
async fn a_server_that_was_away_gets_the_message_when_it_is_back() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(Protection::None, folder.path()).await;
    let port = server.address.port();
    drop(server);
    let channels = Settings::new().server(port, SmtpTls::None).build();
    commit(&database.pool, &channels, &evaluation(7, OPS, vec![breach("temp")])).await;
    let dispatcher = dispatcher(&database, &channels);
    assert_eq!(dispatcher.drain().await.unwrap().retry, 1);
    let waiting = only(&database.pool, "ml-oncall").await;
    let error = waiting.last_error.clone().unwrap();
    assert!(error.contains(&format!("localhost:{port} cannot be reached: ")) && error.contains("refused"), "{error}");
    assert_eq!(dispatcher.drain().await.unwrap().total(), 0, "not before its time");
    assert!((3.0..=6.0).contains(&due_in(&database.pool, waiting.id).await));

    let server = SmtpServer::start_on(port, Protection::None, folder.path()).await;
    make_due(&database.pool).await;
    assert_eq!(dispatcher.drain().await.unwrap().sent, 1);
    let message = &server.messages()[0];
    assert_eq!(
        (message.from.as_str(), message.to.as_slice()),
        ("steward@example.org", &["ml-oncall@example.com".to_owned()][..])
    );
    let outcomes: Vec<_> =
        attempts(&database.pool, &waiting).await.into_iter().map(|a| (a.attempt, a.outcome)).collect();
    assert_eq!(outcomes, [(1, "retry".to_owned()), (2, "sent".to_owned())]);
}

#[tokio::test]
async fn a_wrong_password_says_so_and_waits_until_it_is_mended() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(Protection::Starttls, folder.path()).await;
    server.require("steward", "right");
    let mut settings = Settings::new().server(server.address.port(), SmtpTls::Starttls).login(&server, "steward", "");
    let file = folder.path().join("password");
    std::fs::write(&file, "wrong\n").unwrap();
    settings.smtp.password_file = file.display().to_string();
    let channels = settings.build();
    commit(&database.pool, &channels, &evaluation(7, OPS, vec![breach("temp")])).await;
    // However often it was tried: a configuration is mended some day.
    sqlx::query("UPDATE deliveries SET attempts = 50").execute(&database.pool).await.unwrap();
    let dispatcher = dispatcher(&database, &channels);
    assert_eq!(dispatcher.drain().await.unwrap().retry, 1);
    let waiting = only(&database.pool, "ml-oncall").await;
    assert_eq!(
        waiting.last_error.unwrap(),
        format!(
            "localhost:{} refused the login: permanent error (535): Invalid credentials; \
             correct smtp.username and smtp.password (or smtp.password_file)",
            server.address.port()
        )
    );
    assert!(due_in(&database.pool, waiting.id).await <= 2160.0);
    std::fs::write(&file, "right\n").unwrap();
    make_due(&database.pool).await;
    assert_eq!(dispatcher.drain().await.unwrap().sent, 1);
    let message = &server.messages()[0];
    assert!(message.encrypted);
    assert_eq!(message.login.as_deref(), Some("steward"));
}

#[tokio::test]
async fn tls_from_the_first_byte_and_an_authority_that_is_not_known() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(Protection::Tls, folder.path()).await;
    server.require("steward", "right");
    let mut settings = Settings::new().server(server.address.port(), SmtpTls::Tls).login(&server, "steward", "right");
    commit(&database.pool, &settings.build(), &evaluation(7, OPS, vec![breach("temp")])).await;
    settings.smtp.ca_file.clear();
    assert_eq!(dispatcher(&database, &settings.build()).drain().await.unwrap().retry, 1);
    let error = only(&database.pool, "ml-oncall").await.last_error.unwrap();
    assert!(error.contains("no protected connection") && error.contains("smtp.ca_file"), "{error}");
    assert!(server.messages().is_empty());

    settings.smtp.ca_file = server.ca_file.display().to_string();
    make_due(&database.pool).await;
    assert_eq!(dispatcher(&database, &settings.build()).drain().await.unwrap().sent, 1);
    assert!(server.messages()[0].encrypted);
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(Protection::None, folder.path()).await;
    let channels = Settings::new().server(server.address.port(), SmtpTls::Starttls).build();
    commit(&database.pool, &channels, &evaluation(7, OPS, vec![breach("temp")])).await;
    assert_eq!(dispatcher(&database, &channels).drain().await.unwrap().retry, 1);
    let error = only(&database.pool, "ml-oncall").await.last_error.unwrap();
    assert!(error.contains("does not do STARTTLS") && error.contains("check smtp.tls"), "{error}");
    assert!(server.messages().is_empty());
}

#[tokio::test]
async fn refused_for_now_is_tried_again_and_refused_for_good_is_not() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(Protection::None, folder.path()).await;
    let channels = Settings::new().server(server.address.port(), SmtpTls::None).build();
    commit(&database.pool, &channels, &evaluation(7, OPS, vec![breach("temp")])).await;
    server.trouble(Trouble::Later);
    server.trouble(Trouble::Refuse);
    let dispatcher = dispatcher(&database, &channels);
    assert_eq!(dispatcher.drain().await.unwrap().retry, 1);
    make_due(&database.pool).await;
    assert_eq!(dispatcher.drain().await.unwrap().dead, 1);
    let delivery = only(&database.pool, "ml-oncall").await;
    let status: Vec<_> = attempts(&database.pool, &delivery).await.into_iter().map(|a| (a.outcome, a.status)).collect();
    assert_eq!(status, [("retry".to_owned(), Some(450)), ("dead".to_owned(), Some(550))]);
    assert!(delivery.last_error.unwrap().contains("Mailbox unavailable"));
    assert!(server.messages().is_empty());
}

#[tokio::test]
async fn an_answer_that_got_lost_is_asked_for_once_more_with_the_same_message() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(Protection::None, folder.path()).await;
    let channels = Settings::new().server(server.address.port(), SmtpTls::None).build();
    commit(&database.pool, &channels, &evaluation(7, OPS, vec![breach("temp")])).await;
    server.trouble(Trouble::DropAfterData);
    let dispatcher = dispatcher(&database, &channels);
    assert_eq!(dispatcher.drain().await.unwrap().uncertain, 1);
    assert_eq!(only(&database.pool, "ml-oncall").await.state, "uncertain");
    make_due(&database.pool).await;
    assert_eq!(dispatcher.drain().await.unwrap().sent, 1);
    let messages = server.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].source, messages[1].source, "receivers collapse the two by Message-ID");
}

#[tokio::test]
async fn an_answer_that_got_lost_twice_is_enough() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(Protection::None, folder.path()).await;
    let channels = Settings::new().server(server.address.port(), SmtpTls::None).build();
    commit(&database.pool, &channels, &evaluation(7, OPS, vec![breach("temp")])).await;
    server.trouble(Trouble::DropAfterData);
    server.trouble(Trouble::DropAfterData);
    let dispatcher = dispatcher(&database, &channels);
    dispatcher.drain().await.unwrap();
    make_due(&database.pool).await;
    assert_eq!(dispatcher.drain().await.unwrap().dead, 1);
    let error = only(&database.pool, "ml-oncall").await.last_error.unwrap();
    assert!(error.starts_with("handed over twice, never confirmed: "), "{error}");
}

#[tokio::test]
async fn a_test_message_says_what_happened_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let server = SmtpServer::start(Protection::Starttls, folder.path()).await;
    server.require("steward", "right");
    let port = server.address.port();
    let settings = Settings::new().server(port, SmtpTls::Starttls).login(&server, "steward", "right");
    let clock: steward::clock::SharedClock = Arc::new(SystemClock);
    let probe = send_test(&settings.build(), "ml-oncall", &clock).await.unwrap();
    assert!(probe.is_fine());
    let steps = &probe.results[0].steps;
    assert_eq!(steps[0], format!("connect to localhost:{port}"));
    assert_eq!(
        steps[1..5],
        ["STARTTLS", "log in", "MAIL FROM:<steward@example.org>", "RCPT TO:<ml-oncall@example.com>"]
    );
    assert!(steps.last().unwrap().starts_with("accepted: 250"), "{steps:?}");
    assert_eq!(header(&server.messages()[0].source, "Subject"), Some("[Steward] Test message"));

    let probe = send_test(&settings.login(&server, "steward", "wrong").build(), "ml-oncall", &clock).await.unwrap();
    assert!(!probe.is_fine());
    assert_eq!(probe.results[0].steps.last().unwrap(), "log in");
    assert!(send_test(&Settings::new().build(), "nobody", &clock).await.is_err());
}
