//! What a model asks of a promotion: approvals, time in staging, gates.
//!
//! A model without a policy of its own has the configured one. Approvals are asked for staging and production, the rest for
//! production only. A policy is checked when it is set, so that it never fails when it is needed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::error::Error;
use super::fields::Checks;
use super::{Setup, gates};
use crate::config::registry::RegistrySettings;
use crate::db::audit::{self, Actor, Event, Outcome};
use crate::db::{model_approvals, models};

/// What a promotion needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How many principals must approve.
    pub approvals: u32,
    /// Whether the one who registered a version may approve it.
    #[serde(default)]
    pub allow_self_approval: bool,
    /// Whether a version must be in staging before production.
    #[serde(default)]
    pub staging_first: bool,
    /// For how many hours it must have been there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_hours_in_staging: Option<f64>,
    /// What is judged before production.
    #[serde(default)]
    pub gates: Vec<GateSpec>,
}

/// A gate and its options: `{"gate": "metric", "metric": "roc_auc", "min": 0.7}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GateSpec {
    /// Name of an entry of [`gates::ALL`].
    pub gate: String,
    /// The gate's own keys.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// The policy that holds for a model.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct PolicyInForce {
    /// The policy.
    pub policy: Policy,
    /// Whether it is the model's own; else it is the configured one.
    pub own: bool,
    /// Counts the changes of the model's own; 0 when it has none.
    pub revision: i64,
    /// Who set it last.
    pub updated_by: Option<String>,
    /// When.
    pub updated_at: Option<DateTime<Utc>>,
}

impl Policy {
    /// The configured policy.
    #[must_use]
    pub fn configured(settings: &RegistrySettings) -> Self {
        Self {
            approvals: settings.approvals,
            allow_self_approval: settings.allow_self_approval,
            staging_first: false,
            min_hours_in_staging: None,
            gates: Vec::new(),
        }
    }

    /// Reads a policy that somebody wrote.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a pointer to what is wrong.
    pub fn read(value: &Value) -> Result<Self, Error> {
        let policy: Self = serde_json::from_value(value.clone())
            .map_err(|e| Error::invalid("", format!("the policy cannot be read: {e}")))?;
        policy.check()?;
        Ok(policy)
    }

    fn check(&self) -> Result<(), Error> {
        let mut checks = Checks::default();
        if self.approvals > 20 {
            checks.add("/approvals", format!("{} approvals are too many; 20 are the most", self.approvals));
        }
        if let Some(hours) = self.min_hours_in_staging {
            if !hours.is_finite() || hours < 0.0 {
                checks.add("/min_hours_in_staging", "hours are a number from 0 on");
            }
            if !self.staging_first {
                checks.add("/min_hours_in_staging", "hours in staging are asked with `staging_first` only");
            }
        }
        for (index, spec) in self.gates.iter().enumerate() {
            match gates::gate(&spec.gate) {
                Some(gate) => {
                    if let Err(problem) = gate.check(&spec.options) {
                        checks.add(format!("/gates/{index}"), format!("gate {}: {problem}", spec.gate));
                    }
                    checks.object(&format!("/gates/{index}"), &Value::Object(spec.options.clone()));
                }
                None => {
                    let known: Vec<&str> = gates::ALL.iter().map(|gate| gate.name()).collect();
                    let detail = format!("there is no gate {:?}; there are {}", spec.gate, known.join(", "));
                    checks.add(format!("/gates/{index}/gate"), detail);
                }
            }
        }
        checks.finish()
    }
}

/// The policy that holds for a model.
///
/// # Errors
/// The database's; [`Error::Invalid`] for a stored policy that this program cannot read.
pub async fn get(conn: &mut PgConnection, setup: Setup<'_>, name: &str) -> Result<PolicyInForce, Error> {
    let mut checks = Checks::default();
    checks.model_name("/model_name", name);
    checks.finish()?;
    let Some(row) = model_approvals::policy(conn, name).await? else {
        let policy = Policy::configured(setup.settings);
        return Ok(PolicyInForce { policy, own: false, revision: 0, updated_by: None, updated_at: None });
    };
    Ok(PolicyInForce {
        policy: Policy::read(&row.policy)?,
        own: true,
        revision: row.revision,
        updated_by: Some(row.updated_by),
        updated_at: Some(row.updated_at),
    })
}

/// Gives a model a policy of its own. `if_revision` is the revision that the caller read; 0 means that there was none.
///
/// # Errors
/// [`Error::Invalid`], [`Error::RevisionMismatch`], or the database's.
pub async fn set(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    name: &str,
    policy: &Policy,
    if_revision: Option<i64>,
    actor: &Actor,
) -> Result<PolicyInForce, Error> {
    policy.check()?;
    let before = locked(conn, setup, name, if_revision).await?;
    if before.own && before.policy == *policy {
        return Ok(before);
    }
    model_approvals::set_policy(conn, name, &json!(policy), &actor.name).await?;
    let after = get(conn, setup, name).await?;
    append(conn, actor, "policy.set", name, json!({ "before": before.policy, "after": policy, "was_own": before.own }))
        .await?;
    Ok(after)
}

/// Takes a model's own policy away: the configured one holds again.
///
/// # Errors
/// [`Error::RevisionMismatch`], or the database's.
pub async fn clear(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    name: &str,
    if_revision: Option<i64>,
    actor: &Actor,
) -> Result<PolicyInForce, Error> {
    let before = locked(conn, setup, name, if_revision).await?;
    if before.own {
        model_approvals::clear_policy(conn, name).await?;
        append(conn, actor, "policy.cleared", name, json!({ "before": before.policy })).await?;
    }
    get(conn, setup, name).await
}

async fn locked(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    name: &str,
    if_revision: Option<i64>,
) -> Result<PolicyInForce, Error> {
    let mut checks = Checks::default();
    checks.model_name("/model_name", name);
    checks.finish()?;
    models::lock(conn, name).await?;
    let before = get(conn, setup, name).await?;
    match if_revision {
        Some(given) if given != before.revision => {
            Err(Error::RevisionMismatch { what: format!("the policy of {name}"), current: before.revision, given })
        }
        _ => Ok(before),
    }
}

async fn append(
    conn: &mut PgConnection,
    actor: &Actor,
    action: &str,
    name: &str,
    detail: Value,
) -> Result<i64, sqlx::Error> {
    let event = Event { actor, action, outcome: Outcome::Done, subject_kind: "model", subject: name, detail };
    audit::append(conn, &event).await
}
