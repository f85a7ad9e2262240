//! `steward ab show`: how long a running test is likely to go on, by the pace of its rows so far.

use serde_json::Value;
use sqlx::PgPool;

use crate::support::database::TestDatabase;
use crate::support::steward::Site;

/// A running test that began `days` ago and had one look just now.
async fn looked_at(site: &Site, pool: &PgPool, name: &str, days: i32, more: &[&str], results: [&str; 2]) {
    let create = ["ab", "create", name, "--a", "m@1.0.0", "--b", "m@2.0.0", "--metric", "conversion"];
    site.ok(&[&create[..], more].concat());
    site.ok(&["ab", "start", name]);
    let back = "UPDATE model_ab_tests SET started_at = steward_now() - make_interval(days => $2) WHERE test_name = $1";
    sqlx::query(back).bind(name).bind(days).execute(pool).await.unwrap();
    site.ok(&["ab", "post", name, "--a", results[0], "--b", results[1]]);
}

/// The line that says what is left; none where there is none.
fn left(site: &Site, name: &str) -> Option<String> {
    let shown = site.ok(&["ab", "show", name]);
    shown.lines().find_map(|line| line.strip_prefix("left      ").map(str::to_owned))
}

fn document(site: &Site, name: &str) -> Value {
    serde_json::from_str(&site.ok(&["ab", "show", name, "--output", "json"])).unwrap()
}

/// The date so many days from now, as the database sees it.
async fn date(pool: &PgPool, seconds: f64) -> String {
    let ask = "SELECT to_char((steward_now() + make_interval(secs => $1)) AT TIME ZONE 'UTC', 'YYYY-MM-DD')";
    sqlx::query_scalar(ask).bind(seconds).fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_test_says_how_long_it_is_likely_to_go_on() {
    let database = TestDatabase::new().await;
    let (site, pool) = (Site::new(&database.url, ""), &database.pool);
    let arm = |n: u32, successes: u32| format!("{{\"n\": {n}, \"successes\": {successes}}}");

    // 840 rows a day; 1000 rows in each arm need 2.4 days in all.
    looked_at(&site, pool, "early", 2, &["--min-samples", "1000"], [&arm(840, 420), &arm(840, 430)]).await;
    let after = date(pool, 0.381 * 86_400.0).await;
    let said = left(&site, "early").unwrap();
    assert_eq!(said, format!("about 1 day at 840 rows a day until both arms have 1000 rows ({after})"));

    // 0.5 +- 0.5, 10,000 rows in ten days: 2 % of the mean need 39,245 rows in each arm, which is 78.49 days in all.
    looked_at(&site, pool, "on-the-way", 10, &[], [&arm(5000, 2500), &arm(5000, 2510)]).await;
    let said = left(&site, "on-the-way").unwrap();
    let shown = document(&site, "on-the-way");
    let outlook = &shown["outlook"];
    assert_eq!(shown["test_name"], "on-the-way", "the test itself is as it was: {shown}");
    assert_eq!((&outlook["days_left"], &outlook["reason"]), (&69.into(), &"success_threshold".into()), "{shown}");
    assert!((outlook["rows_per_day"].as_f64().unwrap() - 1000.0).abs() < 0.1, "{shown}");
    let until = &outlook["until"].as_str().unwrap()[..10];
    assert_eq!(said, format!("about 69 days at 1000 rows a day until 2.0 % can be shown ({until})"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_not_foreseen() {
    let database = TestDatabase::new().await;
    let (site, pool) = (Site::new(&database.url, ""), &database.pool);
    let arm = |n: u32, successes: u32| format!("{{\"n\": {n}, \"successes\": {successes}}}");
    let create = ["ab", "create", "new", "--a", "m@1.0.0", "--b", "m@2.0.0", "--metric", "conversion"];
    site.ok(&create);
    assert_eq!((left(&site, "new"), &document(&site, "new")["outlook"]), (None, &Value::Null), "a draft has no rows");
    site.ok(&["ab", "start", "new"]);
    assert_eq!(left(&site, "new").unwrap(), "no look yet: the rate of rows is not known");
    assert_eq!(document(&site, "new")["outlook"]["reason"], "no_look");

    looked_at(&site, pool, "today", 0, &["--planned-looks", "3"], [&arm(500, 250), &arm(500, 251)]).await;
    let said = left(&site, "today").unwrap();
    assert_eq!(said, "the rate of rows is known after a look that is a day or more from the start");

    looked_at(&site, pool, "decided", 9, &[], [&arm(10_000, 500), &arm(10_000, 600)]).await;
    assert_eq!((left(&site, "decided"), &document(&site, "decided")["outlook"]), (None, &Value::Null));
    site.ok(&["ab", "pause", "today"]);
    assert_eq!(left(&site, "today"), None, "nobody counts the days of a pause");
}
