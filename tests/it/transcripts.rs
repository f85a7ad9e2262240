//! The pages in `docs/` quote real sessions: every ```console block is run again here, and must answer as it says.
//!
//! Blocks of one page run one after the other in one folder with one database, as a reader would type them. Lines that begin
//! with `$ ` are commands (those that begin with `> ` go on with them), what follows is their output (both streams, as on a terminal). Ids, times, digests and tokens are
//! compared by their shape; ids that commands print can be used by later lines through shell variables. `UPDATE_DOCS=1`
//! writes the answers anew.

use std::process::Command;

use crate::support::database::TestDatabase;
use crate::support::steward::Site;

/// What differs from run to run, and what stands for it in a comparison. The order matters: longer shapes first.
fn shaped(text: &str) -> String {
    let mut words = Vec::new();
    for line in text.lines() {
        let line: Vec<String> = line.split(' ').map(word).filter(|w| !w.is_empty()).collect();
        words.push(line.join(" "));
    }
    words.join("\n").trim_end().to_owned()
}

fn word(word: &str) -> String {
    // Tokens may end with any character of their alphabet.
    let of_token = |c: char| word.starts_with("stw_") && "-_".contains(c);
    let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && !of_token(c));
    let hex = core.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let digits = core.chars().filter(char::is_ascii_digit).count();
    let shape = match core.len() {
        64 if hex => "<digest>",
        36 if hex => "<id>",
        8 if hex && digits > 0 && !core.contains('-') => "<id>",
        _ if core.starts_with("stw_") => "<token>",
        _ if core.starts_with("sha256:") => "<digest>",
        10.. if core.starts_with("20") && core.as_bytes()[4] == b'-' => "<time>",
        5 if core.as_bytes()[2] == b':' && digits == 4 => "<time>",
        8 if core.as_bytes()[2] == b':' && digits == 6 => "<time>",
        _ => return word.to_owned(),
    };
    word.replace(core, shape)
}

/// Runs the blocks of a page; answers the page as the program says it should be.
fn play(page: &str, site: &Site) -> String {
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_steward")).parent().unwrap().to_owned();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut out = String::new();
    for (index, part) in page.split("```console\n").enumerate() {
        if index == 0 {
            out += part;
            continue;
        }
        let (block, rest) = part.split_once("\n```").unwrap();
        let mut said = Vec::new();
        for (command, answer) in commands(block) {
            // Variables and files that one line makes are there for the next.
            let script = format!(
                "exec 2>&1; [ -f .session ] && . ./.session; set -a\n{}\nexport -p > .session",
                command.iter().map(|line| line[2..].to_owned()).collect::<Vec<_>>().join("\n")
            );
            let mut shell = Command::new("bash");
            shell.args(["-c", &script]).current_dir(site.path()).env_clear();
            shell.env("PATH", &path).env("HOME", site.path()).env("USER", "ana");
            shell.env("DATABASE_URL", &site.database_url).env("STEWARD__DATA_DIR", site.path().join("data"));
            let output = shell.output().unwrap();
            let here = site.path().canonicalize().unwrap().display().to_string();
            let found = String::from_utf8(output.stdout).unwrap().replace(&here, "/srv/models");
            said.push(format!("{}\n", command.join("\n")));
            // What was quoted stays when it says the same: an update touches only what changed.
            let kept = if shaped(&found) == shaped(&answer) { answer } else { found };
            said.push(if kept.trim().is_empty() { String::new() } else { format!("{}\n", kept.trim_end()) });
        }
        out += &format!("```console\n{}\n```{rest}", said.concat().trim_end());
    }
    out
}

/// The commands of a block with the answers that are quoted.
fn commands(block: &str) -> Vec<(Vec<String>, String)> {
    let mut list: Vec<(Vec<String>, String)> = Vec::new();
    for line in block.lines() {
        if line.starts_with("$ ") {
            list.push((vec![line.to_owned()], String::new()));
            continue;
        }
        let (command, answer) = list.last_mut().expect("a block begins with a command");
        if answer.is_empty() && line.starts_with("> ") {
            command.push(line.to_owned());
        } else {
            answer.push_str(line);
            answer.push('\n');
        }
    }
    list
}

async fn page(name: &str) {
    page_of(name, &[]).await;
}

/// Plays a page in a folder that has the shipped flights and these of the shipped jobs.
async fn page_of(name: &str, jobs: &[&str]) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let database = TestDatabase::new().await;
    let site = Site::new(&database.url, "");
    if !jobs.is_empty() {
        shipped(&site, jobs);
    }
    let played = tokio::task::block_in_place(|| play(&text, &site));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, played).unwrap();
        return;
    }
    for (quoted, said) in text.lines().zip(played.lines()) {
        assert_eq!(shaped(quoted), shaped(said), "docs/{name} says otherwise than the program; run `make doc`");
    }
    assert_eq!(text.lines().count(), played.lines().count(), "docs/{name}: run `make doc`");
}

fn shipped(site: &Site, jobs: &[&str]) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let flights = site.path().join("data/flights");
    std::fs::create_dir_all(&flights).unwrap();
    for entry in std::fs::read_dir(root.join("data/flights")).unwrap() {
        let file = entry.unwrap().path();
        std::fs::copy(&file, flights.join(file.file_name().unwrap())).unwrap();
    }
    for job in jobs {
        site.job(job, &std::fs::read_to_string(root.join(format!("jobs/{job}.toml"))).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_jobs() {
    page_of("drift.md", &["flights-feature-drift"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_registration_to_production() {
    page("registry.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn for_auditors() {
    page("auditing.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_ab_test_from_draft_to_citation() {
    page("ab-tests.md").await;
}

#[test]
fn requests_in_the_pages_are_requests_that_there_are() {
    let document: serde_json::Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    let mut found = 0;
    for text in [
        include_str!("../../docs/registry.md"),
        include_str!("../../docs/auditing.md"),
        include_str!("../../docs/drift.md"),
        include_str!("../../docs/ab-tests.md"),
        include_str!("../../README.md"),
    ] {
        for line in text.lines().filter_map(|line| line.trim_start_matches("| ").strip_prefix('`')) {
            let quoted = line.split('`').next().unwrap();
            let Some((verb, path)) = quoted.split_once(" /") else { continue };
            if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&verb) {
                continue;
            }
            let path = format!("/{}", path.split('?').next().unwrap());
            let known = paths
                .iter()
                .any(|known| **known == path && document["paths"][known.as_str()][verb.to_lowercase()].is_object());
            assert!(known, "there is no {verb} {path}");
            found += 1;
        }
    }
    assert!(found > 10, "{found}");
}
