//! The `[notify]` section: channels, and how deliveries are sent.
//!
//! A channel's table is kept as it was written: which keys it may have is known to its kind (`notify::channels::ALL`), so a
//! new kind needs no change here. What may be secret in such a table is hidden when settings are shown.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// How people and systems are told.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NotifySettings {
    /// The `source` of every event that webhooks carry: says which Steward is speaking.
    pub source: String,
    /// Messages sent at the same time in each channel; channels never wait for one another.
    pub concurrency: usize,
    /// Seconds after which a message that was taken for sending and has no result is sent again.
    pub lease_seconds: u64,
    /// Milliseconds between looks for due messages when no wake-up arrives; at most 1000.
    pub poll_milliseconds: u64,
    /// Seconds that a webhook's receiver may take to answer.
    pub webhook_timeout_seconds: u64,
    /// Where webhook channels with `transport = "file"` write; empty means `webhooks` under the data directory.
    pub directory: String,
    /// Private addresses that webhooks may reach, as addresses or networks (`127.0.0.1`, `10.0.0.0/8`).
    pub allow_private_targets: Vec<String>,
    /// The channels that jobs name in `notify`, by name.
    pub channels: BTreeMap<String, ChannelTable>,
}

/// One channel as it was written: `kind` and the keys of that kind.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct ChannelTable(BTreeMap<String, Value>);

impl ChannelTable {
    /// The value of `key`, if it was written.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Sets `key`, as if it had been written so.
    pub fn set(&mut self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), value);
    }

    /// The keys that were written, in alphabetical order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The table as it may be shown: secrets, and what a URL carries beside its host and path, are hidden.
    fn shown(&self) -> BTreeMap<&str, Value> {
        let hidden = || Value::from("(redacted)");
        self.0
            .iter()
            .map(|(key, value)| {
                let shown = match (key.as_str(), value) {
                    ("secret" | "secrets" | "password" | "token" | "headers", value) if value != "" => hidden(),
                    ("url", Value::String(url)) if url.contains(['@', '?']) => hidden(),
                    _ => value.clone(),
                };
                (key.as_str(), shown)
            })
            .collect()
    }
}

impl FromIterator<(String, Value)> for ChannelTable {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl fmt::Debug for ChannelTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.shown()).finish()
    }
}

impl Serialize for ChannelTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Fragments {
        notify: NotifySettings,
    }

    #[test]
    fn the_shipped_section_parses_and_has_the_two_channels() {
        let parsed: Fragments = toml::from_str(include_str!("../../config/default.toml")).unwrap();
        assert_eq!(parsed.notify.channels.keys().collect::<Vec<_>>(), ["ml-oncall", "ml-webhook"]);
        assert!(parsed.notify.poll_milliseconds <= 1000);
        assert!(parsed.notify.allow_private_targets.is_empty());
    }

    #[test]
    fn secrets_are_not_shown() {
        let table: ChannelTable = [
            ("kind".to_owned(), Value::from("webhook")),
            ("url".to_owned(), Value::from("https://user:pass@example.com/?token=tok")),
            ("secret".to_owned(), Value::from("whsec_aGVsbG8=")),
            ("secrets".to_owned(), serde_json::json!(["whsec_b25l"])),
        ]
        .into_iter()
        .collect();
        for shown in [format!("{table:?}"), serde_json::to_string(&table).unwrap()] {
            for hidden in ["pass", "tok\"", "aGVsbG8", "b25l"] {
                assert!(!shown.contains(hidden), "{hidden} in {shown}");
            }
            assert!(shown.contains("webhook"));
        }
    }
}
