//! The catalogue as Markdown: an index, and a page for each entry that has a formula.
//!
//! `docs/methods/` is this text; a test keeps the two equal.

use std::fmt::Write;

use super::{Entry, FAMILIES, Family};

/// Files of `docs/methods/` by name, with what stands in them.
#[must_use]
pub fn pages() -> Vec<(String, String)> {
    let mut pages = vec![("README.md".to_owned(), index())];
    for family in FAMILIES {
        let entries = (family.entries)();
        pages.extend(entries.iter().filter(|entry| has_page(entry)).map(|entry| (file(entry), page(entry))));
    }
    pages
}

fn has_page(entry: &Entry) -> bool {
    entry.formula.is_some()
}

fn file(entry: &Entry) -> String {
    format!("{}.md", entry.name)
}

fn index() -> String {
    let mut text = String::from(
        "# Methods\n\nMade from the entries of the methods themselves (`make doc`); do not edit. `steward methods` and \
         `GET /governance/methods` show the same.\nHow to choose among them: [choosing a method and a threshold](../choosing-a-method.md).\n",
    );
    for family in FAMILIES {
        section(family, &mut text);
    }
    text
}

fn section(family: &Family, text: &mut String) {
    let entries = (family.entries)();
    let _ = write!(text, "\n## {}\n\n{}\n\n", family.title, family.about);
    text.push_str("| name | for | what it measures | source |\n| --- | --- | --- | --- |\n");
    for entry in &entries {
        let name =
            if has_page(entry) { format!("[`{}`]({})", entry.name, file(entry)) } else { format!("`{}`", entry.name) };
        let (applies_to, summary, reference) = (entry.applies_to, cell(entry.summary), cell(entry.reference));
        let _ = writeln!(text, "| {name} | {applies_to} | {summary} | {reference} |");
    }
}

fn page(entry: &Entry) -> String {
    let mut text = format!(
        "# {}\n\nMade from the entry of `{}` (`make doc`); do not edit.\n\n**What it measures:** {}.\n",
        entry.title, entry.name, entry.summary
    );
    let mut facts = vec![("for columns that are", entry.applies_to.to_owned())];
    facts.extend(entry.range.map(|range| ("range of the score", format!("{range}; 0 is no difference"))));
    facts.extend(
        entry.default_threshold.map(|threshold| ("default threshold", format!("{threshold}, drift is above it"))),
    );
    facts.extend(entry.minimum_sample.map(|rows| {
        ("rows per side", format!("{rows}: from there unchanged data stay below the default threshold 99 times in 100"))
    }));
    facts.extend(entry.has_p_value.map(|has| {
        let text = if has { "stands beside the score and decides nothing unless a job says so" } else { "none" };
        ("p-value", text.to_owned())
    }));
    text.push_str("\n| | |\n| --- | --- |\n");
    for (label, value) in facts {
        let _ = writeln!(text, "| {label} | {} |", cell(&value));
    }
    for (heading, body) in [("When to use it", entry.when_to_use), ("Limits and details", entry.limits)] {
        if let Some(body) = body {
            let _ = write!(text, "\n## {heading}\n\n{body}\n");
        }
        if let (Some(formula), "When to use it") = (entry.formula, heading) {
            let _ = write!(text, "\n## Formula\n\n```text\n{formula}\n```\n");
        }
    }
    let _ = write!(text, "\n## Source\n\n{}\n\n", entry.reference);
    text.push_str("[All methods](README.md) · [choosing a method and a threshold](../choosing-a-method.md)\n");
    text
}

/// Text within a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
