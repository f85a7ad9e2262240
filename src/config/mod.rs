//! (written next)
pub mod notify;
pub mod secret;
pub mod smtp;
