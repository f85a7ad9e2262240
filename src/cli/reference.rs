//! The reference of the command line, made from the commands themselves.
//!
//! `docs/cli.md` is this text; a test keeps the two equal.

use clap::{Command, CommandFactory};

use super::Cli;

/// Every visible command with its full help, as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "# Command line\n\nMade from the commands' own help (`make doc`); do not edit.\n\
         Data goes to stdout, everything else to stderr.\n",
    );
    let mut root = Cli::command().term_width(100);
    root.build();
    section(&root, "", &mut text);
    text
}

fn section(command: &Command, path: &str, text: &mut String) {
    let path = if path.is_empty() { command.get_name().to_owned() } else { format!("{path} {}", command.get_name()) };
    let mut shown = command.clone().bin_name(&path).term_width(100);
    let help = shown.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## `{path}`\n\n```text\n{}\n```\n", help.join("\n").trim_end()));
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        section(sub, &path, text);
    }
}
