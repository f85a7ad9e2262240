//! What every request passes: a request id, the caller's identity, limits, and the finishing of problems.
//!
//! Order, from the outside: [`outermost`] (request id, log line, problem bodies, recording of denials), then [`admit`] (origin,
//! authentication, rate, time limit). Panics are caught inside both, so that they become problems as well.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde_json::json;
use tracing::Instrument as _;
use uuid::Uuid;

use super::Api;
use super::caller::Caller;
use super::problem::{Denial, Problem, Unfinished};
use super::scopes;
use crate::access::Principal;
use crate::access::token::{self, AuthError};
use crate::config::server::Authentication;
use crate::db::audit::{self, Actor, ActorKind, Event, Outcome};
use crate::db::pool::begin;

/// The id of a request.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// One bucket a caller.
pub type Limiter = DefaultKeyedRateLimiter<String>;

/// The limiter that the settings ask for.
#[must_use]
pub fn limiter(requests_per_second: u32) -> Option<Limiter> {
    NonZeroU32::new(requests_per_second).map(|n| RateLimiter::keyed(Quota::per_second(n)))
}

/// The outermost layer.
pub async fn outermost(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = given_id(request.headers()).unwrap_or_else(|| Uuid::new_v4().to_string());
    request.extensions_mut().insert(RequestId(id.clone()));
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "unmatched".to_owned(), |m| m.as_str().to_owned());
    let trace = traceparent(request.headers()).map(|header| header[3..35].to_owned());
    let span = tracing::info_span!("request", request_id = %id, method = %method, route, trace_id = trace);
    let mut response = next.run(request).instrument(span.clone()).await;

    if let Some(unfinished) = response.extensions_mut().remove::<Unfinished>() {
        let caller = response.extensions_mut().remove::<Caller>();
        if let Some(denial) = unfinished.denial() {
            let attempt = format!("{method} {path}");
            // On a task of its own: a caller who hangs up is recorded all the same.
            let (api, denial, caller, id) = (api.clone(), denial.clone(), caller.clone(), id.clone());
            let recorded = async move { record(&api, &denial, caller.as_ref(), &id, &attempt).await };
            if let Err(error) = tokio::spawn(recorded.instrument(span.clone())).await {
                tracing::error!(%error, "a refusal could not be recorded");
            }
        }
        response = unfinished.finish(&path, &id);
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        // Answers depend on who asks and change any time; an ETag still saves the body.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    let status = response.status().as_u16();
    let took = started.elapsed();
    span.in_scope(|| tracing::debug!(status, took_ms = took.as_secs_f64() * 1e3, "answered"));
    api.meters.answered(method.as_str(), &route, status, took);
    response
}

/// An id that the caller chose, when it is harmless in logs and headers.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    let fine = (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    fine.then(|| id.to_owned())
}

/// A valid W3C `traceparent` header (<https://www.w3.org/TR/trace-context/>).
fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = header.split('-').collect();
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let [version, trace, parent, flags] = parts.as_slice() else { return None };
    let lengths = (version.len(), trace.len(), parent.len(), flags.len()) == (2, 32, 16, 2);
    let zero = |text: &str| text.bytes().all(|b| b == b'0');
    (lengths && parts.iter().all(|part| hex(part)) && !zero(trace) && !zero(parent)).then_some(header)
}

/// A denial is recorded in a transaction of its own: that of the attempt was rolled back.
async fn record(api: &Api, denial: &Denial, caller: Option<&Caller>, request_id: &str, attempt: &str) {
    let actor = match caller {
        Some(caller) => caller.actor(),
        None => Actor { name: "anonymous".to_owned(), kind: ActorKind::Local, request_id: Some(request_id.to_owned()) },
    };
    let mut detail = denial.detail.clone();
    if let Some(fields) = detail.as_object_mut() {
        fields.insert("request".to_owned(), attempt.chars().take(500).collect::<String>().into());
    }
    let event = Event {
        actor: &actor,
        action: &denial.action,
        outcome: Outcome::Denied,
        subject_kind: &denial.subject_kind,
        subject: &denial.subject,
        detail,
    };
    let written = async {
        let mut transaction = begin(api.pool()).await?;
        audit::append(&mut transaction, &event).await?;
        transaction.commit().await
    };
    // Outside of the request's own time limit, and still somebody waits for the answer.
    let patience = Duration::from_secs(api.app.settings.server.request_timeout_seconds);
    match tokio::time::timeout(patience, written).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, action = denial.action, "a refusal could not be recorded"),
        Err(_) => tracing::error!(action = denial.action, "a refusal could not be recorded in time"),
    }
}

/// Lets a request in, or not.
pub async fn admit(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let principal = match identify(&api, request.method(), request.headers()).await {
        Ok(principal) => principal,
        Err(problem) => return problem.into_response(),
    };
    let traceparent = traceparent(request.headers()).map(str::to_owned);
    let caller = Caller { principal, request_id: id, traceparent };
    request.extensions_mut().insert(caller.clone());
    let mut response = admitted(&api, &caller, request, next).await.unwrap_or_else(IntoResponse::into_response);
    response.extensions_mut().insert(caller);
    response
}

async fn admitted(api: &Api, caller: &Caller, request: Request, next: Next) -> Result<Response, Problem> {
    let route = request.extensions().get::<MatchedPath>();
    if let Some(scope) = route.and_then(|route| scopes::needed(request.method(), route.as_str())) {
        caller.need(scope)?;
    }
    if let Some(limiter) = &api.limiter
        && limiter.check_key(&caller.principal.name).is_err()
    {
        let detail = format!("`{}` makes more requests than are allowed in a second", caller.principal.name);
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(1));
    }
    let waits = is_long_poll(&request);
    let Ok(_permit) = (if waits { &api.waiters } else { &api.permits }).try_acquire() else {
        return Err(Problem::unavailable("overloaded", "too many requests are being worked on; try again", 1));
    };
    let limit = api.app.settings.server.max_body_bytes;
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    if length.and_then(|text| text.parse::<u64>().ok()).is_some_and(|n| n > limit as u64) {
        return Err(super::body::too_large(limit));
    }
    let server = &api.app.settings.server;
    // A long-poll has the time it asks for on top.
    let extra = if waits { server.max_wait_seconds } else { 0 };
    let patience = Duration::from_secs(server.request_timeout_seconds + extra);
    // A commit that was on its way when the time ended may have arrived; that is not known here.
    let advice = if request.method().is_safe() {
        "ask again"
    } else {
        "it has happened as a whole or not at all: repeat it with the same Idempotency-Key, or look first"
    };
    tokio::time::timeout(patience, next.run(request)).await.map_err(|_| {
        Problem::unavailable("timed_out", format!("the request took too long and was given up; {advice}"), 5)
    })
}

fn is_long_poll(request: &Request) -> bool {
    request.uri().query().is_some_and(|q| q.split('&').any(|p| p.starts_with("wait=")))
}

// Not the request itself: its body may not be shared between threads.
async fn identify(api: &Api, method: &Method, headers: &HeaderMap) -> Result<Principal, Problem> {
    match api.app.settings.server.authentication {
        Authentication::None => {
            not_from_a_web_page(method, headers)?;
            Ok(Principal::local("local"))
        }
        Authentication::Tokens => {
            let Some(presented) = headers.get(header::AUTHORIZATION) else {
                let detail = "send `Authorization: Bearer <token>`; `steward token create` makes one";
                return Err(Problem::new(StatusCode::UNAUTHORIZED, "token_missing", detail));
            };
            let parts = presented.to_str().ok().and_then(|text| text.split_once(' '));
            let Some(("Bearer" | "bearer", presented)) = parts.map(|(scheme, rest)| (scheme, rest.trim())) else {
                let detail = "the Authorization header is not `Bearer <token>`";
                return Err(Problem::new(StatusCode::UNAUTHORIZED, "token_malformed", detail));
            };
            match token::authenticate(api.pool(), presented).await {
                Ok(principal) => Ok(principal),
                Err(AuthError::Database(error)) => Err(error.into()),
                Err(error) => {
                    let problem = Problem::new(StatusCode::UNAUTHORIZED, error.code(), error.to_string());
                    Err(match error {
                        // Somebody uses a token that was good once: worth knowing. Guesses are not, and could fill the trail.
                        AuthError::Expired | AuthError::Revoked => problem.denied(Denial {
                            action: "access.authenticated".to_owned(),
                            subject_kind: "token".to_owned(),
                            subject: presented.chars().take(12).collect(),
                            detail: json!({ "reason": error.code() }),
                        }),
                        _ => problem,
                    })
                }
            }
        }
    }
}

/// In the open mode every program of this machine may call, but no web page that happens to be open in a browser here: neither
/// one of another origin, nor one whose name was pointed at this address (DNS rebinding).
fn not_from_a_web_page(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !host.is_empty() && !is_here(host) {
        let detail =
            format!("`{host}` is not this machine's own name; in the open mode only loopback names are answered");
        return Err(Problem::new(StatusCode::FORBIDDEN, "foreign_host", detail));
    }
    if let Some(origin) = headers.get(header::ORIGIN).and_then(|v| v.to_str().ok())
        && !matches!(*method, Method::GET | Method::HEAD)
        && origin.strip_prefix("http://") != Some(host)
    {
        let detail = format!("web pages of {origin} may not change anything here");
        return Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", detail));
    }
    Ok(())
}

fn is_here(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(n, _)| n);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A panic in a handler is a bug, and still an answer.
pub fn panicked(payload: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let what = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    Problem::internal(&format!("a handler panicked: {}", what.unwrap_or("no message"))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_here() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:80", "[::1]:8080", "[::1]", "127.9.9.9"] {
            assert!(is_here(host), "{host}");
        }
        for host in
            ["evil.example", "127.0.0.1.evil.example:80", "10.0.0.1:8080", "localhost.evil.example", "[fd00::1]"]
        {
            assert!(!is_here(host), "{host}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing_of_the_inside() {
        let mut response = panicked(Box::new("the secret of the inside".to_owned()));
        let unfinished = response.extensions_mut().remove::<Unfinished>().unwrap();
        let response = unfinished.finish("/governance/models", "r-1");
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains("\"code\":\"internal\"") && text.contains("r-1") && !text.contains("secret"), "{text}");
    }

    #[test]
    fn a_trace_is_taken_only_from_a_whole_header() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", text.parse().unwrap());
            traceparent(&headers).map(str::to_owned)
        };
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(of(good).as_deref(), Some(good));
        for wrong in ["", "00-x-y-z", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", &format!("{good}-1")] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
