//! URIs: what a text such as `s3://bucket/path/*.parquet` points to.
//!
//! A location keeps the path as it was written, so that a relative path stays relative and pins do not depend on the
//! machine. Credentials in a URI are refused; the query of an `https` URI (often a signature) is used and never shown.

use std::path::{Path, PathBuf};

use super::Error;

/// Which kind of store a URI names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Scheme {
    File,
    Memory,
    S3,
    Gs,
    Az,
    Http,
}

impl Scheme {
    /// The section of the configuration that says how the store is reached.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::S3 => "storage.s3",
            Self::Gs => "storage.gs",
            Self::Az => "storage.az",
            Self::File | Self::Memory | Self::Http => "storage",
        }
    }
}

/// A parsed URI.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) scheme: Scheme,
    /// Bucket, container or (for HTTP) origin such as `https://host:8080`; empty for files and memory.
    pub(super) bucket: String,
    /// Path inside the bucket without a leading slash; for files as written.
    pub(super) path: String,
    /// Query of an HTTP URI; may hold a signature, so it is never shown.
    pub(super) query: Option<String>,
}

impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.uri())
    }
}

impl Location {
    /// Parses a URI or a plain path. Errors name what would be right.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let bad = |reason: &str| Error::BadUri { uri: without_secrets(text), reason: reason.to_owned() };
        if text.is_empty() {
            return Err(bad("it is empty: write a path or a URI such as s3://bucket/path.parquet"));
        }
        if text.contains('\0') {
            return Err(bad("it holds a null character"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self { scheme: Scheme::File, bucket: String::new(), path: text.to_owned(), query: None });
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "file" => {
                if rest.is_empty() {
                    return Err(bad("it names no file: write file:///absolute/path or file://relative/path"));
                }
                let path = rest.to_owned();
                return Ok(Self { scheme: Scheme::File, bucket: String::new(), path, query: None });
            }
            "memory" => {
                let path = rest.trim_start_matches('/').to_owned();
                return Ok(Self { scheme: Scheme::Memory, bucket: String::new(), path, query: None });
            }
            "http" | "https" => return Self::parse_http(text).map_err(|reason| bad(&reason)),
            "s3" | "s3a" => Scheme::S3,
            "gs" | "gcs" => Scheme::Gs,
            "az" | "azure" | "abfs" | "abfss" => Scheme::Az,
            _ => return Err(bad("its scheme is unknown: use file, s3, gs, az, http, https or memory")),
        };
        let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains('@') || bucket.contains(':') {
            return Err(bad(&format!("credentials do not belong in a URI: set them under `{}`", scheme.section())));
        }
        if bucket.is_empty() {
            return Err(bad("it names no bucket: write scheme://bucket/path"));
        }
        // The bucket becomes a part of a host's name or of a URL: `#`, `?`, `%` and their like would make another one of it.
        if !bucket.chars().all(|c| c.is_ascii_alphanumeric() || "._-$".contains(c)) || bucket.contains("..") {
            return Err(bad("a bucket's name holds letters, digits, `.`, `_` and `-` only"));
        }
        let path = path.trim_start_matches('/').to_owned();
        if path.is_empty() {
            return Err(bad("it names a bucket and no object: add a path such as data/*.parquet"));
        }
        Ok(Self { scheme, bucket: bucket.to_owned(), path, query: None })
    }

    fn parse_http(text: &str) -> Result<Self, String> {
        let url = url::Url::parse(text).map_err(|error| error.to_string())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("credentials do not belong in a URI: use a signed URL or an object store".into());
        }
        let host = url.host_str().ok_or("it names no host")?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let path = url.path().trim_start_matches('/').to_owned();
        if path.is_empty() {
            return Err("it names a host and no object: add a path".into());
        }
        Ok(Self {
            scheme: Scheme::Http,
            bucket: format!("{}://{host}{port}", url.scheme()),
            path,
            query: url.query().map(str::to_owned),
        })
    }

    /// The URI without credentials and signatures.
    pub(super) fn uri(&self) -> String {
        let path = &self.path;
        match self.scheme {
            Scheme::File => format!("file://{path}"),
            Scheme::Memory => format!("memory://{path}"),
            Scheme::S3 => format!("s3://{}/{path}", self.bucket),
            Scheme::Gs => format!("gs://{}/{path}", self.bucket),
            Scheme::Az => format!("az://{}/{path}", self.bucket),
            Scheme::Http => format!("{}/{path}", self.bucket),
        }
    }

    /// The same place with another path.
    pub(super) fn with_path(&self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self.clone() }
    }

    /// The path on the local file system.
    pub(super) fn file_path(&self) -> Option<PathBuf> {
        (self.scheme == Scheme::File).then(|| Path::new(&self.path).to_path_buf())
    }

    /// The path as the object store wants it.
    pub(super) fn object_path(&self) -> Result<object_store::path::Path, Error> {
        let parsed = match self.scheme {
            Scheme::Http => object_store::path::Path::from_url_path(&self.path),
            _ => object_store::path::Path::parse(self.path.trim_end_matches('/')),
        };
        parsed.map_err(|_| Error::BadUri {
            uri: self.uri(),
            reason: "its path holds an empty, `.` or `..` segment: write the path without them".into(),
        })
    }
}

/// A URI fit for messages: no user part, no query.
fn without_secrets(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(a, p)| (a, Some(p)));
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let path = match path {
        Some(path) if scheme.starts_with("http") => Some(path.split('?').next().unwrap_or(path)),
        other => other,
    };
    path.map_or_else(|| format!("{scheme}://{authority}"), |path| format!("{scheme}://{authority}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(text: &str) -> String {
        Location::parse(text).unwrap().uri()
    }

    #[test]
    fn uris_keep_what_was_written() {
        assert_eq!(round("data/x.parquet"), "file://data/x.parquet");
        assert_eq!(round("file://data/x.parquet"), "file://data/x.parquet");
        assert_eq!(round("file:///srv/x.parquet"), "file:///srv/x.parquet");
        assert_eq!(round("/srv/x.parquet"), "file:///srv/x.parquet");
        assert_eq!(round("s3a://b/k/x.csv"), "s3://b/k/x.csv");
        assert_eq!(round("gcs://b/k"), "gs://b/k");
        assert_eq!(round("abfss://c/k"), "az://c/k");
        assert_eq!(round("memory:///t/x.csv"), "memory://t/x.csv");
        assert_eq!(round("https://h:8443/a/b.csv"), "https://h:8443/a/b.csv");
    }

    #[test]
    fn credentials_are_refused_and_not_repeated() {
        for text in ["s3://AKIA:hunter2@bucket/key", "https://me:hunter2@host/x.csv"] {
            let error = Location::parse(text).unwrap_err();
            assert!(matches!(error, Error::BadUri { .. }));
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(error.to_string().contains("credentials"), "{error}");
        }
    }

    #[test]
    fn the_query_of_a_signed_url_is_kept_and_hidden() {
        let location = Location::parse("https://host/x.parquet?sig=hunter2").unwrap();
        assert_eq!(location.query.as_deref(), Some("sig=hunter2"));
        assert_eq!(location.uri(), "https://host/x.parquet");
        assert!(!format!("{location:?}").contains("hunter2"));
    }

    #[test]
    fn a_bucket_cannot_make_another_host_of_the_endpoint() {
        for bucket in
            ["evil.example#", "evil.example?", "evil.example%2f", "evil\\x", "a b", "..", "a..b", "b\u{130}", "{a,b}"]
        {
            let error = Location::parse(&format!("s3://{bucket}/x.csv")).unwrap_err().to_string();
            assert!(error.contains("bucket's name"), "{bucket}: {error}");
        }
        assert!(Location::parse("az://$web/x.csv").is_ok() && Location::parse("s3://my.bucket-1_x/x.csv").is_ok());
    }

    #[test]
    fn unusable_uris_say_what_would_be_right() {
        for (text, hint) in [
            ("", "empty"),
            ("ftp://h/x", "scheme"),
            ("s3://bucket", "no object"),
            ("s3:///key", "no bucket"),
            ("file://", "no file"),
            ("https://host", "no object"),
        ] {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(error.contains(hint), "{text}: {error}");
        }
        let dots = Location::parse("s3://bucket/a/../b").unwrap().object_path().unwrap_err();
        assert!(dots.to_string().contains(".."), "{dots}");
    }
}
