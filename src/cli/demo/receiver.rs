//! The demo's webhook receiver: a real HTTP server on loopback that keeps what it is sent.
//!
//! One file per call, numbered in order of arrival, body and Standard Webhooks headers. Only for the demo: it verifies
//! nothing and answers 204 to everything.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

/// A receiver that is listening.
#[derive(Debug)]
pub(super) struct Receiver {
    /// Where to post to.
    pub url: String,
    calls: Arc<AtomicUsize>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct Inbox {
    folder: PathBuf,
    calls: Arc<AtomicUsize>,
}

impl Receiver {
    /// Listens on a free port of loopback and writes what arrives to `folder`.
    ///
    /// # Errors
    /// When the folder cannot be made or no port can be had.
    pub(super) async fn start(folder: PathBuf) -> std::io::Result<Self> {
        tokio::fs::create_dir_all(&folder).await?;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/steward", listener.local_addr()?);
        let calls = Arc::new(AtomicUsize::new(0));
        let inbox = Inbox { folder, calls: calls.clone() };
        let router = Router::new().route("/steward", post(receive)).with_state(inbox);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the demo's receiver ended");
            }
        });
        Ok(Self { url, calls, server })
    }

    /// How many calls have arrived.
    #[must_use]
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let number = inbox.calls.fetch_add(1, Ordering::SeqCst) + 1;
    let parsed: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let kind = parsed["type"].as_str().and_then(|t| t.rsplit('.').next()).unwrap_or("call");
    let mut text = String::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature", "content-type"] {
        if let Some(value) = headers.get(name).and_then(|v| v.to_str().ok()) {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    text.push('\n');
    text.push_str(&serde_json::to_string_pretty(&parsed).unwrap_or_default());
    text.push('\n');
    let path = inbox.folder.join(format!("{number:03}-{kind}.http"));
    match tokio::fs::write(&path, text).await {
        Ok(()) => StatusCode::NO_CONTENT,
        // Not kept means not received: the sender will try again.
        Err(_) => StatusCode::INSUFFICIENT_STORAGE,
    }
}
