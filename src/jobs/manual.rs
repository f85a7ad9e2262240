//! The reference of all keys, in Markdown, from the same field tables that read them.
//!
//! It stands in `jobs/README.md` between two markers; a test holds the two equal.

use super::field::{Field, Keys, Presence, Section, Shape};
use super::kinds;
use super::sections;

/// The line before the generated part.
pub const BEGIN: &str = "<!-- keys: written by `steward jobs schema --markdown`; do not edit -->";
/// The line after it.
pub const END: &str = "<!-- /keys -->";

/// The generated part, without its markers.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::new();
    chapter(&mut text, "Every job", &sections::ROOT);
    for kind in kinds::ALL {
        text.push_str(&format!("### {}: `kind = \"{}\"`\n\n{}\n\n", kind.title(), kind.name(), kind.summary()));
        let inputs: Vec<String> = kind.inputs().iter().map(|input| format!("`data.{input}`")).collect();
        if inputs.is_empty() {
            text.push_str("It reads no datasets.\n\n");
        } else {
            text.push_str(&format!("It reads {}.\n\n", inputs.join(" and ")));
        }
        section(&mut text, kind.section());
    }
    text
}

/// The text with its generated part brought up to date; none when the markers are not there.
#[must_use]
pub fn refresh(readme: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}{END}{after}", markdown()))
}

fn chapter(text: &mut String, title: &str, of: &'static Section) {
    text.push_str(&format!("### {title}\n\n"));
    section(text, of);
}

/// A table of keys, then those of the tables inside.
fn section(text: &mut String, of: &'static Section) {
    let heading =
        if std::ptr::eq(of, &sections::ROOT) { "Top of the file".to_owned() } else { format!("`[{}]`", of.name) };
    text.push_str(&format!(
        "**{heading}**: {}\n\n| key | value | if absent | meaning |\n| --- | --- | --- | --- |\n",
        of.doc
    ));
    for field in of.fields {
        let absent = match field.presence {
            Presence::Required => "**required**".to_owned(),
            Presence::Optional => "nothing".to_owned(),
            Presence::Otherwise(what) => what.to_owned(),
            Presence::Default(literal) => format!("`{literal}`"),
        };
        text.push_str(&format!("| `{}` | {} | {absent} | {} |\n", field.key, value(field), meaning(field)));
    }
    text.push('\n');
    let mut seen: Vec<&'static Section> = Vec::new();
    for inner in of.fields.iter().filter_map(|field| inner(&field.shape)) {
        if seen.iter().any(|done| std::ptr::eq(*done, inner)) {
            continue;
        }
        match seen.iter().find(|done| same_keys(done, inner)) {
            Some(done) => {
                text.push_str(&format!("**`[{}]`**: {} The same keys as `[{}]`.\n\n", inner.name, inner.doc, done.name))
            }
            None => section(text, inner),
        }
        seen.push(inner);
    }
}

fn same_keys(a: &Section, b: &Section) -> bool {
    a.fields.len() == b.fields.len() && a.fields.iter().zip(b.fields).all(|(a, b)| a.key == b.key && a.doc == b.doc)
}

fn value(field: &Field) -> String {
    match &field.shape {
        Shape::Choice(_) => "one word".to_owned(),
        shape => shape.title(),
    }
}

fn meaning(field: &Field) -> String {
    let mut text = field.doc.to_owned();
    if let Shape::Choice(choices) = &field.shape {
        let words: Vec<String> =
            choices.iter().map(|choice| format!("`\"{}\"`: {}", choice.word, choice.doc)).collect();
        text.push_str(&format!(" {}.", words.join("; ")));
    }
    text.replace('|', "\\|")
}

fn inner(shape: &Shape) -> Option<&'static Section> {
    match shape {
        Shape::Section(section) | Shape::Short(section) => Some(section),
        Shape::Map(Keys::Free(_) | Keys::Word(_), of) | Shape::List(of) => inner(of),
        _ => None,
    }
}
