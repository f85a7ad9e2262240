//! The `[smtp]` section: how email leaves this machine.
//!
//! Holds values only; `notify::Channels::new` checks them and says what is wrong with which key. Every default stands in
//! `config/default.toml`, so that reading that file is reading the defaults.

use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// How email is sent. Every email channel uses these settings.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// `file` writes each message to a folder, `smtp` sends it to a server.
    pub transport: SmtpTransport,
    /// Name or address of the mail server; only for `smtp`.
    pub host: String,
    /// Port of the mail server: 587 for STARTTLS, 465 for TLS from the first byte, 25 for a relay.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Who logs in; empty means without login.
    pub username: String,
    /// The password of `username`.
    pub password: Secret,
    /// A file whose first line is the password; read again for every connection, so a rotated password needs no restart.
    pub password_file: String,
    /// A PEM file with further certificate authorities, beside those of the operating system.
    pub ca_file: String,
    /// The sender of all messages, `name@domain` or `Name <name@domain>`.
    pub from: String,
    /// Where `file` writes; empty means `mail` under the data directory.
    pub directory: String,
    /// Seconds that one message may take from connecting to the server's answer.
    pub timeout_seconds: u64,
}

/// Where email goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTransport {
    /// Into a folder, one file a message.
    File,
    /// To a mail server.
    Smtp,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Not at all; a password is then sent to a server on this machine only.
    None,
    /// Upgraded by STARTTLS; a server that does not offer it gets nothing.
    Starttls,
    /// TLS from the first byte.
    Tls,
}
