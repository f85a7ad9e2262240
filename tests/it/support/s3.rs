//! A real S3 protocol server over a temporary folder: buckets are folders, objects are files.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Error, S3ErrorCode, S3Result};
use steward::config::secret::Secret;
use steward::config::storage::StorageSettings;

/// The only access key the server knows.
pub(crate) const ACCESS_KEY: &str = "steward";
/// Its secret.
pub(crate) const SECRET_KEY: &str = "steward-secret";

/// A running server; stops with the value.
pub(crate) struct S3Server {
    /// Its URL, such as `http://127.0.0.1:40123`.
    pub(crate) endpoint: String,
    /// The folder whose folders are the buckets.
    pub(crate) root: PathBuf,
    watch: Arc<Watch>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    _folder: tempfile::TempDir,
}

#[derive(Default)]
struct Watch {
    requests: Mutex<Vec<String>>,
    failures: AtomicUsize,
}

impl S3Server {
    /// Starts a server on a free port, on a thread of its own so that a busy test cannot starve it.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        let watch = Arc::new(Watch::default());
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(&root).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        builder.set_access(Gate(Arc::clone(&watch)));
        let service = builder.build();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let socket = tokio::select! {
                        accepted = listener.accept() => accepted.unwrap().0,
                        _ = &mut stopped => return,
                    };
                    let service = service.clone();
                    tokio::spawn(async move {
                        let _ =
                            Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                    });
                }
            });
        });
        Self { endpoint, root, watch, stop: Some(stop), _folder: folder }
    }

    /// Creates a bucket.
    pub(crate) fn bucket(&self, name: &str) -> PathBuf {
        let path = self.root.join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// Settings that reach this server with the right credentials.
    pub(crate) fn settings(&self) -> StorageSettings {
        #[derive(serde::Deserialize)]
        struct Fragment {
            storage: StorageSettings,
        }
        let text = include_str!("../../../config/default.toml");
        let mut settings = toml::from_str::<Fragment>(text).unwrap().storage;
        settings.s3.endpoint = self.endpoint.clone();
        settings.s3.region = "us-east-1".into();
        settings.s3.allow_http = true;
        settings.s3.access_key_id = ACCESS_KEY.into();
        settings.s3.secret_access_key = Secret::new(SECRET_KEY);
        settings
    }

    /// The operations served so far, such as `GetObject`, with their ranges.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.watch.requests.lock().unwrap().clone()
    }

    /// Answers the next requests with 503.
    pub(crate) fn fail_next(&self, requests: usize) {
        self.watch.failures.store(requests, Ordering::SeqCst);
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

struct Gate(Arc<Watch>);

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let range = context.headers().get("range").and_then(|range| range.to_str().ok()).unwrap_or_default();
        self.0.requests.lock().unwrap().push(format!("{} {range}", context.s3_op().name()).trim().to_owned());
        let fail = self.0.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if fail {
            return Err(S3Error::new(S3ErrorCode::ServiceUnavailable));
        }
        match context.credentials() {
            Some(_) => Ok(()),
            None => Err(S3Error::new(S3ErrorCode::AccessDenied)),
        }
    }
}
