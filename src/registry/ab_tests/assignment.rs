//! Serving: which arm a unit belongs to, and who was sent where.
//!
//! The arm is a function of the plan's seed and the unit's name alone: no state, the same answer everywhere and for ever. When the split
//! grows, units move from A to B only. A test that does not run assigns nobody: everybody gets the control, with the reason,
//! and nothing is noted.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::super::validation::FieldProblem;
use super::rules::Rules;
use super::{Error, TestRow, get};
use crate::ab;
use crate::db::ab_tests::exposures;
pub use crate::db::ab_tests::exposures::Exposure;

/// Units that are assigned at once, at most.
pub const MOST_UNITS: usize = 10_000;
/// Bytes of a unit's or a request's name, at most.
pub(super) const LONGEST_ID: usize = 256;

/// The arm of a unit and the model that serves it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Assigned {
    /// The unit.
    pub unit_id: String,
    /// `a` or `b`.
    pub arm: String,
    /// The model of that arm.
    pub model_name: String,
    /// Its version.
    pub model_version: String,
}

/// The arm that serves a unit (a user, a session): `a` or `b`.
#[must_use]
pub fn assign(test: &TestRow, unit_id: &str) -> char {
    if ab::sees_b(&Rules::of(test).seed, unit_id, test.traffic_split) { 'b' } else { 'a' }
}

/// Who serves a unit of a test as it is: of one that does not run, the control.
#[must_use]
pub fn served(test: &TestRow, unit_id: &str) -> Assigned {
    let arm = if test.status == "running" { assign(test, unit_id) } else { 'a' };
    let (name, version) = match arm {
        'b' => (&test.model_b_name, &test.model_b_version),
        _ => (&test.model_a_name, &test.model_a_version),
    };
    Assigned {
        unit_id: unit_id.to_owned(),
        arm: arm.to_string(),
        model_name: name.clone(),
        model_version: version.clone(),
    }
}

/// Why everybody gets the control; none while the test runs.
#[must_use]
pub fn not_assigning(test: &TestRow) -> Option<String> {
    (test.status != "running").then(|| {
        format!("A/B test `{}` is {}: every unit gets the control, and nobody is counted", test.test_name, test.status)
    })
}

/// Assigns units and notes it: one row a unit, however often it comes. Unless `note` says so nothing is written.
///
/// # Errors
/// [`Error::Invalid`] for no, too many or unusable units, [`Error::NotFound`], the database's.
pub async fn assign_units(
    conn: &mut PgConnection,
    id: Uuid,
    units: &[String],
    note: bool,
) -> Result<(TestRow, Vec<Assigned>), Error> {
    check(units)?;
    let test = get(conn, id).await?;
    let assigned: Vec<Assigned> = units.iter().map(|unit| served(&test, unit)).collect();
    if note && test.status == "running" {
        let once: BTreeMap<&str, &str> = assigned.iter().map(|a| (a.unit_id.as_str(), a.arm.as_str())).collect();
        let (units, arms): (Vec<String>, Vec<String>) =
            once.into_iter().map(|(unit, arm)| (unit.to_owned(), arm.to_owned())).unzip();
        exposures::note(conn, id, &units, &arms).await?;
    }
    Ok((test, assigned))
}

fn check(units: &[String]) -> Result<(), Error> {
    let wrong = |pointer: String, detail: String| Error::Invalid(vec![FieldProblem { item: 0, pointer, detail }]);
    if units.is_empty() || units.len() > MOST_UNITS {
        let detail = format!("must name 1 to {MOST_UNITS} units, not {}", units.len());
        return Err(wrong("/units".to_owned(), detail));
    }
    match units.iter().position(|unit| !is_id(unit)) {
        Some(at) => Err(wrong(format!("/units/{at}"), ID.to_owned())),
        None => Ok(()),
    }
}

/// What ids look like.
pub(super) const ID: &str = "must have 1 to 256 bytes and no control characters";

/// Whether a text may name a unit or a request.
pub(super) fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// How many units were assigned.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Exposed {
    /// Units of A.
    pub units_a: i64,
    /// Units of B.
    pub units_b: i64,
    /// Share of B that the split promises.
    pub expected_share_b: f64,
    /// Share of B that there is; none without units.
    pub share_b: Option<f64>,
    /// How likely so much difference is by chance; none without units.
    pub sample_ratio_p_value: Option<f64>,
    /// Whether that is so unlikely that the assignment must be wrong.
    pub sample_ratio_mismatch: bool,
}

/// Counts the units that were assigned and holds them against the split.
///
/// # Errors
/// [`Error::NotFound`], the database's.
pub async fn exposed(conn: &mut PgConnection, id: Uuid) -> Result<Exposed, Error> {
    let test = get(conn, id).await?;
    let [a, b] = exposures::counts(conn, id).await?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let split = test.traffic_split;
    let ratio = ab::sample_ratio(&[count(a), count(b)], &[1.0 - split, split]);
    Ok(Exposed {
        units_a: a,
        units_b: b,
        expected_share_b: split,
        share_b: (a + b > 0).then(|| b as f64 / (a + b) as f64),
        sample_ratio_p_value: ratio.as_ref().map(|ratio| ratio.p_value.p()),
        sample_ratio_mismatch: ratio.is_some_and(|ratio| ratio.mismatch),
    })
}

/// Assigned units in their order, after the unit `after`.
///
/// # Errors
/// [`Error::NotFound`], the database's.
pub async fn exposures(pool: &PgPool, id: Uuid, after: &str, limit: i64) -> Result<Vec<Exposure>, Error> {
    let mut conn = pool.acquire().await?;
    get(&mut conn, id).await?;
    drop(conn);
    Ok(exposures::list(pool, id, after, limit).await?)
}
