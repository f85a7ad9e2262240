//! How long to wait before the next attempt.

use std::time::Duration;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// `min(longest, base * 2^(n-1)) * u`, where `u` in 0.5..=1 is a hash of the run and `n`: runs that failed together do
/// not come back together, and the same failure waits the same time in every process and every replay.
///
/// `n` counts from 1 (the attempt that just failed).
#[must_use]
pub fn backoff(base: Duration, longest: Duration, run_id: Uuid, n: i32) -> Duration {
    let doublings = u32::try_from(n.max(1) - 1).unwrap_or(0).min(31);
    let full = base.saturating_mul(1u32 << doublings).min(longest);
    full.mul_f64(0.5 + 0.5 * unit(run_id, n))
}

/// A number in 0..1 that depends on the run and `n` only.
fn unit(run_id: Uuid, n: i32) -> f64 {
    let mut hash = Sha256::new();
    hash.update(run_id.as_bytes());
    hash.update(n.to_be_bytes());
    let digest = hash.finalize();
    let word = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    f64::from(word) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_secs(10);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn doubles_from_the_base_up_to_the_longest() {
        let run = Uuid::from_u128(7);
        for n in 1..40 {
            let full = (10.0 * 2f64.powi(n - 1)).min(3600.0);
            let waited = backoff(BASE, HOUR, run, n).as_secs_f64();
            assert!(waited >= full * 0.5 && waited <= full, "attempt {n}: {waited} outside half of {full}");
        }
    }

    #[test]
    fn is_the_same_for_the_same_failure_and_spread_over_runs() {
        let of = |run| backoff(BASE, HOUR, Uuid::from_u128(run), 1);
        assert_eq!(of(1), of(1));
        let mean = (0..1000u128).map(|run| of(run).as_secs_f64()).sum::<f64>() / 1000.0;
        assert!((mean - 7.5).abs() < 0.2, "mean {mean}");
    }

    #[test]
    fn no_base_means_at_once() {
        assert_eq!(backoff(Duration::ZERO, HOUR, Uuid::from_u128(1), 5), Duration::ZERO);
    }
}
