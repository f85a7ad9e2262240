//! Becoming a holder: lock, and when no server accepts, make one do so.

use std::fs::{File, TryLockError};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cluster::{self, Paths, ServerUser, USER, write_private};
use super::error::says_disk_full;
use super::server::{self, Launch, Server};
use super::{EmbeddedOptions, Error, binaries};

/// Long enough for the recovery of a large write-ahead log; a server that makes progress says so in its log.
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(15);

/// A shared lock on the holders' file, and the server itself when there is no supervisor for it.
#[derive(Debug)]
pub(super) struct Hold {
    holders: File,
    /// `Some`: no supervisor; whoever leaves last stops the server.
    unsupervised: Option<Unsupervised>,
    password: String,
    socket_folder: PathBuf,
}

#[derive(Debug)]
struct Unsupervised {
    paths: Paths,
    server: Option<Server>,
}

impl Hold {
    /// The URL of a database of this server. The query holds the socket's folder, as libpq writes it too.
    pub(super) fn url(&self, database: &str) -> String {
        let folder: String =
            url::form_urlencoded::byte_serialize(self.socket_folder.as_os_str().as_encoded_bytes()).collect();
        format!("postgres://{USER}:{}@localhost/{database}?host={folder}&port={}", self.password, cluster::PORT)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(unsupervised) = &mut self.unsupervised else { return };
        // Gives the shared lock up in any case; getting it exclusively says that nobody else is there.
        if self.holders.unlock().is_ok() && self.holders.try_lock().is_ok() {
            let paths = &unsupervised.paths;
            if supervised(paths).unwrap_or(false) {
                return;
            }
            let found = || server::Record::read(&paths.cluster).filter(|record| record.lives(&paths.cluster));
            let server = unsupervised.server.take().or_else(|| found().map(|record| Server::Adopted(record.pid)));
            if let Some(mut server) = server {
                server.stop();
                cluster::leave_socket_folder(paths, &self.socket_folder);
            }
        }
    }
}

/// Blocks until the server accepts connections and this process is one of its holders.
pub(super) fn hold(options: &EmbeddedOptions) -> Result<Hold, Error> {
    let paths = Paths::of(&options.data_dir)?;
    let deadline = Instant::now() + PATIENCE;
    let mut holders = Paths::lock_file(&paths.holders)?;
    lock(&holders, File::try_lock_shared, deadline, &paths, "another process stops it")?;
    // Its changed time tells the supervisor that somebody was here, however briefly.
    let _ = holders.rewind().and_then(|()| writeln!(holders, "{}", std::process::id()));

    if let Some(record) = server::ready(&paths)
        && (options.supervisor.is_none() || supervised(&paths)?)
        && let Ok(password) = std::fs::read_to_string(&paths.password)
    {
        let unsupervised = options.supervisor.is_none().then(|| Unsupervised { paths: paths.clone(), server: None });
        return Ok(Hold { holders, unsupervised, password, socket_folder: record.socket_folder });
    }
    start(options, &paths, holders, deadline)
}

/// Whether a supervisor lives.
fn supervised(paths: &Paths) -> Result<bool, Error> {
    let file = Paths::lock_file(&paths.supervisor_lock)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(Error::file("lock", &paths.supervisor_lock)(source)),
    }
}

fn start(options: &EmbeddedOptions, paths: &Paths, holders: File, deadline: Instant) -> Result<Hold, Error> {
    let start_lock = Paths::lock_file(&paths.start_lock)?;
    lock(&start_lock, File::try_lock, deadline, paths, "another process starts it")?;

    let programs = binaries::find(options.bin_dir.as_deref(), &paths.cluster)?;
    let user = ServerUser::choose(&paths.cluster)?;
    let password = cluster::ensure(paths, &user, &programs, options.fsync)?;
    let launch = Launch {
        postgres: programs.postgres,
        socket_folder: cluster::socket_folder(paths, &user)?,
        user,
        fsync: options.fsync,
        linger_milliseconds: u64::try_from(options.linger.as_millis()).unwrap_or(u64::MAX),
    };
    let text = serde_json::to_string_pretty(&launch).unwrap_or_default();
    write_private(&paths.launch, &text)?;

    let mut hold = Hold { holders, unsupervised: None, password, socket_folder: launch.socket_folder.clone() };
    let log_from = server::log_length(paths);
    let mut supervisor: Option<Child> = None;
    if options.supervisor.is_none() {
        let server = Server::adopt_or_spawn(paths, &launch).map_err(|error| cannot_run(error, &launch, paths))?;
        hold.unsupervised = Some(Unsupervised { paths: paths.clone(), server: Some(server) });
    }
    loop {
        let watched = match &options.supervisor {
            None => true,
            Some(_) => supervised(paths)?,
        };
        if let Some(record) = server::ready(paths)
            && watched
        {
            hold.socket_folder = record.socket_folder;
            break;
        }
        let gone = match (&mut hold.unsupervised, &mut supervisor) {
            (Some(own), _) => own.server.as_mut().is_some_and(Server::has_exited),
            (None, Some(child)) => matches!(child.try_wait(), Ok(Some(_)) | Err(_)),
            // Somebody else's supervisor may still be there, restarting the server; otherwise it is ours to start.
            (None, None) => {
                if !watched && let Some(program) = &options.supervisor {
                    supervisor = Some(supervise(program, paths)?);
                }
                false
            }
        };
        if gone && !supervised(paths)? {
            return Err(failure(paths, log_from));
        }
        if Instant::now() > deadline {
            let seconds = PATIENCE.as_secs();
            return Err(Error::Timeout {
                seconds,
                waiting_for: "it does not accept connections",
                log: paths.log.clone(),
            });
        }
        std::thread::sleep(POLL);
    }
    if let Some(mut child) = supervisor {
        // Reaps it once it ends; it outlives this process as a rule.
        std::thread::spawn(move || child.wait());
    }
    Ok(hold)
}

/// Starts the supervisor, detached: it makes a session of its own.
fn supervise(program: &Path, paths: &Paths) -> Result<Child, Error> {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&paths.log)
        .map_err(Error::file("open", &paths.log))?;
    let errors = log.try_clone().map_err(Error::file("open", &paths.log))?;
    Command::new(program)
        .arg(super::supervisor::COMMAND)
        .arg(&paths.data_dir)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(Error::file("run", program))
}

fn cannot_run(error: std::io::Error, launch: &Launch, paths: &Paths) -> Error {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied if launch.user.switch => {
            Error::NotEnterable { user: launch.user.name.clone(), path: paths.cluster.clone() }
        }
        _ => Error::file("run", &launch.postgres)(error),
    }
}

fn failure(paths: &Paths, log_from: u64) -> Error {
    let output = server::log_tail(paths, log_from);
    if says_disk_full(&output) {
        return Error::DiskFull { path: paths.data_dir.clone() };
    }
    Error::Start {
        output: if output.is_empty() { "it said nothing".to_owned() } else { output },
        log: paths.log.clone(),
    }
}

/// Waits for a lock, but not for ever.
fn lock(
    file: &File,
    attempt: impl Fn(&File) -> Result<(), TryLockError>,
    deadline: Instant,
    paths: &Paths,
    waiting_for: &'static str,
) -> Result<(), Error> {
    loop {
        match attempt(file) {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(source)) => return Err(Error::file("lock a file in", &paths.data_dir)(source)),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(Error::Timeout { seconds: PATIENCE.as_secs(), waiting_for, log: paths.log.clone() });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(POLL),
        }
    }
}
