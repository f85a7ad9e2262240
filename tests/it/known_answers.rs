//! Reference values: every case in `tests/known_answers/*.json` against what the crate computes.
//!
//! A function the crate has is compared field by field within the case's own tolerance. What is not compared is listed by name with the
//! reason, in the file of its subject; a list entry that nothing uses fails, so the lists cannot outlive their reason, and a function
//! or field that is neither computed nor listed fails too. Fix the method, never the tolerance.
//!
//! `KNOWN_ANSWERS=folder` names a folder with more cases of the same shape; entries of the lists that those do not use are fine.

mod ab;
mod compare;
mod drift;
mod inputs;
mod metrics;
mod stats;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use compare::Tolerance;
use inputs::{number, text};

/// What is not compared, and why.
struct Listed {
    /// Functions that the crate does not have yet.
    functions: &'static [&'static str],
    /// Cases of functions the crate has, with what they need that it has not.
    cases: &'static [(&'static str, &'static str)],
    /// Fields, by function (or by one case's id), with the reason. A trailing `*` matches any ending; `field.name` is a field inside a
    /// field.
    fields: &'static [(&'static str, &'static str, &'static str)],
}

const LISTS: [&Listed; 4] = [&stats::LISTED, &drift::LISTED, &metrics::LISTED, &ab::LISTED];

fn answer(function: &str, inputs: &Value) -> Option<Value> {
    stats::answer(function, inputs)
        .or_else(|| drift::answer(function, inputs))
        .or_else(|| metrics::answer(function, inputs))
        .or_else(|| ab::answer(function, inputs))
}

#[test]
fn known_answers() {
    let mut failures = Vec::new();
    let mut unused: BTreeSet<String> = BTreeSet::new();
    for list in LISTS {
        unused.extend(list.functions.iter().map(|name| (*name).to_owned()));
        unused.extend(list.cases.iter().map(|(id, _)| (*id).to_owned()));
        unused.extend(list.fields.iter().map(|(function, field, _)| format!("{function}: {field}")));
    }
    let mut compared = 0;
    for case in cases() {
        let (id, function) = (text(&case["id"]), text(&case["function"]));
        if LISTS.iter().any(|list| list.functions.contains(&function)) {
            unused.remove(function);
            continue;
        }
        if LISTS.iter().any(|list| list.cases.iter().any(|(known, _)| *known == id)) {
            unused.remove(id);
            continue;
        }
        let Some(got) = answer(function, &case["inputs"]) else {
            failures.push(format!("{id}: the function `{function}` is neither computed nor listed as not yet"));
            continue;
        };
        let tolerance = Tolerance { relative: number(&case["rtol"]), absolute: number(&case["atol"]) };
        for (field, expected) in case["expected"].as_object().unwrap() {
            let mut fields = LISTS.iter().flat_map(|list| list.fields);
            if let Some((of, pattern, _)) =
                fields.find(|(of, pattern, _)| (*of == function || *of == id) && matches(pattern, field))
            {
                unused.remove(&format!("{of}: {pattern}"));
                continue;
            }
            match got.get(field) {
                None => failures.push(format!("{id}: the field `{field}` is not computed: expected {expected}")),
                Some(got) => {
                    compared += 1;
                    let expected = without_listed(function, field, expected, &mut unused);
                    tolerance.compare(&format!("{id}.{field}"), got, &expected, &mut failures);
                }
            }
        }
    }
    failures.extend(unused.into_iter().map(|entry| format!("listed, but no case uses it: {entry}")));
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert!(compared > 400, "only {compared} values were compared");
}

/// `expected` less those of its fields that are listed as `field.name`.
fn without_listed(function: &str, field: &str, expected: &Value, unused: &mut BTreeSet<String>) -> Value {
    let mut expected = expected.clone();
    if let Value::Object(fields) = &mut expected {
        fields.retain(|name, _| {
            let inner = format!("{field}.{name}");
            let listed =
                LISTS.iter().flat_map(|list| list.fields).any(|(of, known, _)| *of == function && *known == inner);
            if listed {
                unused.remove(&format!("{function}: {inner}"));
            }
            !listed
        });
    }
    expected
}

/// The cases of the project's own files, and of those in the folder that `KNOWN_ANSWERS` names.
fn cases() -> Vec<Value> {
    let mut files = documents(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/known_answers"));
    if let Some(folder) = std::env::var_os("KNOWN_ANSWERS") {
        let more = documents(Path::new(&folder));
        assert!(!more.is_empty(), "KNOWN_ANSWERS: no *.json file in {}", Path::new(&folder).display());
        files.extend(more);
    }
    files
        .iter()
        .flat_map(|path| {
            let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            document["cases"].as_array().unwrap_or_else(|| panic!("{}: no list `cases`", path.display())).clone()
        })
        .collect()
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

fn matches(pattern: &str, field: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => field.starts_with(start),
        None => pattern == field,
    }
}
