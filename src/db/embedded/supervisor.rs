//! The supervisor: parent of the private server, alive exactly as long as somebody needs it.
//!
//! Run as `steward postgres-supervise DIR` by whoever needs a server first, never by people. It ignores the signals that
//! end its users (a service manager signals every process of a unit): it leaves when the last holder has left, because
//! only then nobody's last statement can be cut off.

use std::fs::{self, File};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{SigSet, Signal};

use super::Error;
use super::cluster::{self, Paths};
use super::server::{self, Launch, Server};

/// The hidden subcommand of `steward`; its one argument is the data directory.
pub const COMMAND: &str = "postgres-supervise";

/// Also the longest time for which a killed server is not noticed.
const POLL: Duration = Duration::from_millis(50);
/// A server that ends sooner than this after its start did not really start.
const SETTLED: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Processes of a killed server may take a moment to notice and to let go of their shared memory.
const START_ATTEMPTS: u32 = 8;

/// Watches over the server of `data_dir` until nobody holds it any more; then stops it and returns.
#[must_use]
pub fn supervise(data_dir: &Path) -> ExitCode {
    let mut ignored = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        ignored.add(signal);
    }
    let _ = ignored.thread_block();
    let _ = nix::unistd::setsid();
    match watch(data_dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is the log, whose end the waiting process shows.
            tell(&format!("steward: {error}"));
            ExitCode::from(4)
        }
    }
}

fn watch(data_dir: &Path) -> Result<(), Error> {
    let paths = Paths::of(data_dir)?;
    let own = Paths::lock_file(&paths.supervisor_lock)?;
    // Others try the lock for a moment to learn whether a supervisor lives; only a lasting one is another supervisor.
    let asked = Instant::now();
    while own.try_lock().is_err() {
        if asked.elapsed() > Duration::from_secs(1) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let text = fs::read_to_string(&paths.launch).map_err(Error::file("read", &paths.launch))?;
    let launch: Launch = serde_json::from_str(&text)
        .map_err(|error| Error::file("read", &paths.launch)(std::io::Error::other(error)))?;
    let holders = Paths::lock_file(&paths.holders)?;
    let mut absence = Absence::new(Duration::from_millis(launch.linger_milliseconds));
    let mut server = Server::adopt_or_spawn(&paths, &launch).map_err(Error::file("run", &launch.postgres))?;
    let (mut since, mut failures, mut was_ready) = (Instant::now(), 0, false);

    loop {
        std::thread::sleep(POLL);
        if holders.try_lock().is_ok() {
            if absence.has_lasted(&holders) {
                // Held exclusively until the server is down: newcomers wait and then start another one.
                server.stop();
                cluster::leave_socket_folder(&paths, &launch.socket_folder);
                // In this order: whoever gets the holders' lock must not see a supervisor that is about to leave.
                drop(own);
                drop(holders);
                return Ok(());
            }
            let _ = holders.unlock();
        } else {
            absence.ended();
        }
        was_ready = was_ready || server::ready(&paths).is_some();
        if server.has_exited() {
            failures = if since.elapsed() > SETTLED { 0 } else { failures + 1 };
            if !was_ready && (failures >= START_ATTEMPTS || !passes(&paths)) {
                return Ok(());
            }
            tell("steward: the server has ended; starting it again");
            std::thread::sleep(pause(failures));
            server = Server::adopt_or_spawn(&paths, &launch).map_err(Error::file("run", &launch.postgres))?;
            since = Instant::now();
        }
    }
}

/// 50 ms, doubled with each failure.
fn pause(failures: u32) -> Duration {
    Duration::from_millis(50).saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE)
}

/// Whether the reason why the server did not start is one that passes: remains of a killed one.
fn passes(paths: &Paths) -> bool {
    let tail = server::log_tail(paths, 0);
    ["pre-existing shared memory", "lock file", "could not bind"].iter().any(|reason| tail.contains(reason))
}

/// How long nobody has been there.
struct Absence {
    linger: Duration,
    since: Option<Instant>,
    last_visit: Option<SystemTime>,
}

impl Absence {
    fn new(linger: Duration) -> Self {
        Self { linger, since: None, last_visit: None }
    }

    fn ended(&mut self) {
        self.since = None;
    }

    /// Asked while nobody holds the lock. A visit between two looks has left its mark in the file's modification time.
    fn has_lasted(&mut self, holders: &File) -> bool {
        let visit = holders.metadata().and_then(|meta| meta.modified()).ok();
        if visit != self.last_visit {
            self.last_visit = visit;
            self.since = None;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() >= self.linger
    }
}

fn tell(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_between_two_looks_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("holders");
        let file = File::create(&path).unwrap();
        let mut absence = Absence::new(Duration::from_millis(30));
        assert!(!absence.has_lasted(&file));
        std::thread::sleep(Duration::from_millis(40));
        fs::write(&path, "1").unwrap();
        assert!(!absence.has_lasted(&file), "somebody was here meanwhile");
        std::thread::sleep(Duration::from_millis(40));
        assert!(absence.has_lasted(&file));
    }

    #[test]
    fn pauses_grow_but_not_for_ever() {
        assert_eq!(pause(0), Duration::from_millis(50));
        assert_eq!(pause(3), Duration::from_millis(400));
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
