//! The rules of the house, read from the source text: who may use whom, one home per foreign crate, headers, sizes.
//!
//! Plain text is enough for these rules and keeps the test independent of whether the crate compiles. Each failure names
//! file and line. The table of layers stands in `src/lib.rs`, and this test checks that the two say the same.

// A test that cannot go on stops loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Module and the modules of this crate that it may use, layer by layer; a module may always use itself.
const LAYERS: [(&str, &[&str], Uses); 9] = [
    ("foundation", &["clock", "config"], Uses::Nothing),
    ("mathematics", &["stats"], Uses::Nothing),
    ("judgements", &["metrics", "drift", "ab"], Uses::Layers(&["mathematics"])),
    ("foundations with I/O", &["db", "storage", "queue"], Uses::Layers(&["foundation"])),
    ("domain", &["access", "dataset", "registry", "schedule", "notify"], Uses::AllAbove),
    ("jobs", &["jobs"], Uses::AllAbove),
    ("assembly", &["app"], Uses::AllAbove),
    ("service", &["api"], Uses::AllAbove),
    ("entrances", &["cli"], Uses::AllAbove),
];

#[derive(Clone, Copy)]
enum Uses {
    Nothing,
    Layers(&'static [&'static str]),
    AllAbove,
}

/// A foreign crate and the places that may name it.
const HOMES: [(&str, &[&str]); 9] = [
    ("statrs", &["stats"]),
    ("polars", &["dataset"]),
    ("object_store", &["storage"]),
    ("apalis", &["queue"]),
    ("croner", &["schedule"]),
    ("lettre", &["notify"]),
    ("reqwest", &["notify", "storage/reach"]),
    ("axum", &["api", "cli/demo"]),
    ("hyper", &["api"]),
];

/// Longest file. Longer ones hold two things.
const LONGEST: usize = 400;

/// Words that must not appear in code, where they may, and why.
const FORBIDDEN: [(&str, &[&str], &str); 5] = [
    ("Utc::now", &["src/clock.rs"], "take a Clock"),
    ("SystemTime::now", &["src/clock.rs"], "take a Clock"),
    ("todo!", &[], "finish it or leave it out"),
    ("unimplemented!", &[], "finish it or leave it out"),
    ("anyhow::", &["src/main.rs", "src/cli"], "libraries have typed errors; anyhow belongs to the outermost boundary"),
];

struct Source {
    /// `src/queue/run.rs`.
    path: String,
    /// `queue`; empty for lib.rs and main.rs.
    module: String,
    lines: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    files.sort();
    assert!(files.len() > 20, "found only {} files under src", files.len());
    files.into_iter().map(|path| read(&path)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn read(path: &Path) -> Source {
    let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
    let inside = relative.strip_prefix("src/").unwrap().trim_end_matches(".rs").to_owned();
    let module = inside.split('/').next().unwrap().to_owned();
    let module = if module == "lib" || module == "main" { String::new() } else { module };
    let lines = fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    Source { path: relative, module, lines }
}

impl Source {
    /// The lines that are code, with their 1-based numbers: no comments, nothing behind `//`.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().enumerate().filter_map(|(index, line)| {
            let code = line.find("//").map_or(line.as_str(), |at| {
                // `https://` in a string is not a comment.
                if line[..at].ends_with(':') { line.as_str() } else { &line[..at] }
            });
            (!code.trim().is_empty()).then_some((index + 1, code))
        })
    }
}

/// Words in `text` that follow `prefix` directly and are names, as in `crate::name`, also each in `crate::{a, b::c}`.
fn names_after<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(prefix) {
        let rest = &text[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let mut expect = true;
                for (index, character) in group.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => expect = true,
                        c if expect && depth == 0 && (c.is_alphabetic() || c == '_') => {
                            found.push(name(&group[index..]));
                            expect = false;
                        }
                        _ => {}
                    }
                }
            }
            None => found.push(name(rest)),
        }
    }
    found
}

fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// What each module may use beside itself.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut allowed = BTreeMap::new();
    let mut above: Vec<&str> = Vec::new();
    for (_, modules, uses) in LAYERS {
        let may: Vec<&str> = match uses {
            Uses::Nothing => Vec::new(),
            Uses::Layers(names) => LAYERS
                .iter()
                .filter(|(layer, ..)| names.contains(layer))
                .flat_map(|(_, modules, _)| modules.iter().copied())
                .collect(),
            Uses::AllAbove => above.clone(),
        };
        // Within the layers below the domain, neighbours are strangers; from there on they may know each other.
        let neighbours: &[&str] = if matches!(uses, Uses::AllAbove) { modules } else { &[] };
        for module in modules {
            let mut may = may.clone();
            may.extend(neighbours);
            allowed.insert(*module, may);
        }
        above.extend(modules);
    }
    allowed
}

fn fail_if(problems: &[String]) {
    let mut text = String::new();
    for problem in problems {
        let _ = writeln!(text, "  {problem}");
    }
    assert!(problems.is_empty(), "{} broken rule(s):\n{text}", problems.len());
}

#[test]
fn uses_run_downward_only() {
    let allowed = allowed();
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| !source.module.is_empty()) {
        let Some(may) = allowed.get(source.module.as_str()) else {
            problems.push(format!(
                "{}:1: module `{}` has no layer; give it one in src/lib.rs and here",
                source.path, source.module
            ));
            continue;
        };
        // `use crate::{` may go on over several lines: what follows is read with it.
        for (index, (number, code)) in source.code().enumerate() {
            let mut text = code.to_owned();
            if code.trim_end().ends_with("crate::{") {
                for (_, more) in source.code().skip(index + 1) {
                    text.push_str(more.trim());
                    if more.contains("};") {
                        break;
                    }
                }
            }
            for used in names_after(&text, "crate::") {
                if allowed.contains_key(used) && used != source.module && !may.contains(&used) {
                    problems.push(format!("{}:{number}: `{}` must not use `{used}`", source.path, source.module));
                }
            }
        }
    }
    fail_if(&problems);
}

#[test]
fn the_table_of_layers_is_the_one_in_the_documentation() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for (layer, modules, uses) in LAYERS {
        let names: Vec<String> = modules.iter().map(|module| format!("[`{module}`]")).collect();
        let may = match uses {
            Uses::Nothing => "nothing of ours".to_owned(),
            Uses::Layers(layers) => layers.join(", "),
            Uses::AllAbove => "all above".to_owned(),
        };
        let row = format!("//! | {layer} | {} | {may} |", names.join(", "));
        assert!(text.contains(&row), "src/lib.rs: the table has no row\n  {row}");
    }
    for (foreign, homes) in HOMES.iter().filter(|(foreign, _)| *foreign != "axum") {
        assert!(text.contains(foreign), "src/lib.rs: does not say that {foreign} lives in {homes:?}");
    }
}

#[test]
fn every_foreign_crate_has_one_home() {
    let mut problems = Vec::new();
    for source in &sources() {
        for (number, code) in source.code() {
            for (foreign, homes) in HOMES {
                let at_home = homes.iter().any(|home| {
                    source.path.starts_with(&format!("src/{home}/")) || source.path == format!("src/{home}.rs")
                });
                let named = code.match_indices(foreign).any(|(at, _)| {
                    let before = code[..at].chars().next_back();
                    let after = &code[at + foreign.len()..];
                    // `polars_parquet::`, `apalis_core::` belong to the same family; `tracing::warn!("object_store")` does not name it.
                    let family = after.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '"' || c == ':')
                        && family.starts_with("::")
                });
                if named && !at_home {
                    problems.push(format!("{}:{number}: `{foreign}` may be named in {homes:?} only", source.path));
                }
            }
        }
    }
    fail_if(&problems);
}

#[test]
fn every_file_says_what_it_is_for_and_stays_short() {
    let mut problems = Vec::new();
    for source in &sources() {
        if !source.lines.first().is_some_and(|line| line.starts_with("//! ")) {
            problems.push(format!("{}:1: starts without a `//!` header that says what the file is for", source.path));
        }
        // A file of cases is a list: it is long because there are many, not because it does two things.
        if source.lines.len() > LONGEST && !source.path.ends_with("/tests.rs") {
            problems.push(format!("{}:{}: longer than {LONGEST} lines; it holds two things", source.path, LONGEST + 1));
        }
        for part in source.path.split('/') {
            if ["utils", "util", "helpers", "misc", "common"].contains(&part.trim_end_matches(".rs")) {
                problems.push(format!("{}:1: `{part}` says nothing; name the file after what it holds", source.path));
            }
        }
    }
    fail_if(&problems);
}

#[test]
fn forbidden_words_stay_out() {
    let mut problems = Vec::new();
    for source in &sources() {
        for (number, code) in source.code() {
            for (word, homes, advice) in FORBIDDEN {
                let at_home = homes.iter().any(|home| source.path.starts_with(home));
                if code.contains(word) && !at_home {
                    problems.push(format!("{}:{number}: `{word}`: {advice}", source.path));
                }
            }
        }
    }
    fail_if(&problems);
}

#[test]
fn statements_ask_our_clock() {
    let mut problems = Vec::new();
    for source in &sources() {
        for (number, code) in source.code() {
            let lower = code.to_lowercase();
            let in_sql = ["select ", "insert ", "update ", "delete ", "where ", "interval ", "values ", "set "]
                .iter()
                .any(|word| lower.contains(word));
            let asks = lower.match_indices("now()").any(|(at, _)| {
                !lower[..at].ends_with("steward_") && !lower[..at].ends_with('.') && !lower[..at].ends_with("::")
            });
            if in_sql && asks {
                problems.push(format!("{}:{number}: SQL asks now(); use steward_now()", source.path));
            }
        }
    }
    fail_if(&problems);
}

#[test]
fn names_are_found_in_uses_of_every_shape() {
    assert_eq!(names_after("use crate::db::pool;", "crate::"), ["db"]);
    assert_eq!(names_after("use crate::{ab, drift::{self, Method}, metrics};", "crate::"), ["ab", "drift", "metrics"]);
    assert_eq!(names_after("    let x = crate::clock::now();", "crate::"), ["clock"]);
}
