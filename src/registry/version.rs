//! Version numbers: Semantic Versioning 2.0.0, read by the `semver` crate, ordered by the database.
//!
//! The order is the column `precedence` (function `steward_version_key`); a test holds it equal to the crate's.

/// An example that people can copy.
pub const EXAMPLE: &str = "1.4.0 or 2.0.0-rc.1";

/// Reads a version number.
///
/// # Errors
/// A sentence that says what is wrong and shows an example.
pub fn parse(text: &str) -> Result<semver::Version, String> {
    if text.len() > 128 {
        return Err(format!("a version has at most 128 characters, this one has {}", text.len()));
    }
    semver::Version::parse(text).map_err(|error| {
        let hint = suggestion(text)
            .map_or_else(|| format!("write it like {EXAMPLE}"), |near| format!("did you mean `{near}`?"));
        format!("`{}` is no semantic version: {error}; {hint}", text.escape_debug())
    })
}

/// What was probably meant: without a leading `v`, with the parts that are missing.
fn suggestion(text: &str) -> Option<String> {
    let bare = text.trim().trim_start_matches(['v', 'V']);
    let (core, rest) = bare.split_at(bare.find(['-', '+']).unwrap_or(bare.len()));
    let mut parts: Vec<String> =
        core.split('.').map(|part| part.parse::<u64>().map(|n| n.to_string()).ok()).collect::<Option<_>>()?;
    if parts.len() > 3 {
        return None;
    }
    parts.resize(3, "0".to_owned());
    let near = format!("{}{rest}", parts.join("."));
    semver::Version::parse(&near).is_ok().then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_nearly_right_is_suggested() {
        for (text, near) in [("v1.2", "1.2.0"), ("1", "1.0.0"), ("01.2.3", "1.2.3"), ("1.0-rc.1", "1.0.0-rc.1")] {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(&format!("did you mean `{near}`?")), "{problem}");
        }
    }

    #[test]
    fn what_is_no_version_is_told_with_an_example() {
        for text in ["latest", "", "1.2.3.4", "1.2.3-", "1.2.3-01", "1.2.3 ", "１.0.0", "1.0.0\0"] {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(EXAMPLE) || problem.contains("did you mean"), "{text:?}: {problem}");
        }
        assert!(parse(&format!("1.0.0-{}", "a".repeat(200))).unwrap_err().contains("128"));
    }

    #[test]
    fn versions_are_read() {
        for text in ["0.2.0", "1.0.0-alpha.1+build.5", "18446744073709551615.0.0", "1.0.0-99999999999999999999999999"] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }
}
