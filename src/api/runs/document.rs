//! A job document that came over the network: read as strictly as a file, and held against what may be read.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::super::Api;
use super::super::problem::{Denial, Problem};
use crate::config::server::Authentication;
use crate::jobs::diagnostic::Diagnostic;
use crate::jobs::document::JobDocument;
use crate::jobs::store;

/// Longest text of a document.
const MAX_BYTES: usize = 256 * 1024;

/// Reads a document: its TOML text, or the same as a JSON object.
///
/// # Errors
/// 422 with every mistake; 403, recorded, when it wants to read what is not allowed.
pub(super) fn read(api: &Api, document: &Value) -> Result<JobDocument, Problem> {
    let is_text = document.is_string();
    let text = match document {
        Value::String(text) => text.clone(),
        Value::Object(_) => toml::to_string(document).map_err(|error| {
            Problem::invalid(
                "/document",
                format!("cannot be written as a job document: {error}; leave out what is null"),
            )
        })?,
        _ => return Err(Problem::invalid("/document", "must be the TOML text of a job, or the same as a JSON object")),
    };
    if text.len() > MAX_BYTES {
        return Err(Problem::invalid("/document", format!("is longer than {MAX_BYTES} bytes")));
    }
    let document = store::read("document", &text, &api.app.settings)
        .map_err(|mistakes| refused(&mistakes, (!is_text).then_some(&text)))?;
    allowed(api, &document)?;
    Ok(document)
}

/// `written` is the text that was made of a JSON object: its lines mean nothing to the caller, the places in the object do.
fn refused(mistakes: &[Diagnostic], written: Option<&String>) -> Problem {
    let detail = format!(
        "the document has {}",
        if mistakes.len() == 1 { "a mistake".to_owned() } else { format!("{} mistakes", mistakes.len()) }
    );
    mistakes.iter().map(Diagnostic::record).fold(
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_document", detail),
        |problem, record| {
            let hint = record.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            match written {
                Some(text) => problem.at(format!("/document{}", place(text, record.line)), record.message + &hint),
                None => {
                    let place = format!("line {}, column {}: ", record.line, record.column);
                    problem.at("/document", format!("{place}{}{hint}", record.message))
                }
            }
        },
    )
}

/// The JSON pointer of what stands in a line (from 1) of a text that `toml` wrote, one key a line: the table's path, then the key.
fn place(text: &str, line: usize) -> String {
    let mut path = Vec::new();
    for (number, written) in text.lines().enumerate().take(line) {
        let written = written.trim();
        if let Some(header) = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            path = keys(header.trim_matches(['[', ']']));
        } else if number + 1 == line
            && let Some((key, _)) = written.split_once(" = ")
        {
            path.extend(keys(key));
        }
    }
    path.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect()
}

/// The parts of a dotted key; a dot within quotes belongs to its part.
fn keys(dotted: &str) -> Vec<String> {
    let (mut parts, mut quoted) = (vec![String::new()], None);
    for character in dotted.chars() {
        match (quoted, character) {
            (None, '.') => parts.push(String::new()),
            (None, '"' | '\'') => quoted = Some(character),
            (Some(quote), end) if end == quote => quoted = None,
            (_, character) => {
                if let Some(part) = parts.last_mut() {
                    part.push(character);
                }
            }
        }
    }
    parts
}

/// Whoever may submit documents must not thereby read every file that Steward can read.
fn allowed(api: &Api, document: &JobDocument) -> Result<(), Problem> {
    let settings = &api.app.settings;
    let uris = [("reference", &document.data.reference), ("current", &document.data.current)];
    for (input, source) in uris.into_iter().filter_map(|(input, source)| Some((input, source.as_ref()?))) {
        // Whoever has the open mode has the machine; with tokens, nothing may be read that no root was named for.
        let checked = match settings.server.authentication {
            Authentication::None => api.app.storage.check(&source.uri),
            Authentication::Tokens => api.app.storage.check_submitted(&source.uri),
        };
        let problem = checked.err().map(|error| error.to_string());
        if let Some(reason) = problem {
            let shown: String = source.uri.chars().take(300).collect();
            return Err(Problem::new(StatusCode::FORBIDDEN, "data_not_allowed", reason.clone())
                .at(format!("/document/data/{input}/uri"), reason)
                .denied(Denial {
                    action: "run.submitted".to_owned(),
                    subject_kind: "dataset".to_owned(),
                    subject: shown,
                    detail: json!({ "job": document.name }),
                }));
        }
    }
    Ok(())
}

/// Incidents belong to the name of a job: a document that somebody sends must not open or close those of a declared one.
///
/// # Errors
/// 422 when the name is taken.
pub(super) async fn own_name(api: &Api, document: &JobDocument) -> Result<(), Problem> {
    let mut conn = api.pool().acquire().await?;
    let taken =
        crate::db::jobs::find(&mut conn, &document.name).await?.is_some() || document.name == crate::jobs::files::JOB;
    if !taken {
        return Ok(());
    }
    let detail = format!(
        "`{}` is a declared job: with `notifies`, a document needs a name of its own, or it would speak for that job; run the job itself \
         with `POST /governance/jobs/{}/run`",
        document.name, document.name
    );
    Err(Problem::invalid("/document/name", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_in_an_object_have_their_place_in_it() {
        let document = json!({
            "name": "x", "kind": "drift", "drift": { "threshold": -1, "columns": { "a.b/c": { "method": "kz" } } },
        });
        let text = toml::to_string(&document).unwrap();
        let at = |part: &str| place(&text, 1 + text.lines().position(|line| line.contains(part)).unwrap());
        assert_eq!(at("name"), "/name");
        assert_eq!(at("threshold"), "/drift/threshold");
        assert_eq!(at("kz"), "/drift/columns/a.b~1c/method");
        assert_eq!(at("[drift]"), "/drift");
    }
}
