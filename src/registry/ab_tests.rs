//! A/B tests that people create, start, feed with results and end.
//!
//! Uses `db`, `notify`, and `ab` for every judgement (in [`judge`] alone). What holds: draft -> running <-> paused -> concluded | cancelled, each step under a
//! lock of the row; the plan is frozen at the start (the database refuses changes); a look that the plan does not know can
//! never be significant; looks before both arms have their rows decide nothing and use nothing up. Nothing is promoted
//! by itself. Tests that a job declares are the same rows; their evaluation stands in `jobs`.

pub mod assignment;
mod evaluate;
pub mod judge;
mod new_test;
pub mod observations;
mod observed;
mod posted;
pub mod records;
mod results;
pub mod rules;
pub mod run;
pub mod side_metric;
pub mod told;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

pub use crate::db::ab_tests::register::{ResultRow, TestRow};
pub use assignment::assign;
pub use evaluate::{Evidence, evaluate};
pub use new_test::{NewTest, create, seed_of};
pub use observations::{Observation, observe};
pub use observed::{Adjusted, Observed};
pub use posted::{BothArms, PostedResults};
pub use results::ArmResults;
pub use rules::Rules;
pub use side_metric::SideMetric;

use super::Setup;
use super::validation::{self, FieldProblem};
use crate::db::ab_tests::register;
use crate::db::audit::{self, Actor, Event, Outcome};
use crate::notify;

/// The specification's words for where a test stands.
pub const STATUSES: [&str; 5] = ["draft", "running", "paused", "concluded", "cancelled"];

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields are wrong (422).
    #[error("{}", .0.iter().map(|p| format!("{}: {}", p.pointer, p.detail)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldProblem>),
    /// No such test (404).
    #[error("there is no A/B test {0}")]
    NotFound(Uuid),
    /// The name is taken (409).
    #[error("there is an A/B test named `{0}` already; names are used once, choose another")]
    Exists(String),
    /// The test is in another state than the action needs (409).
    #[error("A/B test `{test}` is {status}: it cannot be {wanted}; {hint}")]
    State {
        /// The test.
        test: String,
        /// Where it stands.
        status: String,
        /// What was asked for, as a participle.
        wanted: &'static str,
        /// What to do.
        hint: String,
    },
    /// One of the versions is unknown or deleted (as the error inside says).
    #[error(transparent)]
    Version(validation::Error),
    /// The test is not known by that name (404).
    #[error("there is no A/B test named `{0}`")]
    NoName(String),
    /// Somebody looked at it, paused or ended it while it was judged (409).
    #[error("A/B test `{0}` changed while it was judged")]
    Moved(String),
    /// Telling people (503).
    #[error(transparent)]
    Notify(#[from] notify::Error),
    /// The database (503).
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// The stable word for it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_request",
            Self::NotFound(_) | Self::NoName(_) => "ab_test_not_found",
            Self::Exists(_) => "ab_test_exists",
            Self::State { .. } | Self::Moved(_) => "ab_test_state",
            Self::Version(error) => error.code(),
            Self::Notify(_) | Self::Database(_) => "database_error",
        }
    }

    /// The fields that are wrong; empty for every other error.
    #[must_use]
    pub fn problems(&self) -> &[FieldProblem] {
        match self {
            Self::Invalid(problems) => problems,
            Self::Version(error) => error.problems(),
            _ => &[],
        }
    }
}

impl From<validation::Error> for Error {
    fn from(error: validation::Error) -> Self {
        match error {
            validation::Error::Database(error) => Self::Database(error),
            validation::Error::Invalid(problems) => Self::Invalid(problems),
            error => Self::Version(error),
        }
    }
}

/// The test of that id.
///
/// # Errors
/// [`Error::NotFound`], the database's.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<TestRow, Error> {
    register::get(conn, id).await?.ok_or(Error::NotFound(id))
}

/// The test that is meant by an id or a name.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NoName`], the database's.
pub async fn find(conn: &mut PgConnection, which: &str) -> Result<TestRow, Error> {
    match register::by_name(conn, which).await? {
        Some(test) => Ok(test),
        None => match Uuid::parse_str(which) {
            Ok(id) => get(conn, id).await,
            Err(_) => Err(Error::NoName(which.to_owned())),
        },
    }
}

/// Tests, newest first, after the one at `before`; only those with that status, when one is given.
///
/// # Errors
/// [`Error::Invalid`] for an unknown status, the database's.
pub async fn list(
    pool: &PgPool,
    status: Option<&str>,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<TestRow>, Error> {
    if let Some(status) = status.filter(|status| !STATUSES.contains(status)) {
        let detail = format!("there is no status {status:?}; choose one of {}", STATUSES.join(", "));
        return Err(Error::Invalid(vec![FieldProblem { item: 0, pointer: "/status".to_owned(), detail }]));
    }
    Ok(register::list(pool, status, before, limit).await?)
}

/// The looks at a test after look number `after`, oldest first.
///
/// # Errors
/// [`Error::NotFound`], the database's.
pub async fn results(pool: &PgPool, id: Uuid, after: i32, limit: i64) -> Result<Vec<ResultRow>, Error> {
    let mut conn = pool.acquire().await?;
    get(&mut conn, id).await?;
    drop(conn);
    Ok(register::results(pool, id, after, limit).await?)
}

/// Starts a draft: its plan is frozen from here on.
///
/// # Errors
/// [`Error::NotFound`], [`Error::State`] unless it is a draft, a version deleted meanwhile, the database's.
pub async fn start(conn: &mut PgConnection, id: Uuid, actor: &Actor) -> Result<TestRow, Error> {
    let test = in_state(conn, id, &["draft"], "started").await?;
    for (name, version) in [(&test.model_a_name, &test.model_a_version), (&test.model_b_name, &test.model_b_version)] {
        validation::known_version(conn, name, version, None).await?;
    }
    let mut plan = serde_json::to_value(Rules::of(&test)).unwrap_or_else(|_| test.plan.clone());
    plan["frozen_by"] = json!(actor.name);
    register::start(conn, id, &plan).await?;
    changed(conn, id, "ab_test.started", json!({ "plan": plan }), actor).await
}

/// Pauses a running test: nothing is evaluated, and everybody gets the control, until it is resumed.
///
/// # Errors
/// [`Error::NotFound`], [`Error::State`] unless it is running, the database's.
pub async fn pause(conn: &mut PgConnection, id: Uuid, reason: Option<&str>, actor: &Actor) -> Result<TestRow, Error> {
    in_state(conn, id, &["running"], "paused").await?;
    register::set_status(conn, id, "paused").await?;
    changed(conn, id, "ab_test.paused", json!({ "reason": reason }), actor).await
}

/// Resumes a paused test.
///
/// # Errors
/// [`Error::NotFound`], [`Error::State`] unless it is paused, the database's.
pub async fn resume(conn: &mut PgConnection, id: Uuid, actor: &Actor) -> Result<TestRow, Error> {
    in_state(conn, id, &["paused"], "resumed").await?;
    register::set_status(conn, id, "running").await?;
    changed(conn, id, "ab_test.resumed", json!({}), actor).await
}

/// Gives a test up: it has no decision but the one it may have reached.
///
/// # Errors
/// [`Error::NotFound`], [`Error::State`] when it has ended, the database's or that of messages.
pub async fn cancel(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    id: Uuid,
    reason: Option<&str>,
    actor: &Actor,
) -> Result<TestRow, Error> {
    in_state(conn, id, &["draft", "running", "paused"], "cancelled").await?;
    register::end(conn, id, "cancelled", None, &actor.name, reason).await?;
    ended(conn, setup, id, reason, actor).await?;
    changed(conn, id, "ab_test.cancelled", json!({ "reason": reason }), actor).await
}

/// Ends a test with the decision that it reached; without one it says neither. People are told, once. Nothing is promoted by it.
///
/// # Errors
/// [`Error::NotFound`], [`Error::State`] unless it is running or paused, the database's or that of messages.
pub async fn conclude(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    id: Uuid,
    reason: Option<&str>,
    actor: &Actor,
) -> Result<TestRow, Error> {
    in_state(conn, id, &["running", "paused"], "concluded").await?;
    register::end(conn, id, "concluded", Some("INCONCLUSIVE"), &actor.name, reason).await?;
    let test = ended(conn, setup, id, reason, actor).await?;
    let detail = json!({ "reason": reason, "decision": test.decision, "winner": test.winner });
    changed(conn, id, "ab_test.concluded", detail, actor).await
}

/// Tells people that somebody ended a test.
async fn ended(
    conn: &mut PgConnection,
    setup: Setup<'_>,
    id: Uuid,
    reason: Option<&str>,
    actor: &Actor,
) -> Result<TestRow, Error> {
    let test = get(conn, id).await?;
    let last = match test.looks {
        0 => None,
        look => Some(register::result(conn, id, look).await?),
    };
    let finding = told::of_end(&test, last.as_ref(), &actor.name, reason);
    told::tell(conn, setup, &test, &Rules::of(&test), finding).await?;
    Ok(test)
}

/// The test, locked, in one of these states.
async fn in_state(conn: &mut PgConnection, id: Uuid, states: &[&str], wanted: &'static str) -> Result<TestRow, Error> {
    if !register::lock(conn, id).await? {
        return Err(Error::NotFound(id));
    }
    let test = get(conn, id).await?;
    if states.contains(&test.status.as_str()) {
        return Ok(test);
    }
    let hint = match test.status.as_str() {
        "draft" => "start it first".to_owned(),
        "paused" => "resume it first".to_owned(),
        "running" if wanted == "started" => "it has been started already".to_owned(),
        "running" => "it is not paused".to_owned(),
        _ => "it has ended; create a new one".to_owned(),
    };
    Err(Error::State { test: test.test_name, status: test.status, wanted, hint })
}

/// Records the change and answers the test as it is now.
pub(super) async fn changed(
    conn: &mut PgConnection,
    id: Uuid,
    action: &str,
    detail: serde_json::Value,
    actor: &Actor,
) -> Result<TestRow, Error> {
    let test = get(conn, id).await?;
    let mut detail = detail;
    if let Some(fields) = detail.as_object_mut() {
        fields.insert("test_name".to_owned(), json!(test.test_name));
    }
    let event =
        Event { actor, action, outcome: Outcome::Done, subject_kind: "ab_test", subject: &id.to_string(), detail };
    audit::append(conn, &event).await?;
    Ok(test)
}
