//! How single values look in messages: numbers, instants, spans, lines. No module of messages formats by itself.
//!
//! What came from data goes through [`one_line`], and through [`escaped`] in HTML.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde_json::Value;

/// Characters on a line of prose.
const WIDTH: usize = 74;

/// Text on one line: control characters become spaces, so that nothing can start a new header or line.
#[must_use]
pub fn one_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')) // reordering marks hide text
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most `limit` characters, with dots for what is left out.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

/// A number with four significant digits, as people compare it.
#[must_use]
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs();
    if value.fract() == 0.0 && magnitude < 1e15 {
        return format!("{value:.0}");
    }
    if !(1e-4..1e6).contains(&magnitude) {
        let text = format!("{value:.3e}");
        return match text.split_once('e') {
            Some((digits, exponent)) => format!("{}e{exponent}", trimmed(digits)),
            None => text,
        };
    }
    let digits = (3 - magnitude.log10().floor() as i32).max(0) as usize;
    trimmed(&format!("{value:.digits$}")).to_owned()
}

/// A number without the zeros that end its fraction.
fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// Words on lines of at most [`WIDTH`] characters: the first one after `first`, the others after as many spaces. Mail clients
/// and pagers show it as it is, and the source of the mail stays readable.
pub(super) fn wrapped(first: &str, text: &str) -> String {
    let indent = " ".repeat(first.chars().count());
    let (mut out, mut width) = (first.to_owned(), indent.len());
    for (index, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && width + 1 + length > WIDTH {
            let _ = write!(out, "\n{indent}{word}");
            width = indent.len() + length;
        } else {
            let space = if index > 0 { " " } else { "" };
            let _ = write!(out, "{space}{word}");
            width += space.len() + length;
        }
    }
    out
}

pub(super) fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), number)
}

/// A fact of the evidence on one line.
#[must_use]
pub fn fact(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => one_line(text),
        Value::Number(n) if n.is_f64() => n.as_f64().map_or_else(|| n.to_string(), number),
        Value::Number(n) => n.to_string(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => items.iter().map(fact).collect::<Vec<_>>().join(", "),
        Value::Object(map) => {
            map.iter().map(|(key, value)| format!("{} {}", one_line(key), fact(value))).collect::<Vec<_>>().join(", ")
        }
    }
}

pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// The two largest units, "3 d 4 h".
pub(super) fn span(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let minutes = (to - from).num_minutes().max(0);
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, m) => format!("{m} min"),
        (0, h, 0) => format!("{h} h"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, 0, _) => format!("{d} d"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

pub(super) fn plural(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_compare_them() {
        let table = [
            (0.0, "0"),
            (0.2, "0.2"),
            (0.631_234, "0.6312"),
            (12.0, "12"),
            (1234.567, "1235"),
            (0.000_01, "1e-5"),
            (-0.5, "-0.5"),
            (12_345_678.9, "1.235e7"),
            (120_000.4, "120000"),
            (1e15, "1e15"),
        ];
        for (value, text) in table {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn prose_is_wrapped_between_words() {
        let text = wrapped("  - ", &"word ".repeat(40));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("    ") && !line.starts_with("     ")), "{text}");
        assert_eq!(wrapped("", &"x".repeat(100)).lines().count(), 1, "a word stays whole");
    }

    #[test]
    fn nothing_from_data_can_start_a_line() {
        assert_eq!(one_line("a\r\nBcc: x@y.z\u{2028}b\u{7}c\u{85}d"), "a Bcc: x@y.z b c d");
    }

    #[test]
    fn spans_name_their_two_largest_units() {
        let at = |minutes: i64| DateTime::from_timestamp(minutes * 60, 0).unwrap();
        let table =
            [(0, "0 min"), (59, "59 min"), (60, "1 h"), (61, "1 h 1 min"), (1440, "1 d"), (1440 * 3 + 245, "3 d 4 h")];
        for (minutes, text) in table {
            assert_eq!(span(at(0), at(minutes)), text);
        }
    }
}
