//! What names, texts and tags may be. PostgreSQL keeps no NUL, so none comes in anywhere.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Error;
use super::error::FieldError;

/// Longest free text (a description, a reason, a comment), in bytes.
const LONGEST_TEXT: usize = 64 * 1024;
/// Longest name of a person or a team, in bytes.
const LONGEST_NAME: usize = 256;
/// Most tags of a version.
const MOST_TAGS: usize = 64;

/// Collects what is wrong, field by field.
#[derive(Default)]
pub(super) struct Checks(Vec<FieldError>);

impl Checks {
    pub(super) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(FieldError { pointer: pointer.into(), detail: detail.into() });
    }

    /// A model's name.
    pub(super) fn model_name(&mut self, pointer: &str, name: &str) {
        let fits = name.len() <= 128
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !fits {
            self.add(
                pointer,
                format!(
                    "{:?} is no model name: it begins with a letter or digit and has letters, digits, `.`, `_` and `-`, 128 at \
                     most, such as flight_delay",
                    short(name)
                ),
            );
        }
    }

    /// A version number.
    pub(super) fn version(&mut self, pointer: &str, version: &str) {
        if let Err(detail) = super::version::parse(version) {
            self.add(pointer, detail);
        }
    }

    /// A text that may be long.
    pub(super) fn text(&mut self, pointer: &str, text: Option<&str>) {
        self.bounded(pointer, text, LONGEST_TEXT);
    }

    /// A text that must say something.
    pub(super) fn needed(&mut self, pointer: &str, text: &str, what: &str) {
        if text.trim().is_empty() {
            self.add(pointer, format!("{what} is needed"));
        }
        self.bounded(pointer, Some(text), LONGEST_TEXT);
    }

    /// A name of a person or a team.
    pub(super) fn name(&mut self, pointer: &str, name: Option<&str>) {
        if name.is_some_and(|name| name.trim().is_empty()) {
            self.add(pointer, "a name is not empty; leave it out instead");
        }
        self.bounded(pointer, name, LONGEST_NAME);
    }

    fn bounded(&mut self, pointer: &str, text: Option<&str>, longest: usize) {
        let Some(text) = text else { return };
        if text.contains('\0') {
            self.add(pointer, "a text cannot hold the character NUL (\\u0000)");
        }
        if text.len() > longest {
            self.add(pointer, format!("this text has {} bytes; {longest} are the most", text.len()));
        }
    }

    /// A JSON object without NUL anywhere.
    pub(super) fn object(&mut self, pointer: &str, value: &Value) {
        match value {
            Value::Object(_) => self.no_nul(pointer, value),
            _ => self.add(pointer, "this must be a JSON object"),
        }
    }

    fn no_nul(&mut self, pointer: &str, value: &Value) {
        match value {
            Value::String(text) if text.contains('\0') => {
                self.add(pointer, "a text cannot hold the character NUL (\\u0000)");
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.no_nul(&format!("{pointer}/{index}"), item);
                }
            }
            Value::Object(map) => {
                for (key, item) in map {
                    if key.contains('\0') {
                        self.add(pointer, "a key cannot hold the character NUL (\\u0000)");
                    }
                    self.no_nul(&format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), item);
                }
            }
            _ => {}
        }
    }

    /// Tags: short keys, texts.
    pub(super) fn tags<'a>(&mut self, pointer: &str, tags: impl Iterator<Item = (&'a String, Option<&'a String>)>) {
        let mut count = 0;
        for (key, value) in tags {
            count += 1;
            let fits = key.len() <= 63
                && key.starts_with(|c: char| c.is_ascii_alphanumeric())
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            if !fits {
                let problem = "begins with a letter or digit and has letters, digits, `.`, `_` and `-`, 63 at most";
                self.add(pointer, format!("{:?} is no key of a tag: it {problem}", short(key)));
            }
            self.bounded(&format!("{pointer}/{key}"), value.map(String::as_str), LONGEST_NAME);
        }
        if count > MOST_TAGS {
            self.add(pointer, format!("{count} tags are too many; {MOST_TAGS} are the most"));
        }
    }

    /// The digest of an artefact.
    pub(super) fn digest(&mut self, pointer: &str, digest: Option<&str>) {
        let fits = |text: &str| {
            text.strip_prefix("sha256:").is_some_and(|hex| {
                hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            })
        };
        if let Some(digest) = digest.filter(|digest| !fits(digest)) {
            self.add(
                pointer,
                format!("{:?} is no digest: write `sha256:` and 64 digits of 0-9 and a-f", short(digest)),
            );
        }
    }

    /// Everything that is wrong, or nothing.
    pub(super) fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }
}

/// The beginning of a text that may be anything.
fn short(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Tags as they are kept.
pub(super) fn tags_json(tags: &BTreeMap<String, String>) -> Value {
    Value::Object(tags.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect::<Map<_, _>>())
}

/// Absent JSON is an empty object.
pub(super) fn object_or_empty(value: &Value) -> Value {
    if value.is_null() { Value::Object(Map::new()) } else { value.clone() }
}
