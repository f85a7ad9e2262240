//! From a text to a [`JobDocument`], or to everything that is wrong with it.

use std::ops::Range;
use std::sync::Arc;

use chrono_tz::Tz;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{self, Code, Diagnostic, Source};
use super::document::JobDocument;
use super::field::{Presence, Section};
use super::kinds::{self, Kind};
use super::known::Checks;
use super::reader::{Place, Reader};
use super::review::Review;
use super::sections;

/// What reading one text gave.
#[derive(Debug)]
pub struct Reading {
    /// The document, when nothing is wrong.
    pub document: Option<JobDocument>,
    /// Everything that is wrong, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The job's name and where it stands, also when something else is wrong.
    pub name: Option<(String, Range<usize>)>,
    /// The text.
    pub source: Arc<Source>,
}

/// Reads a document; `source_name` stands for the file in messages.
#[must_use]
pub fn parse(source_name: &str, text: &str, checks: Checks<'_>) -> Reading {
    let source = Arc::new(Source { name: source_name.to_owned(), text: text.to_owned() });
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What was recovered from a broken text would only give mistakes that are none.
        let mut diagnostics: Vec<_> = errors.iter().map(|error| syntax(&source, error)).collect();
        diagnostic::sort(&mut diagnostics);
        diagnostics.dedup_by_key(|d| source.position(d.span().start).0);
        return Reading { document: None, diagnostics, name: None, source };
    }
    let table = table.get_ref();
    let text_of = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str());
    let timezone = text_of("timezone").and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC);
    let kind = text_of("kind").and_then(kinds::kind);
    let name = table
        .get("name")
        .and_then(|value| Some((value.get_ref().as_str()?.to_owned(), value.span())))
        .filter(|(name, _)| super::scalar::is_name(name));

    let mut reader = Reader::new(&source, checks, timezone);
    let value = walk(&mut reader, table, kind);
    let document: Result<JobDocument, _> = serde_json::from_value(value);
    let diagnostics = match (document, kind) {
        (Ok(document), Some(kind)) => {
            let mut review = Review::new(reader);
            review_all(&document, kind, &mut review);
            let mut diagnostics = review.finish();
            diagnostic::sort(&mut diagnostics);
            if diagnostics.is_empty() {
                return Reading { document: Some(document), diagnostics, name, source };
            }
            diagnostics
        }
        (Err(error), _) if reader.diagnostics.is_empty() => {
            let message =
                format!("the field tables and the types of documents disagree (a mistake in Steward): {error}");
            vec![Diagnostic::new(&source, 0..0, Code::InvalidValue, message)]
        }
        _ => {
            let mut diagnostics = reader.diagnostics;
            diagnostic::sort(&mut diagnostics);
            diagnostics
        }
    };
    Reading { document: None, diagnostics, name, source }
}

/// The top of the document and the section of its kind.
fn walk(reader: &mut Reader<'_>, table: &DeTable<'_>, kind: Option<&'static dyn Kind>) -> Value {
    let first = table.iter().map(|(key, _)| key.span()).min_by_key(|span| span.start).unwrap_or(0..0);
    reader.places.insert(Vec::new(), Place { value: first, ..Place::default() });
    let names: Vec<&'static str> = kinds::ALL.iter().map(|kind| kind.name()).collect();
    let mut path = Vec::new();
    let mut read = reader.section(&sections::ROOT, table, &mut path, &names);
    for (key, value) in table.iter() {
        let name: &str = key.get_ref();
        let Some(section_kind) = kinds::kind(name) else { continue };
        match kind {
            Some(kind) if kind.name() != name => {
                let message = format!("`[{name}]` does not belong to `kind = \"{}\"`", kind.name());
                let hint = format!("remove it, or say `kind = \"{name}\"`");
                reader
                    .diagnostics
                    .push(Diagnostic::new(reader.source, key.span(), Code::WrongSection, message).hint(hint));
            }
            // Without a kind that exists every section is read by its own table.
            _ => {
                path.push(name.to_owned());
                reader
                    .places
                    .insert(path.clone(), Place { key: Some(key.span()), value: value.span(), items: Vec::new() });
                let section = read_section(reader, section_kind.section(), value.get_ref(), value.span(), &mut path);
                if kind.is_some() {
                    read.insert(name.to_owned(), section);
                }
                path.pop();
            }
        }
    }
    if let Some(kind) = kind.filter(|kind| !table.contains_key(kind.name())) {
        read.insert(kind.name().to_owned(), absent_section(reader, kind, table));
    }
    Value::Object(read)
}

fn read_section(
    reader: &mut Reader<'_>,
    section: &'static Section,
    value: &DeValue<'_>,
    span: Range<usize>,
    path: &mut Vec<String>,
) -> Value {
    if let DeValue::Table(table) = value {
        return Value::Object(reader.section(section, table, path, &[]));
    }
    let message = format!("`{}` must be a table", section.name);
    let hint = format!("write `[{}]` on a line of its own and its keys below", section.name);
    reader.diagnostics.push(Diagnostic::new(reader.source, span, Code::WrongType, message).hint(hint));
    reader.unsound.insert(path.clone());
    Value::Null
}

/// A kind's section that is not there: fine when nothing in it is required.
fn absent_section(reader: &mut Reader<'_>, kind: &'static dyn Kind, table: &DeTable<'_>) -> Value {
    let section = kind.section();
    let required: Vec<&str> = section
        .fields
        .iter()
        .filter(|field| matches!(field.presence, Presence::Required))
        .map(|field| field.key)
        .collect();
    let path = vec![section.name.to_owned()];
    if required.is_empty() {
        return Value::Object(reader.section(section, &DeTable::new(), &mut path.clone(), &[]));
    }
    let at = table.get("kind").map_or(0..0, toml::Spanned::span);
    let message = format!("`kind = \"{}\"` needs a table `[{}]`", kind.name(), section.name);
    let hint = format!("add `[{}]` with {}", section.name, super::reader::quoted(required));
    reader.diagnostics.push(Diagnostic::new(reader.source, at, Code::MissingKey, message).hint(hint));
    reader.unsound.insert(path);
    Value::Null
}

/// The rules that involve several keys.
fn review_all(document: &JobDocument, kind: &'static dyn Kind, review: &mut Review<'_>) {
    if let Some(model) = &document.model
        && model.version.is_some()
        && model.stage.is_some()
    {
        review.at_key(&["model", "stage"], Code::Conflict, "`version` and `stage` exclude each other", |d| {
            d.hint("a stage means the version that is in it when the job runs")
        });
    }
    review_inputs(document, kind, review);
    kind.check(document, review);
}

/// Which datasets are there: those that the kind reads, and no others. What is missing is told once.
fn review_inputs(document: &JobDocument, kind: &'static dyn Kind, review: &mut Review<'_>) {
    let data = &document.data;
    let given = [("reference", &data.reference), ("current", &data.current), ("labels", &data.labels)]
        .map(|(k, s)| (k, s.is_some()));
    let reads = |key: &&str| kind.inputs().contains(key) || kind.also_reads(document).contains(key);
    let missing: Vec<&str> = given.iter().filter(|(key, there)| !there && reads(key)).map(|(key, _)| *key).collect();
    if !missing.is_empty() {
        let message =
            format!("`kind = \"{}\"` needs {} in `[data]`", kind.name(), super::reader::quoted(missing.clone()));
        let example: Vec<String> = missing.iter().map(|key| format!("`{key} = {{ uri = \"...\" }}`")).collect();
        review.at_key(&["data"], Code::MissingKey, message, |d| d.hint(format!("add {}", example.join(" and "))));
    }
    for (key, _) in given.iter().filter(|(key, there)| *there && !reads(key)) {
        let message = format!("`kind = \"{}\"` does not read `{key}`{}", kind.name(), as_written(document, key));
        review.at_key(&["data", key], Code::Conflict, message, |d| d.hint("remove it"));
    }
}

/// What makes a dataset superfluous that the kind may read.
fn as_written(document: &JobDocument, key: &str) -> &'static str {
    use super::document::ReferencePolicy::{Fixed, Profile};
    match document.drift.as_ref().map(|drift| drift.reference_policy()) {
        Some(Profile) if key == "reference" => ": its reference is the registered profile",
        Some(policy) if key == "reference" && policy != Fixed => {
            ": its reference is made of earlier windows of `current`"
        }
        _ => "",
    }
}

fn syntax(source: &Arc<Source>, error: &toml::de::Error) -> Diagnostic {
    let message = format!("not TOML: {}", error.message().replace('\n', ", "));
    Diagnostic::new(source, error.span().unwrap_or(0..0), Code::Syntax, message)
}
