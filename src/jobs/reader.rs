//! Reads a parsed table by its field table: one walk gives the canonical values and every mistake in them.
//!
//! Guided by data only (`field`), so it knows no key by name. What is wrong is reported and replaced by a stand-in of
//! the right type, so that the rest of the document can still be checked; whoever checks further asks whether a place is
//! sound (see `review`). Rules that involve several keys are not here but with the kinds.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use chrono_tz::Tz;
use serde_json::{Map, Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Code, Diagnostic, Source};
use super::field::{Field, Presence, Section, Shape};
use super::known::Checks;
use super::suggest::closest;

/// The keys that lead to a value.
pub(super) type Path = Vec<String>;

/// Where something stands in the source.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The key; none for items of lists and for the top.
    pub(super) key: Option<Range<usize>>,
    /// The value.
    pub(super) value: Range<usize>,
    /// The items of a list, with their texts.
    pub(super) items: Vec<(String, Range<usize>)>,
}

/// Walks one document.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Arc<Source>,
    pub(super) checks: Checks<'a>,
    pub(super) timezone: Tz,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) places: BTreeMap<Path, Place>,
    /// Places whose value is a stand-in.
    pub(super) unsound: BTreeSet<Path>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Arc<Source>, checks: Checks<'a>, timezone: Tz) -> Self {
        Self { source, checks, timezone, diagnostics: Vec::new(), places: BTreeMap::new(), unsound: BTreeSet::new() }
    }

    /// Reads a table by its section. `others` are keys that the caller reads itself.
    pub(super) fn section(
        &mut self,
        section: &'static Section,
        table: &DeTable<'_>,
        path: &mut Path,
        others: &[&'static str],
    ) -> Map<String, Value> {
        let mut read = Map::new();
        for field in section.fields {
            path.push(field.key.to_owned());
            if let Some((key, value)) = table.get_key_value(field.key) {
                self.places
                    .insert(path.clone(), Place { key: Some(key.span()), value: value.span(), items: Vec::new() });
                let value = self.value(&field.shape, value, path);
                read.insert(stored_key(field), value);
            } else if let Some(value) = self.absent(section, field, path) {
                read.insert(stored_key(field), value);
            }
            path.pop();
        }
        for (key, _) in table.iter() {
            let name: &str = key.get_ref();
            if !section.fields.iter().any(|field| field.key == name) && !others.contains(&name) {
                self.unknown_key(section, others, key);
            }
        }
        read
    }

    /// What holds for a key that is absent; reports it when it must not be.
    fn absent(&mut self, section: &'static Section, field: &'static Field, path: &Path) -> Option<Value> {
        match field.presence {
            Presence::Optional | Presence::Otherwise(_) => None,
            Presence::Default(literal) => Some(default_value(&field.shape, literal, self.checks)),
            Presence::Required => {
                let at = self.places.get(&path[..path.len() - 1]).cloned().unwrap_or_default();
                let holder = if path.len() == 1 { "the job".to_owned() } else { format!("`[{}]`", section.name) };
                let hint = match &field.shape {
                    Shape::Section(inner) => format!("add a table `[{}]`", inner.name),
                    Shape::Choice(choices) => {
                        format!("one of {}", quoted(choices.iter().map(|choice| choice.word)))
                    }
                    shape => format!("add `{} = ...`, {}: {}", field.key, shape.expected(), lower_first(field.doc)),
                };
                let message = format!("{holder} has no `{}`", field.key);
                let span = at.key.unwrap_or(at.value);
                self.diagnostics.push(Diagnostic::new(self.source, span, Code::MissingKey, message).hint(hint));
                self.unsound.insert(path.clone());
                Some(stand_in(&field.shape, None))
            }
        }
    }

    fn unknown_key(
        &mut self,
        section: &'static Section,
        others: &[&'static str],
        key: &Spanned<std::borrow::Cow<'_, str>>,
    ) {
        let name: &str = key.get_ref();
        let at_top = std::ptr::eq(section, &super::sections::ROOT);
        let keys = || section.fields.iter().map(|field| field.key).chain(others.iter().copied());
        let hint = if let Some(near) = closest(name, keys()) {
            format!("did you mean `{near}`?")
        } else if !at_top && super::sections::ROOT.fields.iter().any(|field| field.key == name) {
            format!("`{name}` belongs to the top of the file, before the first `[section]`")
        } else {
            format!("known here: {}", quoted(keys()))
        };
        let message = if at_top {
            format!("a job has no key `{name}`")
        } else {
            format!("`[{}]` has no key `{name}`", section.name)
        };
        self.diagnostics
            .push(Diagnostic::new(self.source, key.span(), Code::UnknownKey, message).label("unknown key").hint(hint));
    }

    /// Reads one value; a stand-in when it is wrong.
    pub(super) fn value(&mut self, shape: &'static Shape, value: &Spanned<DeValue<'_>>, path: &mut Path) -> Value {
        match (shape, value.get_ref()) {
            (Shape::Section(section) | Shape::Short(section), DeValue::Table(table)) => {
                Value::Object(self.section(section, table, path, &[]))
            }
            (Shape::Short(section), DeValue::String(_)) => self.short(section, value, path),
            (Shape::Map(keys, of), DeValue::Table(table)) => self.map(*keys, of, table, path),
            (Shape::List(of), DeValue::Array(items)) => self.list(of, items, path, true),
            (Shape::Sequence(of), DeValue::Array(items)) => self.list(of, items, path, false),
            _ => match self.scalar(shape, value, &format!("`{}`", name_of(path))) {
                Ok(read) => read,
                Err(diagnostic) => {
                    self.diagnostics.push(*diagnostic);
                    self.unsound.insert(path.clone());
                    stand_in(shape, value.get_ref().as_str())
                }
            },
        }
    }

    /// A table that was written as the text of its first key.
    fn short(&mut self, section: &'static Section, value: &Spanned<DeValue<'_>>, path: &mut Path) -> Value {
        let mut read = Map::new();
        for (i, field) in section.fields.iter().enumerate() {
            path.push(field.key.to_owned());
            if i == 0 {
                self.places.insert(path.clone(), Place { key: None, value: value.span(), items: Vec::new() });
                let value = self.value(&field.shape, value, path);
                read.insert(stored_key(field), value);
            } else if let Some(value) = self.absent(section, field, path) {
                read.insert(stored_key(field), value);
            }
            path.pop();
        }
        Value::Object(read)
    }

    fn map(&mut self, keys: super::field::Keys, of: &'static Shape, table: &DeTable<'_>, path: &mut Path) -> Value {
        let mut read = Map::new();
        for (key, value) in table.iter() {
            let name = key.get_ref().to_string();
            if let super::field::Keys::Word(vocabulary) = keys
                && let Err(diagnostic) = self.word(vocabulary, &name, key.span())
            {
                self.diagnostics.push(*diagnostic);
                continue;
            }
            path.push(name.clone());
            self.places.insert(path.clone(), Place { key: Some(key.span()), value: value.span(), items: Vec::new() });
            let value = self.value(of, value, path);
            path.pop();
            read.insert(name, value);
        }
        Value::Object(read)
    }

    fn list(&mut self, of: &'static Shape, items: &[Spanned<DeValue<'_>>], path: &Path, distinct: bool) -> Value {
        let what = format!("an item of `{}`", name_of(path));
        let mut read: Vec<Value> = Vec::new();
        for item in items {
            match self.scalar(of, item, &what) {
                Ok(value) if distinct && read.contains(&value) => {
                    let message = format!("{value} is listed twice in `{}`", name_of(path));
                    self.diagnostics.push(
                        Diagnostic::new(self.source, item.span(), Code::InvalidValue, message)
                            .hint("remove one of the two"),
                    );
                }
                Ok(value) => {
                    if let (Some(place), Some(text)) = (self.places.get_mut(path), value.as_str()) {
                        place.items.push((text.to_owned(), item.span()));
                    }
                    read.push(value);
                }
                Err(diagnostic) => self.diagnostics.push(*diagnostic),
            }
        }
        Value::Array(read)
    }
}

/// The key that a value is stored under: lengths of time carry their unit.
pub(super) fn stored_key(field: &Field) -> String {
    if matches!(field.shape, Shape::Duration(_)) { format!("{}_seconds", field.key) } else { field.key.to_owned() }
}

/// The value of a default, read like any other; a test holds that every default is right.
pub(super) fn default_value(shape: &'static Shape, literal: &str, checks: Checks<'_>) -> Value {
    let source = Arc::new(Source { name: "default".to_owned(), text: literal.to_owned() });
    let Ok(value) = DeValue::parse(literal) else { return stand_in(shape, None) };
    Reader::new(&source, checks, Tz::UTC).value(shape, &value, &mut vec!["default".to_owned()])
}

/// A value of the right type where the real one is wrong or absent.
fn stand_in(shape: &Shape, text: Option<&str>) -> Value {
    match shape {
        Shape::Boolean => json!(false),
        Shape::Integer(_) | Shape::Duration(_) => json!(2),
        Shape::Number(_) => json!(0.5),
        Shape::Instant => json!("1970-01-01T00:00:00Z"),
        Shape::List(_) | Shape::Sequence(_) => json!([]),
        Shape::Map(..) => json!({}),
        Shape::Choice(choices) => json!(choices.first().map_or("", |choice| choice.word)),
        Shape::Section(section) | Shape::Short(section) => {
            let required = section
                .fields
                .iter()
                .filter(|field| matches!(field.presence, Presence::Required | Presence::Default(_)));
            Value::Object(required.map(|field| (stored_key(field), stand_in(&field.shape, None))).collect())
        }
        _ => json!(text.unwrap_or("?")),
    }
}

/// The last key, for messages.
fn name_of(path: &[String]) -> &str {
    path.last().map_or("", String::as_str)
}

/// Words in backticks, joined by commas.
pub(super) fn quoted<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn lower_first(text: &str) -> String {
    let sentence = text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.');
    let mut chars = sentence.chars();
    match chars.next() {
        // A word such as URI or IANA stays as it is.
        Some(first) if !chars.as_str().starts_with(char::is_uppercase) => first.to_lowercase().chain(chars).collect(),
        _ => sentence.to_owned(),
    }
}
