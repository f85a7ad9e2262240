//! What the metrics of a run are compared with: a dataset, earlier windows, or values logged for the model version.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value as Json, json};

use crate::dataset::Dataset;
use crate::db::validation_metrics;
use crate::jobs::document::{CompareWith, JobDocument, MetricsSpec};
use crate::jobs::evaluation::Context;
use crate::jobs::inputs::{self, Problem};
use crate::jobs::judging::metrics::{Plan, judge};
use crate::metrics::Value;
use crate::queue::JobError;
use crate::schedule::{CronSchedule, Rhythm, Window, same_weekdays, windows_before};

/// Windows that are compared with when the job does not say.
const WINDOWS: u32 = 4;
/// The split of registered values when the job does not say.
const SPLIT: &str = "test";

/// Values to compare with, by segment.
#[derive(Debug, Default)]
pub(super) struct Baseline {
    /// What it is, in a few words: `the reference`.
    pub(super) title: String,
    /// What it is, for the run's summary.
    pub(super) description: Json,
    /// The values; a segment's with its title.
    values: Vec<(Option<String>, Value)>,
    /// Why there is none, although one was asked for.
    pub(super) lacking: Option<String>,
    pub(super) bytes_read: u64,
}

impl Baseline {
    /// The value of a metric in all rows, or in a segment.
    pub(super) fn value(&self, segment: Option<&str>, name: &str) -> Option<&Value> {
        let of = self.values.iter().find(|(at, v)| at.as_deref() == segment && v.name == name && v.class.is_none());
        of.map(|(_, value)| value)
    }
}

/// The baseline that the document asks for; none when it asks for none.
pub(super) async fn of(
    spec: &MetricsSpec,
    document: &JobDocument,
    plan: &Plan,
    labels: Option<&Dataset>,
    context: &Context,
) -> Result<Option<Baseline>, Problem> {
    let Some(with) = spec.compares_with(document.data.reference.is_some()) else { return Ok(None) };
    let (datasets, mut baseline) = match with {
        CompareWith::Registered => return registered(spec, plan, context).await.map(Some),
        CompareWith::Reference => {
            let source =
                document.data.reference.as_ref().ok_or_else(|| invalid("the document has no data.reference"))?;
            let dataset = inputs::open(context, "reference", source).await?;
            let description = json!({ "with": with, "uri": dataset.uri() });
            (vec![dataset], Baseline { title: "the reference".to_owned(), description, ..Baseline::default() })
        }
        CompareWith::PreviousWindow | CompareWith::Rolling | CompareWith::SameWeekday => {
            let (datasets, used) = earlier(with, spec, document, context).await?;
            let title = match with {
                CompareWith::PreviousWindow => "the window before".to_owned(),
                CompareWith::SameWeekday => "the same days of earlier weeks".to_owned(),
                _ => format!("the {} windows before", used.len()),
            };
            (datasets, Baseline { title, description: json!({ "with": with, "windows": used }), ..Baseline::default() })
        }
    };
    if datasets.is_empty() {
        baseline.lacking = Some("no earlier window holds any data yet".to_owned());
        return Ok(Some(baseline));
    }
    // A reference dataset has its labels itself, unless it lacks the column that names them.
    let has_labels = datasets.iter().all(|dataset| dataset.columns().iter().any(|column| column.name == spec.label));
    let labels = labels.filter(|_| !(with == CompareWith::Reference && has_labels));
    match judge(&datasets, labels, plan).await {
        Ok(judged) if judged.whole.labelled == 0 => {
            baseline.lacking = Some(format!("{} has no row with label and prediction", baseline.title));
        }
        Ok(judged) => {
            baseline.description["labelled"] = json!(judged.whole.labelled);
            baseline.values.extend(judged.whole.values.into_iter().map(|value| (None, value)));
            for (segment, of) in judged.segments {
                baseline.values.extend(of.values.into_iter().map(|value| (Some(segment.clone()), value)));
            }
        }
        Err(error) => return Err(super::evaluate::problem("the data to compare with", error)),
    }
    baseline.bytes_read = datasets.iter().map(Dataset::bytes_read).sum();
    Ok(Some(baseline))
}

async fn registered(spec: &MetricsSpec, plan: &Plan, context: &Context) -> Result<Baseline, Problem> {
    let split = spec.registered_split.as_deref().unwrap_or(SPLIT);
    let Some((name, version)) = &context.model else {
        return Ok(Baseline {
            lacking: Some("the job's model has no version whose values could be compared with".to_owned()),
            ..Baseline::default()
        });
    };
    let mut conn = context.pool.acquire().await.map_err(|error| Problem::Job(error.into()))?;
    let logged = validation_metrics::latest(&mut conn, (name, version), split, &plan.metrics).await;
    let logged = logged.map_err(|error| Problem::Job(error.into()))?;
    let lacking = logged
        .iter()
        .all(|row| row.metric_value.is_none())
        .then(|| format!("no value of split `{split}` is logged for {name} {version}"));
    let values = logged.into_iter().map(|row| {
        let value = Value {
            name: row.metric_name,
            value: row.metric_value.filter(|value| value.is_finite()),
            n: row.sample_count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            ci_low: row.ci_low.filter(|low| low.is_finite()),
            ci_high: row.ci_high.filter(|high| high.is_finite()),
            ..Value::default()
        };
        (row.segment, value)
    });
    Ok(Baseline {
        title: format!("the registered value ({split})"),
        description: json!({ "with": CompareWith::Registered, "version": version, "split": split }),
        values: values.collect(),
        lacking,
        bytes_read: 0,
    })
}

/// The earlier windows that hold data, and which they are.
async fn earlier(
    with: CompareWith,
    spec: &MetricsSpec,
    document: &JobDocument,
    context: &Context,
) -> Result<(Vec<Dataset>, Vec<String>), Problem> {
    let source = document.data.current.as_ref().ok_or_else(|| invalid("the document has no data.current"))?;
    let window = context.window.ok_or_else(|| {
        invalid("this run has no data window, so there is none before it: schedule the job, or give the run a window")
    })?;
    let cron = document.schedule.as_deref().map(|cron| CronSchedule::parse(cron, &document.timezone));
    let cron = cron.transpose().map_err(|error| invalid(&error.to_string()))?;
    let rhythm = Rhythm {
        spec: source.window.as_deref(),
        cron: cron.as_ref(),
        timezone: document.timezone.parse().unwrap_or(chrono_tz::UTC),
    };
    let count = spec.windows.unwrap_or(WINDOWS);
    let windows = match with {
        CompareWith::SameWeekday => same_weekdays(rhythm, window, count),
        CompareWith::Rolling => windows_before(rhythm, window, count),
        _ => windows_before(rhythm, window, 1),
    };
    let (mut datasets, mut used) = (Vec::new(), Vec::new());
    for (place, window) in windows.map_err(|error| invalid(&error.to_string()))?.into_iter().enumerate() {
        // Each window has pins of its own: the same object may hold the rows of several.
        match inputs::open_window(context, &format!("reference-{}", place + 1), source, window).await {
            Ok(dataset) => {
                datasets.push(dataset);
                used.push(shown(window));
            }
            Err(Problem::NoData(_)) => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok((datasets, used))
}

fn shown((start, end): Window) -> String {
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    format!("{} .. {}", text(start), text(end))
}

fn invalid(message: &str) -> Problem {
    Problem::Job(JobError::permanent("invalid_document", message.to_owned()))
}
