//! Whether settings make sense: ranges, addresses, names, and what belongs together.
//!
//! Types and unknown keys are found while reading (`super::read`); this looks at meaning. What only other modules know
//! (the names of the drift methods) comes in as [`Facts`], so that this module stays at the bottom. Nothing is
//! connected to: `steward doctor` does that.

use std::net::SocketAddr;
use std::path::Path;

use super::LoadedSettings;
use super::layers::Origin;
use super::problem::{Problem, suggest};
use super::server::Authentication;

/// What this module cannot know by itself.
#[derive(Debug, Clone, Default)]
pub struct Facts<'a> {
    /// Names of drift methods that apply to numeric columns.
    pub drift_methods: Vec<&'a str>,
    /// What other modules found wrong in their sections: dotted key, message.
    pub found: Vec<(String, String)>,
}

/// Every mistake in the meaning of the settings.
#[must_use]
pub fn check(loaded: &LoadedSettings, facts: &Facts<'_>) -> Vec<Problem> {
    let mut report = Report { loaded, problems: Vec::new() };
    drift(&mut report, facts);
    database(&mut report);
    server(&mut report);
    log(&mut report);
    let settings = &loaded.settings;
    for (key, message) in settings.worker.problems().into_iter().chain(settings.scheduler.problems()) {
        report.add(key, message, None);
    }
    for (key, message) in &facts.found {
        report.add(key, message.as_str(), None);
    }
    report.problems
}

struct Report<'a> {
    loaded: &'a LoadedSettings,
    problems: Vec<Problem>,
}

impl Report<'_> {
    fn add(&mut self, key: &str, message: impl Into<String>, hint: Option<String>) {
        let origin = self.loaded.origin_of(key);
        let location = if origin == Origin::Default { String::new() } else { origin.to_string() };
        self.problems.push(Problem { location, key: key.to_owned(), message: message.into(), hint });
    }

    fn at_least_one(&mut self, key: &str, value: u64) {
        if value == 0 {
            self.add(key, "must be at least 1", None);
        }
    }
}

fn drift(report: &mut Report<'_>, facts: &Facts<'_>) {
    let settings = &report.loaded.settings;
    if !settings.drift_threshold.is_finite() || settings.drift_threshold <= 0.0 {
        let message = format!("must be greater than 0, not {}", settings.drift_threshold);
        report.add("drift_threshold", message, Some("the usual value is 0.2".to_owned()));
    }
    let method = settings.drift_detection_method.as_str();
    if !facts.drift_methods.is_empty() && !facts.drift_methods.contains(&method) {
        let hint = suggest(method, &facts.drift_methods);
        report.add("drift_detection_method", format!("{method:?} is not a method for numeric columns"), hint);
    }
}

fn database(report: &mut Report<'_>) {
    let settings = &report.loaded.settings.database;
    let (max, timeout) = (settings.max_connections, settings.connect_timeout_seconds);
    if !settings.url.is_empty() {
        // The value is never repeated: it holds a password.
        let message = match url::Url::parse(settings.url.expose()) {
            Err(error) => Some(format!("not a URL ({error})")),
            Ok(url) if !matches!(url.scheme(), "postgres" | "postgresql") => {
                Some(format!("starts with `{}:`, but only PostgreSQL is spoken", url.scheme()))
            }
            Ok(_) => None,
        };
        if let Some(message) = message {
            let hint = "write postgres://user:password@host:port/database, with special characters percent-encoded";
            report.add("database.url", message, Some(hint.to_owned()));
        }
    } else if !settings.postgres_bin_dir.is_empty() {
        let folder = Path::new(&settings.postgres_bin_dir);
        if let Some(missing) = ["initdb", "postgres"].into_iter().find(|name| !folder.join(name).is_file()) {
            let hint = "leave it empty to search PATH and the usual folders";
            let message = format!("no `{missing}` in {}", folder.display());
            report.add("database.postgres_bin_dir", message, Some(hint.to_owned()));
        }
    }
    if max < 2 {
        report.add("database.max_connections", format!("must be at least 2, not {max}"), None);
    }
    report.at_least_one("database.connect_timeout_seconds", timeout);
}

fn server(report: &mut Report<'_>) {
    let listen = report.loaded.settings.server.listen.clone();
    let authentication = report.loaded.settings.server.authentication;
    match listen.parse::<SocketAddr>() {
        Err(_) => {
            let hint = "write an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080";
            report.add("server.listen", format!("{listen:?} is not an address"), Some(hint.to_owned()));
        }
        Ok(address) if !address.ip().is_loopback() && authentication == Authentication::None => {
            let hint = "set server.authentication = \"tokens\" and make one with `steward token create`";
            let message =
                format!("{address} can be reached from other machines, and anybody there could promote models");
            report.add("server.listen", message, Some(hint.to_owned()));
        }
        Ok(_) => {}
    }
    let server = report.loaded.settings.server.clone();
    report.at_least_one("server.max_body_bytes", server.max_body_bytes as u64);
    report.at_least_one("server.max_json_depth", server.max_json_depth as u64);
    report.at_least_one("server.request_timeout_seconds", server.request_timeout_seconds);
    report.at_least_one("server.max_concurrent_requests", server.max_concurrent_requests as u64);
    report.at_least_one("server.max_connections", server.max_connections as u64);
    report.at_least_one("server.write_timeout_seconds", server.write_timeout_seconds);
    report.at_least_one("server.max_wait_seconds", server.max_wait_seconds);
    report.at_least_one("server.idempotency_hours", u64::from(server.idempotency_hours));
    for (key, names) in [
        ("registry.notify", report.loaded.settings.registry.notify.clone()),
        ("jobs.notify", report.loaded.settings.jobs.notify.clone()),
    ] {
        for name in names {
            if !report.loaded.settings.notify.channels.contains_key(&name) {
                report.add(key, format!("there is no channel `{name}` under [notify.channels]"), None);
            }
        }
    }
}

fn log(report: &mut Report<'_>) {
    let level = report.loaded.settings.log.level.clone();
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&level) {
        let hint = "use error, warn, info, debug, trace, or directives such as info,steward::queue=debug";
        report.add("log.level", format!("{level:?} is not a filter ({error})"), Some(hint.to_owned()));
    }
}
