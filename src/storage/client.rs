//! Building the clients of object stores from the configuration.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::memory::InMemory;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::Error;
use super::location::{Location, Scheme};
use super::policy::Policy;
use super::reach::Guarded;
use crate::config::storage::StorageSettings;

/// The client of a location's bucket. Makes no request.
pub(super) fn build(
    location: &Location,
    settings: &StorageSettings,
    policy: &Arc<Policy>,
) -> Result<Arc<dyn ObjectStore>, Error> {
    let built: Result<Arc<dyn ObjectStore>, object_store::Error> = match location.scheme {
        Scheme::Memory | Scheme::File => return Ok(memory()),
        Scheme::S3 => s3(&location.bucket, settings).build().map(|store| Arc::new(store) as _),
        Scheme::Gs => gs(&location.bucket, settings).build().map(|store| Arc::new(store) as _),
        Scheme::Az => az(&location.bucket, settings).build().map(|store| Arc::new(store) as _),
        Scheme::Http => http(location, settings, policy).build().map(|store| Arc::new(store) as _),
    };
    built.map_err(|error| {
        let section = location.scheme.section();
        Error::BadUri { uri: location.uri(), reason: format!("its store is not configured ({error}): see `{section}`") }
    })
}

/// One store for the whole process, so that what one part puts another finds.
fn memory() -> Arc<dyn ObjectStore> {
    static MEMORY: OnceLock<Arc<InMemory>> = OnceLock::new();
    Arc::clone(MEMORY.get_or_init(|| Arc::new(InMemory::new()))) as _
}

fn retry(settings: &StorageSettings) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: settings.retries,
        retry_timeout: Duration::from_secs(settings.retry_timeout_seconds),
    }
}

fn options(settings: &StorageSettings, allow_http: bool) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(allow_http)
        .with_connect_timeout(Duration::from_secs(settings.connect_timeout_seconds))
        .with_timeout(Duration::from_secs(settings.read_timeout_seconds))
}

fn s3(bucket: &str, settings: &StorageSettings) -> AmazonS3Builder {
    let s3 = &settings.s3;
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_virtual_hosted_style_request(s3.virtual_hosted)
        .with_retry(retry(settings))
        .with_client_options(options(settings, s3.allow_http));
    if !s3.endpoint.is_empty() {
        // In virtual-hosted style the client wants the bucket in the endpoint's host.
        let endpoint = match s3.endpoint.split_once("://") {
            Some((scheme, host)) if s3.virtual_hosted => format!("{scheme}://{bucket}.{host}"),
            _ => s3.endpoint.clone(),
        };
        builder = builder.with_endpoint(endpoint);
    }
    if !s3.region.is_empty() {
        builder = builder.with_region(&s3.region);
    }
    if !s3.access_key_id.is_empty() {
        builder = builder.with_access_key_id(&s3.access_key_id).with_secret_access_key(s3.secret_access_key.expose());
    }
    if !s3.session_token.is_empty() {
        builder = builder.with_token(s3.session_token.expose());
    }
    if s3.anonymous {
        builder = builder.with_skip_signature(true);
    }
    builder
}

fn gs(bucket: &str, settings: &StorageSettings) -> GoogleCloudStorageBuilder {
    let gs = &settings.gs;
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(bucket)
        .with_retry(retry(settings))
        .with_client_options(options(settings, false));
    if !gs.service_account_path.is_empty() {
        builder = builder.with_service_account_path(&gs.service_account_path);
    }
    if gs.anonymous {
        builder = builder.with_skip_signature(true);
    }
    builder
}

fn az(container: &str, settings: &StorageSettings) -> MicrosoftAzureBuilder {
    let az = &settings.az;
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_container_name(container)
        .with_retry(retry(settings))
        .with_client_options(options(settings, az.allow_http));
    if !az.account.is_empty() {
        builder = builder.with_account(&az.account);
    }
    if !az.access_key.is_empty() {
        builder = builder.with_access_key(az.access_key.expose());
    }
    if !az.endpoint.is_empty() {
        builder = builder.with_endpoint(az.endpoint.clone());
    }
    if az.anonymous {
        builder = builder.with_skip_signature(true);
    }
    builder
}

fn http(location: &Location, settings: &StorageSettings, policy: &Arc<Policy>) -> HttpBuilder {
    // The client appends the path and keeps the query, which is how signed URLs work.
    let query = location.query.as_deref().map(|query| format!("/?{query}")).unwrap_or_default();
    HttpBuilder::new()
        .with_url(format!("{}{query}", location.bucket))
        .with_retry(retry(settings))
        .with_client_options(options(settings, true))
        .with_http_connector(Guarded::new(location, Arc::clone(policy), settings))
}
