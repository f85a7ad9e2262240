//! What opens, goes on and resolves, and which messages follow.

use steward::db::audit::Actor;
use steward::db::incidents::{self, Filter};
use steward::notify::{self, Error};

use super::*;

const BOTH: &[&str] = &["ml-oncall", "ml-webhook"];

#[tokio::test]
async fn one_run_is_one_message_to_each_recipient() {
    let database = TestDatabase::new().await;
    let settings = Settings::new().channel("two", json!({ "kind": "email", "to": ["a@example.com", "b@example.com"] }));
    let channels = settings.build();
    let changes = commit(
        &database.pool,
        &channels,
        &evaluation(7, &["two"], vec![breach("temp"), breach("dep_delay"), clear("carrier")]),
    )
    .await;
    assert_eq!(changes.opened.iter().map(|i| i.subject.as_str()).collect::<Vec<_>>(), ["dep_delay", "temp"]);
    assert!(changes.applied && changes.resolved.is_empty());
    let deliveries = all(&database.pool).await;
    assert_eq!(deliveries.iter().map(|d| d.recipient.as_str()).collect::<Vec<_>>(), ["a@example.com", "b@example.com"]);
    for delivery in &deliveries {
        assert_eq!((delivery.event_kind.as_str(), delivery.state.as_str()), ("opened", "pending"));
        assert!(delivery.subject.contains("2 problems: dep_delay, temp"), "{}", delivery.subject);
    }
}

#[tokio::test]
async fn a_message_and_its_results_appear_together_or_not_at_all() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    let mut tx = database.pool.begin().await.unwrap();
    apply(&mut tx, &channels, &evaluation(7, BOTH, vec![breach("temp")])).await.unwrap();
    tx.rollback().await.unwrap();
    assert!(all(&database.pool).await.is_empty());
    assert!(incidents::list(&database.pool, &Filter { limit: 10, ..Filter::default() }).await.unwrap().is_empty());
}

#[tokio::test]
async fn further_breaches_fold_into_the_incident_and_tell_nobody() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    let opened = commit(&database.pool, &channels, &evaluation(7, BOTH, vec![breach("temp")])).await.opened.remove(0);
    let mut worse = finding("temp", FindingStatus::Breach, 0.9);
    worse.severity = Severity::Critical;
    commit(&database.pool, &channels, &evaluation(8, BOTH, vec![worse])).await;
    let changes =
        commit(&database.pool, &channels, &evaluation(9, BOTH, vec![finding("temp", FindingStatus::Breach, 0.4)]))
            .await;
    assert!(changes.opened.is_empty() && changes.resolved.is_empty());
    assert_eq!(changes.continuing.len(), 1);
    let incident = incidents::get(&database.pool, opened.id).await.unwrap().unwrap();
    assert_eq!((incident.breaches, incident.peak_score, incident.evidence.score), (3, Some(0.9), Some(0.4)));
    assert_eq!(
        (incident.severity.as_str(), incident.opened_at, incident.last_breach_at),
        ("critical", tick(7), tick(9))
    );
    let labels: Vec<&str> = incident.evidence.labels.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(labels, ["method", "reference rows", "current rows", "p-value"], "the order that people see");
    let kinds: Vec<String> =
        incidents::events(&database.pool, opened.id).await.unwrap().into_iter().map(|e| e.kind).collect();
    assert_eq!(kinds, ["opened", "breached", "breached"]);
    assert_eq!(all(&database.pool).await.len(), BOTH.len());
}

#[tokio::test]
async fn an_older_evaluation_is_recorded_only() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    commit(&database.pool, &channels, &evaluation(8, BOTH, vec![breach("temp")])).await;
    let late = commit(&database.pool, &channels, &evaluation(7, BOTH, vec![clear("temp"), breach("wind")])).await;
    assert_eq!(late, Changes::default());
    let live = incidents::list(&database.pool, &Filter { state: Some("live".into()), limit: 10, ..Filter::default() })
        .await
        .unwrap();
    assert_eq!(live.iter().map(|i| i.subject.as_str()).collect::<Vec<_>>(), ["temp"]);
    assert_eq!(all(&database.pool).await.len(), BOTH.len());
}

#[tokio::test]
async fn the_same_run_again_changes_nothing_and_says_the_same() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    commit(&database.pool, &channels, &evaluation(7, BOTH, vec![breach("temp")])).await;
    let second = evaluation(8, BOTH, vec![clear("temp"), breach("wind")]);
    let first_time = commit(&database.pool, &channels, &second).await;
    let before = all(&database.pool).await;
    let second_time = commit(&database.pool, &channels, &second).await;
    assert_eq!(first_time, second_time);
    assert_eq!(before, all(&database.pool).await);
}

#[tokio::test]
async fn two_first_runs_at_once_open_one_incident() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    let mut other = evaluation(7, BOTH, vec![breach("temp")]);
    other.run_id = Uuid::from_u128(99);
    let one = evaluation(7, BOTH, vec![breach("temp")]);
    let (a, b) = tokio::join!(commit(&database.pool, &channels, &one), commit(&database.pool, &channels, &other));
    assert_eq!(a.opened.len() + b.opened.len(), 1);
    assert_eq!(a.continuing.len() + b.continuing.len(), 1);
}

#[tokio::test]
async fn missing_data_inhibits_the_jobs_other_subjects() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    let no_data = |status| Finding { kind: "no_data", ..finding("current", status, 0.0) };
    commit(&database.pool, &channels, &evaluation(6, BOTH, vec![breach("temp")])).await;
    let mut empty = evaluation(7, BOTH, vec![no_data(FindingStatus::Breach), clear("temp"), breach("wind")]);
    empty.kinds = vec!["drift", "no_data"];
    let changes = commit(&database.pool, &channels, &empty).await;
    assert_eq!(changes.opened.iter().map(|i| i.kind.as_str()).collect::<Vec<_>>(), ["no_data"]);
    assert!(changes.resolved.is_empty(), "temp is unknown, not fine");
    // Data is back: the parent resolves by itself, the children are judged again.
    let changes = commit(&database.pool, &channels, &evaluation(8, BOTH, vec![clear("temp"), breach("wind")])).await;
    assert_eq!(changes.resolved.iter().map(|i| i.subject.as_str()).collect::<Vec<_>>(), ["temp", "current"]);
    assert_eq!(changes.opened.iter().map(|i| i.subject.as_str()).collect::<Vec<_>>(), ["wind"]);
}

#[tokio::test]
async fn what_is_no_longer_judged_resolves_and_unknown_does_not() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    commit(&database.pool, &channels, &evaluation(6, BOTH, vec![breach("temp"), breach("wind")])).await;
    let mut partial = evaluation(7, BOTH, vec![]);
    partial.complete = false;
    assert_eq!(commit(&database.pool, &channels, &partial).await.continuing.len(), 2);
    let unknown = finding("wind", FindingStatus::Unknown, 0.0);
    let changes = commit(&database.pool, &channels, &evaluation(8, BOTH, vec![unknown])).await;
    assert_eq!(changes.continuing.iter().map(|i| i.subject.as_str()).collect::<Vec<_>>(), ["wind"]);
    let events = incidents::events(&database.pool, changes.resolved[0].id).await.unwrap();
    assert_eq!(events.last().unwrap().detail, json!({ "reason": "no longer judged" }));
}

#[tokio::test]
async fn opened_and_resolved_before_anything_was_sent_is_one_message() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    commit(&database.pool, &channels, &evaluation(7, BOTH, vec![breach("temp")])).await;
    commit(&database.pool, &channels, &evaluation(8, BOTH, vec![clear("temp")])).await;
    let report = dispatcher(&database, &channels).drain().await.unwrap();
    assert_eq!((report.sent, report.total()), (2, 2));
    for delivery in all(&database.pool).await {
        match delivery.event_kind.as_str() {
            "opened" => {
                assert_eq!(delivery.state, "merged");
                let into = deliveries::get(&database.pool, delivery.merged_into.unwrap()).await.unwrap().unwrap();
                assert_eq!((into.channel, into.state.as_str()), (delivery.channel, "sent"));
            }
            kind => assert_eq!((kind, delivery.state.as_str()), ("opened_and_resolved", "sent")),
        }
    }
}

#[tokio::test]
async fn only_who_was_not_told_is_told_both() {
    let database = TestDatabase::new().await;
    let settings = Settings::new().webhook("down", "http://127.0.0.1:9/");
    let channels = settings.build();
    let names = &["ml-oncall", "down"];
    commit(&database.pool, &channels, &evaluation(7, names, vec![breach("temp")])).await;
    let report = dispatcher(&database, &channels).drain().await.unwrap();
    assert_eq!((report.sent, report.retry), (1, 1));
    commit(&database.pool, &channels, &evaluation(8, names, vec![clear("temp")])).await;
    let told: Vec<_> = all(&database.pool).await.into_iter().map(|d| (d.channel, d.event_kind, d.state)).collect();
    let expected = [
        ("down", "opened", "merged"),
        ("ml-oncall", "opened", "sent"),
        ("down", "opened_and_resolved", "pending"),
        ("ml-oncall", "resolved", "pending"),
    ];
    let told: Vec<_> = told.iter().map(|(c, e, s)| (c.as_str(), e.as_str(), s.as_str())).collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn an_announcement_of_what_is_still_open_goes_out() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    commit(&database.pool, &channels, &evaluation(7, &["ml-oncall"], vec![breach("temp"), breach("wind")])).await;
    commit(&database.pool, &channels, &evaluation(8, &["ml-oncall"], vec![clear("temp"), breach("wind")])).await;
    let told: Vec<_> = all(&database.pool).await.into_iter().map(|d| (d.event_kind, d.state)).collect();
    assert_eq!(told, [("opened".to_owned(), "pending".to_owned()), ("resolved".to_owned(), "pending".to_owned())]);
}

#[tokio::test]
async fn a_channel_that_is_not_configured_is_a_dead_message_and_can_be_mended() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    let changes =
        commit(&database.pool, &channels, &evaluation(7, &["oncal", "ml-oncall"], vec![breach("temp")])).await;
    assert_eq!(changes.opened.len(), 1);
    let dead = only(&database.pool, "oncal").await;
    assert_eq!(dead.state, "dead");
    let reason = "channel \"oncal\" is not configured: add [notify.channels.oncal] (configured: ml-oncall, ml-webhook)";
    assert_eq!(dead.last_error.as_deref(), Some(reason));
    let ada = Actor::local("ada");
    let mut conn = database.pool.acquire().await.unwrap();
    let error = notify::retry_delivery(&mut conn, &channels, dead.id, &ada).await.unwrap_err();
    assert!(matches!(error, Error::UnknownChannel { .. }), "{error}");

    let settings = Settings::new().channel("oncal", json!({ "kind": "email", "to": "a@example.com" }));
    let channels = settings.build();
    let due = notify::retry_delivery(&mut conn, &channels, dead.id, &ada).await.unwrap();
    let acts: Vec<(String, String)> =
        sqlx::query_as("SELECT action, subject FROM governance_events").fetch_all(&database.pool).await.unwrap();
    assert_eq!(acts, [("delivery.retried".to_owned(), dead.id.to_string())]);
    assert_eq!(due.len(), 1);
    dispatcher(&database, &channels).drain().await.unwrap();
    let sent = deliveries::get(&database.pool, due[0]).await.unwrap().unwrap();
    assert_eq!((sent.state.as_str(), sent.recipient.as_str()), ("sent", "a@example.com"));
    assert_eq!(deliveries::get(&database.pool, dead.id).await.unwrap().unwrap().state, "merged");
}

#[tokio::test]
async fn acknowledging_is_for_open_incidents_and_happens_once() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    let id = commit(&database.pool, &channels, &evaluation(7, BOTH, vec![breach("temp")])).await.opened[0].id;
    let (ada, bob) = (Actor::local("ada"), Actor::local("bob"));
    let mut conn = database.pool.acquire().await.unwrap();
    let first = notify::acknowledge(&mut conn, id, Some("looking"), &ada).await.unwrap();
    let again = notify::acknowledge(&mut conn, id, None, &bob).await.unwrap();
    let acts: Vec<(String, String, String)> =
        sqlx::query_as("SELECT actor, action, subject FROM governance_events").fetch_all(&database.pool).await.unwrap();
    assert_eq!(acts, [("ada".to_owned(), "incident.acknowledged".to_owned(), id.to_string())]);
    assert_eq!(first, again);
    assert_eq!((again.state.as_str(), again.acknowledged_by.as_deref()), ("acknowledged", Some("ada")));
    // It stays one incident, and its end is told.
    assert!(commit(&database.pool, &channels, &evaluation(8, BOTH, vec![breach("temp")])).await.opened.is_empty());
    assert_eq!(commit(&database.pool, &channels, &evaluation(9, BOTH, vec![clear("temp")])).await.resolved.len(), 1);
    let kinds: Vec<String> = incidents::events(&database.pool, id).await.unwrap().into_iter().map(|e| e.kind).collect();
    assert_eq!(kinds, ["opened", "acknowledged", "breached", "resolved"]);
    assert!(matches!(notify::acknowledge(&mut conn, id, None, &ada).await, Err(Error::NotOpen { .. })));
    assert!(matches!(notify::acknowledge(&mut conn, Uuid::nil(), None, &ada).await, Err(Error::NoSuchIncident(_))));
    // A new breach is a new incident.
    let next = commit(&database.pool, &channels, &evaluation(10, BOTH, vec![breach("temp")])).await;
    assert_ne!(next.opened[0].id, id);
}

#[tokio::test]
async fn incidents_are_found_by_the_beginning_of_their_id() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    let id = commit(&database.pool, &channels, &evaluation(7, BOTH, vec![breach("temp")])).await.opened[0].id;
    let text = id.to_string();
    for beginning in [&text, &text[..8], &text[..13], &text.to_uppercase(), &id.simple().to_string()] {
        assert_eq!(notify::find(&database.pool, beginning).await.unwrap(), id, "{beginning}");
    }
    assert!(matches!(notify::find(&database.pool, &text[..7]).await, Err(Error::NoIncidentId(_))));
    assert!(matches!(notify::find(&database.pool, "not-an-id").await, Err(Error::NoIncidentId(_))));
    assert!(matches!(notify::find(&database.pool, "00000000").await, Err(Error::NoSuchIncident(_))));
    let twin = Uuid::from_u128(id.as_u128() ^ 1);
    sqlx::query(
        "INSERT INTO incidents (id, fingerprint, job_name, kind, subject, title, evidence, opened_at, last_breach_at)
         SELECT $2, 'twin', job_name, kind, subject, title, evidence, opened_at, last_breach_at FROM incidents WHERE id = $1",
    )
    .bind(id)
    .bind(twin)
    .execute(&database.pool)
    .await
    .unwrap();
    assert!(matches!(notify::find(&database.pool, &text[..8]).await, Err(Error::AmbiguousIncident(_))));
}

#[tokio::test]
async fn pages_of_incidents_meet_without_gap_or_overlap() {
    let database = TestDatabase::new().await;
    let channels = Settings::new().build();
    let findings = (0..5).map(|n| breach(&format!("column_{n}"))).collect();
    commit(&database.pool, &channels, &evaluation(7, &[], findings)).await;
    let mut other = evaluation(8, &[], vec![breach("x")]);
    other.job_name = "another".to_owned();
    commit(&database.pool, &channels, &other).await;
    let mut seen = Vec::new();
    let mut filter = Filter { limit: 2, ..Filter::default() };
    loop {
        let page = incidents::list(&database.pool, &filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.after = Some((last.opened_at, last.id));
        seen.extend(page.into_iter().map(|incident| incident.id));
    }
    let whole = incidents::list(&database.pool, &Filter { limit: 100, ..Filter::default() }).await.unwrap();
    assert_eq!(seen, whole.iter().map(|incident| incident.id).collect::<Vec<_>>());
    assert_eq!(seen.len(), 6);
    let of_job = Filter { job: Some("another".into()), limit: 100, ..Filter::default() };
    assert_eq!(incidents::list(&database.pool, &of_job).await.unwrap().len(), 1);
}
