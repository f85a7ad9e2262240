//! Rows that are posted one by one or in batches, and kept: each once by its request id.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::validation::FieldProblem;
use super::assignment::{ID, is_id};
use super::records::{Records, key};
use super::{Error, Rules, changed, in_state};
use crate::db::ab_tests::observations;
use crate::db::audit::Actor;

mod batch;

use batch::{Batch, Row};

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
    /// Values of the test's guardrails and secondary metrics, by name; what is not known yet may come later, as an outcome may.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Option<f64>>,
    /// What was known from before the test, where the plan names a covariate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariate: Option<f64>,
}

/// What became of posted rows.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Kept {
    /// Rows that are new.
    pub added: i64,
    /// Rows of which something that was missing has come.
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
    let test = in_state(conn, id, &["running"], "fed with results").await?;
    let problems = problems(rows, &Rules::of(&test));
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
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
    let mut batch = Batch::default();
    for row in rows {
        batch.add(row.request_id.clone().unwrap_or_else(|| format!("row-{}", Uuid::now_v7())), row);
    }
    let ids: Vec<String> = batch.rows.keys().cloned().collect();
    for row in observations::known(conn, id, &ids).await? {
        let kept = Row::of_kept(&row);
        batch.conflicting += batch.rows.get(&row.request_id).map_or(0, |given| i64::from(given.contradicts(&kept)));
    }
    let (duplicates, conflicting) = (batch.duplicates, batch.conflicting);
    let new = batch.columns();
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

fn problems(rows: &[Observation], rules: &Rules) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    let mut wrong = |pointer: String, detail: String| problems.push(FieldProblem { item: 0, pointer, detail });
    if rules.same_rows {
        let detail = format!(
            "`{}` compares both models on the same rows, and a row here is of one arm: post both models' results to look at",
            rules.statistical_test
        );
        wrong("/rows".to_owned(), detail);
        return problems;
    }
    let known: Vec<&str> = rules.side_names().collect();
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
        for (name, value) in [("outcome", row.outcome), ("covariate", row.covariate)] {
            if value.is_some_and(|value| !value.is_finite()) {
                wrong(format!("/rows/{at}/{name}"), "must be a finite number, or null when it is missing".to_owned());
            }
        }
        if row.covariate.is_some() && rules.covariate.is_none() {
            wrong(format!("/rows/{at}/covariate"), "the plan of this test names no covariate".to_owned());
        }
        for (name, value) in &row.metrics {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let detail = format!("is no guardrail or secondary metric of this test ({known})");
                wrong(format!("/rows/{at}/metrics/{name}"), detail);
            } else if value.is_some_and(|value| !value.is_finite()) {
                wrong(
                    format!("/rows/{at}/metrics/{name}"),
                    "must be a finite number, or null when it is missing".to_owned(),
                );
            }
        }
    }
    problems
}

/// Everything that was kept of a test, ready to be judged.
pub(super) async fn records(conn: &mut PgConnection, id: Uuid, rules: &Rules) -> Result<Records, Error> {
    let mut records = Records::default();
    for row in observations::all(conn, id).await? {
        let (request, unit) = (key(&row.request_id), row.unit.as_deref().map(key));
        let said = Row::of_kept(&row);
        let covariate = rules.covariate.as_ref().map(|_| row.covariate);
        let beside = rules.side_names().map(|name| said.metric(name));
        let values: Vec<Option<f64>> = std::iter::once(row.outcome).chain(covariate).chain(beside).collect();
        records.push(row.variant == "b", Some(request), unit, &values);
    }
    Ok(records)
}
