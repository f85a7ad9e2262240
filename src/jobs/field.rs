//! The field tables' own types: what a section of a job document may hold.
//!
//! A [`Section`] is data. Reading with diagnostics (`reader`), the JSON schema (`schema`) and the reference page
//! (`manual`) all come from the same tables, so that they cannot disagree. The tables themselves stand where they
//! belong: `sections` for what all jobs share, `kinds/<kind>.rs` for each kind. Nothing here touches TOML.

/// A table of a document: its keys in the order in which people should meet them.
#[derive(Debug)]
pub struct Section {
    /// Name in messages and in the schema's definitions, such as `drift.columns.<name>`.
    pub name: &'static str,
    /// One sentence for the reference page.
    pub doc: &'static str,
    /// The keys.
    pub fields: &'static [Field],
}

/// One key of a section.
#[derive(Debug)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// What may stand behind it.
    pub shape: Shape,
    /// What it means: one or two sentences that read well in an editor's tooltip.
    pub doc: &'static str,
    /// What holds when it is absent.
    pub presence: Presence,
}

/// What holds when a key is absent.
#[derive(Debug, Clone, Copy)]
pub enum Presence {
    /// It must not be.
    Required,
    /// Nothing.
    Optional,
    /// Something that is decided elsewhere, in words for the reference page.
    Otherwise(&'static str),
    /// This TOML value.
    Default(&'static str),
}

/// What may stand behind a key.
#[derive(Debug)]
pub enum Shape {
    /// Any text but the empty one.
    Text,
    /// A name that goes into tables and paths: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
    Name,
    /// A version by Semantic Versioning.
    Version,
    /// One of a closed set of words.
    Choice(&'static [Choice]),
    /// A word out of a list that another part of the program owns.
    Word(Vocabulary),
    /// True or false.
    Boolean,
    /// A whole number.
    Integer(Limits),
    /// A finite number.
    Number(Limits),
    /// A text, whole number or boolean that is compared as text.
    Scalar,
    /// A length of time such as `"6h"` of at least so many seconds; stored as `<key>_seconds`.
    Duration(i64),
    /// A cron expression.
    Cron,
    /// An IANA time zone.
    TimeZone,
    /// A data window such as `"1 month"`.
    Window,
    /// A URI of a dataset, with templates.
    Uri,
    /// An instant: a date or date-time; without an offset it is of the job's time zone.
    Instant,
    /// A list without repetitions.
    List(&'static Shape),
    /// A list that may repeat.
    Sequence(&'static Shape),
    /// A table with free keys.
    Map(Keys, &'static Shape),
    /// A table.
    Section(&'static Section),
    /// A table, or just the text of its first key.
    Short(&'static Section),
}

/// Which keys a table with free keys takes.
#[derive(Debug, Clone, Copy)]
pub enum Keys {
    /// Any; the text says what a key stands for.
    Free(&'static str),
    /// Words of a vocabulary.
    Word(Vocabulary),
}

/// One word of a closed set.
#[derive(Debug)]
pub struct Choice {
    /// The word.
    pub word: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// Lists of names that other parts of the program own (see `known`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// Drift methods.
    DriftMethod,
    /// Ways to judge errors.
    ConceptMethod,
    /// Validation metrics.
    Metric,
    /// Statistical tests of A/B tests.
    AbTest,
    /// Channels of the configuration.
    Channel,
}

/// A range of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Lower limit.
    pub low: Limit,
    /// Upper limit.
    pub high: Limit,
}

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// Any finite number.
    None,
    /// This one included.
    To(f64),
    /// This one excluded.
    Beyond(f64),
}

impl Limits {
    /// Any finite number.
    pub const ANY: Self = Self { low: Limit::None, high: Limit::None };
    /// Above 0.
    pub const POSITIVE: Self = Self { low: Limit::Beyond(0.0), high: Limit::None };
    /// From 0 to 1.
    pub const SHARE: Self = Self { low: Limit::To(0.0), high: Limit::To(1.0) };
    /// Between 0 and 1, neither included.
    pub const OPEN_SHARE: Self = Self { low: Limit::Beyond(0.0), high: Limit::Beyond(1.0) };

    /// From `low`.
    #[must_use]
    pub const fn from(low: f64) -> Self {
        Self { low: Limit::To(low), high: Limit::None }
    }

    /// From `low` to `high`, both included.
    #[must_use]
    pub const fn between(low: f64, high: f64) -> Self {
        Self { low: Limit::To(low), high: Limit::To(high) }
    }

    /// Whether a finite number lies within.
    #[must_use]
    pub fn hold(&self, value: f64) -> bool {
        value.is_finite()
            && match self.low {
                Limit::None => true,
                Limit::To(low) => value >= low,
                Limit::Beyond(low) => value > low,
            }
            && match self.high {
                Limit::None => true,
                Limit::To(high) => value <= high,
                Limit::Beyond(high) => value < high,
            }
    }

    /// The range in words, such as `above 0` or `2 to 100`; empty when any number will do.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.low, self.high) {
            (Limit::None, Limit::None) => String::new(),
            (Limit::To(low), Limit::None) => format!("at least {low}"),
            (Limit::Beyond(low), Limit::None) => format!("above {low}"),
            (Limit::None, Limit::To(high)) => format!("at most {high}"),
            (Limit::None, Limit::Beyond(high)) => format!("below {high}"),
            (Limit::To(low), Limit::To(high)) => format!("{low} to {high}"),
            (Limit::Beyond(low), Limit::Beyond(high)) => format!("above {low} and below {high}"),
            (Limit::To(low), Limit::Beyond(high)) => format!("at least {low} and below {high}"),
            (Limit::Beyond(low), Limit::To(high)) => format!("above {low} and at most {high}"),
        }
    }
}

impl Shape {
    /// What is expected, with its article, for messages: `a duration such as "6h"`.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        match self {
            Self::Text | Self::Choice(_) | Self::Word(_) => "a string",
            Self::Name => "a name in quotes",
            Self::Version => "a version such as \"1.2.0\"",
            Self::Boolean => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Scalar => "a string, whole number or boolean",
            Self::Duration(_) => "a duration such as \"6h\"",
            Self::Cron => "a cron expression such as \"15 6 * * *\"",
            Self::TimeZone => "a time zone such as \"Europe/Berlin\"",
            Self::Window => "a window such as \"7 days\"",
            Self::Uri => "a URI such as \"s3://bucket/path/*.parquet\"",
            Self::Instant => "a date such as 2026-01-31 or 2026-01-31T06:00:00Z",
            Self::List(_) | Self::Sequence(_) => "a list",
            Self::Map(..) | Self::Section(_) => "a table",
            Self::Short(_) => "a string or a table",
        }
    }

    /// The type in a few words for the reference page.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Name => "name".into(),
            Self::Version => "version".into(),
            Self::Choice(choices) => choices.iter().map(|c| format!("`\"{}\"`", c.word)).collect::<Vec<_>>().join(", "),
            Self::Word(Vocabulary::DriftMethod) => "drift method".into(),
            Self::Word(Vocabulary::ConceptMethod) => "concept method".into(),
            Self::Word(Vocabulary::Metric) => "metric".into(),
            Self::Word(Vocabulary::AbTest) => "statistical test".into(),
            Self::Word(Vocabulary::Channel) => "channel".into(),
            Self::Boolean => "boolean".into(),
            Self::Integer(limits) => joined("integer", &limits.words()),
            Self::Number(limits) => joined("number", &limits.words()),
            Self::Scalar => "text, integer or boolean".into(),
            Self::Duration(_) => "duration".into(),
            Self::Cron => "cron expression".into(),
            Self::TimeZone => "time zone".into(),
            Self::Window => "window".into(),
            Self::Uri => "URI".into(),
            Self::Instant => "date or date-time".into(),
            Self::List(of) | Self::Sequence(of) => format!("list of: {}", of.title()),
            Self::Map(Keys::Free(what), of) => match of {
                Self::Section(section) => format!("a table `[{}]` for each {what}", section.name),
                other => format!("table of {what} = {}", other.title()),
            },
            Self::Map(Keys::Word(_), of) => match of {
                Self::Section(section) => format!("a table `[{}]` for each", section.name),
                other => format!("table of: {}", other.title()),
            },
            Self::Section(section) => format!("table `[{}]`", section.name),
            Self::Short(section) => format!("text, or table with the keys of `[{}]`", section.name),
        }
    }
}

fn joined(title: &str, limits: &str) -> String {
    if limits.is_empty() { title.into() } else { format!("{title}, {limits}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_their_ends_only_when_included() {
        assert!(Limits::SHARE.hold(0.0) && Limits::SHARE.hold(1.0));
        assert!(!Limits::OPEN_SHARE.hold(0.0) && !Limits::OPEN_SHARE.hold(1.0));
        assert!(
            !Limits::POSITIVE.hold(0.0) && !Limits::POSITIVE.hold(f64::INFINITY) && !Limits::POSITIVE.hold(f64::NAN)
        );
        assert!(!Limits::ANY.hold(f64::NAN));
        assert!(Limits::between(2.0, 100.0).hold(100.0));
    }
}
