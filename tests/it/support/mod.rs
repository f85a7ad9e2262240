//! What the integration tests stand on.
pub mod database;

/// A real S3 protocol server over a folder.
pub(crate) mod s3;
pub mod smtp;
