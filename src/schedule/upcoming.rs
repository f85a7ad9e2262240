//! What comes next, with a word where the clocks change.

use chrono::{DateTime, LocalResult, TimeZone, Utc};
use chrono_tz::Tz;

use super::CronSchedule;

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
