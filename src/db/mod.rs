//! (written next)
pub mod jobs;
pub mod schedules;
