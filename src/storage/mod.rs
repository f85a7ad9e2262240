//! Objects behind URIs: files, S3, Google Cloud Storage, Azure, HTTP(S) and memory.
//!
//! The only home of `object_store`. It lists (with wildcards), reads byte ranges and writes; it knows no file format.
//!
//! What holds:
//! * An object is read as it was listed or not at all: its etag (else its size) is checked with every read.
//! * With `storage.allowed` nothing outside of its roots is touched.
//! * Errors name the URI and what to do, never credentials or signatures; [`Error::is_transient`] says whether waiting
//!   helps. Passing failures are repeated a few times here; longer patience is the queue's business.
//! * Files are read with positioned reads on blocking threads, everything else by ranged requests.

mod client;
mod error;
mod local;
mod location;
mod pattern;
mod policy;
mod reach;
mod remote;

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::ObjectStore;

pub use error::Error;
use location::{Location, Scheme};
use policy::Policy;

use crate::config::storage::StorageSettings;

/// One object as it was when it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its URI, without credentials and without a signed URL's query. Relative paths stay relative.
    pub uri: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its etag; for files made of modification time and size.
    pub etag: Option<String>,
    /// Its version, where the store keeps versions.
    pub version: Option<String>,
    /// When it was last written.
    pub last_modified: DateTime<Utc>,
    location: Location,
}

/// Access to all stores; cheap to clone.
#[derive(Clone)]
pub struct Storage {
    inner: Arc<Inner>,
}

/// What a client is kept by: scheme, bucket, and the query that signs an HTTP URL.
type StoreKey = (Scheme, String, Option<String>);

struct Inner {
    settings: StorageSettings,
    policy: Arc<Policy>,
    /// One client (connection pool, cached credentials) per bucket.
    stores: Mutex<HashMap<StoreKey, Arc<dyn ObjectStore>>>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").finish_non_exhaustive()
    }
}

impl Storage {
    /// Access by these settings. Makes no request.
    #[must_use]
    pub fn new(settings: &StorageSettings) -> Self {
        let policy = Arc::new(Policy::new(&settings.allowed));
        Self { inner: Arc::new(Inner { settings: settings.clone(), policy, stores: Mutex::default() }) }
    }

    /// Whether the settings let a URI be read; nothing is touched but links of the file system, which are followed.
    ///
    /// # Errors
    /// [`Error::BadUri`], [`Error::Denied`].
    pub fn check(&self, uri: &str) -> Result<(), Error> {
        let location = Location::parse(uri)?;
        self.inner.policy.check(&location)?;
        match location.file_path() {
            // Wildcards do not climb: the folder before the first one decides, as when it is listed.
            Some(path) => {
                let prefix = pattern::Pattern::of(&location.uri(), &location.path)?.map(|pattern| pattern.prefix);
                let path = prefix.map_or(path, |prefix| PathBuf::from(if prefix.is_empty() { "." } else { &prefix }));
                self.inner.policy.check_file(&location.uri(), &path)
            }
            None => location.object_path().map(drop),
        }
    }

    /// Whether a document that somebody submitted (over HTTP, say) may name this URI: as [`Storage::check`], and nothing at all
    /// while `storage.allowed` is empty, which trusts only job files on disk.
    ///
    /// # Errors
    /// [`Error::BadUri`], [`Error::Denied`].
    pub fn check_submitted(&self, uri: &str) -> Result<(), Error> {
        let location = Location::parse(uri)?;
        self.inner.policy.submitted(&location.uri())?;
        self.check(uri)
    }

    /// Lists the objects of a URI, which may hold wildcards (`*`, `?`, `[..]`, `{a,b}`, `**`), sorted by name.
    ///
    /// # Errors
    /// When nothing is there ([`Error::NotFound`]), when it is forbidden, unreachable, or matches too much.
    pub async fn list(&self, uri: &str) -> Result<Vec<ObjectInfo>, Error> {
        let location = Location::parse(uri)?;
        self.inner.policy.check(&location)?;
        let limit = self.inner.settings.max_objects;
        if location.scheme == Scheme::File {
            let inner = Arc::clone(&self.inner);
            return blocking(&location.uri(), move || local::list(&location, &inner.policy, limit)).await;
        }
        remote::list(self.store(&location)?.as_ref(), &location, limit).await
    }

    /// The path of an object that lies on the local file system.
    #[must_use]
    pub fn local_path(&self, object: &ObjectInfo) -> Option<PathBuf> {
        object.location.file_path()
    }

    /// Opens a local object if it is still the listed one; none for an object elsewhere. Blocks briefly.
    ///
    /// # Errors
    /// [`Error::Changed`] when size or time differ, or what the file system says.
    pub fn open_local(&self, object: &ObjectInfo) -> Result<Option<std::fs::File>, Error> {
        if object.location.scheme != Scheme::File {
            return Ok(None);
        }
        local::open(object, &self.inner.policy).map(Some)
    }

    /// Reads byte ranges of an object, in the order given. Close ranges are fetched together.
    ///
    /// # Errors
    /// [`Error::Changed`] when the object is no longer the listed one; the store's errors otherwise.
    pub async fn read_ranges(&self, object: &ObjectInfo, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, Error> {
        if object.location.scheme == Scheme::File {
            let (inner, object, ranges) = (Arc::clone(&self.inner), object.clone(), ranges.to_vec());
            let uri = object.uri.clone();
            return blocking(&uri, move || {
                let file = local::open(&object, &inner.policy)?;
                local::read_ranges(&object, &file, &ranges)
            })
            .await;
        }
        remote::read_ranges(self.store(&object.location)?, object, ranges).await
    }

    /// Reads a whole object.
    ///
    /// # Errors
    /// As [`Storage::read_ranges`].
    pub async fn read_all(&self, object: &ObjectInfo) -> Result<Bytes, Error> {
        if object.size_bytes == 0 {
            return Ok(Bytes::new());
        }
        let mut parts = self.read_ranges(object, std::slice::from_ref(&(0..object.size_bytes))).await?;
        Ok(parts.pop().unwrap_or_default())
    }

    /// Writes an object, replacing what is there.
    ///
    /// # Errors
    /// When the URI has wildcards, is forbidden or cannot be written.
    pub async fn put(&self, uri: &str, bytes: Bytes) -> Result<(), Error> {
        let location = Location::parse(uri)?;
        self.inner.policy.check(&location)?;
        if location.scheme == Scheme::File {
            let inner = Arc::clone(&self.inner);
            return blocking(&location.uri(), move || local::put(&location, &inner.policy, &bytes)).await;
        }
        remote::put(self.store(&location)?.as_ref(), &location, bytes).await
    }

    fn store(&self, location: &Location) -> Result<Arc<dyn ObjectStore>, Error> {
        let key = (location.scheme, location.bucket.clone(), location.query.clone());
        let mut stores = self.inner.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(&key) {
            return Ok(Arc::clone(store));
        }
        let store = client::build(location, &self.inner.settings, &self.inner.policy)?;
        stores.insert(key, Arc::clone(&store));
        Ok(store)
    }
}

/// Runs file work on a blocking thread.
async fn blocking<T: Send + 'static>(
    uri: &str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Error::Unreachable { uri: uri.to_owned(), reason: "reading was interrupted".into() }),
    }
}

#[cfg(test)]
mod tests;
