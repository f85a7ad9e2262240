//! What becomes of ticks that were not fired in time, and of ticks whose job still runs. Pure.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

/// What to do about ticks that passed while no scheduler ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// Run the latest one.
    #[default]
    Latest,
    /// Run them all, up to a cap, one after the other.
    All,
    /// Run none that is late.
    None,
}

/// What to do when a tick comes while an earlier run of the job is unfinished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Leave the tick out.
    #[default]
    Skip,
    /// Let one run wait for the running one.
    QueueOne,
    /// Let all wait, one after the other.
    QueueAll,
    /// Cancel what is unfinished and run the new one.
    CancelRunning,
    /// Run side by side.
    Allow,
}

impl CatchUp {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Latest, Self::All, Self::None];

    /// The word in job files and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::All => "all",
            Self::None => "none",
        }
    }

    /// The policy of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name)
    }
}

impl Overlap {
    /// Every policy.
    pub const ALL: [Self; 5] = [Self::Skip, Self::QueueOne, Self::QueueAll, Self::CancelRunning, Self::Allow];

    /// The word in job files and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::QueueOne => "queue_one",
            Self::QueueAll => "queue_all",
            Self::CancelRunning => "cancel_running",
            Self::Allow => "allow",
        }
    }

    /// The policy of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name)
    }
}

/// How late ticks are dealt with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lateness {
    pub(super) catch_up: CatchUp,
    /// Ticks older than this are missed whatever the policy.
    pub(super) window: Duration,
    /// Most ticks that [`CatchUp::All`] fires.
    pub(super) cap: usize,
    /// With [`CatchUp::None`], how late a tick may still be fired.
    pub(super) on_time: Duration,
}

/// What becomes of a tick as far as time is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Fire,
    Missed(String),
    Collapsed(String),
}

/// The fate of each of `ticks` (ascending, all at or before `now`).
pub(super) fn fates(ticks: &[DateTime<Utc>], now: DateTime<Utc>, lateness: &Lateness) -> Vec<Fate> {
    let last = ticks.len().saturating_sub(1);
    let latest = ticks.last().map(|tick| tick.format("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default();
    let fate = |(index, tick): (usize, &DateTime<Utc>)| {
        let late = now - *tick;
        if late > lateness.window {
            return Fate::Missed(format!("older than the catch-up window of {} s", lateness.window.num_seconds()));
        }
        match lateness.catch_up {
            CatchUp::Latest if index == last => Fate::Fire,
            CatchUp::Latest => Fate::Collapsed(format!("made up for by the tick of {latest}")),
            CatchUp::All if last - index < lateness.cap => Fate::Fire,
            CatchUp::All => Fate::Missed(format!("beyond the {} latest that are made up for", lateness.cap)),
            CatchUp::None if index == last && late <= lateness.on_time => Fate::Fire,
            CatchUp::None => Fate::Missed(format!("{} s late, and late ticks are not made up for", late.num_seconds())),
        }
    };
    ticks.iter().enumerate().map(fate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks() -> Vec<DateTime<Utc>> {
        (0..5).map(|hour| DateTime::UNIX_EPOCH + Duration::hours(hour)).collect()
    }

    fn word(catch_up: CatchUp, now_minutes: i64) -> String {
        let lateness = Lateness { catch_up, window: Duration::hours(3), cap: 2, on_time: Duration::minutes(1) };
        fates(&ticks(), DateTime::UNIX_EPOCH + Duration::minutes(now_minutes), &lateness)
            .into_iter()
            .map(|fate| match fate {
                Fate::Fire => 'F',
                Fate::Missed(_) => 'm',
                Fate::Collapsed(_) => 'c',
            })
            .collect()
    }

    #[test]
    fn latest_fires_one_and_accounts_for_the_rest() {
        assert_eq!(word(CatchUp::Latest, 240), "mcccF");
        assert_eq!(word(CatchUp::Latest, 420), "mmmmF");
        // Even the latest is too old in the end.
        assert_eq!(word(CatchUp::Latest, 421), "mmmmm");
    }

    #[test]
    fn all_fires_up_to_the_cap_within_the_window() {
        assert_eq!(word(CatchUp::All, 240), "mmmFF");
        assert_eq!(word(CatchUp::All, 420), "mmmmF");
    }

    #[test]
    fn none_fires_only_what_is_on_time() {
        assert_eq!(word(CatchUp::None, 240), "mmmmF");
        assert_eq!(word(CatchUp::None, 241), "mmmmF");
        assert_eq!(word(CatchUp::None, 242), "mmmmm");
    }

    #[test]
    fn words_round_trip() {
        assert!(CatchUp::ALL.into_iter().all(|policy| CatchUp::parse(policy.as_str()) == Some(policy)));
        assert!(Overlap::ALL.into_iter().all(|policy| Overlap::parse(policy.as_str()) == Some(policy)));
    }
}
