//! (written next)
pub mod secret;
pub mod storage;
