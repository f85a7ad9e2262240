//! The plan of a test as its job declares it.

use std::collections::BTreeMap;

use crate::jobs::document::{AbSpec, JobDocument, SideSpec};
use crate::registry::ab_tests::{Rules, SideMetric, seed_of};
use crate::schedule::{CronSchedule, ticks_between};

/// The plan as the document has it.
pub(super) fn declared(document: &JobDocument, spec: &AbSpec) -> Rules {
    let defaults = Rules::default();
    Rules {
        metric: spec.metric.clone(),
        lower_is_better: spec.lower_is_better(),
        statistical_test: spec.statistical_test.clone(),
        significance_level: spec.significance_level,
        min_samples: i64::try_from(spec.min_samples).unwrap_or(i64::MAX),
        success_threshold: spec.success_threshold,
        traffic_split: spec.traffic_split,
        planned_looks: planned_looks(document, spec),
        starts: spec.starts,
        ends: spec.ends,
        schedule: document.schedule.clone(),
        timezone: document.schedule.as_ref().map(|_| document.timezone.clone()),
        label_delay_seconds: spec.label_delay_seconds,
        unit_column: spec.unit_column.clone(),
        hypothesis: spec.hypothesis.clone().unwrap_or(defaults.hypothesis),
        margin: spec.margin,
        threshold_mode: spec.threshold_mode.clone().unwrap_or(defaults.threshold_mode),
        monitoring: spec.monitoring.clone().unwrap_or(defaults.monitoring),
        sample_ratio_policy: spec.sample_ratio_policy.clone().unwrap_or(defaults.sample_ratio_policy),
        min_duration_seconds: spec.min_duration_seconds,
        covariate: spec.covariate.clone(),
        guardrails: side_metrics(&spec.guardrails),
        secondary_metrics: side_metrics(&spec.secondary_metrics),
        same_rows: document.has_arms_in_the_same_rows(),
        seed: seed_of(&spec.test),
        notify: document.notify.clone(),
        ..Rules::default()
    }
}

/// Side metrics with their directions.
pub(super) fn side_metrics(metrics: &BTreeMap<String, SideSpec>) -> Vec<SideMetric> {
    let side = |(name, side): (&String, &SideSpec)| SideMetric {
        name: name.clone(),
        lower_is_better: Some(side.lower_is_better()),
        margin: side.margin,
    };
    metrics.iter().map(side).collect()
}

/// How many looks the schedule takes between start and end, the one that concludes included; none when nothing says it.
fn planned_looks(document: &JobDocument, spec: &AbSpec) -> Option<u32> {
    let (cron, starts, ends) = (document.schedule.as_ref()?, spec.starts?, spec.ends?);
    let cron = CronSchedule::parse(cron, &document.timezone).ok()?;
    // A tick sees rows that are older than the delay.
    let delay = chrono::Duration::seconds(spec.label_delay_seconds.unwrap_or(0));
    let ends = ends + delay;
    let inside = ticks_between(&cron, starts + delay, ends).filter(|tick| *tick < ends).count();
    Some(u32::try_from(inside + 1).unwrap_or(u32::MAX))
}
