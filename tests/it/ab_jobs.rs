//! A/B tests that a job evaluates: only new objects are read, looks are taken when there is something to see, and what is odd in the
//! rows is counted.

use std::fmt::Write as _;

use serde_json::Value;
use sqlx::PgPool;

use crate::support::database::TestDatabase;
use crate::support::steward::Site;

const JOB: &str = r#"
name     = "served"
kind     = "ab_test"
schedule = "0 6 * * *"
timezone = "UTC"
model    = { name = "m" }
notify   = ["ml-oncall"]

[data]
current = { uri = "file://served/*.csv", time_column = "at" }

[ab_test]
test           = "served"
variant_column = "variant"
metric         = "mean"
outcome        = "outcome"
starts         = 2026-01-01
ends           = 2026-01-08

[ab_test.control]
variant = "old"
version = "1.0.0"

[ab_test.treatment]
variant = "new"
version = "2.0.0"
"#;

pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) site: Site,
}

impl World {
    /// A folder with the job, changed by `change`.
    pub(crate) async fn new(change: impl Fn(String) -> String) -> Self {
        let database = TestDatabase::new().await;
        let site = Site::new(&database.url, "");
        std::fs::create_dir(site.path().join("served")).unwrap();
        let world = Self { database, site };
        world.job("served", &change(JOB.to_owned()));
        world
    }

    pub(crate) fn job(&self, name: &str, text: &str) {
        self.site.job(name, &text.replace("file://", &format!("file://{}/", self.site.path().display())));
        self.site.ok(&["jobs", "apply"]);
    }

    /// The rows of a day in January: so many of each arm, of which shares succeed.
    pub(crate) fn day(&self, day: u32, rows: u32, shares: [u32; 2]) {
        let mut text = String::from("at,variant,user,request,outcome\n");
        for i in 0..rows * 2 {
            let is_b = i % 2;
            let outcome = u32::from(i / 2 % 10 < shares[is_b as usize]);
            let variant = if is_b == 1 { "new" } else { "old" };
            writeln!(text, "2026-01-{day:02}T08:00:00Z,{variant},u{day}-{i},r{day}-{i},{outcome}").unwrap();
        }
        self.file(&format!("{day:02}.csv"), &text);
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        std::fs::write(self.site.path().join("served").join(name), text).unwrap();
    }

    /// Runs the tick at six of a day in January, and answers the run's outcome and summary.
    pub(crate) async fn tick(&self, job: &str, day: u32) -> (String, Value) {
        let (from, to) = (format!("2026-01-{day:02}"), format!("2026-01-{:02}", day + 1));
        self.site.ok(&["jobs", "replay", job, "--from", &from, "--to", &to]);
        sqlx::query_as(
            "SELECT outcome, summary FROM runs WHERE job_name = $1 ORDER BY tick_at DESC, created_at DESC LIMIT 1",
        )
        .bind(job)
        .fetch_one(&self.database.pool)
        .await
        .unwrap()
    }

    /// The looks at a test: number, rows of A and of B, details.
    pub(crate) async fn looks(&self, test: &str) -> Vec<(i32, i64, i64, Value)> {
        sqlx::query_as(
            "SELECT r.look, r.n_a, r.n_b, r.details FROM model_ab_test_results r JOIN model_ab_tests t ON t.id = r.test_id
              WHERE t.test_name = $1 ORDER BY r.look",
        )
        .bind(test)
        .fetch_all(&self.database.pool)
        .await
        .unwrap()
    }
}

/// The same test under another name, for whoever reads everything at once.
fn other(name: &str) -> String {
    JOB.replace("\"served\"", &format!("\"{name}\""))
}

/// What must not depend on what was read when: everything but the plan's bookkeeping.
fn numbers(details: &Value) -> Value {
    let mut kept = details.clone();
    for key in ["objects", "level", "warnings", "decision", "reason", "is_significant", "winner", "difference_low"] {
        kept.as_object_mut().unwrap().remove(key);
    }
    for key in ["difference_high", "relative_improvement_ci", "minimum_detectable_difference", "is_final"] {
        kept.as_object_mut().unwrap().remove(key);
    }
    kept
}

async fn status(pool: &PgPool) -> (String, Option<String>, Value) {
    sqlx::query_as("SELECT status, decision, plan FROM model_ab_tests WHERE test_name = 'served'")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_new_objects_are_read_and_nothing_is_lost_by_it() {
    let world = World::new(|job| job).await;
    for day in 1..=3 {
        world.day(day, 150, [5, 5]);
        world.tick("served", day + 1).await;
    }
    let looks = world.looks("served").await;
    assert_eq!(looks.len(), 3, "{looks:?}");
    for (number, n_a, n_b, details) in &looks {
        let objects = &details["objects"];
        let (read, kept) = (objects["read"].as_i64().unwrap(), objects["kept"].as_i64().unwrap());
        assert_eq!((read, kept), (1, i64::from(number - 1)), "look {number}: {details}");
        assert_eq!((*n_a, *n_b), (150 * i64::from(*number), 150 * i64::from(*number)));
    }
    // Whoever reads all three at once finds the same.
    world.job("fresh", &other("fresh"));
    world.tick("fresh", 4).await;
    let fresh = world.looks("fresh").await.pop().unwrap().3;
    assert_eq!(fresh["objects"]["read"], 3);
    assert_eq!(numbers(&fresh), numbers(&looks[2].3));

    // An object that changes after it was read is read again, and that is said.
    world.day(1, 170, [5, 5]);
    world.day(4, 150, [5, 6]);
    let (_, summary) = world.tick("served", 5).await;
    let again = summary["read_again"].as_array().unwrap();
    assert!(again.len() == 1 && again[0].as_str().unwrap().ends_with("/01.csv"), "{summary}");
    world.job("fresh-again", &other("fresh-again"));
    world.tick("fresh-again", 5).await;
    let (_, n_a, _, found) = world.looks("served").await.pop().unwrap();
    assert_eq!((n_a, &found["objects"]["read"], &found["objects"]["kept"]), (620, &2.into(), &2.into()));
    assert_eq!(numbers(&world.looks("fresh-again").await.pop().unwrap().3), numbers(&found));

    // An object that goes is forgotten with its rows.
    std::fs::remove_file(world.site.path().join("served/02.csv")).unwrap();
    world.day(5, 150, [5, 5]);
    world.tick("served", 6).await;
    assert_eq!(world.looks("served").await.pop().unwrap().1, 620);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_behind_the_cut_off_are_read_again_when_their_time_has_come() {
    // One object holds two days: at the first tick half of it lies in the future.
    let world = World::new(|job| job).await;
    world.day(1, 120, [5, 5]);
    world.day(2, 120, [5, 5]);
    let text = |name: &str| std::fs::read_to_string(world.site.path().join("served").join(name)).unwrap();
    let both = text("01.csv") + text("02.csv").split_once('\n').unwrap().1;
    std::fs::remove_file(world.site.path().join("served/02.csv")).unwrap();
    world.file("01.csv", &both);
    world.tick("served", 2).await;
    world.tick("served", 3).await;
    let looks = world.looks("served").await;
    assert_eq!(
        looks.iter().map(|l| (l.1, &l.3["objects"]["read"])).collect::<Vec<_>>(),
        [(120, &1.into()), (240, &1.into())]
    );
    assert_eq!(looks[1].3["objects"]["read_again"], Value::Array(vec![]), "it did not change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_is_taken_when_there_is_something_to_see() {
    let world = World::new(|job| job).await;
    world.day(1, 60, [5, 5]);
    let (outcome, summary) = world.tick("served", 2).await;
    assert_eq!(outcome, "continue");
    let reason = summary["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("Nothing is looked at before each arm has 100 rows (60 rows of A and 60 of B"),
        "{reason}"
    );
    assert!(world.looks("served").await.is_empty());
    let (state, decision, plan) = status(&world.database.pool).await;
    assert_eq!((state.as_str(), decision), ("running", None));
    assert_eq!((plan["metric"].as_str(), plan["planned_looks"].as_i64()), (Some("mean"), Some(8)), "{plan}");
    assert_eq!(plan["seed"].as_str().map(str::len), Some(32), "{plan}");

    world.day(2, 60, [5, 5]);
    world.tick("served", 3).await;
    assert_eq!(world.looks("served").await.len(), 1);
    let (outcome, summary) = world.tick("served", 4).await;
    let reason = summary["reason"].as_str().unwrap();
    assert!(outcome == "continue" && reason.starts_with("No row came since look 1 (120 rows of A"), "{reason}");
    assert_eq!(world.looks("served").await.len(), 1);

    world.site.ok(&["ab", "pause", "served", "--reason", "logging is broken"]);
    world.day(4, 100, [5, 5]);
    let (outcome, summary) = world.tick("served", 5).await;
    assert_eq!(outcome, "skipped");
    assert!(summary["reason"].as_str().unwrap().contains("is paused"), "{summary}");
    world.site.ok(&["ab", "resume", "served"]);
    // The plan is frozen, whatever the file says by now.
    world.job("served", &JOB.replace("[ab_test]\n", "[ab_test]\nmin_samples = 5\nsignificance_level = 0.5\n"));
    let (_, summary) = world.tick("served", 6).await;
    let frozen: Vec<&str> = summary["frozen"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    assert_eq!(frozen, ["significance_level is 0.05 and not 0.5", "min_samples is 100 and not 5"]);
    // Nothing has been decided; the horizon ends it all the same, and people hear of it.
    let (_, summary) = world.tick("served", 8).await;
    assert_eq!(summary["decision"], "INCONCLUSIVE", "{summary}");
    let (state, decision, _) = status(&world.database.pool).await;
    assert_eq!((state.as_str(), decision.as_deref()), ("concluded", Some("INCONCLUSIVE")));
    let told: Vec<(String, String)> =
        sqlx::query_as("SELECT event_kind, subject FROM deliveries").fetch_all(&world.database.pool).await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("A/B test served has ended: INCONCLUSIVE."), "{told:?}");
    let actions: Vec<String> =
        sqlx::query_scalar("SELECT action FROM governance_events WHERE subject_kind = 'ab_test' ORDER BY sequence")
            .fetch_all(&world.database.pool)
            .await
            .unwrap();
    let expected = ["created", "started", "evaluated", "paused", "resumed", "evaluated", "evaluated", "concluded"];
    assert_eq!(actions, expected.map(|action| format!("ab_test.{action}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cut_off_holds_for_both_arms() {
    let delayed = |job: String| job.replace("starts  ", "label_delay = \"2d\"\nstarts  ");
    let world = World::new(delayed).await;
    for day in 1..=4 {
        world.day(day, 150, [5, 5]);
    }
    // The rows of the last two days have no outcome yet, in one arm more than in the other.
    let text = std::fs::read_to_string(world.site.path().join("served/04.csv")).unwrap();
    let late: Vec<String> =
        text.lines()
            .map(|line| {
                if line.contains(",new,") { line.rsplit_once(',').unwrap().0.to_owned() + "," } else { line.to_owned() }
            })
            .collect();
    world.file("04.csv", &late.join("\n"));
    let (outcome, summary) = world.tick("served", 2).await;
    assert_eq!(outcome, "skipped", "{summary}");
    assert!(summary["reason"].as_str().unwrap().contains("can have its outcome yet"), "{summary}");
    let (_, summary) = world.tick("served", 5).await;
    assert_eq!(
        (&summary["n_a"], &summary["n_b"], &summary["missing_b"]),
        (&300.into(), &300.into(), &0.into()),
        "{summary}"
    );
    // Two days later the outcomes should be there. They are not: that is no accident.
    let (_, summary) = world.tick("served", 7).await;
    assert_eq!((&summary["decision"], &summary["missing_b"]), (&"INVALID_DATA".into(), &150.into()), "{summary}");
    let (state, _, plan) = status(&world.database.pool).await;
    assert_eq!((state.as_str(), &plan["label_delay_seconds"]), ("running", &172_800.into()));
    // The horizon comes when the last rows can have theirs.
    world.tick("served", 9).await;
    assert_eq!(status(&world.database.pool).await.0, "running");
    world.tick("served", 10).await;
    assert_eq!(status(&world.database.pool).await.0, "concluded");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_odd_in_the_rows_is_counted() {
    let keyed = |job: String| job.replace("metric  ", "unit_column = \"user\"\nrequest_column = \"request\"\nmetric  ");
    let world = World::new(keyed).await;
    world.day(1, 150, [5, 5]);
    // The next day repeats ten requests, and five users of A come back and are sent to B.
    let mut text = String::from("at,variant,user,request,outcome\n");
    for i in 0..10 {
        let variant = if i % 2 == 1 { "new" } else { "old" };
        writeln!(text, "2026-01-01T08:00:00Z,{variant},u1-{i},r1-{i},{}", u32::from(i / 2 % 10 < 5)).unwrap();
    }
    for i in 0..5 {
        writeln!(text, "2026-01-02T08:00:00Z,new,u1-{},again-{i},1", 2 * i).unwrap();
    }
    writeln!(text, "2026-01-02T08:00:00Z,old,,nobody,1").unwrap();
    world.file("02.csv", &text);
    let (_, summary) = world.tick("served", 3).await;
    assert_eq!((&summary["n_a"], &summary["n_b"]), (&145.into(), &150.into()), "{summary}");
    assert_eq!((&summary["units_in_both_arms"], &summary["duplicates"]), (&5.into(), &10.into()), "{summary}");
    let details = world.looks("served").await.pop().unwrap().3;
    let data = &details["data"];
    assert_eq!(
        (&data["units"], &data["conflicting"], &data["without_unit"]),
        (&serde_json::json!([145, 150]), &0.into(), &1.into())
    );
    let warnings = details["warnings"].to_string();
    assert!(warnings.contains("5 units (1.67 %) were seen in both arms and count in neither"), "{warnings}");
    assert!(warnings.contains("10 rows repeat a request and were counted once"), "{warnings}");

    world.file("03.csv", "at,variant,user,request,outcome\n2026-01-03T08:00:00Z,newest,u9,r9,1\n");
    let (_, summary) = world.tick("served", 4).await;
    assert_eq!((&summary["decision"], &summary["unknown_variants"]), (&"INVALID_DATA".into(), &1.into()), "{summary}");
    let level = &world.looks("served").await.pop().unwrap().3["level"];
    assert!(level.is_null(), "data that cannot be judged uses nothing up: {level}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_arm_may_have_objects_of_its_own() {
    let two = |job: String| {
        let job = job.replace("variant_column = \"variant\"\n", "");
        let current = "current = { uri = \"file://served/new/*.csv\", time_column = \"at\" }\n\
                       reference = { uri = \"file://served/old/*.csv\", time_column = \"at\" }";
        job.replace("current = { uri = \"file://served/*.csv\", time_column = \"at\" }", current)
    };
    let world = World::new(two).await;
    for (arm, share) in [("old", 3), ("new", 6)] {
        std::fs::create_dir(world.site.path().join("served").join(arm)).unwrap();
        for day in 1..=2 {
            let mut text = String::from("at,outcome\n");
            for i in 0..400 {
                writeln!(text, "2026-01-{day:02}T08:00:00Z,{}", u32::from(i % 10 < share)).unwrap();
            }
            world.file(&format!("{arm}/{day}.csv"), &text);
        }
    }
    let (_, summary) = world.tick("served", 2).await;
    assert_eq!((&summary["n_a"], &summary["n_b"]), (&400.into(), &400.into()), "{summary}");
    let (_, summary) = world.tick("served", 3).await;
    assert_eq!((&summary["decision"], &summary["n_b"]), (&"SHIP_B".into(), &800.into()), "{summary}");
    let objects = world.looks("served").await.pop().unwrap().3["objects"].clone();
    assert_eq!((&objects["read"], &objects["kept"]), (&2.into(), &2.into()), "{objects}");
}
