//! `[server]`: the address of the REST API, who may call it, and its limits.

use serde::{Deserialize, Serialize};

/// Who may call the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// Everybody who reaches it; names are taken on their word. Only on loopback.
    None,
    /// Holders of an API token, within its scopes.
    Tokens,
}

/// Keys of `[server]`; what each means and its default stands in `config/default.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// `host:port`, the host as an IP address.
    pub listen: String,
    /// Who may call.
    pub authentication: Authentication,
    /// Largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// Deepest nesting of a JSON body.
    pub max_json_depth: usize,
    /// After so many seconds a request is given up; long-polls have their own time.
    pub request_timeout_seconds: u64,
    /// Requests worked on at the same time; more are refused with 503.
    pub max_concurrent_requests: usize,
    /// Connections that may be open at the same time; further ones wait.
    pub max_connections: usize,
    /// After so many seconds a client that does not read its answer is disconnected.
    pub write_timeout_seconds: u64,
    /// Requests a second that one caller may make, with bursts of as many; 0 sets no limit.
    pub requests_per_second: u32,
    /// Longest time in seconds that a long-poll may wait.
    pub max_wait_seconds: u64,
    /// For how many hours the answer to an `Idempotency-Key` is kept.
    pub idempotency_hours: u32,
}
