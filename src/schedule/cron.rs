//! A cron expression in a time zone, and the instants it plans.
//!
//! Five fields as in Unix (`minute hour day-of-month month day-of-week`), names, lists, ranges, steps, `L`, `#`, `W`,
//! `@daily` and friends; 0 and 7 are Sunday; with both day fields restricted either suffices.
//!
//! Daylight saving as Vixie cron does it, which asks whether `*` stands in the minute or the hour:
//! * fixed times (`30 2 * * *`, `0 1,13 * * *`) run once on each day they name: in the hour that is skipped at the
//!   first instant after it, in the hour that is repeated the first time only;
//! * others (`*/15 * * * *`, `30 * * * *`) follow real time: nothing in a skipped hour, twice in a repeated one.
//!
//! croner has these rules too but counts lists such as `1,13` as not fixed; so fixed times are enumerated on the wall
//! clock with croner and put on the time line here.

use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::cron_error::{CronError, FIELDS};

/// A parsed expression in its time zone.
#[derive(Debug, Clone)]
pub struct CronSchedule {
    expression: String,
    timezone: Tz,
    cron: Cron,
    fixed: bool,
}

impl CronSchedule {
    /// Parses an expression and the name of an IANA time zone.
    ///
    /// # Errors
    /// [`CronError`] names the field and what to write; also for expressions that never come true (30 February).
    pub fn parse(expression: &str, timezone: &str) -> Result<Self, CronError> {
        let timezone = parse_timezone(timezone)?;
        let fields = fields_of(expression)?;
        for (field, value) in FIELDS.iter().zip(&fields) {
            field.check(value)?;
        }
        let cron = parser().parse(&fields.join(" ")).map_err(|error| blame(&fields, &error))?;
        let fixed = !fields[0].contains('*') && !fields[1].contains('*');
        let schedule = Self { expression: expression.trim().to_owned(), timezone, cron, fixed };
        // Any start will do: the calendar repeats long before croner gives up.
        let start = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap_or_default().and_time(chrono::NaiveTime::MIN);
        if schedule.cron.find_next_occurrence(&start, true).is_err() {
            return Err(FIELDS[2].error(&fields[2], "never comes true: no such day in the months it names"));
        }
        Ok(schedule)
    }

    /// The expression as it was written.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The time zone it is read in.
    #[must_use]
    pub fn timezone(&self) -> Tz {
        self.timezone
    }

    /// Whether it names fixed times of day, which run once a day whatever the clocks do.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// In words: "At 06:15, on day 1 (America/New_York)".
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{} ({})", self.cron.describe().trim_end_matches('.'), self.timezone)
    }

    /// The first tick after `after`; none when there is none for thousands of years.
    #[must_use]
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let after = after.with_nanosecond(0)?;
        let local = after.with_timezone(&self.timezone);
        if !self.fixed {
            return self.cron.find_next_occurrence(&local, false).ok().map(|at| at.with_timezone(&Utc));
        }
        let mut wall = local.naive_local();
        loop {
            wall = self.cron.find_next_occurrence(&wall, false).ok()?;
            let at = self.on_time_line(wall)?;
            if at > after {
                return Some(at);
            }
        }
    }

    /// The last tick before `before`; none when there is none.
    #[must_use]
    pub fn previous(&self, before: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // A fraction of a second after a tick, that tick is in the past.
        let whole = before.with_nanosecond(0)?;
        let before = if whole < before { whole + Duration::seconds(1) } else { whole };
        let local = before.with_timezone(&self.timezone);
        if !self.fixed {
            return self.cron.find_previous_occurrence(&local, false).ok().map(|at| at.with_timezone(&Utc));
        }
        // In the second half of a repeated hour, ticks of the first half carry later wall times.
        let mut wall = local.naive_local() + Duration::hours(3);
        loop {
            wall = self.cron.find_previous_occurrence(&wall, false).ok()?;
            let at = self.on_time_line(wall)?;
            if at < before {
                return Some(at);
            }
        }
    }

    /// The instant of a wall time: the first of two, or the first one after a gap.
    fn on_time_line(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        // The longest gap known is the day that Samoa left out in 2011.
        (0..=24 * 60).find_map(|minutes| {
            match self.timezone.from_local_datetime(&(wall + Duration::minutes(minutes))) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.with_timezone(&Utc)),
                LocalResult::None => None,
            }
        })
    }

    /// Whether the wall time of `at` is one that the expression names.
    pub(super) fn names(&self, at: DateTime<Tz>) -> bool {
        self.cron.is_time_matching(&at.naive_local()).unwrap_or(true)
    }
}

/// The ticks in `(after, until]`, ascending.
pub fn ticks_between(
    schedule: &CronSchedule,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
) -> impl Iterator<Item = DateTime<Utc>> + '_ {
    let mut at = after;
    std::iter::from_fn(move || {
        at = schedule.next(at).filter(|tick| *tick <= until)?;
        Some(at)
    })
}

/// Splits into five fields in upper case, with nicknames written out.
fn fields_of(expression: &str) -> Result<Vec<String>, CronError> {
    let whole = |hint: &str| CronError { field: None, value: expression.to_owned(), hint: hint.to_owned() };
    let upper = expression.trim().to_uppercase();
    let written_out = match upper.as_str() {
        "" => return Err(whole("the cron expression is empty: write five fields, such as \"15 6 * * *\"")),
        "@YEARLY" | "@ANNUALLY" => "0 0 1 1 *",
        "@MONTHLY" => "0 0 1 * *",
        "@WEEKLY" => "0 0 * * 0",
        "@DAILY" | "@MIDNIGHT" => "0 0 * * *",
        "@HOURLY" => "0 * * * *",
        nickname if nickname.starts_with('@') => {
            return Err(whole(&format!(
                "{:?} is not known: use @hourly, @daily, @weekly, @monthly, @yearly or five fields",
                expression.trim()
            )));
        }
        fields => fields,
    };
    let fields: Vec<String> = written_out.split_whitespace().map(str::to_owned).collect();
    match fields.len() {
        5 => Ok(fields),
        6 | 7 => Err(whole(&format!(
            "the cron expression has {} fields: seconds and years are not supported, write \
             \"minute hour day-of-month month day-of-week\"",
            fields.len()
        ))),
        found => Err(whole(&format!(
            "the cron expression has {found} fields instead of five: \"minute hour day-of-month month day-of-week\""
        ))),
    }
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build()
}

/// Finds the field that croner objects to by leaving the others open.
fn blame(fields: &[String], error: &croner::errors::CronError) -> CronError {
    for (index, field) in FIELDS.iter().enumerate() {
        let alone: Vec<&str> = (0..5).map(|at| if at == index { fields[at].as_str() } else { "*" }).collect();
        if let Err(error) = parser().parse(&alone.join(" ")) {
            return field.error(&fields[index], format!("cannot be read: {error}"));
        }
    }
    CronError { field: None, value: fields.join(" "), hint: format!("cannot be read: {error}") }
}

/// The time zone of that IANA name.
fn parse_timezone(name: &str) -> Result<Tz, CronError> {
    name.parse::<Tz>().map_err(|_| {
        let near = chrono_tz::TZ_VARIANTS
            .iter()
            .map(|zone| (strsim::jaro_winkler(&zone.name().to_lowercase(), &name.to_lowercase()), zone.name()))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness > 0.8);
        CronError {
            field: Some("time zone"),
            value: name.to_owned(),
            hint: match near {
                Some((_, zone)) => format!("is not an IANA time zone; did you mean {zone:?}?"),
                None => "is not an IANA time zone: write a name such as \"Europe/Berlin\" or \"UTC\"".to_owned(),
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    /// Ticks in New York between two instants, as local time with offset.
    fn new_york(cron: &str, from: &str, until: &str) -> Vec<String> {
        let schedule = CronSchedule::parse(cron, "America/New_York").unwrap();
        ticks_between(&schedule, utc(from), utc(until))
            .map(|tick| tick.with_timezone(&schedule.timezone()).format("%d %H:%M %z").to_string())
            .collect()
    }

    // Clocks go from 02:00 EST to 03:00 EDT on 10 March 2013 and from 02:00 EDT to 01:00 EST on 3 November 2013.
    const SPRING: (&str, &str) = ("2013-03-09T12:00:00Z", "2013-03-11T12:00:00Z");
    const AUTUMN: (&str, &str) = ("2013-11-02T12:00:00Z", "2013-11-04T12:00:00Z");

    #[test]
    fn a_fixed_time_in_the_skipped_hour_runs_at_the_first_instant_after_it() {
        assert_eq!(new_york("30 2 * * *", SPRING.0, SPRING.1), ["10 03:00 -0400", "11 02:30 -0400"]);
    }

    #[test]
    fn a_fixed_time_in_the_repeated_hour_runs_once() {
        assert_eq!(new_york("30 1 * * *", AUTUMN.0, AUTUMN.1), ["03 01:30 -0400", "04 01:30 -0500"]);
    }

    #[test]
    fn lists_of_fixed_times_are_fixed_too() {
        assert_eq!(
            new_york("30 2,14 * * *", SPRING.0, SPRING.1),
            ["09 14:30 -0500", "10 03:00 -0400", "10 14:30 -0400", "11 02:30 -0400"]
        );
        assert_eq!(new_york("0,30 1 * * *", AUTUMN.0, "2013-11-03T12:00:00Z"), ["03 01:00 -0400", "03 01:30 -0400"]);
        // Two skipped times and the one right after the gap are one tick, not three.
        assert_eq!(
            new_york("0,30 2,3 * * *", "2013-03-10T05:00:00Z", "2013-03-10T08:00:00Z"),
            ["10 03:00 -0400", "10 03:30 -0400"]
        );
    }

    #[test]
    fn wildcards_follow_real_time_through_both_changes() {
        let spring = new_york("*/15 * * * *", "2013-03-10T06:29:00Z", "2013-03-10T07:30:00Z");
        assert_eq!(spring, ["10 01:30 -0500", "10 01:45 -0500", "10 03:00 -0400", "10 03:15 -0400", "10 03:30 -0400"]);
        let autumn = new_york("*/15 * * * *", "2013-11-03T05:29:00Z", "2013-11-03T07:00:00Z");
        assert_eq!(
            autumn,
            [
                "03 01:30 -0400",
                "03 01:45 -0400",
                "03 01:00 -0500",
                "03 01:15 -0500",
                "03 01:30 -0500",
                "03 01:45 -0500",
                "03 02:00 -0500"
            ]
        );
        assert_eq!(new_york("30 * * * *", "2013-11-03T05:00:00Z", "2013-11-03T07:00:00Z").len(), 2);
    }

    #[test]
    fn previous_is_the_inverse_of_next_through_the_year() {
        for expression in ["30 2 * * *", "30 1 * * *", "*/15 * * * *", "0 6 1 * *", "30 2,14 * * 1-5", "17 * * * *"] {
            let schedule = CronSchedule::parse(expression, "America/New_York").unwrap();
            for (from, until) in [SPRING, AUTUMN, ("2013-06-01T00:00:00Z", "2013-07-03T00:00:00Z")] {
                let ticks: Vec<_> = ticks_between(&schedule, utc(from), utc(until)).collect();
                for pair in ticks.windows(2) {
                    assert!(pair[0] < pair[1]);
                    assert_eq!(schedule.previous(pair[1]), Some(pair[0]), "{expression} before {}", pair[1]);
                    assert_eq!(schedule.previous(pair[1] + Duration::milliseconds(1)), Some(pair[1]));
                }
            }
        }
    }

    #[test]
    fn seven_and_zero_are_sunday() {
        let of = |cron: &str| new_york(cron, "2013-06-01T00:00:00Z", "2013-06-30T00:00:00Z");
        assert_eq!(of("0 6 * * 0"), of("0 6 * * 7"));
        assert_eq!(of("0 6 * * 7"), of("0 6 * * sun"));
        assert_eq!(of("0 6 * * 7")[0], "02 06:00 -0400");
        assert_eq!(of("0 6 * * sat-sun").len(), 9);
        assert_eq!(of("0 6 * * 5-7").len(), of("0 6 * * fri,sat,sun").len());
    }

    #[test]
    fn day_of_month_or_day_of_week_suffices() {
        // Mondays of June 2013 are 3, 10, 17, 24.
        let days = new_york("0 6 13 * 1", "2013-06-01T00:00:00Z", "2013-06-30T00:00:00Z");
        let days: Vec<_> = days.iter().map(|day| &day[..2]).collect();
        assert_eq!(days, ["03", "10", "13", "17", "24"]);
    }

    #[test]
    fn last_nth_and_nearest_days() {
        let of = |cron: &str| new_york(cron, "2013-06-01T00:00:00Z", "2013-07-01T00:00:00Z");
        assert_eq!(of("0 6 L * *"), ["30 06:00 -0400"]);
        assert_eq!(of("0 6 * * 5#2"), ["14 06:00 -0400"]);
        assert_eq!(of("0 6 * * FRI#L"), ["28 06:00 -0400"]);
        // The 15th is a Saturday.
        assert_eq!(of("0 6 15W * *"), ["14 06:00 -0400"]);
        assert_eq!(of("@weekly").len(), of("0 0 * * 0").len());
        assert_eq!(of("@midnight"), of("@daily"));
    }

    #[test]
    fn a_tick_at_the_very_instant_is_not_after_itself() {
        let schedule = CronSchedule::parse("0 6 * * *", "UTC").unwrap();
        let tick = utc("2013-05-01T06:00:00Z");
        assert_eq!(schedule.next(tick - Duration::milliseconds(1)), Some(tick));
        assert_eq!(schedule.next(tick), Some(tick + Duration::days(1)));
        assert_eq!(schedule.next(tick + Duration::milliseconds(1)), Some(tick + Duration::days(1)));
    }

    #[test]
    fn a_whole_skipped_day_does_not_lose_the_tick() {
        // Samoa had no 30 December 2011.
        let schedule = CronSchedule::parse("0 6 * * *", "Pacific/Apia").unwrap();
        let ticks: Vec<_> = ticks_between(&schedule, utc("2011-12-29T00:00:00Z"), utc("2012-01-01T00:00:00Z"))
            .map(|tick| tick.with_timezone(&schedule.timezone()).format("%d %H:%M").to_string())
            .collect();
        assert_eq!(ticks, ["29 06:00", "31 00:00", "31 06:00"].map(str::to_owned));
    }

    #[test]
    fn errors_name_the_field_and_what_to_write() {
        let wrong = |cron: &str| CronSchedule::parse(cron, "UTC").unwrap_err().to_string();
        let cases = [
            ("60 * * * *", r#"minute "60": minutes go from 0 to 59"#),
            ("0 24 * * *", r#"hour "24": hours go from 0 to 23"#),
            ("0 0 0 * *", r#"day of month "0": days of the month go from 1 to 31"#),
            ("0 0 * 13 *", r#"month "13": months go from 1 to 12, or JAN to DEC"#),
            ("0 0 * * 8", r#"day of week "8": days of the week go from 0 to 7, or SUN to SAT"#),
            ("0 0 * * MOO", r#"day of week "MOO": days of the week go from 0 to 7, or SUN to SAT"#),
            ("MON 0 * * *", r#"minute "MON": minutes go from 0 to 59; "MON" is not a number"#),
            ("5/10 * * * *", r#"minute "5/10": a step needs a range before it: write 5-59/10 or */10"#),
            ("*/0 * * * *", r#"minute "*/0": the step "0" must be a whole number from 1 to 59"#),
            ("0 22-2 * * *", r#"hour "22-2": the range 22-2 runs backwards: write 22-23,0-2 to wrap around"#),
            ("0 1,,2 * * *", r#"hour "1,,2": a list has an empty entry: remove the extra comma"#),
            ("0 0 30 2 *", r#"day of month "30": never comes true: no such day in the months it names"#),
            ("", r#"the cron expression is empty: write five fields, such as "15 6 * * *""#),
            ("@reboot", r#""@reboot" is not known: use @hourly, @daily, @weekly, @monthly, @yearly or five fields"#),
            (
                "0 0 6 * * *",
                r#"the cron expression has 6 fields: seconds and years are not supported, write "minute hour day-of-month month day-of-week""#,
            ),
            (
                "0 6 * *",
                r#"the cron expression has 4 fields instead of five: "minute hour day-of-month month day-of-week""#,
            ),
        ];
        for (cron, message) in cases {
            assert_eq!(wrong(cron), message, "{cron}");
        }
        assert_eq!(wrong("0 0 * * 5#9").split(':').next(), Some(r#"day of week "5#9""#));
    }

    #[test]
    fn unknown_time_zones_get_a_suggestion() {
        let wrong = |zone: &str| CronSchedule::parse("0 6 * * *", zone).unwrap_err().to_string();
        assert_eq!(
            wrong("America/NewYork"),
            r#"time zone "America/NewYork": is not an IANA time zone; did you mean "America/New_York"?"#
        );
        assert_eq!(
            wrong("xyz"),
            r#"time zone "xyz": is not an IANA time zone: write a name such as "Europe/Berlin" or "UTC""#
        );
    }

    #[test]
    fn describes_itself() {
        let schedule = CronSchedule::parse("15 6 1 * *", "America/New_York").unwrap();
        assert_eq!(schedule.describe(), "At 06:15, on day 1 of the month (America/New_York)");
    }
}
