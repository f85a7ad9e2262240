//! Sends what is due: claims deliveries under a lease, lets their channel send them, writes what came of it.
//!
//! # What holds
//!
//! * Any number of processes may dispatch one queue: a delivery is with one of them at a time, as long as its lease lasts.
//! * A process that dies between claim and result costs a lease: then the same bytes go out under the same id.
//! * Every channel has its own number of concurrent sends, so a slow one delays nobody else.
//! * A database that is away delays; it loses nothing: claims fail and are tried again, results are kept and written later.
//!
//! # Accepted races
//!
//! A result that arrives after its lease was lost changes nothing but the history; the receiver may get the message twice.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::backoff;
use super::channels::{Channels, Outcome, Outgoing, Verdict};
use super::error::Error;
use crate::clock::SharedClock;
use crate::db::deliveries::{self, Attempt, Delivery};

/// The notification channel of the database's trigger.
const WAKE_UP: &str = "steward_deliveries";

/// How long a stopping dispatcher waits for messages on their way.
const GRACE: Duration = Duration::from_secs(10);

/// Pause after a failure of the database.
const PAUSE: Duration = Duration::from_millis(500);

/// What came of the messages of one pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Accepted by the other side.
    pub sent: u64,
    /// To be tried again.
    pub retry: u64,
    /// Given up.
    pub dead: u64,
    /// Handed over, answer lost; to be tried once more.
    pub uncertain: u64,
}

impl Report {
    fn count(&mut self, state: &str) {
        match state {
            "sent" => self.sent += 1,
            "retry" => self.retry += 1,
            "uncertain" => self.uncertain += 1,
            _ => self.dead += 1,
        }
    }

    /// All messages that were tried.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.sent + self.retry + self.dead + self.uncertain
    }
}

/// Sends the deliveries of one queue. Cheap to clone; clones share the identity under which they claim.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    pool: PgPool,
    channels: Channels,
    clock: SharedClock,
    queue: String,
    owner: Uuid,
}

/// What a finished send reports: its channel and the state that the delivery got.
type Sent = (String, &'static str);

/// The sends under way.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<Sent>,
    by_channel: BTreeMap<String, usize>,
}

impl UnderWay {
    /// Waits for the next send to end; none if none is under way.
    async fn next(&mut self) -> Option<&'static str> {
        match self.tasks.join_next().await? {
            Ok((channel, state)) => {
                if let Some(count) = self.by_channel.get_mut(&channel) {
                    *count = count.saturating_sub(1);
                }
                Some(state)
            }
            // A panic in a channel: the lease brings the delivery back, and the place must not stay taken for ever.
            Err(error) => {
                tracing::error!("sending a message failed unexpectedly: {error}");
                if self.tasks.is_empty() {
                    self.by_channel.clear();
                }
                Some("retry")
            }
        }
    }
}

impl Dispatcher {
    /// A dispatcher of one queue, under a new identity.
    #[must_use]
    pub fn new(pool: PgPool, channels: impl Borrow<Channels>, clock: SharedClock, queue: impl Into<String>) -> Self {
        Self { pool, channels: channels.borrow().clone(), clock, queue: queue.into(), owner: Uuid::new_v4() }
    }

    /// Sends until `stop`, woken by the database and looking by itself at least every second. Ends when the messages on their
    /// way have their results, or after a grace period; what is cut off is sent again when its lease has expired.
    pub async fn run(&self, stop: CancellationToken) {
        let wake = Arc::new(Notify::new());
        let listener = tokio::spawn(listen(self.pool.clone(), self.queue.clone(), Arc::clone(&wake), stop.clone()));
        let poll = Duration::from_millis(self.channels.settings().poll_milliseconds);
        let mut under_way = UnderWay::default();
        while !stop.is_cancelled() {
            let pause = match self.claim_all(&mut under_way, &mut Vec::new()).await {
                Ok(_) => poll,
                Err(error) => {
                    tracing::warn!(queue = self.queue, "looking for messages failed, trying again: {error}");
                    PAUSE.min(poll)
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = wake.notified() => {}
                Some(_) = under_way.next() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        let ending = async { while under_way.next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ending).await.is_err() {
            tracing::warn!(
                queue = self.queue,
                "messages on their way were cut off; they are sent again under the same id"
            );
        }
        listener.abort();
    }

    /// One pass over everything that is due now, each message tried once; returns when all have their result.
    ///
    /// # Errors
    /// What the database says; messages on their way are finished first.
    pub async fn drain(&self) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut under_way = UnderWay::default();
        let mut seen = Vec::new();
        loop {
            let claimed = self.claim_all(&mut under_way, &mut seen).await;
            match under_way.next().await {
                Some(state) => report.count(state),
                None => return claimed.map(|_| report).map_err(Error::from),
            }
        }
    }

    /// Claims what is due in every channel that has room, and starts sending it. Ids in `seen` are left; claimed ones join it.
    async fn claim_all(&self, under_way: &mut UnderWay, seen: &mut Vec<Uuid>) -> Result<usize, sqlx::Error> {
        deliveries::expire_leases(&self.pool, &self.queue).await?;
        let mut count = 0;
        for channel in deliveries::due_channels(&self.pool, &self.queue).await? {
            let busy = under_way.by_channel.entry(channel.clone()).or_default();
            let room = self.channels.settings().concurrency.saturating_sub(*busy);
            if room == 0 {
                continue;
            }
            let limit = i64::try_from(room).unwrap_or(i64::MAX);
            let lease = self.lease().as_secs_f64();
            let claimed = deliveries::claim(&self.pool, &self.queue, &channel, self.owner, lease, limit, seen).await?;
            *busy += claimed.len();
            count += claimed.len();
            for delivery in claimed {
                seen.push(delivery.id);
                let this = self.clone();
                under_way.tasks.spawn(async move {
                    let channel = delivery.channel.clone();
                    (channel, this.deliver(delivery).await)
                });
            }
        }
        Ok(count)
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(self.channels.settings().lease_seconds)
    }

    /// Sends one claimed delivery and writes the result; returns the state that it got.
    async fn deliver(&self, delivery: Delivery) -> &'static str {
        let (started_at, started) = (self.clock.now(), Instant::now());
        let outcome = match self.channels.shared(&delivery.channel) {
            Some(channel) => {
                let message = Outgoing {
                    id: delivery.id,
                    recipient: &delivery.recipient,
                    subject: &delivery.subject,
                    message: &delivery.message,
                    at: started_at,
                };
                channel.send(&message).await
            }
            None => Outcome {
                verdict: Verdict::Dead,
                status: None,
                detail: self.channels.unknown(&delivery.channel).to_string(),
                steps: Vec::new(),
            },
        };
        self.write_result(&delivery, &outcome, started_at, started).await
    }

    /// Writes what came of an attempt, again and again while the database is away and the lease may still last.
    async fn write_result(
        &self,
        delivery: &Delivery,
        outcome: &Outcome,
        started_at: chrono::DateTime<chrono::Utc>,
        started: Instant,
    ) -> &'static str {
        let latency_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let finished_at = self.clock.now();
        loop {
            let written = async {
                let (state, delay, detail) = self.judge(delivery, outcome).await?;
                let attempt = Attempt {
                    attempt: delivery.attempts,
                    started_at,
                    finished_at,
                    outcome: state.to_owned(),
                    status: outcome.status,
                    latency_ms,
                    excerpt: Some(detail),
                };
                let seconds = delay.map(|delay| delay.as_secs_f64());
                let held = deliveries::finish(&self.pool, delivery, self.owner, &attempt, state, seconds).await?;
                Ok::<_, sqlx::Error>((state, held, attempt))
            };
            match written.await {
                Ok((state, held, attempt)) => {
                    log(delivery, &attempt, held);
                    return state;
                }
                Err(error) if started.elapsed() < self.lease() => {
                    tracing::warn!(delivery.id = %delivery.id, "writing the result of a message failed, trying again: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    tracing::error!(delivery.id = %delivery.id, "the result of a message could not be written: {error}");
                    return "retry";
                }
            }
        }
    }

    /// The state that follows from an outcome, when it is due again, and the text that is kept.
    async fn judge(
        &self,
        delivery: &Delivery,
        outcome: &Outcome,
    ) -> Result<(&'static str, Option<Duration>, String), sqlx::Error> {
        let detail = outcome.detail.clone();
        Ok(match outcome.verdict {
            Verdict::Sent => ("sent", None, detail),
            Verdict::Dead => ("dead", None, detail),
            Verdict::Retry { after, kept } => match backoff::delay(delivery.id, delivery.attempts, kept) {
                // Not before the other side asked for it, and never sooner than otherwise: an answer "at once" must not
                // use all attempts up in a moment.
                Some(delay) => ("retry", Some(delay.max(after.unwrap_or_default())), detail),
                None => ("dead", None, format!("given up after {} attempts: {detail}", delivery.attempts)),
            },
            // Once more, because a message too many is better than none; but not for ever to somebody who has it already.
            Verdict::Uncertain if deliveries::uncertain_attempts(&self.pool, delivery.id).await? == 0 => {
                ("uncertain", backoff::delay(delivery.id, 1, false), detail)
            }
            Verdict::Uncertain => ("dead", None, format!("handed over twice, never confirmed: {detail}")),
        })
    }
}

/// One line for every result that somebody may have to act on.
fn log(delivery: &Delivery, attempt: &Attempt, held: bool) {
    let (id, channel, recipient) = (delivery.id, &delivery.channel, &delivery.recipient);
    let detail = attempt.excerpt.as_deref().unwrap_or_default();
    if !held {
        tracing::warn!(delivery.id = %id, channel, recipient, "lease lost before the result of a message; kept as history");
    }
    match attempt.outcome.as_str() {
        "sent" => {
            tracing::info!(delivery.id = %id, channel, recipient, latency_ms = attempt.latency_ms, "message sent")
        }
        "dead" => tracing::error!(delivery.id = %id, channel, recipient, "message given up: {detail}"),
        outcome => tracing::warn!(delivery.id = %id, channel, recipient, outcome, "message not accepted: {detail}"),
    }
}

/// Turns the database's notifications into wake-ups, reconnecting for ever; polling makes it dispensable.
async fn listen(pool: PgPool, queue: String, wake: Arc<Notify>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let listening = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(WAKE_UP).await?;
            loop {
                if listener.recv().await?.payload() == queue {
                    wake.notify_one();
                }
            }
        };
        let ended: Result<(), sqlx::Error> = tokio::select! {
            () = stop.cancelled() => return,
            ended = listening => ended,
        };
        if let Err(error) = ended {
            tracing::debug!("listening for messages ended, trying again: {error}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
