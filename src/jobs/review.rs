//! The second look at a document: rules that involve several keys.
//!
//! Kinds say what is wrong by path; a review finds the place in the source. What the first walk found wrong already
//! is never reported again, nor anything that rests on it.

use std::ops::Range;

use super::diagnostic::{Code, Diagnostic};
use super::known::Known;
use super::reader::{Path, Reader};

/// Reports mistakes by path.
pub struct Review<'a> {
    reader: Reader<'a>,
}

impl<'a> Review<'a> {
    pub(super) fn new(reader: Reader<'a>) -> Self {
        Self { reader }
    }

    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.reader.diagnostics
    }

    /// The names that exist.
    #[must_use]
    pub fn known(&self) -> &'a Known {
        self.reader.checks.known
    }

    /// Reports a mistake at the value of `path` (or at the nearest table that holds it).
    pub fn at(
        &mut self,
        path: &[&str],
        code: Code,
        message: impl Into<String>,
        more: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        if self.is_sound(path) {
            let (span, _) = self.spans(path);
            self.report(span, code, message, more);
        }
    }

    /// Reports a mistake at the key of `path`.
    pub fn at_key(
        &mut self,
        path: &[&str],
        code: Code,
        message: impl Into<String>,
        more: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        if self.is_sound(path) {
            let (value, key) = self.spans(path);
            self.report(key.unwrap_or(value), code, message, more);
        }
    }

    /// Reports a mistake at an item of the list at `path`.
    pub fn at_item(
        &mut self,
        path: &[&str],
        item: &str,
        code: Code,
        message: impl Into<String>,
        more: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        if self.is_sound(path) {
            let items = self.reader.places.get(&owned(path)).map(|place| place.items.as_slice()).unwrap_or_default();
            let span = items.iter().find(|(text, _)| text == item).map(|(_, span)| span.clone());
            let span = span.unwrap_or_else(|| self.spans(path).0);
            self.report(span, code, message, more);
        }
    }

    /// Reports a mistake at `path` that points to `other` too.
    pub fn pair(&mut self, path: &[&str], other: &[&str], code: Code, message: impl Into<String>, label: &str) {
        if self.is_sound(path) && self.is_sound(other) {
            let source = self.reader.source;
            let other = self.spans(other).0;
            let span = self.spans(path).0;
            self.report(span, code, message, |d| d.related(source, other, label));
        }
    }

    fn report(
        &mut self,
        span: Range<usize>,
        code: Code,
        message: impl Into<String>,
        more: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        self.reader.diagnostics.push(more(Diagnostic::new(self.reader.source, span, code, message)));
    }

    /// Whether what stands at `path` was read as written: neither it nor anything above it is a stand-in.
    fn is_sound(&self, path: &[&str]) -> bool {
        let path = owned(path);
        (1..=path.len()).all(|n| !self.reader.unsound.contains(&path[..n]))
    }

    /// Value and key of a path, or of the nearest one above it that is written.
    fn spans(&self, path: &[&str]) -> (Range<usize>, Option<Range<usize>>) {
        let path = owned(path);
        let place = (0..=path.len()).rev().find_map(|n| self.reader.places.get(&path[..n]));
        place.map(|place| (place.value.clone(), place.key.clone())).unwrap_or_default()
    }
}

fn owned(path: &[&str]) -> Path {
    path.iter().map(|&key| key.to_owned()).collect()
}
