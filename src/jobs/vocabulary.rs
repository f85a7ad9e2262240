//! The words that job documents may use, from those who know them: `drift::ALL`, `drift::concept::ALL`, `metrics::ALL`, `ab::ALL`, `schedule`.
//!
//! A method added there is known here, to the diagnostics and to the JSON schema without another line.

use chrono_tz::Tz;

use super::document::Task;
use super::known::{AppliesTo, ConceptMethodInfo, Fault, Known, MethodInfo, MetricInfo, ScheduleChecks};
use crate::config::Settings;
use crate::schedule::{CronSchedule, WindowSpec, check_template};
use crate::{ab, drift, metrics};

/// What documents may name under these settings.
#[must_use]
pub fn known(settings: &Settings) -> Known {
    Known { channels: Some(settings.notify.channels.keys().cloned().collect()), ..words() }
}

/// What documents may name anywhere: all but the channels, which are the installation's.
#[must_use]
pub fn words() -> Known {
    Known {
        drift_methods: drift::ALL
            .iter()
            .map(|m| MethodInfo {
                name: m.name().to_owned(),
                applies_to: match m.applies_to() {
                    drift::AppliesTo::Numeric => AppliesTo::Numeric,
                    drift::AppliesTo::Categorical => AppliesTo::Categorical,
                    drift::AppliesTo::Any => AppliesTo::Any,
                },
                has_p_value: m.has_p_value(),
            })
            .collect(),
        metrics: metrics::ALL
            .iter()
            .map(|m| MetricInfo {
                name: m.name().to_owned(),
                task: match m.task() {
                    metrics::Task::Classification => Task::Classification,
                    metrics::Task::Regression => Task::Regression,
                },
                needs_score: m.needs() != metrics::Needs::Predictions,
            })
            .collect(),
        concept_methods: drift::concept::ALL
            .iter()
            .map(|m| ConceptMethodInfo {
                name: m.name().to_owned(),
                task: m.task().map(|task| match task {
                    drift::concept::Task::Classification => Task::Classification,
                    drift::concept::Task::Regression => Task::Regression,
                }),
                needs_score: m.needs().score,
                needs_prediction: m.needs().prediction,
                needs_time: m.needs().time,
            })
            .collect(),
        // The arms of a job have rows of their own; tests of the same rows need another source.
        ab_tests: ab::ALL.iter().map(|t| t.name().to_owned()).collect(),
        channels: None,
    }
}

/// Where a field of a cron expression stands, for the caret.
fn field_of(expression: &str, field: &str) -> Option<std::ops::Range<usize>> {
    let index = ["minute", "hour", "day of month", "month", "day of week"].iter().position(|name| *name == field)?;
    let word = expression.split_whitespace().nth(index)?;
    let start = word.as_ptr() as usize - expression.as_ptr() as usize;
    Some(start..start + word.len())
}

/// Checks schedules, windows and templates by those who will read them.
#[derive(Debug, Clone, Copy)]
pub struct Calendar;

impl ScheduleChecks for Calendar {
    fn cron(&self, expression: &str, timezone: Tz) -> Result<(), Fault> {
        CronSchedule::parse(expression, timezone.name()).map(drop).map_err(|e| Fault {
            message: match e.field {
                Some(field) => format!("the {field} `{}` of the schedule cannot be used", e.value),
                None => "the schedule cannot be used".to_owned(),
            },
            hint: Some(e.hint),
            part: e.field.and_then(|field| field_of(expression, field)),
        })
    }

    fn window(&self, window: &str) -> Result<(), Fault> {
        WindowSpec::parse(window).map(drop).map_err(|e| Fault {
            message: format!("`{window}` is not a window"),
            hint: Some(e.hint),
            part: None,
        })
    }

    fn template(&self, uri: &str) -> Result<(), Fault> {
        check_template(uri).map(drop).map_err(|e| Fault {
            message: "the template cannot be resolved".to_owned(),
            hint: Some(e.hint),
            part: Some(e.span.0..e.span.1),
        })
    }
}
