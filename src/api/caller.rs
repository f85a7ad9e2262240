//! Who calls, what they may do, and in whose name an act is recorded.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::json;

use super::problem::{Denial, Problem};
use crate::access::{Principal, Scope};
use crate::db::audit::{Actor, ActorKind};

/// The caller of a request; put there by the authentication layer.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Name and rights.
    pub principal: Principal,
    /// The request's id.
    pub request_id: String,
    /// The trace that the request belongs to (a valid `traceparent` header).
    pub traceparent: Option<String>,
}

impl Caller {
    /// Whether names are taken on their word: the open mode on loopback.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.principal.kind == ActorKind::Local
    }

    /// Goes on only when the caller may do this.
    ///
    /// # Errors
    /// 403, recorded.
    pub fn need(&self, scope: Scope) -> Result<(), Problem> {
        if self.principal.scopes.allow(scope) {
            return Ok(());
        }
        let needed = scope.as_str();
        let detail = format!("the token of `{}` does not have the scope `{needed}`", self.principal.name);
        Err(Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail).with("required_scope", needed.into()).denied(
            Denial {
                action: "access.checked".to_owned(),
                subject_kind: "scope".to_owned(),
                subject: needed.to_owned(),
                detail: json!({ "has": self.principal.scopes.words() }),
            },
        ))
    }

    /// In whose name the act is recorded.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            name: self.principal.name.clone(),
            kind: self.principal.kind,
            request_id: Some(self.request_id.clone()),
        }
    }

    /// The same, where the body may name a person (`created_by`, `approved_by`): believed in the open mode, and otherwise only
    /// when it is the caller.
    ///
    /// # Errors
    /// 403, recorded, when the body names somebody else; 422 when it names nobody.
    pub fn acting_as(&self, field: &'static str, name: Option<&str>) -> Result<Actor, Problem> {
        // " bob" and "bob" are one person.
        let Some(name) = name.map(str::trim) else { return Ok(self.actor()) };
        // No character that cannot be seen, and no part of Steward: names that look alike would be two people.
        let plain = |c: char| c.is_alphanumeric() || " ._@+'-".contains(c);
        if name.is_empty() || !name.chars().all(plain) || name.len() > 256 {
            let detail = "must be a name of 1 to 256 letters, digits, spaces and any of . _ @ + ' -";
            return Err(Problem::invalid(format!("/{field}"), detail));
        }
        if self.is_open() {
            return Ok(Actor { name: name.to_owned(), ..self.actor() });
        }
        if name == self.principal.name {
            return Ok(self.actor());
        }
        let detail =
            format!("the token is of `{}`, and the body names `{name}`; leave `{field}` out", self.principal.name);
        Err(Problem::new(StatusCode::FORBIDDEN, "not_the_caller", detail.clone())
            .at(format!("/{field}"), detail)
            .denied(Denial {
                action: "access.impersonated".to_owned(),
                subject_kind: "principal".to_owned(),
                subject: name.chars().take(256).collect(),
                detail: json!({ "field": field }),
            }))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::internal(&"a route without authentication layer"))
    }
}
