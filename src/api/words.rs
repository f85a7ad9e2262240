//! Sentences of serde and its neighbours, as people read them: with a place, without names of Rust's types, with a way out.
//!
//! Only what is written is changed; what is refused is decided in `body`.

use std::borrow::Cow;

use super::problem::Problem;

/// A mistake in a JSON body at `path`.
pub(super) fn explain(error: &serde_json::Error, path: String, bytes: &[u8]) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    // serde_json repeats the place at the end.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if !error.is_data() {
        let hint = if text.contains("number out of range") || is_no_number(bytes, error.line(), error.column()) {
            "; JSON knows no NaN and no infinity: send null, or leave the field out"
        } else {
            ""
        };
        return Problem::malformed(format!("the body is not JSON: {text} at {place}{hint}"));
    }
    let pointer = match text.strip_prefix("missing field `").or_else(|| text.strip_prefix("duplicate field `")) {
        Some(rest) => format!("{path}/{}", rest.trim_end_matches('`')),
        None => path,
    };
    Problem::invalid(pointer, format!("{} ({place})", with_suggestion(&plain(text))))
}

/// Whether what stands there is what other languages write for numbers that JSON does not have.
fn is_no_number(bytes: &[u8], line: usize, column: usize) -> bool {
    let Some(line) = bytes.split(|byte| *byte == b'\n').nth(line.saturating_sub(1)) else { return false };
    // serde_json may have gone a letter or two into the word.
    let start = column.saturating_sub(3);
    let word = line.get(start..line.len().min(start + 12)).unwrap_or_default().to_ascii_lowercase();
    word.windows(3).any(|part| part == b"nan" || part == b"inf")
}

/// A mistake in a query: the parameter and what is wrong with it.
pub(super) fn of_query(text: &str) -> (String, String) {
    let (name, reason) = text.split_once(": ").unwrap_or(("", text));
    let about = ["unknown field", "missing field", "duplicate field"];
    let quoted = reason.split('`').nth(1).filter(|_| about.iter().any(|start| reason.starts_with(start)));
    let name = if name.is_empty() || name.contains(' ') { quoted.unwrap_or_default() } else { name };
    (name.to_owned(), with_suggestion(&plain(reason)))
}

/// The same without what only programmers of Rust would know.
fn plain(text: &str) -> String {
    let whole = match text {
        "invalid digit found in string" | "cannot parse integer from empty string" => Some("must be a whole number"),
        "number too large to fit in target type" | "number too small to fit in target type" => {
            Some("is outside of the numbers that are possible here")
        }
        "provided string was not `true` or `false`" => Some("must be `true` or `false`"),
        "input contains invalid characters" | "premature end of input" | "input is out of range" | "trailing input" => {
            Some("must be a time such as 2026-01-31T00:00:00Z")
        }
        _ => None,
    };
    if let Some(whole) = whole {
        return whole.to_owned();
    }
    match text.rsplit_once("expected ") {
        Some((before, wanted)) if text.starts_with("invalid ") => format!("{before}expected {}", kind(wanted)),
        _ => text.to_owned(),
    }
}

fn kind(wanted: &str) -> Cow<'_, str> {
    match wanted {
        "f32" | "f64" => "a number".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more".into(),
        "a map" => "an object".into(),
        "a sequence" => "a list".into(),
        "a string" => "text".into(),
        "a boolean" => "true or false".into(),
        other if other.starts_with("struct ") => "an object".into(),
        other if other.contains("date and time") => "a time such as 2026-01-31T00:00:00Z".into(),
        other => other.into(),
    }
}

/// The sentence about an unknown word, with the nearest known one.
fn with_suggestion(text: &str) -> String {
    let mut words = text.split('`').skip(1).step_by(2);
    if !text.starts_with("unknown ") {
        return text.to_owned();
    }
    let Some(unknown) = words.next() else { return text.to_owned() };
    let near = words
        .map(|known| (strsim::damerau_levenshtein(unknown, known), known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 3)
        .min();
    match near {
        Some((_, known)) => format!("{text}; did you mean `{known}`?"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_reads_names_of_types() {
        for (text, people) in [
            ("invalid type: string \"0.9\", expected f64", "invalid type: string \"0.9\", expected a number"),
            ("invalid type: integer `1`, expected struct RunRequest", "invalid type: integer `1`, expected an object"),
            (
                "invalid value: integer `-1`, expected u32",
                "invalid value: integer `-1`, expected a whole number, 0 or more",
            ),
            ("invalid digit found in string", "must be a whole number"),
            ("premature end of input", "must be a time such as 2026-01-31T00:00:00Z"),
            ("missing field `a`", "missing field `a`"),
        ] {
            assert_eq!(plain(text), people);
        }
    }

    #[test]
    fn the_parameter_is_named() {
        assert_eq!(of_query("limit: invalid digit found in string").0, "limit");
        let (name, reason) = of_query("unknown field `limt`, expected `limit` or `cursor`");
        assert_eq!((name.as_str(), reason.contains("did you mean `limit`?")), ("limt", true));
        assert_eq!(of_query("missing field `reason`").0, "reason");
        assert_eq!(of_query("duplicate field `limit`").0, "limit");
    }
}
