//! `/governance/tokens`: who may call. Only for administrators.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::body::{Path, Query};
use super::caller::Caller;
use super::change::{Answer, Nothing, Write};
use super::page::{self, Page};
use super::problem::Problem;
use super::{Api, etag};
use crate::access::token::{self, NewToken, TokenKind};
use crate::access::{Scope, Scopes};
use crate::db::tokens::TokenRow;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show))
        .routes(routes!(revoke))
        .routes(routes!(whoami))
}

/// Which tokens are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Also those that are revoked or have expired.
    #[serde(default)]
    all: bool,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists tokens, newest first; never the secrets.
#[utoipa::path(get, path = "/governance/tokens", tag = "tokens", params(ListQuery),
    responses((status = 200, description = "A page of tokens.", body = Page<TokenRow>)))]
async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Response, Problem> {
    caller.need(Scope::Admin)?;
    let limit = page::limit(query.limit)?;
    let before = page::place(query.cursor.as_deref())?;
    let rows = token::list(api.pool(), query.all, before, i64::from(limit) + 1).await?;
    etag::json(&Page::of(rows, limit, |row| page::cursor(row.created_at, row.id), |row| row))
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    /// The person or service that it stands for.
    #[schema(example = "ml_lead")]
    name: String,
    /// `person` or `service`.
    #[serde(default = "person")]
    kind: String,
    /// What it may be used for, such as `read` and `models:approve`.
    scopes: Vec<String>,
    /// When it ends; without one, when it is revoked.
    expires_at: Option<DateTime<Utc>>,
}

fn person() -> String {
    "person".to_owned()
}

/// A token just made.
#[derive(Debug, Serialize, ToSchema)]
struct TokenMade {
    /// The secret: shown this once, never again.
    token: String,
    /// What is kept of it.
    row: TokenRow,
}

/// Makes a token. The answer is the only time that its secret is shown, so a repeated `Idempotency-Key` is refused here.
#[utoipa::path(post, path = "/governance/tokens", tag = "tokens", request_body = TokenRequest,
    responses((status = 201, description = "The token.", body = TokenMade)))]
async fn create(State(api): State<Api>, request: Write<TokenRequest>) -> Result<Response, Problem> {
    request.caller.need(Scope::Admin)?;
    if request.headers.contains_key("idempotency-key") {
        // Its answer would be kept, and with it the secret.
        let detail = "cannot be used here: the answer holds a secret and is not kept";
        return Err(Problem::invalid("Idempotency-Key", detail));
    }
    let body = &request.body;
    let kind =
        TokenKind::parse(&body.kind).ok_or_else(|| Problem::invalid("/kind", "must be `person` or `service`"))?;
    let mut scopes = Vec::new();
    for (index, word) in body.scopes.iter().enumerate() {
        let known = || Scope::ALL.iter().map(|(_, word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let scope = Scope::parse(word).ok_or_else(|| {
            Problem::invalid(format!("/scopes/{index}"), format!("`{word}` is not one of {}", known()))
        })?;
        scopes.push(scope);
    }
    let new = NewToken { name: body.name.clone(), kind, scopes: Scopes::new(scopes), expires_at: body.expires_at };
    let mut change = request.begin(&api).await?;
    let made = token::create(change.conn(), &new, &request.caller.actor()).await?;
    let location = format!("/governance/tokens/{}", made.row.id);
    let answer = TokenMade { token: made.token.expose().to_owned(), row: made.row };
    change.commit(Answer::created(location, &answer)?).await
}

/// Shows what is kept of a token; never the secret.
#[utoipa::path(get, path = "/governance/tokens/{token_id}", tag = "tokens",
    params(("token_id" = Uuid, Path, description = "The token.")),
    responses((status = 200, description = "What is kept of it.", body = TokenRow)))]
async fn show(State(api): State<Api>, caller: Caller, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    caller.need(Scope::Admin)?;
    let row = token::get(api.pool(), id).await?;
    etag::json(&row.ok_or_else(|| Problem::not_found(format!("there is no token {id}")))?)
}

/// Revokes a token, at once.
#[utoipa::path(post, path = "/governance/tokens/{token_id}/revoke", tag = "tokens", request_body = Option<Nothing>,
    params(("token_id" = Uuid, Path, description = "The token.")),
    responses((status = 200, description = "What is kept of it.", body = TokenRow)))]
async fn revoke(State(api): State<Api>, Path(id): Path<Uuid>, request: Write<Nothing>) -> Result<Response, Problem> {
    request.caller.need(Scope::Admin)?;
    let mut change = request.begin(&api).await?;
    let row = token::revoke(change.conn(), &id.to_string(), &request.caller.actor()).await?;
    change.commit(Answer::ok(&row)?).await
}

/// Who calls.
#[derive(Debug, Serialize, ToSchema)]
struct Identity {
    /// The principal.
    name: String,
    /// `token`, or `local` in the open mode.
    kind: String,
    /// What it may do.
    scopes: Vec<String>,
}

/// Says who you are, and what you may do.
#[utoipa::path(get, path = "/governance/whoami", tag = "tokens",
    responses((status = 200, description = "You.", body = Identity)))]
async fn whoami(caller: Caller) -> Result<Response, Problem> {
    let principal = caller.principal;
    etag::json(&Identity {
        name: principal.name,
        kind: principal.kind.as_str().to_owned(),
        scopes: principal.scopes.words().into_iter().map(str::to_owned).collect(),
    })
}
