//! What a job's test may ask beside "is B better": guardrails, a covariate, the same rows, a margin, a least duration; and what is
//! refused before it runs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::ab_jobs::World;

/// Rows of one day in January: `at,variant,outcome,latency,before,truth,old_score,new_score`.
fn day(world: &World, day: u32, rows: u32) {
    let mut text = String::from("at,variant,outcome,latency,before,truth,old_score,new_score\n");
    for i in 0..rows * 2 {
        let is_b = i % 2 == 1;
        let pair = i / 2 + day * 1000;
        let before = f64::from(pair * 37 % 101);
        let outcome = 100.0 + before + f64::from(pair * 13 % 7) + if is_b { 4.0 } else { 0.0 };
        let latency = f64::from(20 + pair * 7 % 11) + if is_b { 3.0 } else { 0.0 };
        let variant = if is_b { "new" } else { "old" };
        let truth = u32::from(i % 3 == 0);
        let noise = f64::from(i * 31 % 17) / 17.0;
        let (old, new) = (0.4 * noise + 0.2 * f64::from(truth), 0.4 * noise + 0.6 * f64::from(truth));
        writeln!(text, "2026-01-{day:02}T08:00:00Z,{variant},{outcome},{latency},{before},{truth},{old},{new}")
            .unwrap();
    }
    world.file(&format!("{day:02}.csv"), &text);
}

/// What an object holds that was read once and is kept.
async fn read_and_kept(world: &World) -> Vec<(i64, i64)> {
    let looks = world.looks("served").await;
    let count = |details: &Value, key: &str| details["objects"][key].as_i64().unwrap();
    looks.iter().map(|(_, _, _, details)| (count(details, "read"), count(details, "kept"))).collect()
}

async fn reasons(world: &World) -> Vec<String> {
    sqlx::query_scalar("SELECT decision || ' ' || (details ->> 'reason') FROM model_ab_test_results ORDER BY look")
        .fetch_all(&world.database.pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn guardrails_and_a_covariate_stand_in_the_same_rows() {
    // `brier` needs the truth and each arm's score.
    let beside = "\n[ab_test.guardrails.latency]\noutcome = \"latency\"\nlower_is_better = true\n\
                  \n[ab_test.secondary_metrics.brier]\nmetric = \"brier\"\n";
    let world = World::new(|job| {
        job.replace("ends           =", "covariate = \"before\"\nlabel = \"truth\"\nends =")
            .replace("version = \"1.0.0\"", "version = \"1.0.0\"\nscore = \"old_score\"")
            .replace("version = \"2.0.0\"", "version = \"2.0.0\"\nscore = \"new_score\"")
            + beside
    });
    let world = world.await;
    for at in 1..=7 {
        day(&world, at, 150);
        world.tick("served", at + 1).await;
    }
    assert_eq!(read_and_kept(&world).await[1..3], [(1, 1), (1, 2)], "only new objects are read");
    let reasons = reasons(&world).await;
    assert_eq!(reasons.last().unwrap(), "REVIEW guardrail_failed", "{reasons:?}");
    let looks = world.looks("served").await;
    let details = &looks.last().unwrap().3;
    assert!(details["covariate"]["variance_reduction"].as_f64().unwrap() > 0.9, "{details}");
    assert_eq!(details["guardrails"][0]["name"], "latency");
    assert_eq!(details["secondary_metrics"][0]["name"], "brier");
    assert!(details["secondary_metrics"][0]["is_significant"].as_bool().unwrap(), "{details}");

    // What is frozen has to stay where it can be read.
    let job = std::fs::read_to_string(world.site.path().join("jobs/served.toml")).unwrap();
    world.site.job("served", job.split("\n[ab_test.guardrails").next().unwrap());
    world.site.ok(&["jobs", "apply"]);
    sqlx::query("UPDATE model_ab_tests SET status = 'running'").execute(&world.database.pool).await.unwrap();
    world.site.run(&["jobs", "replay", "served", "--from", "2026-01-09", "--to", "2026-01-10"]);
    let error: Option<String> = sqlx::query_scalar("SELECT error FROM runs ORDER BY created_at DESC LIMIT 1")
        .fetch_one(&world.database.pool)
        .await
        .unwrap();
    assert!(error.unwrap_or_default().contains("the metric `latency`, which is frozen"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_models_on_the_same_rows_are_compared_pair_by_pair() {
    let scores = |job: String| {
        job.replace("variant_column = \"variant\"\n", "label = \"truth\"\nstatistical_test = \"paired_t_test\"\n")
            .replace("metric         = \"mean\"\noutcome        = \"outcome\"", "metric = \"brier\"")
            .replace("variant = \"old\"", "score = \"old_score\"")
            .replace("variant = \"new\"", "score = \"new_score\"")
    };
    let world = World::new(scores).await;
    for at in 1..=7 {
        day(&world, at, 100);
        world.tick("served", at + 1).await;
    }
    let looks = world.looks("served").await;
    let (_, n_a, n_b, details) = looks.last().unwrap();
    assert_eq!((*n_a, *n_b), (1400, 1400), "every row stands on both sides");
    assert_eq!(details["sample_ratio_p_value"], Value::Null);
    assert_eq!(reasons(&world).await.last().unwrap(), "SHIP_B significant_and_meets_threshold");

    let auc = |job: String| {
        scores(job).replace("metric = \"brier\"", "metric = \"roc_auc\"").replace("paired_t_test", "delong")
    };
    let world = World::new(auc).await;
    day(&world, 1, 100);
    world.tick("served", 2).await;
    day(&world, 7, 100);
    world.tick("served", 8).await;
    let looks = world.looks("served").await;
    let details = &looks.last().unwrap().3;
    assert_eq!(details["mean_b"], json!(1.0), "the areas are compared: {details}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_decided_before_the_least_duration_nor_when_only_the_horizon_decides() {
    let world = World::new(|job| job.replace("starts         =", "min_duration = \"4d\"\nstarts =")).await;
    for at in 1..=5 {
        world.day(at, 150, [3, 6]);
        world.tick("served", at + 1).await;
    }
    let reasons_so_far = reasons(&world).await;
    assert!(reasons_so_far[..3].iter().all(|reason| reason == "CONTINUE below_min_duration"), "{reasons_so_far:?}");
    assert_eq!(reasons_so_far.last().unwrap(), "SHIP_B significant_and_meets_threshold");

    let world = World::new(|job| job.replace("starts         =", "monitoring = \"horizon\"\nstarts =")).await;
    for at in 1..=7 {
        world.day(at, 150, [3, 6]);
        world.tick("served", at + 1).await;
    }
    let reasons = reasons(&world).await;
    assert!(reasons[..6].iter().all(|reason| reason == "CONTINUE waits_for_horizon"), "{reasons:?}");
    assert_eq!(reasons[6], "SHIP_B significant_and_meets_threshold");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_go_together_is_said_before_it_runs() {
    let world = World::new(|job| job).await;
    let good = std::fs::read_to_string(world.site.path().join("jobs/served.toml")).unwrap();
    for (from, to, expected) in [
        ("starts         = 2026-01-01\n", "", "`ends` needs `starts`"),
        ("variant_column = \"variant\"\n", "", "`t_test` compares rows of one arm with rows of the other"),
        (
            "metric         =",
            "statistical_test = \"mcnemar\"\nmetric =",
            "`mcnemar` compares two models on the same rows",
        ),
        ("metric         =", "hypothesis = \"equivalence\"\nmetric =", "`equivalence` needs a margin"),
        (
            "ends           = 2026-01-08\n",
            "monitoring = \"group_sequential\"\n",
            "`group_sequential` needs `starts` and `ends`",
        ),
        ("metric         =", "margin = 0.1\nmetric =", "`margin` is of `non_inferiority`"),
        (
            "metric         =",
            "hypothesis = \"equivalence\"\nmargin = 0.1\nstatistical_test = \"mann_whitney\"\nmetric =",
            "needs an interval of the improvement, which `mann_whitney` does not have",
        ),
        ("metric         =", "covariate = \"x\"\nstatistical_test = \"fisher_exact\"\nmetric =", "compares shares"),
        (
            "metric         = \"mean\"\noutcome        = \"outcome\"",
            "metric = \"roc_auc\"",
            "has no value for each row",
        ),
        ("variant = \"old\"\n", "", "the control names no `variant`"),
        ("[ab_test.control]", "[ab_test.guardrails.cost]\n[ab_test.control]", "`cost` needs `outcome`"),
        (
            "[ab_test.control]",
            "[ab_test.guardrails.cost]\nmetric = \"brier\"\noutcome = \"cost\"\n[ab_test.control]",
            "`outcome` is used only with `metric = \"mean\"`",
        ),
        (
            "[ab_test.control]",
            "[ab_test.guardrails.cost]\noutcome = \"cost\"\n[ab_test.secondary_metrics.cost]\noutcome = \"cost\"\n[ab_test.control]",
            "`cost` is named twice",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        world.site.job("served", &good.replacen(from, to, 1));
        let output = world.site.run(&["jobs", "check"]);
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(!output.status.success() && text.contains(expected), "{to:?}: {}\n{text}", output.status);
    }
}
