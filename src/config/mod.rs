//! (written next)
pub mod scheduler;
pub mod secret;
pub mod worker;
pub mod notify;
pub mod smtp;
pub mod storage;
