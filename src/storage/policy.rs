//! Which objects may be read at all: `storage.allowed`.
//!
//! An empty list allows everything. Otherwise a location must lie below one of the roots, compared segment by segment;
//! for files after resolving `..` and symbolic links, so that neither leads out of a root. This guards against job
//! files that name other people's data; it is not a sandbox against someone who can swap links on the same machine.

use std::path::{Component, Path, PathBuf};

use super::Error;
use super::location::{Location, Scheme};

/// The parsed list of roots.
#[derive(Debug, Default)]
pub(super) struct Policy {
    roots: Vec<Location>,
    /// Roots that could not be parsed: nothing is allowed through them, and the error says so.
    unusable: Vec<String>,
    restricted: bool,
}

impl Policy {
    /// Reads `storage.allowed`. An unusable entry allows nothing rather than everything.
    pub(super) fn new(allowed: &[String]) -> Self {
        let mut policy = Self { restricted: !allowed.is_empty(), ..Self::default() };
        for text in allowed {
            match parse_root(text) {
                Ok(root) => policy.roots.push(root),
                Err(error) => policy.unusable.push(error.to_string()),
            }
        }
        policy
    }

    /// Checks an object of a bucket, of memory or of an HTTP server.
    pub(super) fn check(&self, location: &Location) -> Result<(), Error> {
        if !self.restricted || location.scheme == Scheme::File {
            return Ok(());
        }
        // A wildcard cannot climb (object paths hold no `..`), so the text before it decides.
        let allowed = self.roots.iter().any(|root| {
            root.scheme == location.scheme && root.bucket == location.bucket && below(&location.path, &root.path)
        });
        if allowed { Ok(()) } else { Err(self.denied(&location.uri())) }
    }

    /// Checks a file or folder. Blocks: it resolves links on the file system.
    pub(super) fn check_file(&self, uri: &str, path: &Path) -> Result<(), Error> {
        if !self.restricted {
            return Ok(());
        }
        let Some(real) = resolve(path) else { return Err(self.denied(uri)) };
        let allowed = self
            .roots
            .iter()
            .filter(|root| root.scheme == Scheme::File)
            .filter_map(|root| resolve(Path::new(&root.path)))
            .any(|root| real.starts_with(root));
        if allowed { Ok(()) } else { Err(self.denied(uri)) }
    }

    fn denied(&self, uri: &str) -> Error {
        let mut reason = "it is outside of `storage.allowed`".to_owned();
        if let Some(first) = self.unusable.first() {
            reason = format!("{reason}, and an entry of that list is unusable: {first}");
        }
        Error::Denied { uri: uri.to_owned(), reason }
    }
}

fn parse_root(text: &str) -> Result<Location, Error> {
    // A whole bucket or host is a valid root, though not a valid object.
    let with_path = match text.split_once("://") {
        Some((scheme, rest)) if !matches!(scheme, "file" | "memory") && !rest.trim_end_matches('/').contains('/') => {
            format!("{scheme}://{}/-", rest.trim_end_matches('/'))
        }
        _ => return Location::parse(text),
    };
    Location::parse(&with_path).map(|location| location.with_path(""))
}

/// Whether `path` is `root` or lies below it, by whole segments.
fn below(path: &str, root: &str) -> bool {
    let root = root.trim_matches('/');
    root.is_empty()
        || path.trim_start_matches('/').strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The absolute path without links, also of a file that does not exist yet.
fn resolve(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let mut head = absolute.as_path();
    let mut tail = Vec::new();
    loop {
        if let Ok(real) = std::fs::canonicalize(head) {
            return Some(tail.iter().rev().fold(real, |path, part| path.join(part)));
        }
        // Below a folder that does not exist, `..` could mean anything.
        match head.components().next_back()? {
            Component::Normal(part) => tail.push(part.to_owned()),
            _ => return None,
        }
        head = head.parent()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(roots: &[&str]) -> Policy {
        Policy::new(&roots.iter().map(|root| (*root).to_owned()).collect::<Vec<_>>())
    }

    fn allows(policy: &Policy, uri: &str) -> bool {
        let location = Location::parse(uri).unwrap();
        let file = location.file_path().is_none_or(|path| policy.check_file(uri, &path).is_ok());
        file && policy.check(&location).is_ok()
    }

    #[test]
    fn buckets_and_prefixes_end_at_a_segment() {
        let p = policy(&["s3://flights/month", "gs://all", "https://host/data"]);
        assert!(allows(&p, "s3://flights/month/a.parquet"));
        assert!(!allows(&p, "s3://flights/month2/a.parquet"));
        assert!(!allows(&p, "s3://flights2/month/a.parquet"));
        assert!(allows(&p, "gs://all/x"));
        assert!(!allows(&p, "az://all/x"));
        assert!(allows(&p, "https://host/data/x.csv"));
        assert!(!allows(&p, "https://other/data/x.csv"));
        assert!(!allows(&p, "/etc/passwd"));
    }

    #[test]
    fn an_empty_list_allows_everything_and_an_unusable_entry_nothing() {
        assert!(allows(&policy(&[]), "/etc/passwd"));
        let p = policy(&["ftp://x"]);
        assert!(!allows(&p, "/etc/passwd"));
        let error = p.check_file("file:///etc/passwd", Path::new("/etc/passwd")).unwrap_err().to_string();
        assert!(error.contains("scheme"), "{error}");
    }

    #[test]
    fn neither_dots_nor_links_lead_out_of_a_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(folder.path().join("secret.csv"), "a\n1\n").unwrap();
        std::fs::write(root.join("x.csv"), "a\n1\n").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret.csv"), root.join("link.csv")).unwrap();
        let p = policy(&[root.to_str().unwrap()]);
        let at = |name: &str| format!("file://{}/{name}", root.display());
        assert!(allows(&p, &at("x.csv")));
        assert!(allows(&p, &at("sub/../x.csv")) || !root.join("sub").exists());
        assert!(!allows(&p, &at("../secret.csv")));
        assert!(!allows(&p, &at("none/../../secret.csv")));
        assert!(!allows(&p, &at("link.csv")));
        assert!(!allows(&p, &format!("file://{}2/x.csv", root.display())));
    }
}
