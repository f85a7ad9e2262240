//! `[database]`: where PostgreSQL is, and how connections to it behave.

use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// Keys of `[database]`; what each means and its default stands in `config/default.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `postgres://user:password@host:port/database`; empty means Steward's own private server.
    pub url: Secret,
    /// Connections of the main pool of one process.
    pub max_connections: u32,
    /// Seconds to wait for a connection before giving up.
    pub connect_timeout_seconds: u64,
    /// Seconds after which the server ends a statement; 0 sets no limit.
    pub statement_timeout_seconds: u64,
    /// Folder of `initdb` and `postgres`; empty means: search.
    pub postgres_bin_dir: String,
    /// Whether the private server waits for the disk at every commit.
    pub postgres_fsync: bool,
}
