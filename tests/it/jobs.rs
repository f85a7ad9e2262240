//! Plan and apply against a real database.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use sqlx::Row;
use steward::clock::{SharedClock, SimulatedClock};
use steward::config::storage::StorageSettings;
use steward::db::audit::Actor;
use steward::db::jobs as store;
use steward::jobs::plan::Error as PlanError;
use steward::jobs::vocabulary::{Calendar, words};
use steward::jobs::{self, Checks, JobDocument, Loaded, Plan, StateError, join, parse, plan};
use steward::queue::NewRun;
use steward::storage::Storage;

use crate::support::database::TestDatabase;

fn job(name: &str, more: &str) -> String {
    format!(
        "name = \"{name}\"\nkind = \"metrics\"\n{more}\n[data]\ncurrent = \"x.parquet\"\n[metrics]\ntask = \"regression\"\nlabel = \"y\"\nprediction = \"p\"\n"
    )
}

fn load(files: &[(&str, String)]) -> Loaded {
    let known = words();
    let checks = Checks { known: &known, schedule: &Calendar };
    join(files.iter().map(|(path, text)| parse(path, text, checks)))
}

async fn apply(pool: &PgPool, clock: &SharedClock, loaded: &Loaded, prune: bool) -> Result<Plan, PlanError> {
    jobs::apply(pool, clock, loaded, prune, &Actor::local("ada")).await
}

/// The audit trail: who did what to what.
async fn trail(pool: &PgPool) -> Vec<(String, String, String)> {
    sqlx::query_as("SELECT actor, action, subject FROM governance_events ORDER BY sequence")
        .fetch_all(pool)
        .await
        .unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn clock(text: &str) -> SharedClock {
    SimulatedClock::at(at(text))
}

async fn schedule(pool: &PgPool, name: &str) -> (String, DateTime<Utc>, DateTime<Utc>, bool) {
    let row = sqlx::query(
        "SELECT cron, epoch, high_water, active FROM schedules s JOIN jobs j ON j.id = s.job_id WHERE j.name = $1",
    )
    .bind(name)
    .fetch_one(pool)
    .await
    .unwrap();
    (row.get(0), row.get(1), row.get(2), row.get(3))
}

#[tokio::test]
async fn a_plan_says_what_apply_does_and_a_second_apply_does_nothing() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let first = load(&[("a.toml", job("a", "schedule = \"0 6 * * *\"")), ("b.toml", job("b", ""))]);
    let planned = plan(pool, &first).await.unwrap();
    assert_eq!(
        planned.render(false),
        "+ a (metrics, \"0 6 * * *\")\n+ b (metrics, on demand)\n2 to add, 0 to change, 0 to remove, 0 unchanged"
    );
    assert!(store::overview(pool).await.unwrap().is_empty(), "a plan changes nothing");

    let done = apply(pool, &clock("2026-01-01T12:00:00Z"), &first, true).await.unwrap();
    assert_eq!(done, planned);
    assert_eq!(
        schedule(pool, "a").await,
        ("0 6 * * *".into(), at("2026-01-01T12:00:00Z"), at("2026-01-01T12:00:00Z"), true)
    );
    let again = apply(pool, &clock("2026-01-02T12:00:00Z"), &first, true).await.unwrap();
    assert!(again.is_empty(true), "{again:?}");
    assert_eq!(schedule(pool, "a").await.1, at("2026-01-01T12:00:00Z"), "the epoch stays");

    let mut conn = pool.acquire().await.unwrap();
    let row = store::find(&mut conn, "a").await.unwrap().unwrap();
    let document: JobDocument = serde_json::from_value(row.document).unwrap();
    assert_eq!(document, first.documents[0].document, "what was stored reads back the same");
    assert_eq!(document.digest().unwrap(), row.digest, "also after jsonb put its keys into another order");
    assert_eq!(row.path.as_deref(), Some("a.toml"));
}

#[tokio::test]
async fn a_changed_job_is_told_key_by_key_and_only_a_new_time_starts_a_new_epoch() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    apply(pool, &clock("2026-01-01T12:00:00Z"), &load(&[("a.toml", job("a", "schedule = \"0 6 * * *\""))]), false)
        .await
        .unwrap();

    let owned = load(&[("a.toml", job("a", "schedule = \"0 6 * * *\"\nowner = \"ops\"\njitter = \"5m\""))]);
    let done = apply(pool, &clock("2026-01-02T12:00:00Z"), &owned, false).await.unwrap();
    assert_eq!(
        done.render(false),
        "~ a\n    jitter_seconds: 0 -> 300\n  + owner: \"ops\"\n0 to add, 1 to change, 0 to remove, 0 unchanged"
    );
    assert_eq!(schedule(pool, "a").await.1, at("2026-01-01T12:00:00Z"));

    let moved = load(&[("a.toml", job("a", "schedule = \"0 7 * * *\"\nowner = \"ops\"\njitter = \"5m\""))]);
    apply(pool, &clock("2026-01-03T12:00:00Z"), &moved, false).await.unwrap();
    assert_eq!(
        schedule(pool, "a").await,
        ("0 7 * * *".into(), at("2026-01-03T12:00:00Z"), at("2026-01-03T12:00:00Z"), true)
    );

    let on_demand = load(&[("a.toml", job("a", "owner = \"ops\"\njitter = \"5m\""))]);
    apply(pool, &clock("2026-01-04T12:00:00Z"), &on_demand, false).await.unwrap();
    assert!(!schedule(pool, "a").await.3, "without a schedule there are no ticks");
}

#[tokio::test]
async fn comments_are_kept_but_are_no_change() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let clock = clock("2026-01-01T12:00:00Z");
    apply(pool, &clock, &load(&[("a.toml", job("a", ""))]), false).await.unwrap();
    let commented = load(&[("moved.toml", job("a", "# why"))]);
    assert!(apply(pool, &clock, &commented, false).await.unwrap().is_empty(true));
    let row = store::find(&mut pool.acquire().await.unwrap(), "a").await.unwrap().unwrap();
    assert!(row.source.contains("# why"));
    assert_eq!(row.path.as_deref(), Some("moved.toml"));
}

#[tokio::test]
async fn removed_jobs_keep_their_history_and_come_back() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let both = load(&[("a.toml", job("a", "schedule = \"0 6 * * *\"")), ("b.toml", job("b", ""))]);
    apply(pool, &clock("2026-01-01T12:00:00Z"), &both, false).await.unwrap();
    let id = store::find(&mut pool.acquire().await.unwrap(), "a").await.unwrap().unwrap().id;

    let without = load(&[("b.toml", job("b", ""))]);
    let kept = apply(pool, &clock("2026-01-02T12:00:00Z"), &without, false).await.unwrap();
    assert_eq!(kept.removed, ["a"]);
    assert!(schedule(pool, "a").await.3, "kept without prune");
    apply(pool, &clock("2026-01-03T12:00:00Z"), &without, true).await.unwrap();
    assert!(!schedule(pool, "a").await.3);
    assert_eq!(store::overview(pool).await.unwrap().iter().map(|j| j.name.as_str()).collect::<Vec<_>>(), ["b"]);

    let back = apply(pool, &clock("2026-01-09T12:00:00Z"), &both, true).await.unwrap();
    assert!(back.added[0].revived && back.added[0].name == "a");
    let row = store::find(&mut pool.acquire().await.unwrap(), "a").await.unwrap().unwrap();
    assert_eq!((row.id, row.state.as_str()), (id, "active"), "it is the same job");
    assert_eq!(schedule(pool, "a").await.1, at("2026-01-09T12:00:00Z"), "nothing is made up for");
}

#[tokio::test]
async fn a_paused_job_stays_paused_when_it_changes() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let clock = clock("2026-01-01T12:00:00Z");
    apply(pool, &clock, &load(&[("a.toml", job("alpha", ""))]), false).await.unwrap();
    let mut conn = pool.acquire().await.unwrap();
    jobs::actions::pause(&mut conn, "alpha", "upstream is broken", &Actor::local("ada")).await.unwrap();
    let changed = load(&[("a.toml", job("alpha", "owner = \"ops\""))]);
    assert!(apply(pool, &clock, &changed, false).await.unwrap().changed[0].paused);
    let row = store::find(&mut conn, "alpha").await.unwrap().unwrap();
    assert_eq!(
        (row.state.as_str(), row.paused_by.as_deref(), row.paused_reason.as_deref()),
        ("paused", Some("ada"), Some("upstream is broken"))
    );
    assert!(
        matches!(jobs::actions::pause(&mut conn, "alpha", "again", &Actor::local("bob")).await, Err(StateError::Already { state, .. }) if state == "paused")
    );
    jobs::actions::resume(&mut conn, "alpha", &Actor::local("bob")).await.unwrap();
    let row = store::find(&mut conn, "alpha").await.unwrap().unwrap();
    assert_eq!((row.state.as_str(), row.paused_by, row.paused_reason, row.paused_at), ("active", None, None, None));
    assert_eq!(
        jobs::actions::resume(&mut conn, "alpha", &Actor::local("bob")).await.unwrap_err().to_string(),
        "the job `alpha` is active already"
    );
    assert_eq!(
        jobs::actions::resume(&mut conn, "alhpa", &Actor::local("bob")).await.unwrap_err().to_string(),
        "there is no job `alhpa`; did you mean `alpha`?"
    );
    let acts: Vec<_> = trail(pool).await.into_iter().map(|(actor, action, _)| format!("{actor} {action}")).collect();
    assert_eq!(acts.first().map(String::as_str), Some("ada job.created"));
    let later: Vec<_> = acts.iter().filter(|act| !act.contains("created") && !act.contains("changed")).collect();
    assert_eq!(later, ["ada job.paused", "bob job.resumed"], "what was refused is no event");
}

#[tokio::test]
async fn applying_is_recorded_job_by_job() {
    let database = TestDatabase::new().await;
    let (pool, clock) = (&database.pool, clock("2026-01-01T12:00:00Z"));
    let both = load(&[("a.toml", job("a", "")), ("b.toml", job("b", ""))]);
    apply(pool, &clock, &both, true).await.unwrap();
    apply(pool, &clock, &both, true).await.unwrap();
    let changed = load(&[("a.toml", job("a", "schedule = \"@daily\""))]);
    apply(pool, &clock, &changed, true).await.unwrap();
    let acts: Vec<_> = trail(pool).await.into_iter().map(|(_, action, job)| format!("{action} {job}")).collect();
    assert_eq!(acts, ["job.created a", "job.created b", "job.changed a", "job.removed b"]);
    let detail: String = sqlx::query_scalar("SELECT detail FROM governance_events WHERE action = 'job.changed'")
        .fetch_one(pool)
        .await
        .unwrap();
    assert!(detail.contains("\"field\":\"schedule\"") && detail.contains("@daily"), "{detail}");
}

#[test]
fn a_submitted_document_may_name_only_listed_data() {
    let storage = |allowed: &[&str]| {
        #[derive(serde::Deserialize)]
        struct Fragment {
            storage: StorageSettings,
        }
        let mut settings = toml::from_str::<Fragment>(include_str!("../../config/default.toml")).unwrap().storage;
        settings.allowed = allowed.iter().map(|root| (*root).to_owned()).collect();
        Storage::new(&settings)
    };
    let loaded = load(&[("a.toml", job("a", "").replace("x.parquet", "s3://mine/day={tick:%Y-%m-%d}/*.parquet"))]);
    let document = &loaded.documents[0].document;
    assert!(jobs::actions::check_submitted(document, &storage(&["s3://mine"])).is_empty());
    for allowed in [&[][..], &["s3://mine-too"], &["/srv"]] {
        let refused = jobs::actions::check_submitted(document, &storage(allowed));
        assert_eq!(refused.len(), 1);
        assert_eq!((refused[0].0, refused[0].1.code()), ("/data/current/uri", "denied"));
    }
}

#[tokio::test]
async fn submitting_retrying_and_cancelling_are_recorded_once_each_and_with_their_effect() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let ada = Actor::local("ada");
    let mut new = NewRun::new("job", "test", serde_json::json!({"secret": "hunter2"}));
    new.idempotency_key = Some("k".to_owned());
    let mut tx = pool.begin().await.unwrap();
    let first = jobs::actions::submit(&mut tx, &new, &ada).await.unwrap();
    let again = jobs::actions::submit(&mut tx, &new, &Actor::local("bob")).await.unwrap();
    assert_eq!((first.id, again.created), (again.id, false));
    tx.commit().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    jobs::actions::cancel(&mut tx, first.id, &ada).await.unwrap();
    jobs::actions::cancel(&mut tx, first.id, &ada).await.unwrap();
    let repeated = jobs::actions::retry(&mut tx, first.id, "default", &ada).await.unwrap();
    tx.commit().await.unwrap();
    // What is rolled back leaves neither effect nor event.
    let mut tx = pool.begin().await.unwrap();
    jobs::actions::cancel(&mut tx, repeated.id, &ada).await.unwrap();
    tx.rollback().await.unwrap();
    let acts: Vec<_> = trail(pool).await.into_iter().map(|(_, action, run)| (action, run)).collect();
    let expected = [("run.submitted", first.id), ("run.cancelled", first.id), ("run.retried", repeated.id)];
    assert_eq!(acts, expected.map(|(action, id)| (action.to_owned(), id.to_string())));
    let by: Vec<Option<String>> = sqlx::query_scalar("SELECT submitted_by FROM runs").fetch_all(pool).await.unwrap();
    assert_eq!(by, [Some("ada".to_owned()), Some("ada".to_owned())]);
    let details: Vec<String> =
        sqlx::query_scalar("SELECT detail FROM governance_events").fetch_all(pool).await.unwrap();
    assert!(details.iter().all(|detail| !detail.contains("hunter2")), "documents stay out of the trail: {details:?}");
}

#[tokio::test]
async fn files_with_mistakes_change_nothing() {
    let database = TestDatabase::new().await;
    let loaded = load(&[("a.toml", job("a", "")), ("b.toml", job("b", "shedule = \"0 6 * * *\""))]);
    let error = apply(&database.pool, &clock("2026-01-01T12:00:00Z"), &loaded, true).await.unwrap_err();
    assert_eq!(error.to_string(), "the job files have mistakes (1 error in 1 file); nothing was changed");
    assert!(store::overview(&database.pool).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_at_once_are_one_after_the_other() {
    let database = TestDatabase::new().await;
    let files: Vec<(String, String)> =
        (0..20).map(|i| (format!("{i}.toml"), job(&format!("job-{i}"), "schedule = \"@daily\""))).collect();
    let loaded = Arc::new(load(&files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect::<Vec<_>>()));
    let both: Vec<_> = (0..2)
        .map(|_| {
            let (pool, loaded) = (database.pool.clone(), loaded.clone());
            tokio::spawn(async move {
                apply(&pool, &clock("2026-01-01T12:00:00Z"), &loaded, true).await.unwrap().added.len()
            })
        })
        .collect();
    let mut added = Vec::new();
    for task in both {
        added.push(task.await.unwrap());
    }
    added.sort_unstable();
    assert_eq!(added, [0, 20]);
}

#[tokio::test]
async fn the_overview_shows_the_last_run_that_counts() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    apply(pool, &clock("2026-01-01T12:00:00Z"), &load(&[("a.toml", job("a", "schedule = \"@daily\""))]), false)
        .await
        .unwrap();
    for (trigger, outcome, created) in [("schedule", "ok", 1), ("manual", "breached", 2), ("backfill", "no_data", 3)] {
        sqlx::query(
            "INSERT INTO runs (id, job_id, job_name, kind, document, state, trigger, outcome, created_at, finished_at)
             SELECT gen_random_uuid(), id, name, kind, document, 'succeeded', $1, $2, '2026-01-01'::timestamptz + $3 * interval '1 day', now() FROM jobs",
        )
        .bind(trigger)
        .bind(outcome)
        .bind(created)
        .execute(pool)
        .await
        .unwrap();
    }
    let overview = store::overview(pool).await.unwrap();
    assert_eq!(overview.len(), 1);
    assert_eq!(overview[0].last_outcome.as_deref(), Some("breached"));
    assert_eq!(overview[0].cron.as_deref(), Some("@daily"));
}
