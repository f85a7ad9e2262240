//! Errors of the domain as problems: which status each has. The one place where the two vocabularies meet.

use axum::http::StatusCode;
use serde_json::json;

use super::problem::{Denial, Problem};
use crate::jobs::apply::StateError;
use crate::registry::{self, ab_tests, validation};
use crate::{access, db, notify, queue};

const INVALID: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

impl From<queue::Error> for Problem {
    fn from(error: queue::Error) -> Self {
        match error {
            queue::Error::NotFound(id) => Self::not_found(format!("there is no run {id}")),
            queue::Error::NotFinished { .. } => Self::new(StatusCode::CONFLICT, "run_not_finished", error.to_string()),
            queue::Error::KeyConflict { .. } => {
                Self::new(StatusCode::CONFLICT, "idempotency_key_reused", error.to_string())
            }
            queue::Error::Database(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Database(error) => error.into(),
            StateError::Unknown { .. } => Self::not_found(error.to_string()),
            StateError::Already { .. } => Self::new(StatusCode::CONFLICT, "job_state", error.to_string()),
        }
    }
}

impl From<crate::jobs::plan::Error> for Problem {
    fn from(error: crate::jobs::plan::Error) -> Self {
        match error {
            crate::jobs::plan::Error::Database(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}

impl From<notify::Error> for Problem {
    fn from(error: notify::Error) -> Self {
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, error.to_string());
        match &error {
            notify::Error::NoSuchIncident(_) | notify::Error::NoIncidentId(_) | notify::Error::AmbiguousIncident(_) => {
                Self::not_found(error.to_string())
            }
            notify::Error::NotOpen { .. } => conflict("incident_not_open"),
            notify::Error::NotDead(_) => conflict("delivery_not_dead"),
            notify::Error::UnknownChannel { .. } => conflict("channel_not_configured"),
            notify::Error::Configuration(_) => Self::internal(&error),
            notify::Error::Database(_) => match error {
                notify::Error::Database(error) => error.into(),
                other => Self::internal(&other),
            },
        }
    }
}

impl From<db::idempotency::Error> for Problem {
    fn from(error: db::idempotency::Error) -> Self {
        match error {
            db::idempotency::Error::Database(error) => error.into(),
            db::idempotency::Error::Key => Self::invalid("Idempotency-Key", error.to_string()),
        }
    }
}

impl From<access::token::Error> for Problem {
    fn from(error: access::token::Error) -> Self {
        use access::token::Error;
        let code = error.code();
        match error {
            Error::Database(error) => error.into(),
            Error::Invalid { pointer, detail } => Self::invalid(pointer, detail),
            Error::NotFound(_) => Self::not_found(error.to_string()),
            Error::Ambiguous(_) => Self::new(StatusCode::CONFLICT, code, error.to_string()),
            Error::Randomness(_) => Self::unavailable(code, error.to_string(), 5),
        }
    }
}

fn listed(code: &'static str, summary: String, problems: &[validation::FieldProblem]) -> Problem {
    problems.iter().fold(Problem::new(INVALID, code, summary), |problem, one| problem.at(&one.pointer, &one.detail))
}

impl From<validation::Error> for Problem {
    fn from(error: validation::Error) -> Self {
        use validation::Error;
        let code = error.code();
        match error {
            Error::Invalid(ref problems) => listed(code, error.to_string(), problems),
            Error::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, code, error.to_string()),
            Error::Deleted { .. } => Self::new(StatusCode::GONE, code, error.to_string()),
            Error::Registry(error) => error.into(),
            Error::Database(error) => error.into(),
        }
    }
}

impl From<ab_tests::Error> for Problem {
    fn from(error: ab_tests::Error) -> Self {
        use ab_tests::Error;
        let code = error.code();
        match error {
            Error::Invalid(ref problems) => listed(code, error.to_string(), problems),
            Error::NotFound(_) | Error::NoName(_) => Self::new(StatusCode::NOT_FOUND, code, error.to_string()),
            Error::Exists(_) | Error::State { .. } | Error::Moved(_) => {
                Self::new(StatusCode::CONFLICT, code, error.to_string())
            }
            Error::Version(error) => error.into(),
            Error::Notify(error) => error.into(),
            Error::Database(error) => error.into(),
        }
    }
}

impl From<registry::Error> for Problem {
    fn from(error: registry::Error) -> Self {
        use registry::Error;
        let (code, text, denial) = (error.code(), error.to_string(), error.denial());
        let at = |status| Self::new(status, code, text.clone());
        let problem = match error {
            Error::Database(error) => return error.into(),
            Error::Notify(error) => return error.into(),
            Error::Artefact(_) => return Self::unavailable("artefact_unreadable", text, 10),
            Error::Invalid(fields) => {
                fields.into_iter().fold(at(INVALID), |problem, f| problem.at(f.pointer, f.detail))
            }
            Error::NoModel(_) | Error::NoVersion { .. } | Error::NothingInStage { .. } => at(StatusCode::NOT_FOUND),
            Error::NoAlias { .. } | Error::NoCard { .. } | Error::NoProfile { .. } | Error::NoApproval { .. } => {
                at(StatusCode::NOT_FOUND)
            }
            Error::Deleted { .. } => at(StatusCode::GONE),
            Error::Conflict { .. } | Error::AlreadyInStage { .. } => at(StatusCode::CONFLICT),
            Error::AlreadyApproved { .. } | Error::InUse { .. } | Error::NothingToRollBackTo(_) => {
                at(StatusCode::CONFLICT)
            }
            Error::StageNeedsPromotion(_) => at(INVALID).at("/stage", text),
            Error::RevisionMismatch { .. } | Error::ProductionChanged { .. } => at(StatusCode::PRECONDITION_FAILED),
            Error::SelfApproval { .. } | Error::ApproverNotCaller { .. } => at(StatusCode::FORBIDDEN),
            Error::ApprovalRequired(check) | Error::GatesFailed(check) => at(INVALID).with("check", json!(check)),
            #[allow(unreachable_patterns)]
            // what the registry learns to refuse later is a conflict until it has a line here
            _ => at(StatusCode::CONFLICT),
        };
        match denial {
            Some(denial) => problem.denied(Denial {
                action: denial.action.to_owned(),
                subject_kind: "model".to_owned(),
                subject: denial.subject,
                detail: denial.detail,
            }),
            None => problem,
        }
    }
}
