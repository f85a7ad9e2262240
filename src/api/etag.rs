//! Tags of states: `ETag`, `If-Match`, `If-None-Match` (RFC 9110, section 13).

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;

use super::problem::Problem;

/// The tag of a revision of a row.
#[must_use]
pub fn of(id: Uuid, revision: i64) -> String {
    format!("\"{}.{revision}\"", &id.simple().to_string()[..12])
}

/// The revision that `If-Match` asks for; none when the header is not there or says `*`.
///
/// # Errors
/// 412 when it is the tag of something else.
pub fn wanted(headers: &HeaderMap, id: Uuid) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let prefix = id.simple().to_string()[..12].to_owned();
    text.split(',')
        .filter_map(|tag| tag.trim().trim_start_matches('"').trim_end_matches('"').split_once('.'))
        .find(|(of, _)| *of == prefix)
        .and_then(|(_, revision)| revision.parse().ok())
        .map(Some)
        .ok_or_else(changed)
}

/// 412.
#[must_use]
pub fn changed() -> Problem {
    let detail = "it was changed since you read it; read it again, and decide again";
    Problem::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
}

/// Whether the caller already has this state.
#[must_use]
pub fn known(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).unwrap_or_default();
    given
        .split(',')
        .any(|t| matches!(t.trim().trim_start_matches("W/"), "*") || t.trim().trim_start_matches("W/") == tag)
}

/// A body with its tag, or 304 when the caller has it.
pub fn answer(headers: &HeaderMap, tag: String, body: &impl Serialize) -> Result<Response, Problem> {
    let value = HeaderValue::from_str(&tag).map_err(|error| Problem::internal(&error))?;
    if known(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, value)]).into_response());
    }
    let mut response = json(body)?;
    response.headers_mut().insert(header::ETAG, value);
    Ok(response)
}

/// 200 with a JSON body.
///
/// # Errors
/// When it cannot be serialised, which is a bug.
pub fn json(body: &impl Serialize) -> Result<Response, Problem> {
    let text = serde_json::to_string(body).map_err(|error| Problem::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_tell_states_apart() {
        let (a, b) = (Uuid::from_u128(1 << 100), Uuid::from_u128(2 << 100));
        let mut headers = HeaderMap::new();
        assert!(matches!(wanted(&headers, a), Ok(None)) && !known(&headers, &of(a, 1)));
        headers.insert(header::IF_MATCH, of(a, 3).parse().unwrap());
        headers.insert(header::IF_NONE_MATCH, format!("\"x\", W/{}", of(a, 3)).parse().unwrap());
        assert!(matches!(wanted(&headers, a), Ok(Some(3))) && wanted(&headers, b).is_err());
        assert!(known(&headers, &of(a, 3)) && !known(&headers, &of(a, 4)) && !known(&headers, &of(b, 3)));
        headers.insert(header::IF_MATCH, "*".parse().unwrap());
        assert!(matches!(wanted(&headers, b), Ok(None)));
    }
}
