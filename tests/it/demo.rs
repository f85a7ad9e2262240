//! The demo tells the truth about the flights, twice.

use std::process::Output;

use serde_json::Value;

use crate::support::steward::bare;

fn steward(dir: &std::path::Path, args: &[&str]) -> Output {
    bare(args).current_dir(env!("CARGO_MANIFEST_DIR")).env("STEWARD__DATA_DIR", dir).output().unwrap()
}

fn json(dir: &std::path::Path, args: &[&str]) -> Value {
    let output = steward(dir, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The server's user must be able to enter the folder, so it lies directly under the system's temporary folder.
fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("steward-demo-").tempdir_in("/tmp").unwrap()
}

#[test]
fn the_demo_finds_what_happened_and_a_second_one_finds_it_again() {
    let folder = folder();
    let dir = folder.path().join("demo");
    let mut stories = Vec::new();
    for _ in 0..2 {
        let output = steward(folder.path(), &["demo", "--dir", dir.to_str().unwrap()]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
        stories.push(text);
    }
    let tables = |story: &str| story.split("63 runs in").next().unwrap().to_owned();
    let without_ids = |story: &str| {
        // Incident ids follow from run ids, which are new each time.
        tables(story)
            .lines()
            .map(|l| {
                l.split_once(' ')
                    .filter(|(id, _)| id.len() == 8 && id.chars().all(|c| c.is_ascii_hexdigit()))
                    .map_or(l, |(_, rest)| rest)
                    .to_owned()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(without_ids(&stories[0]), without_ids(&stories[1]));

    let incidents = json(&dir, &["alerts", "list", "--limit", "100", "--output", "json"]);
    let incident = |job: &str, subject: &str| {
        incidents
            .as_array()
            .unwrap()
            .iter()
            .find(|i| i["job"] == job && i["subject"] == subject)
            .unwrap_or_else(|| panic!("no incident {job} {subject}: {incidents:#}"))
            .clone()
    };
    // temp drifts from April (judged on 1 May) to November, and no more in December (judged on 1 January).
    let temp = incident("flights-feature-drift", "temp");
    assert!(temp["opened_at"].as_str().unwrap().starts_with("2013-05-01"));
    assert!(temp["resolved_at"].as_str().unwrap().starts_with("2014-01-01"));
    // The scores of 2.0.0 drift from April to October; November is 0.198.
    let scores = incident("flights-score-v2-drift", "score_v2");
    assert!(scores["opened_at"].as_str().unwrap().starts_with("2013-05-01"));
    assert!(scores["resolved_at"].as_str().unwrap().starts_with("2013-12-01"));
    assert!(!incidents.as_array().unwrap().iter().any(|i| i["job"] == "flights-score-v1-drift"));

    let story = &stories[0];
    let months = story.split("\n\nIncidents:").next().unwrap().trim();
    let readme = include_str!("../../README.md");
    assert!(readme.contains(months), "README.md does not quote the demo as it is:\n{months}");
    let month = |m: &str| {
        story.lines().find(|l| l.starts_with(m)).unwrap_or_else(|| panic!("no line {m} in\n{story}")).to_owned()
    };
    assert!(month("2013-04").contains("temp 0.63") && month("2013-04").contains("0.308 DRIFT"), "{}", month("2013-04"));
    assert!(month("2013-07").contains("0.557 DRIFT"), "{}", month("2013-07"));
    assert!(month("2013-11").contains("temp 0.349") && month("2013-11").contains("0.198"), "{}", month("2013-11"));
    assert!(!month("2013-12").contains("temp 0.") && month("2013-12").contains("0.010"), "{}", month("2013-12"));
    assert!(story.contains("KEEP_A"), "{story}");

    let mails = std::fs::read_dir(dir.join("mail")).unwrap().count();
    let calls = std::fs::read_dir(dir.join("webhooks")).unwrap().count();
    assert!(mails > 0 && mails == calls, "{mails} emails, {calls} webhook calls");
}
