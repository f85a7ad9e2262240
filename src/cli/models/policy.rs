//! `steward models policy`: what a model asks of a promotion.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::super::exit;
use super::super::output::{self, Format};
use super::{By, How, failure};
use crate::app::App;
use crate::registry::{Policy, PolicyInForce, gates, policy};

/// Arguments of `steward models policy`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:
  steward models policy flight_delay
  steward models policy flight_delay --from policy.json --by ada
  steward models policy flight_delay --clear
A policy is a JSON object; `--help` shows one.",
    after_long_help = "Examples:
  steward models policy flight_delay
  steward models policy flight_delay --from policy.json --by ada
  steward models policy flight_delay --clear

A policy is a JSON object:
  {\"approvals\": 2, \"allow_self_approval\": false, \"staging_first\": true, \"min_hours_in_staging\": 24,
   \"gates\": [{\"gate\": \"metric\", \"metric\": \"roc_auc\", \"split\": \"test\", \"min\": 0.7}, {\"gate\": \"model_card\"}]}
`--gates` lists the gates."
)]
pub(super) struct PolicyArgs {
    /// The model.
    #[arg(required_unless_present = "gates")]
    name: Option<String>,
    /// Set it from this JSON file.
    #[arg(long = "from", value_name = "FILE", conflicts_with = "clear")]
    from: Option<PathBuf>,
    /// Take it away: the configured one holds again.
    #[arg(long)]
    clear: bool,
    /// List the gates that there are.
    #[arg(long, conflicts_with_all = ["from", "clear"])]
    gates: bool,
    /// Only if the policy is at this revision; 0 means that there is none.
    #[arg(long, value_name = "NUMBER")]
    if_revision: Option<i64>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

impl PolicyArgs {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let (Some(name), false) = (&self.name, self.gates) else {
            let rows = gates::ALL.iter().map(|gate| vec![gate.name().to_owned(), gate.summary().to_owned()]).collect();
            output::data(&output::table(&["gate", "says yes when"], &[], rows));
            return Ok(exit::FINE);
        };
        let (setup, actor) = (app.registry_setup(), self.by.actor());
        let mut tx = app.database.pool.begin().await?;
        let found = match (&self.from, self.clear) {
            (Some(path), _) => {
                let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                let value = serde_json::from_str(&text)
                    .map_err(|error| exit::Failure::usage(format!("{}: not JSON: {error}", path.display())))?;
                let wanted = Policy::read(&value).map_err(failure)?;
                policy::set(&mut tx, setup, name, &wanted, self.if_revision, &actor).await
            }
            (None, true) => policy::clear(&mut tx, setup, name, self.if_revision, &actor).await,
            (None, false) => policy::get(&mut tx, setup, name).await,
        }
        .map_err(failure)?;
        tx.commit().await?;
        match self.how.output {
            Format::Json => output::json(&found)?,
            Format::Table => output::data(&lines(name, &found)),
        }
        Ok(exit::FINE)
    }
}

fn lines(name: &str, found: &PolicyInForce) -> String {
    let policy = &found.policy;
    let mut lines = vec![match (&found.updated_by, found.own) {
        (Some(by), true) => {
            format!(
                "policy of {name}, revision {}, set by {by} at {} UTC",
                found.revision,
                output::time(found.updated_at)
            )
        }
        _ => format!("{name} has no policy of its own; the configured one:"),
    }];
    lines.push(format!("  approvals        {}", policy.approvals));
    lines.push(format!("  self-approval    {}", if policy.allow_self_approval { "allowed" } else { "not allowed" }));
    lines.push(match (policy.staging_first, policy.min_hours_in_staging) {
        (true, Some(hours)) => format!("  staging first    for at least {hours} hours"),
        (true, None) => "  staging first    yes".to_owned(),
        (false, _) => "  staging first    no".to_owned(),
    });
    for gate in &policy.gates {
        let options: Vec<String> = gate.options.iter().map(|(key, value)| format!("{key}={value}")).collect();
        lines.push(format!("  gate             {} {}", gate.gate, options.join(" ")).trim_end().to_owned());
    }
    lines.join("\n")
}
