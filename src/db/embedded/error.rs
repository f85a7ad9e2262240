//! What can stand in the way of a private server, each with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no private server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No server programs on this machine.
    #[error(
        "cannot start a private PostgreSQL: no server programs (`initdb` and `postgres`) in {searched}. Choose one:\n  \
         - use a PostgreSQL that runs already: set DATABASE_URL=postgres://user:password@host:port/database\n  \
         - install the programs: apt-get install postgresql, dnf install postgresql-server, apk add postgresql, \
         brew install postgresql (or `make postgres`)\n  \
         - say where they are: set database.postgres_bin_dir (STEWARD__DATABASE__POSTGRES_BIN_DIR)"
    )]
    NoPrograms {
        /// Where was looked, for people.
        searched: String,
    },
    /// The database is to be made anew, and somebody is connected to it.
    #[error(
        "the database in {} is in use by another process (a `steward serve`, perhaps); stop it first, or use another --dir",
        data_dir.display()
    )]
    InUse {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// Only programs that are too old, or of another version than the cluster.
    #[error(
        "{cluster} needs the server programs of PostgreSQL {wanted}, but found only {found}; install that version, \
             or move the folder away to start with an empty database"
    )]
    WrongVersion {
        /// The cluster's folder.
        cluster: PathBuf,
        /// `15`, or `14 or newer`.
        wanted: String,
        /// What there is, for people.
        found: String,
    },
    /// A file or folder under the data directory cannot be used.
    #[error("failed to {doing} {path}: {source}; {}", advice(.source))]
    File {
        /// A verb: `create`, `read`.
        doing: &'static str,
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Root's data directory lies where the server's user cannot go.
    #[error(
        "PostgreSQL never runs as root, and user {user:?}, as whom it would run, cannot enter {path}; choose a data \
         directory that others may enter (--data-dir /var/lib/steward), or run Steward as an ordinary user"
    )]
    NotEnterable {
        /// The user's name.
        user: String,
        /// The folder.
        path: PathBuf,
    },
    /// Root has nobody to run the server as.
    #[error("PostgreSQL never runs as root, and there is neither a user `postgres` nor `nobody` to run it as")]
    NoUser,
    /// The folder for the socket belongs to somebody else.
    #[error(
        "{path} should be a private folder for the database's socket but {reason}; remove it or choose a data \
             directory with a shorter path"
    )]
    SocketFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The password file is gone while the cluster is there.
    #[error(
        "{path} is missing, and with it the password of the private database; put it back, or move {cluster} away \
             to start with an empty database"
    )]
    PasswordLost {
        /// The file.
        path: PathBuf,
        /// The cluster's folder.
        cluster: PathBuf,
    },
    /// `initdb` failed.
    #[error("failed to make a database cluster: {output}")]
    Init {
        /// What it printed.
        output: String,
    },
    /// The disk is full.
    #[error("no space left on the disk of {path}; free some, or choose another data directory (--data-dir)")]
    DiskFull {
        /// The data directory.
        path: PathBuf,
    },
    /// The server did not come up.
    #[error("the private PostgreSQL did not start: {output} (log: {log})")]
    Start {
        /// The end of what it printed.
        output: String,
        /// Its log.
        log: PathBuf,
    },
    /// Nothing happened for too long.
    #[error("the private PostgreSQL was not ready within {seconds} s: {waiting_for} (log: {log})")]
    Timeout {
        /// How long was waited.
        seconds: u64,
        /// For what.
        waiting_for: &'static str,
        /// Its log.
        log: PathBuf,
    },
    /// The server is up but a statement failed.
    #[error("the private PostgreSQL: {0}")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// Wraps an error of the operating system; a full disk becomes [`Error::DiskFull`].
    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::File { doing, path, source },
        }
    }
}

/// Whether what `initdb` or the server printed says that the disk is full: a short write has no error of its own.
pub(super) fn says_disk_full(output: &str) -> bool {
    ["No space left on device", "Check free disk space", "Disk quota exceeded"].iter().any(|sign| output.contains(sign))
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            "run Steward as the user that owns it, or choose another data directory (--data-dir)"
        }
        io::ErrorKind::ReadOnlyFilesystem => "choose another data directory (--data-dir)",
        _ => "check the data directory (--data-dir)",
    }
}
