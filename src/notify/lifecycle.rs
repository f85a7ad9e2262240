//! From findings to incidents: what opens, what goes on, what resolves.
//!
//! [`decide`] is the whole rule for one subject and knows no database; a policy of n breaches out of m, or of k clean
//! evaluations before resolving, is a change there (the tables have the states and counters). [`apply`] loads the job's live
//! incidents under a lock, lets `decide` speak, writes the transitions and hands them to the outbox, all in the caller's
//! transaction.
//!
//! Evaluations of a job are applied in the order of their ticks: an older one is recorded in the result tables only.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::channels::Channels;
use super::error::Error;
use super::evaluation::{Evaluation, Finding, FindingStatus, NO_DATA, RUN_LEVEL, Severity, finite};
use super::event::{IncidentView, incident_id};
use super::outbox;
use crate::db::audit::{self, Actor};
use crate::db::incidents::{self, Incident};

/// What an evaluation changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Incidents that it opened.
    pub opened: Vec<IncidentSummary>,
    /// Incidents that it resolved.
    pub resolved: Vec<IncidentSummary>,
    /// Live incidents that it left live.
    pub continuing: Vec<IncidentSummary>,
    /// False if a newer evaluation had been applied before: then nothing changed.
    pub applied: bool,
}

/// The essentials of an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentSummary {
    /// Its id.
    pub id: Uuid,
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// How bad.
    pub severity: Severity,
    /// One sentence.
    pub title: String,
    /// open, acknowledged or resolved.
    pub state: String,
    /// The tick of its first breach.
    pub opened_at: DateTime<Utc>,
}

impl From<&Incident> for IncidentSummary {
    fn from(incident: &Incident) -> Self {
        Self {
            id: incident.id,
            kind: incident.kind.clone(),
            subject: incident.subject.clone(),
            severity: Severity::parse(&incident.severity),
            title: incident.title.clone(),
            state: incident.state.clone(),
            opened_at: incident.opened_at,
        }
    }
}

/// What happens to one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing.
    Leave,
    /// A new incident.
    Open,
    /// The live incident gets this evidence; nobody is told again.
    Fold,
    /// The live incident ends.
    Resolve,
    /// It is told and over at once, whether it was live or not.
    End,
}

/// The rule: one breach opens, one clear judgement resolves, an unknown one changes nothing.
fn decide(is_live: bool, status: FindingStatus) -> Step {
    match (is_live, status) {
        (false, FindingStatus::Breach) => Step::Open,
        (true, FindingStatus::Breach) => Step::Fold,
        (true, FindingStatus::Clear) => Step::Resolve,
        (_, FindingStatus::Over) => Step::End,
        (_, FindingStatus::Unknown) | (false, FindingStatus::Clear) => Step::Leave,
    }
}

/// The identity of a problem: job, kind and subject.
fn fingerprint(job: &str, kind: &str, subject: &str) -> String {
    hex::encode(Sha256::digest(format!("{job}\n{kind}\n{subject}")))
}

/// Applies what a run found: opens, folds and resolves incidents and writes the messages about it, inside the caller's
/// transaction. Applying the same run again changes nothing and returns what it did the first time.
///
/// # Errors
/// Only what the database says: a channel that does not exist becomes a dead delivery, never an error.
pub async fn apply(conn: &mut PgConnection, channels: &Channels, evaluation: &Evaluation) -> Result<Changes, Error> {
    match incidents::lock_evaluations(conn, &evaluation.job_name).await? {
        Some((_, run)) if run == evaluation.run_id => return recall(conn, evaluation).await,
        Some((last, _)) if evaluation.at < last => return Ok(Changes::default()),
        _ => {}
    }
    let mut live: BTreeMap<(String, String), Incident> = incidents::live(conn, &evaluation.job_name)
        .await?
        .into_iter()
        .map(|incident| ((incident.kind.clone(), incident.subject.clone()), incident))
        .collect();

    let mut changes = Changes { applied: true, ..Changes::default() };
    let (mut opened, mut resolved) = (Vec::new(), Vec::new());
    for (key, judged) in judgements(evaluation, &live) {
        match decide(live.contains_key(&key), judged.status) {
            Step::Leave => {}
            Step::Open => {
                if let Some(finding) = judged.finding {
                    let incident = open(conn, evaluation, finding).await?;
                    changes.opened.push(IncidentSummary::from(&incident));
                    opened.push(IncidentView::new(&incident, None));
                }
            }
            Step::Fold => {
                if let (Some(incident), Some(finding)) = (live.get_mut(&key), judged.finding) {
                    fold(conn, evaluation, incident, finding).await?;
                }
            }
            Step::Resolve => {
                if let Some(mut incident) = live.remove(&key) {
                    resolve(conn, evaluation, &mut incident, &judged.reason).await?;
                    changes.resolved.push(IncidentSummary::from(&incident));
                    resolved.push(IncidentView::new(&incident, Some(judged.reason)));
                }
            }
            Step::End => {
                let Some(finding) = judged.finding else { continue };
                let mut incident = match live.remove(&key) {
                    Some(mut incident) => {
                        fold(conn, evaluation, &mut incident, finding).await?;
                        incident
                    }
                    None => open(conn, evaluation, finding).await?,
                };
                resolve(conn, evaluation, &mut incident, &judged.reason).await?;
                changes.resolved.push(IncidentSummary::from(&incident));
                resolved.push(IncidentView::new(&incident, Some(judged.reason)));
            }
        }
    }
    changes.continuing = live.values().map(IncidentSummary::from).collect();
    incidents::mark_applied(conn, &evaluation.job_name, evaluation.at, evaluation.run_id).await?;
    outbox::write(conn, channels, evaluation, opened, resolved).await?;
    Ok(changes)
}

/// What is said about one subject after inhibition.
struct Judged<'a> {
    status: FindingStatus,
    finding: Option<&'a Finding>,
    reason: String,
}

/// One judgement per subject, in the order of kind and subject: findings, and live incidents that a complete evaluation does
/// not mention any more. While the job has no data, all its other subjects are unknown.
fn judgements<'a>(
    evaluation: &'a Evaluation,
    live: &BTreeMap<(String, String), Incident>,
) -> BTreeMap<(String, String), Judged<'a>> {
    let mut judged: BTreeMap<(String, String), Judged<'a>> = BTreeMap::new();
    for finding in &evaluation.findings {
        let key = (finding.kind.to_owned(), finding.subject.clone());
        // Several judgements of one subject (two methods on a column): the worst one speaks.
        let rank = |finding: &Finding| (finding.status, finding.severity);
        if judged.get(&key).and_then(|other| other.finding).is_none_or(|other| rank(finding) > rank(other)) {
            let reason = if finding.title.is_empty() { "judged fine".to_owned() } else { finding.title.clone() };
            judged.insert(key, Judged { status: finding.status, finding: Some(finding), reason });
        }
    }
    if evaluation.complete {
        for key @ (kind, _) in live.keys() {
            if evaluation.kinds.contains(&kind.as_str()) && !judged.contains_key(key) {
                let reason = if RUN_LEVEL.contains(&kind.as_str()) { "not seen any more" } else { "no longer judged" };
                let gone = Judged { status: FindingStatus::Clear, finding: None, reason: reason.to_owned() };
                judged.insert(key.clone(), gone);
            }
        }
    }
    let in_breach = judged.iter().any(|((kind, _), judged)| kind == NO_DATA && judged.status == FindingStatus::Breach);
    let still_live = live
        .keys()
        .any(|key| key.0 == NO_DATA && judged.get(key).is_none_or(|judged| judged.status != FindingStatus::Clear));
    if in_breach || still_live {
        for ((kind, _), judged) in &mut judged {
            if kind != NO_DATA {
                judged.status = FindingStatus::Unknown;
            }
        }
    }
    judged
}

async fn open(conn: &mut PgConnection, evaluation: &Evaluation, finding: &Finding) -> Result<Incident, sqlx::Error> {
    let fingerprint = fingerprint(&evaluation.job_name, finding.kind, &finding.subject);
    let (model_name, model_version) = evaluation.model.clone().unzip();
    let incident = Incident {
        id: incident_id(evaluation.run_id, &fingerprint),
        fingerprint,
        job_id: evaluation.job_id,
        job_name: evaluation.job_name.clone(),
        kind: finding.kind.to_owned(),
        subject: finding.subject.clone(),
        state: "open".to_owned(),
        severity: finding.severity.as_str().to_owned(),
        title: finding.title.clone(),
        model_name,
        model_version: model_version.flatten(),
        evidence: finding.evidence(),
        peak_score: finite(finding.score),
        breaches: 1,
        opened_at: evaluation.at,
        last_breach_at: evaluation.at,
        resolved_at: None,
        opened_by_run: Some(evaluation.run_id),
        resolved_by_run: None,
        acknowledged_by: None,
        acknowledged_at: None,
        acknowledge_note: None,
    };
    incidents::insert(conn, &incident).await?;
    record(conn, evaluation, &incident, "opened", json!({ "title": finding.title, "score": finite(finding.score) }))
        .await?;
    Ok(incident)
}

async fn fold(
    conn: &mut PgConnection,
    evaluation: &Evaluation,
    incident: &mut Incident,
    finding: &Finding,
) -> Result<(), sqlx::Error> {
    incident.severity = finding.severity.max(Severity::parse(&incident.severity)).as_str().to_owned();
    incident.title.clone_from(&finding.title);
    if let Some((name, version)) = &evaluation.model {
        incident.model_name = Some(name.clone());
        incident.model_version.clone_from(version);
    }
    incident.evidence = finding.evidence();
    incident.peak_score = match (incident.peak_score, finite(finding.score)) {
        (Some(peak), Some(score)) => {
            // The worst is the farthest from the threshold: above it for drift, below it for a minimum.
            let distance = |value: f64| finding.threshold.map_or(value, |threshold| (value - threshold).abs());
            Some(if distance(score) > distance(peak) { score } else { peak })
        }
        (peak, score) => peak.or(score),
    };
    incident.breaches += 1;
    incident.last_breach_at = evaluation.at;
    incidents::update_breach(conn, incident).await?;
    record(conn, evaluation, incident, "breached", json!({ "title": finding.title, "score": finite(finding.score) }))
        .await
}

async fn resolve(
    conn: &mut PgConnection,
    evaluation: &Evaluation,
    incident: &mut Incident,
    reason: &str,
) -> Result<(), sqlx::Error> {
    incident.state = "resolved".to_owned();
    incident.resolved_at = Some(evaluation.at);
    incident.resolved_by_run = Some(evaluation.run_id);
    incidents::resolve(conn, incident.id, evaluation.at, evaluation.run_id).await?;
    record(conn, evaluation, incident, "resolved", json!({ "reason": reason })).await
}

async fn record(
    conn: &mut PgConnection,
    evaluation: &Evaluation,
    incident: &Incident,
    kind: &str,
    detail: serde_json::Value,
) -> Result<(), sqlx::Error> {
    incidents::add_event(conn, incident.id, kind, Some(evaluation.at), Some(evaluation.run_id), None, detail).await
}

/// What the run did when it was applied the first time.
async fn recall(conn: &mut PgConnection, evaluation: &Evaluation) -> Result<Changes, Error> {
    let mut changes = Changes { applied: true, ..Changes::default() };
    for incident in incidents::touched_by(conn, evaluation.run_id).await? {
        let run = Some(evaluation.run_id);
        let list = if incident.resolved_by_run == run {
            &mut changes.resolved
        } else if incident.opened_by_run == run {
            &mut changes.opened
        } else {
            &mut changes.continuing
        };
        list.push(IncidentSummary::from(&incident));
    }
    Ok(changes)
}

/// Acknowledges an open incident: who takes care of it. Doing it again changes nothing, whoever asks.
///
/// # Errors
/// [`Error::NoSuchIncident`], [`Error::NotOpen`] if it is resolved, or what the database says.
pub async fn acknowledge(
    conn: &mut PgConnection,
    id: Uuid,
    note: Option<&str>,
    actor: &Actor,
) -> Result<Incident, Error> {
    let done = incidents::acknowledge(conn, id, &actor.name, note).await?;
    if done {
        let who = Some(actor.name.as_str());
        incidents::add_event(conn, id, "acknowledged", None, None, who, json!({ "note": note })).await?;
    }
    let incident = incidents::get(&mut *conn, id).await?.ok_or_else(|| Error::NoSuchIncident(id.to_string()))?;
    if incident.state != "acknowledged" {
        return Err(Error::NotOpen { id, state: incident.state });
    }
    if done {
        let event = audit::Event {
            actor,
            action: "incident.acknowledged",
            outcome: audit::Outcome::Done,
            subject_kind: "incident",
            subject: &id.to_string(),
            detail: json!({ "job": incident.job_name, "title": incident.title, "note": note }),
        };
        audit::append(conn, &event).await?;
    }
    Ok(incident)
}

/// The incident whose id is, or uniquely begins with, `text` (at least 8 hexadecimal digits; dashes do not count).
///
/// # Errors
/// [`Error::NoIncidentId`], [`Error::NoSuchIncident`], [`Error::AmbiguousIncident`], or what the database says.
pub async fn find(pool: &PgPool, text: &str) -> Result<Uuid, Error> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if !(8..=32).contains(&digits.len()) || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(Error::NoIncidentId(text.to_owned()));
    }
    let bound = |fill: char| {
        let padded: String = digits.chars().chain(std::iter::repeat_n(fill, 32 - digits.len())).collect();
        Uuid::parse_str(&padded).map_err(|_| Error::NoIncidentId(text.to_owned()))
    };
    match incidents::ids_between(pool, bound('0')?, bound('f')?).await?.as_slice() {
        [] => Err(Error::NoSuchIncident(text.to_owned())),
        [id] => Ok(*id),
        _ => Err(Error::AmbiguousIncident(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule() {
        use FindingStatus::{Breach, Clear, Over, Unknown};
        let table = [
            (false, Breach, Step::Open),
            (true, Breach, Step::Fold),
            (true, Clear, Step::Resolve),
            (false, Clear, Step::Leave),
            (true, Unknown, Step::Leave),
            (false, Unknown, Step::Leave),
            (true, Over, Step::End),
            (false, Over, Step::End),
        ];
        for (is_live, status, step) in table {
            assert_eq!(decide(is_live, status), step, "{is_live} {status:?}");
        }
    }

    #[test]
    fn fingerprints_tell_apart() {
        assert_ne!(fingerprint("a", "drift", "x"), fingerprint("a", "metric", "x"));
        assert_ne!(fingerprint("a", "drift", "x"), fingerprint("b", "drift", "x"));
        assert_eq!(fingerprint("a", "drift", "x").len(), 64);
    }
}
