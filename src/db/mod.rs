//! (written next)
pub mod jobs;
