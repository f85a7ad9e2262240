//! `steward ab assign|post`: who is served by which model, and what came out.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::super::exit;
use super::super::output::{self, Format};
use super::life::{By, How, failure};
use super::text;
use crate::app::App;
use crate::registry::ab_tests::assignment::{self, MOST_UNITS};
use crate::registry::ab_tests::observations::MOST_ROWS;
use crate::registry::ab_tests::{self, BothArms, Error, Evidence, Observation, PostedResults};
use crate::registry::validation::FieldProblem;

/// Arguments of `steward ab assign`.
#[derive(Debug, Args)]
pub(super) struct Assign {
    /// The test: its name or its id.
    test: String,
    /// The units: users, sessions, whatever must always get the same model.
    #[arg(value_name = "UNIT", required_unless_present = "from")]
    units: Vec<String>,
    /// A file with a unit on every line; - is the standard input.
    #[arg(long, value_name = "FILE")]
    from: Option<String>,
    /// Only say it: nothing is noted.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    how: How,
}

/// The text of a file, or of the standard input.
fn read(path: &str) -> anyhow::Result<String> {
    if path == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("the standard input cannot be read")?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(|error| exit::Failure::usage(format!("{path}: {error}")).into())
}

impl Assign {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let mut units = self.units;
        if let Some(path) = &self.from {
            units.extend(read(path)?.lines().filter(|line| !line.is_empty()).map(str::to_owned));
        }
        let mut tx = app.database.pool.begin().await?;
        let id = ab_tests::find(&mut tx, &self.test).await.map_err(failure)?.id;
        let (mut all, mut reason) = (Vec::new(), None);
        for batch in units.chunks(MOST_UNITS) {
            let done = assignment::assign_units(&mut tx, id, batch, !self.dry_run).await;
            let (test, assigned) = done.map_err(failure)?;
            reason = assignment::not_assigning(&test);
            all.extend(assigned);
        }
        tx.commit().await?;
        if let Some(reason) = &reason {
            output::say(&format!("warning: {reason}"));
        }
        match self.how.output {
            Format::Json => output::json(&json!({ "test_id": id, "reason": reason, "assignments": all }))?,
            Format::Table => {
                let rows = all.into_iter().map(|a| vec![a.unit_id, a.arm, a.model_name, a.model_version]).collect();
                output::data(&output::table(&["unit", "arm", "model", "version"], &[], rows));
            }
        }
        Ok(exit::FINE)
    }
}

/// Arguments of `steward ab post`.
#[derive(Debug, Args)]
#[group(required = true, multiple = true, args = ["rows", "evaluate", "a"])]
pub(super) struct Post {
    /// The test: its name or its id.
    test: String,
    /// Rows to keep: a JSON object on every line, with variant, outcome, and request_id and unit_id where there are any; - is the
    /// standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "a")]
    rows: Option<String>,
    /// Look at all rows that were kept.
    #[arg(long, conflicts_with = "a")]
    evaluate: bool,
    /// All results of A so far: a list of values, or n with mean and variance, or n with successes; JSON, or @FILE.
    #[arg(long, value_name = "JSON", requires = "b", value_parser = json_argument)]
    a: Option<Value>,
    /// The same of B.
    #[arg(long, value_name = "JSON", requires = "a", value_parser = json_argument)]
    b: Option<Value>,
    /// Labels of the rows (0 or 1), where the test compares scores (delong); JSON, or @FILE.
    #[arg(long, value_name = "JSON", requires = "a", value_parser = json_argument)]
    labels: Option<Value>,
    /// Results of the plan's guardrails and secondary metrics: {NAME: {"model_a_results": ..., "model_b_results": ...}}; JSON, or @FILE.
    #[arg(long, value_name = "JSON", requires = "a", value_parser = json_argument)]
    metrics: Option<Value>,
    /// The last look: it ends the test, with the share of the level that its place in the plan has.
    #[arg(long = "final")]
    is_final: bool,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

/// Reads an argument as JSON; `@FILE` reads it from a file.
fn json_argument(text: &str) -> Result<Value, String> {
    let text = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| format!("not JSON: {error}"))
}

/// The rows of a file, each line on its own.
fn rows(path: &str) -> anyhow::Result<Vec<Observation>> {
    let text = read(path)?;
    if text.trim().is_empty() {
        return Err(exit::Failure::usage(format!("{path}: no row in it")).into());
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            serde_json::from_str(line)
                .map_err(|error| exit::Failure::usage(format!("{path}, line {}: {error}", at + 1)).into())
        })
        .collect()
}

/// The results of a look.
fn posted(a: &Value, b: &Value, labels: Option<&Value>, metrics: Option<&Value>) -> anyhow::Result<PostedResults> {
    let metrics: BTreeMap<String, BothArms> = match metrics {
        Some(metrics) => serde_json::from_value(metrics.clone()).map_err(|error| {
            exit::Failure::usage(format!(
                "--metrics: {error}; write {{\"latency_ms\": {{\"model_a_results\": ..., \"model_b_results\": ...}}}}"
            ))
        })?,
        None => BTreeMap::new(),
    };
    let arms = BothArms { model_a_results: a.clone(), model_b_results: b.clone() };
    PostedResults::read(&arms, labels, &metrics).map_err(|problem| {
        // `/model_a_results` of a request is `--a` here.
        let pointer = match problem.pointer.strip_prefix("/model_") {
            Some(rest) => format!("--{}", rest.replacen("_results", "", 1)),
            None => format!("--{}", problem.pointer.trim_start_matches('/')),
        };
        failure(Error::Invalid(vec![FieldProblem { pointer, ..problem }]))
    })
}

impl Post {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let actor = self.by.actor();
        let rows = self.rows.as_deref().map(rows).transpose()?;
        let mut tx = app.database.pool.begin().await?;
        let test = ab_tests::find(&mut tx, &self.test).await.map_err(failure)?;
        let mut kept = None;
        for batch in rows.iter().flat_map(|rows| rows.chunks(MOST_ROWS)) {
            let now = ab_tests::observe(&mut tx, test.id, batch, &actor).await.map_err(failure)?;
            kept = Some(now.after(kept));
        }
        let evidence = match (&self.a, &self.b) {
            (Some(a), Some(b)) => {
                Some(Evidence::Posted(Box::new(posted(a, b, self.labels.as_ref(), self.metrics.as_ref())?)))
            }
            _ => (self.evaluate || self.is_final).then_some(Evidence::Kept),
        };
        let mut look = None;
        if let Some(evidence) = &evidence {
            let setup = app.registry_setup();
            let done = ab_tests::evaluate(&mut tx, setup, test.id, evidence, self.is_final, &actor).await;
            look = Some(done.map_err(failure)?);
        }
        let test = ab_tests::get(&mut tx, test.id).await.map_err(failure)?;
        tx.commit().await?;
        if self.how.output == Format::Json {
            output::json(&json!({ "kept": kept, "look": look }))?;
            return Ok(exit::FINE);
        }
        if let Some(kept) = kept {
            output::data(&format!(
                "{} rows added, {} completed, {} repeated ({} of them say something else); {} of A and {} of B are kept",
                kept.added, kept.completed, kept.duplicates, kept.conflicting, kept.rows_a, kept.rows_b
            ));
        }
        if let Some(look) = look {
            output::data(&text::results(&test, std::slice::from_ref(&look)));
        }
        Ok(exit::FINE)
    }
}
