//! From a tick or a wish to a run: the one place that fills a [`NewRun`] from a job document.
//!
//! The scheduler, `jobs run`, `replay`, `backfill` and ad-hoc submission all go through here, so a run of the same document
//! over the same window is the same run however it came about.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::jobs::document::JobDocument;
use crate::queue::{NewRun, Trigger};
use crate::schedule::{self, JobRow, Planned, RunFactory, Window, WindowError};

/// How a run comes about.
#[derive(Debug, Clone)]
pub struct Occasion {
    /// What asked for it.
    pub trigger: Trigger,
    /// The queue it goes through.
    pub queue: String,
    /// The planned instant, where there is one.
    pub tick: Option<DateTime<Utc>>,
    /// The instant before it: where the default window starts.
    pub previous: Option<DateTime<Utc>>,
    /// A window that somebody asked for; else it follows from the document.
    pub window: Option<Window>,
    /// Whether incidents may open and close.
    pub notifies: bool,
    /// Who.
    pub submitted_by: Option<String>,
    /// Makes a repeated submission the same run.
    pub idempotency_key: Option<String>,
}

/// The run of a document on an occasion.
///
/// # Errors
/// When the document's window cannot be resolved; says which key.
pub fn new_run(job_id: Option<Uuid>, document: &JobDocument, occasion: &Occasion) -> Result<NewRun, WindowError> {
    let window = match (occasion.window, occasion.tick) {
        (Some(window), _) => Some(window),
        (None, Some(tick)) => Some(window_at(document, occasion.previous.unwrap_or(tick), tick)?),
        (None, None) => None,
    };
    Ok(NewRun {
        job_id,
        job_name: document.name.clone(),
        kind: document.kind.clone(),
        document: serde_json::to_value(document).unwrap_or_default(),
        queue: occasion.queue.clone(),
        priority: if occasion.trigger == Trigger::Backfill { 200 } else { 100 },
        trigger: occasion.trigger,
        notifies: occasion.notifies && occasion.trigger != Trigger::Backfill,
        tick_at: occasion.tick,
        window,
        idempotency_key: occasion.idempotency_key.clone(),
        parent_id: None,
        after_run: None,
        run_after: None,
        // With `wait_for`, objects that are not there yet are waited for; without it they are missing at once.
        deadline: document
            .wait_for_seconds
            .zip(occasion.tick)
            .map(|(seconds, tick)| tick + chrono::Duration::seconds(seconds)),
        max_attempts: document.max_attempts,
        time_limit_seconds: document.time_limit_seconds,
        submitted_by: occasion.submitted_by.clone(),
        traceparent: None,
    })
}

/// The window that a document's evaluation at `tick` covers.
///
/// An A/B test is cumulative: its window starts where the test starts, and ends where outcomes can be there. Otherwise `data.current.window` says it, and the
/// default is the time since the previous tick; where there is none, rows with a time are all those before `tick`.
///
/// # Errors
/// When the window cannot be parsed.
pub fn window_at(document: &JobDocument, previous: DateTime<Utc>, tick: DateTime<Utc>) -> Result<Window, WindowError> {
    if let Some(ab) = &document.ab_test {
        // One cut-off for both arms: what is younger may still be without its outcome.
        let cut = tick - chrono::Duration::seconds(ab.label_delay_seconds.unwrap_or(0));
        let end = ab.ends.map_or(cut, |ends| ends.min(cut));
        return Ok((ab.starts.unwrap_or(DateTime::UNIX_EPOCH).min(end), end));
    }
    let current = document.data.current.as_ref();
    let spec = current.and_then(|s| s.window.as_deref());
    // Without a schedule there is no tick before: an empty window would call data missing that is there.
    if spec.is_none() && previous >= tick && current.is_some_and(|s| s.time_column.is_some()) {
        return Ok((DateTime::UNIX_EPOCH.min(tick), tick));
    }
    let timezone = document.timezone.parse().unwrap_or(chrono_tz::UTC);
    schedule::window_of(spec, previous, tick, timezone)
}

/// Makes the runs of scheduled ticks from the documents that the database holds.
#[derive(Debug)]
pub struct DocumentRuns {
    queue: String,
}

impl DocumentRuns {
    /// Runs go through `queue`.
    #[must_use]
    pub fn new(queue: &str) -> Self {
        Self { queue: queue.to_owned() }
    }
}

impl RunFactory for DocumentRuns {
    fn new_run(&self, job: &JobRow, planned: &Planned) -> Result<NewRun, String> {
        let document: JobDocument = serde_json::from_value(job.document.clone())
            .map_err(|e| format!("{}: {e}; apply the job again", job.name))?;
        let occasion = Occasion {
            trigger: Trigger::Schedule,
            queue: self.queue.clone(),
            tick: Some(planned.tick),
            previous: Some(planned.previous_tick),
            window: None,
            notifies: true,
            submitted_by: None,
            idempotency_key: None,
        };
        new_run(Some(job.id), &document, &occasion).map_err(|e| e.to_string())
    }
}
