//! The words of messages: subject, plain text and HTML of an event, the same facts in each.
//!
//! What happened, how bad, since when, on what evidence, what to do next. Deterministic: the same event gives the same bytes.
//! Everything that came from data (titles, column names, evidence) has its control characters removed, and is escaped in HTML.

use std::fmt::Write;

use self::format::{escaped, instant, optional, plural, shortened, span, wrapped};
use super::event::{Event, IncidentView, Transition};

mod format;

pub use self::format::{fact, number, one_line};

/// Incidents shown in full; the rest is counted.
const SHOWN: usize = 50;

/// Acknowledge commands shown.
const COMMANDS: usize = 10;

/// Subjects named in a subject line.
const NAMED: usize = 3;

/// What the name of a job begins with that stands for an A/B test without one.
pub const BY_HAND: &str = "ab-test:";

/// The subject line.
#[must_use]
pub fn subject(event: &Event) -> String {
    let job = &event.job_name;
    let text = match event.transition {
        _ if concludes(event) || decides(event) => format!("[Steward] {}", titles(&event.incidents)),
        Transition::Test => "[Steward] Test message".to_owned(),
        Transition::Opened => match event.incidents.as_slice() {
            [one] => format!("[Steward] {job}: {}", one.title),
            many => format!("[Steward] {job}: {} problems: {}", many.len(), names(many)),
        },
        Transition::Resolved => format!("[Steward] Resolved: {job}: {}", names(&event.incidents)),
        Transition::OpenedAndResolved => format!("[Steward] Opened and resolved: {job}: {}", names(&event.incidents)),
    };
    shortened(&one_line(&text), 160)
}

fn names(incidents: &[IncidentView]) -> String {
    let mut text = incidents.iter().take(NAMED).map(|i| i.subject.as_str()).collect::<Vec<_>>().join(", ");
    if incidents.len() > NAMED {
        let _ = write!(text, " and {} more", incidents.len() - NAMED);
    }
    text
}

/// Whether all that is told is that A/B tests have ended.
pub(super) fn concludes(event: &Event) -> bool {
    !event.incidents.is_empty() && event.incidents.iter().all(IncidentView::is_conclusion)
}

/// Whether all that is told is what A/B tests have found.
fn decides(event: &Event) -> bool {
    let opened = event.transition == Transition::Opened && !event.incidents.is_empty();
    opened && event.incidents.iter().all(|incident| incident.kind == "ab_decision")
}

fn titles(incidents: &[IncidentView]) -> String {
    incidents.iter().take(NAMED).map(|i| i.title.as_str()).collect::<Vec<_>>().join("; ")
}

/// The sentence that the message begins with.
fn lead(event: &Event) -> String {
    let count = event.incidents.len();
    let model = match (&event.model_name, &event.model_version) {
        (Some(name), Some(version)) => format!(", which watches model {name} {version}"),
        (Some(name), None) => format!(", which watches model {name}"),
        _ => String::new(),
    };
    let job = format!("job {} ({}){model}", event.job_name, event.job_kind);
    if concludes(event) || decides(event) {
        let by = if event.job_name.starts_with(BY_HAND) { String::new() } else { format!(", evaluated by {job}") };
        let (count, what) = match (plural(count, "A/B test has", "A/B tests have"), concludes(event)) {
            (count, true) => (count, "ended"),
            (count, false) => (count, "something to tell"),
        };
        return one_line(&format!("{count} {what}{by}. Nothing was promoted by it: that is for people to decide."));
    }
    one_line(&match event.transition {
        Transition::Test => "This is a test message. Whoever reads it can be reached by Steward.".to_owned(),
        Transition::Opened => format!("{} found by {job}.", plural(count, "problem was", "problems were")),
        Transition::Resolved => format!("{} resolved in {job}.", plural(count, "problem is", "problems are")),
        Transition::OpenedAndResolved => format!(
            "{} found by {job}, and resolved before this message could be sent.",
            plural(count, "problem was", "problems were")
        ),
    })
}

/// What happened to one incident, on one line.
fn line(incident: &IncidentView) -> String {
    let title = one_line(&incident.title);
    match incident.resolved_at {
        None => title,
        Some(_) if incident.is_conclusion() => title,
        Some(at) => {
            let reason = incident.resolution.as_deref().map(one_line).unwrap_or_default();
            let subject = one_line(&incident.subject);
            let now = if reason.starts_with(&subject) { reason } else { format!("{subject}: {reason}") };
            let unannounced = if incident.announced { "" } else { ", not announced before" };
            format!("{now} (was: {title}; open for {}{unannounced})", span(incident.opened_at, at))
        }
    }
}

fn since(event: &Event) -> String {
    let opened = event.incidents.iter().map(|i| i.opened_at).min().unwrap_or(event.at);
    let mut text = match event.transition {
        Transition::Opened | Transition::Test => instant(opened),
        Transition::Resolved | Transition::OpenedAndResolved => {
            format!("{}, until {}", instant(opened), instant(event.at))
        }
    };
    // Without a window all rows were judged.
    if let (Some(start), Some(end)) = (event.window_start, event.window_end)
        && start < end
    {
        let _ = write!(text, "; judged on the data from {} to {}", instant(start), instant(end));
    }
    text
}

/// Headings and cells of the table of findings.
fn table(event: &Event) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let rows = event.incidents.iter().take(SHOWN).map(|incident| {
        vec![
            one_line(&incident.subject),
            incident.severity.as_str().to_owned(),
            optional(incident.score),
            optional(incident.threshold),
            incident.method().map_or_else(|| "-".to_owned(), one_line),
        ]
    });
    (vec!["subject", "severity", "score", "threshold", "method"], rows.collect())
}

/// The facts beside score, threshold and method.
fn facts(incident: &IncidentView) -> Vec<(String, String)> {
    incident
        .evidence
        .iter()
        .filter(|(label, _)| *label != "method")
        .map(|(label, value)| (one_line(label), shortened(&fact(value), 300)))
        .collect()
}

/// What to do next: sentences and the commands for them.
fn next_steps(event: &Event) -> Vec<(&'static str, Vec<String>)> {
    let mut steps = Vec::new();
    let ended: Vec<&IncidentView> = event.incidents.iter().filter(|i| i.is_conclusion()).take(COMMANDS).collect();
    if !ended.is_empty() {
        let looks = ended.iter().map(|i| format!("steward ab results {}", one_line(&i.subject))).collect();
        steps.push(("See every look at the test", looks));
        let shipped = ended.iter().filter(|i| i.evidence.get("decision").and_then(|d| d.as_str()) == Some("SHIP_B"));
        let winners = shipped.filter_map(|i| i.evidence.get("winner")).filter_map(|w| w.as_str()).map(one_line);
        let promote: Vec<String> =
            winners.map(|winner| format!("steward models check {winner} --to production")).collect();
        if !promote.is_empty() {
            steps.push(("See whether the winner may be promoted", promote));
        }
    }
    if concludes(event) && event.job_name.starts_with(BY_HAND) {
        return steps;
    }
    let decided = |i: &&IncidentView| {
        let decision = i.evidence.get("decision").and_then(|decision| decision.as_str());
        i.kind == "ab_decision" && decision.is_some_and(|decision| !decision.starts_with("INVALID_"))
    };
    let tests: Vec<String> =
        event.incidents.iter().filter(decided).take(COMMANDS).map(|i| one_line(&i.subject)).collect();
    if event.transition == Transition::Opened && !tests.is_empty() {
        let of = |command: &dyn Fn(&String) -> String| tests.iter().map(command).collect::<Vec<_>>();
        steps.push(("See every look at the test", of(&|test| format!("steward ab results {test}"))));
        steps.push((
            "End it with the decision that stands",
            of(&|test| format!("steward ab conclude {test} --reason WHY")),
        ));
    }
    if let Some(run) = event.run_id.filter(|_| !event.job_name.starts_with(BY_HAND)) {
        steps.push(("See everything this run judged", vec![format!("steward runs show {run}")]));
    }
    if event.transition == Transition::Opened {
        let shown = event.incidents.iter().take(COMMANDS);
        let commands = shown.map(|incident| format!("steward alerts ack {} --by NAME", incident.id)).collect();
        steps.push(("Say that you take care of it", commands));
    } else if let [one] = event.incidents.as_slice() {
        steps.push(("See its history", vec![format!("steward alerts show {}", one.id)]));
    }
    let job = one_line(&event.job_name);
    steps.push(("See what is open now", vec![format!("steward alerts list --state live --job {job}")]));
    steps
}

/// The headings: what happened, since when, on what evidence, what to do next.
fn headings(event: &Event) -> [&'static str; 4] {
    let evidence = match event.transition {
        _ if concludes(event) => "On what evidence",
        Transition::Opened | Transition::Test => "On what evidence",
        Transition::Resolved | Transition::OpenedAndResolved => "Evidence of the latest breach",
    };
    ["What happened", "Since when", evidence, "What to do next"]
}

/// The plain text.
#[must_use]
pub fn plain(event: &Event) -> String {
    let mut out = format!("{}\n", wrapped("", &lead(event)));
    if event.transition == Transition::Test {
        return out;
    }
    let [happened, since_when, evidence, next] = headings(event);
    let _ = writeln!(out, "\n{happened}\n");
    for incident in event.incidents.iter().take(SHOWN) {
        let first = format!("  [{}] ", incident.severity.as_str());
        let _ = writeln!(out, "{}", wrapped(&first, &line(incident)));
    }
    more(event, &mut out);
    let _ = writeln!(out, "\n{since_when}\n\n{}", wrapped("  ", &since(event)));
    let _ = writeln!(out, "\n{evidence}\n");
    let (head, rows) = table(event);
    let all = || std::iter::once(head.iter().map(ToString::to_string).collect::<Vec<_>>()).chain(rows.iter().cloned());
    let widths: Vec<usize> =
        (0..head.len()).map(|at| all().map(|row| row[at].chars().count()).max().unwrap_or(0).min(60)).collect();
    for row in all() {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(out, "  {}", cells.join("  ").trim_end());
    }
    for incident in event.incidents.iter().take(SHOWN) {
        let facts = facts(incident);
        if !facts.is_empty() {
            let _ = writeln!(out, "\n  {}", one_line(&incident.subject));
            for (label, value) in facts {
                let _ = writeln!(out, "{}", wrapped("    ", &format!("{label}: {value}")));
            }
        }
    }
    let _ = writeln!(out, "\n{next}\n");
    for (sentence, commands) in next_steps(event) {
        let _ = writeln!(out, "  {sentence}:");
        for command in commands {
            let _ = writeln!(out, "    {command}");
        }
    }
    out
}

fn more(event: &Event, out: &mut String) {
    if event.incidents.len() > SHOWN {
        let _ = writeln!(out, "  and {} more", event.incidents.len() - SHOWN);
    }
}

/// The HTML: no images, no scripts, no links to anywhere.
#[must_use]
pub fn html(event: &Event) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"></head>\n\
         <body style=\"font-family:sans-serif;color:#1a1a1a\">\n",
    );
    let _ = writeln!(out, "<p>{}</p>", escaped(&lead(event)));
    if event.transition != Transition::Test {
        html_sections(event, &mut out);
    }
    out.push_str("</body></html>\n");
    out
}

fn html_sections(event: &Event, out: &mut String) {
    let [happened, since_when, evidence, next] = headings(event);
    let _ = writeln!(out, "<h3>{happened}</h3>\n<ul>");
    for incident in event.incidents.iter().take(SHOWN) {
        let severity = incident.severity.as_str();
        let _ = writeln!(out, "<li><b>{severity}</b> {}</li>", escaped(&line(incident)));
    }
    let _ = writeln!(out, "</ul>");
    more(event, out);
    let _ = writeln!(out, "<h3>{since_when}</h3>\n<p>{}</p>", escaped(&since(event)));
    let (head, rows) = table(event);
    let _ = writeln!(out, "<h3>{evidence}</h3>\n<table cellpadding=\"4\" style=\"border-collapse:collapse\">");
    let _ = writeln!(out, "<tr><th align=\"left\">{}</th></tr>", head.join("</th><th align=\"left\">"));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        let _ = writeln!(out, "<tr><td>{}</td></tr>", cells.join("</td><td>"));
    }
    let _ = writeln!(out, "</table>");
    for incident in event.incidents.iter().take(SHOWN) {
        let facts = facts(incident);
        if !facts.is_empty() {
            let _ = writeln!(out, "<p><b>{}</b>", escaped(&one_line(&incident.subject)));
            for (label, value) in facts {
                let _ = writeln!(out, "<br>{}: {}", escaped(&label), escaped(&value));
            }
            let _ = writeln!(out, "</p>");
        }
    }
    let _ = writeln!(out, "<h3>{next}</h3>");
    for (sentence, commands) in next_steps(event) {
        let _ = writeln!(out, "<p>{sentence}:");
        for command in commands {
            let _ = writeln!(out, "<br><code>{}</code>", escaped(&command));
        }
        let _ = writeln!(out, "</p>");
    }
}
