//! Principals: somebody together with how they are known and what they may do.

use uuid::Uuid;

use super::{Scope, Scopes};
use crate::db::audit::{Actor, ActorKind};

/// Whoever calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The name; of a token, the one it was made for.
    pub name: String,
    /// How the name is known.
    pub kind: ActorKind,
    /// What is allowed.
    pub scopes: Scopes,
    /// The token, when one was presented.
    pub token_id: Option<Uuid>,
}

impl Principal {
    /// Somebody by their own word, who may do everything: the command line, or the open mode on loopback.
    #[must_use]
    pub fn local(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: ActorKind::Local, scopes: Scopes::all(), token_id: None }
    }

    /// Whether this principal may do that.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.allow(scope)
    }

    /// As whom the audit trail knows them.
    #[must_use]
    pub fn actor(&self, request_id: Option<String>) -> Actor {
        Actor { name: self.name.clone(), kind: self.kind, request_id }
    }
}
