//! Channels: what can carry a message. One trait, one list [`ALL`] of kinds.
//!
//! A new kind is one file with its `KIND` and one line in [`ALL`]: reading its table, checking it, its place in the
//! documentation and the dispatcher follow from the entry. Channels are built once from the settings; all mistakes in them
//! are reported together, each with its key.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::email::{self, Mailer};
use super::error::Error;
use super::event::Event;
use super::webhook::{self, Http};
use crate::config::notify::{ChannelTable, NotifySettings};
use crate::config::smtp::SmtpSettings;

/// Every kind of channel.
pub static ALL: &[&Kind] = &[&email::KIND, &webhook::KIND];

/// One kind of channel.
#[derive(Debug)]
pub struct Kind {
    /// As written in `kind = "..."`.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The keys that its table may have, beside `kind`.
    pub keys: &'static [&'static str],
    /// Makes a channel of its table; none when the reader noted a problem.
    pub(super) build: fn(&mut Reader<'_>, &Shared) -> Option<Arc<dyn Channel>>,
}

/// Something that carries messages to recipients.
#[async_trait]
pub trait Channel: Send + Sync + Debug {
    /// The name that jobs use.
    fn name(&self) -> &str;

    /// The name of its kind.
    fn kind(&self) -> &'static str;

    /// Who gets a message of their own; free of secrets, because it is stored and shown.
    fn recipients(&self) -> Vec<String>;

    /// The message about `event` to `recipient`, complete, so that it can be stored and sent at any time. `thread` holds the
    /// stored messages that announced the same incidents to the same recipient, oldest first.
    fn compose(&self, event: &Event, recipient: &str, thread: &[Value]) -> Composed;

    /// Sends a composed message once. Never panics, never waits without a limit.
    async fn send(&self, message: &Outgoing<'_>) -> Outcome;
}

/// A message ready to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Composed {
    /// One line without control characters.
    pub subject: String,
    /// What the channel needs to send it.
    pub message: Value,
}

/// A stored message on its way.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The delivery's id: the same at every attempt.
    pub id: Uuid,
    /// To whom.
    pub recipient: &'a str,
    /// See [`Composed::subject`].
    pub subject: &'a str,
    /// See [`Composed::message`].
    pub message: &'a Value,
    /// The time of this attempt.
    pub at: DateTime<Utc>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What follows from it.
    pub verdict: Verdict,
    /// HTTP status or SMTP reply code.
    pub status: Option<i32>,
    /// What the other side said, or what went wrong and what to do.
    pub detail: String,
    /// What was done, step by step.
    pub steps: Vec<String>,
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The other side accepted it.
    Sent,
    /// Not now.
    Retry {
        /// When the other side wants to be asked again.
        after: Option<Duration>,
        /// Whether it waits for a corrected configuration and must not be given up.
        kept: bool,
    },
    /// Never.
    Dead,
    /// It was handed over and the answer got lost.
    Uncertain,
}

/// What channels share: the way to the mail server and to the web.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) mailer: Arc<Mailer>,
    pub(super) http: Arc<Http>,
    pub(super) webhook_directory: PathBuf,
}

/// All configured channels, and how deliveries are sent. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Channels {
    by_name: Arc<BTreeMap<String, Arc<dyn Channel>>>,
    settings: Arc<NotifySettings>,
}

impl Channels {
    /// Builds and checks everything that the settings say. Folders default to `mail` and `webhooks` under `data_dir`;
    /// nothing is contacted and nothing is written.
    ///
    /// # Errors
    /// [`Error::Configuration`] with every mistake and its key.
    pub fn new(notify: &NotifySettings, smtp: &SmtpSettings, data_dir: &Path) -> Result<Self, Error> {
        let mut problems = Vec::new();
        check_limits(notify, smtp, &mut problems);
        let mailer = Mailer::new(smtp, data_dir, &mut problems);
        let http = Http::new(notify, &mut problems);
        let mut by_name = BTreeMap::new();
        if let (Some(mailer), Some(http)) = (mailer, http) {
            let webhook_directory = folder(&notify.directory, data_dir, "webhooks");
            let shared = Shared { mailer: Arc::new(mailer), http: Arc::new(http), webhook_directory };
            for (name, table) in &notify.channels {
                let mut reader = Reader { name, table, problems: &mut problems };
                if let Some(channel) = reader.build(&shared) {
                    by_name.insert(name.clone(), channel);
                }
            }
        }
        if problems.is_empty() {
            Ok(Self { by_name: Arc::new(by_name), settings: Arc::new(notify.clone()) })
        } else {
            Err(Error::Configuration(problems))
        }
    }

    /// The channel of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&dyn Channel> {
        self.by_name.get(name).map(AsRef::as_ref)
    }

    /// The channel of that name, to keep.
    #[must_use]
    pub(super) fn shared(&self, name: &str) -> Option<Arc<dyn Channel>> {
        self.by_name.get(name).cloned()
    }

    /// All channels, by name.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Channel> {
        self.by_name.values().map(AsRef::as_ref)
    }

    /// The error for a name that is not configured.
    #[must_use]
    pub fn unknown(&self, name: &str) -> Error {
        let known: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Error::UnknownChannel { name: name.to_owned(), known }
    }

    /// How deliveries are sent.
    #[must_use]
    pub fn settings(&self) -> &NotifySettings {
        &self.settings
    }
}

/// The configured folder, or `name` under the data directory.
pub(super) fn folder(configured: &str, data_dir: &Path, name: &str) -> PathBuf {
    if configured.is_empty() { data_dir.join(name) } else { PathBuf::from(configured) }
}

fn check_limits(notify: &NotifySettings, smtp: &SmtpSettings, problems: &mut Vec<String>) {
    if notify.concurrency == 0 || notify.concurrency > 64 {
        problems.push(format!("notify.concurrency: {} is not between 1 and 64", notify.concurrency));
    }
    if notify.poll_milliseconds == 0 || notify.poll_milliseconds > 1000 {
        problems.push(format!("notify.poll_milliseconds: {} is not between 1 and 1000", notify.poll_milliseconds));
    }
    if !(1..=60).contains(&notify.webhook_timeout_seconds) {
        let seconds = notify.webhook_timeout_seconds;
        problems.push(format!("notify.webhook_timeout_seconds: {seconds} is not between 1 and 60"));
    }
    let longest = notify.webhook_timeout_seconds.max(smtp.timeout_seconds);
    if notify.lease_seconds < longest + 10 {
        problems.push(format!(
            "notify.lease_seconds: {} is too short: a message may take {longest} s, so it needs at least {}",
            notify.lease_seconds,
            longest + 10
        ));
    }
    if notify.source.trim().is_empty() {
        problems.push("notify.source: is empty; name this Steward, for example \"/steward\"".to_owned());
    }
}

/// Reads a channel's table and notes what is wrong with it.
pub(super) struct Reader<'a> {
    pub(super) name: &'a str,
    table: &'a ChannelTable,
    problems: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn build(&mut self, shared: &Shared) -> Option<Arc<dyn Channel>> {
        let names: Vec<&str> = ALL.iter().map(|kind| kind.name).collect();
        let written = self.string("kind")?;
        let Some(kind) = ALL.iter().find(|kind| kind.name == written) else {
            self.problem("kind", &format!("{written:?} is not a kind of channel; there are {}", names.join(", ")));
            return None;
        };
        let before = self.problems.len();
        for key in self.table.keys().filter(|key| *key != "kind" && !kind.keys.contains(key)) {
            let near = kind.keys.iter().max_by_key(|known| (strsim::jaro_winkler(known, key) * 1000.0) as u32);
            let hint = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            self.problems
                .push(format!("notify.channels.{}.{key}: is not a key of {} channels{hint}", self.name, kind.name));
        }
        let channel = (kind.build)(self, shared);
        (self.problems.len() == before).then_some(channel).flatten()
    }

    /// Notes a problem with a key.
    pub(super) fn problem(&mut self, key: &str, reason: &str) {
        self.problems.push(format!("notify.channels.{}.{key}: {reason}", self.name));
    }

    /// Whether a key was written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// A text that must be there.
    pub(super) fn string(&mut self, key: &str) -> Option<String> {
        match self.table.get(key) {
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Some(_) => {
                self.problem(key, "must be a text");
                None
            }
            None => {
                self.problem(key, "is missing");
                None
            }
        }
    }

    /// A text or a list of texts; empty when the key is not there.
    pub(super) fn strings(&mut self, key: &str) -> Vec<String> {
        let texts = match self.table.get(key) {
            None => return Vec::new(),
            Some(Value::String(text)) => Some(vec![text.clone()]),
            Some(Value::Array(items)) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            Some(_) => None,
        };
        texts.unwrap_or_else(|| {
            self.problem(key, "must be a text or a list of texts");
            Vec::new()
        })
    }

    /// A table of texts; empty when the key is not there.
    pub(super) fn texts(&mut self, key: &str) -> BTreeMap<String, String> {
        let texts = match self.table.get(key) {
            None => return BTreeMap::new(),
            Some(Value::Object(map)) => {
                map.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
            }
            Some(_) => None,
        };
        texts.unwrap_or_else(|| {
            self.problem(key, "must be a table of texts");
            BTreeMap::new()
        })
    }
}

/// Writes a file completely or not at all, making its folder if need be.
pub(super) async fn write_file(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let unfinished = path.with_extension("part");
    tokio::fs::write(&unfinished, content).await?;
    tokio::fs::rename(&unfinished, path).await
}
