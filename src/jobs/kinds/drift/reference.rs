//! What the current data of a run is compared with: a dataset, earlier windows, or a registered profile.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::dataset::Dataset;
use crate::drift::profile::Profile;
use crate::jobs::document::{DriftSpec, JobDocument, ReferencePolicy};
use crate::jobs::evaluation::Context;
use crate::jobs::inputs::{self, Problem};
use crate::jobs::judging::side::Side;
use crate::queue::JobError;
use crate::registry;
use crate::schedule::{CronSchedule, Rhythm, Window, same_weekdays, windows_before};

/// Windows that a rolling reference is made of when the job does not say.
const WINDOWS: u32 = 4;

/// The reference of a run.
pub(super) enum Reference {
    /// It is there.
    Found {
        /// The data, or what stands for it.
        side: Arc<Side>,
        /// What it is, for the run's summary.
        description: Value,
    },
    /// No earlier window holds any data yet, with the sentence that says so: nothing can be compared, and nothing is wrong.
    NotYet(String),
}

/// Opens the reference that the document asks for; `kept` is the fixed one, where it was opened before.
pub(super) async fn open(
    spec: &DriftSpec,
    document: &JobDocument,
    context: &Context,
    kept: Option<&Arc<Side>>,
) -> Result<Reference, Problem> {
    match spec.reference_policy() {
        ReferencePolicy::Fixed => {
            let side = match kept {
                Some(side) => Arc::clone(side),
                None => Arc::new(fixed(document, context).await?),
            };
            let uri = side.datasets().first().map(Dataset::uri);
            Ok(Reference::Found { description: json!({ "policy": "fixed", "uri": uri }), side })
        }
        ReferencePolicy::Profile => {
            let registered = registered(context).await?;
            let mut description = json!({ "policy": "profile" });
            if let (Some(all), Some(of)) = (description.as_object_mut(), registered.description.as_object()) {
                all.extend(of.clone());
            }
            Ok(Reference::Found { side: Arc::new(Side::Profile(registered.profile)), description })
        }
        ReferencePolicy::PreviousWindow | ReferencePolicy::Rolling | ReferencePolicy::SameWeekday => {
            earlier(spec, document, context).await
        }
    }
}

/// Opens the dataset `data.reference`.
pub(super) async fn fixed(document: &JobDocument, context: &Context) -> Result<Side, Problem> {
    let source = document.data.reference.as_ref().ok_or_else(|| invalid("the document has no data.reference"))?;
    Ok(inputs::open(context, "reference", source).await?.into())
}

/// The profile of the model version that the run is about.
pub(super) struct Registered {
    /// The profile.
    pub(super) profile: Arc<Profile>,
    /// Which one it is, for the run's summary.
    pub(super) description: Value,
}

/// Reads the newest edition of the version's profile.
pub(super) async fn registered(context: &Context) -> Result<Registered, Problem> {
    let (name, version) =
        context.model.as_ref().ok_or_else(|| invalid("a profile belongs to a model version: name `model`"))?;
    let mut conn = context.pool.acquire().await.map_err(|error| Problem::Job(error.into()))?;
    let row = match registry::profile(&mut conn, name, version, None).await {
        Ok(row) => row,
        Err(registry::Error::Database(error)) => return Err(Problem::Job(error.into())),
        Err(error) => return Err(Problem::Job(JobError::permanent(error.code(), error.to_string()))),
    };
    let profile = serde_json::from_value(row.profile).map_err(|error| {
        invalid(&format!("edition {} of the profile of {name}/{version} cannot be read: {error}", row.edition))
    })?;
    let description = json!({
        "model": format!("{name}/{version}"), "edition": row.edition, "digest": row.digest, "source": row.source,
        "rows": row.row_count,
    });
    Ok(Registered { profile: Arc::new(profile), description })
}

async fn earlier(spec: &DriftSpec, document: &JobDocument, context: &Context) -> Result<Reference, Problem> {
    let source = document.data.current.as_ref().ok_or_else(|| invalid("the document has no data.current"))?;
    let window = context.window.ok_or_else(|| {
        invalid("this run has no data window, so there is none before it: schedule the job, or give the run a window")
    })?;
    let windows = windows(spec, document, window)?;
    let mut datasets: Vec<Dataset> = Vec::with_capacity(windows.len());
    let (mut used, mut empty) = (Vec::new(), 0);
    for (place, &window) in windows.iter().enumerate() {
        // Each window has pins of its own: the same object may hold the rows of several.
        let role = format!("reference-{}", place + 1);
        match inputs::open_window(context, &role, source, window).await {
            Ok(dataset) => {
                datasets.push(dataset);
                used.push(shown(window));
            }
            Err(Problem::NoData(_)) => empty += 1,
            Err(problem) => return Err(problem),
        }
    }
    if datasets.is_empty() {
        let from = windows.last().map_or_else(String::new, |last| format!(" (back to {})", shown(*last)));
        return Ok(Reference::NotYet(format!(
            "no earlier window holds any data yet{from}; there is nothing to compare with"
        )));
    }
    let description = json!({ "policy": spec.reference_policy(), "windows": used, "windows_without_data": empty });
    Ok(Reference::Found { side: Arc::new(Side::Data(datasets)), description })
}

fn windows(spec: &DriftSpec, document: &JobDocument, window: Window) -> Result<Vec<Window>, Problem> {
    let cron = document.schedule.as_deref().map(|cron| CronSchedule::parse(cron, &document.timezone));
    let cron = cron.transpose().map_err(|error| invalid(&error.to_string()))?;
    let rhythm = Rhythm {
        spec: document.data.current.as_ref().and_then(|current| current.window.as_deref()),
        cron: cron.as_ref(),
        timezone: document.timezone.parse().unwrap_or(chrono_tz::UTC),
    };
    let count = spec.windows.unwrap_or(WINDOWS);
    match spec.reference_policy() {
        ReferencePolicy::SameWeekday => same_weekdays(rhythm, window, count),
        ReferencePolicy::Rolling => windows_before(rhythm, window, count),
        _ => windows_before(rhythm, window, 1),
    }
    .map_err(|error| invalid(&error.to_string()))
}

fn shown((start, end): Window) -> String {
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    format!("{} .. {}", text(start), text(end))
}

fn invalid(message: &str) -> Problem {
    Problem::Job(JobError::permanent("invalid_document", message.to_owned()))
}
