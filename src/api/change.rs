//! A mutation: one transaction that holds the effect, its audit event and, under an `Idempotency-Key`, its answer.
//!
//! A repeated request with the same key gets the stored answer; a twin that arrives while the first is still working waits
//! for it. Dropped before [`Change::commit`], nothing has happened.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{extract::FromRequest, extract::Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, Postgres, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use super::Api;
use super::body::Body;
use super::caller::Caller;
use super::problem::{Problem, Replayed};
use crate::db::idempotency::{self, Claim};
use crate::db::pool::begin;

/// A request that changes something: its caller, its body, and the key it came with.
#[derive(Debug)]
pub struct Write<T> {
    /// Who.
    pub caller: Caller,
    /// What.
    pub body: T,
    /// `If-Match` and others.
    pub headers: HeaderMap,
    key: Option<String>,
    fingerprint: Vec<u8>,
}

/// For requests whose body says nothing.
#[derive(Debug, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl<T: DeserializeOwned> FromRequest<Api> for Write<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let caller = request
            .extensions()
            .get::<Caller>()
            .cloned()
            .ok_or_else(|| Problem::internal(&"a route without authentication layer"))?;
        let headers = request.headers().clone();
        let key = if request.method() == Method::POST { idempotency_key(&headers)? } else { None };
        let mut hasher = Sha256::new();
        hasher.update(format!("{} {}\n", request.method(), request.uri()));
        // Which state was meant is part of what was asked.
        hasher.update(headers.get(header::IF_MATCH).map_or(&b""[..], HeaderValue::as_bytes));
        hasher.update("\n");
        let Body { value, bytes } = Body::from_request(request, api).await?;
        hasher.update(&bytes);
        Ok(Self { caller, body: value, headers, key, fingerprint: hasher.finalize().to_vec() })
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) && key.bytes().all(|b| (0x21..=0x7e).contains(&b)) => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(Problem::invalid("Idempotency-Key", "must be 1 to 255 visible ASCII characters, such as a UUID")),
    }
}

impl<T> Write<T> {
    /// Ends here a request that was answered before, where something is looked up before the transaction starts: the answer then
    /// is the answer now, whatever has become of it.
    ///
    /// # Errors
    /// As [`Write::begin`].
    pub async fn answered_before(&self, api: &Api) -> Result<(), Problem> {
        if self.key.is_some() {
            // Rolled back when dropped: the key is taken by the transaction of the effect.
            drop(self.begin(api).await?);
        }
        Ok(())
    }

    /// Starts the transaction; a request that was answered before ends here.
    ///
    /// # Errors
    /// The stored answer; 422 when the key was used for another request; the database's.
    pub async fn begin(&self, api: &Api) -> Result<Change, Problem> {
        let place = api.writers.clone().acquire_owned().await.map_err(|error| Problem::internal(&error))?;
        let mut transaction = begin(api.pool()).await?;
        let key = self.key.clone().map(|key| (self.caller.principal.name.clone(), key));
        if let Some((principal, key)) = &key {
            match idempotency::claim(&mut transaction, principal, key, &self.fingerprint).await? {
                Claim::New => {}
                Claim::Replay { status, headers, body } => {
                    return Err(Problem::replayed(Replayed { status, headers, body }));
                }
                Claim::Conflict => {
                    let detail = "this Idempotency-Key was used for another request; take a new one";
                    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail);
                    return Err(problem.at("Idempotency-Key", detail));
                }
            }
        }
        Ok(Change { transaction, key, _place: place })
    }
}

/// The transaction of a mutation.
#[derive(Debug)]
pub struct Change {
    transaction: Transaction<'static, Postgres>,
    key: Option<(String, String)>,
    /// After the transaction: its connection is free before its place is.
    _place: OwnedSemaphorePermit,
}

impl Change {
    /// Where the mutation happens.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Commits the effect together with the answer.
    ///
    /// # Errors
    /// The database's; then nothing has happened.
    pub async fn commit(mut self, answer: Answer) -> Result<Response, Problem> {
        let body = serde_json::to_vec(&answer.body).map_err(|error| Problem::internal(&error))?;
        if let Some((principal, key)) = &self.key {
            let mut headers = serde_json::Map::new();
            for (name, value) in [("location", &answer.location), ("etag", &answer.etag)] {
                if let Some(value) = value {
                    headers.insert(name.to_owned(), value.as_str().into());
                }
            }
            let conn = &mut self.transaction;
            idempotency::store(conn, principal, key, answer.status.as_u16(), &json!(headers), &body).await?;
        }
        self.transaction.commit().await?;
        let mut response = (answer.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in [(header::LOCATION, answer.location), (header::ETAG, answer.etag)] {
            if let Some(Ok(value)) = value.map(|v| HeaderValue::from_str(&v)) {
                headers.insert(name, value);
            }
        }
        Ok(response)
    }
}

/// What a mutation answers.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: serde_json::Value,
    location: Option<String>,
    etag: Option<String>,
}

impl Answer {
    /// 200 with a body.
    ///
    /// # Errors
    /// When the body cannot be serialised, which is a bug.
    pub fn ok(body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_value(body).map_err(|error| Problem::internal(&error))?;
        Ok(Self { status: StatusCode::OK, body, location: None, etag: None })
    }

    /// 201 with a body and where the new thing is.
    ///
    /// # Errors
    /// As [`Answer::ok`].
    pub fn created(location: String, body: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self { status: StatusCode::CREATED, location: Some(location), ..Self::ok(body)? })
    }

    /// With the state's tag.
    #[must_use]
    pub fn tagged(mut self, etag: String) -> Self {
        self.etag = Some(etag);
        self
    }

    /// 202: accepted, and done later.
    #[must_use]
    pub fn accepted(mut self) -> Self {
        self.status = StatusCode::ACCEPTED;
        self
    }
}
