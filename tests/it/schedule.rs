//! The scheduler against a real PostgreSQL: one verdict per tick, whatever happens.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection, PgPool};
use steward::clock::{SharedClock, SimulatedClock};
use steward::config::scheduler::SchedulerSettings;
use steward::db::schedules::{TickRow, ticks_of_job};
use steward::queue::{self, NewRun, Run, RunFilter};
use steward::schedule::{
    CatchUp, JobRow, Overlap, Planned, Reconciled, ScheduleSpec, Upserted, deactivate_schedule, reconcile,
    run_scheduler, upsert_schedule,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::database::TestDatabase;

fn utc(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
}

fn settings() -> SchedulerSettings {
    SchedulerSettings { poll_seconds: 1, catch_up_cap: 3, on_time_seconds: 60 }
}

/// Hourly in UTC, with the defaults of job files.
fn hourly() -> ScheduleSpec {
    ScheduleSpec {
        cron: "0 * * * *".to_owned(),
        timezone: "UTC".to_owned(),
        overlap: Overlap::Skip,
        catch_up: CatchUp::Latest,
        catch_up_window_seconds: 7 * 86400,
        jitter_seconds: 0,
    }
}

fn factory(job: &JobRow, planned: &Planned) -> Result<NewRun, String> {
    if job.document == json!("bad") {
        return Err("the document is bad".to_owned());
    }
    Ok(NewRun { window: Some(planned.window), ..NewRun::new(&job.name, &job.kind, job.document.clone()) })
}

struct Bench {
    database: TestDatabase,
    clock: Arc<SimulatedClock>,
    job: Uuid,
}

impl Bench {
    /// A job whose schedule was first seen at half past noon on 1 May 2013.
    async fn new(spec: &ScheduleSpec) -> Self {
        let database = TestDatabase::new().await;
        let job = insert_job(&database.pool, "hourly", json!({})).await;
        let clock = SimulatedClock::at(utc("2013-05-01T12:30:00Z"));
        let bench = Self { database, clock, job };
        assert_eq!(bench.upsert(spec).await, Upserted::Created);
        bench
    }

    fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    async fn upsert(&self, spec: &ScheduleSpec) -> Upserted {
        let mut conn = self.pool().acquire().await.unwrap();
        let now = steward::clock::Clock::now(&*self.clock);
        upsert_schedule(&mut conn, self.job, spec, now).await.unwrap()
    }

    async fn at(&self, now: &str) -> Reconciled {
        self.clock.set(utc(now));
        self.reconcile().await
    }

    async fn reconcile(&self) -> Reconciled {
        let clock: SharedClock = self.clock.clone();
        reconcile(self.pool(), &clock, &settings(), &factory).await.unwrap()
    }

    /// Ticks from old to new: hour and verdict.
    async fn verdicts(&self) -> Vec<String> {
        let word = |tick: TickRow| format!("{} {}", tick.tick_at.format("%H:%M"), tick.verdict);
        self.ticks().await.into_iter().map(word).collect()
    }

    async fn ticks(&self) -> Vec<TickRow> {
        let mut ticks = ticks_of_job(self.pool(), self.job, 1000).await.unwrap();
        ticks.reverse();
        ticks
    }

    /// Runs from old to new.
    async fn runs(&self) -> Vec<Run> {
        let mut runs = queue::list(self.pool(), &RunFilter::default(), 1000).await.unwrap().runs;
        runs.sort_by_key(|run| run.tick_at);
        runs
    }

    async fn finish(&self, run: Uuid) {
        let mut conn = self.pool().acquire().await.unwrap();
        queue::cancel(&mut conn, run).await.unwrap();
    }

    async fn lease(&self, run: Uuid) {
        sqlx::query("UPDATE runs SET state = 'leased', lease_until = now() + interval '1 hour' WHERE id = $1")
            .bind(run)
            .execute(self.pool())
            .await
            .unwrap();
    }
}

async fn insert_job(pool: &PgPool, name: &str, document: serde_json::Value) -> Uuid {
    sqlx::query_scalar(
        "INSERT INTO jobs (name, kind, document, source, digest) VALUES ($1, 'test', $2, '', '') RETURNING id",
    )
    .bind(name)
    .bind(document)
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_tick_becomes_a_run_over_the_window_since_the_previous_tick() {
    let bench = Bench::new(&hourly()).await;
    assert!(bench.reconcile().await.verdicts.is_empty());
    let done = bench.at("2013-05-01T13:00:00Z").await;
    assert_eq!(done.enqueued.len(), 1);
    let run = queue::get(bench.pool(), done.enqueued[0]).await.unwrap();
    assert_eq!(
        (run.job_id, run.trigger.as_str(), run.tick_at),
        (Some(bench.job), "schedule", Some(utc("2013-05-01T13:00:00Z")))
    );
    assert_eq!(run.window(), Some((utc("2013-05-01T12:00:00Z"), utc("2013-05-01T13:00:00Z"))));
    assert_eq!(run.run_after, utc("2013-05-01T13:00:00Z"));
    let ticks = bench.ticks().await;
    assert_eq!((ticks[0].verdict.as_str(), ticks[0].run_id), ("enqueued", Some(run.id)));
    assert!(bench.reconcile().await.verdicts.is_empty(), "the same tick was decided twice");
}

#[tokio::test]
async fn a_schedule_seen_for_the_first_time_never_back_fills() {
    let bench = Bench::new(&hourly()).await;
    bench.at("2013-05-01T13:00:30Z").await;
    assert_eq!(bench.verdicts().await, ["13:00 enqueued"]);
}

#[tokio::test]
async fn a_changed_expression_or_zone_starts_anew_and_policies_do_not() {
    let bench = Bench::new(&hourly()).await;
    bench.clock.set(utc("2013-05-01T15:30:00Z"));
    let other = ScheduleSpec { catch_up: CatchUp::All, ..hourly() };
    assert_eq!(bench.upsert(&other).await, Upserted::Changed);
    assert_eq!(bench.upsert(&other).await, Upserted::Unchanged);
    let half_past = ScheduleSpec { cron: "45 * * * *".to_owned(), ..other.clone() };
    assert_eq!(bench.upsert(&half_past).await, Upserted::NewEpoch);
    bench.at("2013-05-01T16:00:00Z").await;
    assert_eq!(bench.verdicts().await, ["15:45 enqueued"]);
    bench.clock.set(utc("2013-05-01T18:50:00Z"));
    let moved = ScheduleSpec { timezone: "Asia/Kolkata".to_owned(), ..half_past.clone() };
    assert_eq!(bench.upsert(&moved).await, Upserted::NewEpoch);
    bench.reconcile().await;
    assert_eq!(bench.verdicts().await, ["15:45 enqueued"]);
    // Switched off and on again: what passed meanwhile is not made up for.
    let mut conn = bench.pool().acquire().await.unwrap();
    assert!(deactivate_schedule(&mut conn, bench.job, utc("2013-05-01T18:50:00Z")).await.unwrap());
    assert!(!deactivate_schedule(&mut conn, bench.job, utc("2013-05-01T18:50:00Z")).await.unwrap());
    bench.at("2013-05-01T22:00:00Z").await;
    assert_eq!(bench.upsert(&moved).await, Upserted::NewEpoch);
    bench.reconcile().await;
    assert_eq!(bench.verdicts().await, ["15:45 enqueued"]);
}

#[tokio::test]
async fn an_expression_that_cannot_be_read_is_not_stored() {
    let bench = Bench::new(&hourly()).await;
    let mut conn = bench.pool().acquire().await.unwrap();
    let wrong = ScheduleSpec { cron: "0 25 * * *".to_owned(), ..hourly() };
    let error = upsert_schedule(&mut conn, bench.job, &wrong, utc("2013-05-01T12:30:00Z")).await.unwrap_err();
    assert_eq!(error.to_string(), r#"schedule: hour "25": hours go from 0 to 23"#);
    assert_eq!(bench.upsert(&hourly()).await, Upserted::Unchanged);
}

#[tokio::test]
async fn two_schedulers_make_one_row_and_one_run_per_tick() {
    let bench = Arc::new(Bench::new(&ScheduleSpec { overlap: Overlap::Allow, ..hourly() }).await);
    for hour in 13..20 {
        bench.clock.set(utc(&format!("2013-05-01T{hour}:00:00Z")));
        let passes = (0..4).map(|_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { bench.reconcile().await.enqueued.len() })
        });
        let made: Vec<usize> = futures::future::join_all(passes).await.into_iter().map(|made| made.unwrap()).collect();
        assert_eq!(made.iter().sum::<usize>(), 1, "{made:?}");
    }
    assert_eq!((bench.ticks().await.len(), bench.runs().await.len()), (7, 7));
}

#[tokio::test]
async fn catch_up_latest_collapses_what_was_missed() {
    let bench = Bench::new(&ScheduleSpec { catch_up_window_seconds: 2 * 3600, ..hourly() }).await;
    bench.at("2013-05-01T16:30:00Z").await;
    let words = ["13:00 missed_window", "14:00 missed_window", "15:00 collapsed", "16:00 enqueued"];
    assert_eq!(bench.verdicts().await, words);
    assert_eq!(bench.ticks().await[2].reason.as_deref(), Some("made up for by the tick of 2013-05-01T16:00:00Z"));
    assert_eq!(bench.runs().await.len(), 1);
}

#[tokio::test]
async fn catch_up_all_runs_up_to_the_cap_one_after_the_other() {
    let bench = Bench::new(&ScheduleSpec { catch_up: CatchUp::All, ..hourly() }).await;
    bench.at("2013-05-01T16:30:00Z").await;
    let words = ["13:00 missed_window", "14:00 enqueued", "15:00 enqueued", "16:00 enqueued"];
    assert_eq!(bench.verdicts().await, words);
    let runs = bench.runs().await;
    assert_eq!(runs.iter().map(|run| run.after_run).collect::<Vec<_>>(), [None, Some(runs[0].id), Some(runs[1].id)]);
    assert_eq!(runs[0].window(), Some((utc("2013-05-01T13:00:00Z"), utc("2013-05-01T14:00:00Z"))));
}

#[tokio::test]
async fn catch_up_none_runs_only_what_is_on_time() {
    let bench = Bench::new(&ScheduleSpec { catch_up: CatchUp::None, ..hourly() }).await;
    bench.at("2013-05-01T14:30:00Z").await;
    bench.at("2013-05-01T15:00:05Z").await;
    assert_eq!(bench.verdicts().await, ["13:00 missed_window", "14:00 missed_window", "15:00 enqueued"]);
}

/// Three hourly ticks; the first one's run is leased, the second one's (if any) waits.
async fn overlapping(overlap: Overlap) -> Bench {
    let bench = Bench::new(&ScheduleSpec { overlap, ..hourly() }).await;
    let first = bench.at("2013-05-01T13:00:00Z").await.enqueued[0];
    bench.lease(first).await;
    bench.at("2013-05-01T14:00:00Z").await;
    bench.at("2013-05-01T15:00:00Z").await;
    bench
}

#[tokio::test]
async fn overlap_skip_leaves_ticks_out_until_the_run_is_finished() {
    let bench = overlapping(Overlap::Skip).await;
    let first = bench.runs().await[0].id;
    assert_eq!(bench.verdicts().await, ["13:00 enqueued", "14:00 skipped_overlap", "15:00 skipped_overlap"]);
    assert_eq!(bench.ticks().await[1].reason, Some(format!("run {first} is still leased")));
    sqlx::query("UPDATE runs SET state = 'failed' WHERE id = $1").bind(first).execute(bench.pool()).await.unwrap();
    bench.at("2013-05-01T16:00:00Z").await;
    assert_eq!(bench.verdicts().await.last().unwrap(), "16:00 enqueued");
}

#[tokio::test]
async fn overlap_queue_one_lets_one_wait() {
    let bench = overlapping(Overlap::QueueOne).await;
    assert_eq!(bench.verdicts().await, ["13:00 enqueued", "14:00 enqueued", "15:00 skipped_overlap"]);
    let runs = bench.runs().await;
    assert_eq!(runs[1].after_run, Some(runs[0].id));
}

#[tokio::test]
async fn overlap_queue_all_makes_a_chain() {
    let bench = overlapping(Overlap::QueueAll).await;
    let runs = bench.runs().await;
    assert_eq!(bench.verdicts().await, ["13:00 enqueued", "14:00 enqueued", "15:00 enqueued"]);
    assert_eq!((runs[1].after_run, runs[2].after_run), (Some(runs[0].id), Some(runs[1].id)));
}

#[tokio::test]
async fn overlap_cancel_running_replaces_what_is_unfinished() {
    let bench = overlapping(Overlap::CancelRunning).await;
    let runs = bench.runs().await;
    assert_eq!(bench.verdicts().await, ["13:00 enqueued", "14:00 enqueued", "15:00 enqueued"]);
    assert_eq!((runs[0].state.as_str(), runs[0].cancel_requested), ("leased", true));
    assert_eq!(runs[1].state, "cancelled");
    // The new one starts when the running one has stopped.
    assert_eq!((runs[2].state.as_str(), runs[2].after_run), ("available", Some(runs[0].id)));
}

#[tokio::test]
async fn overlap_allow_runs_side_by_side() {
    let bench = overlapping(Overlap::Allow).await;
    let runs = bench.runs().await;
    assert_eq!(runs.len(), 3);
    assert!(runs.iter().all(|run| run.after_run.is_none()));
}

#[tokio::test]
async fn back_fills_do_not_stand_in_the_way() {
    let bench = Bench::new(&hourly()).await;
    let mut conn = bench.pool().acquire().await.unwrap();
    let backfill = NewRun {
        job_id: Some(bench.job),
        trigger: queue::Trigger::Backfill,
        ..NewRun::new("hourly", "test", json!({}))
    };
    let backfill = queue::enqueue(&mut conn, &backfill).await.unwrap().id;
    bench.at("2013-05-01T13:00:00Z").await;
    assert_eq!(bench.verdicts().await, ["13:00 enqueued"]);
    bench.finish(backfill).await;
}

#[tokio::test]
async fn paused_ticks_are_accounted_for_and_not_made_up_for() {
    let bench = Bench::new(&hourly()).await;
    bench.pool().execute("UPDATE jobs SET state = 'paused', paused_reason = 'holiday'").await.unwrap();
    bench.at("2013-05-01T14:30:00Z").await;
    bench.pool().execute("UPDATE jobs SET state = 'active'").await.unwrap();
    bench.at("2013-05-01T15:00:00Z").await;
    assert_eq!(bench.verdicts().await, ["13:00 paused", "14:00 paused", "15:00 enqueued"]);
    assert_eq!(bench.ticks().await[0].reason.as_deref(), Some("holiday"));
    bench.pool().execute("UPDATE jobs SET state = 'removed'").await.unwrap();
    bench.at("2013-05-01T20:00:00Z").await;
    assert_eq!(bench.ticks().await.len(), 3);
}

#[tokio::test]
async fn jitter_delays_the_run_and_neither_tick_nor_window() {
    let bench = Bench::new(&ScheduleSpec { jitter_seconds: 600, ..hourly() }).await;
    bench.at("2013-05-01T13:00:00Z").await;
    let first = bench.runs().await[0].clone();
    bench.finish(first.id).await;
    bench.at("2013-05-01T14:00:00Z").await;
    let second = bench.runs().await[1].clone();
    let delay = |run: &Run| (run.run_after - run.tick_at.unwrap()).num_seconds();
    assert_eq!(delay(&first), delay(&second));
    assert!((0..=600).contains(&delay(&first)));
    assert_eq!(first.window().unwrap().1, first.tick_at.unwrap());
}

#[tokio::test]
async fn daylight_saving_gives_one_run_a_day() {
    let daily = ScheduleSpec {
        cron: "30 2 * * *".to_owned(),
        timezone: "America/New_York".to_owned(),
        catch_up: CatchUp::All,
        overlap: Overlap::Allow,
        ..hourly()
    };
    let bench = Bench::new(&daily).await;
    bench.clock.set(utc("2013-03-09T00:00:00Z"));
    let moved = ScheduleSpec { cron: "30 2 * * 0-6".to_owned(), ..daily };
    assert_eq!(bench.upsert(&moved).await, Upserted::NewEpoch);
    bench.at("2013-03-11T12:00:00Z").await;
    assert_eq!(bench.verdicts().await, ["07:30 enqueued", "07:00 enqueued", "06:30 enqueued"]);
    let runs = bench.runs().await;
    for pair in runs.windows(2) {
        assert_eq!(pair[0].window().unwrap().1, pair[1].window().unwrap().0);
    }
}

#[tokio::test]
async fn one_broken_job_does_not_keep_the_others() {
    let bench = Bench::new(&hourly()).await;
    let bad = insert_job(bench.pool(), "bad", json!("bad")).await;
    let mut conn = bench.pool().acquire().await.unwrap();
    upsert_schedule(&mut conn, bad, &hourly(), utc("2013-05-01T12:30:00Z")).await.unwrap();
    let done = bench.at("2013-05-01T13:00:00Z").await;
    assert_eq!((done.enqueued.len(), done.failures.len()), (1, 1));
    assert_eq!(done.failures[0].job_name, "bad");
    assert_eq!(done.failures[0].error.to_string(), "job document: the document is bad");
    assert!(ticks_of_job(bench.pool(), bad, 10).await.unwrap().is_empty(), "a tick lost its verdict");
    // Mended, the tick is made up for.
    sqlx::query("UPDATE jobs SET document = '{}' WHERE id = $1").bind(bad).execute(bench.pool()).await.unwrap();
    assert_eq!(bench.at("2013-05-01T13:10:00Z").await.enqueued.len(), 1);
}

#[tokio::test]
async fn a_clock_that_goes_back_decides_nothing_twice() {
    let bench = Bench::new(&hourly()).await;
    bench.at("2013-05-01T14:00:00Z").await;
    bench.at("2013-05-01T12:40:00Z").await;
    let again = bench.at("2013-05-01T14:00:00Z").await;
    assert!(again.verdicts.is_empty());
    assert_eq!(bench.verdicts().await, ["13:00 collapsed", "14:00 enqueued"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loop_survives_losing_its_connections() {
    let bench = Bench::new(&hourly()).await;
    let stop = CancellationToken::new();
    let clock: SharedClock = bench.clock.clone();
    let running = tokio::spawn(run_scheduler(bench.pool().clone(), clock, settings(), Arc::new(factory), stop.clone()));
    let mut admin = PgConnection::connect(&crate::support::database::server().await.0).await.unwrap();
    let name = url::Url::parse(&bench.database.url).unwrap().path().trim_start_matches('/').to_owned();
    for allowed in [false, true] {
        admin.execute(sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}"))).await.unwrap();
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
        )
        .bind(&name)
        .execute(&mut admin)
        .await
        .unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    bench.clock.set(utc("2013-05-01T13:00:00Z"));
    for _ in 0..100 {
        if !bench.ticks().await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(bench.verdicts().await, ["13:00 enqueued"]);
    stop.cancel();
    running.await.unwrap();
}
