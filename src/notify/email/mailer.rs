//! The way that email leaves: a folder or a mail server. One for all email channels.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use uuid::Uuid;

use super::mailbox;
use super::session::Server;
use crate::config::secret::Secret;
use crate::config::smtp::{SmtpSettings, SmtpTls, SmtpTransport};
use crate::notify::channels::{Outcome, Verdict, folder};

/// Sends composed emails.
#[derive(Debug)]
pub(crate) struct Mailer {
    from: Mailbox,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Folder(PathBuf),
    Server(Server, Login),
}

/// Who logs in; the password is read for every message when it is in a file.
#[derive(Debug)]
struct Login {
    username: String,
    password: Secret,
    password_file: Option<PathBuf>,
}

impl Mailer {
    /// Checks the settings; notes what is wrong, each with its key.
    pub(crate) fn new(smtp: &SmtpSettings, data_dir: &Path, problems: &mut Vec<String>) -> Option<Self> {
        let before = problems.len();
        let from = mailbox(&smtp.from).map_err(|reason| problems.push(format!("smtp.from: {reason}"))).ok();
        let way = match smtp.transport {
            SmtpTransport::File => Some(Way::Folder(folder(&smtp.directory, data_dir, "mail"))),
            SmtpTransport::Smtp => server(smtp, problems),
        };
        let mailer = Self { from: from?, way: way? };
        (problems.len() == before).then_some(mailer)
    }

    /// The sender.
    pub(super) fn from(&self) -> &Mailbox {
        &self.from
    }

    /// The sender's domain: the right side of `Message-ID`.
    pub(super) fn domain(&self) -> &str {
        self.from.email.domain()
    }

    /// Sends the source of a message once; `date` is the message's own.
    pub(super) async fn send(&self, id: Uuid, source: &[u8], to: &Mailbox, date: DateTime<Utc>) -> Outcome {
        match &self.way {
            Way::Folder(folder) => write(folder, id, source, date).await,
            Way::Server(server, login) => match login.read().await {
                Ok(credentials) => server.send(credentials, &self.from.email, &to.email, source).await,
                Err(reason) => Outcome {
                    verdict: Verdict::Retry { after: None, kept: true },
                    status: None,
                    detail: reason,
                    steps: Vec::new(),
                },
            },
        }
    }
}

fn server(smtp: &SmtpSettings, problems: &mut Vec<String>) -> Option<Way> {
    let before = problems.len();
    if smtp.host.trim().is_empty() {
        problems.push("smtp.host: is missing; name the mail server, or set smtp.transport = \"file\"".to_owned());
    }
    if smtp.port == 0 {
        problems.push("smtp.port: 0 is not a port; 587 for starttls, 465 for tls, 25 for a relay".to_owned());
    }
    if !(1..=600).contains(&smtp.timeout_seconds) {
        problems.push(format!("smtp.timeout_seconds: {} is not between 1 and 600", smtp.timeout_seconds));
    }
    if smtp.username.is_empty() && !(smtp.password.is_empty() && smtp.password_file.is_empty()) {
        problems.push("smtp.username: is empty although a password is given".to_owned());
    }
    if !smtp.username.is_empty() {
        match (smtp.password.is_empty(), smtp.password_file.is_empty()) {
            (true, true) => problems.push("smtp.password: is missing; give it or smtp.password_file".to_owned()),
            (false, false) => problems.push("smtp.password: is given twice; keep it or smtp.password_file".to_owned()),
            _ => {}
        }
        let local = matches!(smtp.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if smtp.tls == SmtpTls::None && !local {
            problems
                .push("smtp.tls: \"none\" would send the password readable; use \"starttls\" or \"tls\"".to_owned());
        }
    }
    let tls = match smtp.tls {
        SmtpTls::None => None,
        SmtpTls::Starttls | SmtpTls::Tls => Some(tls_parameters(smtp, problems)?),
    };
    let login = Login {
        username: smtp.username.clone(),
        password: smtp.password.clone(),
        password_file: (!smtp.password_file.is_empty()).then(|| PathBuf::from(&smtp.password_file)),
    };
    let server = Server {
        host: smtp.host.clone(),
        port: smtp.port,
        tls,
        starttls: smtp.tls == SmtpTls::Starttls,
        timeout: Duration::from_secs(smtp.timeout_seconds),
    };
    (problems.len() == before).then_some(Way::Server(server, login))
}

fn tls_parameters(smtp: &SmtpSettings, problems: &mut Vec<String>) -> Option<TlsParameters> {
    let mut builder = TlsParameters::builder(smtp.host.clone());
    if !smtp.ca_file.is_empty() {
        let certificate = std::fs::read(&smtp.ca_file)
            .map_err(|error| error.to_string())
            .and_then(|pem| Certificate::from_pem(&pem).map_err(|error| error.to_string()));
        match certificate {
            Ok(certificate) => builder = builder.add_root_certificate(certificate),
            Err(reason) => {
                problems.push(format!("smtp.ca_file: {:?} has no certificates: {reason}", smtp.ca_file));
                return None;
            }
        }
    }
    builder
        .build()
        .map_err(|error| problems.push(format!("smtp.host: {:?} cannot be used with TLS: {error}", smtp.host)))
        .ok()
}

impl Login {
    /// User name and password, if there is a login.
    async fn read(&self) -> Result<Option<Credentials>, String> {
        if self.username.is_empty() {
            return Ok(None);
        }
        let password = match &self.password_file {
            None => self.password.expose().to_owned(),
            Some(path) => {
                let text = tokio::fs::read_to_string(path)
                    .await
                    .map_err(|error| format!("smtp.password_file {path:?} cannot be read: {error}"))?;
                text.lines().next().unwrap_or_default().to_owned()
            }
        };
        Ok(Some(Credentials::new(self.username.clone(), password)))
    }
}

/// Writes the message under a name that follows from it: a repeated message replaces itself.
async fn write(folder: &Path, id: Uuid, source: &[u8], date: DateTime<Utc>) -> Outcome {
    let path = folder.join(format!("{}-{id}.eml", date.format("%Y%m%dT%H%M%SZ")));
    let step = format!("write {}", path.display());
    match crate::notify::channels::write_file(&path, source).await {
        Ok(()) => Outcome {
            verdict: Verdict::Sent,
            status: None,
            detail: format!("written to {}", path.display()),
            steps: vec![step],
        },
        Err(error) => Outcome {
            verdict: Verdict::Retry { after: None, kept: true },
            status: None,
            detail: format!("{} cannot be written: {error}", path.display()),
            steps: vec![step],
        },
    }
}
