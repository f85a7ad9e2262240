//! Times in URIs: `s3://flights/day={window.start:%Y-%m-%d}/*.parquet`.
//!
//! Names: `window.start`, `window.end`, `tick`; after the colon a strftime format, without one RFC 3339. Times are
//! rendered in UTC unless [`TemplateValues::timezone`] says otherwise (a `local` window wants that). `{{` and `}}` are
//! literal braces, and braces with a comma and no colon, as in `{a,b}.csv`, are left alone: they are globs.

use std::fmt::Write;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// A template that cannot be read or resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template {template:?}: {hint}")]
pub struct TemplateError {
    /// The whole text.
    pub template: String,
    /// Byte range of the mistake in it.
    pub span: (usize, usize),
    /// What is wrong and what to write.
    pub hint: String,
}

/// What a template needs to be resolved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TemplateUses {
    /// It names `window.start` or `window.end`.
    pub window: bool,
    /// It names `tick`.
    pub tick: bool,
}

/// What a template is resolved with.
#[derive(Debug, Clone, Copy)]
pub struct TemplateValues {
    /// The data window.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The tick.
    pub tick: Option<DateTime<Utc>>,
    /// The time zone times are rendered in; UTC unless the window is local.
    pub timezone: Tz,
}

impl TemplateValues {
    /// Only a window, in UTC.
    #[must_use]
    pub fn of_window(window: (DateTime<Utc>, DateTime<Utc>)) -> Self {
        Self { window: Some(window), tick: None, timezone: Tz::UTC }
    }
}

#[derive(Clone, Copy)]
enum Name {
    WindowStart,
    WindowEnd,
    Tick,
}

enum Piece<'a> {
    Text(&'a str),
    Brace(char),
    Value { name: Name, format: Option<&'a str>, span: (usize, usize) },
}

/// Checks a template without resolving it, and says what it needs.
///
/// # Errors
/// [`TemplateError`] for unknown names, formats that strftime does not know, and unbalanced braces.
pub fn check_template(template: &str) -> Result<TemplateUses, TemplateError> {
    let mut uses = TemplateUses::default();
    for piece in pieces(template)? {
        if let Piece::Value { name, .. } = piece {
            match name {
                Name::WindowStart | Name::WindowEnd => uses.window = true,
                Name::Tick => uses.tick = true,
            }
        }
    }
    Ok(uses)
}

/// Replaces the times in a template.
///
/// # Errors
/// Those of [`check_template`]; and a name whose value this run does not have.
pub fn resolve_template(template: &str, values: &TemplateValues) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(template.len() + 16);
    for piece in pieces(template)? {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Brace(brace) => out.push(brace),
            Piece::Value { name, format, span } => {
                let (value, what) = match name {
                    Name::WindowStart => (values.window.map(|window| window.0), "data window"),
                    Name::WindowEnd => (values.window.map(|window| window.1), "data window"),
                    Name::Tick => (values.tick, "tick"),
                };
                let value = value.ok_or_else(|| TemplateError {
                    template: template.to_owned(),
                    span,
                    hint: format!("this run has no {what}: schedule the job or give it one"),
                })?;
                let value = value.with_timezone(&values.timezone);
                // Writing to a string cannot fail; the format was checked.
                let _ = match format {
                    Some(format) => write!(out, "{}", value.format(format)),
                    None => write!(out, "{}", value.format("%Y-%m-%dT%H:%M:%S%:z")),
                };
            }
        }
    }
    Ok(out)
}

fn pieces(template: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut found = Vec::new();
    let mut at = 0;
    let wrong = |span: (usize, usize), hint: String| TemplateError { template: template.to_owned(), span, hint };
    while at < template.len() {
        let rest = &template[at..];
        let Some(brace) = rest.find(['{', '}']) else {
            found.push(Piece::Text(rest));
            break;
        };
        if brace > 0 {
            found.push(Piece::Text(&rest[..brace]));
        }
        at += brace;
        let rest = &template[at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            found.push(Piece::Brace(if rest.starts_with('{') { '{' } else { '}' }));
            at += 2;
            continue;
        }
        if rest.starts_with('}') {
            return Err(wrong((at, at + 1), "a } has no { before it: write }} for a literal one".to_owned()));
        }
        let Some(length) = rest.find('}') else {
            return Err(wrong((at, template.len()), "a { has no } after it: write {{ for a literal one".to_owned()));
        };
        let span = (at, at + length + 1);
        let inner = &rest[1..length];
        found.push(if inner.contains(',') && !inner.contains(':') {
            Piece::Text(&rest[..=length])
        } else {
            let (name, format) = inner.split_once(':').map_or((inner, None), |(name, format)| (name, Some(format)));
            let name = named(name.trim()).map_err(|hint| wrong(span, hint))?;
            if let Some(format) = format {
                check_format(format).map_err(|hint| wrong(span, hint))?;
            }
            Piece::Value { name, format, span }
        });
        at = span.1;
    }
    Ok(found)
}

fn named(name: &str) -> Result<Name, String> {
    const KNOWN: [(&str, Name); 3] =
        [("window.start", Name::WindowStart), ("window.end", Name::WindowEnd), ("tick", Name::Tick)];
    if let Some((_, known)) = KNOWN.iter().find(|(known, _)| *known == name) {
        return Ok(*known);
    }
    let near = KNOWN
        .iter()
        .map(|(known, _)| (strsim::jaro_winkler(known, name), *known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.75);
    Err(match near {
        Some((_, known)) => format!("{name:?} is not known; did you mean {known:?}?"),
        None => format!("{name:?} is not known: use window.start, window.end or tick"),
    })
}

fn check_format(format: &str) -> Result<(), String> {
    if format.is_empty() {
        return Err("the format after the colon is empty: write one such as %Y-%m-%d, or drop the colon".to_owned());
    }
    if StrftimeItems::new(format).any(|item| matches!(item, Item::Error)) {
        return Err(format!("{format:?} is not a strftime format: use %Y, %m, %d, %H, %M, %j and the like"));
    }
    if !format.contains('%') {
        return Err(format!("{format:?} has no % in it and would always be the same: write one such as %Y-%m-%d"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    fn values() -> TemplateValues {
        TemplateValues {
            tick: Some(utc("2013-05-01T10:15:00Z")),
            ..TemplateValues::of_window((utc("2013-04-01T00:00:00Z"), utc("2013-05-01T00:00:00Z")))
        }
    }

    #[test]
    fn names_are_replaced_and_the_rest_is_kept() {
        let resolve = |template: &str| resolve_template(template, &values()).unwrap();
        assert_eq!(resolve("s3://f/month={window.start:%Y-%m}.parquet"), "s3://f/month=2013-04.parquet");
        assert_eq!(resolve("{window.start:%Y/%m/%d}-{window.end:%Y%m%d}/{tick:%H%M}"), "2013/04/01-20130501/1015");
        assert_eq!(resolve("x/{tick}"), "x/2013-05-01T10:15:00+00:00");
        assert_eq!(resolve("file:///data/{a,b}/{{x}}/*.csv"), "file:///data/{a,b}/{x}/*.csv");
        assert_eq!(resolve("plain"), "plain");
        let local = TemplateValues { timezone: Tz::America__New_York, ..values() };
        assert_eq!(resolve_template("{window.start:%Y-%m-%dT%H}", &local).unwrap(), "2013-03-31T20");
    }

    #[test]
    fn checking_needs_no_values_and_says_what_is_used() {
        assert_eq!(check_template("a/{window.end:%d}").unwrap(), TemplateUses { window: true, tick: false });
        assert_eq!(check_template("a/{tick:%d}").unwrap(), TemplateUses { window: false, tick: true });
        assert_eq!(check_template("a/*.csv").unwrap(), TemplateUses::default());
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let wrong = |template: &str| {
            let error = check_template(template).unwrap_err();
            (error.hint, template[error.span.0..error.span.1].to_owned())
        };
        let cases = [
            ("a/{window.begin:%Y}", r#""window.begin" is not known; did you mean "window.end"?"#, "{window.begin:%Y}"),
            ("a/{date:%Y}", r#""date" is not known: use window.start, window.end or tick"#, "{date:%Y}"),
            ("{tick:%Q}", r#""%Q" is not a strftime format: use %Y, %m, %d, %H, %M, %j and the like"#, "{tick:%Q}"),
            (
                "{tick:yyyy}",
                r#""yyyy" has no % in it and would always be the same: write one such as %Y-%m-%d"#,
                "{tick:yyyy}",
            ),
            (
                "{tick:}",
                "the format after the colon is empty: write one such as %Y-%m-%d, or drop the colon",
                "{tick:}",
            ),
            ("a/{tick", "a { has no } after it: write {{ for a literal one", "{tick"),
            ("a}/b", "a } has no { before it: write }} for a literal one", "}"),
        ];
        for (template, hint, place) in cases {
            assert_eq!(wrong(template), (hint.to_owned(), place.to_owned()), "{template}");
        }
    }

    #[test]
    fn a_run_without_a_window_says_so() {
        let none = TemplateValues { window: None, tick: None, timezone: Tz::UTC };
        assert_eq!(
            resolve_template("{window.start:%Y}", &none).unwrap_err().hint,
            "this run has no data window: schedule the job or give it one"
        );
    }
}
