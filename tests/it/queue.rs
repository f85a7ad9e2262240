//! The queue against a real PostgreSQL: leases, fences, retries, and what happens when workers die.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection, PgPool, Row};
use steward::clock::SystemClock;
use steward::config::worker::WorkerSettings;
use steward::queue::{self, Completion, Error, Handler, JobError, NewRun, Run, RunContext, State};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::database::TestDatabase;

fn settings() -> WorkerSettings {
    WorkerSettings {
        name: "test".to_owned(),
        queues: vec!["default".to_owned()],
        concurrency: 4,
        judge_parallel: 1,
        lease_seconds: 1,
        poll_milliseconds: 200,
        reap_seconds: 1,
        grace_seconds: 5,
        cancel_grace_seconds: 1,
        retry_base_seconds: 0,
        retry_max_seconds: 3600,
        not_ready_retry_seconds: 0,
        not_ready_limit_seconds: 3600,
    }
}

/// Does what the run's document says, and remembers what it was asked.
#[derive(Default)]
struct Script {
    pool: Mutex<Option<PgPool>>,
    executions: Mutex<BTreeMap<Uuid, usize>>,
    order: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    terminal: Mutex<Vec<(Uuid, String, String)>>,
}

impl Script {
    fn executions(&self, run: Uuid) -> usize {
        self.executions.lock().unwrap().get(&run).copied().unwrap_or(0)
    }

    fn terminal(&self) -> Vec<(Uuid, String, String)> {
        self.terminal.lock().unwrap().clone()
    }

    async fn act(&self, run: &Run, context: &RunContext, nth: usize) -> Result<(), JobError> {
        let text = |key: &str| run.document.get(key).and_then(serde_json::Value::as_str);
        let number = |key: &str| run.document.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let fails = nth <= usize::try_from(number("times")).unwrap();
        match text("do") {
            Some("panic") if fails => panic!("as the document says"),
            Some("transient") if fails => return Err(JobError::transient("unreachable", "storage is away")),
            Some("not_ready") if fails => return Err(JobError::not_ready("no_data", "no object yet", None)),
            Some("permanent") => return Err(JobError::permanent("schema_error", "column x is missing")),
            Some("sleep") => tokio::time::sleep(Duration::from_millis(number("ms"))).await,
            Some("until_cancelled") => {
                context.cancel.cancelled().await;
                return Err(JobError::transient("stopped", "told to stop"));
            }
            Some("stubborn") => {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            Some("block") => std::thread::sleep(Duration::from_millis(number("ms"))),
            _ => {}
        }
        let pool = self.pool.lock().unwrap().clone().unwrap();
        let mut tx = pool.begin().await?;
        let completion = Completion {
            outcome: "ok".to_owned(),
            summary: json!({ "nth": nth }),
            bytes_read: Some(7),
            peak_memory: Some(9),
        };
        queue::complete(&mut tx, run.id, run.fence, &completion).await?;
        tx.commit().await?;
        Ok(())
    }
}

#[async_trait]
impl Handler for Script {
    async fn handle(&self, run: Run, context: RunContext) -> Result<(), JobError> {
        let nth = {
            let mut executions = self.executions.lock().unwrap();
            let nth = executions.entry(run.id).or_default();
            *nth += 1;
            *nth
        };
        self.order.lock().unwrap().push(run.job_name.clone());
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        let result = self.act(&run, &context, nth).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        result
    }

    async fn terminal(
        &self,
        conn: &mut PgConnection,
        run: &Run,
        state: &str,
        error: &str,
        code: &str,
    ) -> Result<(), sqlx::Error> {
        if run.document.get("hook").is_some_and(|hook| hook == "refuses") {
            conn.execute("SELECT 1/0").await?;
        }
        assert_eq!(run.state, state);
        // In the ending transaction: visible afterwards exactly when the state is.
        conn.execute("CREATE TABLE IF NOT EXISTS reacted (run_id uuid)").await?;
        sqlx::query("INSERT INTO reacted VALUES ($1)").bind(run.id).execute(conn).await?;
        self.terminal.lock().unwrap().push((run.id, state.to_owned(), format!("{code}: {error}")));
        Ok(())
    }
}

struct Bench {
    database: TestDatabase,
    script: Arc<Script>,
}

struct Worker {
    stop: CancellationToken,
    running: JoinHandle<Result<(), Error>>,
}

impl Worker {
    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }
}

impl Bench {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let script = Arc::new(Script::default());
        *script.pool.lock().unwrap() = Some(database.pool.clone());
        Self { database, script }
    }

    fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    fn start(&self, settings: WorkerSettings) -> Worker {
        self.start_on(self.pool().clone(), self.pool().clone(), settings)
    }

    fn start_on(&self, pool: PgPool, heartbeat: PgPool, settings: WorkerSettings) -> Worker {
        let stop = CancellationToken::new();
        let queues = settings.queues.clone();
        let handler: Arc<dyn Handler> = self.script.clone();
        let running =
            tokio::spawn(queue::work(pool, heartbeat, Arc::new(SystemClock), settings, queues, handler, stop.clone()));
        Worker { stop, running }
    }

    async fn drain(&self, settings: WorkerSettings) {
        let (pool, queues) = (self.pool().clone(), settings.queues.clone());
        let handler: Arc<dyn Handler> = self.script.clone();
        let drained = queue::drain(pool.clone(), pool, Arc::new(SystemClock), settings, queues, handler);
        tokio::time::timeout(Duration::from_secs(10), drained).await.expect("never drained").unwrap();
    }

    async fn enqueue(&self, document: serde_json::Value) -> Uuid {
        self.enqueue_run(&NewRun::new("job", "test", document)).await
    }

    async fn enqueue_run(&self, run: &NewRun) -> Uuid {
        let mut conn = self.pool().acquire().await.unwrap();
        queue::enqueue(&mut conn, run).await.unwrap().id
    }

    async fn finished(&self, run: Uuid) -> Run {
        queue::wait_for(self.pool(), run, Duration::from_secs(10)).await.unwrap().expect("run did not finish in 10 s")
    }

    /// Until the run is in that state.
    async fn reaches(&self, run: Uuid, state: State) -> Run {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let found = queue::get(self.pool(), run).await.unwrap();
            if found.state == state.as_str() {
                return found;
            }
            assert!(Instant::now() < end, "run is {} and not {}", found.state, state.as_str());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Until the attempts at the run have these outcomes.
    async fn attempted(&self, run: Uuid, outcomes: &[&str]) -> Run {
        let end = Instant::now() + Duration::from_secs(10);
        while self.outcomes(run).await != outcomes {
            assert!(Instant::now() < end, "{:?}", self.outcomes(run).await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        queue::get(self.pool(), run).await.unwrap()
    }

    async fn outcomes(&self, run: Uuid) -> Vec<String> {
        let attempts = queue::attempts(self.pool(), run).await.unwrap();
        attempts.into_iter().map(|attempt| attempt.outcome.unwrap_or_else(|| "running".to_owned())).collect()
    }

    /// Leases a run as a worker that will never be heard of again.
    async fn lease_and_die(&self, run: Uuid) -> i64 {
        let fence = self.lease(run).await;
        sqlx::query("UPDATE runs SET lease_until = steward_now() - interval '1 second' WHERE id = $1")
            .bind(run)
            .execute(self.pool())
            .await
            .unwrap();
        fence
    }

    /// Leases a run for a minute.
    async fn lease(&self, run: Uuid) -> i64 {
        let rows = claim(self.pool(), 100, Uuid::new_v4()).await;
        rows.into_iter().find(|(id, _)| *id == run).expect("run was not due").1
    }
}

/// What the worker does to claim.
async fn claim(pool: &PgPool, limit: i64, owner: Uuid) -> Vec<(Uuid, i64)> {
    sqlx::query(include_str!("../../src/queue/claim.sql"))
        .bind("default")
        .bind(limit)
        .bind(owner)
        .bind("claimer")
        .bind(60.0)
        .fetch_all(pool)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.get("id"), row.get("fence")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_executed_and_its_attempt_recorded() {
    let bench = Bench::new().await;
    let worker = bench.start(settings());
    let run = bench.finished(bench.enqueue(json!({})).await).await;
    assert_eq!((run.state.as_str(), run.outcome.as_deref(), run.attempt, run.fence), ("succeeded", Some("ok"), 0, 1));
    assert_eq!((run.lease_owner, run.lease_until, run.summary), (None, None, Some(json!({ "nth": 1 }))));
    assert!(run.started_at.is_some() && run.finished_at.is_some());
    let attempts = queue::attempts(bench.pool(), run.id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(
        (attempts[0].outcome.as_deref(), attempts[0].bytes_read, attempts[0].peak_memory_bytes),
        (Some("succeeded"), Some(7), Some(9))
    );
    assert_eq!(attempts[0].worker_name, "test");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_claimers_never_get_the_same_run() {
    let bench = Bench::new().await;
    for _ in 0..200 {
        bench.enqueue(json!({})).await;
    }
    let claimer = || {
        let pool = bench.pool().clone();
        tokio::spawn(async move {
            let (owner, mut mine) = (Uuid::new_v4(), Vec::new());
            loop {
                let got = claim(&pool, 7, owner).await;
                if got.is_empty() {
                    return mine;
                }
                mine.extend(got);
            }
        })
    };
    let (a, b, c) = tokio::join!(claimer(), claimer(), claimer());
    let mut all: Vec<_> = [a.unwrap(), b.unwrap(), c.unwrap()].concat();
    assert_eq!(all.len(), 200);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 200);
    assert!(all.iter().all(|(_, fence)| *fence == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_runs_through_two_workers_are_executed_once_each_within_the_limit() {
    let bench = Bench::new().await;
    let workers = [bench.start(settings()), bench.start(settings())];
    let mut runs = Vec::new();
    for _ in 0..100 {
        runs.push(bench.enqueue(json!({ "do": "sleep", "ms": 2 })).await);
    }
    for run in &runs {
        assert_eq!(bench.finished(*run).await.state, "succeeded");
        assert_eq!(bench.script.executions(*run), 1);
    }
    assert!(bench.script.most_at_once.load(Ordering::SeqCst) <= 8);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_claims_no_more_than_it_can_start() {
    let bench = Bench::new().await;
    for _ in 0..10 {
        bench.enqueue(json!({ "do": "until_cancelled" })).await;
    }
    let worker = bench.start(WorkerSettings { concurrency: 3, grace_seconds: 0, ..settings() });
    tokio::time::sleep(Duration::from_millis(600)).await;
    let leased = queue::RunFilter { states: vec![State::Leased], ..Default::default() };
    assert_eq!(queue::list(bench.pool(), &leased, 50).await.unwrap().runs.len(), 3);
    assert_eq!(bench.script.at_once.load(Ordering::SeqCst), 3);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn due_runs_start_by_priority_then_age() {
    let bench = Bench::new().await;
    for (name, priority) in [("c", 200), ("b", 100), ("a", 10), ("b2", 100)] {
        bench.enqueue_run(&NewRun { priority, ..NewRun::new(name, "test", json!({})) }).await;
    }
    bench.drain(WorkerSettings { concurrency: 1, ..settings() }).await;
    assert_eq!(*bench.script.order.lock().unwrap(), ["a", "b", "b2", "c"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_does_not_wait_for_what_the_future_holds_up() {
    let bench = Bench::new().await;
    let later = chrono::DateTime::from_timestamp(4_000_000_000, 0).unwrap();
    let future = bench.enqueue_run(&NewRun { run_after: Some(later), ..NewRun::new("f", "test", json!({})) }).await;
    let behind = bench.enqueue_run(&NewRun { after_run: Some(future), ..NewRun::new("b", "test", json!({})) }).await;
    let due = bench.enqueue(json!({ "do": "sleep", "ms": 50 })).await;
    bench.drain(settings()).await;
    assert_eq!(queue::get(bench.pool(), due).await.unwrap().state, "succeeded");
    assert_eq!(queue::get(bench.pool(), behind).await.unwrap().state, "available");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_queues_and_the_future_are_left_alone() {
    let bench = Bench::new().await;
    let other = bench.enqueue_run(&NewRun { queue: "replay".to_owned(), ..NewRun::new("o", "test", json!({})) }).await;
    let later = chrono::DateTime::from_timestamp(4_000_000_000, 0).unwrap();
    let future = bench.enqueue_run(&NewRun { run_after: Some(later), ..NewRun::new("f", "test", json!({})) }).await;
    let worker = bench.start(settings());
    bench.finished(bench.enqueue(json!({})).await).await;
    worker.stop().await;
    for run in [other, future] {
        assert_eq!(queue::get(bench.pool(), run).await.unwrap().state, "available");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_owners_completion_touches_nothing() {
    let bench = Bench::new().await;
    let run = bench.enqueue(json!({})).await;
    let frozen_fence = bench.lease_and_die(run).await;
    // Somebody else takes it back and finishes it.
    let worker = bench.start(settings());
    assert_eq!(bench.finished(run).await.fence, frozen_fence + 1);
    worker.stop().await;
    // The frozen owner wakes up.
    let mut tx = bench.pool().begin().await.unwrap();
    let late = Completion { outcome: "late".to_owned(), ..Completion::default() };
    let error = queue::complete(&mut tx, run, frozen_fence, &late).await.unwrap_err();
    assert!(matches!(error, Error::FencedOut { fence, .. } if fence == frozen_fence), "{error}");
    tx.rollback().await.unwrap();
    let run = queue::get(bench.pool(), run).await.unwrap();
    assert_eq!((run.outcome.as_deref(), run.crash_count), (Some("ok"), 1));
    assert_eq!(bench.outcomes(run.id).await, ["crashed", "succeeded"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_loses_its_lease_while_running_is_told_and_recorded() {
    let bench = Bench::new().await;
    let worker = bench.start(WorkerSettings { concurrency: 1, ..settings() });
    let run = bench.enqueue(json!({ "do": "until_cancelled" })).await;
    bench.reaches(run, State::Leased).await;
    // As a reaper and another worker would: the run is now held under the next fence, for a minute.
    sqlx::query(
        "UPDATE runs SET fence = fence + 1, lease_owner = gen_random_uuid(),
                lease_until = steward_now() + interval '1 minute' WHERE id = $1",
    )
    .bind(run)
    .execute(bench.pool())
    .await
    .unwrap();
    let found = bench.attempted(run, &["fenced_out"]).await;
    assert_eq!((found.state.as_str(), found.fence, found.attempt), ("leased", 2, 0));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_of_long_runs_are_renewed() {
    let bench = Bench::new().await;
    let workers = [bench.start(settings()), bench.start(settings())];
    // Two and a half leases long, with a reaper beside it every second.
    let run = bench.finished(bench.enqueue(json!({ "do": "sleep", "ms": 2500 })).await).await;
    assert_eq!((run.state.as_str(), run.fence, run.crash_count), ("succeeded", 1, 0));
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_go_out_while_the_pool_is_exhausted_and_a_result_transaction_is_long() {
    let bench = Bench::new().await;
    let small = sqlx::postgres::PgPoolOptions::new().max_connections(2).connect(&bench.database.url).await.unwrap();
    let worker = bench.start_on(small.clone(), bench.pool().clone(), settings());
    let (a, b) = (
        bench.enqueue(json!({ "do": "until_cancelled" })).await,
        bench.enqueue(json!({ "do": "until_cancelled" })).await,
    );
    bench.reaches(a, State::Leased).await;
    bench.reaches(b, State::Leased).await;
    // A result transaction that holds one row longer than a lease; and all of the worker's connections taken.
    let mut long = PgConnection::connect(&bench.database.url).await.unwrap();
    let mut tx = long.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM runs WHERE id = $1 FOR UPDATE").bind(a).execute(&mut *tx).await.unwrap();
    let taken = (small.acquire().await.unwrap(), small.acquire().await.unwrap());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let other = queue::get(bench.pool(), b).await.unwrap();
    let fresh: bool =
        sqlx::query_scalar("SELECT $1 > steward_now()").bind(other.lease_until).fetch_one(bench.pool()).await.unwrap();
    assert!(fresh, "the lease of the other run was not renewed");
    assert_eq!(bench.script.at_once.load(Ordering::SeqCst), 2, "a run was stopped although it was held");
    tx.rollback().await.unwrap();
    drop(taken);
    for run in [a, b] {
        let mut conn = bench.pool().acquire().await.unwrap();
        queue::cancel(&mut conn, run).await.unwrap();
        bench.finished(run).await;
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_third_crash_poisons_and_the_domain_hears_of_it() {
    let bench = Bench::new().await;
    let run = bench.enqueue(json!({})).await;
    sqlx::query("UPDATE runs SET crash_count = 1, max_attempts = 1 WHERE id = $1")
        .bind(run)
        .execute(bench.pool())
        .await
        .unwrap();
    bench.lease_and_die(run).await;
    // Not yet due again after the second crash, so the worker only reaps.
    let worker = bench.start(WorkerSettings { retry_base_seconds: 3600, ..settings() });
    let second = bench.reaches(run, State::Available).await;
    assert_eq!((second.crash_count, second.attempt), (2, 0));
    assert!(second.run_after > second.created_at + chrono::Duration::seconds(1700));
    assert!(bench.script.terminal().is_empty());

    sqlx::query("UPDATE runs SET run_after = steward_now(), queue = 'aside' WHERE id = $1")
        .bind(run)
        .execute(bench.pool())
        .await
        .unwrap();
    sqlx::query(
        "UPDATE runs SET state = 'leased', fence = fence + 1, lease_owner = gen_random_uuid(), queue = 'default',
                lease_until = steward_now() - interval '1 second' WHERE id = $1",
    )
    .bind(run)
    .execute(bench.pool())
    .await
    .unwrap();
    let dead = bench.finished(run).await;
    assert_eq!((dead.state.as_str(), dead.crash_count, dead.error_kind.as_deref()), ("poisoned", 3, Some("poisoned")));
    let heard = bench.script.terminal();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].0, heard[0].1.as_str()), (run, "poisoned"));
    assert!(heard[0].2.contains("3 workers died"), "{}", heard[0].2);
    let reacted: i64 = sqlx::query_scalar("SELECT count(*) FROM reacted").fetch_one(bench.pool()).await.unwrap();
    assert_eq!(reacted, 1);
    assert_eq!(bench.script.executions(run), 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reapers_leave_other_queues_alone() {
    let bench = Bench::new().await;
    let run = bench.enqueue(json!({})).await;
    bench.lease_and_die(run).await;
    sqlx::query("UPDATE runs SET queue = 'replay' WHERE id = $1").bind(run).execute(bench.pool()).await.unwrap();
    let worker = bench.start(settings());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(queue::get(bench.pool(), run).await.unwrap().state, "leased");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_a_transient_failure_and_the_worker_lives_on() {
    let bench = Bench::new().await;
    let worker = bench.start(WorkerSettings { concurrency: 1, ..settings() });
    let run = bench.finished(bench.enqueue(json!({ "do": "panic", "times": 2 })).await).await;
    assert_eq!((run.state.as_str(), run.attempt), ("succeeded", 2));
    assert_eq!(bench.outcomes(run.id).await, ["retried", "retried", "succeeded"]);
    let attempts = queue::attempts(bench.pool(), run.id).await.unwrap();
    assert_eq!(attempts[0].error_kind.as_deref(), Some("panic"));
    assert_eq!(attempts[0].error.as_deref(), Some("panicked: as the document says"));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transient_failures_back_off_until_attempts_are_burnt() {
    let bench = Bench::new().await;
    let worker = bench.start(settings());
    let run = bench.finished(bench.enqueue(json!({ "do": "transient", "times": 1 })).await).await;
    assert_eq!((run.state.as_str(), run.attempt, run.error), ("succeeded", 1, None));
    let give_up = NewRun { max_attempts: 2, ..NewRun::new("job", "test", json!({ "do": "transient", "times": 9 })) };
    let run = bench.finished(bench.enqueue_run(&give_up).await).await;
    assert_eq!((run.state.as_str(), run.attempt), ("failed", 2));
    assert_eq!((run.error_kind.as_deref(), run.error.as_deref()), (Some("unreachable"), Some("storage is away")));
    assert_eq!(bench.outcomes(run.id).await, ["retried", "failed"]);
    assert_eq!(bench.script.terminal(), [(run.id, "failed".to_owned(), "unreachable: storage is away".to_owned())]);
    worker.stop().await;

    let patient = bench.start(WorkerSettings { retry_base_seconds: 100, ..settings() });
    let run = bench.enqueue(json!({ "do": "transient", "times": 1 })).await;
    let run = bench.attempted(run, &["retried"]).await;
    let wait = (run.run_after - run.started_at.unwrap()).num_seconds();
    assert!((49..=101).contains(&wait), "waits {wait} s");
    patient.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permanent_failure_ends_at_once() {
    let bench = Bench::new().await;
    let worker = bench.start(settings());
    let run = bench.finished(bench.enqueue(json!({ "do": "permanent" })).await).await;
    assert_eq!((run.state.as_str(), run.attempt, run.error_kind.as_deref()), ("failed", 1, Some("schema_error")));
    assert_eq!(bench.script.executions(run.id), 1);
    assert_eq!(bench.script.terminal().len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reaction_that_is_refused_does_not_keep_the_run_alive() {
    let bench = Bench::new().await;
    let worker = bench.start(settings());
    let run = bench.finished(bench.enqueue(json!({ "do": "permanent", "hook": "refuses" })).await).await;
    assert_eq!((run.state.as_str(), run.error_kind.as_deref()), ("failed", Some("schema_error")));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_is_late_burns_no_attempt_until_the_deadline() {
    let bench = Bench::new().await;
    let worker = bench.start(settings());
    let new = NewRun { max_attempts: 1, ..NewRun::new("job", "test", json!({ "do": "not_ready", "times": 3 })) };
    let run = bench.finished(bench.enqueue_run(&new).await).await;
    assert_eq!((run.state.as_str(), run.attempt), ("succeeded", 0));
    assert_eq!(bench.outcomes(run.id).await, ["snoozed", "snoozed", "snoozed", "succeeded"]);
    let past = chrono::DateTime::from_timestamp(1_000_000_000, 0);
    let late = NewRun { deadline: past, ..NewRun::new("job", "test", json!({ "do": "not_ready", "times": 9 })) };
    let run = bench.finished(bench.enqueue_run(&late).await).await;
    assert_eq!((run.state.as_str(), run.error_kind.as_deref()), ("failed", Some("no_data")));
    assert_eq!(bench.script.terminal(), [(run.id, "failed".to_owned(), "no_data: no object yet".to_owned())]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snooze_ends_at_the_deadline_at_the_latest() {
    let bench = Bench::new().await;
    let worker =
        bench.start(WorkerSettings { not_ready_retry_seconds: 9999, not_ready_limit_seconds: 1000, ..settings() });
    let run = bench.enqueue(json!({ "do": "not_ready", "times": 1 })).await;
    let run = bench.attempted(run, &["snoozed"]).await;
    assert_eq!(run.run_after, run.created_at + chrono::Duration::seconds(1000));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_runs_are_cancelled_at_once_and_running_ones_are_told() {
    let bench = Bench::new().await;
    let mut conn = bench.pool().acquire().await.unwrap();
    let waiting = bench.enqueue(json!({})).await;
    assert_eq!(queue::cancel(&mut conn, waiting).await.unwrap(), queue::Cancelled::AtOnce);
    assert_eq!(queue::cancel(&mut conn, waiting).await.unwrap(), queue::Cancelled::AlreadyFinished(State::Cancelled));
    let nobody = Uuid::new_v4();
    assert!(matches!(queue::cancel(&mut conn, nobody).await, Err(Error::NotFound(id)) if id == nobody));

    // A lease so long that only the notification can be the messenger.
    let worker = bench.start(WorkerSettings { lease_seconds: 3600, ..settings() });
    for (document, polite) in [("until_cancelled", true), ("stubborn", false)] {
        let run = bench.enqueue(json!({ "do": document })).await;
        bench.reaches(run, State::Leased).await;
        let begin = Instant::now();
        assert_eq!(queue::cancel(&mut conn, run).await.unwrap(), queue::Cancelled::Requested);
        let run = bench.finished(run).await;
        assert_eq!((run.state.as_str(), run.attempt), ("cancelled", 0));
        assert_eq!(bench.outcomes(run.id).await, ["cancelled"]);
        // The stubborn one is abandoned after a second of grace.
        assert_eq!(begin.elapsed() < Duration::from_millis(900), polite);
    }
    assert!(bench.script.terminal().is_empty(), "a cancelled run is no failure");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_whose_notification_is_lost_arrives_with_the_heartbeat() {
    let bench = Bench::new().await;
    let worker = bench.start(settings());
    let run = bench.enqueue(json!({ "do": "until_cancelled" })).await;
    bench.reaches(run, State::Leased).await;
    sqlx::query("UPDATE runs SET cancel_requested = true WHERE id = $1").bind(run).execute(bench.pool()).await.unwrap();
    assert_eq!(bench.finished(run).await.state, "cancelled");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_over_its_time_limit_ends_as_timed_out() {
    let bench = Bench::new().await;
    let worker = bench.start(settings());
    let new = NewRun { time_limit_seconds: 1, ..NewRun::new("job", "test", json!({ "do": "until_cancelled" })) };
    let run = bench.finished(bench.enqueue_run(&new).await).await;
    assert_eq!((run.state.as_str(), run.error_kind.as_deref()), ("timed_out", Some("timed_out")));
    assert_eq!(bench.outcomes(run.id).await, ["timed_out"]);
    assert_eq!(bench.script.terminal().len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graceful_stop_waits_then_gives_back_without_burning_anything() {
    let bench = Bench::new().await;
    let worker = bench.start(WorkerSettings { grace_seconds: 1, ..settings() });
    let short = bench.enqueue(json!({ "do": "sleep", "ms": 500 })).await;
    let long = bench.enqueue(json!({ "do": "stubborn" })).await;
    let polite = bench.enqueue(json!({ "do": "until_cancelled" })).await;
    for run in [short, long, polite] {
        bench.reaches(run, State::Leased).await;
    }
    worker.stop.cancel();
    let later = bench.enqueue(json!({})).await;
    worker.running.await.unwrap().unwrap();
    assert_eq!(queue::get(bench.pool(), short).await.unwrap().state, "succeeded");
    for run in [long, polite] {
        let run = queue::get(bench.pool(), run).await.unwrap();
        assert_eq!((run.state.as_str(), run.attempt, run.crash_count), ("available", 0, 0));
        assert!(run.lease_owner.is_none());
        assert_eq!(bench.outcomes(run.id).await, ["released"]);
        // Its fence still shuts the old owner out.
        let mut conn = bench.pool().acquire().await.unwrap();
        let late = queue::complete(&mut conn, run.id, run.fence, &Completion::default()).await;
        assert!(matches!(late, Err(Error::FencedOut { .. })));
        let due: bool = sqlx::query_scalar("SELECT run_after <= steward_now() FROM runs WHERE id = $1")
            .bind(run.id)
            .fetch_one(bench.pool())
            .await
            .unwrap();
        assert!(due);
    }
    assert_eq!(bench.script.executions(later), 0, "a stopping worker took new work");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_notification_costs_at_most_the_poll() {
    let bench = Bench::new().await;
    bench.pool().execute("DROP TRIGGER runs_notify_insert ON runs").await.unwrap();
    let worker = bench.start(WorkerSettings { poll_milliseconds: 1000, ..settings() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begin = Instant::now();
    bench.finished(bench.enqueue(json!({})).await).await;
    assert!(begin.elapsed() < Duration::from_millis(1500), "took {:?}", begin.elapsed());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_beats_the_poll() {
    let bench = Bench::new().await;
    let worker = bench.start(WorkerSettings { poll_milliseconds: 1000, ..settings() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        bench.finished(bench.enqueue(json!({})).await).await;
        fastest = fastest.min(begin.elapsed());
    }
    assert!(fastest < Duration::from_millis(300), "took {fastest:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_block_do_not_stall_the_queue() {
    let bench = Bench::new().await;
    let worker = bench.start(settings());
    let blocking = bench.enqueue(json!({ "do": "block", "ms": 1500 })).await;
    bench.reaches(blocking, State::Leased).await;
    let begin = Instant::now();
    bench.finished(bench.enqueue(json!({})).await).await;
    assert!(begin.elapsed() < Duration::from_millis(1200), "took {:?}", begin.elapsed());
    let run = bench.finished(blocking).await;
    assert_eq!((run.state.as_str(), run.fence), ("succeeded", 1));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_waits_for_its_predecessor() {
    let bench = Bench::new().await;
    let worker = bench.start(settings());
    let first = bench.enqueue_run(&NewRun::new("first", "test", json!({ "do": "sleep", "ms": 2500 }))).await;
    let next = NewRun { after_run: Some(first), ..NewRun::new("next", "test", json!({})) };
    let next = bench.enqueue_run(&next).await;
    let third = bench.enqueue_run(&NewRun::new("free", "test", json!({}))).await;
    bench.finished(third).await;
    assert_eq!(bench.script.executions(next), 0);
    // A link taken out of the chain does not let the rest overtake.
    let link = bench.enqueue_run(&NewRun { after_run: Some(first), ..NewRun::new("link", "test", json!({})) }).await;
    let last = bench.enqueue_run(&NewRun { after_run: Some(link), ..NewRun::new("last", "test", json!({})) }).await;
    let mut conn = bench.pool().acquire().await.unwrap();
    assert_eq!(queue::cancel(&mut conn, link).await.unwrap(), queue::Cancelled::AtOnce);
    assert_eq!(queue::get(bench.pool(), last).await.unwrap().after_run, Some(first));
    let (first, next) = (bench.finished(first).await, bench.finished(next).await);
    assert!(next.started_at >= first.finished_at);
    worker.stop().await;
}

#[tokio::test]
async fn an_idempotency_key_is_one_run_for_one_document() {
    let bench = Bench::new().await;
    let mut conn = bench.pool().acquire().await.unwrap();
    let new =
        NewRun { idempotency_key: Some("k1".to_owned()), ..NewRun::new("job", "test", json!({ "a": 1, "b": 2 })) };
    let first = queue::enqueue(&mut conn, &new).await.unwrap();
    assert!(first.created);
    // The same document with its keys in another order.
    let again = NewRun { document: json!({ "b": 2, "a": 1 }), ..new.clone() };
    let again = queue::enqueue(&mut conn, &again).await.unwrap();
    assert_eq!((again.id, again.created), (first.id, false));
    for other in [
        NewRun { document: json!({ "a": 2 }), ..new.clone() },
        NewRun { job_name: "another".to_owned(), ..new.clone() },
        NewRun { kind: "another".to_owned(), ..new.clone() },
    ] {
        let error = queue::enqueue(&mut conn, &other).await.unwrap_err();
        assert!(matches!(error, Error::KeyConflict { existing, .. } if existing == first.id), "{error}");
    }
}

#[tokio::test]
async fn enqueueing_is_part_of_the_callers_transaction() {
    let bench = Bench::new().await;
    let mut tx = bench.pool().begin().await.unwrap();
    let run = queue::enqueue(&mut tx, &NewRun::new("job", "test", json!({}))).await.unwrap();
    tx.rollback().await.unwrap();
    assert!(matches!(queue::get(bench.pool(), run.id).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn a_finished_run_is_repeated_as_a_new_one_and_never_changes() {
    let bench = Bench::new().await;
    let mut conn = bench.pool().acquire().await.unwrap();
    let start = chrono::DateTime::from_timestamp(1_367_366_400, 0).unwrap();
    let new = NewRun {
        window: Some((start, start + chrono::Duration::days(1))),
        idempotency_key: Some("k".to_owned()),
        ..NewRun::new("job", "test", json!({ "x": 1 }))
    };
    let old = queue::enqueue(&mut conn, &new).await.unwrap().id;
    assert!(matches!(queue::retry(&mut conn, old, "default", None).await, Err(Error::NotFinished { .. })));
    queue::cancel(&mut conn, old).await.unwrap();
    let new = queue::retry(&mut conn, old, "default", Some("ann")).await.unwrap().id;
    let (old, new) = (queue::get(bench.pool(), old).await.unwrap(), queue::get(bench.pool(), new).await.unwrap());
    assert_eq!((new.parent_id, new.trigger.as_str(), new.state.as_str()), (Some(old.id), "retry", "available"));
    assert_eq!((&new.document, new.window(), new.submitted_by.as_deref()), (&old.document, old.window(), Some("ann")));
    let change =
        sqlx::query("UPDATE runs SET outcome = 'other' WHERE id = $1").bind(old.id).execute(bench.pool()).await;
    assert!(change.is_err());
}

#[tokio::test]
async fn lists_are_filtered_and_paged_without_gaps() {
    let bench = Bench::new().await;
    let mut conn = bench.pool().acquire().await.unwrap();
    for n in 0..7 {
        let name = if n % 2 == 0 { "even" } else { "odd" };
        // All in one transaction: the same created_at, so that the id has to decide.
        queue::enqueue(&mut conn, &NewRun::new(name, "test", json!(n))).await.unwrap();
    }
    sqlx::query("UPDATE runs SET created_at = '2013-05-01'").execute(&mut *conn).await.unwrap();
    let mut filter = queue::RunFilter::default();
    let mut seen = Vec::new();
    loop {
        let page = queue::list(bench.pool(), &filter, 3).await.unwrap();
        seen.extend(page.runs.iter().map(|run| run.id));
        let Some(next) = page.next else { break };
        filter.before = Some(next);
    }
    assert_eq!(seen.len(), 7);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 7);
    let count = async |filter: queue::RunFilter| queue::list(bench.pool(), &filter, 50).await.unwrap().runs.len();
    assert_eq!(count(queue::RunFilter { job_name: Some("odd".to_owned()), ..Default::default() }).await, 3);
    assert_eq!(count(queue::RunFilter { kind: Some("drift".to_owned()), ..Default::default() }).await, 0);
    assert_eq!(count(queue::RunFilter { states: vec![State::Leased], ..Default::default() }).await, 0);
    assert_eq!(
        count(queue::RunFilter { states: vec![State::Leased, State::Available], ..Default::default() }).await,
        7
    );
}

#[tokio::test]
async fn the_first_pin_of_an_input_counts() {
    let bench = Bench::new().await;
    let run = bench.enqueue(json!({})).await;
    let mut conn = bench.pool().acquire().await.unwrap();
    let pin = |etag: &str| queue::InputPin {
        object: "s3://b/x.parquet".to_owned(),
        etag: Some(etag.to_owned()),
        version: None,
        size_bytes: 10,
        row_count: Some(3),
    };
    let other = queue::InputPin { object: "s3://b/a.csv".to_owned(), etag: None, row_count: None, ..pin("") };
    queue::pin_inputs(&mut conn, run, "current", &[pin("one"), other.clone()]).await.unwrap();
    queue::pin_inputs(&mut conn, run, "current", &[pin("two")]).await.unwrap();
    queue::pin_inputs(&mut conn, run, "reference", &[]).await.unwrap();
    assert_eq!(queue::pinned_inputs(&mut conn, run, "current").await.unwrap(), [other, pin("one")]);
    assert!(queue::pinned_inputs(&mut conn, run, "reference").await.unwrap().is_empty());
}

#[tokio::test]
async fn waiting_for_a_run_ends_in_time() {
    let bench = Bench::new().await;
    let run = bench.enqueue(json!({})).await;
    let begin = Instant::now();
    assert_eq!(queue::wait_for(bench.pool(), run, Duration::from_millis(100)).await.unwrap(), None);
    assert!(begin.elapsed() < Duration::from_secs(1));
    let nobody = Uuid::new_v4();
    assert!(matches!(queue::wait_for(bench.pool(), nobody, Duration::from_secs(9)).await, Err(Error::NotFound(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_survives_losing_all_its_connections() {
    let bench = Bench::new().await;
    let worker = bench.start(settings());
    bench.finished(bench.enqueue(json!({})).await).await;
    let during = bench.enqueue(json!({ "do": "sleep", "ms": 800 })).await;
    bench.reaches(during, State::Leased).await;
    let mut admin = PgConnection::connect(&crate::support::database::server().await.0).await.unwrap();
    let name = url::Url::parse(&bench.database.url).unwrap().path().trim_start_matches('/').to_owned();
    for allowed in [false, true] {
        // As during a restart: nobody may connect, and everybody is thrown out.
        admin.execute(sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}"))).await.unwrap();
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
        )
        .bind(&name)
        .execute(&mut admin)
        .await
        .unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let run = bench.finished(during).await;
    assert_eq!(run.state, "succeeded");
    assert_eq!(bench.finished(bench.enqueue(json!({})).await).await.state, "succeeded");
    worker.stop().await;
}

#[tokio::test]
async fn a_hundred_thousand_finished_runs_do_not_change_the_plan_of_the_claim() {
    let bench = Bench::new().await;
    bench
        .pool()
        .execute(
            "INSERT INTO runs (id, job_name, kind, document, state, trigger, finished_at)
             SELECT gen_random_uuid(), 'job', 'test', '{}', 'succeeded', 'manual', now() FROM generate_series(1, 100000)",
        )
        .await
        .unwrap();
    bench
        .pool()
        .execute(
            "INSERT INTO runs (id, job_name, kind, document, trigger)
             SELECT gen_random_uuid(), 'job', 'test', '{}', 'manual' FROM generate_series(1, 1000)",
        )
        .await
        .unwrap();
    bench.pool().execute("ANALYZE runs").await.unwrap();
    let explain = format!("EXPLAIN (COSTS OFF) {}", include_str!("../../src/queue/claim.sql"));
    let plan: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(explain))
        .bind("default")
        .bind(8_i64)
        .bind(Uuid::new_v4())
        .bind("claimer")
        .bind(30.0)
        .fetch_all(bench.pool())
        .await
        .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("runs_claim"), "{plan}");
    assert!(!plan.contains("Seq Scan on runs"), "{plan}");
    assert!(!plan.contains("Sort"), "{plan}");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_once() {
    let bench = Bench::new().await;
    let worker = bench.start(WorkerSettings { concurrency: 0, ..settings() });
    let error = worker.running.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "worker.concurrency: must be at least 1");
}
