//! The `[storage]` section: which objects may be read, and how the stores are reached.
//!
//! Holds only values; [`crate::storage`] interprets them. Empty strings mean "not configured": the store's usual
//! environment variables and instance roles are used then.

use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// Where data may be read from, and with what patience.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSettings {
    /// Roots that may be read (`file:///srv/data`, `s3://bucket/prefix`, `https://host/path`); empty allows everything to job files on
    /// disk and nothing to documents submitted over HTTP.
    pub allowed: Vec<String>,
    /// Most objects one URI with wildcards may match; more is an error, not a truncated list.
    pub max_objects: usize,
    /// How often a request that failed for a passing reason is repeated inside one read.
    pub retries: usize,
    /// Upper bound in seconds on the time spent on one request including its repetitions.
    pub retry_timeout_seconds: u64,
    /// Seconds until a connection attempt is given up.
    pub connect_timeout_seconds: u64,
    /// Seconds until one request (at most 16 MiB) is given up.
    pub read_timeout_seconds: u64,
    /// Amazon S3 and everything that speaks its protocol.
    pub s3: S3Settings,
    /// Google Cloud Storage.
    pub gs: GsSettings,
    /// Azure Blob Storage.
    pub az: AzSettings,
}

/// How `s3://` is reached.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct S3Settings {
    /// URL of the service; empty for Amazon's own.
    pub endpoint: String,
    /// Region that requests are signed for.
    pub region: String,
    /// Access key; empty to use `AWS_ACCESS_KEY_ID`, web identity or the instance role.
    pub access_key_id: String,
    /// Secret of the access key.
    pub secret_access_key: Secret,
    /// Session token of temporary credentials.
    pub session_token: Secret,
    /// Allow an endpoint without TLS.
    pub allow_http: bool,
    /// Address buckets as host names (`bucket.host`) instead of as paths (`host/bucket`).
    pub virtual_hosted: bool,
    /// Send unsigned requests (public buckets).
    pub anonymous: bool,
}

/// How `gs://` is reached.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GsSettings {
    /// Path of a service-account key file; empty to use the environment or the instance's account.
    pub service_account_path: String,
    /// Send unsigned requests (public buckets).
    pub anonymous: bool,
}

/// How `az://` is reached.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AzSettings {
    /// Storage account; empty to use `AZURE_STORAGE_ACCOUNT_NAME`.
    pub account: String,
    /// Key of the account; empty to use the environment or the managed identity.
    pub access_key: Secret,
    /// URL of the service; empty for Azure's own.
    pub endpoint: String,
    /// Allow an endpoint without TLS.
    pub allow_http: bool,
    /// Send unsigned requests (public containers).
    pub anonymous: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Fragment {
        storage: StorageSettings,
    }

    #[test]
    fn the_fragment_holds_every_key_and_no_secret_is_shown() {
        let text = include_str!("../../config/default.toml");
        let mut settings = toml::from_str::<Fragment>(text).unwrap().storage;
        assert!(settings.allowed.is_empty());
        settings.s3.secret_access_key = Secret::new("hunter2");
        settings.az.access_key = Secret::new("hunter2");
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert!(!serde_json::to_string(&settings).unwrap().contains("hunter2"));
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let text = include_str!("../../config/default.toml").replace("allowed =", "alowed =");
        assert!(toml::from_str::<Fragment>(&text).is_err());
    }
}
