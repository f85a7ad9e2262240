//! The settings of a process: layers, where each value came from, and what is wrong with them.
//!
//! `config/default.toml` is the only source of defaults and their documentation; each section struct lists its keys and
//! refuses others. [`read`] never stops at the first mistake: it reports it, takes the value away and goes on, so that
//! a person sees everything at once. Whether values make sense together is asked in [`check`].
//!
//! Uses nothing else of Steward. Does not start, connect to or create anything.

pub mod check;
pub mod database;
pub mod jobs;
pub mod layers;
pub mod log;
pub mod network;
pub mod notify;
pub mod problem;
#[cfg(test)]
mod reference;
pub mod registry;
pub mod scheduler;
pub mod secret;
pub mod server;
pub mod smtp;
mod sources;
pub mod storage;
pub mod worker;

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::{Actual, Kind};
use serde::{Deserialize, Serialize};

use layers::{Inputs, Layer, Origin};
pub use problem::Problems as Error;
use problem::{Problem, suggest};
pub use sources::Sources;

/// Everything that can be configured.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where Steward keeps its own files; absolute once loaded.
    pub data_dir: PathBuf,
    /// Whether runs register unknown model versions.
    pub enable_model_registry: bool,
    /// Whether jobs of kind `drift` run.
    pub enable_drift_detection: bool,
    /// Threshold of drift scores where neither the job nor the method says otherwise; above 0.
    pub drift_threshold: f64,
    /// Name of the method for numeric columns where the job names none.
    pub drift_detection_method: String,
    /// `[database]`.
    pub database: database::DatabaseSettings,
    /// `[jobs]`.
    pub jobs: jobs::JobsSettings,
    /// `[server]`.
    pub server: server::ServerSettings,
    /// `[registry]`.
    pub registry: registry::RegistrySettings,
    /// `[worker]`.
    pub worker: worker::WorkerSettings,
    /// `[scheduler]`.
    pub scheduler: scheduler::SchedulerSettings,
    /// `[storage]`.
    pub storage: storage::StorageSettings,
    /// `[notify]`.
    pub notify: notify::NotifySettings,
    /// `[smtp]`.
    pub smtp: smtp::SmtpSettings,
    /// `[log]`.
    pub log: log::LogSettings,
}

/// Settings and where they came from.
#[derive(Debug, Clone)]
pub struct LoadedSettings {
    /// The values.
    pub settings: Settings,
    layers: Vec<Layer>,
    derived: Vec<(&'static str, Origin)>,
}

/// One line of `config show`.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Dotted key.
    pub key: String,
    /// Value; secrets are redacted.
    pub value: serde_json::Value,
    /// Where it was written.
    pub origin: Origin,
}

impl LoadedSettings {
    /// Every key with its value and where that came from, by key.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        if let Ok(value) = serde_json::to_value(&self.settings) {
            flatten(&mut Vec::new(), &value, &mut |path, value| {
                entries.push(Entry { key: path.join("."), value: value.clone(), origin: self.origin(path) });
            });
        }
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        entries
    }

    /// Where the value of a dotted key was written.
    #[must_use]
    pub fn origin_of(&self, key: &str) -> Origin {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        self.origin(&path)
    }

    fn origin(&self, path: &[String]) -> Origin {
        let key = path.join(".");
        if let Some((_, origin)) = self.derived.iter().find(|(derived, _)| *derived == key) {
            return origin.clone();
        }
        origin_in(&self.layers, path)
    }
}

/// Reads the layers and returns what could be read together with every mistake. Settings are `None` only when the
/// defaults themselves cannot be read.
#[must_use]
pub fn read(inputs: &Inputs) -> (Option<LoadedSettings>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut layers = layers::read(inputs, &mut problems);
    let mut settings = None;
    // Each turn removes the value that was wrong; the bound stops a mistake in this very loop.
    for _ in 0..200 {
        match merged(&layers).extract_lossy::<Settings>() {
            Ok(read) => {
                settings = Some(read);
                break;
            }
            Err(error) => {
                let (path, problem) = explain(&error, &layers);
                problems.push(problem);
                let removed = layers.iter_mut().skip(1).rev().any(|layer| layer.remove(&path));
                if !removed {
                    break;
                }
            }
        }
    }
    let Some(mut settings) = settings else { return (None, problems) };
    let mut derived = Vec::new();
    if settings.data_dir.as_os_str().is_empty() {
        let (path, reason) = default_data_dir(&inputs.environment, nix::unistd::geteuid().is_root());
        settings.data_dir = path;
        derived.push(("data_dir", Origin::Derived { reason: reason.to_owned() }));
    }
    if let Ok(absolute) = std::path::absolute(&settings.data_dir) {
        settings.data_dir = absolute;
    }
    (Some(LoadedSettings { settings, layers, derived }), problems)
}

/// Reads the layers of a process; any mistake is an error that lists all of them.
///
/// # Errors
/// Every mistake: unreadable file, bad TOML, unknown key, wrong type.
pub fn load(sources: &Sources) -> Result<LoadedSettings, Error> {
    match load_all(sources) {
        (Some(loaded), problems) if problems.is_empty() => Ok(loaded),
        (_, problems) => Err(Error(problems)),
    }
}

/// What can be read of the layers of a process, and every mistake.
#[must_use]
pub fn load_all(sources: &Sources) -> (Option<LoadedSettings>, Vec<Problem>) {
    let mut problems = Vec::new();
    let (loaded, more) = read(&sources.inputs(&mut problems));
    problems.extend(more);
    (loaded, problems)
}

impl Settings {
    /// The defaults, whatever files and environment say: for tests and for tools that need none.
    ///
    /// # Panics
    /// Never: the defaults are embedded and a test reads them.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn defaults() -> Self {
        read(&Inputs::default()).0.expect("the embedded defaults are valid").settings
    }
}

fn merged(layers: &[Layer]) -> Figment {
    layers.iter().fold(Figment::new(), |figment, layer| figment.merge(layer.clone()))
}

fn origin_in(layers: &[Layer], path: &[String]) -> Origin {
    layers.iter().rev().find_map(|layer| layer.origin(path)).unwrap_or(Origin::Default)
}

/// The path to take away, and the mistake in words.
fn explain(error: &figment::Error, layers: &[Layer]) -> (Vec<String>, Problem) {
    let path = error.path.clone();
    let mut key = path.join(".");
    let (message, hint) = match &error.kind {
        Kind::UnknownField(name, known) => {
            let home = path.split_last().map(|(_, home)| home.join(".")).unwrap_or_default();
            let place = if home.is_empty() { "at the top level".to_owned() } else { format!("in [{home}]") };
            (format!("unknown key `{name}` {place}"), suggest(name, known))
        }
        Kind::UnknownVariant(name, known) => (format!("unknown value {name:?}"), suggest(name, known)),
        Kind::MissingField(name) => {
            key = if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
            ("required but not set".to_owned(), None)
        }
        Kind::InvalidType(found, expected) => (format!("expected {}, found {}", words(expected), kind(found)), None),
        Kind::InvalidValue(_, expected) | Kind::InvalidLength(_, expected) => {
            (format!("not a valid value, expected {}", words(expected)), None)
        }
        Kind::Message(message) => (message.clone(), None),
        other => (other.to_string(), None),
    };
    let origin = origin_in(layers, &path);
    let location = if origin == Origin::Default { "config/default.toml".to_owned() } else { origin.to_string() };
    (path, Problem { location, key, message, hint })
}

/// The kind of a value without the value: it may be a secret.
fn kind(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "a boolean",
        Actual::Unsigned(_) | Actual::Signed(_) => "an integer",
        Actual::Float(_) => "a number with a decimal point",
        Actual::Char(_) | Actual::Str(_) | Actual::Bytes(_) => "text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}

/// Rust's names of types as a person writes them.
fn words(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "string" | "str" => "text in quotes",
        "path string" => "a path in quotes",
        "a boolean" | "bool" => "true or false",
        "a sequence" => "a list",
        "a map" => "a table",
        other => other.strip_prefix("struct ").map_or(other, |_| "a table"),
    }
    .to_owned()
}

fn flatten(path: &mut Vec<String>, value: &serde_json::Value, each: &mut impl FnMut(&[String], &serde_json::Value)) {
    match value {
        serde_json::Value::Object(map) if !map.is_empty() => {
            for (key, child) in map {
                path.push(key.clone());
                flatten(path, child, each);
                path.pop();
            }
        }
        leaf => each(path, leaf),
    }
}

/// Root's files belong to the system and must be reachable by the user that runs PostgreSQL; others' to their home.
fn default_data_dir(environment: &[(String, String)], root: bool) -> (PathBuf, &'static str) {
    let variable = |wanted: &str| {
        environment.iter().find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, value)| Path::new(value))
    };
    if root {
        return (PathBuf::from("/var/lib/steward"), "for root");
    }
    match (variable("XDG_DATA_HOME").filter(|path| path.is_absolute()), variable("HOME")) {
        (Some(base), _) => (base.join("steward"), "from XDG_DATA_HOME"),
        (None, Some(home)) => (home.join(".local/share/steward"), "in the home directory"),
        (None, None) => (PathBuf::from(".steward"), "no home directory"),
    }
}

#[cfg(test)]
mod tests;
