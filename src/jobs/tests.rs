//! Documents and their mistakes, as people see them.

mod concept;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::diagnostic::{count, render};
use super::field::{Keys, Presence, Section, Shape};
use super::kinds;
use super::known::{Checks, Known};
use super::vocabulary::{Calendar, words};
use super::*;
use crate::schedule::{CatchUp, Overlap};

fn known_with_channels() -> Known {
    Known { channels: Some(vec!["ml-oncall".into(), "ml-webhook".into()]), ..words() }
}

fn read(text: &str) -> Reading {
    let known = known_with_channels();
    parse("jobs/x.toml", text, Checks { known: &known, schedule: &Calendar })
}

/// The rendered mistakes; a document without any fails the test.
fn wrong(text: &str) -> String {
    let reading = read(text);
    assert!(reading.document.is_none(), "nothing is wrong");
    render(&reading.diagnostics, false)
}

fn right(text: &str) -> JobDocument {
    let reading = read(text);
    assert!(reading.diagnostics.is_empty(), "{}", render(&reading.diagnostics, false));
    reading.document.unwrap()
}

const DRIFT: &str = r#"name     = "flights-feature-drift"
kind     = "drift"
schedule = "15 6 1 * *"
timezone = "America/New_York"
model    = { name = "flight_delay", version = "2.0.0" }
notify   = ["ml-oncall"]

[data]
reference = { uri = "file://data/flights/month=2013-0[1-3].parquet" }
current   = { uri = "s3://flights/month={window.start:%Y-%m}.parquet", window = "1 month", time_column = "scheduled_at" }

[drift]
target    = "data"
method    = "ks_test"
threshold = 0.2
[drift.columns.carrier]
method    = "chi_square"
"#;

const METRICS: &str = r#"name = "m"
kind = "metrics"

[data]
current = "s3://b/x.parquet"

[metrics]
task = "classification"
label = "late"
score = "score_v1"

[metrics.bounds.roc_auc]
min = 0.6
"#;

const AB: &str = r#"name = "ab"
kind = "ab_test"
timezone = "America/New_York"
model = "flight_delay"

[data]
current = { uri = "file://data/*.parquet", time_column = "scheduled_at" }

[ab_test]
test = "v2-against-v1"
variant_column = "variant"
metric = "brier"
label = "late"
starts = 2013-04-01
ends = 2014-01-01

[ab_test.control]
variant = "a"
version = "1.0.0"
score = "score_v1"

[ab_test.treatment]
variant = "b"
version = "2.0.0"
score = "score_v2"
"#;

/// `DRIFT` (or another) with one text replaced.
fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn documents_are_read_with_their_defaults() {
    assert_snapshot!("drift_document", format!("{:#}", right(DRIFT).canonical().unwrap()));
    assert_snapshot!("metrics_document", format!("{:#}", right(METRICS).canonical().unwrap()));
    assert_snapshot!("ab_document", format!("{:#}", right(AB).canonical().unwrap()));
}

#[test]
fn unknown_keys_are_told_with_the_nearest() {
    assert_snapshot!("unknown_key", wrong(&with(DRIFT, "threshold = 0.2", "treshold = 0.2")));
    assert_snapshot!("unknown_key_of_the_top", wrong(&with(DRIFT, "threshold = 0.2", "notify = [\"ml-oncall\"]")));
    assert_snapshot!("unknown_key_in_a_source", wrong(&with(DRIFT, "time_column", "timecolumn")));
    assert_snapshot!("unknown_section", wrong(&with(DRIFT, "[drift]", "[drifts]")));
}

#[test]
fn missing_keys_are_told_where_they_belong() {
    assert_snapshot!("missing_name", wrong(&with(DRIFT, "name     = \"flights-feature-drift\"\n", "")));
    assert_snapshot!("missing_label", wrong(&with(METRICS, "label = \"late\"\n", "")));
    assert_snapshot!(
        "missing_uri",
        wrong(&with(DRIFT, "uri = \"s3://flights/month={window.start:%Y-%m}.parquet\", ", ""))
    );
    assert_snapshot!(
        "missing_reference",
        wrong(&with(DRIFT, "reference = { uri = \"file://data/flights/month=2013-0[1-3].parquet\" }\n", ""))
    );
    assert_snapshot!("missing_prediction_and_score", wrong(&with(METRICS, "score = \"score_v1\"\n", "")));
    assert_snapshot!("missing_section", wrong("name = \"x\"\nkind = \"ab_test\"\ndata = { current = \"x.csv\" }\n"));
    assert_snapshot!("empty_file", wrong(""));
}

#[test]
fn wrong_types_are_told_with_what_was_found() {
    assert_snapshot!("wrong_type_quoted_number", wrong(&with(DRIFT, "threshold = 0.2", "threshold = \"0.2\"")));
    assert_snapshot!("wrong_type_list", wrong(&with(DRIFT, "notify   = [\"ml-oncall\"]", "notify = \"ml-oncall\"")));
    assert_snapshot!("bad_name", wrong(&with(DRIFT, "\"flights-feature-drift\"", "\"flights feature drift\"")));
    assert_snapshot!("listed_twice", wrong(&with(DRIFT, "[\"ml-oncall\"]", "[\"ml-oncall\", \"ml-oncall\"]")));
    assert_snapshot!(
        "wrong_type_item",
        wrong(&with(DRIFT, "notify   = [\"ml-oncall\"]", "notify = [\"ml-oncall\", 3]"))
    );
    assert_snapshot!("wrong_type_section", wrong("name = \"x\"\nkind = \"drift\"\ndata = 3\ndrift = \"ks_test\"\n"));
    assert_snapshot!("wrong_type_duration", wrong(&with(DRIFT, "[data]", "time_limit = 90\n[data]")));
    assert_snapshot!("bad_duration", wrong(&with(DRIFT, "[data]", "time_limit = \"90 moons\"\n[data]")));
    assert_snapshot!("bad_version", wrong(&with(DRIFT, "\"2.0.0\"", "\"2.0\"")));
}

#[test]
fn schedules_windows_and_templates_are_checked() {
    assert_snapshot!("bad_cron", wrong(&with(DRIFT, "15 6 1 * *", "15 26 1 * *")));
    assert_snapshot!("bad_cron_fields", wrong(&with(DRIFT, "15 6 1 * *", "0 15 6 1 * *")));
    assert_snapshot!("unknown_timezone", wrong(&with(DRIFT, "America/New_York", "America/NewYork")));
    assert_snapshot!("bad_window", wrong(&with(DRIFT, "1 month", "one month")));
    assert_snapshot!("bad_template", wrong(&with(DRIFT, "window.start", "window.begin")));
    assert_snapshot!("bad_template_open", wrong(&with(DRIFT, "%Y-%m}", "%Y-%m")));
    assert_snapshot!("bad_scheme", wrong(&with(DRIFT, "s3://flights", "s4://flights")));
    assert_snapshot!("bad_instant", wrong(&with(AB, "starts = 2013-04-01", "starts = 2013-03-10T02:30:00")));
}

#[test]
fn names_of_other_parts_are_checked() {
    assert_snapshot!("unknown_method", wrong(&with(DRIFT, "\"ks_test\"", "\"ks\"")));
    assert_snapshot!("unknown_metric", wrong(&with(METRICS, "bounds.roc_auc", "bounds.rocauc")));
    assert_snapshot!("metric_of_the_other_task", wrong(&with(METRICS, "bounds.roc_auc", "bounds.rmse")));
    assert_snapshot!("metric_without_score", wrong(&with(METRICS, "score = ", "prediction = ")));
    assert_snapshot!("unknown_channel", wrong(&with(DRIFT, "\"ml-oncall\"", "\"ml-on-call\"")));
    assert_snapshot!("unknown_test", wrong(&with(AB, "metric = ", "statistical_test = \"ttest\"\nmetric = ")));
}

#[test]
fn channels_are_not_checked_without_a_configuration() {
    let known = words();
    let text = with(DRIFT, "\"ml-oncall\"", "\"anything\"");
    assert!(parse("x", &text, Checks { known: &known, schedule: &Calendar }).document.is_some());
}

#[test]
fn methods_must_fit_the_type_of_their_column() {
    let ks_on_categories = with(DRIFT, "method    = \"chi_square\"", "method = \"ks_test\"\ntype = \"categorical\"");
    assert_snapshot!("unfit_method", wrong(&ks_on_categories));
    let inherited = with(DRIFT, "method    = \"chi_square\"", "type = \"categorical\"");
    assert_snapshot!("unfit_method_of_the_section", wrong(&inherited));
    let chi_square_on_numbers =
        right(&with(DRIFT, "method    = \"chi_square\"", "method = \"chi_square\"\ntype = \"numeric\""));
    assert_eq!(chi_square_on_numbers.drift.unwrap().columns["carrier"].method.as_deref(), Some("chi_square"));
}

#[test]
fn sections_of_other_kinds_are_refused() {
    assert_snapshot!("wrong_section", wrong(&format!("{DRIFT}\n[metrics]\ntask = \"regression\"\n")));
    assert_snapshot!("wrong_section_and_kind", wrong(&with(DRIFT, "kind     = \"drift\"", "kind     = \"metrics\"")));
    assert_snapshot!("unknown_kind", wrong(&with(DRIFT, "kind     = \"drift\"", "kind     = \"drfit\"")));
    let elsewhere = with(METRICS, "current = ", "reference = \"s3://b/y.parquet\"\ncurrent = ");
    let elsewhere = elsewhere.replacen("[metrics]", "[metrics]\ncompare_with = \"previous_window\"", 1);
    assert_snapshot!("unused_reference", wrong(&elsewhere));
    assert_snapshot!("concept", wrong(&with(DRIFT, "target    = \"data\"", "target    = \"concept\"")));
}

#[test]
fn numbers_have_their_ranges() {
    for (name, value) in [("negative", "-0.2"), ("zero", "0"), ("nan", "nan"), ("inf", "inf"), ("overflow", "1e999")] {
        assert_snapshot!(
            format!("threshold_{name}"),
            wrong(&with(DRIFT, "threshold = 0.2", &format!("threshold = {value}")))
        );
    }
    for value in ["0", "1", "1.0", "0.0"] {
        let text = with(AB, "metric = ", &format!("traffic_split = {value}\nmetric = "));
        let shown = wrong(&text);
        assert!(shown.contains("`traffic_split` must be above 0 and below 1"), "{shown}");
    }
    assert_snapshot!("traffic_split_one", wrong(&with(AB, "metric = ", "traffic_split = 1\nmetric = ")));
    assert_snapshot!(
        "bins",
        wrong(&with(DRIFT, "threshold = 0.2", "bins = 101\nmin_drifted_share = 1.5\nmin_samples = 0"))
    );
    assert_snapshot!(
        "edges",
        wrong(&with(
            DRIFT,
            "[drift.columns.carrier]",
            "[drift.columns.temp]\nbins = 3\nedges = [1, 1]\n[drift.columns.carrier]"
        ))
    );
    assert_snapshot!("bounds_the_wrong_way_round", wrong(&with(METRICS, "min = 0.6", "min = 0.6\nmax = 0.5")));
}

#[test]
fn a_method_without_a_p_value_cannot_decide_by_it() {
    for asks in ["decide_on = \"p_value\"", "require_significance = 0.01"] {
        let method = |name: &str| with(DRIFT, "method    = \"ks_test\"", &format!("method = \"{name}\"\n{asks}"));
        let shown = wrong(&method("wasserstein"));
        assert!(shown.contains("`wasserstein` has no p-value") && shown.contains("`ks_test`, `psi`"), "{shown}");
        let column = with(&method("energy"), "method    = \"chi_square\"", "method = \"wasserstein\"");
        assert!(wrong(&column).contains("`wasserstein` has no p-value"));
        right(&method("energy"));
    }
}

#[test]
fn arms_of_a_test_must_differ() {
    assert_snapshot!("same_version", wrong(&with(AB, "version = \"2.0.0\"", "version = \"1.0.0\"")));
    assert_snapshot!("same_variant", wrong(&with(AB, "variant = \"b\"", "variant = \"a\"")));
    let other_model = with(AB, "version = \"2.0.0\"", "version = \"1.0.0\"\nmodel = \"other\"");
    assert_eq!(right(&other_model).ab_test.unwrap().treatment.model.as_deref(), Some("other"));
    let only_build = with(AB, "version = \"2.0.0\"", "version = \"1.0.0+build.7\"");
    assert!(wrong(&only_build).contains("same_arm"), "build metadata does not make another version");
    assert_snapshot!("no_model", wrong(&with(AB, "model = \"flight_delay\"\n", "")));
    assert_snapshot!("ends_before_it_starts", wrong(&with(AB, "ends = 2014-01-01", "ends = 2013-01-01")));
    assert_snapshot!("missing_score_of_an_arm", wrong(&with(AB, "score = \"score_v2\"\n", "")));
}

#[test]
fn what_is_no_toml_is_told_alone() {
    assert_snapshot!("syntax_error", wrong(&with(DRIFT, "kind     = \"drift\"", "kind     = \"drift")));
    assert_snapshot!(
        "syntax_errors",
        wrong(&with(&with(DRIFT, "kind     = \"drift\"", "kind     = drift"), "threshold = 0.2", "threshold = ,"))
    );
    assert_snapshot!("duplicate_key", wrong(&with(DRIFT, "[data]", "kind = \"drift\"\n[data]")));
}

#[test]
fn every_mistake_of_a_file_is_told_at_once() {
    let text = with(DRIFT, "15 6 1 * *", "61 6 1 * *");
    let text = with(&text, "America/New_York", "New York");
    let text = with(&text, "threshold = 0.2", "treshold = 0.2");
    let text = with(&text, "method    = \"chi_square\"", "method = \"ks_test\"\ntype = \"categorical\"");
    assert_snapshot!("several", wrong(&text));
}

#[test]
fn a_mistake_is_not_told_twice() {
    // A label of the wrong type is there, and one version that cannot be read is not the same as the other.
    let text = with(AB, "label = \"late\"", "label = 3");
    let text = with(&with(&text, "version = \"1.0.0\"", "version = 1"), "version = \"2.0.0\"", "version = 1");
    let codes: Vec<_> = read(&text).diagnostics.iter().map(Diagnostic::code).collect();
    assert_eq!(codes, [Code::WrongType, Code::WrongType, Code::WrongType]);
    let codes: Vec<_> =
        read(&with(DRIFT, "[data]\nreference", "[date]\nreference")).diagnostics.iter().map(Diagnostic::code).collect();
    assert_eq!(codes, [Code::MissingKey, Code::UnknownKey], "data is missing, not its keys too");
}

#[test]
fn mistakes_of_two_files_come_together() {
    let known = known_with_channels();
    let checks = Checks { known: &known, schedule: &Calendar };
    let loaded = join([
        parse("jobs/a.toml", &with(DRIFT, "15 6 1 * *", "61 6 1 * *"), checks),
        parse("jobs/b.toml", &with(METRICS, "task = \"classification\"", "task = \"classify\""), checks),
        parse("jobs/c.toml", &with(AB, "name = \"ab\"", "name = \"m\""), checks),
    ]);
    assert_snapshot!("two_files", format!("{}{}", render(&loaded.diagnostics, false), count(&loaded.diagnostics)));
    let records: Vec<_> = loaded.diagnostics.iter().map(Diagnostic::record).collect();
    insta::assert_json_snapshot!("two_files_json", records);
    assert!(loaded.documents.is_empty(), "the third has no mistake but the name of the second");
}

#[test]
fn a_terminal_gets_colours_and_nothing_else_does() {
    let diagnostics = read("").diagnostics;
    assert!(render(&diagnostics, true).contains('\u{1b}'));
    assert!(!render(&diagnostics, false).contains('\u{1b}'));
}

#[test]
fn sources_have_a_short_form() {
    let short = right(METRICS).data.current.unwrap();
    let long = right(&with(METRICS, "current = \"s3://b/x.parquet\"", "current = { uri = \"s3://b/x.parquet\" }"))
        .data
        .current
        .unwrap();
    assert_eq!(short, long);
    let filtered = right(&with(
        METRICS,
        "current = \"s3://b/x.parquet\"",
        "current = { uri = \"x\", filter = { hour = 5, origin = \"JFK\", late = true } }",
    ));
    let filter = filtered.data.current.unwrap().filter;
    assert_eq!(
        filter.into_iter().collect::<Vec<_>>(),
        [("hour".into(), "5".into()), ("late".into(), "true".into()), ("origin".into(), "JFK".into())]
            as [(String, String); 3]
    );
}

#[test]
fn the_digest_is_of_what_a_document_says() {
    let digest = |text: &str| right(text).digest().unwrap();
    let reordered = with(&with(DRIFT, "target    = \"data\"\n", ""), "schedule = \"15 6 1 * *\"\n", "# moved\n");
    let reordered = with(&reordered, "[data]", "schedule = '15 6 1 * *'\n\n[data]");
    assert_eq!(digest(DRIFT), digest(&reordered), "order, comments, quotes and spelt-out defaults do not matter");
    assert_eq!(digest(&with(DRIFT, "0.2", "2e-1")), digest(DRIFT));
    assert_ne!(digest(&with(DRIFT, "0.2", "0.21")), digest(DRIFT));
    let stored = right(DRIFT).canonical().unwrap();
    let back: JobDocument = serde_json::from_value(stored).unwrap();
    assert_eq!(back.digest().unwrap(), digest(DRIFT));
}

/// A value for every key, as a document would hold it.
fn full(shape: &'static Shape) -> Value {
    match shape {
        Shape::Boolean => json!(true),
        Shape::Integer(_) | Shape::Duration(_) => json!(7),
        Shape::Number(_) => json!(0.25),
        Shape::Instant => json!("2013-04-01T04:00:00Z"),
        Shape::Choice(choices) => json!(choices[0].word),
        Shape::List(of) | Shape::Sequence(of) => json!([full(of)]),
        Shape::Map(Keys::Free(_) | Keys::Word(_), of) => json!({ "key": full(of) }),
        Shape::Section(section) | Shape::Short(section) => full_section(section),
        _ => json!("text"),
    }
}

fn full_section(section: &'static Section) -> Value {
    section
        .fields
        .iter()
        .map(|field| (super::reader::stored_key(field), full(&field.shape)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn the_tables_and_the_types_have_the_same_keys() {
    let mut all = full_section(&sections::ROOT);
    for kind in kinds::ALL {
        all[kind.name()] = full_section(kind.section());
    }
    let document: JobDocument = serde_json::from_value(all.clone()).unwrap();
    let sorted = |value: &Value| -> Value { serde_json::from_str(&canonical_order(value)).unwrap() };
    assert_eq!(sorted(&document.canonical().unwrap()), sorted(&all));
}

fn canonical_order(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: std::collections::BTreeMap<_, _> = map.iter().collect();
            let parts: Vec<_> = sorted.iter().map(|(k, v)| format!("{}:{}", json!(k), canonical_order(v))).collect();
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical_order).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

fn every_section(of: &'static Section, found: &mut Vec<&'static Section>) {
    found.push(of);
    for field in of.fields {
        let mut shape = &field.shape;
        while let Shape::Map(_, inner) | Shape::List(inner) | Shape::Sequence(inner) = shape {
            shape = inner;
        }
        if let Shape::Section(inner) | Shape::Short(inner) = shape {
            every_section(inner, found);
        }
    }
}

#[test]
fn every_default_can_be_read() {
    let mut sections = Vec::new();
    every_section(&sections::ROOT, &mut sections);
    kinds::ALL.iter().for_each(|kind| every_section(kind.section(), &mut sections));
    let known = known_with_channels();
    let checks = Checks { known: &known, schedule: &Calendar };
    for section in sections {
        for field in section.fields {
            assert!(field.doc.ends_with('.'), "{}: {}", section.name, field.key);
            if let Presence::Default(literal) = field.presence {
                let text = format!("x = {literal}");
                let table = toml::de::DeTable::parse(&text).unwrap();
                let source = std::sync::Arc::new(diagnostic::Source { name: "default".into(), text: text.clone() });
                let mut reader = super::reader::Reader::new(&source, checks, chrono_tz::Tz::UTC);
                reader.value(&field.shape, table.get_ref().get("x").unwrap(), &mut vec!["x".into()]);
                assert!(reader.diagnostics.is_empty(), "{}.{}", section.name, field.key);
            }
        }
    }
}

#[test]
fn every_choice_is_a_value_of_its_type() {
    fn read<T: serde::de::DeserializeOwned>(kind: &str, path: &[&str]) {
        let mut section = kinds::kind(kind).unwrap().section();
        for (i, key) in path.iter().enumerate() {
            match &section.fields.iter().find(|field| field.key == *key).unwrap().shape {
                Shape::Map(_, Shape::Section(inner)) => section = inner,
                Shape::Choice(choices) if i + 1 == path.len() => {
                    choices.iter().for_each(|choice| drop(serde_json::from_value::<T>(json!(choice.word)).unwrap()));
                }
                _ => panic!("{key}"),
            }
        }
    }
    read::<document::DriftTarget>("drift", &["target"]);
    read::<document::ColumnType>("drift", &["columns", "type"]);
    read::<document::Task>("metrics", &["task"]);
}

#[test]
fn the_policies_of_documents_are_those_of_schedules() {
    let words = |key: &str| {
        let field = sections::ROOT.fields.iter().find(|field| field.key == key).unwrap();
        let Shape::Choice(choices) = &field.shape else { panic!("{key}") };
        choices.iter().map(|choice| choice.word).collect::<Vec<_>>()
    };
    assert_eq!(words("overlap"), Overlap::ALL.map(Overlap::as_str));
    assert_eq!(words("catch_up"), CatchUp::ALL.map(CatchUp::as_str));
    for (overlap, catch_up) in Overlap::ALL.into_iter().zip(CatchUp::ALL.into_iter().cycle()) {
        let keys = format!("overlap = \"{}\"\ncatch_up = \"{}\"\n[data]", overlap.as_str(), catch_up.as_str());
        let spec = right(&with(DRIFT, "[data]", &keys)).schedule_spec().unwrap();
        assert_eq!((spec.overlap, spec.catch_up), (overlap, catch_up));
    }
}

/// A file of the project; set `UPDATE_JOB_FILES=1` to write it anew.
fn checked_in(path: &str, expected: impl FnOnce(&str) -> String) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let now = std::fs::read_to_string(&path).unwrap_or_default();
    let expected = expected(&now);
    if std::env::var_os("UPDATE_JOB_FILES").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let now = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(now == expected, "{} is out of date: run the tests once with UPDATE_JOB_FILES=1", path.display());
}

#[test]
fn the_checked_in_schema_is_the_generated_one() {
    let known = words();
    checked_in("jobs/schema.json", |_| schema::schema_text(Checks { known: &known, schedule: &Calendar }));
}

#[test]
fn the_checked_in_reference_is_the_generated_one() {
    checked_in("jobs/README.md", |now| manual::refresh(now).expect("the markers"));
}

#[test]
fn the_shipped_jobs_are_right() {
    let known = known_with_channels();
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs");
    let loaded = load_dir(&dir, Checks { known: &known, schedule: &Calendar }).unwrap();
    assert!(loaded.diagnostics.is_empty(), "{}", render(&loaded.diagnostics, false));
    let names: Vec<_> = loaded.documents.iter().map(|d| d.document.name.as_str()).collect();
    for document in &loaded.documents {
        assert!(document.path.ends_with(&format!("{}.toml", document.document.name)), "a file is named after its job");
        assert!(document.source.starts_with("#:schema ./schema.json\n"), "{}", document.path);
    }
    assert_eq!(
        names,
        [
            "flights-ab",
            "flights-arrival-delay",
            "flights-classifier-v1",
            "flights-classifier-v2",
            "flights-feature-drift",
            "flights-score-v1-drift",
            "flights-score-v2-drift"
        ]
    );
}
