//! What can go wrong in notifying, as text for people.

use uuid::Uuid;

/// An error of this module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings cannot work; every mistake is named with its key.
    #[error("invalid configuration: {}", .0.join("; "))]
    Configuration(Vec<String>),
    /// A channel that is not configured.
    #[error("channel {name:?} is not configured: add [notify.channels.{name}] (configured: {known})")]
    UnknownChannel {
        /// The name that was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// An incident that does not exist.
    #[error("incident {0:?} does not exist; `steward alerts list` shows those that do")]
    NoSuchIncident(String),
    /// A beginning of an id that several incidents share.
    #[error("incident id {0:?} is not unique: give more digits")]
    AmbiguousIncident(String),
    /// Something that is no beginning of an id.
    #[error("{0:?} is no incident id: give the id or at least its first 8 hexadecimal digits")]
    NoIncidentId(String),
    /// Only open incidents can be acknowledged.
    #[error("incident {id} is {state}: only open incidents can be acknowledged")]
    NotOpen {
        /// The incident.
        id: Uuid,
        /// The state it is in.
        state: String,
    },
    /// A delivery that is not dead cannot be revived.
    #[error("delivery {0} is not dead or does not exist; `steward notify dead list` shows those that are")]
    NotDead(Uuid),
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// As an error of the database, for callers whose transaction knows no other: what is not one becomes a protocol error
    /// with its text.
    #[must_use]
    pub fn into_sqlx(self) -> sqlx::Error {
        match self {
            Self::Database(error) => error,
            other => sqlx::Error::Protocol(other.to_string()),
        }
    }
}
