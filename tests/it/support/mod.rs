//! What the integration tests stand on.
pub mod database;
pub mod s3;
pub mod smtp;
pub mod steward;
