//! Incidents, the outbox and the channels, against a real database, a real mail server and a real web server.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeZone, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use steward::clock::SystemClock;
use steward::config::notify::{ChannelTable, NotifySettings};
use steward::config::secret::Secret;
use steward::config::smtp::{SmtpSettings, SmtpTls, SmtpTransport};
use steward::db::deliveries::{self, Attempt, Delivery, Filter};
use steward::notify::{Changes, Channels, Dispatcher, Evaluation, Finding, FindingStatus, Severity, apply};
use uuid::Uuid;

use crate::support::database::TestDatabase;
use crate::support::smtp::SmtpServer;

mod configuration;
mod dispatch;
mod email;
mod incidents;
mod webhook;

const JOB: &str = "flights-feature-drift";

/// The n-th monthly tick.
fn tick(month: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2013, month, 1, 6, 15, 0).unwrap()
}

/// A finding about a column; the title names score and threshold as the judges do.
fn finding(column: &str, status: FindingStatus, score: f64) -> Finding {
    let sign = if status == FindingStatus::Breach { ">" } else { "<=" };
    Finding {
        kind: "drift",
        subject: column.to_owned(),
        status,
        severity: Severity::Warning,
        title: format!("{column} KS {score} {sign} 0.2"),
        score: Some(score),
        threshold: Some(0.2),
        evidence: json!({ "method": "ks_test", "reference rows": 81_000, "current rows": 27_000, "p-value": 1e-9 }),
    }
}

fn breach(column: &str) -> Finding {
    finding(column, FindingStatus::Breach, 0.63)
}

fn clear(column: &str) -> Finding {
    finding(column, FindingStatus::Clear, 0.05)
}

/// An evaluation of the job at the n-th tick; its run's id follows from the tick.
fn evaluation(month: u32, channels: &[&str], findings: Vec<Finding>) -> Evaluation {
    Evaluation {
        run_id: Uuid::from_u128(0x1000 + u128::from(month)),
        job_id: None,
        job_name: JOB.to_owned(),
        job_kind: "drift".to_owned(),
        model: Some(("flight_delay".to_owned(), Some("2.0.0".to_owned()))),
        at: tick(month),
        window: Some((tick(month - 1), tick(month))),
        queue: "default".to_owned(),
        channels: channels.iter().map(|name| (*name).to_owned()).collect(),
        findings,
        complete: true,
        kinds: vec!["drift", "no_data", "run_failed"],
    }
}

/// The shipped settings, changed by tests.
struct Settings {
    notify: NotifySettings,
    smtp: SmtpSettings,
    folder: tempfile::TempDir,
}

impl Settings {
    fn new() -> Self {
        #[derive(serde::Deserialize)]
        struct Shipped {
            notify: NotifySettings,
            smtp: SmtpSettings,
        }
        let shipped: Shipped = toml::from_str(include_str!("../../config/default.toml")).unwrap();
        let mut this = Self { notify: shipped.notify, smtp: shipped.smtp, folder: tempfile::tempdir().unwrap() };
        this.smtp.from = "Steward <steward@example.org>".to_owned();
        this
    }

    /// Adds a channel from its table.
    fn channel(mut self, name: &str, table: Value) -> Self {
        let table: ChannelTable = table.as_object().unwrap().clone().into_iter().collect();
        self.notify.channels.insert(name.to_owned(), table);
        self
    }

    /// Adds a webhook to a receiver on this machine.
    fn webhook(mut self, name: &str, url: &str) -> Self {
        self.notify.allow_private_targets = vec!["127.0.0.1".to_owned()];
        self.channel(name, json!({ "kind": "webhook", "url": url, "secrets": [NEW_SECRET, OLD_SECRET] }))
    }

    /// Sends email to a server instead of into a folder.
    fn server(mut self, port: u16, tls: SmtpTls) -> Self {
        self.smtp.transport = SmtpTransport::Smtp;
        self.smtp.host = "localhost".to_owned();
        self.smtp.port = port;
        self.smtp.tls = tls;
        self.smtp.timeout_seconds = 5;
        self
    }

    /// Logs in at a server that this authority vouches for.
    fn login(mut self, server: &SmtpServer, user: &str, password: &str) -> Self {
        self.smtp.ca_file = server.ca_file.display().to_string();
        self.smtp.username = user.to_owned();
        self.smtp.password = Secret::new(password);
        self
    }

    fn build(&self) -> Channels {
        Channels::new(&self.notify, &self.smtp, self.folder.path()).unwrap()
    }
}

const NEW_SECRET: &str = "whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3";
const OLD_SECRET: &str = "whsec_b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xk";

/// Applies in a transaction of its own.
async fn commit(pool: &PgPool, channels: &Channels, evaluation: &Evaluation) -> Changes {
    let mut tx = pool.begin().await.unwrap();
    let changes = apply(&mut tx, channels, evaluation).await.unwrap();
    tx.commit().await.unwrap();
    changes
}

fn dispatcher(database: &TestDatabase, channels: &Channels) -> Dispatcher {
    Dispatcher::new(database.pool.clone(), channels.clone(), Arc::new(SystemClock), "default")
}

/// All deliveries, oldest first, then by channel.
async fn all(pool: &PgPool) -> Vec<Delivery> {
    let mut all = deliveries::list(pool, &Filter { limit: 1000, ..Filter::default() }).await.unwrap();
    all.sort_by(|a, b| (a.created_at, &a.channel, &a.recipient).cmp(&(b.created_at, &b.channel, &b.recipient)));
    all
}

/// The only delivery of a channel.
async fn only(pool: &PgPool, channel: &str) -> Delivery {
    let mut found: Vec<Delivery> = all(pool).await.into_iter().filter(|d| d.channel == channel).collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

async fn attempts(pool: &PgPool, delivery: &Delivery) -> Vec<Attempt> {
    deliveries::attempts(pool, delivery.id).await.unwrap()
}

/// Lets the time of the back-off pass.
async fn make_due(pool: &PgPool) {
    sqlx::query(
        "UPDATE deliveries SET next_attempt_at = now() - interval '1 second' WHERE state IN ('retry', 'uncertain')",
    )
    .execute(pool)
    .await
    .unwrap();
}

/// Seconds until a delivery is due again.
async fn due_in(pool: &PgPool, id: Uuid) -> f64 {
    sqlx::query_scalar("SELECT extract(epoch FROM next_attempt_at - now())::float8 FROM deliveries WHERE id = $1")
        .bind(id)
        .fetch_one(pool)
        .await
        .unwrap()
}

/// The contents of the files in a folder, in the order of their names.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// The value of a header of an email or HTTP source.
fn header<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    source.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix(&format!("{name}: ")))
}
