//! Email channels: one message per recipient, text and HTML.
//!
//! Everything that makes the message is frozen when it is composed, also its date and `Message-ID`, so that sending it again
//! is sending the same message again; only the sender's address is today's. How it leaves is the [`Mailer`]'s part.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::channels::{Channel, Composed, Kind, Outcome, Outgoing, Reader, Shared, Verdict};
use super::event::{Event, delivery_id};
use super::text;

mod mailer;
mod session;

pub(super) use mailer::Mailer;

/// The entry of this kind.
pub(super) static KIND: Kind = Kind {
    name: "email",
    title: "Email",
    summary: "A message to each address, through the server of [smtp] or into a folder",
    keys: &["to"],
    build,
};

/// Most messages of a thread that `References` names.
const REFERENCES: usize = 20;

#[derive(Debug)]
struct Email {
    name: String,
    to: Vec<String>,
    mailer: Arc<Mailer>,
}

/// What is stored of an email beside its subject.
#[derive(Debug, Serialize, Deserialize)]
struct Frozen {
    message_id: String,
    date: DateTime<Utc>,
    in_reply_to: Option<String>,
    references: Vec<String>,
    text: String,
    html: String,
}

fn build(reader: &mut Reader<'_>, shared: &Shared) -> Option<Arc<dyn Channel>> {
    let mut to = Vec::new();
    for written in reader.strings("to") {
        match mailbox(&written) {
            Ok(mailbox) => to.push(mailbox.to_string()),
            Err(reason) => reader.problem("to", &reason),
        }
    }
    to.sort();
    to.dedup();
    if to.is_empty() {
        reader.problem("to", "names nobody; give at least one address");
        return None;
    }
    Some(Arc::new(Email { name: reader.name.to_owned(), to, mailer: Arc::clone(&shared.mailer) }))
}

/// Reads `name@domain` or `Name <name@domain>`.
fn mailbox(text: &str) -> Result<Mailbox, String> {
    let mailbox: Mailbox =
        text.parse().map_err(|_| format!("{text:?} is not an address; write name@domain or Name <name@domain>"))?;
    let address: &str = mailbox.email.as_ref();
    if !address.is_ascii() {
        return Err(format!("{text:?} has letters that mail servers may refuse; write the domain in its xn-- form"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{text:?} has control characters"));
    }
    Ok(mailbox)
}

#[async_trait]
impl Channel for Email {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn recipients(&self) -> Vec<String> {
        self.to.clone()
    }

    fn compose(&self, event: &Event, recipient: &str, thread: &[Value]) -> Composed {
        let id = delivery_id(event.id, &self.name, recipient);
        let earlier: Vec<String> = thread
            .iter()
            .filter_map(|message| Some(message.get("message_id")?.as_str()?.to_owned()))
            .take(REFERENCES)
            .collect();
        let frozen = Frozen {
            message_id: format!("<{id}@{}>", self.mailer.domain()),
            date: event.composed_at,
            in_reply_to: earlier.first().cloned(),
            references: earlier,
            text: text::plain(event),
            html: text::html(event),
        };
        Composed { subject: text::subject(event), message: serde_json::to_value(frozen).unwrap_or_default() }
    }

    async fn send(&self, outgoing: &Outgoing<'_>) -> Outcome {
        match source(self.mailer.from(), outgoing) {
            Ok((message, to, date)) => self.mailer.send(outgoing.id, &message, &to, date).await,
            Err(reason) => Outcome { verdict: Verdict::Dead, status: None, detail: reason, steps: Vec::new() },
        }
    }
}

/// The source of the message, ASCII throughout, its recipient and its date.
fn source(from: &Mailbox, outgoing: &Outgoing<'_>) -> Result<(Vec<u8>, Mailbox, DateTime<Utc>), String> {
    let frozen: Frozen = serde_json::from_value(outgoing.message.clone())
        .map_err(|error| format!("the stored message is not an email: {error}"))?;
    let to = mailbox(outgoing.recipient)?;
    let id = |text: &str| text::one_line(text).replace(' ', "");
    let mut builder = Message::builder()
        .from(from.clone())
        .to(to.clone())
        .subject(text::one_line(outgoing.subject))
        .message_id(Some(id(&frozen.message_id)))
        .date(frozen.date.into());
    if let Some(first) = &frozen.in_reply_to {
        builder = builder.raw_header(pre_encoded("In-Reply-To", &id(first)));
        // One a line: a folded list of ids stays readable, and no line grows too long.
        let references: Vec<String> = frozen.references.iter().map(|reference| id(reference)).collect();
        builder = builder.raw_header(pre_encoded("References", &references.join("\r\n ")));
    }
    let message = builder
        .raw_header(pre_encoded("Auto-Submitted", "auto-generated"))
        .raw_header(pre_encoded("X-Auto-Response-Suppress", "All"))
        .multipart(
            MultiPart::alternative()
                .boundary(boundary(outgoing.id))
                .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(frozen.text))
                .singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(frozen.html)),
        )
        .map_err(|error| format!("the message cannot be written: {error}"))?;
    Ok((message.formatted(), to, frozen.date))
}

fn pre_encoded(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.to_owned(), value.to_owned())
}

/// From the id, so that the same message has the same bytes.
fn boundary(id: Uuid) -> String {
    format!("=_steward_{}", id.simple())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn outgoing<'a>(subject: &'a str, message: &'a Value) -> Outgoing<'a> {
        let at = DateTime::from_timestamp(1_372_659_300, 0).unwrap();
        Outgoing { id: Uuid::from_u128(5), recipient: "Ops <ops@example.com>", subject, message, at }
    }

    fn frozen() -> Value {
        json!({
            "message_id": "<1@example.com>", "date": "2013-07-01T06:15:00Z", "in_reply_to": "<0@example.com>\r\nBcc: a@b.c",
            "references": ["<0@example.com>"], "text": "tëxt\n", "html": "<p>x</p>\n",
        })
    }

    #[test]
    fn no_value_can_add_a_header() {
        let message = frozen();
        let from: Mailbox = "steward@example.com".parse().unwrap();
        let (source, ..) = source(&from, &outgoing("one\r\nBcc: victim@example.com\r\n\r\nbody", &message)).unwrap();
        let text = String::from_utf8(source).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{head}");
        assert!(head.contains("Subject: one Bcc: victim@example.com body\r\n"), "{head}");
        assert!(text.is_ascii());
    }

    #[test]
    fn the_same_delivery_has_the_same_bytes() {
        let message = frozen();
        let from: Mailbox = "steward@example.com".parse().unwrap();
        let one = source(&from, &outgoing("s", &message)).unwrap().0;
        assert_eq!(one, source(&from, &outgoing("s", &message)).unwrap().0);
    }

    #[test]
    fn addresses_are_checked() {
        assert!(mailbox("Ops <ops@example.com>").is_ok());
        for wrong in ["", "ops", "ops@", "a@b.c\r\nBcc: d@e.f", "öps@example.com", "a@b.c, d@e.f"] {
            assert!(mailbox(wrong).is_err(), "{wrong:?}");
        }
    }
}
