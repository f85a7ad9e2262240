//! A/B tests on a real database: from draft to decision, and everything that is refused on the way.

use serde_json::json;
use sqlx::PgPool;
use steward::db::audit::Actor;
use steward::registry::ab_tests::{self, ArmResults, Error, Evidence, NewTest, PostedResults, TestRow};
use uuid::Uuid;

use crate::support::database::TestDatabase;
use crate::support::registry::Desk;

fn spec() -> NewTest {
    serde_json::from_value(json!({
        "test_name": "biodiversity_v2_vs_v1",
        "model_a_name": "biodiversity_ensemble",
        "model_a_version": "0.1.0",
        "model_b_name": "biodiversity_ensemble",
        "model_b_version": "0.2.0",
        "success_metric": "accuracy",
    }))
    .unwrap()
}

fn ada() -> Actor {
    Actor::local("ada")
}

async fn create(pool: &PgPool, new: &NewTest) -> Result<TestRow, Error> {
    let mut tx = pool.begin().await.unwrap();
    let test = ab_tests::create(&mut tx, new, Desk::default().setup(), true, &ada()).await?;
    tx.commit().await.unwrap();
    Ok(test)
}

async fn started(pool: &PgPool, new: &NewTest) -> TestRow {
    let test = create(pool, new).await.unwrap();
    ab_tests::start(&mut pool.acquire().await.unwrap(), test.id, &ada()).await.unwrap()
}

/// `n` values around `mean` whose spread is the same for every mean.
fn around(mean: f64, n: usize) -> Vec<Option<f64>> {
    (0..n).map(|i| Some(mean + if i % 2 == 0 { 0.01 } else { -0.01 })).collect()
}

/// What is posted, and whether it is the last of it.
#[derive(Clone)]
struct Posted(Evidence, bool);

fn both(a: f64, b: f64, n: usize) -> Posted {
    let results = PostedResults::of(ArmResults::Values(around(a, n)), ArmResults::Values(around(b, n)));
    Posted(Evidence::Posted(Box::new(results)), false)
}

fn last(a: f64, b: f64, n: usize) -> Posted {
    Posted(both(a, b, n).0, true)
}

async fn look(pool: &PgPool, id: Uuid, posted: &Posted) -> Result<ab_tests::ResultRow, Error> {
    let mut tx = pool.begin().await.unwrap();
    let desk = Desk::default();
    let result = ab_tests::evaluate(&mut tx, desk.setup(), id, &posted.0, posted.1, &ada()).await?;
    tx.commit().await.unwrap();
    Ok(result)
}

#[tokio::test]
async fn the_specifications_example_runs_from_draft_to_conclusion() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let test = create(pool, &spec()).await.unwrap();
    assert_eq!(test.status, "draft");
    let defaults = (test.traffic_split, test.min_samples, test.success_threshold, test.significance_level);
    assert_eq!(defaults, (0.5, 100, 0.02, 0.05));
    assert_eq!((test.statistical_test.as_str(), test.created_by.as_deref()), ("t_test", Some("ada")));
    let test = started(pool, &NewTest { test_name: "again".into(), ..spec() }).await;
    assert!(test.status == "running" && test.started_at.is_some());

    let result = look(pool, test.id, &both(0.86, 0.90, 200)).await.unwrap();
    assert!((result.relative_improvement.unwrap() - 100.0 * 0.04 / 0.86).abs() < 1e-9);
    assert!(result.is_significant && result.p_value.unwrap() < 1e-9 && result.meets_threshold);
    assert_eq!((result.decision.as_str(), result.winner.as_deref()), ("SHIP_B", Some("b")));
    assert_eq!((result.n_a, result.n_b, result.look), (200, 200, 1));
    let mut conn = pool.acquire().await.unwrap();
    let test = ab_tests::get(&mut conn, test.id).await.unwrap();
    assert_eq!(
        (test.status.as_str(), test.decision.as_deref(), test.winner.as_deref()),
        ("running", Some("SHIP_B"), Some("b"))
    );
    assert_eq!(ab_tests::results(pool, test.id, 0, 10).await.unwrap(), [result]);

    let test = ab_tests::conclude(&mut conn, Desk::default().setup(), test.id, Some("shipped"), &ada()).await.unwrap();
    assert_eq!((test.status.as_str(), test.decision.as_deref()), ("concluded", Some("SHIP_B")));
    assert!(test.ended_at.is_some());
    let actions: Vec<String> =
        sqlx::query_scalar("SELECT action FROM governance_events WHERE subject = $1 ORDER BY sequence")
            .bind(test.id.to_string())
            .fetch_all(pool)
            .await
            .unwrap();
    assert_eq!(actions, ["ab_test.created", "ab_test.started", "ab_test.evaluated", "ab_test.concluded"]);
}

#[tokio::test]
async fn looking_again_and_again_is_not_a_way_to_significance() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let test = started(pool, &spec()).await;
    // Progress before both arms have their rows uses nothing up.
    for n in [10, 50] {
        let early = look(pool, test.id, &both(0.86, 0.90, n)).await.unwrap();
        assert_eq!((early.decision.as_str(), early.is_significant), ("CONTINUE", false));
    }
    let first = look(pool, test.id, &both(0.86, 0.8601, 200)).await.unwrap();
    assert_eq!((first.decision.as_str(), first.is_significant), ("INCONCLUSIVE", false), "{first:?}");
    let second = look(pool, test.id, &both(0.86, 0.90, 400)).await.unwrap();
    assert!(!second.is_significant && second.decision == "INCONCLUSIVE", "an unplanned look never decides: {second:?}");
    assert!(second.reason.contains("no planned look is left; conclude the test"), "{second:?}");
    assert!(second.details["level"].is_null(), "{second:?}");
    let last = look(pool, test.id, &last(0.86, 0.90, 400)).await.unwrap();
    assert_eq!((last.look, last.decision.as_str(), last.is_significant), (5, "INCONCLUSIVE", false), "{last:?}");
    assert!(last.details["level"].is_null() && last.winner.is_none(), "the level was used up: {last:?}");
    assert!(last.reason.contains("the test ends without a decision"), "{last:?}");
    let test = ab_tests::get(&mut pool.acquire().await.unwrap(), test.id).await.unwrap();
    assert_eq!((test.status.as_str(), test.decision.as_deref()), ("concluded", Some("INCONCLUSIVE")));
    assert!(matches!(look(pool, test.id, &both(0.8, 0.9, 200)).await, Err(Error::State { .. })));
}

#[tokio::test]
async fn a_decision_stands_when_a_look_beyond_the_plan_ends_the_test() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let test = started(pool, &spec()).await;
    assert_eq!(look(pool, test.id, &both(0.86, 0.90, 200)).await.unwrap().decision, "SHIP_B");
    let last = look(pool, test.id, &last(0.90, 0.86, 400)).await.unwrap();
    assert_eq!((last.decision.as_str(), last.is_significant), ("INCONCLUSIVE", false), "{last:?}");
    assert!(last.reason.contains("the test ends with SHIP_B, which stands"), "{last:?}");
    let test = ab_tests::get(&mut pool.acquire().await.unwrap(), test.id).await.unwrap();
    assert_eq!(
        (test.status.as_str(), test.decision.as_deref(), test.winner.as_deref()),
        ("concluded", Some("SHIP_B"), Some("b"))
    );
}

#[tokio::test]
async fn a_last_look_with_too_few_rows_ends_the_test_without_a_decision() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let test = started(pool, &spec()).await;
    let last = look(pool, test.id, &last(0.86, 0.90, 50)).await.unwrap();
    assert_eq!((last.decision.as_str(), last.is_significant), ("INCONCLUSIVE", false));
    assert!(last.reason.starts_with("The test ends with too few rows for a decision: 50 rows of A"), "{last:?}");
    let test = ab_tests::get(&mut pool.acquire().await.unwrap(), test.id).await.unwrap();
    assert_eq!((test.status.as_str(), test.decision.as_deref()), ("concluded", Some("INCONCLUSIVE")));
}

#[tokio::test]
async fn a_look_says_what_is_left_of_the_plan() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let test = started(pool, &NewTest { planned_looks: 3, min_samples: 3, ..spec() }).await;
    let early = look(pool, test.id, &both(0.86, 0.90, 2)).await.unwrap();
    assert!(early.reason.ends_with("look 1 of 3 is still to come."), "{early:?}");
    assert!(early.details["level"].is_null(), "{early:?}");
    let (shares, rows) = ([1.0 / 3.0, 2.0 / 3.0, 1.0], [4.0, 6.0, 8.0]);
    let boundaries = steward::ab::boundaries_by(&shares, &rows, 0.05, steward::ab::Spending::OBrienFleming);
    for ((number, n), boundary) in [(1, 4), (2, 6), (3, 8)].into_iter().zip(boundaries) {
        let found = look(pool, test.id, &both(0.86, 0.868, n)).await.unwrap();
        let says =
            if number == 3 { "This was the last of 3 planned looks" } else { &format!("This is look {number} of 3") };
        assert!(found.reason.contains(says), "{found:?}");
        assert!((found.details["level"].as_f64().unwrap() - boundary.level).abs() < 1e-12, "{found:?}");
    }
}

#[tokio::test]
async fn an_error_metric_is_better_when_it_is_smaller() {
    let database = TestDatabase::new().await;
    let test = started(&database.pool, &NewTest { success_metric: "mae".into(), ..spec() }).await;
    assert!(test.lower_is_better, "by the metric's name");
    let result = look(&database.pool, test.id, &both(2.0, 1.5, 200)).await.unwrap();
    assert!((result.relative_improvement.unwrap() - 25.0).abs() < 1e-9);
    assert_eq!(result.winner.as_deref(), Some("b"));
}

#[tokio::test]
async fn every_step_has_its_states() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let mut conn = pool.acquire().await.unwrap();
    let id = create(pool, &spec()).await.unwrap().id;
    let refused = |result: Result<TestRow, Error>| {
        let error = result.unwrap_err();
        assert_eq!(error.code(), "ab_test_state", "{error}");
    };
    refused(ab_tests::pause(&mut conn, id, None, &ada()).await);
    refused(ab_tests::resume(&mut conn, id, &ada()).await);
    refused(ab_tests::conclude(&mut conn, Desk::default().setup(), id, None, &ada()).await);
    assert_eq!(look(pool, id, &both(1.0, 2.0, 100)).await.unwrap_err().code(), "ab_test_state");
    ab_tests::start(&mut conn, id, &ada()).await.unwrap();
    refused(ab_tests::start(&mut conn, id, &ada()).await);
    assert_eq!(ab_tests::pause(&mut conn, id, None, &ada()).await.unwrap().status, "paused");
    assert_eq!(look(pool, id, &both(1.0, 2.0, 100)).await.unwrap_err().code(), "ab_test_state");
    assert_eq!(ab_tests::resume(&mut conn, id, &ada()).await.unwrap().status, "running");
    let test = ab_tests::cancel(&mut conn, Desk::default().setup(), id, Some("wrong split"), &ada()).await.unwrap();
    assert_eq!((test.status.as_str(), test.decision), ("cancelled", None));
    refused(ab_tests::cancel(&mut conn, Desk::default().setup(), id, None, &ada()).await);
    refused(ab_tests::start(&mut conn, id, &ada()).await);
    let nobody = Uuid::nil();
    assert_eq!(ab_tests::start(&mut conn, nobody, &ada()).await.unwrap_err().code(), "ab_test_not_found");
    assert_eq!(ab_tests::results(pool, nobody, 0, 1).await.unwrap_err().code(), "ab_test_not_found");
}

#[tokio::test]
async fn the_plan_is_frozen_at_the_start() {
    let database = TestDatabase::new().await;
    let test = started(&database.pool, &spec()).await;
    assert_eq!(test.plan["frozen_by"], "ada");
    for change in [
        "min_samples = 2",
        "significance_level = 0.5",
        "success_metric = 'f1'",
        "plan = '{}'",
        "lower_is_better = true",
    ] {
        let sql = format!("UPDATE model_ab_tests SET {change}");
        let error = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&database.pool).await.unwrap_err();
        assert!(error.to_string().contains("frozen"), "{change}: {error}");
    }
}

#[tokio::test]
async fn a_test_that_cannot_be_is_refused_with_every_reason() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let wrong = NewTest {
        test_name: " ".into(),
        traffic_split: 1.0,
        min_samples: 1,
        success_threshold: -0.1,
        statistical_test: "ttest".into(),
        significance_level: f64::NAN,
        success_metric: "no good".into(),
        planned_looks: 0,
        model_b_version: "0.1.0+build".into(),
        ..spec()
    };
    let error = create(pool, &wrong).await.unwrap_err();
    let pointers: Vec<&str> = error.problems().iter().map(|p| p.pointer.as_str()).collect();
    for pointer in [
        "/test_name",
        "/traffic_split",
        "/min_samples",
        "/success_threshold",
        "/statistical_test",
        "/significance_level",
        "/success_metric",
        "/planned_looks",
        "/model_b_version",
    ] {
        assert!(pointers.contains(&pointer), "{pointer}: {error}");
    }
    assert!(error.to_string().contains("did you mean `t_test`?"), "{error}");
    let error = create(pool, &NewTest { model_b_version: "two".into(), ..spec() }).await.unwrap_err();
    assert_eq!(error.problems()[0].pointer, "/model_b_version");
    create(pool, &spec()).await.unwrap();
    assert_eq!(create(pool, &spec()).await.unwrap_err().code(), "ab_test_exists");
    let mut conn = pool.acquire().await.unwrap();
    let unknown = NewTest { test_name: "x".into(), model_b_version: "9.0.0".into(), ..spec() };
    let error = ab_tests::create(&mut conn, &unknown, Desk::default().setup(), false, &ada()).await.unwrap_err();
    assert_eq!(error.code(), "model_not_found");

    let error = create(pool, &NewTest { test_name: "y".into(), notify: vec!["nobody".into()], ..spec() }).await;
    assert_eq!(error.unwrap_err().problems()[0].pointer, "/notify/0");
    assert!(
        serde_json::from_value::<NewTest>(json!({"test_name": "x", "alpha": 1})).is_err(),
        "unknown fields are refused"
    );
}

#[tokio::test]
async fn tests_are_listed_by_status_page_by_page() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    for i in 0..5 {
        let new = NewTest { test_name: format!("t{i}"), ..spec() };
        if i % 2 == 0 {
            started(pool, &new).await;
        } else {
            create(pool, &new).await.unwrap();
        }
    }
    let names = |rows: Vec<TestRow>| rows.into_iter().map(|t| t.test_name).collect::<Vec<_>>();
    assert_eq!(names(ab_tests::list(pool, Some("running"), None, 10).await.unwrap()), ["t4", "t2", "t0"]);
    let first = ab_tests::list(pool, None, None, 2).await.unwrap();
    let before = Some((first[1].created_at, first[1].id));
    assert_eq!(names(ab_tests::list(pool, None, before, 10).await.unwrap()), ["t2", "t1", "t0"]);
    assert_eq!(ab_tests::list(pool, Some("done"), None, 1).await.unwrap_err().code(), "invalid_request");
}

#[tokio::test]
async fn units_keep_their_arm_when_the_split_grows() {
    let database = TestDatabase::new().await;
    let test = started(&database.pool, &NewTest { traffic_split: 0.2, ..spec() }).await;
    let wider = TestRow { traffic_split: 0.4, ..test.clone() };
    let units: Vec<String> = (0..10_000).map(|i| format!("user-{i}")).collect();
    let in_b = |test: &TestRow| units.iter().filter(|u| ab_tests::assign(test, u) == 'b').count();
    assert!((1_850..2_150).contains(&in_b(&test)), "{}", in_b(&test));
    assert!((3_800..4_200).contains(&in_b(&wider)), "{}", in_b(&wider));
    assert!(units.iter().all(|u| ab_tests::assign(&test, u) == 'a' || ab_tests::assign(&wider, u) == 'b'));
    let other =
        create(&database.pool, &NewTest { test_name: "other".into(), traffic_split: 0.5, ..spec() }).await.unwrap();
    let half = TestRow { traffic_split: 0.5, ..test };
    let same = units.iter().filter(|u| ab_tests::assign(&half, u) == ab_tests::assign(&other, u)).count();
    assert!((4_700..5_300).contains(&same), "tests do not share their arms: {same}");
}
