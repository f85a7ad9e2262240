//! Entry point: parse, run, say what went wrong, exit with its code.

use std::process::ExitCode;

use clap::Parser;
use steward::cli::{Cli, exit, output};
use steward::db::embedded::supervisor::supervise;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(data_dir) = cli.supervised() {
        return supervise(data_dir);
    }
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
