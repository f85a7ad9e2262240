//! Moving versions between stages, in one transaction each: the version, the one it displaces, the history, the event.
//!
//! The model's lock comes first, then the rows; the time of the move is taken behind the lock and never lies before an earlier
//! move of the model, so that the periods follow one another without gap or overlap. The unique index on production
//! versions is the second guard of what the lock guarantees.

use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::approvals::ApprovalState;
use super::check::{PromotionCheck, check};
use super::error::Error;
use super::fields::Checks;
use super::gates::{GateAnswer, Question};
use super::stage::Stage;
use super::{Setup, read, told};
use crate::db::audit::{self, Actor, ActorKind, Event, Outcome};
use crate::db::model_approvals;
use crate::db::model_history::{self, NewPeriod};
use crate::db::models::{self, ModelVersion};

/// How a move is asked for.
#[derive(Debug, Clone, Default)]
pub struct Promotion {
    /// Why.
    pub reason: Option<String>,
    /// Why the policy is to be passed over; only for principals who may (the caller makes sure).
    pub break_glass: Option<String>,
    /// The revision of the version that the caller read; of a roll-back, of the version that is to go.
    pub if_revision: Option<i64>,
    /// The version that must be in production, for a roll-back that is to take this one and no other.
    pub from_version: Option<String>,
    /// The version that the caller made ready for a roll-back ([`super::ready`]): it comes back, or none.
    pub prepared: Option<Uuid>,
    /// Why the bytes were not looked at before, though they should have been: then the move is refused, with the reason.
    pub unhashed: Option<Unhashed>,
    /// Whether the caller may approve: then asking for the promotion is an approval.
    pub may_approve: bool,
    /// Who approves, by the caller's word: only where nobody is authenticated (`ActorKind::Local`).
    pub approved_by: Option<String>,
}

/// Bytes that nobody has hashed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unhashed {
    /// How many they are.
    pub bytes: u64,
    /// The run that hashes them.
    pub run: Uuid,
}

/// What a move did.
#[derive(Debug, Clone, Serialize)]
pub struct Promoted {
    /// The version as it is now.
    pub version: ModelVersion,
    /// Where it was.
    pub from: Stage,
    /// Where it is.
    pub to: Stage,
    /// The version that was archived for it.
    pub demoted: Option<ModelVersion>,
    /// Whether it was a roll-back: a version that was in production before has come back.
    pub rollback: bool,
    /// Whether the policy was passed over.
    pub break_glass: bool,
    /// Each gate's answer.
    pub gates: Vec<GateAnswer>,
    /// The approvals that were counted.
    pub approvals: ApprovalState,
    /// Of the audit trail.
    pub sequence: i64,
}

/// Who approves by asking: the authenticated principal, or, by their own word, whom they name.
pub(super) fn approver(version: &ModelVersion, promotion: &Promotion, actor: &Actor) -> Result<String, Error> {
    match (&promotion.approved_by, actor.kind) {
        (Some(named), ActorKind::Local) => Ok(named.clone()),
        (Some(named), ActorKind::Token | ActorKind::System) if named != &actor.name => Err(Error::ApproverNotCaller {
            subject: version.subject(),
            caller: actor.name.clone(),
            named: named.clone(),
        }),
        _ => Ok(actor.name.clone()),
    }
}

/// Moves a version to a stage: up when the policy allows it, down at any time. The version in production, if another one is
/// there, is archived for it.
///
/// # Errors
/// What [`super::get`] says; [`Error::AlreadyInStage`], [`Error::RevisionMismatch`], [`Error::ApproverNotCaller`],
/// [`Error::SelfApproval`], [`Error::GatesFailed`], [`Error::ApprovalRequired`]; or the database's.
pub async fn promote(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    name: &str,
    version: &str,
    target: Stage,
    promotion: &Promotion,
    actor: &Actor,
) -> Result<Promoted, Error> {
    validate(promotion)?;
    lock(conn, name).await?;
    let version = read::get(conn, name, version).await?;
    transfer(conn, setup, version, target, promotion, actor, false).await
}

pub(super) async fn lock(conn: &mut PgConnection, name: &str) -> Result<(), Error> {
    if name.contains('\0') {
        return Err(Error::NoModel(name.to_owned()));
    }
    Ok(models::lock(conn, name).await?)
}

pub(super) fn validate(promotion: &Promotion) -> Result<(), Error> {
    let mut checks = Checks::default();
    checks.text("/reason", promotion.reason.as_deref());
    checks.name("/approved_by", promotion.approved_by.as_deref());
    if let Some(reason) = &promotion.break_glass {
        checks.needed("/break_glass", reason, "a reason for passing over the policy");
    }
    checks.finish()
}

/// Judges and moves; the caller holds the lock. `returning`: it is a roll-back.
pub(super) async fn transfer(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    version: ModelVersion,
    target: Stage,
    promotion: &Promotion,
    actor: &Actor,
    returning: bool,
) -> Result<Promoted, Error> {
    // A roll-back's is of the version that goes, and was compared with it.
    super::change::revision(&version, promotion.if_revision.filter(|_| !returning))?;
    let at = models::moment(conn, &version.model_name).await?;
    let production = models::in_production(conn, &version.model_name).await?;
    let question = Question { version: &version, production: production.as_ref(), at };
    let judged = check(conn, setup, question, target, promotion, actor, returning).await?;
    let break_glass = promotion.break_glass.is_some() && judged.is_promotion;
    if !break_glass && let Some(refusal) = judged.refusal(&version) {
        return Err(refusal);
    }

    let displaced = production.filter(|_| target == Stage::Production);
    if let Some(displaced) = &displaced {
        models::set_stage(conn, displaced.id, Stage::Archived.as_str(), None, None).await?;
        close(conn, setup, displaced, at).await?;
    }
    let approved_by = approved_by(&judged, break_glass, &version, promotion, actor)?;
    let promoted_at = judged.is_promotion.then_some(at);
    models::set_stage(conn, version.id, target.as_str(), promoted_at, approved_by.as_deref()).await?;
    close(conn, setup, &version, at).await?;
    model_approvals::mark_used(conn, &judged.approvals.rows, at).await?;
    if break_glass {
        told_of_break_glass(conn, setup, &version, &judged, promotion, actor, at).await?;
    }

    let decision = json!({
        "rollback": judged.rollback,
        "break_glass": break_glass.then_some(&promotion.break_glass),
        "policy": judged.policy,
        "gates": judged.gates,
        "approvals": judged.approvals,
        "demoted": displaced.as_ref().map(|d| &d.version),
    });
    let sequence = append(conn, &version, &judged, promotion, approved_by.as_deref(), &decision, actor).await?;
    let reason = promotion.break_glass.as_deref().filter(|_| break_glass).or(promotion.reason.as_deref());
    if let Some(displaced) = &displaced {
        let because = format!("{} went into production", version.version);
        let period = NewPeriod {
            model_id: displaced.id,
            from_stage: Some(Stage::Production.as_str()),
            stage: Stage::Archived.as_str(),
            at,
            actor: &actor.name,
            approved_by: approved_by.as_deref(),
            reason: Some(&because),
            break_glass: false,
            decision: &json!({ "displaced_by": version.version }),
            event_sequence: sequence,
        };
        model_history::open(conn, &period).await?;
    }
    let period = NewPeriod {
        model_id: version.id,
        from_stage: Some(judged.from.as_str()),
        stage: target.as_str(),
        at,
        actor: &actor.name,
        approved_by: approved_by.as_deref(),
        reason,
        break_glass,
        decision: &decision,
        event_sequence: sequence,
    };
    model_history::open(conn, &period).await?;
    let demoted = match displaced {
        Some(displaced) => Some(models::by_id(conn, displaced.id).await?),
        None => None,
    };
    Ok(Promoted {
        version: models::by_id(conn, version.id).await?,
        from: judged.from,
        to: target,
        demoted,
        rollback: judged.rollback,
        break_glass,
        gates: judged.gates,
        approvals: judged.approvals,
        sequence,
    })
}

/// Whose names stand for it: those who were counted; behind a broken glass whoever broke it.
fn approved_by(
    judged: &PromotionCheck,
    break_glass: bool,
    version: &ModelVersion,
    promotion: &Promotion,
    actor: &Actor,
) -> Result<Option<String>, Error> {
    if !judged.is_promotion {
        return Ok(None);
    }
    if break_glass {
        return approver(version, promotion, actor).map(Some);
    }
    let names = &judged.approvals.approvers;
    Ok((!names.is_empty()).then(|| names.join(", ")))
}

/// Ends a version's present period, and what was told of it.
async fn close(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    version: &ModelVersion,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<(), Error> {
    if let Some(period) = model_history::close(conn, version.id, at).await?
        && period.break_glass
    {
        told::break_glass_over(conn, setup, &period).await?;
    }
    Ok(())
}

async fn told_of_break_glass(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    version: &ModelVersion,
    judged: &PromotionCheck,
    promotion: &Promotion,
    actor: &Actor,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<(), Error> {
    let failed: Vec<String> =
        judged.gates.iter().filter(|g| !g.passed).map(|g| format!("{}: {}", g.gate, g.detail)).collect();
    let evidence = json!({
        "by": actor.name,
        "reason": promotion.break_glass,
        "gates that said no": if failed.is_empty() { "none".to_owned() } else { failed.join("; ") },
        "approvals missing": judged.approvals.missing,
        "displaced": judged.demotes.as_deref().unwrap_or("nothing"),
    });
    told::break_glass(conn, setup, version, judged.to.as_str(), at, evidence).await
}

async fn append(
    conn: &mut PgConnection,
    version: &ModelVersion,
    judged: &PromotionCheck,
    promotion: &Promotion,
    approved_by: Option<&str>,
    decision: &serde_json::Value,
    actor: &Actor,
) -> Result<i64, Error> {
    let action = match (judged.rollback, judged.is_promotion, judged.to) {
        (true, ..) => "model.rolled_back",
        (_, true, _) => "model.promoted",
        (.., Stage::Archived) => "model.archived",
        _ if judged.from == Stage::Archived => "model.restored",
        _ => "model.demoted",
    };
    let subject = version.subject();
    let detail = json!({
        "from": judged.from,
        "to": judged.to,
        "reason": promotion.reason,
        "approved_by": approved_by,
        "decision": decision,
    });
    let event = Event { actor, action, outcome: Outcome::Done, subject_kind: "model", subject: &subject, detail };
    Ok(audit::append(conn, &event).await?)
}
