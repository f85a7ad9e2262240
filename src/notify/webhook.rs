//! Webhook channels: a signed CloudEvents document to an endpoint.
//!
//! Headers and retries follow Standard Webhooks, the body CloudEvents 1.0 (structured JSON). The body is frozen when it is
//! composed; the signature is made for every attempt, because it covers the attempt's time and today's secrets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use standardwebhooks::Webhook as Signer;
use url::Url;

use super::channels::{Channel, Composed, Kind, Outcome, Outgoing, Reader, Shared, Verdict, write_file};
use super::event::{Event, IncidentView, Transition};
use super::text;

mod guard;
mod http;

pub(super) use http::Http;

/// The entry of this kind.
pub(super) static KIND: Kind = Kind {
    name: "webhook",
    title: "Webhook",
    summary: "A signed CloudEvents document to a URL (Standard Webhooks), or into a folder",
    keys: &["url", "secret", "secrets", "secret_file", "transport", "directory", "headers"],
    build,
};

const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";

struct Webhook {
    name: String,
    url: Url,
    /// All of them sign, so that a receiver may know the new or the old one.
    secrets: Vec<String>,
    /// Further headers of every request; they may carry credentials.
    headers: BTreeMap<String, String>,
    source: String,
    way: Way,
}

enum Way {
    Folder(PathBuf),
    Web(Arc<Http>),
}

impl std::fmt::Debug for Webhook {
    /// Without URL, secrets and headers: they hold credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("name", &self.name)
            .field("recipients", &self.recipients())
            .finish_non_exhaustive()
    }
}

fn build(reader: &mut Reader<'_>, shared: &Shared) -> Option<Arc<dyn Channel>> {
    let url = read_url(reader);
    let secrets = read_secrets(reader);
    let headers = read_headers(reader);
    let transport = if reader.has("transport") { reader.string("transport")? } else { "http".to_owned() };
    let way = match transport.as_str() {
        "http" => {
            if secrets.is_empty() && !["secret", "secrets", "secret_file"].iter().any(|key| reader.has(key)) {
                reader.problem("secret", "is missing; make one with: echo \"whsec_$(openssl rand -base64 32)\"");
            }
            Way::Web(Arc::clone(&shared.http))
        }
        "file" if reader.has("directory") => Way::Folder(PathBuf::from(reader.string("directory")?)),
        "file" => Way::Folder(shared.webhook_directory.clone()),
        other => {
            reader.problem("transport", &format!("{other:?} is neither \"http\" nor \"file\""));
            return None;
        }
    };
    let source = shared.http.source().to_owned();
    Some(Arc::new(Webhook { name: reader.name.to_owned(), url: url?, secrets, headers, source, way }))
}

fn read_url(reader: &mut Reader<'_>) -> Option<Url> {
    let written = reader.string("url")?;
    match Url::parse(&written) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
        Ok(url) => {
            reader
                .problem("url", &format!("begins with {}:, but must be an https:// or http:// address", url.scheme()));
            None
        }
        Err(error) => {
            reader.problem("url", &format!("is no address: {error}; write https://host/path"));
            None
        }
    }
}

fn read_secrets(reader: &mut Reader<'_>) -> Vec<String> {
    let mut secrets = reader.strings("secret");
    secrets.extend(reader.strings("secrets"));
    if reader.has("secret_file")
        && let Some(path) = reader.string("secret_file")
    {
        match std::fs::read_to_string(&path) {
            Ok(text) => secrets.extend(text.lines().map(str::to_owned)),
            Err(error) => reader.problem("secret_file", &format!("{path:?} cannot be read: {error}")),
        }
    }
    let secrets: Vec<String> =
        secrets.iter().map(|secret| secret.trim().to_owned()).filter(|s| !s.is_empty()).collect();
    for secret in &secrets {
        // The secret itself stays out of the message.
        if !secret.starts_with("whsec_") || Signer::new(secret).is_err() || secret.len() < "whsec_".len() + 32 {
            let hint = "make one with: echo \"whsec_$(openssl rand -base64 32)\"";
            reader.problem("secret", &format!("is not \"whsec_\" and at least 24 bytes in base64; {hint}"));
        }
    }
    secrets
}

fn read_headers(reader: &mut Reader<'_>) -> BTreeMap<String, String> {
    let headers = reader.texts("headers");
    for (name, value) in &headers {
        let reserved = name.to_ascii_lowercase().starts_with("webhook-") || name.eq_ignore_ascii_case("content-type");
        if reserved || !Http::is_header(name, value) {
            reader.problem("headers", &format!("{name:?} cannot be set"));
        }
    }
    headers
}

#[async_trait]
impl Channel for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        KIND.name
    }

    /// The endpoint without user, password and query, which may be secret.
    fn recipients(&self) -> Vec<String> {
        let mut shown = self.url.clone();
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        shown.set_query(None);
        shown.set_fragment(None);
        vec![shown.to_string()]
    }

    fn compose(&self, event: &Event, _recipient: &str, _thread: &[Value]) -> Composed {
        let body = document(event, &self.source).to_string();
        let message = json!({ "date": event.composed_at, "body": body });
        Composed { subject: text::subject(event), message }
    }

    async fn send(&self, outgoing: &Outgoing<'_>) -> Outcome {
        let Some(body) = outgoing.message.get("body").and_then(Value::as_str) else {
            let detail = "the stored message is not a webhook".to_owned();
            return Outcome { verdict: Verdict::Dead, status: None, detail, steps: Vec::new() };
        };
        let headers = self.headers(outgoing, body);
        match &self.way {
            Way::Web(http) => http.post(&self.url, &headers, body, &self.name).await,
            Way::Folder(folder) => self.write(folder, outgoing, &headers, body).await,
        }
    }
}

impl Webhook {
    /// All headers of the request, in the order in which they are sent.
    fn headers(&self, outgoing: &Outgoing<'_>, body: &str) -> Vec<(String, String)> {
        let id = outgoing.id.to_string();
        let timestamp = outgoing.at.timestamp();
        let signatures: Vec<String> = (self.secrets.iter())
            .filter_map(|secret| Signer::new(secret).ok()?.sign(&id, timestamp, body.as_bytes()).ok())
            .collect();
        let mut headers = vec![
            ("content-type".to_owned(), CONTENT_TYPE.to_owned()),
            ("user-agent".to_owned(), concat!("steward/", env!("CARGO_PKG_VERSION")).to_owned()),
            ("webhook-id".to_owned(), id),
            ("webhook-timestamp".to_owned(), timestamp.to_string()),
        ];
        if !signatures.is_empty() {
            headers.push(("webhook-signature".to_owned(), signatures.join(" ")));
        }
        headers.extend(self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
        headers
    }

    /// Writes the request as it would be sent, under a name that follows from the message.
    async fn write(
        &self,
        folder: &std::path::Path,
        outgoing: &Outgoing<'_>,
        headers: &[(String, String)],
        body: &str,
    ) -> Outcome {
        let date = outgoing.message.get("date").and_then(|date| serde_json::from_value(date.clone()).ok());
        let date: chrono::DateTime<chrono::Utc> = date.unwrap_or(outgoing.at);
        let path = folder.join(format!("{}-{}.http", date.format("%Y%m%dT%H%M%SZ"), outgoing.id));
        let query = self.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut request =
            format!("POST {}{query} HTTP/1.1\r\nhost: {}\r\n", self.url.path(), self.url.authority_without_user());
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let steps = vec![format!("write {}", path.display())];
        match write_file(&path, request.as_bytes()).await {
            Ok(()) => {
                let detail = format!("written to {}", path.display());
                Outcome { verdict: Verdict::Sent, status: None, detail, steps }
            }
            Err(error) => {
                let detail = format!("{} cannot be written: {error}", path.display());
                Outcome { verdict: Verdict::Retry { after: None, kept: true }, status: None, detail, steps }
            }
        }
    }
}

/// The host and port of a URL as the `host` header names them.
trait Authority {
    fn authority_without_user(&self) -> String;
}

impl Authority for Url {
    fn authority_without_user(&self) -> String {
        let host = self.host_str().unwrap_or_default();
        self.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// The CloudEvents document of an event.
fn document(event: &Event, source: &str) -> Value {
    let kind = match event.transition {
        _ if text::concludes(event) => "io.steward.ab_test.concluded",
        Transition::Opened => "io.steward.incident.opened",
        Transition::Resolved | Transition::OpenedAndResolved => "io.steward.incident.resolved",
        Transition::Test => "io.steward.incident.test",
    };
    let window = event.window_start.zip(event.window_end).map(|(start, end)| json!({ "start": start, "end": end }));
    let model = event.model_name.as_ref().map(|name| json!({ "name": name, "version": event.model_version }));
    let mut document = json!({
        "specversion": "1.0",
        "id": event.id,
        "source": source,
        "type": kind,
        "subject": event.job_name,
        "time": event.at,
        "datacontenttype": "application/json",
        "data": {
            "transition": event.transition,
            "summary": text::subject(event),
            "run_id": event.run_id,
            "job": { "name": event.job_name, "kind": event.job_kind },
            "model": model,
            "window": window,
            "incidents": event.incidents.iter().map(incident).collect::<Vec<_>>(),
        },
    });
    // The extension "distributed tracing" of CloudEvents.
    if let (Some(trace), Some(fields)) = (&event.traceparent, document.as_object_mut()) {
        fields.insert("traceparent".to_owned(), trace.as_str().into());
    }
    document
}

fn incident(incident: &IncidentView) -> Value {
    json!({
        "id": incident.id,
        "kind": incident.kind,
        "subject": incident.subject,
        "state": incident.state,
        "severity": incident.severity,
        "title": incident.title,
        "score": incident.score,
        "threshold": incident.threshold,
        "peak_score": incident.peak_score,
        "breaches": incident.breaches,
        "opened_at": incident.opened_at,
        "resolved_at": incident.resolved_at,
        "resolution": incident.resolution,
        "announced_before": incident.resolved_at.map(|_| incident.announced),
        "evidence": incident.evidence,
    })
}
