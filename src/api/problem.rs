//! What went wrong, as `application/problem+json` (RFC 9457): every error of every endpoint has this one shape.
//!
//! `code` is stable and meant for programs, `detail` is for people and says what to do. A refusal that concerns authority
//! carries a [`Denial`], which the outermost layer writes into the audit trail.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Every code with its meaning, for the reference page.
pub const CODES: &[(&str, &str)] = &[
    ("ab_test_exists", "The name belongs to another test; names are used once."),
    ("ab_test_not_found", "There is no such A/B test."),
    ("ab_test_state", "The test is in another state than this needs."),
    ("alias_not_found", "The model has no such alias."),
    ("already_approved", "The same principal has approved this already."),
    ("already_finished", "The run has ended; there is nothing to cancel."),
    ("already_in_stage", "The version is in that stage already."),
    ("approval_not_found", "There is no approval of one's own to withdraw."),
    ("approval_required", "Approvals are missing; `check` says how many and whose count."),
    ("approver_not_caller", "An approval is by whoever is authenticated."),
    ("artefact_unreadable", "The store of the artefact does not answer now."),
    ("body_too_large", "The body is larger than `server.max_body_bytes`."),
    ("body_too_slow", "The body did not arrive in time."),
    ("card_not_found", "There is no such edition of the model card."),
    ("profile_not_found", "The version has no profile, or not that edition."),
    ("channel_not_configured", "The message's channel is not in the configuration."),
    ("data_not_allowed", "The data lies outside of `storage.allowed`."),
    ("database_busy", "The database could not finish in time; nothing was changed."),
    ("database_unavailable", "The database does not answer."),
    ("delivery_not_dead", "Only a message that was given up is made due again."),
    ("foreign_host", "In the open mode only this machine's own names are answered."),
    ("foreign_origin", "In the open mode no web page may change anything."),
    ("gates_failed", "Gates say no; `check` has the answer of each."),
    ("idempotency_key_reused", "The key was used for another request."),
    ("incident_not_open", "The incident is resolved."),
    ("internal", "A bug in Steward; the log has the cause under the request id."),
    ("invalid_document", "The job document has mistakes; `errors` lists all of them."),
    ("invalid_request", "The request can be read and cannot be taken; `errors` says where and why."),
    ("job_state", "The job is in that state already."),
    ("malformed_request", "The request cannot be read."),
    ("method_not_allowed", "The path does not take this method."),
    ("model_not_found", "There is no such model."),
    ("not_an_alert", "The check found no drift."),
    ("not_found", "There is nothing at this path."),
    ("not_json", "Bodies are sent as application/json."),
    ("not_the_caller", "The body names somebody else than the caller."),
    ("nothing_in_stage", "No version of the model is in that stage."),
    ("nothing_to_roll_back_to", "No other version was in production before."),
    ("overloaded", "Too many requests are being worked on."),
    ("precondition_failed", "It was changed since it was read (If-Match)."),
    ("rate_limited", "Too many requests within a second."),
    ("revision_mismatch", "It was changed since it was read (If-Match)."),
    ("run_not_finished", "Only a finished run is repeated."),
    ("scope_missing", "The token may not do this; `required_scope` names what is missing."),
    ("self_approval", "Whoever registered a version does not approve it."),
    ("stage_needs_promotion", "A version is registered in development and gets further by promotion."),
    ("timed_out", "The request took longer than `server.request_timeout_seconds`."),
    ("token_ambiguous", "Several tokens begin so."),
    ("token_expired", "The token's time is over."),
    ("token_malformed", "This is no token of Steward."),
    ("token_missing", "A token is needed."),
    ("token_revoked", "The token was revoked."),
    ("token_unknown", "Nobody holds this token."),
    ("version_conflict", "The version is registered with other content."),
    ("version_deleted", "The version was deleted; its number is never used again."),
    ("version_in_use", "A version in staging or production is archived before it is deleted."),
    ("version_not_found", "There is no such version."),
];

/// One mistake in a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldError {
    /// Where in the body (JSON pointer, RFC 6901), or the name of the query parameter or header.
    pub pointer: String,
    /// What is wrong with it, and what would be right.
    pub detail: String,
}

/// A refusal that is recorded.
#[derive(Debug, Clone)]
pub struct Denial {
    /// What was attempted: `model.promoted`.
    pub action: String,
    /// What kind of thing it was attempted on.
    pub subject_kind: String,
    /// Which one.
    pub subject: String,
    /// Why it was refused.
    pub detail: Value,
}

/// An error as callers get it.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    // Boxed: most problems have none, and every `Result` of a handler is as large as its error.
    extensions: Box<Map<String, Value>>,
    retry_after_seconds: Option<u64>,
    denial: Option<Box<Denial>>,
    /// An answer that was given before, under the same idempotency key: no problem at all, but it ends the request too.
    answer: Option<Box<Replayed>>,
}

/// The stored answer of an earlier request.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// Status.
    pub status: u16,
    /// Headers worth repeating: `location`, `etag`.
    pub headers: Value,
    /// Body.
    pub body: Vec<u8>,
}

/// The body of a problem, for the OpenAPI document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code)] // described here, written by `IntoResponse`
pub struct ProblemBody {
    /// What kind of problem, as a place to read about it.
    #[schema(rename = "type", example = "/reference#problem-not_found")]
    r#type: String,
    /// The same for all problems of the kind.
    title: String,
    /// HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened here, and what to do.
    detail: String,
    /// The path that was called.
    instance: String,
    /// For programs; stable.
    #[schema(example = "not_found")]
    code: String,
    /// To be named when asking for help; log lines carry it.
    request_id: String,
    /// Each mistake in the request.
    errors: Vec<FieldError>,
    /// Whether the same request may succeed later.
    retryable: bool,
}

impl Problem {
    /// A problem of this status and code.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            extensions: Box::default(),
            retry_after_seconds: None,
            denial: None,
            answer: None,
        }
    }

    /// 400: the request cannot be read.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", detail)
    }

    /// 404.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 422: it can be read, and one place in it is wrong.
    #[must_use]
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", detail.clone()).at(pointer, detail)
    }

    /// 500: our fault. The cause goes to the log, not to the caller.
    #[must_use]
    pub fn internal(cause: &(dyn std::fmt::Display + Sync)) -> Self {
        tracing::error!(error = %cause, "a request failed inside");
        let detail = "Steward failed to answer; the log has the cause under this request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// 503: not now.
    #[must_use]
    pub fn unavailable(code: &'static str, detail: impl Into<String>, retry_after_seconds: u64) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        problem.retry_after_seconds = Some(retry_after_seconds);
        problem
    }

    /// The stored answer of an earlier request.
    #[must_use]
    pub fn replayed(answer: Replayed) -> Self {
        let mut problem = Self::new(StatusCode::OK, "replayed", "");
        problem.answer = Some(Box::new(answer));
        problem
    }

    /// Whether it is that something is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds a mistake.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        self
    }

    /// Adds a member of its own, such as the answers of gates.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.extensions.insert(name.to_owned(), value);
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Marks it as a refusal that is recorded.
    #[must_use]
    pub fn denied(mut self, denial: Denial) -> Self {
        self.denial = Some(Box::new(denial));
        self
    }
}

/// What a response carries to the outermost layer, which knows request id and path.
#[derive(Debug, Clone)]
pub struct Unfinished(pub Problem);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Some(answer) = self.answer {
            return replay(*answer);
        }
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Unfinished(self));
        response
    }
}

impl Unfinished {
    /// The refusal to be recorded, where it is one.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        self.0.denial.as_deref()
    }

    /// The response, now that path and request id are known.
    #[must_use]
    pub fn finish(self, path: &str, request_id: &str) -> Response {
        let problem = self.0;
        let retryable = problem.retry_after_seconds.is_some()
            || matches!(problem.status.as_u16(), 429 | 502 | 503 | 504)
            || problem.code == "request_in_progress";
        let mut body = Map::new();
        body.insert("type".to_owned(), format!("/reference#problem-{}", problem.code).into());
        body.insert("title".to_owned(), title(problem.status).into());
        body.insert("status".to_owned(), problem.status.as_u16().into());
        body.insert("detail".to_owned(), problem.detail.into());
        body.insert("instance".to_owned(), path.into());
        body.insert("code".to_owned(), problem.code.into());
        body.insert("request_id".to_owned(), request_id.into());
        body.insert("errors".to_owned(), serde_json::to_value(&problem.errors).unwrap_or_default());
        body.insert("retryable".to_owned(), retryable.into());
        body.extend(*problem.extensions);
        let mut response = (problem.status, Value::Object(body).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = problem.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if problem.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"steward\""));
        }
        response
    }
}

fn replay(answer: Replayed) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in answer.headers.as_object().into_iter().flatten() {
        let name = header::HeaderName::from_bytes(name.as_bytes());
        let value = value.as_str().map(HeaderValue::from_str);
        if let (Ok(name), Some(Ok(value))) = (name, value) {
            headers.insert(name, value);
        }
    }
    headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}

fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "The request cannot be read",
        401 => "Authentication is needed",
        403 => "Not allowed",
        404 => "Not found",
        405 => "Method not allowed",
        406 => "Not acceptable",
        408 => "The request took too long to arrive",
        410 => "No longer there",
        409 => "Conflict with the present state",
        412 => "Changed since it was read",
        413 => "The body is too large",
        415 => "Not a JSON body",
        422 => "The request is invalid",
        429 => "Too many requests",
        503 => "Not available now",
        _ => "Steward failed",
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::Io(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::Tls(_)
            // A connection that breaks off in the middle of an answer, or of a transaction's beginning.
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => {
                tracing::warn!(%error, "the database did not answer a request");
                Self::unavailable("database_unavailable", "the database does not answer; try again", 2)
            }
            sqlx::Error::Database(database) => match database.code().as_deref() {
                // Serialisation, deadlock, cancelled by a time limit, shutting down: the same request may work.
                Some("40001" | "40P01" | "55P03" | "57014" | "57P01" | "57P02" | "57P03" | "53300") => {
                    tracing::warn!(%error, "the database gave up a request");
                    Self::unavailable("database_busy", "the database could not finish this in time; try again", 1)
                }
                // Text with U+0000, a time out of range: nothing that could be in the database.
                Some("22021" | "22P05" | "22008" | "22003") => Self::invalid(
                    "",
                    "a value cannot be stored: text must not contain U+0000, times and numbers must be within PostgreSQL's ranges",
                ),
                _ => Self::internal(&error),
            },
            _ => Self::internal(&error),
        }
    }
}
