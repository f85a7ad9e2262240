//! What evaluating a run gives: rows to store, findings to act on, and what it was asked to look at.
//!
//! A kind fills an [`Evaluated`]; `runner` commits it. Nothing here writes.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::config::Settings;
use crate::db::results::{DriftRow, MetricRow};
use crate::notify::Finding;
use crate::queue::Run;
use crate::registry::ab_tests::run::RunLook;
use crate::registry::artefact;
use crate::storage::Storage;

/// What a kind may use while it evaluates.
#[derive(Clone)]
pub struct Context {
    /// Settings of the process.
    pub settings: std::sync::Arc<Settings>,
    /// Datasets are read through it.
    pub storage: Storage,
    /// For look-ups that a judgement needs (the state of an A/B test); results are written by the runner.
    pub pool: PgPool,
    /// The time.
    pub clock: SharedClock,
    /// Set when the run was cancelled or lost its lease.
    pub cancel: CancellationToken,
    /// The run.
    pub run: Run,
    /// Whether the run stands in the database, so that what it reads is pinned there; a backtest's does not.
    pub is_stored: bool,
    /// The window that is judged, half open.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The model's version, where the job names a model.
    pub model: Option<(String, String)>,
}

/// Rows for the result tables.
#[derive(Debug)]
pub enum Rows {
    /// Nothing was judged (no data, unreadable input).
    None,
    /// Drift checks.
    Drift(Vec<DriftRow>),
    /// Validation metrics.
    Metrics(Vec<MetricRow>),
    /// What was found behind the paths of model versions.
    Artefacts(Vec<artefact::Look>),
    /// What was found of an A/B test.
    AbTest(Box<RunLook>),
}

/// An evaluation that is ready to be committed.
#[derive(Debug)]
pub struct Evaluated {
    /// One word for the run: `ok`, `drifted`, `breached`, `no_data`, ...
    pub outcome: String,
    /// What a person reads first, as an ordered map.
    pub summary: Value,
    /// The rows.
    pub rows: Rows,
    /// What breached, what is clear, what is unknown.
    pub findings: Vec<Finding>,
    /// Kinds of finding that were judged completely: an open incident of such a kind whose subject is not among the
    /// findings is no longer judged.
    pub complete_kinds: Vec<&'static str>,
    /// Bytes read from storage.
    pub bytes_read: u64,
}
