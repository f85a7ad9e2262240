//! The worker: apalis executes what the claimer leases, beside heartbeat, reaper and ear.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use apalis::prelude::{BackendBuilder, BoxDynError, Data, Event, EventListenerExt, Monitor, Task, WorkerBuilder};
use futures::{SinkExt, StreamExt, sink, stream};
use sqlx::PgPool;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::claim::{Claimed, Claimer, Identity};
use super::execute::Executor;
use super::lease::{self, Leases, Stop};
use super::listen::Ear;
use super::reap::Reaper;
use super::{Error, Handler, finish};
use crate::clock::SharedClock;
use crate::config::worker::WorkerSettings;

/// Where claimed runs come out; kept outside apalis' worker, so that a restarted one goes on with it.
type Claims = Arc<Mutex<mpsc::UnboundedReceiver<Claimed>>>;

/// Takes runs from `queues` and executes them until `stop` is cancelled.
///
/// Then claiming ends, running runs get `settings.grace_seconds`, and the rest is given back: available at once, no
/// attempt burnt. `heartbeat_pool` should not be the pool that handlers use: leases must be renewed while that one is
/// exhausted.
///
/// # Errors
/// [`Error::Settings`] at once; [`Error::Runtime`] when the worker ends by itself. Never because of the database.
pub async fn work(
    pool: PgPool,
    heartbeat_pool: PgPool,
    clock: SharedClock,
    settings: WorkerSettings,
    queues: Vec<String>,
    handler: Arc<dyn Handler>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let settings = WorkerSettings { queues: queues.clone(), ..settings };
    if let Some((key, hint)) = settings.problems().into_iter().next() {
        return Err(Error::Settings { key, hint });
    }
    let me = Identity { id: Uuid::new_v4(), name: worker_name(&settings.name) };
    tracing::info!(worker.id = %me.id, worker.name = me.name, worker.queues = ?queues, worker.concurrency = settings.concurrency, "worker starts");
    let leases = Arc::new(Leases::default());
    let wake = Arc::new(Notify::new());
    let abandon = CancellationToken::new();
    let (sender, receiver) = mpsc::unbounded_channel();
    let executor = Arc::new(Executor {
        pool: pool.clone(),
        handler: Arc::clone(&handler),
        leases: Arc::clone(&leases),
        settings: settings.clone(),
        clock,
        worker_id: me.id,
        abandon: abandon.clone(),
    });

    // Stopped only when the last run has ended: leases are renewed through the time of grace.
    let background = CancellationToken::new();
    let tracker = TaskTracker::new();
    let claimer = Claimer {
        pool: pool.clone(),
        queues: queues.clone(),
        owner: me.clone(),
        lease: settings.lease(),
        poll: settings.poll(),
        slots: Arc::new(Semaphore::new(settings.concurrency)),
        leases: Arc::clone(&leases),
        wake: Arc::clone(&wake),
        stop: stop.clone(),
    };
    let claimer = tokio::spawn(claimer.run(sender));
    tracker.spawn(lease::heartbeat(heartbeat_pool, Arc::clone(&leases), settings.lease(), background.clone()));
    tracker.spawn(lease::watch(Arc::clone(&leases), settings.lease(), background.clone()));
    tracker.spawn(
        Reaper { pool: pool.clone(), handler, queues: queues.clone(), settings: settings.clone() }
            .run(background.clone()),
    );
    tracker.spawn(Ear { pool: pool.clone(), queues, wake, leases: Arc::clone(&leases) }.run(background.clone()));
    tracker.spawn(end_of_grace(settings.clone(), Arc::clone(&leases), abandon, stop.clone(), background.clone()));

    let ended = run_apalis(&me, Arc::new(Mutex::new(receiver)), executor, stop.clone()).await;

    let asked = stop.is_cancelled();
    stop.cancel();
    let claimed = claimer.await;
    background.cancel();
    tracker.close();
    tracker.wait().await;
    give_back(&pool, &me).await;
    tracing::info!(worker.id = %me.id, "worker stopped");
    match (ended, claimed) {
        (Err(error), _) => Err(Error::Runtime(error)),
        (Ok(()), Err(error)) => Err(Error::Runtime(format!("claiming: {error}"))),
        (Ok(()), Ok(())) if !asked => Err(Error::Runtime("it stopped without being asked".to_owned())),
        (Ok(()), Ok(())) => Ok(()),
    }
}

/// Works until nothing of `queues` is due or running, then stops: for `replay` and tests.
///
/// # Errors
/// Those of [`work`], and those of the database.
pub async fn drain(
    pool: PgPool,
    heartbeat_pool: PgPool,
    clock: SharedClock,
    settings: WorkerSettings,
    queues: Vec<String>,
    handler: Arc<dyn Handler>,
) -> Result<(), Error> {
    let stop = CancellationToken::new();
    let asking = pool.clone();
    let mut working = Box::pin(work(pool, heartbeat_pool, clock, settings, queues.clone(), handler, stop.clone()));
    let mut pause = Duration::from_millis(1);
    loop {
        let busy = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM runs WHERE queue = ANY($1)
                              AND (state = 'leased' OR (state = 'available' AND run_after <= steward_now()))) AS "busy!""#,
            &queues,
        )
        .fetch_one(&asking);
        tokio::select! {
            ended = &mut working => return ended,
            busy = busy => if !busy? { break },
        }
        tokio::select! {
            ended = &mut working => return ended,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    stop.cancel();
    working.await
}

/// Lets apalis pull claims and run the executor on each until `stop`, and until all that were pulled have ended.
async fn run_apalis(
    me: &Identity,
    claims: Claims,
    executor: Arc<Executor>,
    stop: CancellationToken,
) -> Result<(), String> {
    let name = format!("{}-{}", me.name, me.id);
    let monitor = Monitor::new()
        .register(move |restarts| {
            let backend = BackendBuilder::new()
                .database(Arc::clone(&claims))
                .fetcher(|claims: &mut Claims, (): &(), _| next_claims(Arc::clone(claims)))
                .sink(|_: &mut Claims, (): &()| sink::drain().sink_map_err(BoxDynError::from))
                .build();
            let backend = match backend {
                Ok(backend) => backend,
                // All four parts are given above.
                Err(error) => unreachable!("{error}"),
            };
            WorkerBuilder::new(format!("{name}-{restarts}"))
                .backend(backend)
                .data(Arc::clone(&executor))
                .on_event(|worker, event| {
                    if let Event::Error(error) = event {
                        tracing::error!(worker.name = worker.name(), %error, "worker reported an error");
                    }
                })
                .build(execute)
        })
        .should_restart(|_, _| true);
    monitor
        .run_with_signal(async move {
            stop.cancelled().await;
            Ok(())
        })
        .await
        .map_err(|error| error.to_string())
}

/// The stream of claims. It is pending, never at its end, when the claimer is gone: apalis would stop for good.
fn next_claims(claims: Claims) -> stream::BoxStream<'static, Result<Option<Task<Claimed>>, BoxDynError>> {
    stream::poll_fn(move |cx| {
        let mut claims = claims.lock().unwrap_or_else(PoisonError::into_inner);
        match claims.poll_recv(cx) {
            Poll::Ready(Some(claimed)) => Poll::Ready(Some(Ok(Some(Task::new(claimed))))),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    })
    .boxed()
}

/// The service that apalis calls.
fn execute(claimed: Claimed, executor: Data<Arc<Executor>>) -> impl Future<Output = Result<(), BoxDynError>> + Send {
    async move {
        executor.execute(claimed).await;
        Ok(())
    }
}

/// After `stop`, waits the time of grace and tells what still runs to give itself back.
async fn end_of_grace(
    settings: WorkerSettings,
    leases: Arc<Leases>,
    abandon: CancellationToken,
    stop: CancellationToken,
    background: CancellationToken,
) {
    let until_told = async {
        stop.cancelled().await;
        tokio::time::sleep(Duration::from_secs(settings.grace_seconds)).await;
        leases.stop_all(Stop::Released);
        // From now on nothing waits for the database: what it did not hear expires.
        tokio::time::sleep(Duration::from_secs(settings.cancel_grace_seconds + 2)).await;
        abandon.cancel();
        background.cancelled().await;
    };
    tokio::select! {
        () = until_told => {}
        () = background.cancelled() => {}
    }
}

/// Gives back what was claimed and never started, and what could not be written down.
async fn give_back(pool: &PgPool, me: &Identity) {
    match tokio::time::timeout(Duration::from_secs(5), finish::release_all(pool, me.id)).await {
        Ok(Ok(0)) => {}
        Ok(Ok(runs)) => tracing::info!(worker.id = %me.id, worker.runs = runs, "runs given back"),
        Ok(Err(error)) => {
            tracing::warn!(worker.id = %me.id, %error, "runs could not be given back; their leases will expire")
        }
        Err(_) => tracing::warn!(worker.id = %me.id, "database does not answer; leases will expire"),
    }
}

/// The configured name, or host and process.
fn worker_name(configured: &str) -> String {
    if !configured.is_empty() {
        return configured.to_owned();
    }
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    format!("{}-{}", host.unwrap_or_else(|| "host".to_owned()), std::process::id())
}
