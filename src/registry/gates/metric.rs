//! `metric`: the latest value of a metric is within bounds, new enough, and not worse than production's.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::{Gate, Question, Verdict, check_hours, hours_between, options, unreadable};
use crate::db::model_evidence::{self, MetricNow};
use crate::metrics;

/// The gate.
pub struct Metric;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    metric: String,
    split: Option<String>,
    min: Option<f64>,
    max: Option<f64>,
    max_age_hours: Option<f64>,
    not_worse_than_production_by: Option<f64>,
    /// For metrics that Steward does not compute itself.
    higher_is_better: Option<bool>,
}

impl Options {
    /// Whether larger values are better.
    fn higher_is_better(&self) -> Option<bool> {
        self.higher_is_better
            .or_else(|| metrics::ALL.iter().find(|m| m.name() == self.metric).and_then(|m| m.higher_is_better()))
    }
}

#[async_trait]
impl Gate for Metric {
    fn name(&self) -> &'static str {
        "metric"
    }

    fn summary(&self) -> &'static str {
        "The latest value of `metric` (of `split`) is from `min` to `max`, at most `max_age_hours` old, and at most \
         `not_worse_than_production_by` worse than that of the version in production."
    }

    fn check(&self, given: &Map<String, Value>) -> Result<(), String> {
        let options: Options = options(given)?;
        if let (Some(min), Some(max)) = (options.min, options.max)
            && min > max
        {
            return Err(format!("the bounds are the wrong way round: {min} is above {max}"));
        }
        if let Some(margin) = options.not_worse_than_production_by {
            if margin < 0.0 {
                return Err("`not_worse_than_production_by` is a number from 0 on".to_owned());
            }
            if options.higher_is_better().is_none() {
                return Err(format!(
                    "say `higher_is_better` for {:?}: Steward does not know this metric",
                    options.metric
                ));
            }
        }
        if options.min.is_none()
            && options.max.is_none()
            && options.max_age_hours.is_none()
            && options.not_worse_than_production_by.is_none()
        {
            return Err("say at least one of min, max, max_age_hours and not_worse_than_production_by".to_owned());
        }
        check_hours(options.max_age_hours)
    }

    async fn judge(
        &self,
        conn: &mut PgConnection,
        question: Question<'_>,
        given: &Map<String, Value>,
    ) -> Result<Verdict, sqlx::Error> {
        let options: Options = match options(given) {
            Ok(options) => options,
            Err(problem) => return Ok(unreadable(&problem)),
        };
        let (version, name) = (question.version, &options.metric);
        let split = options.split.as_deref();
        let of_split = split.map(|split| format!(" ({split})")).unwrap_or_default();
        let now = model_evidence::metric_now(conn, &version.model_name, &version.version, name, split).await?;
        let Some(now) = now else {
            return Ok(Verdict::no(format!("no value of {name}{of_split} has been logged"), json!({})));
        };
        let evidence = json!({ "value": now.value, "split": now.split, "at": now.at });
        let Some(value) = now.value.filter(|value| value.is_finite()) else {
            return Ok(Verdict::no(format!("the latest value of {name}{of_split} is undefined"), evidence));
        };
        if let Some(problem) = out_of_bounds(&options, value, &now, question) {
            return Ok(Verdict::no(format!("{name}{of_split} {problem}"), evidence));
        }
        let Some(margin) = options.not_worse_than_production_by else {
            return Ok(Verdict::yes(format!("{name}{of_split} is {value}"), evidence));
        };
        let Some(production) = question.production else {
            return Ok(Verdict::yes(
                format!("{name}{of_split} is {value}; nothing is in production to compare with"),
                evidence,
            ));
        };
        let other = model_evidence::metric_now(conn, &production.model_name, &production.version, name, split).await?;
        let Some(other) = other.and_then(|other| other.value) else {
            let problem =
                format!("production's {} has no value of {name}{of_split} to compare with", production.version);
            return Ok(Verdict::no(problem, evidence));
        };
        let evidence = json!({
            "value": value, "split": now.split, "at": now.at, "production_version": production.version, "production_value": other,
        });
        let worse_by = if options.higher_is_better() == Some(false) { value - other } else { other - value };
        let sentence = format!("{name}{of_split} is {value}, production's {} has {other}", production.version);
        Ok(if worse_by <= margin {
            Verdict::yes(sentence, evidence)
        } else {
            Verdict::no(format!("{sentence}: worse by more than {margin}"), evidence)
        })
    }
}

fn out_of_bounds(options: &Options, value: f64, now: &MetricNow, question: Question<'_>) -> Option<String> {
    if let Some(min) = options.min.filter(|min| value < *min) {
        return Some(format!("is {value}, below {min}"));
    }
    if let Some(max) = options.max.filter(|max| value > *max) {
        return Some(format!("is {value}, above {max}"));
    }
    let age = hours_between(now.at, question.at);
    options
        .max_age_hours
        .filter(|most| age > *most)
        .map(|most| format!("is {value}, but {age:.1} hours old; {most} are the most"))
}
