//! Which arm a unit belongs to: by its name alone, the same for ever and everywhere.

use sha2::{Digest, Sha256};

/// The place of a unit in 0..1: the first 53 bits of SHA-256 of `salt`, a colon and `unit`, as a fraction.
///
/// Deterministic and even; another salt gives places that have nothing to do with these. Nothing is stored, so every server that knows
/// the salt answers the same.
pub fn bucket(salt: &str, unit: &str) -> f64 {
    let mut hasher = Sha256::new();
    hasher.update(salt.as_bytes());
    hasher.update(b":");
    hasher.update(unit.as_bytes());
    let mut first = [0_u8; 8];
    first.copy_from_slice(&hasher.finalize()[..8]);
    // 53 bits are what a double holds exactly.
    (u64::from_be_bytes(first) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Whether a unit sees B when B has the share `split` of the traffic. A growing split moves units from A to B only.
///
/// ```
/// use steward::ab::sees_b;
/// assert!(sees_b("test_id=3f0c-demo", "user-1", 0.5) && !sees_b("test_id=3f0c-demo", "user-1", 0.4));
/// ```
pub fn sees_b(salt: &str, unit: &str, split: f64) -> bool {
    bucket(salt, unit) < split
}
