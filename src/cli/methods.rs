//! `steward methods`: what can be judged, by which method, from which source.

use super::exit;
use super::output::{self, Format};
use crate::jobs::catalogue;

/// Arguments of `steward methods`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  steward methods
  steward methods wasserstein
  steward methods --output json")]
pub struct Args {
    /// Only this one, with all that its entry says: formula, limits, when to use it.
    name: Option<String>,
    /// How to write the list.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Lists drift methods, metrics and statistical tests, all from their entries.
///
/// # Errors
/// When there is nothing of that name.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    let mut entries = catalogue::entries();
    if let Some(name) = &args.name {
        let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
        if !names.contains(&name.as_str()) {
            let message = format!("there is no method `{name}`; there are {}", names.join(", "));
            return Err(exit::Failure::usage(message).into());
        }
        entries.retain(|entry| entry.name == name);
    }
    match args.output {
        Format::Json => output::json(&entries)?,
        Format::Table if args.name.is_some() => {
            output::data(&entries.iter().map(described).collect::<Vec<_>>().join("\n\n"));
        }
        Format::Table => {
            let rows = entries
                .iter()
                .map(|entry| {
                    let threshold = entry.default_threshold.map_or_else(|| "-".to_owned(), |t| output::number(Some(t)));
                    let words = [entry.family, entry.name, entry.applies_to].map(str::to_owned);
                    words.into_iter().chain([threshold, entry.summary.to_owned()]).collect()
                })
                .collect();
            output::data(&output::table(
                &["family", "name", "applies to", "threshold", "what it measures"],
                &[3],
                rows,
            ));
        }
    }
    Ok(exit::FINE)
}

/// One entry in full.
fn described(entry: &catalogue::Entry) -> String {
    let mut lines = vec![format!("{} ({} {}, for {})", entry.title, entry.family, entry.name, entry.applies_to)];
    let threshold = entry.default_threshold.map(|threshold| format!("{threshold}; drift is above it"));
    let rows = entry.minimum_sample.map(|rows| format!("{rows} per side for that threshold to be reliable"));
    let p_value = entry.has_p_value.map(|has| if has { "beside the score" } else { "none" }.to_owned());
    let text = |text: &str| Some(text.to_owned());
    for (label, value) in [
        ("measures", text(entry.summary)),
        ("use it", entry.when_to_use.map(str::to_owned)),
        ("formula", entry.formula.map(str::to_owned)),
        ("range", entry.range.map(str::to_owned)),
        ("threshold", threshold),
        ("rows", rows),
        ("p-value", p_value),
        ("limits", entry.limits.map(str::to_owned)),
        ("source", text(entry.reference)),
    ] {
        if let Some(value) = value {
            lines.push(format!("{label:>10}  {value}"));
        }
    }
    lines.join("\n")
}
