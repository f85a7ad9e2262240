//! What the integration tests stand on.
pub mod database;
pub mod http;
pub mod operations;
pub mod registry;
pub mod s3;
pub mod smtp;
pub mod steward;
