//! What the registry refuses, in words for people, with a stable code for programs.

use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use thiserror::Error;

use super::check::PromotionCheck;
use super::stage::Stage;
use crate::db::audit::{self, Actor, Event, Outcome};
use crate::notify;
use crate::storage;

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON pointer to it: `/version`.
    pub pointer: String,
    /// A sentence.
    pub detail: String,
}

/// What can go wrong. In parentheses: the code, and the HTTP status that fits.
#[derive(Debug, Error)]
pub enum Error {
    /// Something that was given cannot be taken (`invalid_request`, 422).
    #[error("{}", .0.iter().map(|e| e.detail.as_str()).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// No version of that name at all (`model_not_found`, 404).
    #[error("there is no model {0:?}; `steward models list` shows those that there are")]
    NoModel(String),
    /// No such version (`version_not_found`, 404).
    #[error(
        "model {model:?} has no version {version:?}; `steward models list --name {model}` shows those that there are"
    )]
    NoVersion {
        /// The model.
        model: String,
        /// The version.
        version: String,
    },
    /// A job or a caller asks for the version in a stage, and there is none (`nothing_in_stage`, 404).
    #[error("model `{name}` has no version in stage `{stage}`; register or promote one, or name a version")]
    NothingInStage {
        /// The model.
        name: String,
        /// The stage.
        stage: String,
    },
    /// The version was deleted; its number is never used again (`version_deleted`, 409 when registering, else 404).
    #[error(
        "version {version} of model {model} was deleted by {by} ({reason}); a number is never used again: take another one"
    )]
    Deleted {
        /// The model.
        model: String,
        /// The version.
        version: String,
        /// Who deleted it.
        by: String,
        /// Why.
        reason: String,
    },
    /// Another registration has that version (`version_conflict`, 409).
    #[error("version {existing} of model {model} is registered with other content: {} differ{}; {advice}", .fields.join(", "), if .fields.len() == 1 { "s" } else { "" })]
    Conflict {
        /// The model.
        model: String,
        /// The version that is registered.
        existing: String,
        /// The fields that differ.
        fields: Vec<String>,
        /// What to do.
        advice: String,
    },
    /// Registering straight into staging or production (`stage_needs_promotion`, 422).
    #[error("a version is not registered in {0}: register it in development, then promote it")]
    StageNeedsPromotion(Stage),
    /// The row has changed since the caller saw it (`revision_mismatch`, 412).
    #[error("{what} has changed since you read it: it is at revision {current}, you have {given}; read it again")]
    RevisionMismatch {
        /// What.
        what: String,
        /// The revision it has.
        current: i64,
        /// The revision the caller has.
        given: i64,
    },
    /// Another version is in production, or would come back, than the caller means (`revision_mismatch`, 412).
    #[error("the production of model {model} has changed since you read it: {detail}; read it again")]
    ProductionChanged {
        /// The model.
        model: String,
        /// What is there now.
        detail: String,
    },
    /// It is there already (`already_in_stage`, 409).
    #[error("version {version} of model {model} is in {stage} already")]
    AlreadyInStage {
        /// The model.
        model: String,
        /// The version.
        version: String,
        /// The stage.
        stage: Stage,
    },
    /// A promotion lacks approvals (`approval_required`, 422; a denial).
    #[error("{}", approval_sentence(.0))]
    ApprovalRequired(Box<PromotionCheck>),
    /// Whoever registered a version approves it (`self_approval`, 403; a denial).
    #[error(
        "{who} registered version {version} of model {model} and cannot approve its promotion to {stage}: somebody else must"
    )]
    SelfApproval {
        /// The model.
        model: String,
        /// The version.
        version: String,
        /// Where to.
        stage: Stage,
        /// Who.
        who: String,
    },
    /// The approver that a request names is not who sends it (`approver_not_caller`, 403; a denial).
    #[error(
        "{caller} cannot approve as {named}: an approval is by whoever is authenticated; leave approved_by out, or let {named} approve"
    )]
    ApproverNotCaller {
        /// The model and version.
        subject: String,
        /// Who sends it.
        caller: String,
        /// Who is named.
        named: String,
    },
    /// Gates say no (`gates_failed`, 422; a denial).
    #[error("{}", gates_sentence(.0))]
    GatesFailed(Box<PromotionCheck>),
    /// The same principal approved this already (`already_approved`, 409).
    #[error("{who} has approved version {version} of model {model} for {stage} already")]
    AlreadyApproved {
        /// The model.
        model: String,
        /// The version.
        version: String,
        /// For what.
        stage: Stage,
        /// Who.
        who: String,
    },
    /// No approval of that principal that could be withdrawn (`approval_not_found`, 404).
    #[error("{who} has no approval of {subject} for {stage} that could be withdrawn")]
    NoApproval {
        /// The model and version.
        subject: String,
        /// For what.
        stage: Stage,
        /// Who.
        who: String,
    },
    /// A version in staging or production is deleted (`version_in_use`, 409).
    #[error("version {version} of model {model} is in {stage}: archive it before it is deleted")]
    InUse {
        /// The model.
        model: String,
        /// The version.
        version: String,
        /// Where it is.
        stage: String,
    },
    /// No version to go back to (`nothing_to_roll_back_to`, 409).
    #[error("model {0} has no earlier production version to go back to")]
    NothingToRollBackTo(String),
    /// No such alias (`alias_not_found`, 404).
    #[error("model {model} has no alias {alias:?}")]
    NoAlias {
        /// The model.
        model: String,
        /// The alias.
        alias: String,
    },
    /// No such card (`card_not_found`, 404).
    #[error("{subject} has no model card{}", .edition.map(|n| format!(" of edition {n}")).unwrap_or_default())]
    NoCard {
        /// The model and version.
        subject: String,
        /// The edition that was asked for.
        edition: Option<i32>,
    },
    /// No such profile (`profile_not_found`, 404).
    #[error("{subject} has no profile{}; `steward models profile create` makes one", .edition.map(|n| format!(" of edition {n}")).unwrap_or_default())]
    NoProfile {
        /// The model and version.
        subject: String,
        /// The edition that was asked for.
        edition: Option<i32>,
    },
    /// The artefact cannot be read now (`artefact_unavailable`, 503).
    #[error("the artefact cannot be read now: {0}")]
    Artefact(storage::Error),
    /// Messages could not be written (`internal`, 500).
    #[error("messages: {0}")]
    Notify(#[from] notify::Error),
    /// The database (`database`, 503 for an outage, else 500).
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

fn approval_sentence(check: &PromotionCheck) -> String {
    let state = &check.approvals;
    let mut text = format!(
        "the promotion of {} to {} needs {} approval{}, {} {} missing",
        check.subject(),
        check.to,
        state.needed,
        if state.needed == 1 { "" } else { "s" },
        state.missing,
        if state.missing == 1 { "is" } else { "are" },
    );
    for stale in &state.stale {
        text.push_str(&format!("; that of {} does not count: {}", stale.approver, stale.why));
    }
    text
}

fn gates_sentence(check: &PromotionCheck) -> String {
    let failed: Vec<String> =
        check.gates.iter().filter(|g| !g.passed).map(|g| format!("{}: {}", g.gate, g.detail)).collect();
    format!(
        "{} of {} gates for {} of {} said no: {}",
        failed.len(),
        check.gates.len(),
        check.to,
        check.subject(),
        failed.join("; ")
    )
}

/// A refusal that concerns authority: the caller records it after rolling back.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial {
    /// What was attempted, in the words of the audit trail.
    pub action: &'static str,
    /// `name/version`.
    pub subject: String,
    /// The rest.
    pub detail: Value,
}

impl Error {
    /// An error about one field.
    pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }

    /// The stable word for it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_request",
            Self::NoModel(_) => "model_not_found",
            Self::NoVersion { .. } => "version_not_found",
            Self::NothingInStage { .. } => "nothing_in_stage",
            Self::Deleted { .. } => "version_deleted",
            Self::Conflict { .. } => "version_conflict",
            Self::StageNeedsPromotion(_) => "stage_needs_promotion",
            Self::RevisionMismatch { .. } | Self::ProductionChanged { .. } => "revision_mismatch",
            Self::AlreadyInStage { .. } => "already_in_stage",
            Self::ApprovalRequired(_) => "approval_required",
            Self::SelfApproval { .. } => "self_approval",
            Self::ApproverNotCaller { .. } => "approver_not_caller",
            Self::GatesFailed(_) => "gates_failed",
            Self::AlreadyApproved { .. } => "already_approved",
            Self::NoApproval { .. } => "approval_not_found",
            Self::InUse { .. } => "version_in_use",
            Self::NothingToRollBackTo(_) => "nothing_to_roll_back_to",
            Self::NoAlias { .. } => "alias_not_found",
            Self::NoCard { .. } => "card_not_found",
            Self::NoProfile { .. } => "profile_not_found",
            Self::Artefact(_) => "artefact_unavailable",
            Self::Notify(_) => "internal",
            Self::Database(_) => "database",
        }
    }

    /// What the audit trail keeps of this refusal, when it concerns authority.
    #[must_use]
    pub fn denial(&self) -> Option<Denial> {
        let reason = json!({ "code": self.code(), "reason": self.to_string() });
        match self {
            Self::ApprovalRequired(check) | Self::GatesFailed(check) => Some(Denial {
                action: "model.promoted",
                subject: check.subject(),
                detail: json!({ "code": self.code(), "reason": self.to_string(), "check": &**check }),
            }),
            Self::SelfApproval { model, version, .. } => {
                Some(Denial { action: "model.approved", subject: format!("{model}/{version}"), detail: reason })
            }
            Self::ApproverNotCaller { subject, .. } => {
                Some(Denial { action: "model.approved", subject: subject.clone(), detail: reason })
            }
            _ => None,
        }
    }
}

/// Keeps a refusal in the audit trail, when it concerns authority; in a transaction of its own, after the refused one was
/// rolled back. Answers its sequence number.
///
/// # Errors
/// Any error of the database.
pub async fn record_denial(conn: &mut PgConnection, error: &Error, actor: &Actor) -> Result<Option<i64>, sqlx::Error> {
    let Some(denial) = error.denial() else { return Ok(None) };
    let event = Event {
        actor,
        action: denial.action,
        outcome: Outcome::Denied,
        subject_kind: "model",
        subject: &denial.subject,
        detail: denial.detail,
    };
    audit::append(conn, &event).await.map(Some)
}
