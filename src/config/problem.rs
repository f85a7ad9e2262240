//! What is wrong with a configuration, said so that it can be mended: where, which key, why, and what to do.
//!
//! Values are never repeated: a mistyped password must not reach a terminal or a log.

use std::fmt;

use serde::Serialize;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `FILE:LINE:COLUMN`, `environment variable NAME`, `--set key` or `config/default.toml`; empty when nowhere.
    pub location: String,
    /// The dotted key, such as `database.max_connections`; empty when the file could not be read at all.
    pub key: String,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// What to do, a lowercase fragment.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.location, &self.key] {
            if !part.is_empty() {
                write!(f, "{part}: ")?;
            }
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Every mistake that was found, in the order of the layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "the configuration is not valid ({count} problem{})", if count == 1 { "" } else { "s" })?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// `did you mean "x"?` when one of `known` is close to `word`, else the list of what is known.
#[must_use]
pub fn suggest(word: &str, known: &[&str]) -> Option<String> {
    let best = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word.to_lowercase(), candidate), *candidate))
        .min_by_key(|(distance, candidate)| (*distance, *candidate));
    match best {
        Some((distance, candidate)) if distance <= 2.max(word.chars().count() / 3) => {
            Some(format!("did you mean `{candidate}`?"))
        }
        Some(_) => {
            let mut sorted = known.to_vec();
            sorted.sort_unstable();
            Some(format!("known here: {}", sorted.join(", ")))
        }
        None => None,
    }
}
