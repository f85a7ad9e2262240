//! What comes next, with a word where the clocks change.

use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::CronSchedule;

/// A day without a tick.
#[derive(Debug, Clone, PartialEq)]
pub struct NoTick {
    /// The last tick before the day.
    pub before: Option<DateTime<Tz>>,
    /// The first tick after it.
    pub after: Option<DateTime<Tz>>,
}

/// The first tick on a day of the schedule's own time zone.
///
/// # Errors
/// [`NoTick`] with the ones around it.
pub fn first_on(schedule: &CronSchedule, day: NaiveDate) -> Result<DateTime<Utc>, NoTick> {
    let local = |at: DateTime<Utc>| at.with_timezone(&schedule.timezone());
    // No place's day begins more than 14 hours before that of UTC.
    let mut at = day.and_time(NaiveTime::MIN).and_utc() - Duration::hours(15);
    let mut before = schedule.previous(at);
    while let Some(tick) = schedule.next(at) {
        match local(tick).date_naive().cmp(&day) {
            std::cmp::Ordering::Less => (at, before) = (tick, Some(tick)),
            std::cmp::Ordering::Equal => return Ok(tick),
            std::cmp::Ordering::Greater => return Err(NoTick { before: before.map(local), after: Some(local(tick)) }),
        }
    }
    Err(NoTick { before: before.map(local), after: None })
}

/// A planned instant.
#[derive(Debug, Clone, PartialEq)]
pub struct NextTick {
    /// The instant.
    pub at_utc: DateTime<Utc>,
    /// The same on the wall of the schedule's time zone.
    pub local: DateTime<Tz>,
    /// What daylight saving does to it, if anything.
    pub note: Option<String>,
}

/// The next `count` ticks after `after`.
#[must_use]
pub fn upcoming(schedule: &CronSchedule, after: DateTime<Utc>, count: usize) -> Vec<NextTick> {
    let mut at = after;
    std::iter::from_fn(|| {
        at = schedule.next(at)?;
        let local = at.with_timezone(&schedule.timezone());
        Some(NextTick { at_utc: at, local, note: note(schedule, local) })
    })
    .take(count)
    .collect()
}

fn note(schedule: &CronSchedule, local: DateTime<Tz>) -> Option<String> {
    if schedule.is_fixed() && !schedule.names(local) {
        return Some(format!(
            "clocks go forward and skip the scheduled time; runs at the first instant after, {}",
            local.format("%H:%M %Z")
        ));
    }
    let LocalResult::Ambiguous(first, _) = schedule.timezone().from_local_datetime(&local.naive_local()) else {
        return None;
    };
    let time = local.format("%H:%M");
    Some(match (schedule.is_fixed(), local == first) {
        (true, _) => {
            format!("clocks go back and {time} comes twice; runs the first time only ({})", local.format("%Z"))
        }
        (false, true) => format!("clocks go back and {time} comes twice; this is the first ({})", local.format("%Z")),
        (false, false) => format!("clocks go back and {time} comes twice; this is the second ({})", local.format("%Z")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(cron: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = CronSchedule::parse(cron, "America/New_York").unwrap();
        let after = DateTime::parse_from_rfc3339(after).unwrap().with_timezone(&Utc);
        upcoming(&schedule, after, count)
            .into_iter()
            .map(|tick| format!("{}: {}", tick.local.format("%d %H:%M %Z"), tick.note.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn the_tick_of_a_day_is_the_first_of_that_day_where_the_schedule_is() {
        let of = |cron: &str, zone: &str, day: &str| {
            let found = first_on(&CronSchedule::parse(cron, zone).unwrap(), day.parse().unwrap());
            found.map(|at| at.to_rfc3339()).map_err(|none| {
                let shown = |at: Option<DateTime<Tz>>| at.unwrap().format("%m-%d %H:%M").to_string();
                (shown(none.before), shown(none.after))
            })
        };
        assert_eq!(of("15 6 1 * *", "America/New_York", "2013-05-01").unwrap(), "2013-05-01T10:15:00+00:00");
        assert_eq!(of("*/30 * * * *", "America/New_York", "2013-05-01").unwrap(), "2013-05-01T04:00:00+00:00");
        assert_eq!(of("0 0 * * *", "Pacific/Kiritimati", "2013-05-01").unwrap(), "2013-04-30T10:00:00+00:00");
        assert_eq!(of("59 23 * * *", "Pacific/Pago_Pago", "2013-05-01").unwrap(), "2013-05-02T10:59:00+00:00");
        // The skipped 02:30 runs at 03:00.
        assert_eq!(of("30 2 * * *", "America/New_York", "2013-03-10").unwrap(), "2013-03-10T07:00:00+00:00");
        let around = ("05-01 06:15".to_owned(), "06-01 06:15".to_owned());
        assert_eq!(of("15 6 1 * *", "America/New_York", "2013-05-02"), Err(around.clone()));
        assert_eq!(of("15 6 1 * *", "America/New_York", "2013-05-31"), Err(around));
    }

    #[test]
    fn notes_stand_only_where_clocks_change() {
        assert_eq!(
            notes("30 2 * * *", "2013-03-09T12:00:00Z", 2),
            [
                "10 03:00 EDT: clocks go forward and skip the scheduled time; runs at the first instant after, 03:00 EDT",
                "11 02:30 EDT: "
            ]
        );
        assert_eq!(
            notes("30 1 * * *", "2013-11-02T12:00:00Z", 2),
            ["03 01:30 EDT: clocks go back and 01:30 comes twice; runs the first time only (EDT)", "04 01:30 EST: "]
        );
        assert_eq!(
            notes("30 * * * *", "2013-11-03T05:00:00Z", 3),
            [
                "03 01:30 EDT: clocks go back and 01:30 comes twice; this is the first (EDT)",
                "03 01:30 EST: clocks go back and 01:30 comes twice; this is the second (EST)",
                "03 02:30 EST: "
            ]
        );
    }
}
