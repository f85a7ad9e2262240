//! One request to a webhook's endpoint, and what its answer means.
//!
//! Only 2xx counts as accepted. 410 ends the delivery; a refused address too. Everything else is tried again, as Standard
//! Webhooks says, also 4xx: receivers answer so while they are being set up. The client follows no redirect, uses no proxy
//! (the address check would see the proxy instead of the target) and reads at most 16 KiB of the answer.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response};
use url::{Host, Url};

use super::guard::{Guard, Refused};
use crate::config::network::Network;
use crate::config::notify::NotifySettings;
use crate::notify::channels::{Outcome, Verdict};
use crate::notify::text::one_line;

/// How much of an answer is read.
const READ: usize = 16 * 1024;

/// How much of it is kept.
const KEPT: usize = 300;

/// Longest `Retry-After` that is honoured.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The way to the web, for all webhook channels.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    guard: Guard,
    timeout: Duration,
    source: String,
}

impl Http {
    /// Checks the settings; notes what is wrong, each with its key.
    pub(crate) fn new(notify: &NotifySettings, problems: &mut Vec<String>) -> Option<Self> {
        let before = problems.len();
        let mut allowed = Vec::new();
        for text in &notify.allow_private_targets {
            match text.parse::<Network>() {
                Ok(network) => allowed.push(network),
                Err(reason) => problems.push(format!("notify.allow_private_targets: {reason}")),
            }
        }
        let guard = Guard::new(allowed);
        let timeout = Duration::from_secs(notify.webhook_timeout_seconds);
        let client = Client::builder()
            .dns_resolver(Arc::new(guard.clone()))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(timeout)
            .build()
            .map_err(|error| problems.push(format!("notify: no web client can be made: {}", chain(&error))))
            .ok()?;
        let source = notify.source.clone();
        (problems.len() == before).then_some(Self { client, guard, timeout, source })
    }

    /// The `source` of events.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Whether a header can be sent.
    pub(super) fn is_header(name: &str, value: &str) -> bool {
        HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok()
    }

    /// Posts once. `channel` is named in advice.
    pub(super) async fn post(&self, url: &Url, headers: &[(String, String)], body: &str, channel: &str) -> Outcome {
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut steps = vec![format!("resolve and check {host}")];
        // The client resolves names through the guard, but takes literal addresses as they are.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        };
        if let Some(Err(refused)) = literal.map(|address| self.guard.check(&host, address)) {
            return Outcome { verdict: Verdict::Dead, status: None, detail: refused.to_string(), steps };
        }
        steps.push(format!("POST {} bytes to {host}", body.len()));
        let mut request = self.client.post(url.clone()).body(body.to_owned());
        request = request.headers(header_map(headers));
        match request.send().await {
            Ok(response) => {
                let (verdict, status, detail) = judge(response, channel).await;
                steps.push(format!("answer {status}"));
                Outcome { verdict, status: Some(status), detail, steps }
            }
            Err(error) => {
                let (verdict, detail) = self.judge_failure(&host, &error);
                Outcome { verdict, status: None, detail, steps }
            }
        }
    }

    fn judge_failure(&self, host: &str, error: &reqwest::Error) -> (Verdict, String) {
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(refused) = cause.downcast_ref::<Refused>() {
                return (Verdict::Dead, refused.to_string());
            }
            source = cause.source();
        }
        let detail = if error.is_timeout() {
            format!("{host} gave no answer within {} s", self.timeout.as_secs())
        } else if error.is_connect() {
            format!("{host} cannot be reached: {}", chain(error))
        } else {
            format!("the request to {host} failed: {}", chain(error))
        };
        (Verdict::Retry { after: None, kept: false }, detail)
    }
}

fn header_map(headers: &[(String, String)]) -> HeaderMap {
    // Names and values were checked when the channel was built.
    let checked = |(name, value): &(String, String)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
    };
    headers.iter().filter_map(checked).collect()
}

/// The innermost causes of an error; its outer text would repeat the URL, which may hold secrets.
fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    causes.dedup();
    one_line(&if causes.is_empty() { "unknown cause".to_owned() } else { causes.join(": ") })
}

async fn judge(response: Response, channel: &str) -> (Verdict, i32, String) {
    let code = response.status();
    let status = i32::from(code.as_u16());
    let after = retry_after(response.headers());
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(one_line);
    let said = read(response).await;
    let answer = if said.is_empty() { format!("answer {status}") } else { format!("answer {status}: {said}") };
    let later = Verdict::Retry { after, kept: false };
    match status {
        200..=299 => (Verdict::Sent, status, answer),
        300..=399 => {
            let to = location.map(|to| format!(" to {to}")).unwrap_or_default();
            let hint = format!("put the final address into notify.channels.{channel}.url");
            (later, status, format!("answer {status}, a redirect{to}, which is not followed; {hint}"))
        }
        410 => (Verdict::Dead, status, format!("{answer}; the endpoint says that it is gone for good")),
        _ => (later, status, answer),
    }
}

/// What `Retry-After` asks for: seconds, or a date against the answer's own `Date`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let date = |text: &str| DateTime::parse_from_rfc2822(text).ok().map(|date| date.with_timezone(&Utc));
    let wanted = text(RETRY_AFTER.as_str())?.trim();
    let wait = match wanted.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (date(wanted)? - date(text("date")?)?).to_std().unwrap_or_default(),
    };
    Some(wait.min(LONGEST))
}

/// The beginning of the answer as one line. An answer that breaks off after its status is still that answer.
async fn read(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < READ {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk[..chunk.len().min(READ - bytes.len())]),
            _ => break,
        }
    }
    one_line(&String::from_utf8_lossy(&bytes)).chars().take(KEPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        header_map(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let at = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let table = [
            (vec![("retry-after", "120")], Some(120)),
            (vec![("retry-after", "999999999")], Some(24 * 3600)),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"), at], Some(60)),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:40:37 GMT"), at], Some(0)),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")], None),
            (vec![("retry-after", "soon")], None),
            (vec![], None),
        ];
        for (pairs, seconds) in table {
            assert_eq!(retry_after(&headers(&pairs)), seconds.map(Duration::from_secs), "{pairs:?}");
        }
    }
}
