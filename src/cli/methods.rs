//! `steward methods`: what can be judged, by which method, from which source.

use serde_json::json;

use super::exit;
use super::output::{self, Format};
use crate::{ab, drift, metrics};

/// Arguments of `steward methods`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  steward methods --output json")]
pub struct Args {
    /// How to write the list.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Lists drift methods, ways to judge errors, metrics and statistical tests, all from their entries.
///
/// # Errors
/// None in practice.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    let mut entries = Vec::new();
    for m in drift::ALL {
        let default = output::number(Some(m.default_threshold()));
        entries.push((
            "drift",
            m.name(),
            m.title(),
            m.summary(),
            m.applies_to().as_str().to_owned(),
            default,
            m.reference(),
        ));
    }
    for m in drift::concept::ALL {
        let tasks = [drift::concept::Task::Classification, drift::concept::Task::Regression];
        let fitting: Vec<_> = tasks.into_iter().filter(|task| m.task().is_none_or(|own| own == *task)).collect();
        entries.push((
            "concept",
            m.name(),
            m.title(),
            m.summary(),
            fitting.iter().map(|task| task.as_str()).collect::<Vec<_>>().join(", "),
            fitting.iter().map(|task| output::number(Some(task.default_threshold()))).collect::<Vec<_>>().join(", "),
            m.reference(),
        ));
    }
    for m in metrics::ALL {
        entries.push((
            "metric",
            m.name(),
            m.title(),
            m.summary(),
            m.task().as_str().to_owned(),
            "-".to_owned(),
            m.reference(),
        ));
    }
    for t in ab::ALL {
        entries.push((
            "ab test",
            t.name(),
            t.title(),
            t.summary(),
            "two arms".to_owned(),
            "-".to_owned(),
            t.reference(),
        ));
    }
    match args.output {
        Format::Json => output::json(
            &entries
                .iter()
                .map(|(family, name, title, summary, applies_to, _, reference)| {
                    json!({ "family": family, "name": name, "title": title, "summary": summary,
                            "applies_to": applies_to, "reference": reference })
                })
                .collect::<Vec<_>>(),
        )?,
        Format::Table => {
            let rows = entries
                .into_iter()
                .map(|(family, name, _, summary, applies_to, default, _)| {
                    vec![family.to_owned(), name.to_owned(), applies_to, default, summary.to_owned()]
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
