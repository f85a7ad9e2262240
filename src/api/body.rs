//! Reading requests strictly: a write says exactly what it means, or it is refused with the place of each mistake.

use std::fmt::Write as _;

use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::Api;
use super::problem::Problem;
use super::words::{self, explain};

/// Time that a client has to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON body of type `T`.
#[derive(Debug)]
pub struct Body<T> {
    /// What was sent.
    pub value: T,
    /// Its bytes, for fingerprints.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let server = &api.app.settings.server;
        let (parts, body) = request.into_parts();
        if parts.headers.contains_key(header::CONTENT_ENCODING) {
            let detail = "bodies are taken as they are, without Content-Encoding";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail));
        }
        // A body that trickles in would hold a place that others wait for.
        let bytes = match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, server.max_body_bytes)).await {
            Ok(read) => read.map_err(|_| too_large(server.max_body_bytes))?,
            Err(_) => {
                let detail = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail));
            }
        };
        if bytes.is_empty() {
            // `POST .../start` needs no body; where fields are needed, their absence is what is reported.
            return parse(&Bytes::from_static(b"{}"), server.max_json_depth);
        }
        if !is_json(&parts.headers) {
            let detail = "send the body as application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail));
        }
        parse(&bytes, server.max_json_depth)
    }
}

/// 413 with the limit.
pub(super) fn too_large(limit: usize) -> Problem {
    let detail = format!("the body is larger than {limit} bytes; send less at a time");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// Reads JSON, with the place of the first mistake.
pub(super) fn parse<T: DeserializeOwned>(bytes: &Bytes, max_depth: usize) -> Result<Body<T>, Problem> {
    if let Some(depth) = too_deep(bytes, max_depth) {
        return Err(Problem::malformed(format!("the body nests deeper than {max_depth} levels ({depth} at least)")));
    }
    if let Some(number) = too_long(bytes) {
        let detail = format!("the whole number {number} is beyond 64 bits and would be changed; send it as text");
        return Err(Problem::invalid("", detail));
    }
    // A missing body and `null` say the same. Lists are refused: serde would take one for the fields of a struct, in order.
    let bytes = &if bytes.trim_ascii() == b"null" { Bytes::from_static(b"{}") } else { bytes.clone() };
    if let Some(first) = bytes.trim_ascii().first().filter(|first| b"[\"-0123456789".contains(first)) {
        let found = if *first == b'[' { "a list" } else { "a single value" };
        return Err(Problem::invalid("", format!("the body must be a JSON object, not {found}")));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = match serde_path_to_error::deserialize(&mut deserializer) {
        Ok(value) => value,
        Err(error) => {
            let path = pointer(error.path());
            return Err(explain(&error.into_inner(), path, bytes));
        }
    };
    deserializer.end().map_err(|error| explain(&error, String::new(), bytes))?;
    Ok(Body { value, bytes: bytes.clone() })
}

/// The depth at which it becomes too deep; strings are skipped.
fn too_deep(bytes: &[u8], max: usize) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > max {
                    return Some(depth);
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// A whole number that 64 bits cannot hold; strings are skipped.
fn too_long(bytes: &[u8]) -> Option<&str> {
    let (mut at, mut in_string) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'-' | b'0'..=b'9' if !in_string => {
                let rest = &bytes[at..];
                let end = rest.iter().position(|b| !b"+-.eE0123456789".contains(b)).unwrap_or(rest.len());
                let number = std::str::from_utf8(&rest[..end]).unwrap_or_default();
                let whole = number.strip_prefix('-').unwrap_or(number);
                let is_whole = !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit());
                if is_whole && number.parse::<u64>().is_err() && number.parse::<i64>().is_err() {
                    return Some(number);
                }
                at += end.max(1) - 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                let _ = write!(text, "/{index}");
            }
            Segment::Map { key } | Segment::Enum { variant: key } => {
                text.push('/');
                text.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {}
        }
    }
    text
}

/// The parts of the path, as problems when they do not fit.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, api).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(Problem::not_found(format!(
                "nothing can be at this path: {}",
                error.body_text().trim_start_matches("Invalid URL: ")
            ))),
            Err(error) => Err(Problem::internal(&error)),
        }
    }
}

/// The query, in which every parameter must be known.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, api).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                let text = error.body_text();
                let text = text.trim_start_matches("Failed to deserialize query string: ");
                let (name, reason) = words::of_query(text);
                Err(Problem::invalid(format!("?{name}"), reason))
            }
            Err(error) => Err(Problem::malformed(error.to_string())),
        }
    }
}

/// Goes on only when text can be stored: PostgreSQL keeps no NUL.
///
/// # Errors
/// 422 at the pointer.
pub fn storable(pointer: &str, text: &str) -> Result<(), Problem> {
    if text.contains('\0') {
        return Err(Problem::invalid(pointer, "contains the character U+0000, which cannot be stored"));
    }
    Ok(())
}

/// How long a long-poll waits: `30s`, or a number of seconds.
///
/// # Errors
/// 422 for anything else, and beyond the configured longest time.
pub fn wait(api: &Api, text: Option<&str>) -> Result<Option<std::time::Duration>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let most = api.app.settings.server.max_wait_seconds;
    match text.strip_suffix('s').unwrap_or(text).parse::<u64>() {
        Ok(seconds) if seconds <= most => Ok(Some(std::time::Duration::from_secs(seconds))),
        _ => Err(Problem::invalid("?wait", format!("must be seconds such as `30s`, at most `{most}s`"))),
    }
}

/// Editions are counted from 1.
///
/// # Errors
/// 422 for anything less.
pub fn edition(number: Option<i32>) -> Result<Option<i32>, Problem> {
    match number {
        Some(number) if number < 1 => {
            Err(Problem::invalid("?edition", format!("is {number}; editions are counted from 1")))
        }
        number => Ok(number),
    }
}

/// Goes on only when a body that names what its path names too means the same.
///
/// # Errors
/// 422 at the pointer.
pub fn as_in_path(pointer: &str, given: Option<&str>, path: &str) -> Result<(), Problem> {
    match given {
        Some(given) if given != path => Err(Problem::invalid(
            pointer,
            format!("is `{given}`, and the path says `{path}`; leave it out, or make them the same"),
        )),
        _ => Ok(()),
    }
}

/// Goes on only when the word, if there is one, is among the known.
///
/// # Errors
/// 422 with the known ones.
pub fn one_of(pointer: &str, word: Option<&str>, known: &[&str]) -> Result<(), Problem> {
    match word {
        Some(word) if !known.contains(&word) => {
            let list = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
            Err(Problem::invalid(pointer, format!("`{word}` is not one of {list}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sample {
        model_name: String,
        tags: Vec<f64>,
    }

    fn problem(text: &'static str) -> String {
        format!("{:?}", parse::<Sample>(&Bytes::from_static(text.as_bytes()), 8).unwrap_err())
    }

    #[test]
    fn each_mistake_has_its_place_and_a_way_out() {
        let unknown = problem(r#"{"modle_name": "a", "tags": []}"#);
        assert!(unknown.contains("did you mean `model_name`?") && unknown.contains("422"), "{unknown}");
        let wrong = problem(r#"{"model_name": "a", "tags": [1, "x"]}"#);
        assert!(wrong.contains("\"/tags/1\"") && wrong.contains("invalid type"), "{wrong}");
        let nan = problem(r#"{"model_name": "a", "tags": [NaN]}"#);
        assert!(nan.contains("400") && nan.contains("no NaN") && nan.contains("column 30"), "{nan}");
        let huge = problem(r#"{"model_name": "a", "tags": [1e999]}"#);
        assert!(huge.contains("no NaN and no infinity"), "{huge}");
        assert!(problem(r#"{"model_name": "[[[[[[[[[[", "tags": []} x"#).contains("trailing characters"));
        assert!(problem(r#"{"model_name": [[[[[[[[["x"]]]]]]]]]}"#).contains("nests deeper than 8"));
        let missing = problem(r#"{"model_name": "a"}"#);
        assert!(missing.contains("missing field `tags`") && missing.contains("\"/tags\""), "{missing}");
        assert!(problem(r#"["a", []]"#).contains("must be a JSON object, not a list"));
        assert!(problem("null").contains("missing field `model_name`"));
        let value = problem(r#"{"model_name": }"#);
        assert!(value.contains("expected value") && !value.contains("NaN"), "{value}");
        assert!(problem(r#"{"model_name": "a", "model_name": "b", "tags": []}"#).contains("duplicate field"));
        let long = problem(r#"{"model_name": "1\"99999999999999999999", "tags": [1.5, -2e30, 123456789012345678901]}"#);
        assert!(long.contains("the whole number 123456789012345678901 is beyond 64 bits"), "{long}");
        let fits = problem(r#"{"model_name": 18446744073709551615, "tags": [-9223372036854775808]}"#);
        assert!(!fits.contains("64 bits"), "{fits}");
    }
}
