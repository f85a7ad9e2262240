//! Whether a promotion may happen: every gate's answer and the approvals, for the promotion itself and for its dry run.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::approvals::{self, ApprovalState};
use super::error::Error;
use super::gates::{self, GateAnswer, Question};
use super::policy::{self, Policy};
use super::promote::{Promotion, approver};
use super::stage::Stage;
use super::{Setup, read};
use crate::db::audit::{Actor, ActorKind};
use crate::db::model_history;
use crate::db::models::{self, ModelVersion};

/// What a promotion would need and has.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct PromotionCheck {
    /// The model.
    pub model_name: String,
    /// The version.
    pub version: String,
    /// Where it is.
    pub from: Stage,
    /// Where it is to go.
    pub to: Stage,
    /// Whether it would be done, if asked by the same caller.
    pub allowed: bool,
    /// Whether the policy is asked at all: only on the way up into staging or production.
    pub is_promotion: bool,
    /// Whether it is a roll-back.
    pub rollback: bool,
    /// The version that would be archived for it.
    pub demotes: Option<String>,
    /// Each gate's answer.
    pub gates: Vec<GateAnswer>,
    /// The approvals.
    pub approvals: ApprovalState,
    /// The policy that was asked.
    pub policy: Policy,
}

impl PromotionCheck {
    /// `name/version`.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}/{}", self.model_name, self.version)
    }

    /// Why it is refused, the most fundamental reason first.
    pub(super) fn refusal(&self, version: &ModelVersion) -> Option<Error> {
        let state = &self.approvals;
        if let Some(who) = &state.own_act
            && state.missing == 1
        {
            return Some(approvals::self_approval(version, self.to, who));
        }
        if self.gates.iter().any(|gate| !gate.passed) {
            return Some(Error::GatesFailed(Box::new(self.clone())));
        }
        (state.missing > 0).then(|| Error::ApprovalRequired(Box::new(self.clone())))
    }
}

/// The dry run of a promotion: answers every gate and counts the approvals, and changes nothing.
///
/// # Errors
/// What [`super::get`] says, [`Error::AlreadyInStage`], [`Error::ApproverNotCaller`], or the database's.
pub async fn promotion_check(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    name: &str,
    version: &str,
    target: Stage,
    promotion: &Promotion,
    actor: &Actor,
) -> Result<PromotionCheck, Error> {
    let version = read::get(conn, name, version).await?;
    let at = models::moment(conn, name).await?;
    let production = models::in_production(conn, name).await?;
    let question = Question { version: &version, production: production.as_ref(), at };
    check(conn, setup, question, target, promotion, actor, false).await
}

/// Judges a promotion. `returning`: the caller asks for a roll-back.
pub(super) async fn check(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    question: Question<'_>,
    target: Stage,
    promotion: &Promotion,
    actor: &Actor,
    returning: bool,
) -> Result<PromotionCheck, Error> {
    let version = question.version;
    let from = Stage::parse(&version.stage)?;
    if from == target {
        let (model, version) = (version.model_name.clone(), version.version.clone());
        return Err(Error::AlreadyInStage { model, version, stage: target });
    }
    let policy = policy::get(conn, setup, &version.model_name).await?.policy;
    let is_promotion = from.is_promotion_to(target);
    let into_production = target == Stage::Production;
    // What its policy once let in is not judged again when a roll-back brings it back; an ordinary promotion always is.
    let judged_before = returning && was_in_production(conn, version).await?;
    let mut answers = Vec::new();
    let mut state = ApprovalState::default();
    if is_promotion {
        if into_production {
            answers = ask(conn, question, &policy, judged_before).await?;
        }
        answers.extend(unchanged(version, promotion, &answers));
        let act = approver(version, promotion, actor)?;
        let act = promotion.may_approve.then_some(act);
        state =
            approvals::count(conn, version, target, &policy, act.as_deref(), actor.kind == ActorKind::Token).await?;
    }
    let mut check = PromotionCheck {
        model_name: version.model_name.clone(),
        version: version.version.clone(),
        from,
        to: target,
        allowed: true,
        is_promotion,
        rollback: returning,
        demotes: question.production.filter(|_| into_production).map(|p| p.version.clone()),
        gates: answers,
        approvals: state,
        policy,
    };
    check.allowed = check.refusal(version).is_none();
    Ok(check)
}

async fn ask(
    conn: &mut PgConnection,
    question: Question<'_>,
    policy: &Policy,
    judged_before: bool,
) -> Result<Vec<GateAnswer>, Error> {
    let mut answers = Vec::new();
    if !judged_before {
        answers.extend(gates::staging::judge(conn, question, policy).await?);
    }
    for spec in &policy.gates {
        if !judged_before || gates::gate(&spec.gate).is_none_or(gates::Gate::asked_of_rollback) {
            answers.push(gates::ask(conn, question, spec).await?);
        }
    }
    Ok(answers)
}

/// Other bytes than those that were registered go nowhere, whatever the policy says; nor do bytes that are gone, or that
/// nobody has looked at yet.
fn unchanged(version: &ModelVersion, promotion: &Promotion, answers: &[GateAnswer]) -> Option<GateAnswer> {
    let refused = |detail: String, evidence: Value| {
        Some(GateAnswer { gate: "artefact_unchanged".to_owned(), passed: false, detail, evidence })
    };
    if let Some(unhashed) = &promotion.unhashed {
        let detail = format!(
            "the artefact has {} bytes, too many to hash within a request: run {} hashes it; promote again when that has ended",
            unhashed.bytes, unhashed.run
        );
        return refused(detail, json!({ "size_bytes": unhashed.bytes, "run": unhashed.run }));
    }
    if answers.iter().any(|answer| answer.gate == "artefact_verified") {
        return None;
    }
    let evidence = json!({ "found": version.artefact_detail, "checked_at": version.artefact_checked_at });
    match (version.artefact_status.as_str(), &version.artefact_digest) {
        ("mismatch", _) => refused("the artefact is not the one that was registered".to_owned(), evidence),
        ("missing", Some(_)) => refused("the artefact that was registered is missing".to_owned(), evidence),
        _ => None,
    }
}

async fn was_in_production(conn: &mut PgConnection, version: &ModelVersion) -> Result<bool, sqlx::Error> {
    let entered: Option<DateTime<Utc>> = model_history::let_into_production(conn, version.id).await?;
    Ok(entered.is_some())
}
