//! The operations of the OpenAPI document that a running service shows: for tests that hold for every one of them.

use serde_json::{Map, Value, json};

/// One operation.
#[derive(Debug, Clone)]
pub struct Operation {
    pub method: String,
    pub path: String,
    /// Name, place (`path`, `query`, `header`), schema.
    pub parameters: Vec<(String, String, Value)>,
    /// A body that can be read, where one is taken.
    pub body: Option<Value>,
    /// Statuses that are documented by number.
    pub statuses: Vec<u16>,
}

impl Operation {
    pub fn changes(&self) -> bool {
        self.method != "GET"
    }

    /// The parameters that are in this place and are free text.
    pub fn texts(&self, place: &str) -> Vec<String> {
        let here = self.parameters.iter().filter(|(_, at, _)| at == place);
        here.filter(|(.., schema)| schema["type"] == "string").map(|(name, ..)| name.clone()).collect()
    }

    /// The path with each parameter replaced, and what is needed of the query.
    pub fn target(&self, value: impl Fn(&str) -> String) -> String {
        let mut target = self.path.clone();
        let mut query = Vec::new();
        for (name, place, _) in &self.parameters {
            match place.as_str() {
                "path" => target = target.replace(&format!("{{{name}}}"), &value(name)),
                "query" if matches!(name.as_str(), "reason" | "unit_id") => {
                    query.push(format!("{name}={}", value(name)))
                }
                _ => {}
            }
        }
        if query.is_empty() { target } else { format!("{target}?{}", query.join("&")) }
    }
}

/// Every operation, deletions last.
pub fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let schema = operation["requestBody"]["content"]["application/json"].get("schema");
            found.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                parameters: parameters.map(|p| (text(&p["name"]), text(&p["in"]), p["schema"].clone())).collect(),
                body: schema.map(|schema| sample(document, schema, "")),
                statuses: operation["responses"].as_object().unwrap().keys().filter_map(|s| s.parse().ok()).collect(),
            });
        }
    }
    found.sort_by_key(|operation| operation.method == "DELETE");
    found
}

/// A value that a schema allows: every property is there, so that every string can be replaced.
fn sample(document: &Value, schema: &Value, name: &str) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return sample(document, document.pointer(reference.trim_start_matches('#')).unwrap(), name);
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(first) = schema[choice].get(0) {
            return sample(document, first, name);
        }
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("any");
    let example = if schema["example"].is_null() { &schema["default"] } else { &schema["example"] };
    match (kind, schema["format"].as_str()) {
        ("object", _) => {
            let mut object = Map::new();
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let given = schema["example"].get(name).cloned();
                object.insert(name.clone(), given.unwrap_or_else(|| sample(document, property, name)));
            }
            Value::Object(object)
        }
        ("array", _) => json!([sample(document, &schema["items"], name)]),
        _ if !example.is_null() => example.clone(),
        ("string", Some("uuid")) => json!("00000000-0000-0000-0000-000000000001"),
        ("string", Some("date-time")) => json!("2026-01-01T00:00:00Z"),
        ("integer", _) => json!(1),
        ("number", _) => json!(0.5),
        ("boolean", _) => json!(false),
        ("any", _) => json!("a"),
        _ => json!(usual(name)),
    }
}

/// Words where not every text is possible.
fn usual(name: &str) -> &str {
    match name {
        "target_stage" | "stage" => "staging",
        "scopes" => "read",
        "kind" => "person",
        "gate" => "metric",
        "version" => "1.0.0",
        "document" => "name = 1",
        _ => "a",
    }
}

/// Where the strings of a value are, keys of objects included by way of their values.
pub fn strings(value: &Value) -> Vec<String> {
    fn walk(at: String, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(_) => found.push(at),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| walk(format!("{at}/{index}"), item, found));
            }
            Value::Object(fields) => fields.iter().for_each(|(name, field)| walk(format!("{at}/{name}"), field, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(String::new(), value, &mut found);
    found
}

/// As bytes of a path segment or of a query.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
