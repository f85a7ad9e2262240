//! The command line: one file per command.
//!
//! A command parses, calls the library, and renders; it decides nothing. Data goes to stdout, everything else to stderr,
//! and the exit code says what happened ([`exit`]).

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::app::App;
use crate::clock::SystemClock;
use crate::config::{LoadedSettings, Sources};
use crate::db::audit::Actor;

pub mod ab;
pub mod alerts;
pub mod audit;
pub mod config_command;
pub mod demo;
pub mod drift;
pub mod exit;
pub mod jobs;
pub mod methods;
pub mod metrics;
pub mod models;
pub mod notify;
pub mod output;
pub mod progress;
pub mod reference;
pub mod runs;
pub mod serve;
pub mod telemetry;
pub mod token;

/// Watches machine-learning models in production.
///
/// A scheduler turns cron schedules into runs in a PostgreSQL queue; workers read datasets from object storage, judge
/// drift, validation metrics and A/B tests, store the results, and send email and webhooks when something is wrong.
#[derive(Debug, Parser)]
#[command(
    name = "steward",
    version,
    arg_required_else_help = true,
    after_help = "Examples:
  steward demo                                   see the whole of it on a year of flights
  steward drift check --reference a.parquet --current b.parquet
  steward jobs check                             validate the job files in jobs/
  steward serve                                  scheduler, worker, sender and REST API in one process

Exit codes: 0 fine; 1 the check found something; 2 wrong use; 3 invalid configuration;
4 data or a service cannot be reached or read; 70 a bug."
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// Configuration file (may be repeated; later ones win) [default: $STEWARD_CONFIG, else ./steward.toml].
    #[arg(long = "config", global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Vec<PathBuf>,
    /// Where the embedded database and messages live.
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub data_dir: Option<PathBuf>,
    /// Use this PostgreSQL instead of the embedded one.
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub database_url: Option<String>,
    /// Set any configuration key, for example `--set worker.concurrency=8`.
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = "Global options")]
    pub set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on a year of real flights and show what was found.
    Demo(demo::Args),
    /// Run all roles: scheduler, worker, sender of messages, and the REST API.
    Serve(serve::Args),
    /// Run only a worker.
    Worker(serve::Args),
    /// Run only a scheduler.
    Scheduler(serve::Args),
    /// Run only the REST API.
    Api(serve::Args),
    /// Job files: check, plan, apply, list, run, replay, ...
    Jobs(jobs::Args),
    /// Runs: list, show, submit, retry, cancel.
    Runs(runs::Args),
    /// Incidents: list, show, acknowledge.
    Alerts(alerts::Args),
    /// Messages: try a channel, see what was not delivered.
    Notify(notify::Args),
    /// API tokens: create, list, revoke.
    Token(token::Args),
    /// The audit trail: list, verify, export.
    Audit(audit::Args),
    /// Model versions: register, promote, approve, look up, roll back, ...
    Models(models::Args),
    /// Judge drift between two datasets, without job files or a database.
    Drift(drift::Args),
    /// Compute validation metrics of a dataset, without job files or a database.
    Metrics(metrics::Args),
    /// Compare two variants of an A/B test, without job files or a database.
    Ab(ab::Args),
    /// List methods, metrics and tests with their references.
    Methods(methods::Args),
    /// Show or check the configuration.
    Config(config_command::Args),
    /// Watches over the embedded PostgreSQL until its last user is gone.
    #[command(hide = true)]
    PostgresSupervise {
        /// The data directory.
        dir: PathBuf,
    },
}

/// What a command may use: the settings, and the program once it asks for it.
pub struct Context {
    /// The settings with where each value came from.
    pub settings: LoadedSettings,
}

/// Every value of a repeatable global flag. clap keeps those of the innermost command only, so `steward --set a=1 runs list
/// --set b=2` would lose the first.
fn every<T: From<String>>(flag: &str, parsed: Vec<T>) -> Vec<T> {
    let mut found = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix(flag) {
            Some("") => found.extend(arguments.next().map(T::from)),
            Some(value) => found.extend(value.strip_prefix('=').map(|value| T::from(value.to_owned()))),
            None => {}
        }
    }
    if found.len() > parsed.len() { found } else { parsed }
}

/// The person at the terminal, by their own word.
#[must_use]
pub fn local_actor() -> Actor {
    Actor::local(runs::user().unwrap_or_else(|| "unknown".to_owned()))
}

/// The data directory whose private server this process is to watch over, when that is what it was started for: asked
/// before any thread exists, because the supervisor blocks signals for all of them.
fn supervised() -> Option<PathBuf> {
    let mut arguments = std::env::args_os().skip(1);
    let name = arguments.next()?;
    (name == crate::db::embedded::supervisor::COMMAND).then(|| arguments.next().map(PathBuf::from)).flatten()
}

/// What `main` does: parse, run, say what went wrong, and answer the exit code.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(dir) = supervised() {
        return crate::db::embedded::supervisor::supervise(&dir);
    }
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say(&format!("error: failed to start: {error}"));
            return ExitCode::from(exit::UNREACHABLE);
        }
    };
    let outcome = runtime.block_on(cli.run());
    // Blocking work of a cancelled run must not hold the process back.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::say(&format!("error: {error:#}"));
            ExitCode::from(exit::code_of(&error))
        }
    }
}

impl Context {
    /// Starts the program: connects to the database (or starts the embedded one) and migrates.
    ///
    /// # Errors
    /// When the database cannot be had or the channels are misconfigured.
    pub async fn app(&self) -> anyhow::Result<App> {
        Ok(App::start(self.settings.settings.clone(), Arc::new(SystemClock)).await?)
    }
}

impl Cli {
    /// Runs the command and answers the exit code.
    ///
    /// # Errors
    /// Anything that stopped it; [`exit::code_of`] says with which code.
    pub async fn run(self) -> anyhow::Result<u8> {
        let sources = Sources {
            files: every("--config", self.global.config),
            data_dir: self.global.data_dir,
            database_url: self.global.database_url,
            set: every("--set", self.global.set),
        };
        // Looking at a configuration must work when there is something wrong with it.
        if let Command::Config(args) = self.command {
            return config_command::run(args, &sources);
        }
        let settings = config_command::load(&sources)?;
        let service =
            matches!(self.command, Command::Serve(_) | Command::Worker(_) | Command::Scheduler(_) | Command::Api(_));
        telemetry::init(&settings.settings.log, service);
        let context = Context { settings };
        match self.command {
            Command::Demo(args) => demo::run(args, &context).await,
            Command::Serve(args) => serve::run(args, serve::Role::All, &context).await,
            Command::Worker(args) => serve::run(args, serve::Role::Worker, &context).await,
            Command::Scheduler(args) => serve::run(args, serve::Role::Scheduler, &context).await,
            Command::Api(args) => serve::run(args, serve::Role::Api, &context).await,
            Command::Jobs(args) => jobs::run(args, &context).await,
            Command::Runs(args) => runs::run(args, &context).await,
            Command::Alerts(args) => alerts::run(args, &context).await,
            Command::Notify(args) => notify::run(args, &context).await,
            Command::Token(args) => token::run(args, &context).await,
            Command::Audit(args) => audit::run(args, &context).await,
            Command::Models(args) => models::run(args, &context).await,
            Command::Drift(args) => drift::run(args, &context).await,
            Command::Metrics(args) => metrics::run(args, &context).await,
            Command::Ab(args) => ab::run(args, &context).await,
            Command::Methods(args) => methods::run(&args),
            Command::Config(_) | Command::PostgresSupervise { .. } => Ok(exit::BUG),
        }
    }
}
