//! What a run found of a test, kept in the run's own transaction: the test itself when it is new, the look, the objects it read.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Error, TestRow, get};
use crate::db::ab_tests::objects::ReadObject;
use crate::db::ab_tests::{self, LookRow, TestPlan, objects};
use crate::db::audit::{self, Actor, Event, Outcome};

/// What a run found.
#[derive(Debug, Clone)]
pub struct RunLook {
    /// The test as it is made when it is not there.
    pub plan: TestPlan,
    /// Looks that the run knew of: another number by now means that somebody else looked meanwhile.
    pub looks: i32,
    /// The look; none when it only says how far the test is.
    pub look: Option<NewLook>,
    /// Objects that it read.
    pub read: Vec<ReadObject>,
    /// Objects that are no longer there: their input and name.
    pub gone: Vec<(String, String)>,
}

/// A look and what it does to the test.
#[derive(Debug, Clone)]
pub struct NewLook {
    /// The look; its number is given when it is stored.
    pub row: LookRow,
    /// Its decision stands from now on, unless one stands already.
    pub decided: bool,
    /// It ends the test.
    pub concluded: bool,
}

/// What was kept, for the audit trail.
#[derive(Debug, Clone)]
pub struct Recorded {
    id: Uuid,
    is_new: bool,
}

/// Keeps what a run found.
///
/// # Errors
/// [`Error::Moved`] when somebody looked at, paused or ended the test meanwhile: the run judges again; the database's.
pub async fn record(conn: &mut PgConnection, found: &RunLook, actor: &Actor) -> Result<Recorded, Error> {
    let (id, is_new) = ab_tests::ensure(conn, &found.plan, &actor.name).await?;
    let test = get(conn, id).await?;
    if test.status != "running" || test.looks != found.looks {
        return Err(Error::Moved(test.test_name));
    }
    for read in &found.read {
        objects::keep(conn, id, read).await?;
    }
    for role in ["current", "reference"] {
        let gone: Vec<String> = found.gone.iter().filter(|(of, _)| of == role).map(|(_, name)| name.clone()).collect();
        if !gone.is_empty() {
            objects::forget(conn, id, role, &gone).await?;
        }
    }
    if let Some(look) = &found.look {
        let row = LookRow { look: test.looks + 1, ..look.row.clone() };
        ab_tests::record_look(conn, id, &row, look.decided, look.concluded, &actor.name).await?;
    }
    Ok(Recorded { id, is_new })
}

/// Notes it in the audit trail, whose head is locked until the commit: last of all.
///
/// # Errors
/// The database's.
pub async fn note(
    conn: &mut PgConnection,
    found: &RunLook,
    recorded: &Recorded,
    run_id: Uuid,
    actor: &Actor,
) -> Result<(), Error> {
    let test: TestRow = get(conn, recorded.id).await?;
    let mut events = Vec::new();
    if recorded.is_new {
        events.push(("ab_test.created", json!({ "test_name": test.test_name, "run_id": run_id })));
        let plan = json!({ "test_name": test.test_name, "plan": test.plan, "run_id": run_id });
        events.push(("ab_test.started", plan));
    }
    if let Some(look) = &found.look {
        let row = &look.row;
        let detail = json!({
            "test_name": test.test_name, "look": test.looks, "n_a": row.n_a, "n_b": row.n_b, "decision": row.decision,
            "winner": row.winner, "p_value": row.p_value, "relative_improvement": row.relative_improvement,
            "is_final": look.concluded, "run_id": run_id,
        });
        events.push(("ab_test.evaluated", detail));
        if look.concluded {
            let detail = json!({ "test_name": test.test_name, "decision": test.decision, "winner": test.winner });
            events.push(("ab_test.concluded", detail));
        }
    }
    let subject = recorded.id.to_string();
    for (action, detail) in events {
        let outcome = Outcome::Done;
        audit::append(conn, &Event { actor, action, outcome, subject_kind: "ab_test", subject: &subject, detail })
            .await?;
    }
    Ok(())
}
