//! Scopes: what a token may be used for.

use serde::Serialize;

/// One right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Scope {
    /// Look at everything but the audit trail.
    #[serde(rename = "read")]
    Read,
    /// Register versions; change their description, tags, owner, aliases and card.
    #[serde(rename = "models:register")]
    ModelsRegister,
    /// Move versions between stages.
    #[serde(rename = "models:promote")]
    ModelsPromote,
    /// Approve promotions.
    #[serde(rename = "models:approve")]
    ModelsApprove,
    /// Log validation metrics; create and start A/B tests.
    #[serde(rename = "metrics:write")]
    MetricsWrite,
    /// Submit, cancel and retry runs; pause and resume jobs.
    #[serde(rename = "jobs:submit")]
    JobsSubmit,
    /// Acknowledge alerts.
    #[serde(rename = "alerts:ack")]
    AlertsAck,
    /// Read the audit trail.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Everything, and policies, deletions, break-glass and tokens.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every scope with what it allows, in the order in which people should meet them.
    pub const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Read, "read", "look at everything but the audit trail"),
        (
            Self::ModelsRegister,
            "models:register",
            "register versions; change descriptions, tags, owners, aliases, cards",
        ),
        (Self::ModelsPromote, "models:promote", "move versions between stages"),
        (Self::ModelsApprove, "models:approve", "approve promotions"),
        (Self::MetricsWrite, "metrics:write", "log validation metrics; create and start A/B tests"),
        (Self::JobsSubmit, "jobs:submit", "submit, cancel and retry runs; pause and resume jobs"),
        (Self::AlertsAck, "alerts:ack", "acknowledge alerts and incidents"),
        (Self::AuditRead, "audit:read", "read the audit trail"),
        (Self::Admin, "admin", "everything, and policies, deletions, break-glass and tokens"),
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(scope, ..)| *scope == self).map_or("", |(_, word, _)| word)
    }

    /// The scope of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == word).map(|(scope, ..)| *scope)
    }
}

/// What a principal may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// These, each once.
    #[must_use]
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        let mut list: Vec<Scope> = scopes.into_iter().collect();
        list.sort_unstable();
        list.dedup();
        Self(list)
    }

    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![Scope::Admin])
    }

    /// Whether this is allowed; `admin` allows everything.
    #[must_use]
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }

    /// The words, in order.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        self.0.iter().map(|scope| scope.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for (scope, word, _) in Scope::ALL {
            assert_eq!(Scope::parse(word), Some(*scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), *word);
        }
        assert_eq!(Scope::parse("root"), None);
    }

    #[test]
    fn admin_allows_everything_and_nothing_else_does() {
        for (scope, ..) in Scope::ALL {
            assert!(Scopes::all().allow(*scope));
            assert!(Scopes::new([*scope]).allow(*scope));
            assert_eq!(Scopes::new([Scope::Read]).allow(*scope), *scope == Scope::Read);
        }
    }
}
