//! Logging: from the events of `tracing` to lines on standard error, as `[log]` says.
//!
//! Standard output belongs to data. Events carry ids, names and counts, never rows, message bodies or secrets.

use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;

use crate::config::log::{LogFormat, LogSettings};

/// Libraries that tell at `info` what only their authors want to know.
const QUIET: &str =
    "apalis=warn,apalis_core=warn,sqlx=warn,hyper=warn,h2=warn,rustls=warn,reqwest=warn,object_store=warn";

/// Starts logging; `RUST_LOG` wins over the settings. A second call changes nothing.
///
/// A `service` logs at the configured level; a command that answers and ends only says what is wrong.
pub fn init(settings: &LogSettings, service: bool) {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::try_new(directives),
        _ => EnvFilter::try_new(format!("{QUIET},{}", if service { settings.level.as_str() } else { "warn" })),
    };
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    };
    if started.is_ok() {
        std::panic::set_hook(Box::new(panicked));
    }
}

/// A panic is one event like any other, so that it arrives where logs are read.
fn panicked(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("panicked without a message");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = std::backtrace::Backtrace::capture();
    let backtrace = if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
        backtrace.to_string()
    } else {
        "set RUST_BACKTRACE=1 to see it".to_owned()
    };
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    tracing::error!(panic.message = message, panic.place = %place, panic.thread = thread, %backtrace, "a bug in Steward");
}
