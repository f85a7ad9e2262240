//! Rows that are posted one by one or in batches, and kept: each once by its request id.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::validation::FieldProblem;
use super::assignment::{ID, is_id};
use super::records::{Records, key};
use super::{Error, changed, in_state};
use crate::db::ab_tests::observations::{self, NewRows};
use crate::db::audit::Actor;

/// Rows of one request, at most.
pub const MOST_ROWS: usize = 10_000;

/// A row of what was observed.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// What tells it from its repetition: the same id again is the same row. Made up when it is left out.
    #[serde(default)]
    pub request_id: Option<String>,
    /// Who it is about: a user, a session. All rows have one, or none has.
    #[serde(default)]
    pub unit_id: Option<String>,
    /// `a` (control) or `b` (treatment).
    pub variant: String,
    /// What came out; null when it is not known yet, and may then be posted again with the same request id.
    #[serde(default)]
    pub outcome: Option<f64>,
}

/// What became of posted rows.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Kept {
    /// Rows that are new.
    pub added: i64,
    /// Rows whose missing outcome has come.
    pub completed: i64,
    /// Repetitions.
    pub duplicates: i64,
    /// Repetitions that say something else; what was kept first stands.
    pub conflicting: i64,
    /// Rows of A that are kept by now.
    pub rows_a: i64,
    /// Rows of B that are kept by now.
    pub rows_b: i64,
}

impl Kept {
    /// What became of these rows and of those before them.
    #[must_use]
    pub fn after(mut self, before: Option<Self>) -> Self {
        if let Some(before) = before {
            self.added += before.added;
            self.completed += before.completed;
            self.duplicates += before.duplicates;
            self.conflicting += before.conflicting;
        }
        self
    }
}

/// Keeps rows of a running test. Nothing is evaluated: a look has its price, and is asked for by itself.
///
/// # Errors
/// [`Error::Invalid`] with every wrong row, [`Error::NotFound`], [`Error::State`] unless it is running, the database's.
pub async fn observe(conn: &mut PgConnection, id: Uuid, rows: &[Observation], actor: &Actor) -> Result<Kept, Error> {
    let problems = problems(rows);
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    in_state(conn, id, &["running"], "fed with results").await?;
    // Rows with and without units cannot be counted together, and rows that are kept stay.
    let given = rows.first().is_some_and(|row| row.unit_id.is_some());
    if let Some(kept) = observations::units(conn, id).await?
        && kept != given
    {
        let detail = if kept {
            "the rows before named their unit, so these must"
        } else {
            "the rows before named no unit, so these may not"
        };
        let pointer = "/rows/0/unit_id".to_owned();
        return Err(Error::Invalid(vec![FieldProblem { item: 0, pointer, detail: detail.to_owned() }]));
    }
    let mut new = NewRows::default();
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    let (mut duplicates, mut conflicting) = (0, 0);
    for row in rows {
        let request = row.request_id.clone().unwrap_or_else(|| format!("row-{}", Uuid::now_v7()));
        match seen.get(&request) {
            Some(&at) => {
                duplicates += 1;
                let same = (&new.units[at], &new.variants[at]) == (&row.unit_id, &row.variant);
                if same && new.outcomes[at].is_none() {
                    new.outcomes[at] = row.outcome;
                } else if !same || row.outcome.is_some_and(|outcome| Some(outcome) != new.outcomes[at]) {
                    conflicting += 1;
                }
            }
            None => {
                seen.insert(request.clone(), new.request_ids.len());
                new.request_ids.push(request);
                new.units.push(row.unit_id.clone());
                new.variants.push(row.variant.clone());
                new.outcomes.push(row.outcome);
            }
        }
    }
    let known = observations::known(conn, id, &new.request_ids).await?;
    for row in &known {
        let Some(&at) = seen.get(&row.request_id) else { continue };
        let same = (&new.units[at], &new.variants[at]) == (&row.unit, &row.variant);
        let outcome = match (row.outcome, new.outcomes[at]) {
            (Some(kept), Some(given)) => kept == given,
            _ => true,
        };
        conflicting += i64::from(!(same && outcome));
    }
    let (added, completed) = observations::keep(conn, id, &new).await?;
    let count = i64::try_from(new.request_ids.len()).unwrap_or(i64::MAX);
    let [rows_a, rows_b] = observations::counts(conn, id).await?;
    let kept =
        Kept { added, completed, duplicates: duplicates + count - added - completed, conflicting, rows_a, rows_b };
    if added + completed > 0 {
        changed(conn, id, "ab_test.observed", json!(kept), actor).await?;
    }
    Ok(kept)
}

fn problems(rows: &[Observation]) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    let mut wrong = |pointer: String, detail: String| problems.push(FieldProblem { item: 0, pointer, detail });
    if rows.is_empty() || rows.len() > MOST_ROWS {
        wrong("/rows".to_owned(), format!("must hold 1 to {MOST_ROWS} rows, not {}", rows.len()));
    }
    let with_units = rows.first().is_some_and(|row| row.unit_id.is_some());
    for (at, row) in rows.iter().enumerate().take(MOST_ROWS) {
        if !matches!(row.variant.as_str(), "a" | "b") {
            wrong(format!("/rows/{at}/variant"), format!("must be a or b, not {:?}", row.variant));
        }
        for (name, id) in [("request_id", &row.request_id), ("unit_id", &row.unit_id)] {
            if id.as_deref().is_some_and(|id| !is_id(id)) {
                wrong(format!("/rows/{at}/{name}"), ID.to_owned());
            }
        }
        if row.unit_id.is_some() != with_units {
            wrong(format!("/rows/{at}/unit_id"), "all rows name their unit, or none does".to_owned());
        }
        if row.outcome.is_some_and(|outcome| !outcome.is_finite()) {
            wrong(format!("/rows/{at}/outcome"), "must be a finite number, or null when it is missing".to_owned());
        }
    }
    problems
}

/// Everything that was kept of a test, ready to be judged.
pub(super) async fn records(conn: &mut PgConnection, id: Uuid) -> Result<Records, Error> {
    let mut records = Records::default();
    for row in observations::all(conn, id).await? {
        let unit = row.unit.as_deref().map(key);
        records.push(row.variant == "b", Some(key(&row.request_id)), unit, row.outcome);
    }
    Ok(records)
}
