//! Reads single values: texts, words, numbers, times.
//!
//! Part of the walk in `reader`; here stands what is right for one value, and how its mistakes are said.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::DeValue;
use toml::value::{Datetime, Offset};

use super::diagnostic::{Code, Diagnostic};
use super::field::{Limits, Shape, Vocabulary};
use super::known::Fault;
use super::reader::{Reader, quoted};
use super::suggest::{closest, closest_time_zone};

const SCHEMES: &[&str] = &["file", "s3", "gs", "az", "http", "https", "memory"];

/// A diagnostic is far larger than a value.
type Read = Result<Value, Box<Diagnostic>>;

impl Reader<'_> {
    /// Reads a value that is no table and no list; `what` names it in messages.
    pub(super) fn scalar(&self, shape: &'static Shape, value: &Spanned<DeValue<'_>>, what: &str) -> Read {
        let span = value.span();
        match (shape, value.get_ref()) {
            (Shape::Boolean, DeValue::Boolean(value)) => Ok(json!(value)),
            (Shape::Integer(limits), DeValue::Integer(digits)) => {
                let number = i64::from_str_radix(digits.as_str(), digits.radix()).ok();
                match number {
                    #[allow(clippy::cast_precision_loss)] // limits are small
                    Some(number) if limits.hold(number as f64) => Ok(json!(number)),
                    _ => Err(self.out_of_range(*limits, span, what)),
                }
            }
            (Shape::Number(limits), DeValue::Integer(_) | DeValue::Float(_)) => {
                let number = match value.get_ref() {
                    DeValue::Integer(digits) => {
                        i128::from_str_radix(digits.as_str(), digits.radix()).ok().map(|n| n as f64)
                    }
                    DeValue::Float(digits) => digits.as_str().parse::<f64>().ok(),
                    _ => None,
                };
                match number {
                    Some(number) if limits.hold(number) => Ok(json!(number)),
                    Some(number) if !number.is_finite() => {
                        let message = format!("{} must be a finite number", what);
                        Err(self.fault(span, Code::OutOfRange, message).hint_opt(range_hint(*limits)).into())
                    }
                    _ => Err(self.out_of_range(*limits, span, what)),
                }
            }
            (Shape::Scalar, DeValue::Boolean(value)) => Ok(json!(value.to_string())),
            (Shape::Scalar, DeValue::Integer(digits)) if digits.radix() == 10 => {
                Ok(json!(digits.as_str().trim_start_matches('+')))
            }
            (Shape::Instant, DeValue::Datetime(when)) => self.instant(when, span, what),
            (
                Shape::Text
                | Shape::Name
                | Shape::Version
                | Shape::Choice(_)
                | Shape::Word(_)
                | Shape::Scalar
                | Shape::Duration(_)
                | Shape::Cron
                | Shape::TimeZone
                | Shape::Window
                | Shape::Uri
                | Shape::Instant,
                DeValue::String(text),
            ) => self.text(shape, text, span, what),
            (_, found) => Err(self.wrong_type(shape, found, span, what)),
        }
    }

    fn text(&self, shape: &'static Shape, text: &str, span: Range<usize>, what: &str) -> Read {
        if text.trim().is_empty() {
            return Err(self
                .fault(span, Code::InvalidValue, format!("{what} is empty"))
                .hint(format!("it must be {}", shape.expected()))
                .into());
        }
        match shape {
            Shape::Name if !is_name(text) => {
                return Err(self
                    .fault(span, Code::InvalidValue, format!("{what} is not a name"))
                    .hint("letters, digits, `.`, `_` and `-`, at most 128, a letter or digit first")
                    .into());
            }
            Shape::Version => {
                if let Err(error) = semver::Version::parse(text) {
                    let padded =
                        [format!("{text}.0"), format!("{text}.0.0"), text.trim_start_matches(['v', 'V']).to_owned()];
                    let near = padded.iter().find(|candidate| semver::Version::parse(candidate).is_ok());
                    let hint = near
                        .map_or("three numbers such as `1.2.0`".to_owned(), |near| format!("did you mean `{near}`?"));
                    let message = format!("`{text}` is not a version by Semantic Versioning: {error}");
                    return Err(self.fault(span, Code::InvalidValue, message).hint(hint).into());
                }
            }
            Shape::Choice(choices) if !choices.iter().any(|choice| choice.word == text) => {
                let words = || choices.iter().map(|choice| choice.word);
                return Err(self
                    .unknown_word(Code::UnknownValue, &format!("{what} cannot be `{text}`"), text, words, span)
                    .into());
            }
            Shape::Word(vocabulary) => self.word(*vocabulary, text, span)?,
            Shape::Duration(least) => match super::duration::parse(text) {
                Ok(seconds) if seconds >= *least => return Ok(json!(seconds)),
                Ok(_) => {
                    return Err(self
                        .fault(span, Code::OutOfRange, format!("{what} must be at least {least} s"))
                        .into());
                }
                Err(why) => {
                    let message = format!("the duration `{text}` {why}");
                    let hint = "a number and `s`, `m`, `h`, `d` or `w`, such as `\"90s\"`, `\"6h\"` or `\"1h30m\"`";
                    return Err(self.fault(span, Code::BadDuration, message).hint(hint).into());
                }
            },
            Shape::Cron => self.checked(self.checks.schedule.cron(text, self.timezone), Code::BadCron, text, span)?,
            Shape::Window => self.checked(self.checks.schedule.window(text), Code::BadWindow, text, span)?,
            Shape::Uri => {
                self.scheme(text, span.clone())?;
                self.checked(self.checks.schedule.template(text), Code::BadTemplate, text, span)?;
            }
            Shape::TimeZone if text.parse::<Tz>().is_err() => {
                let hint = match closest_time_zone(text) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "a name of the IANA time zone database, such as `Europe/Berlin` or `UTC`".to_owned(),
                };
                let message = format!("there is no time zone `{text}`");
                return Err(self.fault(span, Code::UnknownTimeZone, message).hint(hint).into());
            }
            Shape::Instant => {
                return match text.parse::<Datetime>() {
                    Ok(when) => self.instant(&when, span, what),
                    Err(_) => Err(self.bad_instant(span, what)),
                };
            }
            _ => {}
        }
        Ok(json!(text))
    }

    /// Whether a word is in a vocabulary.
    pub(super) fn word(&self, vocabulary: Vocabulary, word: &str, span: Range<usize>) -> Result<(), Box<Diagnostic>> {
        let known = self.checks.known;
        let (what, code, words): (_, _, Vec<&str>) = match vocabulary {
            Vocabulary::DriftMethod => (
                "drift method",
                Code::UnknownMethod,
                known.drift_methods.iter().map(|method| method.name.as_str()).collect(),
            ),
            Vocabulary::ConceptMethod => (
                "concept method",
                Code::UnknownMethod,
                known.concept_methods.iter().map(|method| method.name.as_str()).collect(),
            ),
            Vocabulary::Metric => {
                ("metric", Code::UnknownMetric, known.metrics.iter().map(|metric| metric.name.as_str()).collect())
            }
            Vocabulary::AbTest => {
                ("statistical test", Code::UnknownTest, known.ab_tests.iter().map(String::as_str).collect())
            }
            Vocabulary::Channel => match &known.channels {
                Some(channels) => ("channel", Code::UnknownChannel, channels.iter().map(String::as_str).collect()),
                None => return Ok(()),
            },
        };
        if words.contains(&word) {
            return Ok(());
        }
        let message = format!("there is no {what} `{word}`");
        if vocabulary == Vocabulary::Channel && words.is_empty() {
            let hint = format!("the configuration has no channels; add `[notify.channels.{word}]` to it");
            return Err(self.fault(span, code, message).hint(hint).into());
        }
        Err(self.unknown_word(code, &message, word, || words.iter().copied(), span).into())
    }

    fn unknown_word<'w, I: Iterator<Item = &'w str>>(
        &self,
        code: Code,
        message: &str,
        word: &str,
        words: impl Fn() -> I,
        span: Range<usize>,
    ) -> Diagnostic {
        let hint = match closest(word, words()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of {}", quoted(words())),
        };
        self.fault(span, code, message).hint(hint)
    }

    fn scheme(&self, uri: &str, span: Range<usize>) -> Result<(), Box<Diagnostic>> {
        let Some((scheme, _)) = uri.split_once("://") else { return Ok(()) };
        if SCHEMES.contains(&scheme) {
            return Ok(());
        }
        let message = format!("datasets cannot be read from `{scheme}://`");
        let part = inside(&self.source.text, &span, uri, Some(0..scheme.len()));
        Err(self.unknown_word(Code::InvalidValue, &message, scheme, || SCHEMES.iter().copied(), part).into())
    }

    /// Turns another part's fault into a diagnostic at the part of the text that it is about.
    fn checked(
        &self,
        answer: Result<(), Fault>,
        code: Code,
        text: &str,
        span: Range<usize>,
    ) -> Result<(), Box<Diagnostic>> {
        let Err(fault) = answer else { return Ok(()) };
        let at = inside(&self.source.text, &span, text, fault.part);
        Err(self.fault(at, code, fault.message).hint_opt(fault.hint).into())
    }

    fn instant(&self, when: &Datetime, span: Range<usize>, what: &str) -> Read {
        match instant(when, self.timezone) {
            Some(instant) => Ok(json!(instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))),
            None => Err(self.bad_instant(span, what)),
        }
    }

    fn bad_instant(&self, span: Range<usize>, what: &str) -> Box<Diagnostic> {
        let message = format!("{} is not an instant of the time zone {}", what, self.timezone.name());
        self.fault(span, Code::InvalidValue, message).hint(format!("it must be {}", Shape::Instant.expected())).into()
    }

    fn out_of_range(&self, limits: Limits, span: Range<usize>, what: &str) -> Box<Diagnostic> {
        let words = limits.words();
        let words = if words.is_empty() { "a number that fits".to_owned() } else { words };
        self.fault(span, Code::OutOfRange, format!("{} must be {words}", what)).into()
    }

    fn wrong_type(&self, shape: &Shape, found: &DeValue<'_>, span: Range<usize>, what: &str) -> Box<Diagnostic> {
        let found_words = match found {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let expected = shape.expected();
        let unquoted = match (shape, found) {
            (Shape::Number(_), DeValue::String(text)) => text.trim().parse::<f64>().is_ok(),
            (Shape::Integer(_), DeValue::String(text)) => text.trim().parse::<i64>().is_ok(),
            (Shape::Boolean, DeValue::String(text)) => matches!(text.trim(), "true" | "false"),
            _ => false,
        };
        let hint = match (shape, found) {
            _ if unquoted => Some("remove the quotes".to_owned()),
            (Shape::List(_), DeValue::String(text)) => Some(format!("put it into brackets: `[\"{text}\"]`")),
            (Shape::Duration(_), DeValue::Integer(digits)) => Some(format!("say the unit: `\"{}s\"`", digits.as_str())),
            (Shape::Scalar, _) => Some("write it in quotes, as it stands in the data".to_owned()),
            (
                Shape::Version | Shape::Text | Shape::Name,
                DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_),
            ) => Some("write it in quotes".to_owned()),
            _ => None,
        };
        let message = format!("{} must be {expected}, not {found_words}", what);
        self.fault(span, Code::WrongType, message).label(found_words).hint_opt(hint).into()
    }

    fn fault(&self, span: Range<usize>, code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.source, span, code, message)
    }
}

/// Whether a text may name a job, model or test.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

fn range_hint(limits: Limits) -> Option<String> {
    let words = limits.words();
    (!words.is_empty()).then(|| format!("it must be {words}"))
}

/// Where a part of a text stands in the source; the whole value when escapes make that unclear.
fn inside(source: &str, span: &Range<usize>, text: &str, part: Option<Range<usize>>) -> Range<usize> {
    let Some(part) = part.filter(|part| part.start < part.end && part.end <= text.len()) else { return span.clone() };
    match source.get(span.clone()) {
        Some(written) if written.len() == text.len() + 2 && written.get(1..=text.len()) == Some(text) => {
            span.start + 1 + part.start..span.start + 1 + part.end
        }
        _ => span.clone(),
    }
}

/// The instant of a TOML date or date-time; without an offset it is local to `timezone`, the first of two in autumn.
/// None for a time alone and for a local time that does not exist.
fn instant(when: &Datetime, timezone: Tz) -> Option<DateTime<Utc>> {
    let date = when.date?;
    let date = NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day))?;
    let local = match when.time {
        None => date.and_hms_opt(0, 0, 0)?,
        Some(time) => date.and_hms_nano_opt(
            u32::from(time.hour),
            u32::from(time.minute),
            time.second.map_or(0, u32::from),
            time.nanosecond.unwrap_or(0),
        )?,
    };
    match when.offset {
        Some(Offset::Z) => Some(local.and_utc()),
        Some(Offset::Custom { minutes }) => Some((local - chrono::TimeDelta::minutes(i64::from(minutes))).and_utc()),
        None => Some(timezone.from_local_datetime(&local).earliest()?.with_timezone(&Utc)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, timezone: &str) -> Option<String> {
        instant(&text.parse().unwrap(), timezone.parse().unwrap()).map(|i| i.to_rfc3339())
    }

    #[test]
    fn dates_without_offset_are_local() {
        assert_eq!(at("2013-04-01", "America/New_York").unwrap(), "2013-04-01T04:00:00+00:00");
        assert_eq!(at("2014-01-01", "America/New_York").unwrap(), "2014-01-01T05:00:00+00:00");
        assert_eq!(at("2013-04-01T00:00:00Z", "America/New_York").unwrap(), "2013-04-01T00:00:00+00:00");
        assert_eq!(at("2013-04-01T00:00:00+02:00", "America/New_York").unwrap(), "2013-03-31T22:00:00+00:00");
        assert_eq!(at("2013-03-10T02:30:00", "America/New_York"), None, "the hour that spring leaves out");
        assert_eq!(
            at("2013-11-03T01:30:00", "America/New_York").unwrap(),
            "2013-11-03T05:30:00+00:00",
            "the first of two"
        );
        assert_eq!(at("06:00:00", "UTC"), None);
    }

    #[test]
    fn a_part_is_found_inside_plain_quotes_only() {
        assert_eq!(inside("a = \"x y\"", &(4..9), "x y", Some(2..3)), 7..8);
        assert_eq!(inside("a = \"x\\u0020y\"", &(4..14), "x y", Some(2..3)), 4..14);
        assert_eq!(inside("a = \"x y\"", &(4..9), "x y", None), 4..9);
    }
}
