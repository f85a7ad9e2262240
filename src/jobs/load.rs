//! Reads all job files of a folder.
//!
//! All or nothing is for the caller to decide: everything that is right and everything that is wrong comes back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::{self, Code, Diagnostic, Source};
use super::document::JobDocument;
use super::known::Checks;
use super::read::{Reading, parse};

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The documents without mistakes, by file.
    pub documents: Vec<LoadedDocument>,
    /// Every mistake, by file and position.
    pub diagnostics: Vec<Diagnostic>,
    /// How many files were read.
    pub files: usize,
}

/// One right document.
#[derive(Debug, Clone)]
pub struct LoadedDocument {
    /// The file.
    pub path: String,
    /// Its text.
    pub source: String,
    /// What it says.
    pub document: JobDocument,
}

/// Why files could not be found.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the job files of {path}")]
pub struct LoadError {
    /// The folder or file.
    pub path: String,
    /// What the operating system said.
    #[source]
    pub source: std::io::Error,
}

/// Reads every `*.toml` of `dir` (not of folders below it, not hidden ones), in the order of their names.
///
/// # Errors
/// When the folder cannot be listed. A file that cannot be read is a diagnostic.
pub fn load_dir(dir: &Path, checks: Checks<'_>) -> Result<Loaded, LoadError> {
    load_paths(&[dir], checks)
}

/// Reads files, and the files of folders as [`load_dir`] does, as one set.
///
/// # Errors
/// When a path is not there or a folder cannot be listed.
pub fn load_paths(paths: &[&Path], checks: Checks<'_>) -> Result<Loaded, LoadError> {
    let mut files: Vec<PathBuf> = Vec::new();
    for &path in paths {
        let failed = |source| LoadError { path: path.display().to_string(), source };
        if std::fs::metadata(path).map_err(failed)?.is_dir() {
            files.extend(files_of(path).map_err(failed)?);
        } else {
            files.push(path.to_owned());
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    files.retain(|path| seen.insert(path.clone()));
    Ok(join(files.iter().map(|path| {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => parse(&name, &text, checks),
            Err(error) => unreadable(&name, &error),
        }
    })))
}

fn files_of(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if path.extension().is_some_and(|extension| extension == "toml") && !hidden && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Joins readings to one set: a name may be taken once.
#[must_use]
pub fn join(readings: impl IntoIterator<Item = Reading>) -> Loaded {
    let mut loaded = Loaded::default();
    let mut names: BTreeMap<String, (Arc<Source>, std::ops::Range<usize>)> = BTreeMap::new();
    for reading in readings {
        loaded.files += 1;
        loaded.diagnostics.extend(reading.diagnostics);
        let mut taken = false;
        if let Some((name, span)) = reading.name {
            if let Some((first, first_span)) = names.get(&name) {
                taken = true;
                let message = format!("the name `{name}` is taken by {}", first.name);
                let diagnostic = Diagnostic::new(&reading.source, span, Code::DuplicateName, message);
                loaded.diagnostics.push(
                    diagnostic
                        .related(first, first_span.clone(), "the first job of that name")
                        .hint("rename one of the two"),
                );
            } else {
                names.insert(name, (Arc::clone(&reading.source), span));
            }
        }
        if let Some(document) = reading.document.filter(|_| !taken) {
            let source = &reading.source;
            loaded.documents.push(LoadedDocument { path: source.name.clone(), source: source.text.clone(), document });
        }
    }
    diagnostic::sort(&mut loaded.diagnostics);
    loaded
}

fn unreadable(name: &str, error: &std::io::Error) -> Reading {
    let source = Arc::new(Source { name: name.to_owned(), text: String::new() });
    let why = if error.kind() == std::io::ErrorKind::InvalidData {
        "it is not UTF-8 text".to_owned()
    } else {
        error.to_string()
    };
    let diagnostic = Diagnostic::new(&source, 0..0, Code::Unreadable, format!("cannot read the file: {why}"));
    Reading { document: None, diagnostics: vec![diagnostic], name: None, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::vocabulary::{Calendar, words};

    #[test]
    fn a_folder_is_read_in_order_and_other_files_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let good = |name: &str| {
            format!(
                "name = \"{name}\"\nkind = \"metrics\"\n[data]\ncurrent = \"x.parquet\"\n[metrics]\ntask = \"regression\"\nlabel = \"y\"\nprediction = \"p\"\n"
            )
        };
        for (file, text) in
            [("b.toml", good("b")), ("a.toml", good("a")), (".hidden.toml", "x".into()), ("notes.md", "x".into())]
        {
            std::fs::write(dir.path().join(file), text).unwrap();
        }
        std::fs::write(dir.path().join("c.toml"), b"name = \"\xff\"").unwrap();
        std::fs::create_dir(dir.path().join("d.toml")).unwrap();
        let known = words();
        let loaded = load_dir(dir.path(), Checks { known: &known, schedule: &Calendar }).unwrap();
        assert_eq!(loaded.documents.iter().map(|d| d.document.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(loaded.files, 3);
        let records: Vec<_> = loaded.diagnostics.iter().map(Diagnostic::record).collect();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].code, Code::Unreadable);
        let (a, b) = (dir.path().join("a.toml"), dir.path().join("b.toml"));
        let some = load_paths(&[&b, &a, &b], Checks { known: &known, schedule: &Calendar }).unwrap();
        assert_eq!(some.documents.iter().map(|d| d.document.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        assert!(some.diagnostics.is_empty(), "a file that is named twice is read once");
        assert!(records[0].file.ends_with("c.toml") && records[0].message.ends_with("it is not UTF-8 text"));
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_it() {
        let known = words();
        let error = load_dir(Path::new("/nowhere/jobs"), Checks { known: &known, schedule: &Calendar }).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the job files of /nowhere/jobs");
        assert_eq!(error.source.kind(), std::io::ErrorKind::NotFound);
    }
}
