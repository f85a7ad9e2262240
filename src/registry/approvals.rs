//! Approvals: who agreed to a promotion, and whether that still holds.
//!
//! An approval is for one version and one stage, and for the artefact and the metrics that were there when it was given:
//! whatever of them changes, it does not count any more and says why. Counted once, it is used up.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::Error;
use super::fields::Checks;
use super::policy::{self, Policy};
use super::stage::Stage;
use super::{Setup, read};
use crate::db::audit::{self, Actor, Event, Outcome};
use crate::db::model_approvals::{self, ApprovalRow};
use crate::db::model_evidence::{self, MetricNow};
use crate::db::models::{self, ModelVersion};

/// An approval, and why it does not count, if so.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Approval {
    /// The approval.
    #[serde(flatten)]
    pub row: ApprovalRow,
    /// `valid`, `stale`, `used` or `withdrawn`.
    pub state: &'static str,
    /// Why it is stale.
    pub why: Option<String>,
}

/// An approval that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Stale {
    /// Whose.
    pub approver: String,
    /// Why not.
    pub why: String,
}

/// The approvals of a promotion.
#[derive(Debug, Clone, PartialEq, Default, Serialize, utoipa::ToSchema)]
pub struct ApprovalState {
    /// How many the policy asks for.
    pub needed: u32,
    /// How many there are, the caller's own act among them when it counts.
    pub have: u32,
    /// How many are missing.
    pub missing: u32,
    /// Whose count.
    pub approvers: Vec<String>,
    /// Which do not count.
    pub stale: Vec<Stale>,
    /// Who registered the version and therefore does not count as an approver of this act.
    pub own_act: Option<String>,
    /// The rows that count.
    #[serde(skip)]
    pub(super) rows: Vec<Uuid>,
}

/// The metrics of a version now, and their fingerprint: the SHA-256 of name, split, segment and value of each.
async fn metrics_now(conn: &mut PgConnection, version: &ModelVersion) -> Result<(Vec<MetricNow>, String), sqlx::Error> {
    let metrics = model_evidence::metrics_now(conn, &version.model_name, &version.version).await?;
    let mut hasher = Sha256::new();
    for metric in &metrics {
        let row = json!([metric.metric, metric.split, metric.segment, metric.value]);
        hasher.update(row.to_string());
        hasher.update("\n");
    }
    Ok((metrics, hex::encode(hasher.finalize())))
}

/// Why an approval does not hold for what is there now.
fn stale(row: &ApprovalRow, version: &ModelVersion, fingerprint: &str) -> Option<String> {
    if row.artefact_digest != version.artefact_digest {
        return Some("the artefact's digest has changed since".to_owned());
    }
    (row.metrics_fingerprint != fingerprint).then(|| "the metrics have changed since".to_owned())
}

/// Approves the promotion of a version to a stage. An approval of the same principal that is stale is withdrawn for it.
///
/// # Errors
/// [`Error::SelfApproval`], [`Error::AlreadyApproved`], [`Error::AlreadyInStage`], what [`super::get`] says, or the
/// database's.
pub async fn approve(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    name: &str,
    version: &str,
    stage: Stage,
    comment: Option<&str>,
    actor: &Actor,
) -> Result<Approval, Error> {
    let mut checks = Checks::default();
    checks.text("/comment", comment);
    checks.name("/approved_by", Some(&actor.name));
    check_stage(&mut checks, stage);
    checks.finish()?;
    models::lock(conn, name).await?;
    let version = read::get(conn, name, version).await?;
    if version.stage == stage.as_str() {
        return Err(Error::AlreadyInStage { model: version.model_name, version: version.version, stage });
    }
    let policy = policy::get(conn, setup, name).await?.policy;
    if !policy.allow_self_approval && version.created_by.as_deref() == Some(&actor.name) {
        return Err(self_approval(&version, stage, &actor.name));
    }
    let (metrics, fingerprint) = metrics_now(conn, &version).await?;
    for row in model_approvals::list(conn, version.id).await? {
        let live = row.withdrawn_at.is_none() && row.used_at.is_none();
        if live && row.stage == stage.as_str() && row.approver == actor.name {
            if stale(&row, &version, &fingerprint).is_none() {
                let (model, who) = (version.model_name, actor.name.clone());
                return Err(Error::AlreadyApproved { model, version: version.version, stage, who });
            }
            model_approvals::withdraw(conn, row.id).await?;
        }
    }
    let row = ApprovalRow {
        id: Uuid::new_v4(),
        model_id: version.id,
        stage: stage.as_str().to_owned(),
        approver: actor.name.clone(),
        approver_kind: actor.kind.as_str().to_owned(),
        comment: comment.map(str::to_owned),
        artefact_digest: version.artefact_digest.clone(),
        metrics_fingerprint: fingerprint,
        metrics: json!(metrics),
        created_at: version.created_at,
        withdrawn_at: None,
        used_at: None,
    };
    let row = model_approvals::insert(conn, &row).await?;
    let detail = json!({
        "id": row.id, "stage": stage, "comment": comment, "artefact_digest": row.artefact_digest,
        "metrics_fingerprint": row.metrics_fingerprint,
    });
    append(conn, actor, "model.approved", &version, detail).await?;
    Ok(Approval { row, state: "valid", why: None })
}

fn check_stage(checks: &mut Checks, stage: Stage) {
    if !matches!(stage, Stage::Staging | Stage::Production) {
        checks.add("/stage", format!("nothing needs approval to be {stage}; approve for staging or production"));
    }
}

pub(super) fn self_approval(version: &ModelVersion, stage: Stage, who: &str) -> Error {
    Error::SelfApproval {
        model: version.model_name.clone(),
        version: version.version.clone(),
        stage,
        who: who.to_owned(),
    }
}

/// Withdraws the actor's own approval.
///
/// # Errors
/// [`Error::NoApproval`], what [`super::get`] says, or the database's.
pub async fn withdraw(
    conn: &mut PgConnection,
    name: &str,
    version: &str,
    stage: Stage,
    actor: &Actor,
) -> Result<(), Error> {
    let mut checks = Checks::default();
    check_stage(&mut checks, stage);
    checks.finish()?;
    models::lock(conn, name).await?;
    let version = read::get(conn, name, version).await?;
    for row in model_approvals::list(conn, version.id).await? {
        if row.stage == stage.as_str() && row.approver == actor.name && model_approvals::withdraw(conn, row.id).await? {
            let detail = json!({ "id": row.id, "stage": stage });
            append(conn, actor, "model.approval_withdrawn", &version, detail).await?;
            return Ok(());
        }
    }
    Err(Error::NoApproval { subject: version.subject(), stage, who: actor.name.clone() })
}

async fn append(
    conn: &mut PgConnection,
    actor: &Actor,
    action: &str,
    version: &ModelVersion,
    detail: Value,
) -> Result<i64, sqlx::Error> {
    let subject = version.subject();
    let event = Event { actor, action, outcome: Outcome::Done, subject_kind: "model", subject: &subject, detail };
    audit::append(conn, &event).await
}

/// All approvals of a version, oldest first, each with what has become of it.
///
/// # Errors
/// What [`super::get`] says, or the database's.
pub async fn approvals(conn: &mut PgConnection, name: &str, version: &str) -> Result<Vec<Approval>, Error> {
    let version = read::get(conn, name, version).await?;
    let (_, fingerprint) = metrics_now(conn, &version).await?;
    let rows = model_approvals::list(conn, version.id).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let why = stale(&row, &version, &fingerprint);
            let state = match (row.withdrawn_at, row.used_at, &why) {
                (Some(_), ..) => "withdrawn",
                (_, Some(_), _) => "used",
                (.., Some(_)) => "stale",
                _ => "valid",
            };
            Approval { why: why.filter(|_| state == "stale"), row, state }
        })
        .collect())
}

/// Counts the approvals of a promotion; `act` is who approves by asking for it. Where the caller is authenticated, so must have
/// been the approvers.
pub(super) async fn count(
    conn: &mut PgConnection,
    version: &ModelVersion,
    stage: Stage,
    policy: &Policy,
    act: Option<&str>,
    authenticated: bool,
) -> Result<ApprovalState, sqlx::Error> {
    let mut state = ApprovalState { needed: policy.approvals, ..ApprovalState::default() };
    let mut approvers = BTreeSet::new();
    let is_creator = |who: &str| !policy.allow_self_approval && version.created_by.as_deref() == Some(who);
    let rows = model_approvals::list(conn, version.id).await?;
    let live = |row: &&ApprovalRow| row.stage == stage.as_str() && row.withdrawn_at.is_none() && row.used_at.is_none();
    if rows.iter().any(|row| live(&row)) {
        let (_, fingerprint) = metrics_now(conn, version).await?;
        for row in rows.iter().filter(live) {
            let why = if is_creator(&row.approver) {
                Some("they registered the version".to_owned())
            } else if authenticated && row.approver_kind != "token" {
                Some("it was given by somebody's own word, without a token".to_owned())
            } else {
                stale(row, version, &fingerprint)
            };
            match why {
                Some(why) => state.stale.push(Stale { approver: row.approver.clone(), why }),
                None => {
                    approvers.insert(row.approver.clone());
                    state.rows.push(row.id);
                }
            }
        }
    }
    match act {
        Some(who) if is_creator(who) => state.own_act = Some(who.to_owned()),
        Some(who) => drop(approvers.insert(who.to_owned())),
        None => {}
    }
    state.have = u32::try_from(approvers.len()).unwrap_or(u32::MAX);
    state.missing = state.needed.saturating_sub(state.have);
    state.approvers = approvers.into_iter().collect();
    Ok(state)
}
