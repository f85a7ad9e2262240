//! The server process: starting it, asking whether it is there, stopping it.
//!
//! `postmaster.pid` is PostgreSQL's own record (pid, port, socket folder, status), but it may be stale; only a socket that
//! accepts is proof of life.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::cluster::{PORT, Paths, ServerUser};

const POLL: Duration = Duration::from_millis(10);

/// How the server is started; kept in a file for the supervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Launch {
    pub(super) postgres: PathBuf,
    pub(super) socket_folder: PathBuf,
    pub(super) user: ServerUser,
    pub(super) fsync: bool,
    pub(super) linger_milliseconds: u64,
}

/// What `postmaster.pid` says.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) pid: Pid,
    pub(super) socket_folder: PathBuf,
    port: u16,
    ready: bool,
}

impl Record {
    pub(super) fn read(cluster: &Path) -> Option<Self> {
        let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let pid = lines.first()?.parse().ok().filter(|pid| *pid > 1)?;
        let port = lines.get(3).and_then(|port| port.parse().ok()).unwrap_or(PORT);
        let socket_folder = lines.get(4).map(PathBuf::from).unwrap_or_default();
        Some(Self { pid: Pid::from_raw(pid), socket_folder, port, ready: lines.get(7) == Some(&"ready") })
    }

    /// Whether it accepts connections.
    pub(super) fn accepts(&self) -> bool {
        self.ready && UnixStream::connect(self.socket_folder.join(format!(".s.PGSQL.{}", self.port))).is_ok()
    }

    /// Whether the process is there and is this cluster's server, not another one that got the same number.
    pub(super) fn lives(&self, cluster: &Path) -> bool {
        if !alive(self.pid) {
            return false;
        }
        match fs::read(format!("/proc/{}/cmdline", self.pid)) {
            Ok(line) => {
                let wanted = cluster.as_os_str().as_encoded_bytes();
                line.split(|byte| *byte == 0).any(|argument| argument == wanted)
            }
            // Without /proc only PostgreSQL itself can tell; it checks when it starts.
            Err(_) => !Path::new("/proc/self").exists(),
        }
    }
}

/// The record of a server that accepts connections.
pub(super) fn ready(paths: &Paths) -> Option<Record> {
    Record::read(&paths.cluster).filter(Record::accepts)
}

/// Whether a process exists and is not merely waiting to be reaped.
fn alive(pid: Pid) -> bool {
    if kill(pid, None) == Err(Errno::ESRCH) {
        return false;
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    !matches!(state, Some('Z' | 'X'))
}

/// Starts the server. The caller holds the supervisor's or the start lock, so nobody else does.
pub(super) fn spawn(paths: &Paths, launch: &Launch) -> io::Result<Child> {
    clear_stale(paths, &launch.socket_folder);
    let log = OpenOptions::new().create(true).append(true).open(&paths.log)?;
    let mut command = launch.user.command(&launch.postgres, &paths.cluster);
    command.arg("-D").arg(&paths.cluster);
    let settings = [
        ("listen_addresses", String::new()),
        ("unix_socket_directories", launch.socket_folder.display().to_string()),
        ("unix_socket_permissions", "0700".to_owned()),
        ("port", PORT.to_string()),
        ("max_connections", "100".to_owned()),
        ("shared_buffers", "64MB".to_owned()),
        ("max_wal_size", "256MB".to_owned()),
        ("fsync", if launch.fsync { "on" } else { "off" }.to_owned()),
        ("full_page_writes", if launch.fsync { "on" } else { "off" }.to_owned()),
        ("timezone", "UTC".to_owned()),
        ("log_timezone", "UTC".to_owned()),
        ("log_checkpoints", "off".to_owned()),
        ("logging_collector", "off".to_owned()),
        ("password_encryption", "scram-sha-256".to_owned()),
    ];
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    // A group of its own: Ctrl-C in the terminal must not stop the server while Steward winds up.
    command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
}

/// Takes away records whose process is gone: PostgreSQL refuses to start when their number now belongs to another
/// process of the same user, as happens in containers.
fn clear_stale(paths: &Paths, socket_folder: &Path) {
    if let Some(record) = Record::read(&paths.cluster)
        && !record.lives(&paths.cluster)
    {
        let _ = fs::remove_file(paths.cluster.join("postmaster.pid"));
        let _ = fs::remove_file(socket_folder.join(format!(".s.PGSQL.{PORT}.lock")));
        let _ = fs::remove_file(socket_folder.join(format!(".s.PGSQL.{PORT}")));
    }
}

/// The server as seen by whoever is responsible for it.
#[derive(Debug)]
pub(super) enum Server {
    /// A child of this process.
    Child(Child),
    /// Started by a process that is gone.
    Adopted(Pid),
}

impl Server {
    /// Adopts a server that lives, else starts one.
    pub(super) fn adopt_or_spawn(paths: &Paths, launch: &Launch) -> io::Result<Self> {
        match Record::read(&paths.cluster).filter(|record| record.lives(&paths.cluster)) {
            Some(record) => Ok(Self::Adopted(record.pid)),
            None => spawn(paths, launch).map(Self::Child),
        }
    }

    pub(super) fn has_exited(&mut self) -> bool {
        match self {
            Self::Child(child) => !matches!(child.try_wait(), Ok(None)),
            Self::Adopted(pid) => !alive(*pid),
        }
    }

    fn pid(&self) -> Option<Pid> {
        match self {
            Self::Child(child) => i32::try_from(child.id()).ok().map(Pid::from_raw),
            Self::Adopted(pid) => Some(*pid),
        }
    }

    /// Stops it: fast (sessions end, everything is written), then immediate (recovers at the next start), then killed.
    pub(super) fn stop(&mut self) {
        for (signal, patience) in [(Signal::SIGINT, 30), (Signal::SIGQUIT, 5), (Signal::SIGKILL, 5)] {
            let Some(pid) = self.pid() else { return };
            let _ = kill(pid, signal);
            let since = Instant::now();
            while since.elapsed() < Duration::from_secs(patience) {
                if self.has_exited() {
                    return;
                }
                std::thread::sleep(POLL);
            }
        }
    }
}

/// What the log has got since it was `from` bytes long, its last lines.
pub(super) fn log_tail(paths: &Paths, from: u64) -> String {
    let bytes = fs::read(&paths.log).unwrap_or_default();
    let start = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
    let text = String::from_utf8_lossy(&bytes[start..]).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// The length of the log, which starts anew when it has grown beyond 8 MiB.
pub(super) fn log_length(paths: &Paths) -> u64 {
    let length = fs::metadata(&paths.log).map_or(0, |meta| meta.len());
    if length > 8 << 20 && fs::rename(&paths.log, paths.log.with_extension("log.1")).is_ok() {
        return 0;
    }
    length
}
