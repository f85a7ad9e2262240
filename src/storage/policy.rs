//! Which objects may be read at all: `storage.allowed`.
//!
//! An empty list allows everything to job files on disk and nothing to documents that somebody submits ([`Policy::submitted`]).
//! Otherwise a location must lie below one of the roots, compared segment by segment; for files after resolving `..` and
//! symbolic links, so that neither leads out of a root, and once more for the file that was opened, so that a link put there
//! in between does not either. Metadata services of clouds are never data.

use std::fs::{File, Metadata};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::location::{Location, Scheme};
use super::{Error, reach};

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
        if location.scheme == Scheme::Http {
            let url = url::Url::parse(&location.bucket).ok();
            if let Some(Err(refused)) = url.as_ref().map(reach::check_host) {
                return Err(Error::Denied { uri: location.uri(), reason: refused.to_string() });
            }
        }
        if !self.restricted || location.scheme == Scheme::File {
            return Ok(());
        }
        // The store refuses `..` too, but whoever only asks must not be told yes. A wildcard cannot climb, so the text
        // before it decides.
        let climbs = location.path.split('/').any(|part| matches!(part, "." | ".."));
        let allowed = !climbs
            && self.roots.iter().any(|root| {
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
        if self.is_below_a_root(&real) { Ok(()) } else { Err(self.denied(uri)) }
    }

    /// Checks the file that was opened at `path`: between the check of a path and its opening somebody may have put a link
    /// there.
    pub(super) fn check_opened(&self, uri: &str, path: &Path, file: &File) -> Result<(), Error> {
        if !self.restricted {
            return Ok(());
        }
        // The system says which file this is; where it does not (no /proc), the path must still lead to it.
        let real = match std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())) {
            Ok(real) => real,
            Err(_) => {
                let same = |a: &Metadata, b: &Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
                let real = std::fs::canonicalize(path).map_err(|error| Error::from_io(uri, &error))?;
                match (std::fs::symlink_metadata(&real), file.metadata()) {
                    (Ok(now), Ok(opened)) if same(&now, &opened) => real,
                    _ => return Err(self.denied(uri)),
                }
            }
        };
        if self.is_below_a_root(&real) { Ok(()) } else { Err(self.denied(uri)) }
    }

    /// Whether `storage.allowed` names a host.
    pub(super) fn names_host(&self, host: &str) -> bool {
        let host_of = |root: &Location| url::Url::parse(&root.bucket).ok()?.host_str().map(str::to_owned);
        self.roots.iter().filter(|root| root.scheme == Scheme::Http).filter_map(host_of).any(|named| named == host)
    }

    /// Whether documents that somebody submits may name data at all.
    pub(super) fn submitted(&self, uri: &str) -> Result<(), Error> {
        if self.restricted {
            return Ok(());
        }
        let reason = "documents that are submitted may read only what `storage.allowed` lists, and that is empty: \
                      list the roots that they may read";
        Err(Error::Denied { uri: uri.to_owned(), reason: reason.to_owned() })
    }

    fn is_below_a_root(&self, real: &Path) -> bool {
        let files = self.roots.iter().filter(|root| root.scheme == Scheme::File);
        files.filter_map(|root| resolve(Path::new(&root.path))).any(|root| real.starts_with(root))
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
    if text.contains(['*', '?', '{', '}']) {
        let reason = "a root has no wildcards: write the folder, prefix or bucket itself".to_owned();
        // What follows a question mark may be a signature.
        let uri = text.split('?').next().unwrap_or_default().to_owned();
        return Err(Error::BadUri { uri, reason });
    }
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
    fn tricks_with_names_do_not_lead_out_of_a_bucket_or_host() {
        let p = policy(&["s3://flights/month", "https://host.example/data", "http://10.0.0.5/data"]);
        for uri in [
            "s3://flights/month/../secret/a.csv",
            "s3://flights/month/./../secret/a.csv",
            "s3://flights/Month/a.csv",
            "s3://FLIGHTS/month/a.csv",
            "s3://flights-evil/month/a.csv",
            "s3://flights/month-evil/a.csv",
            "s3://flights/*/a.csv",
            "s3://flights/{month,secret}/a.csv",
            "gs://flights/month/a.csv",
            "https://host.example/data/../secret.csv",
            "https://host.example/data/%2e%2e/secret.csv",
            "https://host.example/data/.%2E/secret.csv",
            "https://host.example/data-evil/a.csv",
            "https://host.example.evil/data/a.csv",
            "https://host.example:8443/data/a.csv",
            "https://host.example./data/a.csv",
            "http://host.example/data/a.csv",
            "https://evil/https://host.example/data/a.csv",
            "http://10.0.0.6/data/a.csv",
        ] {
            assert!(!allows(&p, uri), "{uri}");
        }
        for uri in [
            "S3://flights/month/a.csv",
            "HTTPS://HOST.example/data/a.csv",
            "https://host.example:443/data/a.csv",
            "https://host.example/x/../data/a.csv",
            "http://10.0.0.5/data/a.csv",
            "http://0x0a000005/data/a.csv",
        ] {
            assert!(allows(&p, uri), "{uri}");
        }
        // A decoded slash would make a segment that the check did not see: the store refuses it.
        let hidden = Location::parse("https://host.example/data/..%2fsecret.csv").unwrap();
        assert!(hidden.object_path().is_err());
        for uri in ["https://host.example@evil/data/a.csv", "http://user:pw@10.0.0.5/data/a.csv"] {
            assert!(Location::parse(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn metadata_services_are_never_data_whatever_is_allowed() {
        for policy in
            [policy(&[]), policy(&["http://169.254.169.254/latest", "http://metadata.google.internal/computeMetadata"])]
        {
            for uri in [
                "http://169.254.169.254/latest/meta-data",
                "http://2852039166/latest/meta-data",
                "http://0xA9FEA9FE/latest/meta-data",
                "http://0251.0376.0251.0376/latest/meta-data",
                "http://169.254.43518/latest/meta-data",
                "http://[::ffff:169.254.169.254]/latest/meta-data",
                "http://[::ffff:a9fe:a9fe]/latest/meta-data",
                "http://[64:ff9b::a9fe:a9fe]/latest/meta-data",
                "http://[fd00:ec2::254]/latest/meta-data",
                "http://[fe80::1]/x",
                "http://169.254.170.2/v2/credentials",
                "http://100.100.100.200/latest/meta-data",
                "http://metadata.google.internal/computeMetadata/v1",
                "http://METADATA.google.internal./computeMetadata/v1",
            ] {
                assert!(!allows(&policy, uri), "{uri}");
            }
        }
    }

    #[test]
    fn a_root_with_a_wildcard_allows_nothing_and_says_so() {
        let p = policy(&["s3://bucket/*"]);
        let error = p.check(&Location::parse("s3://bucket/a.csv").unwrap()).unwrap_err().to_string();
        assert!(error.contains("a root has no wildcards"), "{error}");
    }

    #[test]
    fn a_link_put_there_after_the_check_is_found_when_the_file_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::create_dir(folder.path().join("evil")).unwrap();
        std::fs::write(folder.path().join("evil/x.csv"), "secret").unwrap();
        std::fs::write(root.join("sub/x.csv"), "public").unwrap();
        let p = policy(&[root.to_str().unwrap()]);
        let path = root.join("sub/x.csv");
        assert!(p.check_file("x", &path).is_ok());
        assert!(p.check_opened("x", &path, &File::open(&path).unwrap()).is_ok());
        // Now the folder becomes a link that leads out.
        std::fs::rename(root.join("sub"), root.join("was")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("evil"), root.join("sub")).unwrap();
        let opened = File::open(&path).unwrap();
        assert!(matches!(p.check_opened("x", &path, &opened), Err(Error::Denied { .. })));
        assert!(p.check_file("x", &path).is_err());
        assert!(policy(&[]).check_opened("x", &path, &opened).is_ok(), "without a list there is nothing to leave");
    }

    #[test]
    fn relative_and_absolute_paths_mean_the_same_place() {
        let here = std::env::current_dir().unwrap();
        let p = policy(&["src"]);
        assert!(allows(&p, "src/lib.rs") && allows(&p, "./src/lib.rs") && allows(&p, "file://src/lib.rs"));
        assert!(allows(&p, &format!("file://{}/src/lib.rs", here.display())));
        assert!(!allows(&p, "Cargo.toml") && !allows(&p, "src/../Cargo.toml") && !allows(&p, "SRC/lib.rs"));
        assert!(!allows(&p, "src-evil/lib.rs") && !allows(&p, "file://localhost/etc/passwd"));
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
