//! Exit codes: stable, documented, part of the interface.
//!
//! `steward drift check ... && deploy` gates a pipeline with them.

/// Everything is fine.
pub const FINE: u8 = 0;
/// The check found something: drift, a failed bound, an invalid job file.
pub const FOUND: u8 = 1;
/// The command was used wrongly.
pub const USAGE: u8 = 2;
/// The configuration is invalid.
pub const CONFIGURATION: u8 = 3;
/// Data or a service cannot be reached or read.
pub const UNREACHABLE: u8 = 4;
/// A bug in Steward.
pub const BUG: u8 = 70;

/// An error that knows its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The code.
    pub code: u8,
    /// What a person reads.
    pub message: String,
}

impl Failure {
    /// Wrong use.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }

    /// Invalid configuration.
    #[must_use]
    pub fn configuration(message: impl Into<String>) -> Self {
        Self { code: CONFIGURATION, message: message.into() }
    }

    /// Something that cannot be reached or read.
    #[must_use]
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self { code: UNREACHABLE, message: message.into() }
    }

    /// The check found something.
    #[must_use]
    pub fn found(message: impl Into<String>) -> Self {
        Self { code: FOUND, message: message.into() }
    }
}

/// The exit code of an error that reached `main`.
#[must_use]
pub fn code_of(error: &anyhow::Error) -> u8 {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.code;
    }
    for cause in error.chain() {
        if cause.downcast_ref::<crate::config::Error>().is_some() {
            return CONFIGURATION;
        }
        match cause.downcast_ref::<crate::app::Error>() {
            Some(crate::app::Error::Database(error)) => return error.exit_code(),
            Some(crate::app::Error::Notify(_)) => return CONFIGURATION,
            None => {}
        }
        if let Some(error) = cause.downcast_ref::<crate::db::Error>() {
            return error.exit_code();
        }
        match cause.downcast_ref::<crate::jobs::store::Error>() {
            Some(crate::jobs::store::Error::Invalid { .. }) => return FOUND,
            Some(_) => return UNREACHABLE,
            None => {}
        }
        // A column or URI that somebody typed wrongly is wrong use; what is there and cannot be read is not.
        if let Some(error) = cause.downcast_ref::<crate::dataset::Error>()
            && (matches!(error, crate::dataset::Error::MissingColumn { .. }) || error.code() == "bad_uri")
        {
            return USAGE;
        }
        if cause.downcast_ref::<crate::dataset::Error>().is_some()
            || cause.downcast_ref::<crate::storage::Error>().is_some()
            || cause.downcast_ref::<sqlx::Error>().is_some()
            || cause.downcast_ref::<std::io::Error>().is_some()
        {
            return UNREACHABLE;
        }
    }
    BUG
}
