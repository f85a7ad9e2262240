//! Mistakes in the configuration: all at once, each with its key.

use steward::notify::Error;

use super::*;

fn problems(settings: &Settings) -> Vec<String> {
    match Channels::new(&settings.notify, &settings.smtp, settings.folder.path()) {
        Err(Error::Configuration(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_shipped_configuration_is_valid_and_writes_nothing_yet() {
    let settings = Settings::new();
    let channels = settings.build();
    let names: Vec<_> = channels.iter().map(|channel| (channel.name().to_owned(), channel.kind())).collect();
    assert_eq!(names, [("ml-oncall".to_owned(), "email"), ("ml-webhook".to_owned(), "webhook")]);
    assert_eq!(std::fs::read_dir(settings.folder.path()).unwrap().count(), 0);
}

#[test]
fn every_mistake_is_reported_with_its_key() {
    let mut settings = Settings::new()
        .channel("a", json!({ "kind": "emial", "to": ["x@example.com"] }))
        .channel("b", json!({ "kind": "email", "too": ["x@example.com"] }))
        .channel("c", json!({ "kind": "email", "to": ["not an address"] }))
        .channel("d", json!({ "kind": "webhook", "url": "https://example.com" }))
        .channel("e", json!({ "kind": "webhook", "url": "ftp://example.com", "secret": "hunter2hunter2" }))
        .channel(
            "f",
            json!({ "kind": "webhook", "url": "https://example.com", "secret": NEW_SECRET, "transport": "fax" }),
        )
        .channel(
            "g",
            json!({ "kind": "webhook", "url": "https://example.com", "secret": NEW_SECRET,
                             "headers": { "Webhook-Id": "x" } }),
        )
        .channel("h", json!({ "to": ["x@example.com"] }));
    settings.notify.allow_private_targets = vec!["intranet".to_owned()];
    settings.notify.poll_milliseconds = 5000;
    settings.notify.lease_seconds = 20;
    let found = problems(&settings);
    // The web client is needed to build channels, so its mistake hides theirs.
    assert_eq!(
        found,
        [
            "notify.poll_milliseconds: 5000 is not between 1 and 1000",
            "notify.lease_seconds: 20 is too short: a message may take 30 s, so it needs at least 40",
            "notify.allow_private_targets: \"intranet\" is neither an address nor a network; write 127.0.0.1 or 10.0.0.0/8",
        ]
    );
    settings.notify.allow_private_targets.clear();
    let found = problems(&settings)[2..].to_vec();
    let make = "make one with: echo \"whsec_$(openssl rand -base64 32)\"";
    assert_eq!(
        found,
        [
            "notify.channels.a.kind: \"emial\" is not a kind of channel; there are email, webhook".to_owned(),
            "notify.channels.b.too: is not a key of email channels; did you mean \"to\"?".to_owned(),
            "notify.channels.b.to: names nobody; give at least one address".to_owned(),
            "notify.channels.c.to: \"not an address\" is not an address; write name@domain or Name <name@domain>"
                .to_owned(),
            "notify.channels.c.to: names nobody; give at least one address".to_owned(),
            format!("notify.channels.d.secret: is missing; {make}"),
            "notify.channels.e.url: begins with ftp:, but must be an https:// or http:// address".to_owned(),
            format!("notify.channels.e.secret: is not \"whsec_\" and at least 24 bytes in base64; {make}"),
            "notify.channels.f.transport: \"fax\" is neither \"http\" nor \"file\"".to_owned(),
            "notify.channels.g.headers: \"Webhook-Id\" cannot be set".to_owned(),
            "notify.channels.h.kind: is missing".to_owned(),
        ]
    );
    assert!(!found.join(" ").contains("hunter2"));
}

#[test]
fn a_password_is_not_sent_readable() {
    let mut settings = Settings::new().server(25, SmtpTls::None);
    settings.smtp.host = "mail.example.com".to_owned();
    settings.smtp.username = "steward".to_owned();
    settings.smtp.password = Secret::new("hunter2");
    assert_eq!(
        problems(&settings),
        ["smtp.tls: \"none\" would send the password readable; use \"starttls\" or \"tls\""]
    );
    settings.smtp.tls = SmtpTls::Tls;
    settings.smtp.password_file = "/nonexistent".to_owned();
    assert_eq!(problems(&settings), ["smtp.password: is given twice; keep it or smtp.password_file"]);
    settings.smtp.password_file.clear();
    settings.smtp.ca_file = "/nonexistent".to_owned();
    assert!(problems(&settings)[0].starts_with("smtp.ca_file: \"/nonexistent\" has no certificates: "));
}
