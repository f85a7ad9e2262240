//! What `apply` would change: the job files against the database.
//!
//! Compares canonical documents key by key, so that comments and order are no change. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use super::load::Loaded;
use crate::db::jobs::{self as store, JobRow};

/// Job files against the database.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Plan {
    /// Jobs that the database does not have.
    pub added: Vec<Addition>,
    /// Jobs that say something else now.
    pub changed: Vec<Change>,
    /// Jobs that say the same.
    pub unchanged: Vec<String>,
    /// Jobs whose file is gone: removed with `prune` only.
    pub removed: Vec<String>,
}

/// A job that the database does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Addition {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its cron expression.
    pub schedule: Option<String>,
    /// There was one of that name, removed since: its history goes on.
    pub revived: bool,
}

/// A job that says something else now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Whether it is paused, and stays so.
    pub paused: bool,
    /// What changes.
    pub fields: Vec<FieldChange>,
}

/// One key of a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange {
    /// Its path, such as `drift.columns.carrier.method`.
    pub field: String,
    /// What the database has; none when the key is new.
    pub before: Option<Value>,
    /// What the file says; none when the key is gone.
    pub after: Option<Value>,
}

/// Why nothing was planned or applied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Files with mistakes change nothing.
    #[error("the job files have mistakes ({0}); nothing was changed")]
    Invalid(String),
    /// The database.
    #[error("the job definitions cannot be read or written")]
    Database(#[from] sqlx::Error),
    /// A schedule that cannot be stored.
    #[error(transparent)]
    Schedule(#[from] crate::schedule::Error),
    /// A document that cannot be written as JSON, or read back by this version.
    #[error("the document of `{name}` cannot be stored or read back")]
    Document {
        /// The job.
        name: String,
        /// What serde said.
        #[source]
        error: serde_json::Error,
    },
}

impl Plan {
    /// Whether applying would change nothing, with `prune` or without.
    #[must_use]
    pub fn is_empty(&self, prune: bool) -> bool {
        self.added.is_empty() && self.changed.is_empty() && (self.removed.is_empty() || !prune)
    }

    /// The plan for people. `prune` says what becomes of jobs whose file is gone.
    #[must_use]
    pub fn render(&self, prune: bool) -> String {
        let mut lines = Vec::new();
        for job in &self.added {
            let schedule = job.schedule.as_ref().map_or("on demand".to_owned(), |cron| format!("\"{cron}\""));
            let revived = if job.revived { ", was removed before" } else { "" };
            lines.push(format!("+ {} ({}, {schedule}{revived})", job.name, job.kind));
        }
        for job in &self.changed {
            lines.push(format!("~ {}{}", job.name, if job.paused { " (stays paused)" } else { "" }));
            for field in &job.fields {
                lines.push(match (&field.before, &field.after) {
                    (Some(before), Some(after)) => format!("    {}: {before} -> {after}", field.field),
                    (None, Some(after)) => format!("  + {}: {after}", field.field),
                    (Some(before), None) => format!("  - {}: {before}", field.field),
                    (None, None) => continue,
                });
            }
        }
        for name in &self.removed {
            lines.push(format!("- {name}{}", if prune { "" } else { " (its file is gone; kept without --prune)" }));
        }
        lines.push(format!(
            "{} to add, {} to change, {} to remove, {} unchanged",
            self.added.len(),
            self.changed.len(),
            if prune { self.removed.len() } else { 0 },
            self.unchanged.len()
        ));
        lines.join("\n")
    }
}

/// Compares loaded files with the database.
///
/// # Errors
/// When a file has mistakes, or the database fails.
pub async fn plan(pool: &PgPool, loaded: &Loaded) -> Result<Plan, Error> {
    let mut conn = pool.acquire().await?;
    Ok(compare(&mut conn, loaded).await?.plan)
}

/// A plan with what it rests on.
pub(super) struct Comparison {
    pub(super) plan: Plan,
    /// Every definition, by name.
    pub(super) rows: BTreeMap<String, JobRow>,
    /// Canonical document and digest of every loaded job, in the order of the files.
    pub(super) documents: Vec<(Value, String)>,
}

pub(super) async fn compare(conn: &mut PgConnection, loaded: &Loaded) -> Result<Comparison, Error> {
    if !loaded.diagnostics.is_empty() {
        return Err(Error::Invalid(super::diagnostic::count(&loaded.diagnostics)));
    }
    let rows: BTreeMap<String, JobRow> =
        store::all(conn).await?.into_iter().map(|row| (row.name.clone(), row)).collect();
    let mut plan = Plan::default();
    let mut documents = Vec::new();
    for file in &loaded.documents {
        let document = &file.document;
        let failed = |error| Error::Document { name: document.name.clone(), error };
        let canonical = document.canonical().map_err(failed)?;
        let digest = document.digest().map_err(failed)?;
        match rows.get(&document.name) {
            Some(row) if row.state != "removed" && row.digest == digest => plan.unchanged.push(document.name.clone()),
            Some(row) if row.state != "removed" => plan.changed.push(Change {
                name: document.name.clone(),
                paused: row.state == "paused",
                fields: differences(&row.document, &canonical),
            }),
            row => plan.added.push(Addition {
                name: document.name.clone(),
                kind: document.kind.clone(),
                schedule: document.schedule.clone(),
                revived: row.is_some(),
            }),
        }
        documents.push((canonical, digest));
    }
    let named: BTreeSet<&str> = loaded.documents.iter().map(|file| file.document.name.as_str()).collect();
    plan.removed = rows
        .values()
        .filter(|row| row.state != "removed" && !named.contains(row.name.as_str()))
        .map(|row| row.name.clone())
        .collect();
    plan.added.sort_by(|a, b| a.name.cmp(&b.name));
    plan.changed.sort_by(|a, b| a.name.cmp(&b.name));
    plan.unchanged.sort();
    Ok(Comparison { plan, rows, documents })
}

/// Every key that differs, by path.
fn differences(before: &Value, after: &Value) -> Vec<FieldChange> {
    let (before, after) = (leaves(before), leaves(after));
    let fields: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    fields
        .into_iter()
        .map(|field| FieldChange {
            field: field.clone(),
            before: before.get(field).cloned(),
            after: after.get(field).cloned(),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

/// The values of a document by path; lists are values.
fn leaves(document: &Value) -> BTreeMap<String, Value> {
    fn walk(value: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) if !map.is_empty() || path.is_empty() => {
                for (key, value) in map {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    walk(value, &path, found);
                }
            }
            value => drop(found.insert(path.to_owned(), value.clone())),
        }
    }
    let mut found = BTreeMap::new();
    walk(document, "", &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_told_key_by_key() {
        let before = json!({ "a": 1, "b": { "c": [1, 2], "d": "x" }, "e": {} });
        let after = json!({ "b": { "c": [1], "d": "x", "f": true }, "a": 1, "e": {} });
        let changes = differences(&before, &after);
        let told: Vec<_> = changes.iter().map(|c| (c.field.as_str(), c.before.clone(), c.after.clone())).collect();
        assert_eq!(told, [("b.c", Some(json!([1, 2])), Some(json!([1]))), ("b.f", None, Some(json!(true)))]);
        assert!(differences(&before, &before).is_empty());
    }

    #[test]
    fn a_plan_is_readable() {
        let plan = Plan {
            added: vec![
                Addition { name: "a".into(), kind: "drift".into(), schedule: Some("@daily".into()), revived: true },
                Addition { name: "b".into(), kind: "metrics".into(), schedule: None, revived: false },
            ],
            changed: vec![Change {
                name: "c".into(),
                paused: true,
                fields: vec![
                    FieldChange { field: "drift.threshold".into(), before: Some(json!(0.2)), after: Some(json!(0.3)) },
                    FieldChange { field: "owner".into(), before: None, after: Some(json!("ops")) },
                    FieldChange { field: "schedule".into(), before: Some(json!("@daily")), after: None },
                ],
            }],
            unchanged: vec!["d".into()],
            removed: vec!["e".into()],
        };
        insta::assert_snapshot!("plan", plan.render(false));
        assert!(plan.render(true).contains("\n- e\n2 to add, 1 to change, 1 to remove, 1 unchanged"));
        let only_removed = Plan { removed: vec!["e".into()], ..Plan::default() };
        assert!(only_removed.is_empty(false) && !only_removed.is_empty(true));
    }
}
