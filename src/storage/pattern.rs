//! Wildcards in URIs: `*`, `?`, `[..]`, `{a,b}` inside a path segment, `**` across segments.
//!
//! The longest literal prefix (up to a slash) is what gets listed; everything else is matched on names. Objects whose
//! name begins with `.` or `_` are markers and metadata by convention (`_SUCCESS`, `.crc`) and match only when the
//! pattern's own last segment begins so.

use super::Error;

/// A path with wildcards.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    matcher: globset::GlobMatcher,
    /// Literal folder in front, with its trailing slash; empty when the first segment has a wildcard.
    pub(super) prefix: String,
    /// How many segments a match has below `prefix`; none when the pattern may match at any depth.
    pub(super) depth: Option<usize>,
    hidden: bool,
}

impl Pattern {
    /// The pattern of a path, or none when it holds no wildcard.
    pub(super) fn of(uri: &str, path: &str) -> Result<Option<Self>, Error> {
        let Some(first) = path.find(['*', '?', '[', '{']) else { return Ok(None) };
        let bad = |error: &globset::Error| Error::BadUri {
            uri: uri.to_owned(),
            reason: format!("its pattern is invalid: {} (write `[[]` for a literal bracket)", error.kind()),
        };
        let glob = globset::GlobBuilder::new(path).literal_separator(true).build().map_err(|error| bad(&error))?;
        let prefix = path.get(..first).and_then(|head| head.rfind('/').map(|slash| &head[..=slash])).unwrap_or("");
        let rest = path.get(prefix.len()..).unwrap_or("");
        // A brace may hold a slash ({a,b/c}); then the depth is not known from the text.
        let any_depth = rest.contains("**") || (rest.contains('{') && rest.contains('/'));
        let last = path.rsplit('/').next().unwrap_or(path);
        Ok(Some(Self {
            matcher: glob.compile_matcher(),
            prefix: prefix.to_owned(),
            depth: (!any_depth).then(|| rest.split('/').count()),
            hidden: last.starts_with(['.', '_']),
        }))
    }

    /// Whether a path matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        (self.hidden || !name.starts_with(['.', '_'])) && self.matcher.is_match(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(path: &str) -> Pattern {
        Pattern::of("x", path).unwrap().unwrap()
    }

    #[test]
    fn wildcards_stay_inside_a_segment() {
        let p = pattern("data/month=2013-0[1-3].parquet");
        assert_eq!((p.prefix.as_str(), p.depth), ("data/", Some(1)));
        assert!(p.matches("data/month=2013-02.parquet"));
        assert!(!p.matches("data/month=2013-04.parquet"));
        let p = pattern("data/*/x?.csv");
        assert_eq!((p.prefix.as_str(), p.depth), ("data/", Some(2)));
        assert!(p.matches("data/a/x1.csv"));
        assert!(!p.matches("data/a/b/x1.csv"));
        assert!(pattern("*.{csv,parquet}").matches("a.parquet"));
    }

    #[test]
    fn two_stars_cross_segments() {
        let p = pattern("data/**/x.csv");
        assert_eq!(p.depth, None);
        assert!(p.matches("data/x.csv"));
        assert!(p.matches("data/a/b/x.csv"));
    }

    #[test]
    fn markers_do_not_match_unless_asked_for() {
        assert!(!pattern("data/*").matches("data/_SUCCESS"));
        assert!(!pattern("data/*").matches("data/.part.crc"));
        assert!(pattern("data/_*").matches("data/_SUCCESS"));
    }

    #[test]
    fn a_plain_path_is_no_pattern_and_a_broken_one_is_named() {
        assert!(Pattern::of("x", "data/x.csv").unwrap().is_none());
        let error = Pattern::of("file://data/[a", "data/[a").unwrap_err().to_string();
        assert!(error.contains("file://data/[a") && error.contains("pattern"), "{error}");
    }
}
