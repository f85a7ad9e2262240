//! The layers of a configuration: defaults, files, environment, flags; later ones win.
//!
//! A layer is a tree of values in which every value knows where it was written (file and line, variable, flag), so that
//! `config show` can say where a value came from and a mistake can be pointed at. This module reads and merges; it does
//! not know which keys exist (the section structs do) nor which values make sense (`check` does).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Empty, Map, Num, Tag, Value};
use figment::{Metadata, Profile, Provider};
use serde::Serialize;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::problem::Problem;

/// The defaults: every key with its comment. Embedded, so that a binary alone is complete.
pub const DEFAULT_TOML: &str = include_str!("../../config/default.toml");

/// What separates the parts of a variable's name: `STEWARD__DATABASE__URL` is `database.url`.
const ENVIRONMENT_PREFIX: &str = "STEWARD__";

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Origin {
    /// The embedded defaults.
    Default,
    /// Worked out by the program because the key was left empty; `reason` says how.
    Derived {
        /// A short phrase.
        reason: String,
    },
    /// A configuration file.
    File {
        /// As it was given.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// 1-based, in characters.
        column: usize,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
    },
    /// A command-line flag.
    Flag {
        /// As typed, without the value.
        name: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Derived { reason } => write!(f, "default ({reason})"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Variable { name } => write!(f, "environment variable {name}"),
            Self::Flag { name } => write!(f, "flag {name}"),
        }
    }
}

/// What the layers are read from. Everything is a field, so that tests need neither files nor environment of the host.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Files, lowest first. One that does not exist is a problem.
    pub files: Vec<PathBuf>,
    /// Environment variables (all of them; those that are not ours are ignored).
    pub environment: Vec<(String, String)>,
    /// Flags, lowest first: dotted key, value, and the flag as typed.
    pub overrides: Vec<(String, String, String)>,
}

/// One layer: values, and where each was written.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) values: Dict,
    origins: BTreeMap<Vec<String>, Origin>,
    fallback: Origin,
}

impl Layer {
    fn new(fallback: Origin) -> Self {
        Self { values: Dict::new(), origins: BTreeMap::new(), fallback }
    }

    /// Where `path` was written, or the nearest table around it; `None` when this layer does not set it.
    pub(super) fn origin(&self, path: &[String]) -> Option<Origin> {
        find(&self.values, path)?;
        let nearest = (1..=path.len()).rev().find_map(|end| self.origins.get(&path[..end]));
        Some(nearest.unwrap_or(&self.fallback).clone())
    }

    /// Takes `path` out, so that reading can go on behind a mistake. False when it was not there.
    pub(super) fn remove(&mut self, path: &[String]) -> bool {
        fn inner(dict: &mut Dict, path: &[String]) -> bool {
            match path {
                [] => false,
                [last] => dict.remove(last).is_some(),
                [first, rest @ ..] => match dict.get_mut(first) {
                    Some(Value::Dict(_, child)) => inner(child, rest),
                    // An element of an array cannot go alone: the whole value goes.
                    Some(_) => dict.remove(first).is_some(),
                    None => false,
                },
            }
        }
        inner(&mut self.values, path)
    }

    fn insert(&mut self, path: &[String], value: Value, origin: Origin) {
        fn inner(dict: &mut Dict, path: &[String], value: Value) {
            if let [last] = path {
                dict.insert(last.clone(), value);
            } else if let [first, rest @ ..] = path {
                let child = dict.entry(first.clone()).or_insert_with(|| Value::Dict(Tag::Default, Dict::new()));
                if !matches!(child, Value::Dict(..)) {
                    *child = Value::Dict(Tag::Default, Dict::new());
                }
                if let Value::Dict(_, child) = child {
                    inner(child, rest, value);
                }
            }
        }
        inner(&mut self.values, path, value);
        self.origins.insert(path.to_vec(), origin);
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.fallback.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// The value at `path`.
pub(super) fn find<'v>(dict: &'v Dict, path: &[String]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    let value = dict.get(first)?;
    match (value, rest) {
        (_, []) => Some(value),
        (Value::Dict(_, child), rest) => find(child, rest),
        // Deeper than the tree knows (an array's element): the array is the nearest thing there is.
        (value @ Value::Array(..), _) => Some(value),
        _ => None,
    }
}

/// Reads all layers, lowest first. What cannot be read is reported and left out.
pub(super) fn read(inputs: &Inputs, problems: &mut Vec<Problem>) -> Vec<Layer> {
    let mut layers = Vec::new();
    match parse(DEFAULT_TOML, None) {
        Ok(layer) => layers.push(layer),
        Err(problem) => problems.push(problem),
    }
    for path in &inputs.files {
        match std::fs::read_to_string(path) {
            Ok(text) => match parse(&text, Some(path)) {
                Ok(layer) => layers.push(layer),
                Err(problem) => problems.push(problem),
            },
            Err(error) => problems.push(Problem {
                location: path.display().to_string(),
                key: String::new(),
                message: format!("cannot read the configuration file: {error}"),
                hint: None,
            }),
        }
    }
    layers.push(environment_layer(&inputs.environment, &layers));
    layers.push(flag_layer(&inputs.overrides, &layers));
    layers
}

/// Parses a file; `path` is `None` for the embedded defaults.
pub(super) fn parse(text: &str, path: Option<&Path>) -> Result<Layer, Problem> {
    let origin = |offset: usize| match path {
        None => Origin::Default,
        Some(path) => {
            let before = &text[..offset.min(text.len())];
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            Origin::File {
                path: path.to_path_buf(),
                line: before.matches('\n').count() + 1,
                column: before[line_start..].chars().count() + 1,
            }
        }
    };
    let table = DeTable::parse(text).map_err(|error| {
        let place = origin(error.span().map_or(0, |span| span.start));
        Problem {
            location: if path.is_none() { "config/default.toml".to_owned() } else { place.to_string() },
            key: String::new(),
            message: format!("not valid TOML: {}", error.message().replace('\n', ", ")),
            hint: None,
        }
    })?;
    let mut layer = Layer::new(origin(0));
    layer.values = convert_table(table.get_ref(), &mut Vec::new(), &mut layer.origins, &origin);
    Ok(layer)
}

fn convert_table(
    table: &DeTable<'_>,
    path: &mut Vec<String>,
    origins: &mut BTreeMap<Vec<String>, Origin>,
    origin: &impl Fn(usize) -> Origin,
) -> Dict {
    let mut dict = Dict::new();
    for (key, value) in table {
        let key: &Spanned<DeString<'_>> = key;
        path.push(key.get_ref().to_string());
        origins.insert(path.clone(), origin(key.span().start));
        let converted = match value.get_ref() {
            DeValue::Table(child) => Value::Dict(Tag::Default, convert_table(child, path, origins, origin)),
            other => convert_leaf(other),
        };
        dict.insert(key.get_ref().to_string(), converted);
        path.pop();
    }
    dict
}

fn convert_leaf(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.to_string()),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Empty(Tag::Default, Empty::None), |n| {
                // Unsigned where possible: figment reports `unsigned` and `signed` apart.
                u64::try_from(n).map_or(Value::from(n), Value::from)
            })
        }
        DeValue::Float(number) => {
            number.as_str().parse::<f64>().map_or(Value::Empty(Tag::Default, Empty::None), Value::from)
        }
        DeValue::Datetime(at) => Value::from(at.to_string()),
        DeValue::Array(items) => {
            Value::Array(Tag::Default, items.iter().map(|item| convert_leaf(item.get_ref())).collect())
        }
        DeValue::Table(table) => {
            Value::Dict(Tag::Default, convert_table(table, &mut Vec::new(), &mut BTreeMap::new(), &|_| Origin::Default))
        }
    }
}

fn environment_layer(environment: &[(String, String)], lower: &[Layer]) -> Layer {
    let mut layer = Layer::new(Origin::Default);
    let mut variables: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    variables.sort_unstable();
    if let Some((name, url)) = variables.iter().find(|(name, value)| *name == "DATABASE_URL" && !value.is_empty()) {
        let path = ["database".to_owned(), "url".to_owned()];
        layer.insert(&path, Value::from(*url), Origin::Variable { name: (*name).to_owned() });
    }
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
        let mut path = Vec::new();
        for segment in rest.split("__") {
            let next = spelled_like(segment, &path, lower);
            path.push(next);
        }
        let value = typed(value, &path, lower);
        layer.insert(&path, value, Origin::Variable { name: name.to_owned() });
    }
    layer
}

fn flag_layer(overrides: &[(String, String, String)], lower: &[Layer]) -> Layer {
    let mut layer = Layer::new(Origin::Default);
    for (key, value, flag) in overrides {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        let value = typed(value, &path, lower);
        layer.insert(&path, value, Origin::Flag { name: flag.clone() });
    }
    layer
}

/// Variables cannot hold `-` and are written in capitals: `ML_ONCALL` means the existing key `ml-oncall`.
fn spelled_like(segment: &str, parent: &[String], lower: &[Layer]) -> String {
    let wanted = segment.to_lowercase();
    for layer in lower.iter().rev() {
        let table =
            if parent.is_empty() { Some(&layer.values) } else { find(&layer.values, parent).and_then(Value::as_dict) };
        for key in table.into_iter().flat_map(Dict::keys) {
            if *key == wanted || key.to_lowercase().replace('-', "_") == wanted {
                return key.clone();
            }
        }
    }
    wanted
}

/// Text from a variable or a flag as the type that the key has in the lower layers. Text that does not fit stays text,
/// and reading the section then says what was expected.
fn typed(text: &str, path: &[String], lower: &[Layer]) -> Value {
    let known = lower.iter().rev().find_map(|layer| find(&layer.values, path));
    let parsed = || {
        let document = format!("value = {text}");
        let table = DeTable::parse(&document).ok()?;
        table.get_ref().get("value").map(|value| convert_leaf(value.get_ref()))
    };
    match known {
        Some(Value::String(..)) => Value::from(text),
        Some(Value::Array(..)) if !text.trim_start().starts_with('[') => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(Tag::Default, items.map(Value::from).collect())
        }
        Some(Value::Bool(..)) => text.parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
        Some(Value::Num(_, number)) => number_like(*number, text).unwrap_or_else(|| Value::from(text)),
        _ if text.starts_with(['[', '{']) => parsed().unwrap_or_else(|| Value::from(text)),
        _ => Value::from(text),
    }
}

fn number_like(model: Num, text: &str) -> Option<Value> {
    match model {
        Num::F32(_) | Num::F64(_) => text.parse::<f64>().ok().map(Value::from),
        _ => text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from)).ok(),
    }
}
