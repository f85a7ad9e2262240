//! What the data must be like, whatever it is compared with.

use super::{DAILY, Watch};

const HEAD: &str = "id,at,value,city\n";

/// Twenty good rows of 1 January, then `more`.
fn csv(more: &str) -> String {
    let mut text = HEAD.to_owned();
    for row in 0..20 {
        text += &format!("{row},2013-01-01T{:02}:00:00Z,{},{}\n", row, 10 + row % 5, ["rome", "oslo"][row % 2]);
    }
    text + more
}

fn tables() -> String {
    let daily = DAILY.replace("window = \"1 day\"", "window = \"1 day\", time_column = \"at\"");
    format!(
        "{daily}reference = {{ uri = \"{{data}}/reference.csv\", time_column = \"at\" }}\n\
         [drift]\ntarget = \"data\"\nselect = [\"value\", \"city\"]\n\
         [drift.quality]\nkey = [\"id\"]\nfreshness = \"6 hours\"\nmax_new_share = 0.1\nschema = \"reference\"\n\
         [drift.columns]\nvalue = {{ min = 0, max = 100, max_outside_share = 0.01 }}\ncity = {{ allowed = [\"rome\", \"oslo\"], max_outside_share = 0.5 }}\n"
    )
}

async fn watch() -> Watch {
    let watch = Watch::new(&tables()).await;
    watch.file("reference.csv", &csv(""));
    watch
}

#[tokio::test(flavor = "multi_thread")]
async fn good_data_is_fine() {
    let watch = watch().await;
    watch.day(1, &csv("20,2013-01-01T20:00:00Z,14,rome\n"));
    let ran = watch.judge(1).await;
    assert_eq!((ran.outcome.as_str(), &ran.summary["quality"]["wrong"]), ("ok", &serde_json::json!([])), "{ran:#?}");
    let names: Vec<&str> = ran.checks.iter().map(|c| c.method.as_str()).collect();
    for check in ["range", "allowed_values", "new_values", "duplicate_keys", "freshness"] {
        assert!(names.contains(&check), "{names:?}");
    }
    assert!(watch.incidents().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_an_incident_of_its_own_in_plain_words() {
    let watch = watch().await;
    let mut bad = String::new();
    for row in 0..10 {
        bad +=
            &format!("{},2013-01-01T05:00:00Z,{},{}\n", row, if row < 3 { 900 } else { 11 }, ["kiev", "bonn"][row % 2]);
    }
    // The newest row is of 19:00, five hours before the end; without the last good rows it is older.
    let stale: String = csv(&bad)
        .lines()
        .filter(|line| !line.contains("T18:") && !line.contains("T19:"))
        .map(|l| format!("{l}\n"))
        .collect();
    watch.day(1, &stale);
    let ran = watch.judge(1).await;
    let range = ran.check("value", "range");
    assert_eq!((range.status.as_str(), range.threshold), ("drifted", 0.01));
    assert!((range.drift_score.unwrap() - 3.0 / 28.0).abs() < 1e-12);
    assert_eq!(ran.check("city", "allowed_values").status, "ok", "10 of 28 are below a half");
    assert_eq!(ran.check("city", "new_values").details["values"][0], serde_json::json!({ "name": "bonn", "rows": 5 }));
    assert_eq!(ran.check("id", "duplicate_keys").status, "drifted");
    let titles: Vec<(String, String)> =
        watch.incidents().await.into_iter().filter(|i| i.0 == "quality").map(|i| (i.1, i.2)).collect();
    let of = |subject: &str| titles.iter().find(|t| t.0 == subject).unwrap_or_else(|| panic!("{titles:?}")).1.as_str();
    assert_eq!(of("value: range"), "10.71 % of value are out of range, 1.00 % allowed");
    assert_eq!(of("city: new values"), "35.71 % of city are values that the reference does not have, 10.00 % allowed");
    assert_eq!(of("id: duplicate keys"), "35.71 % of the rows repeat id, 0.00 % allowed");
    assert_eq!(of("at: freshness"), "the newest row is 7.0 hours old, 6.0 hours allowed");

    watch.day(2, &csv("").replace("2013-01-01", "2013-01-02"));
    let fine = watch.judge(2).await;
    assert!(watch.incidents().await.is_empty(), "all of it is over: {fine:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_changed_is_told_once_a_column_and_the_others_are_judged() {
    let watch = watch().await;
    watch.day(1, &csv("").replace("id,at,value,city", "id,at,amount,city"));
    let ran = watch.judge(1).await;
    assert_eq!(ran.outcome, "schema_error");
    assert_eq!(ran.check("value", "schema").status, "schema_error");
    let new = ran.check("amount", "schema");
    assert_eq!((new.status.as_str(), new.reason.as_deref()), ("ok", Some("a new column of type integer")), "{new:?}");
    assert_eq!(ran.check("city", "chi_square").status, "ok");
    let incidents = watch.incidents().await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert_eq!((incidents[0].0.as_str(), incidents[0].1.as_str()), ("schema_error", "value"));

    let typed: String = csv("")
        .lines()
        .map(|line| format!("{}\n", line.replace(",10,", ",ten,").replace(",11,", ",eleven,")))
        .collect();
    watch.day(2, &typed.replace("2013-01-01", "2013-01-02"));
    let ran = watch.judge(2).await;
    let changed = ran.check("value", "schema");
    assert!(changed.reason.as_deref().unwrap().starts_with("type changed"), "{changed:?}");
    assert_eq!(ran.check("city", "chi_square").status, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn quality_is_looked_at_before_there_is_anything_to_compare_with() {
    let tables = format!(
        "{DAILY}[drift]\ntarget = \"data\"\nreference = \"previous_window\"\n[drift.columns]\nvalue = {{ max = 12 }}\n"
    );
    let watch = Watch::new(&tables).await;
    watch.day(1, &csv(""));
    let ran = watch.judge(1).await;
    assert_eq!((ran.outcome.as_str(), ran.check("value", "range").status.as_str()), ("quality", "drifted"));
    assert_eq!(watch.incidents().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_categories_are_named_in_the_verdict_on_drift() {
    let watch = watch().await;
    watch.day(1, &csv(&(0..20).map(|row| format!("{},2013-01-01T21:00:00Z,12,kiev\n", 100 + row)).collect::<String>()));
    let ran = watch.judge(1).await;
    let city = ran.check("city", "chi_square");
    assert_eq!(city.status, "drifted");
    assert_eq!(city.details["new_categories"][0]["name"], "kiev", "{city:?}");
}
