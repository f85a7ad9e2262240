//! The data window of a tick: half open, in UTC.
//!
//! | written | window of a tick |
//! | --- | --- |
//! | nothing | from the previous tick to the tick |
//! | `N days`, `N weeks`, `N months`, `N years` (`7d`, `2w`, `1mo`, `1y`) | the last N whole calendar units that have ended: they end at the last such boundary at or before the tick |
//! | `N hours`, `N minutes` (`24h`, `90m`) | exactly that long, ending at the tick |
//!
//! Calendar boundaries are midnight UTC, so that windows of all jobs fit together and match files that are cut by UTC
//! day or month. With the word `local` after it (`1 month local`) they are midnight in the job's time zone. Weeks begin
//! on Monday. So a monthly window at 06:15 on 1 May is the whole of April, whatever day the previous tick was on, and
//! each row belongs to one window only. East of Greenwich mind that 06:15 on the 1st may still be the day before in
//! UTC: use `local` there.

use chrono::{DateTime, Datelike, Days, Duration, LocalResult, Months, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;

/// Start (included) and end (not included).
pub type Window = (DateTime<Utc>, DateTime<Utc>);

/// A window that cannot be read or does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("window {spec:?}: {hint}")]
pub struct WindowError {
    /// What stands there.
    pub spec: String,
    /// What is wrong and what to write.
    pub hint: String,
}

/// A parsed window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowSpec {
    /// Whole calendar units that have ended.
    Calendar {
        /// How many; at least 1.
        count: u32,
        /// Of what.
        unit: Unit,
        /// Boundaries in the job's time zone instead of UTC.
        local: bool,
    },
    /// An exact time that ends at the tick.
    Exact(Duration),
}

/// A calendar unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// From midnight.
    Day,
    /// From Monday.
    Week,
    /// From the 1st.
    Month,
    /// From 1 January.
    Year,
}

impl WindowSpec {
    /// Reads a window such as `7d`, `24h`, `1 month`, `2 weeks local`.
    ///
    /// # Errors
    /// [`WindowError`] says what to write.
    pub fn parse(spec: &str) -> Result<Self, WindowError> {
        let wrong = |hint: &str| WindowError { spec: spec.to_owned(), hint: hint.to_owned() };
        let text = spec.trim().to_lowercase();
        let (text, local) = match text.strip_suffix("local") {
            Some(rest) => (rest.trim_end().to_owned(), true),
            None => (text, false),
        };
        let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(wrong("must begin with a number: \"7d\", \"24h\", \"1 month\""));
        }
        let count: u32 = number.parse().ok().filter(|count| *count <= 100_000).ok_or_else(|| wrong("is too long"))?;
        if count == 0 {
            return Err(wrong("is empty: the number must be at least 1"));
        }
        let calendar = |unit| Ok(Self::Calendar { count, unit, local });
        let exact = |length| {
            if local {
                Err(wrong("hours and minutes are the same everywhere: drop `local`"))
            } else {
                Ok(Self::Exact(length))
            }
        };
        match unit.trim() {
            "d" | "day" | "days" => calendar(Unit::Day),
            "w" | "week" | "weeks" => calendar(Unit::Week),
            "mo" | "month" | "months" => calendar(Unit::Month),
            "y" | "year" | "years" => calendar(Unit::Year),
            "h" | "hour" | "hours" => exact(Duration::hours(i64::from(count))),
            "m" | "min" | "minute" | "minutes" => exact(Duration::minutes(i64::from(count))),
            "" => Err(wrong("has no unit: write minutes, hours, days, weeks, months or years (m, h, d, w, mo, y)")),
            other => Err(wrong(&format!(
                "{other:?} is not a unit: write minutes, hours, days, weeks, months or years (m, h, d, w, mo, y)"
            ))),
        }
    }

    /// Whether windows of seven days apart overlap.
    #[must_use]
    pub fn is_longer_than_a_week(self) -> bool {
        match self {
            Self::Exact(length) => length > Duration::weeks(1),
            Self::Calendar { count, unit: Unit::Day, .. } => count > 7,
            Self::Calendar { count, unit: Unit::Week, .. } => count > 1,
            Self::Calendar { unit: Unit::Month | Unit::Year, .. } => true,
        }
    }

    /// The window of a tick, for a job in `timezone`; none when it reaches beyond the calendar.
    #[must_use]
    pub fn of(self, tick: DateTime<Utc>, timezone: Tz) -> Option<Window> {
        match self {
            Self::Exact(length) => Some((tick.checked_sub_signed(length)?, tick)),
            Self::Calendar { count, unit, local } => {
                let zone = if local { timezone } else { Tz::UTC };
                let end = unit.floor(tick.with_timezone(&zone).date_naive())?;
                Some((midnight(unit.back(end, count)?, zone)?, midnight(end, zone)?))
            }
        }
    }
}

impl Unit {
    /// The first day of the unit that `date` lies in.
    fn floor(self, date: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Day => Some(date),
            Self::Week => date.checked_sub_days(Days::new(u64::from(date.weekday().num_days_from_monday()))),
            Self::Month => date.with_day(1),
            Self::Year => NaiveDate::from_ymd_opt(date.year(), 1, 1),
        }
    }

    fn back(self, date: NaiveDate, count: u32) -> Option<NaiveDate> {
        match self {
            Self::Day => date.checked_sub_days(Days::new(u64::from(count))),
            Self::Week => date.checked_sub_days(Days::new(u64::from(count) * 7)),
            Self::Month => date.checked_sub_months(Months::new(count)),
            Self::Year => date.checked_sub_months(Months::new(count.checked_mul(12)?)),
        }
    }
}

/// The first instant of a day; some zones change their clocks at midnight.
fn midnight(date: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let wall = date.and_hms_opt(0, 0, 0)?;
    (0..=24 * 60).find_map(|minutes| match zone.from_local_datetime(&(wall + Duration::minutes(minutes))) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.with_timezone(&Utc)),
        LocalResult::None => None,
    })
}

/// The window of a tick: `spec` as described above, or from `previous_tick` to the tick.
///
/// # Errors
/// [`WindowError`] when `spec` cannot be read or reaches beyond the calendar.
pub fn window_of(
    spec: Option<&str>,
    previous_tick: DateTime<Utc>,
    tick: DateTime<Utc>,
    timezone: Tz,
) -> Result<Window, WindowError> {
    let Some(spec) = spec else { return Ok((previous_tick, tick)) };
    WindowSpec::parse(spec)?.of(tick, timezone).ok_or_else(|| WindowError {
        spec: spec.to_owned(),
        hint: format!("reaches back beyond the calendar from {tick}: write a shorter one"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_YORK: Tz = Tz::America__New_York;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    fn of(spec: &str, tick: &str, zone: Tz) -> String {
        let (start, end) = window_of(Some(spec), DateTime::UNIX_EPOCH, utc(tick), zone).unwrap();
        format!("{} {}", start.format("%Y-%m-%dT%H:%M"), end.format("%Y-%m-%dT%H:%M"))
    }

    #[test]
    fn without_a_spec_it_runs_from_tick_to_tick() {
        let (previous, tick) = (utc("2013-05-01T10:15:00Z"), utc("2013-05-02T10:15:00Z"));
        assert_eq!(window_of(None, previous, tick, NEW_YORK).unwrap(), (previous, tick));
    }

    #[test]
    fn calendar_units_end_at_the_last_boundary_before_the_tick() {
        // 06:15 in New York on 1 May.
        let tick = "2013-05-01T10:15:00Z";
        assert_eq!(of("1 month", tick, NEW_YORK), "2013-04-01T00:00 2013-05-01T00:00");
        assert_eq!(of("3 months", tick, NEW_YORK), "2013-02-01T00:00 2013-05-01T00:00");
        assert_eq!(of("7d", tick, NEW_YORK), "2013-04-24T00:00 2013-05-01T00:00");
        assert_eq!(of("1 week", tick, NEW_YORK), "2013-04-22T00:00 2013-04-29T00:00");
        assert_eq!(of("1y", tick, NEW_YORK), "2012-01-01T00:00 2013-01-01T00:00");
        // The boundary itself ends the window; an instant before it does not.
        assert_eq!(of("1 month", "2013-05-01T00:00:00Z", NEW_YORK), "2013-04-01T00:00 2013-05-01T00:00");
        assert_eq!(of("1 month", "2013-04-30T23:59:59Z", NEW_YORK), "2013-03-01T00:00 2013-04-01T00:00");
    }

    #[test]
    fn local_boundaries_follow_the_jobs_time_zone_and_its_clocks() {
        assert_eq!(of("1 month local", "2013-05-01T10:15:00Z", NEW_YORK), "2013-04-01T04:00 2013-05-01T04:00");
        // The day on which clocks go forward has 23 hours.
        assert_eq!(of("1 day local", "2013-03-11T10:00:00Z", NEW_YORK), "2013-03-10T05:00 2013-03-11T04:00");
        // 06:15 on 1 May in Tokyo is still April in UTC.
        let tokyo = Tz::Asia__Tokyo;
        assert_eq!(of("1 month", "2013-04-30T21:15:00Z", tokyo), "2013-03-01T00:00 2013-04-01T00:00");
        assert_eq!(of("1 month local", "2013-04-30T21:15:00Z", tokyo), "2013-03-31T15:00 2013-04-30T15:00");
    }

    #[test]
    fn hours_and_minutes_are_exact_and_end_at_the_tick() {
        assert_eq!(of("24h", "2013-03-10T12:34:00Z", NEW_YORK), "2013-03-09T12:34 2013-03-10T12:34");
        assert_eq!(of("90 minutes", "2013-03-10T12:34:00Z", NEW_YORK), "2013-03-10T11:04 2013-03-10T12:34");
    }

    #[test]
    fn consecutive_windows_leave_no_gap_and_no_overlap() {
        for (spec, step) in [("1d local", 1), ("1d", 1), ("1w", 7)] {
            let spec = WindowSpec::parse(spec).unwrap();
            let first = utc("2013-03-04T10:15:00Z");
            let windows: Vec<_> =
                (0..40).map(|n| spec.of(first + Duration::days(n * step), NEW_YORK).unwrap()).collect();
            for pair in windows.windows(2) {
                assert_eq!(pair[0].1, pair[1].0);
            }
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        let wrong = |spec: &str| WindowSpec::parse(spec).unwrap_err().to_string();
        assert_eq!(wrong("d"), r#"window "d": must begin with a number: "7d", "24h", "1 month""#);
        assert_eq!(wrong("0d"), r#"window "0d": is empty: the number must be at least 1"#);
        assert_eq!(
            wrong("7"),
            r#"window "7": has no unit: write minutes, hours, days, weeks, months or years (m, h, d, w, mo, y)"#
        );
        assert_eq!(
            wrong("3 fortnights"),
            r#"window "3 fortnights": "fortnights" is not a unit: write minutes, hours, days, weeks, months or years (m, h, d, w, mo, y)"#
        );
        assert_eq!(
            wrong("24h local"),
            r#"window "24h local": hours and minutes are the same everywhere: drop `local`"#
        );
        assert_eq!(wrong("99999999999d"), r#"window "99999999999d": is too long"#);
        assert!(window_of(Some("9999y"), DateTime::UNIX_EPOCH, utc("2013-05-01T00:00:00Z"), NEW_YORK).is_ok());
        assert!(window_of(Some("100000y"), DateTime::UNIX_EPOCH, utc("2013-05-01T00:00:00Z"), NEW_YORK).is_ok());
    }
}
