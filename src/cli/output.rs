//! What goes to the terminal: data on stdout, everything else on stderr.
//!
//! The only module that prints. Tables are plain (no colour codes in pipes, no box drawing), JSON is one document.

use std::io::Write;

use chrono::{DateTime, Utc};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Writes a line of data to stdout; a closed pipe ends quietly.
pub fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
}

/// Writes a line of a long text to stdout, where a part must not pass for the whole; false when nobody reads on.
///
/// # Errors
/// What the operating system says, such as a full disk.
pub fn line(text: &str) -> std::io::Result<bool> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes a document as JSON to stdout.
///
/// # Errors
/// When the document cannot be serialised.
pub fn json<T: Serialize>(document: &T) -> anyhow::Result<()> {
    data(&serde_json::to_string_pretty(document)?);
    Ok(())
}

/// Says something to the person at the terminal (stderr).
pub fn say(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{text}");
}

/// A plain table; columns whose index is in `right` are aligned right.
#[must_use]
pub fn table(header: &[&str], right: &[usize], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|h| h.to_uppercase()));
    for row in rows {
        table.add_row(row);
    }
    for &index in right {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let last = header.len().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { 2 }));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A number as people read it: three decimals, more where it is small, a dash where there is none.
#[must_use]
pub fn number(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(v) if v.abs() < 0.001 || v.abs() >= 1e7 => format!("{v:.2e}"),
        Some(v) if v.abs() >= 1000.0 => format!("{v:.1}"),
        Some(v) => format!("{v:.3}"),
    }
}

/// A p-value as people read it; what is too small to be told apart says so.
#[must_use]
pub fn p_value(p: Option<f64>) -> String {
    match p {
        Some(p) if p < 1e-300 => "< 1e-300".to_owned(),
        Some(p) if p < 0.0001 => format!("{p:.1e}"),
        Some(p) => format!("{p:.4}"),
        None => "-".to_owned(),
    }
}

/// An instant, to the minute, in UTC.
#[must_use]
pub fn time(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string())
}

/// The first eight digits of an id: enough to name it again.
#[must_use]
pub fn short(id: uuid::Uuid) -> String {
    id.simple().to_string()[..8].to_owned()
}
