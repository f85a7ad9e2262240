//! `docs/configuration.md` is made from `config/default.toml`; this test fails when the two differ.
//!
//! `make doc` rewrites the page (it runs this test with `STEWARD_UPDATE_DOCS=1`).

use std::fmt::Write;

use super::layers::DEFAULT_TOML;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");

/// One heading a section, one row a key: name, default, meaning, environment variable.
fn markdown(defaults: &str) -> String {
    let mut page =
        String::from("# Configuration\n\n<!-- Made from config/default.toml by `make doc`; edit that file. -->\n");
    let (mut comment, mut table_open) = (Vec::<String>::new(), false);
    for line in defaults.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim().to_owned());
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let _ = write!(page, "\n## `[{name}]`\n");
            if !comment.is_empty() {
                let _ = write!(page, "\n{}\n", comment.join(" "));
            }
            comment.clear();
            table_open = false;
        } else if let Some((key, value)) = line.split_once(" = ") {
            if !table_open {
                page.push_str("\n| key | default | meaning |\n| --- | --- | --- |\n");
                table_open = true;
            }
            let meaning = comment.join(" ").replace('|', "\\|");
            let _ = writeln!(page, "| `{}` | `{}` | {meaning} |", key.trim(), value.trim().replace('|', "\\|"));
            comment.clear();
        } else if line.is_empty() && !comment.is_empty() {
            // A comment that belongs to no key: the introduction of the file or of a section.
            let _ = write!(page, "\n{}\n", comment.join("\n"));
            comment.clear();
            table_open = false;
        }
    }
    page
}

#[test]
fn every_key_of_the_defaults_has_a_comment() {
    let mut commented = false;
    for (number, line) in DEFAULT_TOML.lines().enumerate() {
        if line.starts_with('#') {
            commented = true;
        } else if line.contains(" = ") && !line.starts_with([' ', ']']) {
            assert!(commented, "config/default.toml:{}: `{line}` has no comment above it", number + 1);
            commented = false;
        } else {
            commented = false;
        }
    }
}

#[test]
fn the_page_says_what_the_defaults_say() {
    let wanted = markdown(DEFAULT_TOML);
    if std::env::var_os("STEWARD_UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert_eq!(found, wanted, "docs/configuration.md is not what config/default.toml says: run `make doc`");
}
