//! How long a running test is likely to go on, for `steward ab show`: the pace of its rows in days and dates.
//!
//! May use: `ab`, `registry`. What is foreseen stands in [`crate::ab::pace`]; here it gets a calendar and words. No I/O, no clock: the caller
//! says what time it is. Deliberately absent: tests that do not run, or have decided: they wait for nobody's rows.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::ab::{Agreed, Need, Pace, Seen, pace};
use crate::registry::ab_tests::{ResultRow, Rules, TestRow};

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// What a test waits for, and how long. A field is none where it is not known.
#[derive(Debug, Serialize)]
pub(super) struct Outlook {
    /// Rows of both arms in a day, by the last look.
    rows_per_day: Option<f64>,
    /// Whole days from now, rounded up; 0 when the time has come.
    days_left: Option<i64>,
    until: Option<DateTime<Utc>>,
    /// What it waits for, or why that is not known.
    reason: &'static str,
    /// The same in words.
    #[serde(skip)]
    text: String,
}

impl Outlook {
    /// The outlook of a test after its last look; none unless it runs and has not decided.
    pub(super) fn of(test: &TestRow, last: Option<&ResultRow>, now: DateTime<Utc>) -> Option<Self> {
        if test.status != "running" || test.decision.is_some() {
            return None;
        }
        let rules = Rules::of(test);
        let seen = last.map(|look| seen(test, &rules, look));
        let pace = seen.as_ref().and_then(|seen| pace(&agreed(&rules), seen));
        let waited = match (pace, last) {
            (Some(pace), Some(look)) => Waited::of(pace, &rules, at(look)),
            (_, Some(look)) if look.n_a == 0 && look.n_b == 0 => {
                Waited::unknown("no_rows", "the last look saw no rows: their rate is not known")
            }
            (_, Some(_)) => Waited::unknown(
                "too_early",
                "the rate of rows is known after a look that is a day or more from the start",
            ),
            (_, None) => Waited::unknown("no_look", "no look yet: the rate of rows is not known"),
        };
        Some(waited.written(rules.ends, now))
    }

    /// What stands beside `left`.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// What a test waits for, apart from its horizon.
struct Waited {
    pace: Option<f64>,
    until: Option<DateTime<Utc>>,
    reason: &'static str,
    /// What is so from then on, as in `both arms have 1000 rows`; or why nobody knows.
    what: String,
}

impl Waited {
    fn unknown(reason: &'static str, what: &str) -> Self {
        Self { pace: None, until: None, reason, what: what.to_owned() }
    }

    fn of(pace: Pace, rules: &Rules, look: DateTime<Utc>) -> Self {
        let asked = format!("{:.1} %", 100.0 * rules.success_threshold);
        let until = pace.days.and_then(|days| after(look, days));
        let (reason, what) = match (pace.need, until) {
            (Need::MinSamples, Some(_)) => ("min_samples", format!("both arms have {} rows", rules.min_samples)),
            (Need::SuccessThreshold, Some(_)) => ("success_threshold", format!("{asked} can be shown")),
            (Need::MinSamples, None) => (
                "never",
                format!("both arms need {} rows, and one of them gets too few for any date", rules.min_samples),
            ),
            (Need::SuccessThreshold, None) => ("never", format!("at this rate {asked} can be shown at no date")),
            (Need::Nothing, _) => ("enough_rows", format!("the rows are enough to show {asked}")),
            (Need::Unforeseen, _) => ("unforeseen", "both arms have the rows that they need at least".to_owned()),
        };
        let until = until.filter(|_| pace.need != Need::Nothing);
        Self { pace: Some(pace.rows_per_day), until, reason, what }
    }

    fn written(self, ends: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Outlook {
        let Self { pace, until, reason, what } = self;
        let rate = pace.map_or_else(String::new, |pace| format!(" at {} rows a day", rows(pace)));
        let outlook = |until, reason, text| Outlook {
            rows_per_day: pace,
            days_left: until_days(until, now),
            until,
            reason,
            text,
        };
        let need = match until {
            Some(until) if until <= now => {
                format!("{rate} {what} since {}: look again", date(until)).trim_start().to_owned()
            }
            Some(until) => format!("about {}{rate} until {what} ({})", days(until, now), date(until)),
            None => what.clone(),
        };
        match ends {
            // What comes first ends the wait.
            Some(ends) if until.is_none_or(|until| ends < until) => {
                let more = until.map_or(what.clone(), |until| {
                    format!("{rate} {what} only on {}", date(until)).trim_start().to_owned()
                });
                let left = match ends > now {
                    true => format!("about {} until {}, its horizon; {more}", days(ends, now), date(ends)),
                    false => format!("its horizon was {}: the next look ends it; {more}", date(ends)),
                };
                outlook(Some(ends), "horizon", left)
            }
            _ => outlook(until, reason, need),
        }
    }
}

fn agreed(rules: &Rules) -> Agreed {
    let shares_the_level = matches!(rules.monitoring.as_str(), "auto" | "group_sequential");
    Agreed {
        min_samples: u64::try_from(rules.min_samples).unwrap_or(0),
        // Where a margin is the question, it is what has to be told from 0.
        success_threshold: rules.margin.unwrap_or(rules.success_threshold),
        significance_level: rules.significance_level,
        planned_looks: rules.planned_looks.filter(|_| shares_the_level).unwrap_or(1),
    }
}

fn seen(test: &TestRow, rules: &Rules, look: &ResultRow) -> Seen {
    let start = look.window_start.or(rules.starts).or(test.started_at);
    let number = |name: &str| look.details.get(name).and_then(serde_json::Value::as_f64);
    let count = |rows: i64| u64::try_from(rows).unwrap_or(0);
    Seen {
        rows: [count(look.n_a), count(look.n_b)],
        days: start.map_or(0.0, |start| (at(look) - start).as_seconds_f64() / DAY),
        baseline: look.mean_a,
        detectable: number("minimum_detectable_difference"),
        level: number("level"),
    }
}

/// The instant up to which a look saw the rows.
fn at(look: &ResultRow) -> DateTime<Utc> {
    look.window_end.unwrap_or(look.created_at)
}

/// So many days later; none beyond the calendar.
fn after(from: DateTime<Utc>, days: f64) -> Option<DateTime<Utc>> {
    // Ten thousand years: nobody waits so long, and seconds still fit.
    let seconds = Some(days * DAY).filter(|seconds| seconds.abs() < 3e11)?;
    from.checked_add_signed(TimeDelta::try_seconds(seconds.ceil() as i64)?).filter(|at| date(*at).len() == 10)
}

fn until_days(until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<i64> {
    until.map(|until| ((until - now).as_seconds_f64() / DAY).ceil().max(0.0) as i64)
}

fn days(until: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match until_days(Some(until), now).unwrap_or(0) {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

fn date(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

fn rows(pace: f64) -> String {
    if pace < 10.0 { format!("{pace:.1}") } else { format!("{pace:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&format!("{date}T12:00:00Z")).unwrap().to_utc()
    }

    fn waited(need: Need, days: Option<f64>) -> Waited {
        let rules = Rules { min_samples: 1000, success_threshold: 0.02, ..Rules::default() };
        Waited::of(Pace { rows_per_day: 840.2, need, days }, &rules, day("2026-11-27"))
    }

    #[test]
    fn it_is_said_in_days_and_dates() {
        let now = day("2026-11-28");
        let said = |need, days, ends: Option<&str>| {
            let outlook = waited(need, days).written(ends.map(day), now);
            (outlook.reason, outlook.days_left, outlook.text)
        };
        let mut told = String::new();
        for (need, days) in [
            (Need::MinSamples, Some(12.4)),
            (Need::MinSamples, None),
            (Need::SuccessThreshold, Some(12.4)),
            (Need::SuccessThreshold, Some(0.5)),
            (Need::SuccessThreshold, Some(1e12)),
            (Need::Nothing, Some(0.0)),
            (Need::Unforeseen, None),
        ] {
            for ends in [None, Some("2026-12-02"), Some("2026-12-31"), Some("2026-11-01")] {
                let (reason, left, text) = said(need, days, ends);
                let left = left.map_or_else(|| "-".to_owned(), |left| left.to_string());
                told += &format!("{reason} {left}: {text}\n");
            }
        }
        insta::assert_snapshot!(told);
    }

    #[test]
    fn nothing_is_foreseen_without_a_pace() {
        let unknown = Waited::unknown("no_look", "no look yet: the rate of rows is not known");
        let outlook = unknown.written(None, day("2026-11-28"));
        assert_eq!((outlook.reason, outlook.days_left, outlook.until), ("no_look", None, None));
        assert_eq!(outlook.text, "no look yet: the rate of rows is not known");
    }
}
