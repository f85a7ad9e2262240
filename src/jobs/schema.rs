//! The JSON schema of job documents, for editors: from the same field tables that read them.
//!
//! It says what a table can say; rules that involve several keys are for `steward jobs check`.

use serde_json::{Map, Value, json};

use super::field::{Field, Keys, Limit, Limits, Presence, Section, Shape, Vocabulary};
use super::kinds;
use super::known::{Checks, Known};
use super::reader::default_value;
use super::sections;

/// The schema (draft 7, which editors for TOML understand).
#[must_use]
pub fn schema(checks: Checks<'_>) -> Value {
    let mut root = object(&sections::ROOT, checks);
    let mut kinds_rules = Vec::new();
    if let Some(Value::Object(properties)) = root.get_mut("properties") {
        for kind in kinds::ALL {
            let mut section = object(kind.section(), checks);
            section.insert("description".into(), json!(kind.summary()));
            properties.insert(kind.name().into(), Value::Object(section));
        }
    }
    for kind in kinds::ALL {
        let others: Map<String, Value> = kinds::ALL
            .iter()
            .filter(|other| other.name() != kind.name())
            .map(|other| (other.name().into(), json!(false)))
            .collect();
        let needed = kind.section().fields.iter().any(|field| matches!(field.presence, Presence::Required));
        let mut then = Map::new();
        let mut required = Vec::new();
        if needed {
            required.push(kind.name());
        }
        let mut properties = others;
        if !kind.inputs().is_empty() {
            required.push("data");
            properties.insert("data".into(), json!({ "required": kind.inputs() }));
        }
        if !required.is_empty() {
            then.insert("required".into(), json!(required));
        }
        then.insert("properties".into(), Value::Object(properties));
        kinds_rules.push(
            json!({ "if": { "properties": { "kind": { "const": kind.name() } }, "required": ["kind"] }, "then": then }),
        );
    }
    let mut schema = Map::new();
    schema.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".into(), json!("Steward job"));
    schema.extend(root);
    schema.insert("allOf".into(), Value::Array(kinds_rules));
    Value::Object(schema)
}

/// The schema as it is checked in.
#[must_use]
pub fn schema_text(checks: Checks<'_>) -> String {
    format!("{:#}\n", schema(checks))
}

fn object(section: &'static Section, checks: Checks<'_>) -> Map<String, Value> {
    let required: Vec<&str> = section
        .fields
        .iter()
        .filter(|field| matches!(field.presence, Presence::Required))
        .map(|field| field.key)
        .collect();
    let properties: Map<String, Value> =
        section.fields.iter().map(|field| (field.key.to_owned(), property(field, checks))).collect();
    let mut object = Map::new();
    object.insert("type".into(), json!("object"));
    object.insert("description".into(), json!(section.doc));
    object.insert("additionalProperties".into(), json!(false));
    if !required.is_empty() {
        object.insert("required".into(), json!(required));
    }
    object.insert("properties".into(), Value::Object(properties));
    object
}

fn property(field: &'static Field, checks: Checks<'_>) -> Value {
    let mut property = shape(&field.shape, checks);
    let mut doc = field.doc.to_owned();
    if let Shape::Choice(choices) = &field.shape {
        for choice in *choices {
            doc.push_str(&format!("\n- {}: {}", choice.word, choice.doc));
        }
    }
    if let Presence::Otherwise(what) = field.presence {
        doc.push_str(&format!("\nOtherwise: {what}."));
    }
    property.insert("description".into(), json!(doc));
    if let Presence::Default(literal) = field.presence {
        // As it is written in the file: lengths of time with their unit.
        let written = match &field.shape {
            Shape::Duration(_) => json!(literal.trim_matches('"')),
            shape => default_value(shape, literal, checks),
        };
        property.insert("default".into(), written);
    }
    Value::Object(property)
}

fn shape(of: &'static Shape, checks: Checks<'_>) -> Map<String, Value> {
    let value = match of {
        Shape::Text | Shape::Cron | Shape::TimeZone | Shape::Window | Shape::Uri => {
            json!({ "type": "string", "minLength": 1 })
        }
        Shape::Name => json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" }),
        Shape::Version => json!({ "type": "string", "pattern": "^\\d+\\.\\d+\\.\\d+" }),
        Shape::Choice(choices) => {
            json!({ "type": "string", "enum": choices.iter().map(|choice| choice.word).collect::<Vec<_>>() })
        }
        Shape::Word(vocabulary) => word(*vocabulary, checks.known),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Integer(limits) => limited("integer", *limits),
        Shape::Number(limits) => limited("number", *limits),
        Shape::Scalar => json!({ "type": ["string", "integer", "boolean"] }),
        Shape::Duration(_) => json!({ "type": "string", "pattern": "^(\\s*\\d+\\s*[a-z]+)+\\s*$" }),
        Shape::Instant => json!({ "type": "string" }),
        Shape::List(items) => json!({ "type": "array", "uniqueItems": true, "items": shape(items, checks) }),
        Shape::Sequence(items) => json!({ "type": "array", "items": shape(items, checks) }),
        Shape::Map(Keys::Free(_), values) => json!({ "type": "object", "additionalProperties": shape(values, checks) }),
        Shape::Map(Keys::Word(vocabulary), values) => {
            json!({ "type": "object", "propertyNames": word(*vocabulary, checks.known), "additionalProperties": shape(values, checks) })
        }
        Shape::Section(section) => Value::Object(object(section, checks)),
        Shape::Short(section) => json!({ "anyOf": [{ "type": "string", "minLength": 1 }, object(section, checks)] }),
    };
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Channels are of one installation, so the schema leaves them open.
fn word(vocabulary: Vocabulary, known: &Known) -> Value {
    let words: Vec<&str> = match vocabulary {
        Vocabulary::DriftMethod => known.drift_methods.iter().map(|method| method.name.as_str()).collect(),
        Vocabulary::ConceptMethod => known.concept_methods.iter().map(|method| method.name.as_str()).collect(),
        Vocabulary::Metric => known.metrics.iter().map(|metric| metric.name.as_str()).collect(),
        Vocabulary::AbTest => known.ab_tests.iter().map(String::as_str).collect(),
        Vocabulary::Channel => return json!({ "type": "string", "minLength": 1 }),
    };
    json!({ "type": "string", "enum": words })
}

fn limited(of: &str, limits: Limits) -> Value {
    let mut value = Map::new();
    value.insert("type".into(), json!(of));
    let number = |limit: f64| if limit.fract() == 0.0 { json!(limit as i64) } else { json!(limit) };
    match limits.low {
        Limit::None => {}
        Limit::To(low) => drop(value.insert("minimum".into(), number(low))),
        Limit::Beyond(low) => drop(value.insert("exclusiveMinimum".into(), number(low))),
    }
    match limits.high {
        Limit::None => {}
        Limit::To(high) => drop(value.insert("maximum".into(), number(high))),
        Limit::Beyond(high) => drop(value.insert("exclusiveMaximum".into(), number(high))),
    }
    Value::Object(value)
}
