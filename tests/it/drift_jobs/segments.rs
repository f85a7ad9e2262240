//! Segments of `group_by`.

use std::fmt::Write as _;

use super::{DAILY, Watch};

const BY_CITY: &str =
    "reference = \"{data}/reference.csv\"\n[drift]\ntarget = \"data\"\ngroup_by = \"city\"\nmin_samples = 100\n";

/// Rows of `oslo` around `oslo`, and of `rome` (nine times as many) around 20; `small` cities with two rows each.
fn csv(oslo: f64, small: usize) -> String {
    let mut text = "city,value,kind\n".to_owned();
    for row in 0..2_000 {
        let spread = (row * 37 % 101) as f64 / 10.0;
        let (city, centre) = if row % 10 == 0 { ("oslo", oslo) } else { ("rome", 20.0) };
        writeln!(text, "{city},{},{}", centre + spread, ["a", "b"][row / 10 % 2]).unwrap();
    }
    for city in 0..small {
        writeln!(text, "village {city},20,a\nvillage {city},21,b").unwrap();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_one_segment_is_found_and_named() {
    let watch = Watch::new(&format!("{DAILY}{BY_CITY}")).await;
    watch.file("reference.csv", &csv(20.0, 0));
    watch.day(1, &csv(26.0, 0));
    let ran = watch.judge(1).await;
    assert_eq!(ran.outcome, "drifted");
    assert_ne!(ran.check("value", "").status, "drifted", "in all rows together it drowns");
    assert_eq!(ran.find("value", "", Some("city = oslo")).status, "drifted");
    assert_eq!(ran.find("value", "", Some("city = rome")).status, "ok");
    assert_eq!(ran.find("kind", "chi_square", Some("city = oslo")).status, "ok");
    assert!(
        !ran.checks.iter().any(|check| check.feature_name == "city" && check.method != "vanished_segments"),
        "what tells segments apart is not judged itself"
    );
    let incidents = watch.incidents().await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert_eq!((incidents[0].0.as_str(), incidents[0].1.as_str()), ("drift", "value [city = oslo]"));
    assert!(
        incidents[0].2.starts_with("value [city = oslo] drifted: Kolmogorov-Smirnov distance 0.5"),
        "{incidents:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_beyond_the_largest_are_counted_and_small_ones_not_guessed() {
    let watch = Watch::new(&format!("{DAILY}{BY_CITY}")).await;
    watch.file("reference.csv", &csv(20.0, 60));
    watch.day(1, &csv(20.0, 60));
    let ran = watch.judge(1).await;
    assert_eq!((ran.outcome.as_str(), &ran.summary["segments_left_out"]), ("ok", &serde_json::json!(12)));
    let village = ran.find("value", "", Some("city = village 0"));
    assert_eq!((village.status.as_str(), village.drift_score), ("insufficient_data", None));
    assert!(village.reason.as_deref().unwrap().contains("at least 100"), "{village:?}");
    assert!(watch.incidents().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_is_on_one_side_only_hides_no_other() {
    let watch = Watch::new(&format!("{DAILY}{BY_CITY}")).await;
    watch.file("reference.csv", &csv(20.0, 0));
    watch.day(1, &csv(20.0, 0).replace("oslo", "lima"));
    let ran = watch.judge(1).await;
    assert_eq!(ran.find("value", "", Some("city = rome")).status, "ok");
    for gone in ["city = oslo", "city = lima"] {
        assert_eq!(ran.find("value", "", Some(gone)).status, "no_data", "{gone}");
    }
    // Somebody is told that a segment is not there any more.
    assert_eq!(ran.outcome, "quality");
    let incidents = watch.incidents().await;
    let told = incidents.iter().find(|(kind, ..)| kind == "quality").unwrap_or_else(|| panic!("{incidents:?}"));
    assert_eq!(told.2, "1 segments of the reference have no row now: city = oslo");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_column_of_segments_all_rows_are_judged_together() {
    let watch = Watch::new(&format!("{DAILY}{BY_CITY}")).await;
    watch.file("reference.csv", &csv(20.0, 0));
    let without: String = csv(20.0, 0).lines().map(|line| format!("{}\n", line.split_once(',').unwrap().1)).collect();
    watch.day(1, &without);
    let ran = watch.judge(1).await;
    assert_eq!(ran.outcome, "schema_error", "{ran:?}");
    assert_eq!((ran.check("value", "").status.as_str(), ran.check("kind", "").status.as_str()), ("ok", "ok"));
    let incidents = watch.incidents().await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert!(incidents[0].2.contains("no column `city`"), "{incidents:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_without_any_value_in_text_drifts_as_missing() {
    let job = "reference = \"{data}/reference.csv\"\n[drift]\ntarget = \"data\"\n[drift.columns]\nvalu = { threshold = 0.1 }\n";
    let watch = Watch::new(&format!("{DAILY}{job}")).await;
    let rows = |value: &dyn Fn(usize) -> String| -> String {
        let rows: String = (0..500).map(|row| format!("{},{}\n", value(row), row % 7)).collect();
        format!("value,other\n{rows}")
    };
    watch.file("reference.csv", &rows(&|row| (row % 50).to_string()));
    watch.day(1, &rows(&|_| String::new()));
    let ran = watch.judge(1).await;
    let check = ran.check("value", "");
    assert_eq!((check.status.as_str(), check.reason.as_deref()), ("drifted", Some("missing")), "{check:?}");
    assert_eq!(ran.check("other", "").status, "ok");
    // Settings for a column that is not there are a mistake, and told.
    assert_eq!(ran.check("valu", "").status, "schema_error");
}
