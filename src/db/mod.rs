//! (written next)
pub mod schedules;
