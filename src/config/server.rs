//! `[server]`: the address of the REST API and the dashboard.

use serde::{Deserialize, Serialize};

/// Keys of `[server]`; what each means and its default stands in `config/default.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// `host:port`, the host as an IP address.
    pub listen: String,
}
