//! What is wrong with a job document: where, what, and what to do.
//!
//! Every diagnostic points into a source text. They are rendered for people (file, line, caret, hint) or as records
//! for programs, always in the order of files and positions. Nothing here decides what is wrong.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use serde::{Serialize, Serializer};

/// A text with the name it is reported under.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Path of the file, or what stands for it.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// Line and column of a byte offset, both from 1, the column in characters.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// What sort of mistake it is; stable, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $variant,)* }
        impl Code {
            /// The code as it is printed.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

codes! {
    /// The file is not TOML.
    Syntax = "toml_syntax",
    /// The file cannot be read.
    Unreadable = "unreadable",
    /// A key that does not exist there.
    UnknownKey = "unknown_key",
    /// A key that must be there.
    MissingKey = "missing_key",
    /// A value of another type.
    WrongType = "wrong_type",
    /// A value that cannot be.
    InvalidValue = "invalid_value",
    /// A number outside its range.
    OutOfRange = "out_of_range",
    /// A word that is not one of the choices.
    UnknownValue = "unknown_value",
    /// A cron expression that cannot be read.
    BadCron = "bad_cron",
    /// A time zone that does not exist.
    UnknownTimeZone = "unknown_timezone",
    /// A window that cannot be read.
    BadWindow = "bad_window",
    /// A URI or its template that cannot be read.
    BadTemplate = "bad_template",
    /// A length of time that cannot be read.
    BadDuration = "bad_duration",
    /// No such drift method.
    UnknownMethod = "unknown_method",
    /// A method that does not fit the type of its column.
    UnfitMethod = "unfit_method",
    /// No such metric, or not for this task.
    UnknownMetric = "unknown_metric",
    /// No such statistical test.
    UnknownTest = "unknown_test",
    /// No such channel in the configuration.
    UnknownChannel = "unknown_channel",
    /// A section of another kind.
    WrongSection = "wrong_section",
    /// A name that another file has already.
    DuplicateName = "duplicate_name",
    /// Two keys that cannot stand together.
    Conflict = "conflict",
    /// Both arms of an A/B test are the same.
    SameArm = "same_arm",
    /// Something that Steward does not do yet.
    NotAvailable = "not_available",
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Another place that belongs to a mistake.
#[derive(Debug, Clone)]
struct Related {
    source: Arc<Source>,
    span: Range<usize>,
    label: String,
}

/// One mistake.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    source: Arc<Source>,
    span: Range<usize>,
    code: Code,
    message: String,
    label: Option<String>,
    hint: Option<String>,
    related: Vec<Related>,
}

/// A mistake as a record for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What sort of mistake.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A mistake at `span` (byte offsets into the source).
    #[must_use]
    pub fn new(source: &Arc<Source>, span: Range<usize>, code: Code, message: impl Into<String>) -> Self {
        Self {
            source: Arc::clone(source),
            span,
            code,
            message: message.into(),
            label: None,
            hint: None,
            related: Vec::new(),
        }
    }

    /// Says a few words beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As [`Self::hint`], when there is something to say.
    #[must_use]
    pub fn hint_opt(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// Points to another place too.
    #[must_use]
    pub fn related(mut self, source: &Arc<Source>, span: Range<usize>, label: impl Into<String>) -> Self {
        self.related.push(Related { source: Arc::clone(source), span, label: label.into() });
        self
    }

    /// What sort of mistake it is.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Byte offsets of the mistake in its source.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The record for programs.
    #[must_use]
    pub fn record(&self) -> Record {
        let (line, column) = self.source.position(self.span.start);
        Record {
            file: self.source.name.clone(),
            line,
            column,
            code: self.code,
            message: self.message.clone(),
            hint: self.hint.clone(),
        }
    }

    /// One line: `file:line:column: code: message (hint)`, for places that have one line only.
    #[must_use]
    pub fn one_line(&self) -> String {
        let record = self.record();
        let hint = record.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}:{}:{}: {}: {}{hint}", record.file, record.line, record.column, record.code.as_str(), record.message)
    }

    fn render(&self, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(self.message.as_str()).id(self.code.as_str());
        let group = if self.source.text.is_empty() {
            title.element(Origin::path(self.source.name.as_str()))
        } else {
            let mut own = snippet(&self.source);
            own = own.annotation(AnnotationKind::Primary.span(self.visible()).label(self.label.as_deref()));
            let mut others: Vec<Element<'_>> = Vec::new();
            for related in &self.related {
                let annotation = AnnotationKind::Context.span(related.span.clone()).label(related.label.as_str());
                if Arc::ptr_eq(&related.source, &self.source) {
                    own = own.annotation(annotation);
                } else {
                    others.push(snippet(&related.source).annotation(annotation).into());
                }
            }
            title.element(own).elements(others)
        };
        let hint: Option<Element<'_>> = self.hint.as_deref().map(|hint| Level::HELP.message(hint).into());
        let report: &[Group<'_>] = &[group.elements(hint)];
        renderer.render(report)
    }

    /// The span, kept within the text and to its first line, so that one caret line marks it.
    fn visible(&self) -> Range<usize> {
        let text = &self.source.text;
        let start = self.span.start.min(text.len());
        let end = self.span.end.clamp(start, text.len());
        let line_end = text[start..end].find('\n').map_or(end, |i| start + i);
        start..line_end
    }
}

fn snippet(source: &Source) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    Snippet::source(source.text.as_str()).path(source.name.as_str())
}

/// Puts diagnostics into the order of their files and positions.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    // Stable: mistakes at one place stay in the order of the field tables.
    diagnostics
        .sort_by(|a, b| (&a.source.name, a.span.start, a.span.end).cmp(&(&b.source.name, b.span.start, b.span.end)));
}

/// Renders diagnostics for people: each with its line, a caret and its hint. `styled` for terminals.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], styled: bool) -> String {
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(diagnostic.render(&renderer).trim_end());
        text.push_str("\n\n");
    }
    text
}

/// `2 errors in 1 file`.
#[must_use]
pub fn count(diagnostics: &[Diagnostic]) -> String {
    let files: std::collections::BTreeSet<&str> = diagnostics.iter().map(|d| d.source.name.as_str()).collect();
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    format!("{} error{} in {} file{}", diagnostics.len(), plural(diagnostics.len()), files.len(), plural(files.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_not_bytes() {
        let source = Source { name: "x".into(), text: "ä = 1\nß = \"é\"x".into() };
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(source.text.find('ß').unwrap()), (2, 1));
        assert_eq!(source.position(source.text.len()), (2, 9));
        assert_eq!(source.position(10_000), (2, 9), "beyond the end is the end");
    }

    #[test]
    fn a_span_over_several_lines_is_marked_on_its_first() {
        let source = Arc::new(Source { name: "x.toml".into(), text: "a = [\n1,\n2]\n".into() });
        let text = render(&[Diagnostic::new(&source, 4..12, Code::WrongType, "m")], false);
        assert!(text.contains("x.toml:1:5"), "{text}");
        assert!(!text.contains("2]"), "{text}");
    }

    #[test]
    fn a_file_without_text_is_named() {
        let source = Arc::new(Source { name: "x.toml".into(), text: String::new() });
        let text = render(&[Diagnostic::new(&source, 0..0, Code::Unreadable, "m").hint("h")], false);
        assert!(text.contains("x.toml") && text.contains('h'), "{text}");
    }
}
