//! What Prometheus reads: requests by route as they happen, and the state of queue, schedules and messages as the database has
//! it when it is asked.

use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::db::gauges::Gauges;

/// Upper bounds of the buckets, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Counters and gauges of one process. Not global: tests run several in one process.
pub struct Meters {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

impl Default for Meters {
    fn default() -> Self {
        // Only an empty list of buckets is refused.
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).unwrap_or_default();
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, describe);
        Self { recorder, handle }
    }
}

fn describe() {
    metrics::describe_counter!("steward_http_requests_total", "Requests answered, by method, route and status.");
    metrics::describe_histogram!(
        "steward_http_request_duration_seconds",
        "Time from request to answer, by method and route."
    );
    metrics::describe_gauge!(
        "steward_runs",
        "Runs by state: the unfinished ones, and those submitted within the last hour."
    );
    metrics::describe_gauge!("steward_queue_lag_seconds", "How long the oldest run that could start has been waiting.");
    metrics::describe_gauge!(
        "steward_schedule_lateness_seconds",
        "How late the latest decided tick of any active schedule was."
    );
    metrics::describe_gauge!(
        "steward_deliveries",
        "Messages by channel and state: all undelivered ones, and the others of the last hour."
    );
    metrics::describe_gauge!("steward_incidents_open", "Incidents that are not resolved, by severity.");
    metrics::describe_gauge!("steward_audit_events", "Events of the audit trail.");
}

impl Meters {
    /// Counts an answer.
    pub fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let (method, route) = (method.to_owned(), route.to_owned());
        metrics::with_local_recorder(&self.recorder, || {
            metrics::histogram!("steward_http_request_duration_seconds", "method" => method.clone(), "route" => route.clone())
                .record(took.as_secs_f64());
            metrics::counter!("steward_http_requests_total", "method" => method, "route" => route, "status" => status.to_string())
                .increment(1);
        });
    }

    /// The text format of Prometheus.
    #[must_use]
    pub fn render(&self, gauges: &Gauges) -> String {
        metrics::with_local_recorder(&self.recorder, || {
            // A state that has emptied since the last time must not keep its number.
            for (state, count) in &gauges.runs {
                metrics::gauge!("steward_runs", "state" => state.clone()).set(*count as f64);
            }
            for (channel, state, count) in &gauges.deliveries {
                metrics::gauge!("steward_deliveries", "channel" => channel.clone(), "state" => state.clone())
                    .set(*count as f64);
            }
            for (severity, count) in &gauges.incidents {
                metrics::gauge!("steward_incidents_open", "severity" => severity.clone()).set(*count as f64);
            }
            metrics::gauge!("steward_queue_lag_seconds").set(gauges.queue_lag_seconds);
            metrics::gauge!("steward_schedule_lateness_seconds").set(gauges.lateness_seconds);
            metrics::gauge!("steward_audit_events").set(gauges.audit_events as f64);
        });
        self.handle.run_upkeep();
        self.handle.render()
    }
}
