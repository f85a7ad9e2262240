//! Entry point.
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|name| name == steward::db::embedded::supervisor::COMMAND) {
        return steward::db::embedded::supervisor::supervise(std::path::Path::new(&arguments.next().unwrap_or_default()));
    }
    ExitCode::SUCCESS
}
