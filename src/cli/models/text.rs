//! How versions, checks and periods are written for people.

use serde_json::Value;

use crate::cli::output;
use crate::notify::text::one_line;
use crate::registry::{ApprovalState, GateAnswer, HistoryRow, ModelVersion};

/// A list of versions.
pub(super) fn versions(rows: &[ModelVersion]) -> String {
    let rows = rows
        .iter()
        .map(|v| {
            let stage = if v.deleted_at.is_some() { "deleted".to_owned() } else { v.stage.clone() };
            vec![
                v.model_name.clone(),
                v.version.clone(),
                stage,
                output::time(Some(v.created_at)),
                one_line(v.created_by.as_deref().unwrap_or("-")),
                one_line(v.approved_by.as_deref().unwrap_or("-")),
                v.artefact_status.clone(),
                if v.aliases.is_empty() { "-".to_owned() } else { v.aliases.join(", ") },
            ]
        })
        .collect();
    output::table(
        &["model", "version", "stage", "registered (UTC)", "by", "approved by", "artefact", "aliases"],
        &[],
        rows,
    )
}

/// One version.
pub(super) fn version(v: &ModelVersion) -> String {
    let mut facts = vec![
        ("model", v.model_name.clone()),
        ("version", v.version.clone()),
        ("stage", v.stage.clone()),
        (
            "registered",
            format!("{} UTC by {}", output::time(Some(v.created_at)), v.created_by.as_deref().unwrap_or("-")),
        ),
    ];
    if v.auto_registered {
        facts.push(("", "automatically, because it was used; register it to complete it".to_owned()));
    }
    if v.promoted_at.is_some() {
        let by = v.approved_by.as_deref().unwrap_or("-");
        facts.push(("promoted", format!("{} UTC, approved by {by}", output::time(v.promoted_at))));
    }
    for (label, value) in [
        ("description", &v.description),
        ("owner", &v.owner),
        ("path", &v.model_path),
        ("trained on", &v.training_data_path),
    ] {
        if let Some(value) = value {
            facts.push((label, value.clone()));
        }
    }
    let artefact = match (&v.artefact_digest, &v.artefact_detail) {
        (_, Some(detail)) => format!("{}: {detail}", v.artefact_status),
        (Some(digest), None) => format!("{}, {digest}", v.artefact_status),
        (None, None) => v.artefact_status.clone(),
    };
    facts.push(("artefact", artefact));
    for (label, value) in [("parameters", &v.hyperparameters), ("training", &v.training_metadata), ("tags", &v.tags)] {
        if value.as_object().is_some_and(|map| !map.is_empty()) {
            facts.push((label, pairs(value)));
        }
    }
    if !v.aliases.is_empty() {
        facts.push(("aliases", v.aliases.join(", ")));
    }
    facts.push(("revision", v.revision.to_string()));
    let lines: Vec<String> =
        facts.into_iter().map(|(label, value)| format!("{label:<13}{}", one_line(&value))).collect();
    lines.join("\n")
}

/// `a=1, b=x` of an object.
fn pairs(value: &Value) -> String {
    let map = value.as_object().cloned().unwrap_or_default();
    let parts: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    parts.join(", ")
}

/// Each gate's answer, a line each.
pub(super) fn gates(answers: &[GateAnswer]) -> Vec<String> {
    answers
        .iter()
        .map(|a| format!("  {}  {:<18} {}", if a.passed { "yes" } else { "no " }, a.gate, one_line(&a.detail)))
        .collect()
}

/// The approvals of a promotion, in lines.
pub(super) fn approvals(state: &ApprovalState) -> Vec<String> {
    let who = if state.approvers.is_empty() { String::new() } else { format!(" ({})", state.approvers.join(", ")) };
    let mut lines = vec![format!("approvals: {} of {}{who}", state.have, state.needed)];
    for stale in &state.stale {
        lines.push(format!("  that of {} does not count: {}", stale.approver, stale.why));
    }
    if let Some(who) = &state.own_act {
        lines.push(format!("  {who} registered the version and cannot approve it"));
    }
    lines
}

/// Periods, newest first.
pub(super) fn history(rows: &[HistoryRow]) -> String {
    let rows = rows
        .iter()
        .map(|h| {
            let mut note = h.reason.as_deref().map(one_line).unwrap_or_default();
            if h.break_glass {
                note = format!("BREAK-GLASS: {note}");
            }
            vec![
                h.version.clone(),
                h.from_stage.clone().unwrap_or_else(|| "registered".to_owned()),
                h.stage.clone(),
                seconds(h.valid_from),
                h.valid_to.map_or_else(|| "now".to_owned(), seconds),
                one_line(&h.actor),
                one_line(h.approved_by.as_deref().unwrap_or("-")),
                note,
            ]
        })
        .collect();
    output::table(&["version", "from", "stage", "since (UTC)", "until", "by", "approved by", "reason"], &[], rows)
}

/// An instant, to the second.
fn seconds(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}
