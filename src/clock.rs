//! What time it is: the only place that asks the operating system.
//!
//! Everything that decides by time takes a [`Clock`]; `clippy.toml` forbids `Utc::now` elsewhere. SQL follows the same
//! clock through `steward_now()` (see `db::pool`). This module does no sleeping and knows no time zones.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

/// A source of the current instant.
pub trait Clock: Send + Sync + std::fmt::Debug + 'static {
    /// The current instant, in UTC.
    fn now(&self) -> DateTime<Utc>;

    /// Whether this is a simulated time that the database has to be told of.
    fn is_simulated(&self) -> bool {
        false
    }
}

/// A clock shared by everything in a process.
pub type SharedClock = Arc<dyn Clock>;

/// The clock of the host.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one permitted caller
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands where it was put: for `replay`, the demo and tests.
#[derive(Debug)]
pub struct SimulatedClock {
    micros: AtomicI64,
}

impl SimulatedClock {
    /// A clock that stands at `at`.
    #[must_use]
    pub fn at(at: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { micros: AtomicI64::new(at.timestamp_micros()) })
    }

    /// Moves the clock to `at` (backwards is allowed; each replayed tick sets it).
    pub fn set(&self, at: DateTime<Utc>) {
        self.micros.store(at.timestamp_micros(), Ordering::SeqCst);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.micros.load(Ordering::SeqCst)).unwrap_or(DateTime::UNIX_EPOCH)
    }

    fn is_simulated(&self) -> bool {
        true
    }
}
