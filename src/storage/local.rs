//! Files: listing with wildcards, guarded opening and reading.
//!
//! Everything here blocks and is called from blocking threads. The etag of a file is its modification time and size:
//! it survives a copy that keeps times, and any ordinary rewrite changes it.

use std::fs::{File, Metadata};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::location::Location;
use super::pattern::Pattern;
use super::policy::Policy;
use super::{Error, ObjectInfo};

/// Deepest folder below the literal prefix that `**` looks into.
const MAX_DEPTH: usize = 32;

/// Lists the files of a location, sorted by name; at least one or an error.
pub(super) fn list(location: &Location, policy: &Policy, limit: usize) -> Result<Vec<ObjectInfo>, Error> {
    let uri = location.uri();
    let Some(pattern) = Pattern::of(&uri, &location.path)? else {
        policy.check_file(&uri, Path::new(&location.path))?;
        let metadata = std::fs::metadata(&location.path).map_err(|error| missing(location, &error))?;
        if metadata.is_dir() {
            let folder = location.path.trim_end_matches('/');
            let hint = format!("it is a folder; write `file://{folder}/*.parquet` to read the files in it");
            return Err(Error::NotFound { uri, hint });
        }
        if !metadata.is_file() {
            // Opening a pipe would wait for somebody to write into it; a device never ends.
            return Err(Error::NotFound { uri, hint: "it is neither a file nor a folder".to_owned() });
        }
        return Ok(vec![info(location.clone(), &metadata)]);
    };
    let base = if pattern.prefix.is_empty() { "." } else { pattern.prefix.as_str() };
    policy.check_file(&uri, Path::new(base))?;
    if !Path::new(base).is_dir() {
        return Err(Error::NotFound { uri, hint: format!("the folder `{base}` does not exist") });
    }
    let mut found = Vec::new();
    walk(&pattern.prefix, 1, &pattern, policy, limit, &mut found).map_err(|stop| match stop {
        Stop::TooMany => Error::TooMany { uri: uri.clone(), limit },
        Stop::Io(error) => Error::from_io(&uri, &error),
    })?;
    if found.is_empty() {
        return Err(Error::NotFound { uri, hint: format!("no file in `{base}` matches the pattern") });
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
        .into_iter()
        .map(|(path, metadata)| {
            let location = location.with_path(path);
            // A symbolic link in an allowed folder may lead out of it.
            policy.check_file(&location.uri(), Path::new(&location.path))?;
            Ok(info(location, &metadata))
        })
        .collect()
}

enum Stop {
    TooMany,
    Io(std::io::Error),
}

fn walk(
    folder: &str,
    depth: usize,
    pattern: &Pattern,
    policy: &Policy,
    limit: usize,
    found: &mut Vec<(String, Metadata)>,
) -> Result<(), Stop> {
    let base = if folder.is_empty() { "." } else { folder };
    let entries = match std::fs::read_dir(base) {
        Ok(entries) => entries,
        // A folder that vanished, or one below the prefix that this user may not enter, holds nothing for us.
        Err(_) if depth > 1 => return Ok(()),
        Err(error) => return Err(Stop::Io(error)),
    };
    for entry in entries {
        let entry = entry.map_err(Stop::Io)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Ok(kind) = entry.file_type() else { continue };
        let path = format!("{folder}{name}");
        // Links are followed, except by `**`, which could then run in circles.
        let metadata = match pattern.depth {
            None if kind.is_symlink() => std::fs::metadata(&path).ok().filter(|metadata| !metadata.is_dir()),
            _ => std::fs::metadata(&path).ok(),
        };
        let Some(metadata) = metadata else { continue };
        if metadata.is_dir() {
            // What a link outside of the allowed roots holds is not even listed.
            let is_inside = || !kind.is_symlink() || policy.check_file(&path, Path::new(&path)).is_ok();
            if depth < pattern.depth.unwrap_or(MAX_DEPTH) && is_inside() {
                walk(&format!("{path}/"), depth + 1, pattern, policy, limit, found)?;
            }
        } else if metadata.is_file() && pattern.matches(&path) {
            if found.len() == limit {
                return Err(Stop::TooMany);
            }
            found.push((path, metadata));
        }
    }
    Ok(())
}

/// A missing file's error, with the most similar name in its folder.
fn missing(location: &Location, error: &std::io::Error) -> Error {
    let uri = location.uri();
    if error.kind() != std::io::ErrorKind::NotFound {
        return Error::from_io(&uri, error);
    }
    let path = Path::new(&location.path);
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Error::NotFound { uri, hint: format!("the folder `{}` does not exist", folder.display()) };
    };
    let wanted = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let close = names
        .iter()
        .map(|name| (strsim::jaro_winkler(name, wanted), name))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = match close {
        Some((_, name)) => format!("no such file; `{name}` is in the same folder"),
        None => "no such file".to_owned(),
    };
    Error::NotFound { uri, hint }
}

fn info(location: Location, metadata: &Metadata) -> ObjectInfo {
    let last_modified = metadata.modified().map(DateTime::<Utc>::from).unwrap_or(DateTime::UNIX_EPOCH);
    ObjectInfo {
        uri: location.uri(),
        size_bytes: metadata.len(),
        etag: Some(etag(metadata)),
        version: None,
        last_modified,
        location,
    }
}

fn etag(metadata: &Metadata) -> String {
    format!("{:x}-{:x}-{:x}", metadata.mtime(), metadata.mtime_nsec(), metadata.len())
}

/// Opens the file of an object, if it is still the listed one.
pub(super) fn open(object: &ObjectInfo, policy: &Policy) -> Result<File, Error> {
    let path = Path::new(&object.location.path);
    policy.check_file(&object.uri, path)?;
    let file = File::open(path).map_err(|error| Error::from_io(&object.uri, &error))?;
    policy.check_opened(&object.uri, path, &file)?;
    let metadata = file.metadata().map_err(|error| Error::from_io(&object.uri, &error))?;
    if metadata.len() != object.size_bytes {
        let detail = format!("{} bytes instead of {}", metadata.len(), object.size_bytes);
        return Err(Error::Changed { uri: object.uri.clone(), detail });
    }
    if object.etag.as_deref().is_some_and(|listed| listed != etag(&metadata)) {
        return Err(Error::Changed { uri: object.uri.clone(), detail: "it was modified".into() });
    }
    Ok(file)
}

/// Reads byte ranges of an open file.
pub(super) fn read_ranges(object: &ObjectInfo, file: &File, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, Error> {
    ranges
        .iter()
        .map(|range| {
            let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
            let mut buffer = vec![0; length];
            file.read_exact_at(&mut buffer, range.start).map_err(|error| Error::from_io(&object.uri, &error))?;
            Ok(Bytes::from(buffer))
        })
        .collect()
}

/// Writes a file in one step: readers see the old or the new one, never a part.
pub(super) fn put(location: &Location, policy: &Policy, bytes: &[u8]) -> Result<(), Error> {
    let uri = location.uri();
    let path = Path::new(&location.path);
    policy.check_file(&uri, path)?;
    let io = |error: std::io::Error| Error::from_io(&uri, &error);
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(io)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}
