//! Opening the datasets of a run: templates, windows, pins, and what it means when they are not there.
//!
//! The first read pins what was read (`run_inputs`); a retry reads the same objects, and when they changed meanwhile the
//! run is pinned anew, once, and says so. Missing and unreadable inputs become outcomes with a finding; a store that
//! cannot be reached becomes a retry.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::dataset::{self, Dataset, Format, Pin, Source};
use crate::jobs::document::SourceSpec;
use crate::jobs::evaluation::{Context, Evaluated, Rows};
use crate::notify::{Finding, FindingStatus, Severity};
use crate::queue::{self, InputPin, JobError};
use crate::schedule::{self, TemplateValues};

/// Why an input cannot be judged.
#[derive(Debug)]
pub enum Problem {
    /// No object, or no row in the window.
    NoData(String),
    /// There is something, and it cannot be read.
    Corrupt(String),
    /// The run cannot go on.
    Job(JobError),
}

/// Opens the input of `role`, pins it, and makes sure that there is at least one row.
///
/// # Errors
/// See [`Problem`].
pub async fn open(context: &Context, role: &str, spec: &SourceSpec) -> Result<Dataset, Problem> {
    // A reference holds all its rows whatever the run's window is, and labels come when they come.
    let window = context.window.filter(|_| !matches!(role, "reference" | "labels"));
    read(context, role, spec, &Windows { named: context.window, rows: window, wait: true }).await
}

/// Opens `spec` as a run over `window` would have: what is not there is not waited for.
///
/// # Errors
/// See [`Problem`].
pub async fn open_window(
    context: &Context,
    role: &str,
    spec: &SourceSpec,
    window: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Dataset, Problem> {
    read(context, role, spec, &Windows { named: Some(window), rows: Some(window), wait: false }).await
}

/// Which window an input is opened for.
struct Windows {
    /// The window of the templates in its URI.
    named: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The window that its rows must lie in.
    rows: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Whether objects that are not there are waited for.
    wait: bool,
}

/// Opens, pins and counts.
async fn read(context: &Context, role: &str, spec: &SourceSpec, windows: &Windows) -> Result<Dataset, Problem> {
    // A window of local days or months is written in local time.
    let is_local = spec.window.as_deref().is_some_and(|w| w.trim_end().ends_with("local"));
    let timezone = if is_local { timezone(context) } else { chrono_tz::UTC };
    let values = TemplateValues { window: windows.named, tick: context.run.tick_at, timezone };
    let uri = schedule::resolve_template(&spec.uri, &values)
        .map_err(|e| Problem::Job(JobError::permanent("invalid_document", format!("{role}: {e}"))))?;
    let format = match &spec.format {
        Some(name) => Some(serde_json::from_value::<Format>(name.as_str().into()).map_err(|_| {
            Problem::Job(JobError::permanent("invalid_document", format!("{role}: there is no format `{name}`")))
        })?),
        None => None,
    };
    let source = Source {
        uri,
        format,
        time_column: spec.time_column.clone(),
        window: windows.rows.filter(|_| spec.time_column.is_some()),
        filter: spec.filter.clone(),
    };
    let pins: Vec<Pin> = pinned(context, role).await?.iter().map(to_pin).collect();
    let mut replaced = false;
    let dataset = match Dataset::open(&context.storage, source.clone(), &pins).await {
        Err(dataset::Error::Changed { detail }) if !pins.is_empty() => {
            tracing::warn!(run_id = %context.run.id, role, detail, "inputs changed since the first attempt; reading them as they are now");
            replaced = true;
            Dataset::open(&context.storage, source, &[]).await
        }
        opened => opened,
    }
    .map_err(|e| match problem(role, e) {
        problem if windows.wait => wait_or_give_up(context, problem),
        problem => problem,
    })?;
    let count = dataset.row_count().await.map_err(|e| problem(role, e))?;
    pin(context, role, &dataset, replaced).await?;
    if count == 0 {
        let of = dataset.uri();
        return Err(Problem::NoData(format!("{role}: no rows in {of}{}", within(spec, windows.rows))));
    }
    Ok(dataset)
}

fn timezone(context: &Context) -> chrono_tz::Tz {
    context.run.document["timezone"].as_str().and_then(|name| name.parse().ok()).unwrap_or(chrono_tz::UTC)
}

/// Data that is not there yet is waited for until the run's deadline; then it is missing.
fn wait_or_give_up(context: &Context, problem: Problem) -> Problem {
    match (problem, context.run.deadline) {
        (Problem::NoData(message), Some(deadline)) if context.clock.now() < deadline => {
            Problem::Job(JobError::not_ready("no_data", message, None))
        }
        (problem, _) => problem,
    }
}

fn within(spec: &SourceSpec, window: Option<(DateTime<Utc>, DateTime<Utc>)>) -> String {
    match (&spec.time_column, window) {
        (Some(column), Some((start, end))) => format!(" with {column} in [{start}, {end})"),
        _ => String::new(),
    }
}

async fn pinned(context: &Context, role: &str) -> Result<Vec<InputPin>, Problem> {
    if !context.is_stored {
        return Ok(Vec::new());
    }
    let mut conn = context.pool.acquire().await.map_err(|e| Problem::Job(e.into()))?;
    queue::pinned_inputs(&mut conn, context.run.id, role).await.map_err(|e| Problem::Job(e.into()))
}

async fn pin(context: &Context, role: &str, dataset: &Dataset, replace: bool) -> Result<(), Problem> {
    if !context.is_stored {
        return Ok(());
    }
    let pins: Vec<InputPin> = dataset.pins().into_iter().map(from_pin).collect();
    let mut conn = context.pool.acquire().await.map_err(|e| Problem::Job(e.into()))?;
    if replace {
        queue::unpin_inputs(&mut conn, context.run.id, role).await.map_err(|e| Problem::Job(e.into()))?;
    }
    queue::pin_inputs(&mut conn, context.run.id, role, &pins).await.map_err(|e| Problem::Job(e.into()))
}

/// Sorts an error of a dataset into outcome, retry or failure.
#[must_use]
pub fn problem(role: &str, error: dataset::Error) -> Problem {
    let message = format!("{role}: {error}");
    match error.code() {
        "no_data" => Problem::NoData(message),
        "corrupt_input" | "schema_error" | "insufficient_data" => Problem::Corrupt(message),
        "input_changed" => Problem::Job(JobError::transient("input_changed", message)),
        code if error.is_transient() => Problem::Job(JobError::transient(code, message)),
        code => Problem::Job(JobError::permanent(code, message)),
    }
}

impl Problem {
    /// The evaluation of a run whose input cannot be judged, or the error that ends this attempt.
    ///
    /// # Errors
    /// [`Problem::Job`] as it is.
    pub fn into_evaluated(self) -> Result<Evaluated, JobError> {
        let (kind, message) = match self {
            Self::NoData(message) => ("no_data", message),
            Self::Corrupt(message) => ("corrupt_input", message),
            Self::Job(error) => return Err(error),
        };
        Ok(Evaluated {
            outcome: kind.to_owned(),
            summary: json!({ "reason": message }),
            rows: Rows::None,
            findings: vec![Finding {
                kind,
                subject: "input".to_owned(),
                status: FindingStatus::Breach,
                severity: Severity::Critical,
                title: match kind {
                    "no_data" => format!("no data to judge: {message}"),
                    _ => format!("the data cannot be read: {message}"),
                },
                score: None,
                threshold: None,
                evidence: json!({ "problem": message }),
            }],
            complete_kinds: Vec::new(),
            bytes_read: 0,
        })
    }
}

fn to_pin(pin: &InputPin) -> Pin {
    Pin {
        object: pin.object.clone(),
        etag: pin.etag.clone(),
        version: pin.version.clone(),
        size_bytes: u64::try_from(pin.size_bytes).unwrap_or(0),
        row_count: pin.row_count.and_then(|n| u64::try_from(n).ok()),
    }
}

fn from_pin(pin: Pin) -> InputPin {
    InputPin {
        object: pin.object,
        etag: pin.etag,
        version: pin.version,
        size_bytes: i64::try_from(pin.size_bytes).unwrap_or(i64::MAX),
        row_count: pin.row_count.and_then(|n| i64::try_from(n).ok()),
    }
}
