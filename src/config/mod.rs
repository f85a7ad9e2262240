//! (written next)
pub mod scheduler;
pub mod secret;
pub mod worker;
