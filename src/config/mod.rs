//! (written next)
pub mod secret;
