//! What can be wrong with the data itself: each error names the object, the column, and what to do.

use crate::storage;

/// Why a dataset or one of its columns could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing is there to read.
    #[error("no data at `{uri}`: {hint}")]
    NoObjects {
        /// The URI as asked for.
        uri: String,
        /// What to check.
        hint: String,
    },
    /// The object holds no bytes at all.
    #[error("`{object}` is empty (0 bytes): was it written completely?")]
    Empty {
        /// The object.
        object: String,
    },
    /// The object is not in the format it should be in.
    #[error("`{object}` is not {expected}: {found}")]
    WrongFormat {
        /// The object.
        object: String,
        /// The format asked for, with its article left out ("Parquet").
        expected: &'static str,
        /// What it looks like instead and what to do.
        found: String,
    },
    /// The object begins right and ends too early.
    #[error("`{object}` is cut off: {detail}; write it again")]
    Truncated {
        /// The object.
        object: String,
        /// What is missing.
        detail: String,
    },
    /// The object is damaged.
    #[error("`{object}` is damaged: {detail}")]
    Corrupt {
        /// The object.
        object: String,
        /// What does not fit.
        detail: String,
    },
    /// The column is not there.
    #[error("no column `{column}` in `{object}`{}: it has {}", did_you_mean(suggestion.as_deref()), listed(available))]
    MissingColumn {
        /// The object.
        object: String,
        /// The column asked for.
        column: String,
        /// The columns that are there.
        available: Vec<String>,
        /// The most similar one.
        suggestion: Option<String>,
    },
    /// The column's values cannot be used this way.
    #[error("column `{column}` of `{object}` is not {expected}: {found}")]
    WrongType {
        /// The object.
        object: String,
        /// The column.
        column: String,
        /// What is needed.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// Two objects of one dataset disagree about a column.
    #[error("column `{column}` is {found} in `{object}` and {expected} in `{first}`: write both with the same type")]
    SchemaConflict {
        /// The column.
        column: String,
        /// The object that differs.
        object: String,
        /// The column's type there.
        found: String,
        /// The first object.
        first: String,
        /// The column's type there.
        expected: String,
    },
    /// The inputs are not the ones that were pinned.
    #[error("the input changed since it was pinned: {detail}")]
    Changed {
        /// Which object differs and how.
        detail: String,
    },
    /// There is not enough memory for a column.
    #[error("not enough memory to read `{object}` ({detail})")]
    OutOfMemory {
        /// The object.
        object: String,
        /// What the system said.
        detail: String,
    },
    /// The object could not be reached or read.
    #[error(transparent)]
    Storage(storage::Error),
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::NotFound { uri, hint } => Self::NoObjects { uri, hint },
            storage::Error::Changed { uri, detail } => Self::Changed { detail: format!("`{uri}`: {detail}") },
            error => Self::Storage(error),
        }
    }
}

impl Error {
    /// A stable word for machines: `no_data`, `insufficient_data`, `corrupt_input`, `schema_error`, `input_changed`,
    /// `out_of_memory`, or what the storage says (`unreachable`, `denied`, ...).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoObjects { .. } => "no_data",
            Self::Empty { .. } => "insufficient_data",
            Self::WrongFormat { .. } | Self::Truncated { .. } | Self::Corrupt { .. } => "corrupt_input",
            Self::MissingColumn { .. } | Self::WrongType { .. } | Self::SchemaConflict { .. } => "schema_error",
            Self::Changed { .. } => "input_changed",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::Storage(error) => error.code(),
        }
    }

    /// Whether the same read may succeed later without anyone changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::OutOfMemory { .. } => true,
            Self::Storage(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Whether only this column is affected, so that the others can still be judged.
    #[must_use]
    pub fn is_about_a_column(&self) -> bool {
        self.code() == "schema_error"
    }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

fn listed(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    if text.is_empty() { "no columns".to_owned() } else { text }
}

/// The most similar name, if one is similar enough to have been meant.
pub(super) fn suggest(wanted: &str, available: &[String]) -> Option<String> {
    let wanted = wanted.to_lowercase();
    available
        .iter()
        .map(|name| (strsim::jaro_winkler(&name.to_lowercase(), &wanted), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone())
}

/// The first line of a decoder's message, short enough for a person.
pub(super) fn brief(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default().trim();
    match line.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or(line)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_column_is_suggested_and_listed() {
        let available: Vec<String> = ["temp", "humid", "wind_speed"].map(str::to_owned).to_vec();
        assert_eq!(suggest("Temp", &available).as_deref(), Some("temp"));
        assert_eq!(suggest("windspeed", &available).as_deref(), Some("wind_speed"));
        assert_eq!(suggest("zzz", &available), None);
        let error = Error::MissingColumn {
            object: "file://x".into(),
            column: "tmp".into(),
            suggestion: suggest("tmp", &available),
            available,
        };
        assert_eq!(
            error.to_string(),
            "no column `tmp` in `file://x` (did you mean `temp`?): it has `temp`, `humid`, `wind_speed`"
        );
        assert!(error.is_about_a_column());
    }
}
