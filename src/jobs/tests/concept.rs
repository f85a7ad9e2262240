//! `[drift.concept]` and its mistakes.

use insta::assert_snapshot;

use super::{right, with, wrong};

const CONCEPT: &str = r#"name = "errors"
kind = "drift"

[data]
reference = "s3://b/reference.parquet"
current = { uri = "s3://b/current.parquet", time_column = "at" }

[drift]
target = "concept"

[drift.concept]
task = "classification"
label = "y"
prediction = "p"
"#;

#[test]
fn a_document_without_methods_has_the_default() {
    let concept = right(CONCEPT).drift.unwrap().concept.unwrap();
    assert!(concept.methods.is_empty() && concept.decision_threshold == 0.5);
    let all = "label = \"y\"\nscore = \"s\"\nmethods = [\"metric_change\", \"adwin\", \"ddm\", \"page_hinkley\", \"kswin\", \"cbpe\"]";
    assert_eq!(right(&with(CONCEPT, "label = \"y\"", all)).drift.unwrap().concept.unwrap().methods.len(), 6);
}

#[test]
fn mistakes_in_concept_say_what_to_do() {
    let methods = |list: &str| with(CONCEPT, "label = \"y\"", &format!("label = \"y\"\nmethods = {list}"));
    assert_snapshot!("unknown_method", wrong(&methods("[\"adwim\"]")));
    assert_snapshot!("unfit_and_lacking", wrong(&methods("[\"dle\", \"cbpe\", \"metric_change\"]")));
    assert_snapshot!("needs_time", wrong(&methods("[\"kswin\"]").replace(", time_column = \"at\"", "")));
    assert_snapshot!("missing_keys", wrong(&CONCEPT.replace("label = \"y\"\nprediction = \"p\"\n", "")));
    assert_snapshot!("unused_features", wrong(&with(CONCEPT, "label = \"y\"", "label = \"y\"\nfeatures = [\"x\"]")));
    let unused = "target = \"concept\"\nselect = [\"x\"]\ndecide_on = \"p_value\"\nbins = 20\nreference = \"profile\"";
    assert_snapshot!("unused_keys", wrong(&with(CONCEPT, "target = \"concept\"", unused)));
    let regression = with(CONCEPT, "classification", "regression");
    assert_snapshot!(
        "regression",
        wrong(&with(&regression, "label = \"y\"", "label = \"y\"\nscore = \"s\"\nmethods = [\"ddm\", \"dle\"]"))
    );
}
