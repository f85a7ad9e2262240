//! When a message that was not accepted is tried again: the schedule of Standard Webhooks, for all channels.
//!
//! The first attempt is immediate; then 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. Each delay is spread by up to
//! 20 % either way, so that what failed together does not return together; the spread follows from the delivery's id, so
//! that the same delivery always has the same schedule. No randomness, no clock.

use std::time::Duration;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Seconds after the first, second, ... failed attempt.
const DELAYS: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// Longest delay, in places of [`DELAYS`], for what only a person can mend: soon after it is mended, messages go out.
const LONGEST_WHEN_KEPT: usize = 2;

/// The delay after the `attempt`-th failed attempt (from 1); none when all are used up.
///
/// `kept` is for messages that wait for a corrected configuration: they are tried for ever, at most half an hour apart.
#[must_use]
pub fn delay(id: Uuid, attempt: i32, kept: bool) -> Option<Duration> {
    let index = usize::try_from(attempt.max(1) - 1).unwrap_or(usize::MAX);
    let index = if kept { index.min(LONGEST_WHEN_KEPT) } else { index };
    let seconds = *DELAYS.get(index)?;
    let hash = Sha256::digest(format!("{id}/{index}"));
    let share = f64::from(u16::from_be_bytes([hash[0], hash[1]])) / f64::from(u16::MAX);
    Some(Duration::from_secs(seconds).mul_f64(0.8 + 0.4 * share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_within_a_fifth_and_end() {
        for seed in 0..200u128 {
            let id = Uuid::from_u128(seed);
            for (attempt, seconds) in (1..).zip(DELAYS) {
                let delay = delay(id, attempt, false).unwrap().as_secs_f64();
                let nominal = seconds as f64;
                assert!((0.8 * nominal..=1.2 * nominal).contains(&delay), "attempt {attempt}: {delay}");
            }
            assert_eq!(delay(id, 10, false), None);
        }
    }

    #[test]
    fn delays_differ_between_deliveries_and_not_between_calls() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(delay(a, 3, false), delay(a, 3, false));
        assert_ne!(delay(a, 3, false), delay(b, 3, false));
    }

    #[test]
    fn what_waits_for_a_person_is_never_given_up() {
        let late = delay(Uuid::from_u128(1), 500, true).unwrap();
        assert!(late <= Duration::from_secs(36 * 60), "{late:?}");
    }
}
