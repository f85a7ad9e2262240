//! Instants: read from text, compared with windows, rendered as ISO 8601 in UTC.
//!
//! Timestamps without a zone are taken as UTC, dates as their midnight in UTC.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use polars::prelude::TimeUnit;

/// Microseconds since 1970 of an ISO 8601 date or timestamp.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(date) = parse_date(text) {
        return Some(i64::from(date) * 86_400_000_000);
    }
    if text.len() < 16 || !text.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let iso = match text.as_bytes().get(10)? {
        b'T' => std::borrow::Cow::Borrowed(text),
        b' ' => std::borrow::Cow::Owned(text.replacen(' ', "T", 1)),
        _ => return None,
    };
    if let Ok(moment) = DateTime::parse_from_rfc3339(&iso) {
        return Some(moment.timestamp_micros());
    }
    if let Ok(moment) = DateTime::parse_from_str(&iso, "%Y-%m-%dT%H:%M:%S%.f%#z") {
        return Some(moment.timestamp_micros());
    }
    let naive = NaiveDateTime::parse_from_str(&iso, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(&iso, "%Y-%m-%dT%H:%M"));
    naive.ok().map(|moment| moment.and_utc().timestamp_micros())
}

/// Days since 1970 of a date written as 2024-01-31.
pub(super) fn parse_date(text: &str) -> Option<i32> {
    let text = text.trim();
    if text.len() != 10 {
        return None;
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| date.to_epoch_days())
}

/// A half-open window in the unit of a column: `start <= value < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Span {
    /// The window in ticks of `per_second` (days: none). Bounds between two ticks round up, which keeps both half-open.
    pub(super) fn new(window: (DateTime<Utc>, DateTime<Utc>), unit: Unit) -> Self {
        let ticks = |moment: DateTime<Utc>| {
            let nanos = i128::from(moment.timestamp()) * 1_000_000_000 + i128::from(moment.timestamp_subsec_nanos());
            let size = unit.nanos();
            let up = nanos.div_euclid(size) + i128::from(nanos.rem_euclid(size) != 0);
            i64::try_from(up).unwrap_or(if up < 0 { i64::MIN } else { i64::MAX })
        };
        Self { start: ticks(window.0), end: ticks(window.1) }
    }

    pub(super) fn holds(self, value: i64) -> bool {
        self.start <= value && value < self.end
    }
}

/// The unit a column counts time in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Days,
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    pub(super) fn of(unit: TimeUnit) -> Self {
        match unit {
            TimeUnit::Milliseconds => Self::Millis,
            TimeUnit::Microseconds => Self::Micros,
            TimeUnit::Nanoseconds => Self::Nanos,
        }
    }

    fn nanos(self) -> i128 {
        match self {
            Self::Days => 86_400_000_000_000,
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
            Self::Nanos => 1,
        }
    }

    /// A value in microseconds since 1970, rounded down.
    pub(super) fn micros(self, value: i64) -> i64 {
        let micros = (i128::from(value) * self.nanos()).div_euclid(1_000);
        i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
    }

    /// A value as ISO 8601: a date for days, otherwise a timestamp in UTC with as many digits as needed.
    pub(super) fn render(self, value: i64) -> String {
        if self == Self::Days {
            let date = i32::try_from(value).ok().and_then(NaiveDate::from_epoch_days);
            return date.map_or_else(|| format!("day {value}"), |date| date.to_string());
        }
        let nanos = i128::from(value) * self.nanos();
        let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or_default();
        let subsecond = u32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or_default();
        DateTime::from_timestamp(seconds, subsecond)
            .map_or_else(|| format!("{value}"), |moment| moment.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_spellings_are_one_instant() {
        let expected = parse("2024-01-31T05:06:07Z");
        assert_eq!(expected, Some(1_706_677_567_000_000));
        for text in
            ["2024-01-31 05:06:07", "2024-01-31T06:06:07+01:00", "2024-01-31 05:06:07.000000", "2024-01-31 06:06:07+01"]
        {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(parse("2024-01-31"), Some(1_706_659_200_000_000));
        assert_eq!(parse("2024-01-31T05:06"), Some(1_706_677_560_000_000));
        for text in ["31.01.2024", "2024-13-01", "yesterday", "20240131", ""] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn windows_stay_half_open_in_coarser_units() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        let window = (at("2024-01-01T12:00:00.0005Z"), at("2024-01-03T00:00:00Z"));
        // The day of the start began before the window, the day of the end is not in it.
        assert_eq!(Span::new(window, Unit::Days), Span { start: 19724, end: 19725 });
        let millis = Span::new(window, Unit::Millis);
        assert!(!millis.holds(1_704_110_400_000) && millis.holds(1_704_110_400_001));
        assert!(millis.holds(1_704_239_999_999) && !millis.holds(1_704_240_000_000));
        let far = (at("0001-01-01T00:00:00Z"), at("9999-01-01T00:00:00Z"));
        assert_eq!(Span::new(far, Unit::Nanos), Span { start: i64::MIN, end: i64::MAX });
    }

    #[test]
    fn instants_render_with_the_digits_they_need() {
        assert_eq!(Unit::Days.render(19753), "2024-01-31");
        assert_eq!(Unit::Millis.render(1_706_677_567_000), "2024-01-31T05:06:07Z");
        assert_eq!(Unit::Micros.render(1_706_677_567_500_000), "2024-01-31T05:06:07.500Z");
        assert_eq!(Unit::Nanos.render(-1), "1969-12-31T23:59:59.999999999Z");
    }
}
