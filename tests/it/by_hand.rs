//! Runs that somebody asks for: which tick a day means, and what an A/B test makes of them.

use sqlx::PgPool;

use crate::support::database::TestDatabase;
use crate::support::steward::Site;

/// A folder with one of the shipped jobs, over the shipped flights.
fn site(database: &TestDatabase, job: &str) -> Site {
    let root = env!("CARGO_MANIFEST_DIR");
    let site = Site::new(&database.url, "");
    let text = std::fs::read_to_string(format!("{root}/jobs/{job}.toml")).unwrap();
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("notify")).collect();
    site.job(job, &text.join("\n").replace("file://data/", &format!("file://{root}/data/")));
    site.ok(&["jobs", "apply"]);
    site
}

/// Status and decision of the only test, and its looks: decision, and whether it was asked for.
async fn standing(pool: &PgPool) -> (String, Option<String>, Vec<(String, bool)>) {
    let (status, decision) =
        sqlx::query_as("SELECT status, decision FROM model_ab_tests").fetch_one(pool).await.unwrap();
    let looks = "SELECT decision, (details ->> 'by_hand')::boolean FROM model_ab_test_results ORDER BY look";
    (status, decision, sqlx::query_as(looks).fetch_all(pool).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_somebody_asks_for_neither_decides_nor_ends_a_test() {
    let database = TestDatabase::new().await;
    let pool = &database.pool;
    let site = site(&database, "flights-ab");
    let by_hand = ("CONTINUE".to_owned(), true);
    site.ok(&["jobs", "run", "flights-ab", "--at", "2013-05-01", "--here"]);
    assert_eq!(standing(pool).await, ("running".to_owned(), None, vec![by_hand.clone()]));
    // Its window reaches the horizon, and still nobody but the schedule ends the test.
    site.ok(&["jobs", "run", "flights-ab", "--at", "2014-01-01", "--here"]);
    assert_eq!(standing(pool).await, ("running".to_owned(), None, vec![by_hand.clone(); 2]));
    let shown: String =
        sqlx::query_scalar("SELECT reason FROM model_ab_test_results WHERE look = 2").fetch_one(pool).await.unwrap();
    assert!(shown.starts_with("A look that somebody asks for decides nothing"), "{shown}");
    let runs: String =
        sqlx::query_scalar("SELECT id::text FROM runs ORDER BY created_at DESC LIMIT 1").fetch_one(pool).await.unwrap();
    site.ok(&["runs", "retry", &runs, "--here"]);
    site.ok(&["jobs", "backfill", "flights-ab", "--from", "2014-01-01", "--to", "2014-01-02"]);
    assert_eq!(standing(pool).await, ("running".to_owned(), None, vec![by_hand; 4]));

    site.ok(&["jobs", "replay", "flights-ab", "--from", "2013-05-01", "--to", "2014-01-02"]);
    let (status, decision, looks) = standing(pool).await;
    assert_eq!((status.as_str(), decision.as_deref()), ("concluded", Some("KEEP_A")), "{looks:?}");
    assert!(looks[4..].iter().all(|(_, by_hand)| !by_hand), "{looks:?}");
    let (level, share): (f64, f64) = sqlx::query_as(
        "SELECT (details ->> 'level')::float8, (details ->> 'share')::float8 FROM model_ab_test_results WHERE look = 5",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    // The tick after April: 30 days and some hours of the 275 until the end.
    assert!((share - 30.0 / 275.0).abs() < 2e-3, "{share}");
    let first = steward::ab::boundaries(&[share], 0.05, steward::ab::Spending::OBrienFleming)[0].level;
    assert!((level - first).abs() < 1e-15, "looks by hand use nothing of the plan up: {level}");
    let last: f64 = sqlx::query_scalar(
        "SELECT (details ->> 'share')::float8 FROM model_ab_test_results ORDER BY look DESC LIMIT 1",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert!((last - 1.0).abs() < 1e-12, "the horizon has all that is left of the level");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_means_the_tick_of_that_day() {
    let database = TestDatabase::new().await;
    let site = site(&database, "flights-score-v2-drift");
    let shown = site.run(&["jobs", "run", "flights-score-v2-drift", "--at", "2013-05-01", "--here"]);
    let (tick, score): (String, f64) = sqlx::query_as(
        "SELECT to_char(r.tick_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), round(c.drift_score::numeric, 3)::float8
           FROM runs r JOIN model_drift_detection c ON c.run_id = r.id",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert_eq!((tick.as_str(), score), ("2013-05-01 10:15", 0.308), "as README.md says: {shown:?}");

    let output = site.run(&["jobs", "run", "flights-score-v2-drift", "--at", "2013-05-02"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let near = "has no tick on 2013-05-02; the nearest are on 2013-05-01 (06:15 EDT) and 2013-06-01 (06:15 EDT)";
    assert!(said.contains(near), "{said}");
}
