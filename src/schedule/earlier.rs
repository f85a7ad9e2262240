//! Windows before a window: what the current data of a run is compared with when there is no fixed reference.
//!
//! Pure arithmetic on the calendar; which windows hold data is not known here.

use chrono::{DateTime, Days, Utc};
use chrono_tz::Tz;

use super::window::{Window, WindowSpec};
use super::{CronSchedule, WindowError};

/// What the windows of a job follow from.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm<'a> {
    /// The window as the job writes it.
    pub spec: Option<&'a str>,
    /// The schedule; without a written window it goes from tick to tick.
    pub cron: Option<&'a CronSchedule>,
    /// The job's time zone.
    pub timezone: Tz,
}

/// The `count` windows before `window`, the nearest first, each ending where the next one starts. They are the windows of the ticks
/// before where `window` is one of the rhythm's own, and of the same length where it was chosen by hand.
///
/// # Errors
/// [`WindowError`] when the window of the job cannot be read.
pub fn windows_before(rhythm: Rhythm<'_>, window: Window, count: u32) -> Result<Vec<Window>, WindowError> {
    let spec = rhythm.spec.map(WindowSpec::parse).transpose()?;
    let before = |(start, end): Window| match (spec, rhythm.cron) {
        (Some(spec), _) if spec.of(end, rhythm.timezone) == Some((start, end)) => spec.of(start, rhythm.timezone),
        (None, Some(cron)) if cron.previous(end) == Some(start) => cron.previous(start).map(|before| (before, start)),
        _ => start.checked_sub_signed(end - start).map(|before| (before, start)),
    };
    let earlier = std::iter::successors(before(window), |&nearer| before(nearer));
    Ok(earlier.take_while(|(start, end)| start < end).take(count as usize).collect())
}

/// `window` on the same days of the `weeks` weeks before, the nearest first. Days are those of the job's time zone where its windows
/// are (`local`, hours, from tick to tick), so that a day keeps its hours when the clocks change; else those of UTC.
///
/// # Errors
/// [`WindowError`] when the window of the job cannot be read, or is longer than a week: it would overlap with the one before.
pub fn same_weekdays(rhythm: Rhythm<'_>, window: Window, weeks: u32) -> Result<Vec<Window>, WindowError> {
    if window.1 - window.0 > chrono::Duration::weeks(1) {
        let spec = rhythm.spec.map_or_else(|| format!("{} .. {}", window.0, window.1), str::to_owned);
        return Err(WindowError { spec, hint: "is longer than a week: it overlaps with the week before".to_owned() });
    }
    let zone = match rhythm.spec.map(WindowSpec::parse).transpose()? {
        Some(WindowSpec::Calendar { local: false, .. }) => Tz::UTC,
        _ => rhythm.timezone,
    };
    let back = |at: DateTime<Utc>, week: u32| {
        let days = Days::new(u64::from(week) * 7);
        // An hour that the clocks leave out or repeat: as many hours ago.
        let on_the_wall = at.with_timezone(&zone).checked_sub_days(days).map(|at| at.with_timezone(&Utc));
        on_the_wall.or_else(|| at.checked_sub_days(days))
    };
    Ok((1..=weeks).map_while(|week| back(window.0, week).zip(back(window.1, week))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn window(start: &str, end: &str) -> Window {
        (at(start), at(end))
    }

    #[test]
    fn the_windows_before_are_those_of_the_ticks_before() {
        let rhythm = Rhythm { spec: Some("1 month"), cron: None, timezone: Tz::UTC };
        let march = window("2013-03-01T00:00:00Z", "2013-04-01T00:00:00Z");
        let february = window("2013-02-01T00:00:00Z", "2013-03-01T00:00:00Z");
        let january = window("2013-01-01T00:00:00Z", "2013-02-01T00:00:00Z");
        assert_eq!(windows_before(rhythm, march, 2).unwrap(), [february, january]);
        let cron = CronSchedule::parse("0 6 1 * *", "UTC").unwrap();
        let ticks = Rhythm { spec: None, cron: Some(&cron), timezone: Tz::UTC };
        let march = window("2013-03-01T06:00:00Z", "2013-04-01T06:00:00Z");
        assert_eq!(
            windows_before(ticks, march, 1).unwrap(),
            [window("2013-02-01T06:00:00Z", "2013-03-01T06:00:00Z")],
            "from tick to tick"
        );
    }

    #[test]
    fn a_window_chosen_by_hand_keeps_its_length() {
        let rhythm = Rhythm { spec: Some("1 month"), cron: None, timezone: Tz::UTC };
        let ten_days = window("2013-03-11T00:00:00Z", "2013-03-21T00:00:00Z");
        assert_eq!(
            windows_before(rhythm, ten_days, 1).unwrap(),
            [window("2013-03-01T00:00:00Z", "2013-03-11T00:00:00Z")]
        );
    }

    #[test]
    fn the_same_weekday_keeps_its_hours_when_the_clocks_change() {
        let berlin = Rhythm { spec: Some("1 day local"), cron: None, timezone: Tz::Europe__Berlin };
        // Monday 1 April 2013 in Berlin (summer time); the Monday before was in winter time.
        let monday = window("2013-03-31T22:00:00Z", "2013-04-01T22:00:00Z");
        assert_eq!(
            same_weekdays(berlin, monday, 2).unwrap(),
            [
                window("2013-03-24T23:00:00Z", "2013-03-25T23:00:00Z"),
                window("2013-03-17T23:00:00Z", "2013-03-18T23:00:00Z")
            ]
        );
        let utc = Rhythm { spec: Some("1 day"), ..berlin };
        let day = window("2013-04-01T00:00:00Z", "2013-04-02T00:00:00Z");
        assert_eq!(same_weekdays(utc, day, 1).unwrap(), [window("2013-03-25T00:00:00Z", "2013-03-26T00:00:00Z")]);
    }

    #[test]
    fn a_month_has_no_same_weekday() {
        let rhythm = Rhythm { spec: Some("1 month"), cron: None, timezone: Tz::UTC };
        let march = window("2013-03-01T00:00:00Z", "2013-04-01T00:00:00Z");
        assert!(same_weekdays(rhythm, march, 1).unwrap_err().to_string().contains("longer than a week"));
    }
}
