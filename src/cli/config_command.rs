//! `steward config`: what is configured, where each value came from, and what is wrong.

use serde_json::{Value, json};

use super::exit;
use super::output::{self, Format};
use crate::config::check::{Facts, check};
use crate::config::layers::DEFAULT_TOML;
use crate::config::problem::Problem;
use crate::config::{self, Error, LoadedSettings, Sources};
use crate::drift::{self, AppliesTo};
use crate::notify::{self, Channels};

/// Arguments of `steward config`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Every key, its value (secrets hidden) and where that was written.
    #[command(after_help = "Example:
  steward config show --set worker.concurrency=8 --output json")]
    Show {
        /// How to write the list.
        #[arg(long, value_enum, default_value_t)]
        output: Format,
    },
    /// Look for mistakes, print all of them; exit code 3 when there are any.
    Check {
        /// How to write the mistakes.
        #[arg(long, value_enum, default_value_t)]
        output: Format,
    },
    /// The defaults with the meaning of every key, as a file to start from.
    Default,
}

/// Shows or checks the configuration; starts and contacts nothing.
///
/// # Errors
/// `show`: when there are settings that cannot be read.
pub fn run(args: Args, sources: &Sources) -> anyhow::Result<u8> {
    match args.command {
        Command::Show { output } => {
            let loaded = config::load(sources)?;
            show(&loaded, output)?;
            Ok(exit::FINE)
        }
        Command::Check { output } => {
            let (loaded, mut problems) = config::load_all(sources);
            problems.extend(loaded.as_ref().map(meaning).unwrap_or_default());
            report(&problems, output)?;
            Ok(if problems.is_empty() { exit::FINE } else { exit::CONFIGURATION })
        }
        Command::Default => {
            output::data(DEFAULT_TOML.trim_end());
            Ok(exit::FINE)
        }
    }
}

/// The settings of a command that is going to use them.
///
/// # Errors
/// Every mistake, in reading and in meaning.
pub fn load(sources: &Sources) -> Result<LoadedSettings, Error> {
    let loaded = config::load(sources)?;
    let problems = meaning(&loaded);
    if problems.is_empty() { Ok(loaded) } else { Err(Error(problems)) }
}

/// What is wrong with the meaning of the settings, asked of everybody who knows.
fn meaning(loaded: &LoadedSettings) -> Vec<Problem> {
    let settings = &loaded.settings;
    let numeric = |method: &&'static dyn drift::Method| method.applies_to() != AppliesTo::Categorical;
    let drift_methods = drift::ALL.iter().copied().filter(numeric).map(drift::Method::name).collect();
    let found = match Channels::new(&settings.notify, &settings.smtp, &settings.data_dir) {
        Err(notify::Error::Configuration(problems)) => problems.iter().map(|text| keyed(text)).collect(),
        _ => Vec::new(),
    };
    check(loaded, &Facts { drift_methods, found })
}

/// `key: message`, as the channels write it.
fn keyed(text: &str) -> (String, String) {
    match text.split_once(": ") {
        Some((key, message)) => (key.to_owned(), message.to_owned()),
        None => ("notify".to_owned(), text.to_owned()),
    }
}

fn show(loaded: &LoadedSettings, format: Format) -> anyhow::Result<()> {
    let entries = loaded.entries();
    match format {
        Format::Json => {
            let rows: Vec<Value> = entries
                .iter()
                .map(|entry| json!({ "key": entry.key, "value": entry.value, "source": entry.origin.to_string() }))
                .collect();
            output::json(&rows)?;
        }
        Format::Table => {
            let rows = entries
                .into_iter()
                .map(|entry| vec![entry.key, entry.value.to_string(), entry.origin.to_string()])
                .collect();
            output::data(&output::table(&["key", "value", "source"], &[], rows));
        }
    }
    Ok(())
}

fn report(problems: &[Problem], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => output::json(&problems)?,
        Format::Table if problems.is_empty() => output::say("the configuration is valid"),
        Format::Table => output::say(&format!("error: {}", Error(problems.to_vec()))),
    }
    Ok(())
}
