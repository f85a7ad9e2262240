//! One message over SMTP, step by step, so that a failure is judged by the step that it happened in.
//!
//! A connection a message: alerts are few, and a pooled connection that went stale would make an answer ambiguous. After the
//! message was handed over and before the server answered, nobody knows whether it was accepted: [`Verdict::Uncertain`].

use std::error::Error as _;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;

use crate::notify::channels::{Outcome, Verdict};
use crate::notify::text::one_line;

/// How long saying goodbye may take; the message is accepted already.
const GOODBYE: Duration = Duration::from_secs(2);

/// A mail server.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<TlsParameters>,
    pub(super) starttls: bool,
    pub(super) timeout: Duration,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Connect,
    Protect,
    Login,
    Address,
    HandOver,
    Answered,
}

/// What a session has done.
struct Progress {
    step: Step,
    done: Vec<String>,
}

impl Progress {
    fn begin(&mut self, step: Step, what: String) {
        self.step = step;
        self.done.push(what);
    }
}

impl Server {
    /// Sends one message once; takes at most the configured time.
    pub(super) async fn send(
        &self,
        credentials: Option<Credentials>,
        from: &Address,
        to: &Address,
        source: &[u8],
    ) -> Outcome {
        let mut progress = Progress { step: Step::Connect, done: Vec::new() };
        let result = tokio::time::timeout(self.timeout, self.talk(&mut progress, credentials, from, to, source)).await;
        let (verdict, status, detail) = match result {
            Ok(Ok(reply)) => (Verdict::Sent, Some(250), reply),
            Ok(Err(error)) => self.judge(progress.step, &error),
            Err(_) => self.judge_silence(progress.step),
        };
        Outcome { verdict, status, detail: one_line(&detail), steps: progress.done }
    }

    async fn talk(
        &self,
        progress: &mut Progress,
        credentials: Option<Credentials>,
        from: &Address,
        to: &Address,
        source: &[u8],
    ) -> Result<String, Error> {
        let hello = ClientId::default();
        let wrapped = if self.starttls { None } else { self.tls.clone() };
        let how = if wrapped.is_some() { " with TLS" } else { "" };
        progress.begin(Step::Connect, format!("connect to {}:{}{how}", self.host, self.port));
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout), &hello, wrapped, None).await?;
        if let (true, Some(tls)) = (self.starttls, &self.tls) {
            progress.begin(Step::Protect, "STARTTLS".to_owned());
            connection.starttls(tls.clone(), &hello).await?;
        }
        if let Some(credentials) = credentials {
            progress.begin(Step::Login, "log in".to_owned());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
        }
        progress.begin(Step::Address, format!("MAIL FROM:<{from}>"));
        connection.command(Mail::new(Some(from.clone()), Vec::new())).await?;
        progress.begin(Step::Address, format!("RCPT TO:<{to}>"));
        connection.command(Rcpt::new(to.clone(), Vec::new())).await?;
        progress.begin(Step::Address, "DATA".to_owned());
        connection.command(Data).await?;
        progress.begin(Step::HandOver, format!("hand over {} bytes", source.len()));
        let response = connection.message(source).await?;
        progress.step = Step::Answered;
        let reply = format!("{} {}", response.code(), response.message().collect::<Vec<_>>().join(" "));
        progress.done.push(format!("accepted: {}", one_line(&reply)));
        let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
        Ok(reply)
    }

    fn judge(&self, step: Step, error: &Error) -> (Verdict, Option<i32>, String) {
        let later = Verdict::Retry { after: None, kept: false };
        let until_mended = Verdict::Retry { after: None, kept: true };
        let server = format!("{}:{}", self.host, self.port);
        let status = error.status().map(|code| i32::from(u16::from(code)));
        if matches!(step, Step::Connect | Step::Protect) && is_about_tls(error) {
            let hint = "check smtp.host and smtp.tls, or add the authority to smtp.ca_file";
            return (until_mended, None, format!("no protected connection to {server}: {error}; {hint}"));
        }
        match step {
            Step::Protect if !error.is_transient() => {
                (until_mended, status, format!("{server} does not do STARTTLS: {error}; check smtp.tls and smtp.port"))
            }
            Step::Login if error.is_permanent() || error.is_client() => {
                let hint = "correct smtp.username and smtp.password (or smtp.password_file)";
                (until_mended, status, format!("{server} refused the login: {error}; {hint}"))
            }
            Step::HandOver if status.is_none() => {
                (Verdict::Uncertain, None, format!("{server} broke off after the message was handed over: {error}"))
            }
            _ if status == Some(530) => (
                until_mended,
                status,
                format!("{server} wants a login or TLS: {error}; check smtp.username and smtp.tls"),
            ),
            Step::Connect if error.is_permanent() => {
                (later, status, format!("{server} does not take messages from here: {error}"))
            }
            _ if error.is_permanent() => (Verdict::Dead, status, format!("{server} refused the message: {error}")),
            _ if error.is_transient() => (later, status, format!("{server} cannot take the message now: {error}")),
            Step::Connect => (later, None, format!("{server} cannot be reached: {error}")),
            _ => (later, None, format!("the connection to {server} broke: {error}")),
        }
    }

    fn judge_silence(&self, step: Step) -> (Verdict, Option<i32>, String) {
        let seconds = self.timeout.as_secs();
        let server = format!("{}:{}", self.host, self.port);
        match step {
            Step::Answered => (Verdict::Sent, Some(250), "accepted".to_owned()),
            Step::HandOver => {
                let text = format!("{server} gave no answer within {seconds} s after the message was handed over");
                (Verdict::Uncertain, None, text)
            }
            _ => {
                let text = format!("{server} was silent for {seconds} s");
                (Verdict::Retry { after: None, kept: false }, None, text)
            }
        }
    }
}

/// Whether a connection failed because it could not be protected: lettre wraps what TLS says about the other side (an unknown
/// authority, another name, an expired certificate) as invalid data from the socket.
fn is_about_tls(error: &Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::InvalidData) {
            return true;
        }
        source = cause.source();
    }
    error.is_tls()
}
